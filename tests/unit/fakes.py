"""Stand-ins for a scene: calls whose answers are written down in advance, so that waiting and judging can be tested."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

from pytest_smi.evidence import Case, Instance
from pytest_smi.mesh.schema import Settle
from pytest_smi.traffic.plan import Histogram, Observation
from pytest_smi.workload.call import Call
from pytest_smi.workload.workload import Workload

INSTANCE = Instance("TA-004", "must", "access", "Default denial", "access-v1alpha3", {}, "a statement")


class FakeCall:
    """Answers from a script: `answers(n)` says what request number n sees, `log(n)` whether it arrived."""

    def __init__(
        self,
        answers: Callable[[int], str | None],
        log: Callable[[int], bool] | None = None,
        *,
        budget: float = 0.05,
        samples: Callable[[int, int], dict[str, int]] | None = None,
    ) -> None:
        self._answers = answers
        self._log = log or (lambda number: answers(number) == "teapot-0")
        self._samples = samples
        self._arrived: dict[str, int] = {}
        self.sent = 0
        self.client = SimpleNamespace(name="kettle", scene=scene())
        self.pod: Any = SimpleNamespace(name="kettle-0", uid="kettle-0")
        self.target = SimpleNamespace(title="teapot", host="teapot")
        self.request = SimpleNamespace(protocol="http1", port=8080)
        granted: list[FakeCall] = []
        self.smi = SimpleNamespace(
            settle=Settle(seconds=budget, agree=3, attempt_seconds=0.01),
            case=Case(INSTANCE),
            changed_at=None,
            granted=granted,
            grant=granted.append,
            mesh=SimpleNamespace(
                flags="--smi-mesh=reference", check=lambda: None, profile=SimpleNamespace(name="reference")
            ),
        )

    def __str__(self) -> str:
        return "kettle -> teapot:8080 GET /"

    def send(self, count: int = 1) -> list[Observation]:
        return [self._one() for _ in range(count)]

    def _one(self) -> Observation:
        number, self.sent = self.sent, self.sent + 1
        pod = self._answers(number)
        if self._log(number):
            self._arrived[f"id-{number}"] = number
        return Observation(f"id-{number}", 200 if pod else 403, pod, None, (), "", 0.001, "", "")

    def within(self, _: float) -> FakeCall:
        return self

    def sample(self, count: int, **_: Any) -> Histogram:
        assert self._samples is not None
        pods = self._samples(self.sent, count)
        self.sent += count
        return Histogram(count, pods, {"200": sum(pods.values())}, {}, {}, 0.1)

    def arrived(self, ids: Any) -> dict[str, Any]:
        return {one: {} for one in ids if one in self._arrived}

    def served(self, seen: Observation) -> bool:
        return seen.pod == "teapot-0"

    def as_call(self) -> Call:
        return cast("Call", self)


def scene() -> SimpleNamespace:
    """A scene in which kettle was seen to reach something already."""
    return SimpleNamespace(holder=lambda pod: workload(pod[:-2]), introduced={"kettle-0"})


@dataclass(frozen=True)
class FakeWorkload:
    """A workload of which only the name matters."""

    name: str


def workload(name: str) -> Workload:
    return cast("Workload", FakeWorkload(name))
