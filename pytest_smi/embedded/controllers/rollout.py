"""The arithmetic of a Deployment: template hashes, surge, unavailability, how far to scale each ReplicaSet. Pure."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from typing import Any

from pytest_smi.embedded.controllers.ownership import reference_to

Object = dict[str, Any]
HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # as in real names: no vowels, hence no words


def template_hash(template: Object) -> str:
    """Ten characters that name a pod template; its own hash label does not count."""
    text = json.dumps(plain(template), sort_keys=True, separators=(",", ":"))
    number = int.from_bytes(hashlib.sha256(text.encode()).digest())
    return "".join(_ALPHABET[number // 27**place % 27] for place in range(10))


def plain(template: Object) -> Object:
    """The template without the hash label, and without the difference between an empty map and none."""
    metadata = template.get("metadata") or {}
    labels = {name: value for name, value in (metadata.get("labels") or {}).items() if name != HASH_LABEL}
    annotations = metadata.get("annotations") or {}
    return {"labels": labels, "annotations": annotations, "spec": template["spec"]}


def replicaset(deployment: Object, every: list[Object]) -> Object:
    """The ReplicaSet for the present template, with as many replicas as there is room for beside the others."""
    metadata, spec = deployment["metadata"], deployment["spec"]
    template = copy.deepcopy(spec["template"])
    name = template_hash(template)
    template.setdefault("metadata", {}).setdefault("labels", {})[HASH_LABEL] = name
    selector = copy.deepcopy(spec["selector"])
    selector.setdefault("matchLabels", {})[HASH_LABEL] = name
    room = replicas(deployment) + bounds(deployment)[0] - sum(map(replicas, every))
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{metadata['name']}-{name}",
            "namespace": metadata["namespace"],
            "labels": template["metadata"]["labels"],
            "annotations": {REVISION: str(max([0, *map(revision, every)]) + 1)},
            "ownerReferences": [reference_to(deployment)],
        },
        "spec": {
            "replicas": max(0, min(room, replicas(deployment))),
            "selector": selector,
            "template": template,
            "minReadySeconds": spec.get("minReadySeconds", 0),
        },
    }


def revision(one: Object) -> int:
    """The revision of a ReplicaSet or Deployment; 0 for none."""
    value = (one["metadata"].get("annotations") or {}).get(REVISION, "")
    return int(value) if value.isdigit() else 0


def replicas(one: Object) -> int:
    """How many replicas are asked for."""
    asked: int = one["spec"].get("replicas", 1)
    return asked


def available(one: Object) -> int:
    """How many replicas the status says are available."""
    count: int | None = one.get("status", {}).get("availableReplicas")
    return count or 0


def recreates(deployment: Object) -> bool:
    """Whether the strategy is Recreate."""
    return bool((deployment["spec"].get("strategy") or {}).get("type") == "Recreate")


def bounds(deployment: Object) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) in pods. Both default to 25 %; both zero would never move, so the latter becomes 1."""
    if recreates(deployment):
        return 0, replicas(deployment)
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    total = replicas(deployment)
    surge = _pods(rolling.get("maxSurge", "25%"), total, math.ceil)
    unavailable = _pods(rolling.get("maxUnavailable", "25%"), total, math.floor)
    return surge, (1 if surge == 0 and unavailable == 0 and total else min(unavailable, total))


def _pods(value: int | str, total: int, rounding: Any) -> int:
    if isinstance(value, int):
        return value
    return int(rounding(total * int(value.removesuffix("%")) / 100)) if value.endswith("%") else int(value)


def scale_new(deployment: Object, new: Object, every: list[Object]) -> int:
    """To how many replicas the newest ReplicaSet goes now; `every` are all ReplicaSets, it included."""
    wanted, mine = replicas(deployment), replicas(new)
    if mine >= wanted:
        return wanted
    room = wanted + bounds(deployment)[0] - sum(map(replicas, every))
    return mine + max(0, min(room, wanted - mine))


def scale_old(deployment: Object, new: Object, old: list[Object]) -> dict[str, int]:
    """To how many replicas each older ReplicaSet goes now, by name; pods that are not available go first."""
    least = replicas(deployment) - bounds(deployment)[1]
    pending = replicas(new) - min(available(new), replicas(new))
    spare = sum(map(replicas, [*old, new])) - least - pending
    sizes = {one["metadata"]["name"]: replicas(one) for one in old}
    oldest_first = sorted(old, key=lambda one: (one["metadata"].get("creationTimestamp", ""), revision(one)))
    for one in oldest_first:
        name = one["metadata"]["name"]
        gone = max(0, min(spare, sizes[name] - min(available(one), sizes[name])))
        sizes[name] -= gone
        spare -= gone
    spare = min(spare, sum(min(available(one), replicas(one)) for one in [*old, new]) - least)
    for one in oldest_first:
        name = one["metadata"]["name"]
        gone = max(0, min(spare, sizes[name]))
        sizes[name] -= gone
        spare -= gone
    return sizes
