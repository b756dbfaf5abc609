"""Names, labels and annotations: which are allowed, and the sentences with which the others are refused."""

import re
from typing import Any

from pytest_smi.embedded.kubeapi import owners
from pytest_smi.embedded.kubeapi.status import Cause
from pytest_smi.embedded.kubeapi.values import invalid_value

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_RFC1035 = r"[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = rf"({_QUALIFIED})?"

_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    f"end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    f"an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
)
_RFC1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    f"and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '{_RFC1035}')"
)
_QUALIFIED_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)

_KEY_TEXT = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)

_is_key = re.compile(r"[-._a-zA-Z0-9]+").fullmatch
_is_label = re.compile(_LABEL).fullmatch
_is_subdomain = re.compile(_SUBDOMAIN).fullmatch
_is_rfc1035 = re.compile(_RFC1035).fullmatch
_is_qualified = re.compile(_QUALIFIED).fullmatch
_is_value = re.compile(_VALUE).fullmatch

_TOTAL_ANNOTATIONS = 256 * 1024


def _too_long(limit: int) -> str:
    return f"must be no more than {limit} characters"


def dns_label(name: str) -> list[str]:
    """What keeps `name` from being a DNS label (RFC 1123)."""
    problems = [] if len(name) <= 63 else [_too_long(63)]
    return problems if _is_label(name) else [*problems, _LABEL_TEXT]


def dns_1035(name: str) -> list[str]:
    """What keeps `name` from being a DNS-1035 label."""
    problems = [] if len(name) <= 63 else [_too_long(63)]
    return problems if _is_rfc1035(name) else [*problems, _RFC1035_TEXT]


def dns_subdomain(name: str) -> list[str]:
    """What keeps `name` from being a DNS subdomain."""
    problems = [] if len(name) <= 253 else [_too_long(253)]
    return problems if _is_subdomain(name) else [*problems, _SUBDOMAIN_TEXT]


def path_segment(name: str) -> list[str]:
    """What keeps `name` from being a path segment, which is all that RBAC objects ask."""
    if name in (".", ".."):
        return [f"may not be '{name}'"]
    return [f"may not contain '{sign}'" for sign in "/%" if sign in name]


def undotted_label(name: str) -> list[str]:
    """What keeps `name` from being the name of a namespace."""
    return ["must not contain dots"] if "." in name else dns_label(name)


def config_key(name: str) -> list[str]:
    """What keeps `name` from being a key of a ConfigMap or Secret."""
    if name in (".", "..") or (name.startswith("..") and _is_key(name)):
        return [f"must not be '{name}'" if name in (".", "..") else "must not start with '..'"]
    return [] if _is_key(name) else [_KEY_TEXT]


def port_name(name: str) -> list[str]:
    """What keeps `name` from being the name of a container's port (an IANA service name)."""
    problems = [] if len(name) <= 15 else ["must be no more than 15 characters"]
    if not re.fullmatch(r"[-a-z0-9]+", name):
        problems.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search(r"[a-z]", name):
        problems.append("must contain at least one letter (a-z)")
    if "--" in name:
        problems.append("must not contain consecutive hyphens")
    if name.startswith("-") or name.endswith("-"):
        problems.append("must not begin or end with a hyphen")
    return problems


_RULES = {"Namespace": undotted_label, "Service": dns_1035}


def name_problems(group: str, kind: str, name: str) -> list[str]:
    """What is wrong with the name of an object of this kind."""
    if group == "rbac.authorization.k8s.io":
        return path_segment(name)
    rule = _RULES.get(kind, dns_subdomain) if not group else dns_subdomain
    return rule(name)


def qualified_name(key: str) -> list[str]:
    """What is wrong with a label or annotation key."""
    prefix, slash, name = key.rpartition("/")
    problems = []
    if slash:
        if not prefix:
            problems.append("prefix part must be non-empty")
        problems += [f"prefix part {text}" for text in (dns_subdomain(prefix) if prefix else [])]
    if not name:
        problems.append("name part must be non-empty")
    elif len(name) > 63:
        problems.append("name part must be no more than 63 characters")
    if not _is_qualified(name):
        problems.append(_QUALIFIED_TEXT)
    return problems


def label_value(value: str) -> list[str]:
    """What is wrong with a label's value."""
    problems = [] if len(value) <= 63 else [_too_long(63)]
    return problems if _is_value(value) else [*problems, _VALUE_TEXT]


def label_causes(labels: dict[str, str], path: str) -> list[Cause]:
    """Everything wrong with a set of labels."""
    causes = []
    for key, value in labels.items():
        causes += [invalid_value(path, key, text) for text in qualified_name(key)]
        causes += [invalid_value(path, value, text) for text in label_value(value)]
    return causes


def annotation_causes(annotations: dict[str, str], path: str) -> list[Cause]:
    """Everything wrong with a set of annotations."""
    causes = []
    for key in annotations:
        causes += [invalid_value(path, key, text) for text in qualified_name(key.lower())]
    if sum(len(key) + len(value) for key, value in annotations.items()) > _TOTAL_ANNOTATIONS:
        text = f"Too long: may not be more than {_TOTAL_ANNOTATIONS} bytes"
        causes.append(Cause("FieldValueTooLong", text, path))
    return causes


def metadata_causes(metadata: dict[str, Any], group: str, kind: str, path: str = "metadata") -> list[Cause]:
    """Everything wrong with the metadata of a new object."""
    causes = []
    if base := metadata.get("generateName"):
        # What will be added may come after a dash or a dot.
        problems = name_problems(group, kind, base.rstrip("-.") if base[:-1] else base)
        causes += [invalid_value(f"{path}.generateName", base, text) for text in problems]
    if name := metadata.get("name"):
        causes += [invalid_value(f"{path}.name", name, text) for text in name_problems(group, kind, name)]
    else:
        causes.append(Cause("FieldValueRequired", "Required value: name or generateName is required", f"{path}.name"))
    return causes + updated_metadata_causes(metadata, path)


def updated_metadata_causes(metadata: dict[str, Any], path: str = "metadata") -> list[Cause]:
    """Everything wrong with what may change in metadata."""
    causes = label_causes(metadata.get("labels") or {}, f"{path}.labels")
    causes += annotation_causes(metadata.get("annotations") or {}, f"{path}.annotations")
    causes += owners.causes(metadata.get("ownerReferences") or [], f"{path}.ownerReferences")
    finalizers = metadata.get("finalizers") or []
    for index, finalizer in enumerate(finalizers):
        causes += [invalid_value(f"{path}.finalizers", finalizer, text) for text in qualified_name(finalizer)]
        causes += finalizer_domain_causes(finalizer, f"{path}.finalizers[{index}]")
    if {"orphan", "foregroundDeletion"} <= set(finalizers):
        text = "finalizer orphan and foregroundDeletion cannot be both set"
        causes.append(invalid_value(f"{path}.finalizers", finalizers, text))
    return causes


_STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")


def finalizer_domain_causes(name: str, path: str) -> list[Cause]:
    """A finalizer that is neither a standard one nor has a domain."""
    if "/" in name or name in _STANDARD_FINALIZERS:
        return []
    return [invalid_value(path, name, "name is neither a standard finalizer name nor is it fully qualified")]
