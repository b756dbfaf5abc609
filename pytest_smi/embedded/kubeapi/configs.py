"""ConfigMaps, Secrets, Leases and Events: defaults, and what is wrong with them."""

import base64
from typing import Any

from pytest_smi.embedded.kubeapi import naming
from pytest_smi.embedded.kubeapi.status import Cause
from pytest_smi.embedded.kubeapi.values import invalid_value

Object = dict[str, Any]

_LARGEST = 1024 * 1024
_REPORTER_LENGTH = 128


def _required(path: str) -> Cause:
    return Cause("FieldValueRequired", "Required value", path)


def _key_causes(data: Object, path: str) -> list[Cause]:
    return [invalid_value(f"{path}[{key}]", key, text) for key in data for text in naming.config_key(key)]


def config_map_causes(obj: Object) -> list[Cause]:
    """What is wrong with a ConfigMap."""
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    found = _key_causes(data, "data") + _key_causes(binary, "binaryData")
    for key in data.keys() & binary.keys():
        found.append(invalid_value(f"data[{key}]", key, "duplicate of key present in binaryData"))
    return found + _size_causes([*data.values(), *binary.values()], "")


def _size_causes(values: list[str], path: str) -> list[Cause]:
    if sum(len(value.encode()) for value in values) <= _LARGEST:
        return []
    return [Cause("FieldValueTooLong", f"Too long: may not be more than {_LARGEST} bytes", path)]


def immutable_causes(new: Object, old: Object) -> list[Cause]:
    """What an immutable ConfigMap or Secret does not let change."""
    if not old.get("immutable"):
        return []
    text = "Forbidden: field is immutable when `immutable` is set"
    fields = [name for name in ("data", "binaryData") if (new.get(name) or {}) != (old.get(name) or {})]
    if not new.get("immutable"):
        fields.append("immutable")
    return [Cause("FieldValueForbidden", text, name) for name in fields]


def secret_fill_in(obj: Object) -> None:
    """Plain text becomes data."""
    if plain := obj.pop("stringData", None):
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
        obj["data"] = {**(obj.get("data") or {}), **encoded}


_NEEDED = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
}


def secret_causes(obj: Object) -> list[Cause]:
    """What is wrong with a Secret, whose type may need some keys."""
    data, kind = obj.get("data") or {}, obj.get("type", "")
    found = _key_causes(data, "data") + _size_causes(list(data.values()), "data")
    found += [_required(f"data[{key}]") for key in _NEEDED.get(kind, ()) if key not in data]
    if kind == "kubernetes.io/basic-auth" and not {"username", "password"} & data.keys():
        found += [_required("data[username]"), _required("data[password]")]
    account = "kubernetes.io/service-account.name"
    if kind == "kubernetes.io/service-account-token" and not (obj["metadata"].get("annotations") or {}).get(account):
        found.append(_required(f"metadata.annotations[{account}]"))
    return found


def secret_update_causes(new: Object, old: Object) -> list[Cause]:
    """The type of a Secret stays."""
    found = immutable_causes(new, old)
    if new.get("type") != old.get("type"):
        found.append(invalid_value("type", new.get("type"), "field is immutable"))
    return found


def secret_remarks(obj: Object) -> list[str]:
    """A TLS Secret that holds no certificate is taken, with a warning."""
    data = obj.get("data") or {}
    if obj.get("type") != "kubernetes.io/tls":
        return []
    certificate = base64.b64decode(data.get("tls.crt", ""))
    return [] if b"-----BEGIN" in certificate else ["tls: failed to find any PEM data in certificate input"]


def lease_causes(obj: Object) -> list[Cause]:
    """What is wrong with a Lease."""
    spec, found = obj.get("spec") or {}, []
    if (seconds := spec.get("leaseDurationSeconds")) is not None and seconds <= 0:
        found.append(invalid_value("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    if (count := spec.get("leaseTransitions")) is not None and count < 0:
        found.append(invalid_value("spec.leaseTransitions", count, "must be greater than or equal to 0"))
    return found


def event_causes(obj: Object) -> list[Cause]:
    """What is wrong with an Event: those with an eventTime must say more."""
    involved, own = (obj.get("involvedObject") or {}).get("namespace") or "", obj["metadata"].get("namespace", "")
    homeless = ("default",) if not obj.get("eventTime") else ("default", "kube-system")
    found = []
    if involved != own and not (not involved and own in homeless) and not (involved and obj.get("eventTime")):
        found.append(invalid_value("involvedObject.namespace", involved, "does not match event.namespace"))
    return found + (_reported_causes(obj) if obj.get("eventTime") else [])


def _reported_causes(obj: Object) -> list[Cause]:
    reporter, instance = obj.get("reportingComponent") or "", obj.get("reportingInstance") or ""
    found = [] if reporter else [_required("reportingComponent")]
    found += [invalid_value("reportingComponent", reporter, text) for text in naming.qualified_name(reporter)]
    if len(instance) > _REPORTER_LENGTH:
        text = f"can have at most {_REPORTER_LENGTH} characters"
        found.append(invalid_value("reportingInstance", "", text))
    needed = {"reportingInstance": instance, "action": obj.get("action"), "reason": obj.get("reason")}
    return found + [_required(name) for name, value in needed.items() if not value]
