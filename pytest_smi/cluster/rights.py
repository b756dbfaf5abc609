"""What a run may do in a cluster, and why: the one table from which its role is made. Pure.

For a run against a mesh that is there already. What is not in here a run does not do.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_smi.cluster import lease
from pytest_smi.spec.kinds import KINDS, group

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NAME = "pytest-smi"
_RBAC = "rbac.authorization.k8s.io"
_LEASES = "coordination.k8s.io"
_CRDS = "apiextensions.k8s.io"


@dataclass(frozen=True)
class Right:
    """Verbs on resources of one API group (with `names`, on these objects only), and what a run needs them for.

    One that is not `needed` serves only to say more when something goes wrong, or to tidy up after it.
    """

    verbs: tuple[str, ...]
    group: str
    resources: tuple[str, ...]
    why: str
    names: tuple[str, ...] = ()
    needed: bool = True

    def rule(self) -> dict[str, list[str]]:
        """The rule of a role that gives it."""
        rule = {"apiGroups": [self.group], "resources": list(self.resources), "verbs": list(self.verbs)}
        return {**rule, "resourceNames": list(self.names)} if self.names else rule


_EVERYTHING = ("create", "get", "list", "watch", "patch", "update", "delete")


def _of_area(area: str, why: str) -> Right:
    kinds = tuple(kind.plural for kind in KINDS.values() if kind.area == area)
    return Right(_EVERYTHING, group(area), kinds, why)


RIGHTS = (
    Right(
        ("create", "get", "delete"), "", ("namespaces",), "two namespaces for each process of a run, gone at its end"
    ),
    Right(("create",), _LEASES, ("leases",), "the sign that the run is alive, which pytest-smi clean heeds"),
    Right(("get", "patch"), _LEASES, ("leases",), "to renew it", (lease.NAME,)),
    Right(("create",), "", ("configmaps",), "the sample application's code, which is mounted into its pods"),
    Right(("patch",), "", ("configmaps",), "to apply it", ("sample-app",)),
    Right(("create", "patch"), "", ("serviceaccounts",), "identities for the pods that call and are called"),
    Right(("create", "patch", "get", "delete"), "", ("services",), "names and addresses by which pods call each other"),
    Right(("create", "patch", "get", "delete"), "apps", ("deployments",), "the pods of the sample application"),
    Right(("list",), "", ("pods",), "to see when those pods are ready, and their addresses"),
    Right(
        ("get", "create"), "", ("pods/portforward",), "the control side of those pods (newer API servers ask for both)"
    ),
    Right(("list",), "", ("nodes",), "what the results say of the cluster; to name a node that is not ready"),
    Right(("get",), _CRDS, ("customresourcedefinitions",), "what the mesh's SMI kinds take, in which versions"),
    _of_area("access", "the policies under test"),
    _of_area("specs", "the routes under test"),
    _of_area("split", "the splits under test"),
    Right(("get", "list"), group("metrics"), ("*",), "the metrics under test, where the mesh has them", needed=False),
    Right(("get",), "", ("pods/log",), "the last words of a pod that does not become ready", needed=False),
    Right(("list",), "", ("namespaces",), "to remove what a worker that was killed has left", needed=False),
)


def manifests(
    namespace: str, account: str = NAME, rights: Iterable[Right] = RIGHTS, *, role: str = NAME
) -> list[dict[str, Any]]:
    """ServiceAccount, ClusterRole with these rights, and the binding of the two. The namespace must be there.

    They carry no label of a run: `pytest-smi clean` leaves them alone.
    """
    labels = {"app.kubernetes.io/name": NAME}
    subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    reference = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role}
    kind = {"apiVersion": f"{_RBAC}/v1", "metadata": {"name": role, "labels": labels}}
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": account, "namespace": namespace, "labels": labels},
        },
        {**kind, "kind": "ClusterRole", "rules": [right.rule() for right in rights]},
        {**kind, "kind": "ClusterRoleBinding", "roleRef": reference, "subjects": [subject]},
    ]


def as_yaml(namespace: str, account: str = NAME, rights: Sequence[Right] = RIGHTS) -> str:
    """The same as YAML for people, with the reason beside each rule."""
    documents = []
    for manifest in manifests(namespace, account, rights):
        lines = []
        for key, value in manifest.items():
            if key == "rules":
                lines.append("rules:")
                lines += [line for right in rights for line in _lines(right)]
            else:
                lines.append(f"{key}: {json.dumps(value)}")
        documents.append("\n".join(lines))
    return "\n---\n".join(documents) + "\n"


def _lines(right: Right) -> list[str]:
    note = "" if right.needed else " (may be left out)"
    return [f"  # {right.why}{note}", f"  - {json.dumps(right.rule())}"]
