"""CustomResourceDefinitions: their defaults, and the resources that a CRD brings."""

from typing import Any

from pytest_smi.embedded.kubeapi.kinds import Column, Resource, version_order

Object = dict[str, Any]


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


def start(obj: Object) -> None:
    """The status of a new CRD: no name is accepted yet."""
    stored = storage_version(obj)
    obj["status"] = {"acceptedNames": {}, "storedVersions": [stored] if stored else []}


def carry(new: Object, old: Object) -> None:
    """A version in which objects are stored from now on is noted as such."""
    status, stored = new.get("status") or {}, storage_version(new)
    before = status.get("storedVersions") or []
    if stored and stored not in before:
        new["status"] = {**status, "storedVersions": [*before, stored]}


def storage_version(obj: Object) -> str:
    """The name of the version in which objects are stored; empty when there is none."""
    found: str = next((one["name"] for one in obj["spec"].get("versions") or () if one.get("storage")), "")
    return found


def _column(item: Object) -> Column:
    return Column(
        item["name"],
        item["type"],
        item["jsonPath"],
        item.get("format", ""),
        item.get("description") or f"Custom resource definition column (in JSONPath format): {item['jsonPath']}",
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
    """What every user of a deprecated version is told: by default, which version to use instead."""
    if not version.get("deprecated"):
        return ""
    if version.get("deprecationWarning"):
        return str(version["deprecationWarning"])
    spec, kind = crd["spec"], crd["spec"]["names"]["kind"]
    text = f"{spec['group']}/{version['name']} {kind} is deprecated"
    better = [
        one["name"]
        for one in spec["versions"]
        if one.get("served")
        and not one.get("deprecated")
        and version_order(one["name"]) < version_order(version["name"])
    ]
    return f"{text}; use {spec['group']}/{min(better, key=version_order)} {kind}" if better else text


def _resource(crd: Object, version: Object) -> Resource:
    spec, names = crd["spec"], crd["spec"]["names"]
    subresources = version.get("subresources") or {}
    columns = [Column("Name", "string", ".metadata.name", "name")]
    columns += [_column(item) for item in version.get("additionalPrinterColumns") or ()]
    if len(columns) == 1:
        columns.append(_column({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}))
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
        storage_version=storage_version(crd),
        builtin=False,
        crd=crd,
        scale=_scale_paths(subresources.get("scale")),
        selectable=tuple(field["jsonPath"] for field in version.get("selectableFields") or ()),
        warning=_deprecation(crd, version),
    )


def resources(crd: Object) -> list[Resource]:
    """The resources that an established CRD serves, one for each served version."""
    return [_resource(crd, version) for version in crd["spec"]["versions"] if version.get("served")]
