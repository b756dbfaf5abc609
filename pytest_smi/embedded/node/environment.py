"""What a container sees: environment variables, and paths of this machine for the paths of its volumes. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Object = dict[str, Any]
_REFERENCE = re.compile(r"\$(\$|\(([A-Za-z_][A-Za-z0-9_.-]*)\))")


class ConfigError(Exception):
    """The container cannot be started as specified (kubelet: CreateContainerConfigError)."""


@dataclass(frozen=True)
class Mounts:
    """Mount paths of a container and the local paths that stand for them."""

    paths: Mapping[str, str]

    def rewrite(self, text: str) -> str:
        """The text with each mount path, where a path begins with it, replaced by the local one."""
        if not self.paths:
            return text
        ordered = sorted(self.paths, key=len, reverse=True)
        pattern = r"(?<![\w./-])(" + "|".join(map(re.escape, ordered)) + r")(?![\w.-])"
        return re.sub(pattern, lambda found: self.paths[found[1]], text)


def field(pod: Object, path: str) -> str:
    """The value of a fieldRef. Raises ConfigError for one that is not supported."""
    metadata, status = pod["metadata"], pod.get("status", {})
    if found := re.fullmatch(r"metadata\.(labels|annotations)\['([^']+)'\]", path):
        return str((metadata.get(found[1]) or {}).get(found[2], ""))
    values = {
        "metadata.name": metadata.get("name"),
        "metadata.namespace": metadata.get("namespace"),
        "metadata.uid": metadata.get("uid"),
        "metadata.labels": _lines(metadata.get("labels")),
        "metadata.annotations": _lines(metadata.get("annotations")),
        "spec.nodeName": pod["spec"].get("nodeName", ""),
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName") or "default",
        "status.podIP": status.get("podIP", ""),
        "status.podIPs": status.get("podIP", ""),
        "status.hostIP": status.get("hostIP", ""),
    }
    if path not in values:
        raise ConfigError(f"fieldPath {path} is not supported by the embedded cluster")
    return str(values[path] or "")


def _lines(values: Mapping[str, str] | None) -> str:
    return "\n".join(f'{name}="{value}"' for name, value in sorted((values or {}).items()))


def references(container: Object) -> set[tuple[str, str, bool]]:
    """(kind, name, optional) of every ConfigMap and Secret that the container's environment reads."""
    found = set()
    for source in container.get("envFrom") or []:
        for part, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if part in source:
                found.add((kind, source[part]["name"], bool(source[part].get("optional"))))
    for variable in container.get("env") or []:
        for part, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            if reference := (variable.get("valueFrom") or {}).get(part):
                found.add((kind, reference["name"], bool(reference.get("optional"))))
    return found


def variables(
    container: Object, pod: Object, sources: Mapping[tuple[str, str], Mapping[str, str]], given: Mapping[str, str]
) -> dict[str, str]:
    """The environment: `given` by the node, then envFrom, then env; later ones win, `$(NAME)` is expanded in env.

    `sources` maps (kind, name) to the decoded data of ConfigMaps and Secrets. Raises ConfigError when a key is missing.
    """
    env = dict(given)
    for source in container.get("envFrom") or []:
        for part, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if part in source:
                data = sources.get((kind, source[part]["name"]), {})
                env.update({source.get("prefix", "") + name: value for name, value in data.items()})
    for variable in container.get("env") or []:
        value = _value(variable, pod, sources, env)
        if value is not None:
            env[variable["name"]] = value
    return env


def expand(text: str, env: Mapping[str, str]) -> str:
    """`$(NAME)` replaced by the variable, if there is one; `$$(NAME)` stands for itself."""

    def one(found: re.Match[str]) -> str:
        return "$" if found[2] is None else env.get(found[2], found[0])

    return _REFERENCE.sub(one, text)


def _value(
    variable: Object, pod: Object, sources: Mapping[tuple[str, str], Mapping[str, str]], env: Mapping[str, str]
) -> str | None:
    origin = variable.get("valueFrom")
    if not origin:
        return expand(variable.get("value") or "", env)
    if "fieldRef" in origin:
        return field(pod, origin["fieldRef"]["fieldPath"])
    for part, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if reference := origin.get(part):
            value = sources.get((kind, reference["name"]), {}).get(reference["key"])
            if value is None and not reference.get("optional"):
                raise ConfigError(f"couldn't find key {reference['key']} in {kind} {reference['name']}")
            return value
    raise ConfigError(f"env {variable['name']}: {', '.join(origin)} is not supported by the embedded cluster")
