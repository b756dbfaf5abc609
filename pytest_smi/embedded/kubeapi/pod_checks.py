"""What is wrong with a Pod or its change, beyond the shape of it."""

import re
from typing import Any

from pytest_smi.embedded.kubeapi import naming
from pytest_smi.embedded.kubeapi.pods import containers
from pytest_smi.embedded.kubeapi.schema import clone
from pytest_smi.embedded.kubeapi.services import port_range
from pytest_smi.embedded.kubeapi.status import Cause
from pytest_smi.embedded.kubeapi.values import invalid_value

Object = dict[str, Any]

_PATHS = {
    *("metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName"),
    *("status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"),
}
_KEYED_PATH = re.compile(r"metadata\.(labels|annotations)\['[^']+'\]")


def _required(path: str, detail: str = "") -> Cause:
    return Cause("FieldValueRequired", f"Required value: {detail}" if detail else "Required value", path)


def _forbidden(path: str, text: str) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {text}", path)


def _duplicate(path: str, value: str) -> Cause:
    return Cause("FieldValueDuplicate", f'Duplicate value: "{value}"', path)


def causes(obj: Object) -> list[Cause]:
    """What is wrong with a Pod."""
    return spec_causes(obj["spec"])


def spec_causes(spec: Object, path: str = "spec") -> list[Cause]:
    """What is wrong with a pod spec."""
    found = [] if spec.get("containers") else [_required(f"{path}.containers")]
    names: set[str] = set()
    for index, volume in enumerate(spec.get("volumes") or ()):
        found += _volume_causes(volume, names, f"{path}.volumes[{index}]")
    taken: set[str] = set()
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field) or ()):
            found += _container_causes(container, names, taken, f"{path}.{field}[{index}]")
    for field in ("nodeName", "serviceAccountName"):
        if value := spec.get(field):
            found += [invalid_value(f"{path}.{field}", value, text) for text in naming.dns_subdomain(value)]
    for field in ("hostname", "subdomain"):
        if value := spec.get(field):
            found += [invalid_value(f"{path}.{field}", value, text) for text in naming.dns_label(value)]
    return found + naming.label_causes(spec.get("nodeSelector") or {}, f"{path}.nodeSelector")


def _name_causes(name: str, taken: set[str], path: str) -> list[Cause]:
    """A name that is missing, no label, or taken; it is taken afterwards."""
    if not name:
        return [_required(path)]
    found = [invalid_value(path, name, text) for text in naming.dns_label(name)]
    if not found and name in taken:
        found.append(_duplicate(path, name))
    taken.add(name)
    return found


def _volume_causes(volume: Object, names: set[str], path: str) -> list[Cause]:
    found = _name_causes(volume.get("name", ""), names, f"{path}.name")
    kinds = [kind for kind in volume if kind != "name"]
    text = "may not specify more than 1 volume type"
    return found + [_forbidden(f"{path}.{kind}", text) for kind in _in_order_of_checks(kinds)[1:]]


_CHECKED = ("emptyDir", "hostPath", "secret", "nfs", "persistentVolumeClaim", "downwardAPI", "configMap", "projected")


def _in_order_of_checks(kinds: list[str]) -> list[str]:
    return sorted(kinds, key=lambda kind: _CHECKED.index(kind) if kind in _CHECKED else len(_CHECKED))


def _container_causes(container: Object, volumes: set[str], taken: set[str], path: str) -> list[Cause]:
    found = _name_causes(container.get("name", ""), taken, f"{path}.name")
    if not container.get("image"):
        found.append(_required(f"{path}.image"))
    names: set[str] = set()
    for index, port in enumerate(container.get("ports") or ()):
        found += _port_causes(port, names, f"{path}.ports[{index}]")
    for index, variable in enumerate(container.get("env") or ()):
        found += _variable_causes(variable, f"{path}.env[{index}]")
    places: set[str] = set()
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        found += _mount_causes(mount, volumes, places, f"{path}.volumeMounts[{index}]")
    return found


def _port_causes(port: Object, names: set[str], path: str) -> list[Cause]:
    found, name, number = [], port.get("name", ""), port.get("containerPort", 0)
    if name:
        wrong = [invalid_value(f"{path}.name", name, text) for text in naming.port_name(name)]
        found += wrong or ([_duplicate(f"{path}.name", name)] if name in names else [])
        names.add(name)
    found += port_range(number, f"{path}.containerPort") if number else [_required(f"{path}.containerPort")]
    if host := port.get("hostPort"):
        found += port_range(host, f"{path}.hostPort")
    return found


def _variable_causes(variable: Object, path: str) -> list[Cause]:
    found = [] if variable.get("name") else [_required(f"{path}.name")]
    source = variable.get("valueFrom")
    if source is None:
        return found
    where = f"{path}.valueFrom"
    if variable.get("value"):
        return [*found, invalid_value(where, "", "may not be specified when `value` is not empty")]
    kinds = [kind for kind, content in source.items() if content is not None]
    if not kinds:
        text = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        found.append(invalid_value(where, "", text))
    if len(kinds) > 1:
        found.append(invalid_value(where, "", "may not have more than one field specified at a time"))
    if reference := source.get("fieldRef"):
        found += _field_causes(reference.get("fieldPath", ""), f"{where}.fieldRef.fieldPath")
    return found


def _field_causes(field: str, path: str) -> list[Cause]:
    if not field:
        return [_required(path)]
    if field in _PATHS or _KEYED_PATH.fullmatch(field):
        return []
    return [invalid_value(path, field, f"error converting fieldPath: field label not supported: {field}")]


def _mount_causes(mount: Object, volumes: set[str], places: set[str], path: str) -> list[Cause]:
    found, name, place = [], mount.get("name", ""), mount.get("mountPath", "")
    if not name:
        found.append(_required(f"{path}.name"))
    elif name not in volumes:
        found.append(Cause("FieldValueNotFound", f'Not found: "{name}"', f"{path}.name"))
    if not place:
        found.append(_required(f"{path}.mountPath"))
    elif place in places:
        found.append(invalid_value(f"{path}.mountPath", place, "must be unique"))
    places.add(place)
    return found


_FROZEN = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def _without_changeable(obj: Object) -> Object:
    spec: Object = clone(obj.get("spec") or {})
    for field in ("activeDeadlineSeconds", "tolerations"):
        spec.pop(field, None)
    for container in containers(spec):
        container.pop("image", None)
    return spec


def update_causes(new: Object, old: Object) -> list[Cause]:
    """Of a pod's spec only images, the deadline and, by addition, tolerations may change."""
    after, before = new["spec"], old.get("spec") or {}
    for field, what in (("containers", "containers"), ("initContainers", "init containers")):
        if len(after.get(field) or ()) != len(before.get(field) or ()):
            return [_forbidden(f"spec.{field}", f"pod updates may not add or remove {what}")]
    found = _deadline_causes(after.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds"))
    if any(one not in (after.get("tolerations") or ()) for one in before.get("tolerations") or ()):
        text = "existing toleration can not be modified except its tolerationSeconds"
        found.append(_forbidden("spec.tolerations", text))
    if _without_changeable(new) != _without_changeable(old):
        found.append(_forbidden("spec", _FROZEN))
    return found


def _deadline_causes(after: int | None, before: int | None) -> list[Cause]:
    if after == before:
        return []
    path = "spec.activeDeadlineSeconds"
    if after is None:
        return [invalid_value(path, None, "must not update from a positive integer to nil value")]
    if not 0 < after < 1 << 31:
        return [invalid_value(path, after, "must be between 1 and 2147483647, inclusive")]
    if before is not None and after > before:
        return [invalid_value(path, after, "must be less than or equal to previous value")]
    return []
