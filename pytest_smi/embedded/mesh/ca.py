"""The mesh's certificate authority: one key for the life of a mesh, a certificate for each pod and for the webhook.

A control plane that is restarted goes on with the authority that it had, or its pods would not trust each other.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pytest_smi.embedded.mesh.model import TRUST_DOMAIN, spiffe_id

if TYPE_CHECKING:
    from pytest_smi.embedded.mesh.model import Pod

_BACKDATED = timedelta(hours=1)
_VALID = timedelta(days=30)
_BOTH_SIDES = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


class Authority:
    """A self-signed authority with elliptic-curve keys. `pem` is its certificate, `secret` all of it.

    A new one, or the one that `secret` was of.
    """

    def __init__(self, secret: bytes | None = None) -> None:
        self._name = _name(f"pytest-smi reference mesh of {TRUST_DOMAIN}")
        if secret is None:
            self._key = ec.generate_private_key(ec.SECP256R1())
            self.pem = self._certificate()
        else:
            key = load_pem_private_key(secret, None)
            assert isinstance(key, ec.EllipticCurvePrivateKey)
            self._key = key
            self.pem = x509.load_pem_x509_certificate(secret).public_bytes(Encoding.PEM)
        self.secret = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + self.pem

    def _certificate(self) -> bytes:
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(Encoding.PEM)

    def for_pod(self, pod: Pod) -> tuple[bytes, bytes]:
        """Certificate and key (PEM) of a pod's sidecar.

        The SPIFFE id names its ServiceAccount; a DNS name tells the pod from others of that account, which label
        selectors of IdentityBindings need.
        """
        names = [
            x509.UniformResourceIdentifier(spiffe_id(pod.namespace, pod.account)),
            x509.DNSName(pod.dns_name),
        ]
        return self._leaf(_name(f"{pod.account}.{pod.namespace}"), names)

    def for_address(self, address: str) -> tuple[bytes, bytes]:
        """Certificate and key (PEM) of a server on an IP address."""
        return self._leaf(_name(address), [x509.IPAddress(ip_address(address))])

    def for_name(self, name: str) -> tuple[bytes, bytes]:
        """Certificate and key (PEM) of a server with a DNS name."""
        return self._leaf(_name(name), [x509.DNSName(name)])

    def _leaf(self, subject: x509.Name, names: list[x509.GeneralName]) -> tuple[bytes, bytes]:
        key = ec.generate_private_key(ec.SECP256R1())
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            self._builder(subject, key.public_key())
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(_BOTH_SIDES), critical=False)
            .add_extension(authority, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return certificate.public_bytes(Encoding.PEM), secret

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATED)
            .not_valid_after(now + _VALID)
        )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])
