"""CustomResourceDefinitions: what is refused, which names are accepted, and the resources that a CRD brings."""

import re
from collections.abc import Iterable
from typing import Any

from pytest_smi.embedded.kubeapi import crd_schemas, naming
from pytest_smi.embedded.kubeapi.kinds import Column, Resource
from pytest_smi.embedded.kubeapi.objects import now
from pytest_smi.embedded.kubeapi.status import Cause
from pytest_smi.embedded.kubeapi.values import invalid_value, unsupported_value
from pytest_smi.embedded.kubeapi.webhook import trusting

Object = dict[str, Any]

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
"""The finalizer that holds a CRD until its objects are gone."""

_COLUMN_TYPES = ["boolean", "date", "integer", "number", "string"]
_FIELD_PATH = re.compile(r"(\.[A-Za-z_][-A-Za-z0-9_]*)+")


def fill_in(obj: Object) -> None:
    """Defaults: singular and list kind from the kind, conversion strategy None."""
    spec = obj.setdefault("spec", {})
    names = spec.setdefault("names", {})
    if kind := names.get("kind"):
        names.setdefault("singular", kind.lower())
        names.setdefault("listKind", f"{kind}List")
    conversion = spec.setdefault("conversion", {"strategy": "None"})
    client = (conversion.get("webhook") or {}).get("clientConfig") or {}
    if "service" in client:
        client["service"].setdefault("port", 443)


def causes(obj: Object) -> list[Cause]:
    """What is wrong with a CRD."""
    spec = obj["spec"]
    names = spec.get("names") or {}
    found: list[Cause] = []
    wanted = f"{names.get('plural', '')}.{spec.get('group', '')}"
    if obj["metadata"].get("name") != wanted:
        text = 'must be spec.names.plural+"."+spec.group'
        found.append(invalid_value("metadata.name", obj["metadata"].get("name", ""), text))
    group = spec.get("group", "")
    found += [invalid_value("spec.group", group, text) for text in naming.dns_subdomain(group)]
    if "." not in group:
        found.append(invalid_value("spec.group", group, "should be a domain with at least one dot"))
    if spec.get("preserveUnknownFields"):
        text = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        found.append(invalid_value("spec.preserveUnknownFields", True, text))
    found += _name_causes(names) + _approval_causes(obj, group)
    return found + _versions_causes(spec.get("versions") or []) + _conversion_causes(spec.get("conversion") or {})


def _approval_causes(obj: Object, group: str) -> list[Cause]:
    if not re.search(r"(^|\.)(k8s|kubernetes)\.io$", group):
        return []
    if (obj["metadata"].get("annotations") or {}).get("api-approved.kubernetes.io"):
        return []
    path = "metadata.annotations[api-approved.kubernetes.io]"
    text = 'Required value: protected groups must have approval annotation "api-approved.kubernetes.io"'
    return [Cause("FieldValueRequired", text, path)]


def _name_causes(names: Object) -> list[Cause]:
    found = []
    for field in ("plural", "singular"):
        if value := names.get(field):
            found += [invalid_value(f"spec.names.{field}", value, text) for text in naming.dns_1035(value)]
    for field in ("kind", "listKind"):
        if value := names.get(field):
            problems = naming.dns_1035(value.lower())
            found += [invalid_value(f"spec.names.{field}", value, f"may have mixed case, but should otherwise match: "
                                    f"{text}") for text in problems]  # fmt: skip
    for field in ("shortNames", "categories"):
        for index, value in enumerate(names.get(field) or ()):
            found += [invalid_value(f"spec.names.{field}[{index}]", value, text) for text in naming.dns_1035(value)]
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        text = "kind and listKind may not be the same"
        found.append(invalid_value("spec.names.listKind", names["listKind"], text))
    return found


def _versions_causes(versions: list[Object]) -> list[Cause]:
    found = []
    listed = [version.get("name", "") for version in versions]
    if not versions:
        text = "must have at least one version"
        found.append(invalid_value("spec.versions", listed, text))
    if len(set(listed)) != len(listed):
        found.append(invalid_value("spec.versions", listed, "must contain unique version names"))
    if sum(bool(version.get("storage")) for version in versions) != 1:
        text = "must have exactly one version marked as storage version"
        found.append(invalid_value("spec.versions", listed, text))
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}]"
        name = version.get("name", "")
        found += [invalid_value(f"{path}.name", name, text) for text in naming.dns_1035(name)]
        where = f"{path}.schema.openAPIV3Schema"
        found += crd_schemas.check((version.get("schema") or {}).get("openAPIV3Schema"), where)
        for number, column in enumerate(version.get("additionalPrinterColumns") or ()):
            found += _column_causes(column, f"{path}.additionalPrinterColumns[{number}]")
        found += _scale_causes((version.get("subresources") or {}).get("scale"), f"{path}.subresources.scale")
    return found


def _column_causes(column: Object, path: str) -> list[Cause]:
    found = []
    if column.get("type") and column["type"] not in _COLUMN_TYPES:
        found.append(unsupported_value(f"{path}.type", column["type"], _COLUMN_TYPES))
    if (text := column.get("jsonPath")) and not text.startswith("."):
        found.append(invalid_value(f"{path}.jsonPath", text, "must be a simple json path starting with ."))
    return found


def _scale_causes(scale: Object | None, path: str) -> list[Cause]:
    found = []
    for field, start in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
        text = (scale or {}).get(field, start + "x")
        if not _FIELD_PATH.fullmatch(text) or not text.startswith(start):
            found.append(invalid_value(f"{path}.{field}", text, f"should be a json path under {start.rstrip('.')}"))
    return found


def _conversion_causes(conversion: Object) -> list[Cause]:
    path = "spec.conversion.webhook"
    webhook = conversion.get("webhook")
    if conversion.get("strategy") != "Webhook":
        text = "Forbidden: should not be set when strategy is not set to Webhook"
        return [Cause("FieldValueForbidden", text, path)] if webhook else []
    client = (webhook or {}).get("clientConfig")
    if not client:
        text = "Required value: required when strategy is set to Webhook"
        return [Cause("FieldValueRequired", text, f"{path}.clientConfig")]
    if "service" in client:
        text = "Forbidden: this server reaches webhooks by url only"
        return [Cause("FieldValueForbidden", text, f"{path}.clientConfig.service")]
    url = client.get("url") or ""
    if not url.startswith("https://"):
        text = "'https' is the only allowed URL scheme; desired format: https://host[/path]"
        return [invalid_value(f"{path}.clientConfig.url", url, text)]
    if "v1" not in ((webhook or {}).get("conversionReviewVersions") or ()):
        text = "must include at least one of v1"
        found = (webhook or {}).get("conversionReviewVersions") or []
        return [invalid_value(f"{path}.conversionReviewVersions", found, text)]
    try:
        trusting(client.get("caBundle") or "")
    except ValueError as error:
        return [invalid_value(f"{path}.clientConfig.caBundle", "", f"unable to load root certificates: {error}")]
    return []


def update_causes(new: Object, old: Object) -> list[Cause]:
    """Group, scope and names are fixed; versions that were stored cannot go."""
    found = []
    for path in (("group",), ("scope",), ("names", "plural"), ("names", "kind")):
        before, after = old["spec"], new["spec"]
        for part in path:
            before, after = before[part], (after or {}).get(part)
        if before != after:
            found.append(invalid_value(f"spec.{'.'.join(path)}", after, "field is immutable"))
    versions = [version["name"] for version in new["spec"].get("versions") or ()]
    for index, stored in enumerate((new.get("status") or {}).get("storedVersions") or ()):
        if stored not in versions:
            text = (
                f"missing from spec.versions; {stored} was previously a storage version, and must remain in "
                "spec.versions until a storage migration ensures no data remains persisted in "
                f"{stored} and removes {stored} from status.storedVersions"
            )
            found.append(invalid_value(f"status.storedVersions[{index}]", stored, text))
    return found


def _taken_names(obj: Object, served: Iterable[Resource]) -> tuple[str, str]:
    """The first name of the CRD that another resource of its group has already: reason and message, or empty."""
    names, own = obj["spec"]["names"], obj["spec"]["names"]["plural"]
    for resource in served:
        if resource.group != obj["spec"]["group"] or resource.plural == own:
            continue
        theirs = {resource.plural, resource.singular, *resource.short_names}
        for reason, values in (
            ("PluralConflict", [own]),
            ("SingularConflict", [names["singular"]]),
            ("ShortNamesConflict", names.get("shortNames") or []),
        ):
            if clash := sorted(theirs.intersection(values)):
                return reason, f'"{clash[0]}" is already in use'
        if names["kind"] == resource.kind:
            return "KindConflict", f'"{names["kind"]}" is already in use'
    return "", ""


def set_conditions(obj: Object, served: Iterable[Resource]) -> bool:
    """Write names, conditions and stored versions into the CRD's status; True when the CRD is established."""
    status = obj.setdefault("status", {})
    before = {condition["type"]: condition for condition in status.get("conditions") or ()}
    reason, message = _taken_names(obj, served)
    good = not reason
    wanted = [("NamesAccepted", good, reason or "NoConflicts", message or "no conflicts found")]
    text = "the initial names have been accepted" if good else "not all names are accepted"
    wanted.append(("Established", good, "InitialNamesAccepted" if good else "NotAccepted", text))
    conditions = [_condition(before.get(kind), kind, value, why, said) for kind, value, why, said in wanted]
    conditions += [item for kind, item in before.items() if kind not in ("NamesAccepted", "Established")]
    storage = next(version["name"] for version in obj["spec"]["versions"] if version.get("storage"))
    stored = list(status.get("storedVersions") or ())
    accepted = obj["spec"]["names"] if good else {"plural": "", "kind": ""}
    obj["status"] = {
        "conditions": conditions,
        "acceptedNames": accepted,
        "storedVersions": stored if storage in stored else [*stored, storage],
    }
    return good


def _condition(before: Object | None, kind: str, value: bool, reason: str, message: str) -> Object:
    made = {"type": kind, "status": str(value), "reason": reason, "message": message}
    if before and all(before.get(name) == item for name, item in made.items()):
        return before
    return {"type": kind, "status": str(value), "lastTransitionTime": now(), "reason": reason, "message": message}


def is_established(obj: Object) -> bool:
    """Whether the resources of the CRD are served."""
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return any(item["type"] == "Established" and item["status"] == "True" for item in conditions)


def terminating(obj: Object) -> None:
    """Note in the status that the objects of the CRD are being removed."""
    conditions = [item for item in obj["status"]["conditions"] if item["type"] != "Terminating"]
    text = "CustomResource deletion is in progress"
    conditions.append(_condition(None, "Terminating", True, "InstanceDeletionInProgress", text))
    obj["status"] = {**obj["status"], "conditions": conditions}


def _column(item: Object) -> Column:
    return Column(
        item["name"],
        item["type"],
        item["jsonPath"],
        item.get("format", ""),
        item.get("description", ""),
        item.get("priority", 0),
    )


def _scale_paths(scale: Object | None) -> dict[str, str] | None:
    if not scale:
        return None
    return {
        "spec": scale["specReplicasPath"],
        "status": scale["statusReplicasPath"],
        "selector": scale.get("labelSelectorPath") or "",
    }


def _deprecation(crd: Object, version: Object) -> str:
    if not version.get("deprecated"):
        return ""
    spec = crd["spec"]
    standard = f"{spec['group']}/{version['name']} {spec['names']['kind']} is deprecated"
    return version.get("deprecationWarning") or standard


def _resource(crd: Object, version: Object) -> Resource:
    spec, names = crd["spec"], crd["spec"]["names"]
    subresources = version.get("subresources") or {}
    columns = [Column("Name", "string", ".metadata.name", "name")]
    columns += [_column(item) for item in version.get("additionalPrinterColumns") or ()]
    if len(columns) == 1:
        columns.append(Column("Age", "date", ".metadata.creationTimestamp"))
    return Resource(
        group=spec["group"],
        version=version["name"],
        kind=names["kind"],
        plural=names["plural"],
        singular=names["singular"],
        namespaced=spec["scope"] == "Namespaced",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        subresources=tuple(name for name in ("status", "scale") if name in subresources),
        list_kind=names["listKind"],
        schema=(version.get("schema") or {}).get("openAPIV3Schema") or {},
        columns=tuple(columns),
        storage_version=next(item["name"] for item in spec["versions"] if item.get("storage")),
        builtin=False,
        crd=crd,
        scale=_scale_paths(subresources.get("scale")),
        selectable=tuple(field["jsonPath"] for field in version.get("selectableFields") or ()),
        warning=_deprecation(crd, version),
    )


def resources(crd: Object) -> list[Resource]:
    """The resources that an established CRD serves, one for each served version."""
    return [_resource(crd, version) for version in crd["spec"]["versions"] if version.get("served")]
