"""Who owns the replicas of an object, as seen from its Scale, where they stand at spec.replicas, and back."""

from pytest_smi.embedded.kubeapi import fieldsets
from pytest_smi.embedded.kubeapi.fieldsets import Path
from pytest_smi.embedded.kubeapi.managed import Entry

API_VERSION = "autoscaling/v1"
_IN_SCALE: Path = ("f:spec", "f:replicas")


def path_of(replicas: str) -> Path:
    """The path of a field such as `.spec.replicas`."""
    return tuple(f"f:{part}" for part in replicas.strip(".").split("."))


def in_scale(entries: list[Entry], replicas: Path) -> list[Entry]:
    """The entries of a Scale: those that own the replicas of its object, and nothing else."""
    tree = fieldsets.to_fields_v1({_IN_SCALE})
    owners = [one for one in entries if fieldsets.contains(one.tree, replicas)]
    return [Entry(one.manager, one.operation, API_VERSION, one.subresource, one.time, tree) for one in owners]


def in_object(entries: list[Entry], scaled: list[Entry], replicas: Path, api_version: str) -> list[Entry]:
    """The entries of the object after those of its Scale have changed to `scaled`."""
    owners = {_identity(one) for one in scaled if fieldsets.contains(one.tree, _IN_SCALE)}
    for one in entries:
        if fieldsets.contains(one.tree, replicas) and _identity(one) not in owners:
            one.lose([replicas])
        owners.discard(_identity(one) if fieldsets.contains(one.tree, replicas) else ("", "", ""))
    tree = fieldsets.to_fields_v1({replicas})
    return entries + [Entry(*owner[:2], api_version, owner[2], "", tree) for owner in sorted(owners)]


def _identity(entry: Entry) -> tuple[str, str, str]:
    return entry.manager, entry.operation, entry.subresource
