"""Certificates and TLS contexts of the embedded cluster.

Everything is made anew at each start and lives as long as the cluster: elliptic-curve keys, because a P-256 key and its
certificate cost about a millisecond. `cryptography` is imported when the first certificate is made, so that importing
this module stays cheap.
"""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pytest_smi.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cryptography import x509

LIFETIME = timedelta(days=30)
BACKDATED = timedelta(minutes=5)
SERVER_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its private key, both PEM."""

    cert_pem: str
    key_pem: str

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write `NAME.crt` and `NAME.key` (readable by the owner only) and return their paths."""
        cert, key = folder / f"{name}.crt", folder / f"{name}.key"
        cert.write_text(self.cert_pem)
        key.touch(mode=0o600)
        key.write_text(self.key_pem)
        return cert, key


@dataclass(frozen=True)
class Authority(KeyPair):
    """A certificate authority: signs leaf certificates with `issue`."""

    def issue(
        self,
        common_name: str,
        *,
        organizations: Sequence[str] = (),
        dns: Sequence[str] = (),
        addresses: Sequence[str] = (),
        client: bool = False,
        server: bool = False,
    ) -> KeyPair:
        """A leaf certificate for a server, for a client when `client` is set, for both when `server` is set as well.

        `organizations` become groups where the certificate is used to log in (Kubernetes reads O as a group).
        """
        from cryptography import x509
        from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

        names: list[x509.GeneralName] = [x509.DNSName(name) for name in dns]
        names += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH] if client else []
        if server or not client:
            usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
        extensions: list[tuple[x509.ExtensionType, bool]] = [(x509.ExtendedKeyUsage(usages), False)]
        if names:
            extensions.append((x509.SubjectAlternativeName(names), False))
        subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in organizations]
        subject.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
        return _certificate(x509.Name(subject), extensions, self)


def new_authority(common_name: str) -> Authority:
    """A fresh self-signed authority. Raises ClusterError when `cryptography` is not installed."""
    try:
        from cryptography import x509
        from cryptography.x509.oid import NameOID
    except ImportError:
        raise ClusterError(
            "the embedded cluster needs the package cryptography, which is not installed",
            "pip install 'pytest-smi[embedded]'",
        ) from None
    pair = _certificate(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]), [], None)
    return Authority(pair.cert_pem, pair.key_pem)


def server_pair(authority: Authority, addresses: Sequence[str] = ("127.0.0.1", "::1")) -> KeyPair:
    """The API server's certificate: good for loopback and for the names a pod would use."""
    return authority.issue("kube-apiserver", dns=SERVER_NAMES, addresses=addresses)


def server_context(
    pair: KeyPair, folder: Path, *, client_ca_pem: str | None = None, name: str = "server"
) -> ssl.SSLContext:
    """A server-side context speaking HTTP/1.1 only; `folder` keeps the key files that `ssl` insists on reading.

    With `client_ca_pem` a client may (not must) present a certificate of that authority.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair.write(folder, name))
    context.set_alpn_protocols(["http/1.1"])
    if client_ca_pem:
        context.load_verify_locations(cadata=client_ca_pem)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def client_context(
    ca_pem: str | None, *, pair: KeyPair | None = None, folder: Path | None = None, verify: bool = True
) -> ssl.SSLContext:
    """A client-side context that trusts only `ca_pem`; presents `pair` (its files kept in `folder`) when given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca_pem:
        context.load_verify_locations(cadata=ca_pem)
    else:
        context.load_default_certs()
    if pair and folder:
        context.load_cert_chain(*pair.write(folder, "client"))
    return context


def _certificate(
    subject: x509.Name, extensions: Sequence[tuple[x509.ExtensionType, bool]], issuer: Authority | None
) -> KeyPair:
    """Make a key and sign its certificate: by `issuer`, or by itself as an authority."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    signer: Any = key
    issuer_name = subject
    issuer_public: Any = key.public_key()
    if issuer:
        signer = serialization.load_pem_private_key(issuer.key_pem.encode(), None)
        parent = x509.load_pem_x509_certificate(issuer.cert_pem.encode())
        issuer_name, issuer_public = parent.subject, parent.public_key()
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(issuer_name, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(_key_usage(signs=issuer is None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        # Python 3.13 verifies strictly: a leaf without this is refused.
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_public), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(signer, hashes.SHA256())
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return KeyPair(certificate.public_bytes(pem).decode(), private.decode())


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
