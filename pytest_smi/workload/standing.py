"""Policy that outlives a test, because the next one begins with the same: no wait for its end, none for its return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_smi.workload import manifests as m

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pytest_smi.spec.releases import ApiVersions
    from pytest_smi.workload.call import Call
    from pytest_smi.workload.scene import Scene

SAMPLE = 16


@dataclass(frozen=True)
class Standing:
    """What a fixture has applied (by path) and seen allowed, in these API versions: it stands for its tests."""

    fixture: str
    versions: ApiVersions
    applied: Mapping[str, dict[str, Any]]
    calls: tuple[Call, ...]

    def serves(self, fixtures: Collection[str], versions: ApiVersions) -> bool:
        """Whether a test that uses these fixtures begins with the same policy."""
        return self.fixture in fixtures and self.versions == versions

    def covers(self, call: Call) -> bool:
        """Whether the policy that stands lets an application answer the call, whatever a test has applied."""
        behind = set(call.target.workloads)
        return any(
            call.client is one.client
            and call.request.protocol == one.request.protocol
            and not behind.isdisjoint(one.target.workloads)
            for one in self.calls
        )

    def named_by(self, splits: Collection[str]) -> list[Call]:
        """Calls to Services that TrafficSplits name as their roots."""
        roots = set(splits)
        return [
            call
            for call in self.calls
            if roots & m.service_names(call.target.service_name, call.client.scene.profile.onboarding)
        ]


def is_plain(scene: Scene, call: Call) -> bool:
    """Whether a Service's own selector decides who answers: all of its workloads do, and nobody else."""
    seen = call.sample(SAMPLE)
    served = sum(seen.pods.values()) == seen.requests
    return served and {scene.holder(pod) for pod in seen.pods} == set(call.target.workloads)
