"""Volumes as directories: ConfigMaps, Secrets, pod fields and empty directories, laid out in a pod's state folder.

A volume has the content that its sources have when the pod starts; later changes do not reach it.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.node.environment import ConfigError, Mounts, field

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Object = dict[str, Any]
_KINDS = {"configMap": "ConfigMap", "secret": "Secret"}
_NAMES = {"configMap": "name", "secret": "secretName"}


def data_of(source: Object) -> dict[str, bytes]:
    """The files of a ConfigMap or Secret."""
    if source["kind"] == "Secret":
        return {key: base64.b64decode(value) for key, value in (source.get("data") or {}).items()}
    files = {key: value.encode() for key, value in (source.get("data") or {}).items()}
    return files | {key: base64.b64decode(value) for key, value in (source.get("binaryData") or {}).items()}


def references(pod: Object) -> set[tuple[str, str, bool]]:
    """(kind, name, optional) of every ConfigMap and Secret that the pod's volumes need.

    Raises ConfigError for a kind of volume that the embedded cluster does not have.
    """
    found = set()
    for volume in pod["spec"].get("volumes") or []:
        for source in _parts(volume):
            for part, kind in _KINDS.items():
                if one := source.get(part):
                    name = one.get("name") or one.get(_NAMES[part])
                    found.add((kind, name, bool(one.get("optional"))))
    return found


def materialise(pod: Object, sources: Mapping[tuple[str, str], Mapping[str, bytes]], folder: Path) -> None:
    """Writes all volumes of the pod below `folder`, one directory each."""
    for volume in pod["spec"].get("volumes") or []:
        home = folder / volume["name"]
        home.mkdir(parents=True, exist_ok=True)
        for source in _parts(volume):
            for path, content in _files(source, pod, sources):
                target = home / path
                if not target.resolve().is_relative_to(home.resolve()):
                    raise ConfigError(f"volume {volume['name']}: path {path} leaves the volume")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)


def mounts(container: Object, folder: Path) -> Mounts:
    """Where the container's mount paths are on this machine. Raises ConfigError for a mount of an unknown volume."""
    paths = {}
    for mount in container.get("volumeMounts") or []:
        home = folder / mount["name"]
        if not home.is_dir():
            raise ConfigError(f"volumeMount {mount['name']} of container {container['name']} names no volume")
        local = home / (mount.get("subPath") or "")
        if mount.get("subPath") and not local.exists():
            local.mkdir(parents=True)
        paths[mount["mountPath"].rstrip("/") or "/"] = str(local)
    if "/" in paths:
        raise ConfigError(f"container {container['name']}: a volume cannot be mounted at / in the embedded cluster")
    return Mounts(paths)


def _parts(volume: Object) -> list[Object]:
    if "projected" in volume:
        parts = volume["projected"].get("sources") or []
        # Tokens of ServiceAccounts have no use here: no pod is given a way to the API server.
        parts = [part for part in parts if "serviceAccountToken" not in part]
    else:
        parts = [{kind: content for kind, content in volume.items() if kind != "name"}]
    for part in parts:
        if unknown := set(part) - {"configMap", "secret", "downwardAPI", "emptyDir"}:
            what = ", ".join(sorted(unknown))
            raise ConfigError(f"volume {volume['name']}: {what} is not supported by the embedded cluster")
    return parts


def _files(
    source: Object, pod: Object, sources: Mapping[tuple[str, str], Mapping[str, bytes]]
) -> list[tuple[str, bytes]]:
    if "downwardAPI" in source:
        items = source["downwardAPI"].get("items") or []
        return [(one["path"], field(pod, one["fieldRef"]["fieldPath"]).encode()) for one in items]
    for part, kind in _KINDS.items():
        if one := source.get(part):
            name = one.get("name") or one.get(_NAMES[part])
            data = sources.get((kind, name), {})
            if not one.get("items"):
                return list(data.items())
            return [(item["path"], _entry(data, item["key"], f"{kind} {name}", one)) for item in one["items"]]
    return []


def _entry(data: Mapping[str, bytes], key: str, where: str, source: Object) -> bytes:
    if key not in data and not source.get("optional"):
        raise ConfigError(f"{where} has no key {key}")
    return data.get(key, b"")
