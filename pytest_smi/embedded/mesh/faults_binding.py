"""Faults about IdentityBindings, and about the kinds of subjects that a TrafficTarget may name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.mesh.fault import EVERYTHING, fault
from pytest_smi.embedded.mesh.faults_structure import changed
from pytest_smi.embedded.mesh.model import ANYONE, Principal, spiffe_id
from pytest_smi.embedded.mesh.semantics import Semantics
from pytest_smi.embedded.mesh.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_smi.embedded.mesh.model import Pod
    from pytest_smi.embedded.mesh.snapshot import Manifest

_BINDING = "IdentityBinding"
_BINDINGS = frozenset({"TA-15", "TA-16", "TA-17"})


class _Schemes(Semantics):
    """Reads the schemes of bindings otherwise."""

    def schemes(self, snapshot: Snapshot, subject: Manifest, namespace: str) -> dict[str, Any]:
        return self.read(super().schemes(snapshot, subject, namespace))

    def read(self, schemes: dict[str, Any]) -> dict[str, Any]:
        """The schemes as it takes them."""
        raise NotImplementedError


@fault(
    "binding-account-ignored",
    "The ServiceAccount of a binding is ignored",
    kills={"TA-150", "TA-163"},
    may_touch=_BINDINGS,
)
class _NoAccount(_Schemes):
    def read(self, schemes: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in schemes.items() if name != "serviceAccount"}


@fault(
    "binding-first-label-only",
    "Of the labels of a binding only the first must be there",
    kills={"TA-151"},
    may_touch=_BINDINGS,
)
class _FirstLabel(_Schemes):
    def read(self, schemes: dict[str, Any]) -> dict[str, Any]:
        labels = (schemes.get("podLabelSelector") or {}).get("matchLabels") or {}
        first = dict(sorted(labels.items())[:1])
        return {**schemes, "podLabelSelector": {"matchLabels": first}} if labels else schemes


@fault(
    "binding-spiffe-ignored",
    "The SPIFFE ids of a binding are ignored",
    kills={"TA-152", "TA-153"},
    may_touch=_BINDINGS,
)
class _NoSpiffe(_Schemes):
    def read(self, schemes: dict[str, Any]) -> dict[str, Any]:
        return {**schemes, "spiffeIdentities": []}


@fault(
    "binding-first-spiffe-only",
    "Of several SPIFFE ids of a binding only the first counts",
    kills={"TA-154"},
    may_touch=_BINDINGS,
)
class _FirstSpiffe(_Schemes):
    def read(self, schemes: dict[str, Any]) -> dict[str, Any]:
        return {**schemes, "spiffeIdentities": (schemes.get("spiffeIdentities") or [])[:1]}


@fault(
    "schemes-must-all-hold",
    "A pod is bound only if every scheme of the binding names it",
    kills={"TA-153"},
    may_touch={"TA-155", "TA-157"},
)
class _AllSchemes(Semantics):
    def principals(
        self, snapshot: Snapshot, subject: Manifest, namespace: str, pods: Sequence[Pod]
    ) -> Iterator[Principal]:
        schemes = self.schemes(snapshot, subject, namespace)
        if len(schemes) < 2:
            yield from super().principals(snapshot, subject, namespace, pods)
            return
        own = [pod for pod in pods if pod.namespace == namespace]
        yield from (Principal("dns", pod.dns_name) for pod in own if self._all(schemes, pod))

    def _all(self, schemes: Mapping[str, Any], pod: Pod) -> bool:
        ids = [self.spiffe(text) for text in schemes.get("spiffeIdentities") or ()]
        labels = (schemes.get("podLabelSelector") or {}).get("matchLabels") or {}
        return (
            schemes.get("serviceAccount", pod.account) == pod.account
            and (not ids or spiffe_id(pod.namespace, pod.account) in ids)
            and labels.items() <= pod.labels.items()
        )


@fault(
    "binding-of-both-stops-the-mesh",
    "The CRD takes bindings with labels and a ServiceAccount, and while there is one no change is followed",
    kills={"TA-155"},
    may_touch={"API-027", "TA-16"},
)
class _BothStop(Semantics):
    def __init__(self) -> None:
        super().__init__()
        self._last = Snapshot()

    def crds(self, crds: list[dict[str, Any]]) -> list[dict[str, Any]]:
        def loosen(properties: dict[str, Any], _version: str) -> None:
            del properties["spec"]["properties"]["schemes"]["not"]

        return changed(super().crds(crds), _BINDING, loosen)

    def view(self, snapshot: Snapshot) -> Snapshot:
        schemes = [(one.get("spec") or {}).get("schemes") or {} for one in snapshot.all(_BINDING)]
        if not any({"podLabelSelector", "serviceAccount"} <= one.keys() for one in schemes):
            self._last = Snapshot({kind: dict(objects) for kind, objects in snapshot.objects.items()})
        return super().view(self._last)


@fault(
    "binding-account-of-any-namespace",
    "A binding as destination stands for the pods of its ServiceAccount in every namespace",
    kills={"TA-156"},
    may_touch=_BINDINGS,
)
class _AccountAnywhere(Semantics):
    def holds(self, snapshot: Snapshot, subject: Manifest, namespace: str, pod: Pod) -> bool:
        account = self.schemes(snapshot, subject, namespace).get("serviceAccount")
        return account == pod.account or super().holds(snapshot, subject, namespace, pod)


@fault(
    "spiffe-of-any-namespace",
    "A SPIFFE id in a binding counts although it is of another namespace",
    kills={"TA-157"},
    may_touch=_BINDINGS,
)
class _SpiffeAnywhere(Semantics):
    def principals(
        self, snapshot: Snapshot, subject: Manifest, namespace: str, pods: Sequence[Pod]
    ) -> Iterator[Principal]:
        yield from super().principals(snapshot, subject, namespace, pods)
        for text in self.schemes(snapshot, subject, namespace).get("spiffeIdentities") or ():
            yield Principal("uri", self.spiffe(text))


@fault(
    "unreadable-spiffe-means-anyone",
    "A SPIFFE id that is none lets everybody in",
    kills={"TA-167"},
    may_touch=_BINDINGS,
)
class _UnreadableSpiffe(Semantics):
    def principals(
        self, snapshot: Snapshot, subject: Manifest, namespace: str, pods: Sequence[Pod]
    ) -> Iterator[Principal]:
        yield from super().principals(snapshot, subject, namespace, pods)
        ids = self.schemes(snapshot, subject, namespace).get("spiffeIdentities") or ()
        if any(len(self.spiffe(text).split("/")) < 4 for text in ids):
            yield ANYONE


@fault(
    "binding-no-destination",
    "A binding as destination is not understood",
    kills={"TA-159"},
    may_touch=_BINDINGS,
)
class _NoDestination(Semantics):
    def holds(self, snapshot: Snapshot, subject: Manifest, namespace: str, pod: Pod) -> bool:
        return subject.get("kind") != _BINDING and super().holds(snapshot, subject, namespace, pod)


@fault("binding-no-source", "A binding as source is not understood", kills={"TA-160"}, may_touch=_BINDINGS)
class _NoSource(Semantics):
    def principals(
        self, snapshot: Snapshot, subject: Manifest, namespace: str, pods: Sequence[Pod]
    ) -> Iterator[Principal]:
        if subject.get("kind") != _BINDING:
            yield from super().principals(snapshot, subject, namespace, pods)


@fault(
    "only-bindings-are-subjects",
    "ServiceAccounts are no subjects any more",
    kills={"TA-161"},
    may_touch=EVERYTHING,
)
class _OnlyBindings(Semantics):
    def principals(
        self, snapshot: Snapshot, subject: Manifest, namespace: str, pods: Sequence[Pod]
    ) -> Iterator[Principal]:
        if subject.get("kind") == _BINDING:
            yield from super().principals(snapshot, subject, namespace, pods)


@fault(
    "first-kind-of-source-only",
    "Of sources of several kinds only those of the first one's kind count",
    kills={"TA-162"},
    may_touch=_BINDINGS,
)
class _FirstKind(Semantics):
    def sources(self, snapshot: Snapshot, target: Manifest, pods: Sequence[Pod]) -> frozenset[Principal]:
        named = target["spec"].get("sources") or []
        alike = [one for one in named if one.get("kind") == named[0].get("kind")]
        return super().sources(snapshot, {**target, "spec": {**target["spec"], "sources": alike}}, pods)


@fault(
    "missing-binding-means-anyone",
    "A source that is a binding which does not exist lets everybody in",
    kills={"TA-163"},
    may_touch=_BINDINGS,
)
class _MissingBinding(Semantics):
    def principals(
        self, snapshot: Snapshot, subject: Manifest, namespace: str, pods: Sequence[Pod]
    ) -> Iterator[Principal]:
        yield from super().principals(snapshot, subject, namespace, pods)
        if subject.get("kind") == _BINDING and snapshot.get(_BINDING, namespace, subject["name"]) is None:
            yield ANYONE


@fault(
    "one-binding-of-a-name",
    "Of bindings of one name in several namespaces only one counts",
    kills={"TA-170"},
    may_touch=_BINDINGS,
)
class _OneOfAName(Semantics):
    def schemes(self, snapshot: Snapshot, subject: Manifest, namespace: str) -> dict[str, Any]:
        alike = [one for one in snapshot.all(_BINDING) if one["metadata"]["name"] == subject.get("name")]
        if alike and alike[0]["metadata"]["namespace"] != namespace:
            return {}
        return super().schemes(snapshot, subject, namespace)


@fault(
    "one-binding-of-a-pod",
    "A pod belongs to one binding alone, the first by name",
    kills={"TA-171"},
    may_touch=_BINDINGS,
)
class _OneOfAPod(Semantics):
    def holds(self, snapshot: Snapshot, subject: Manifest, namespace: str, pod: Pod) -> bool:
        if subject.get("kind") != _BINDING:
            return super().holds(snapshot, subject, namespace, pod)
        own = [one["metadata"]["name"] for one in snapshot.all(_BINDING) if one["metadata"]["namespace"] == namespace]
        subjects = [{"kind": _BINDING, "name": name} for name in sorted(own)]
        first = next((one for one in subjects if super(_OneOfAPod, self).holds(snapshot, one, namespace, pod)), None)
        return first is not None and first["name"] == subject.get("name")
