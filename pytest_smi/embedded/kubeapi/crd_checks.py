"""What is wrong with a CustomResourceDefinition, or with a change of one.

The real server keeps what all versions have in common at the top of the spec, and names it there when it is wrong.
"""

import re
from typing import Any
from urllib.parse import urlsplit

from pytest_smi.embedded.kubeapi import crd_schemas, naming
from pytest_smi.embedded.kubeapi.status import Cause
from pytest_smi.embedded.kubeapi.values import invalid_value

Object = dict[str, Any]

_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_FIELD_PATH = re.compile(r"(\.[A-Za-z_][-A-Za-z0-9_]*)+")
_APPROVAL = "api-approved.kubernetes.io"


def _required(path: str, text: str = "") -> Cause:
    return Cause("FieldValueRequired", f"Required value: {text}" if text else "Required value", path)


def _forbidden(path: str, text: str) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {text}", path)


def create_causes(obj: Object) -> list[Cause]:
    """What a new CRD must have: a name made of its parts, and approval for a group of Kubernetes itself."""
    spec, name = obj["spec"], obj["metadata"].get("name", "")
    names, group, found = spec.get("names") or {}, spec.get("group", ""), []
    if name != f"{names.get('plural', '')}.{group}":
        found.append(invalid_value("metadata.name", name, 'must be spec.names.plural+"."+spec.group'))
    protected = re.search(r"(^|\.)(k8s|kubernetes)\.io$", group)
    if protected and not (obj["metadata"].get("annotations") or {}).get(_APPROVAL):
        see = "https://github.com/kubernetes/enhancements/pull/1111"
        text = f'protected groups must have approval annotation "{_APPROVAL}", see {see}'
        found.append(_required(f"metadata.annotations[{_APPROVAL}]", text))
    return found


def causes(obj: Object) -> list[Cause]:
    """What is wrong with a CRD."""
    spec = obj["spec"]
    group, found = spec.get("group", ""), []
    if not group:
        found.append(_required("spec.group"))
    else:
        found += [invalid_value("spec.group", group, text) for text in naming.dns_subdomain(group)]
        if "." not in group:
            found.append(invalid_value("spec.group", group, "should be a domain with at least one dot"))
    if spec.get("preserveUnknownFields"):
        text = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        found.append(invalid_value("spec.preserveUnknownFields", True, text))
    found += _name_causes(spec.get("names") or {}) + _versions_causes(spec.get("versions") or [])
    return found + _stored_causes(obj) + _conversion_causes(spec.get("conversion") or {})


def _name_causes(names: Object) -> list[Cause]:
    found = [
        _required(f"spec.names.{name}") for name in ("plural", "singular", "kind", "listKind") if not names.get(name)
    ]
    for field in ("plural", "singular"):
        if value := names.get(field):
            found += [invalid_value(f"spec.names.{field}", value, text) for text in naming.dns_1035(value)]
    for field in ("kind", "listKind"):
        if value := names.get(field):
            mixed = "may have mixed case, but should otherwise match: "
            problems = naming.dns_1035(value.lower())
            found += [invalid_value(f"spec.names.{field}", value, mixed + text) for text in problems]
    for field in ("shortNames", "categories"):
        for index, value in enumerate(names.get(field) or ()):
            found += [invalid_value(f"spec.names.{field}[{index}]", value, text) for text in naming.dns_1035(value)]
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        text = "kind and listKind may not be the same"
        found.append(invalid_value("spec.names.listKind", names["listKind"], text))
    return found


def _as_go_has_it(versions: list[Object]) -> list[Object]:
    """The versions as the real server prints them, without what it keeps at the top of the spec."""
    absent = ("Schema", "Subresources", "AdditionalPrinterColumns", "SelectableFields")
    return [
        {
            "Name": one.get("name", ""),
            "Served": bool(one.get("served")),
            "Storage": bool(one.get("storage")),
            "Deprecated": bool(one.get("deprecated")),
            "DeprecationWarning": one.get("deprecationWarning"),
            **dict.fromkeys(absent),
        }
        for one in versions
    ]


def _versions_causes(versions: list[Object]) -> list[Cause]:
    found = []
    listed = [version.get("name", "") for version in versions]
    if len(set(listed)) != len(listed):
        found.append(invalid_value("spec.versions", _as_go_has_it(versions), "must contain unique version names"))
    if sum(bool(version.get("storage")) for version in versions) != 1:
        text = "must have exactly one version marked as storage version"
        found.append(invalid_value("spec.versions", _as_go_has_it(versions), text))
    for index, name in enumerate(listed):
        problems = naming.dns_1035(name)
        places = [f"spec.versions[{index}].name", *(["spec.version"] if index == 0 else [])]
        found += [invalid_value(place, name, text) for place in places for text in problems]
    for version, where in _places(versions, "schema", "validation"):
        if "openAPIV3Schema" not in (version.get("schema") or {}):
            found.append(_required(f"spec.versions[{versions.index(version)}].schema.openAPIV3Schema"))
        else:
            found += crd_schemas.check(version["schema"]["openAPIV3Schema"], f"{where}.openAPIV3Schema")
    for version, where in _places(versions, "additionalPrinterColumns", "additionalPrinterColumns"):
        for number, column in enumerate(version.get("additionalPrinterColumns") or ()):
            found += _column_causes(column, f"{where}[{number}]")
    for version, where in _places(versions, "subresources", "subresources"):
        found += _scale_causes((version.get("subresources") or {}).get("scale"), f"{where}.scale")
    return found


def _places(versions: list[Object], part: str, common: str) -> list[tuple[Object, str]]:
    """Versions whose part is to be checked, with its path: once and at the top when it is the same in all."""
    if versions and all(version.get(part) == versions[0].get(part) for version in versions):
        return [(versions[0], f"spec.{common}")]
    return [(version, f"spec.versions[{index}].{part}") for index, version in enumerate(versions)]


def _column_causes(column: Object, path: str) -> list[Cause]:
    found = [] if column.get("name") else [_required(f"{path}.name")]
    if not column.get("type"):
        found.append(_required(f"{path}.type"))
    elif column["type"] not in _COLUMN_TYPES:
        found.append(invalid_value(f"{path}.type", column["type"], f"must be one of {','.join(_COLUMN_TYPES)}"))
    if not (text := column.get("jsonPath")):
        found.append(_required(f"{path}.JSONPath"))
    elif not text.startswith("."):
        found.append(invalid_value(f"{path}.JSONPath", text, "must be a simple json path starting with ."))
    return found


def _scale_causes(scale: Object | None, path: str) -> list[Cause]:
    found = []
    for field, start in (("specReplicasPath", ".spec"), ("statusReplicasPath", ".status")):
        text = (scale or {}).get(field, "") if scale is not None else f"{start}.x"
        if not text:
            found.append(_required(f"{path}.{field}"))
        elif not _FIELD_PATH.fullmatch(text) or not text.startswith(f"{start}."):
            found.append(invalid_value(f"{path}.{field}", text, f"should be a json path under {start}"))
    text = (scale or {}).get("labelSelectorPath") or ""
    if text and not (_FIELD_PATH.fullmatch(text) and text.startswith((".spec.", ".status."))):
        where = f"{path}.labelSelectorPath"
        found.append(invalid_value(where, text, "should be a json path under either .spec or .status"))
    return found


def _stored_causes(obj: Object) -> list[Cause]:
    """Whether the status lists the versions in which there may be objects."""
    path, spec = "status.storedVersions", obj["spec"]
    stored = (obj.get("status") or {}).get("storedVersions") or []
    marked = [version.get("name", "") for version in spec.get("versions") or () if version.get("storage")]
    if not stored:
        return [invalid_value(path, None, "must have at least one stored version")]
    found = [
        invalid_value(path, stored, f"must have the storage version {name}") for name in marked if name not in stored
    ]
    versions = [version.get("name") for version in spec.get("versions") or ()]
    for index, name in enumerate(stored):
        if name not in versions:
            text = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in "
                f"spec.versions until a storage migration ensures no data remains persisted in {name} and removes "
                f"{name} from status.storedVersions"
            )
            found.append(invalid_value(f"{path}[{index}]", name, text))
    return found


def _conversion_causes(conversion: Object) -> list[Cause]:
    path, webhook = "spec.conversion", conversion.get("webhook") or {}
    client, versions = webhook.get("clientConfig"), webhook.get("conversionReviewVersions") or []
    parts = {"webhookClientConfig": client, "conversionReviewVersions": versions}
    if conversion.get("strategy") != "Webhook":
        text = "should not be set when strategy is not set to Webhook"
        return [_forbidden(f"{path}.{name}", text) for name, value in parts.items() if value]
    found = []
    if not client:
        found.append(_required(f"{path}.webhookClientConfig", "required when strategy is set to Webhook"))
    else:
        found += _client_causes(client, f"{path}.webhookClientConfig")
    if not versions:
        found.append(_required(f"{path}.conversionReviewVersions"))
    elif not {"v1", "v1beta1"} & set(versions):
        text = "must include at least one of v1, v1beta1"
        found.append(invalid_value(f"{path}.conversionReviewVersions", versions, text))
    return found


def _client_causes(client: Object, path: str) -> list[Cause]:
    if "service" in client:
        return [_forbidden(f"{path}.service", "this server reaches webhooks by url only")]
    scheme = urlsplit(client.get("url") or "").scheme
    if scheme == "https":
        return []
    text = "'https' is the only allowed URL scheme; desired format: https://host[/path]"
    return [invalid_value(f"{path}.url", scheme, text)]


def update_causes(new: Object, old: Object) -> list[Cause]:
    """Group, scope and names are fixed."""
    found = []
    for path in (("group",), ("scope",), ("names", "plural"), ("names", "kind")):
        before, after = old["spec"], new["spec"]
        for part in path:
            before, after = before[part], (after or {}).get(part)
        if before != after:
            found.append(invalid_value(f"spec.{'.'.join(path)}", after, "field is immutable"))
    return found


def prune(obj: Object) -> list[str]:
    """Remove what no schema has from the schemas of a CRD, and return the paths of it."""
    versions = (obj.get("spec") or {}).get("versions") or []
    where = [(version.get("schema") or {}, f"spec.versions[{index}].schema") for index, version in enumerate(versions)]
    return [
        lost
        for holder, path in where
        for lost in crd_schemas.prune(holder.get("openAPIV3Schema"), f"{path}.openAPIV3Schema")
    ]
