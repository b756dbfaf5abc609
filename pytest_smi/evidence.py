"""What a verdict rests on: one `Case` per requirement instance, filled while its test runs.

A leaf module of plain data, so that every layer may add to it and the report may read it. All values are JSON types
once `Case.as_dict` has run; times are seconds, `at` is seconds since the case began.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


class Verdict(StrEnum):
    """What is decided of one requirement instance (DESIGN: verdicts and exit)."""

    PASS = "pass"
    FAIL = "fail"
    ERROR = "error"
    UNSUPPORTED = "unsupported"
    KNOWN_FAILURE = "known-failure"
    OBSERVATION = "observation"
    DISABLED = "disabled"


UNSUPPORTED = "unsupported: "


def unsupported(feature: str, why: str) -> str:
    """The skip reason that makes a test *unsupported*, e.g. `unsupported: udp: the profile declares it absent`."""
    return f"{UNSUPPORTED}{feature}: {why}"


@dataclass(frozen=True)
class Instance:
    """A requirement in one API version: the unit of judgement, one collected pytest item.

    `key` is unique in a run, e.g. `TS-004[split-v1alpha2]`; `versions` maps each API group's area
    (`access`, `specs`, `split`, `metrics`) to the API version the test writes. `kind` is set where the requirement is
    about one kind's API (area `api`). `provisional`: the test is new, and does not count against a mesh yet.
    `unsupported` says why the mesh's profile rules the instance out, or is None.
    """

    requirement: str
    level: str
    area: str
    group: str
    api: str
    versions: dict[str, str]
    statement: str
    kind: str | None = None
    unsupported: str | None = None
    provisional: bool = False

    @property
    def key(self) -> str:
        """Requirement id and API version, e.g. `TA-004[access-v1alpha3]`."""
        return f"{self.requirement}[{self.api}]"


@dataclass
class Step:
    """One stage of a test (apply, settle, observe, judge, clean up): when it began, how long it took, what came."""

    kind: str
    title: str
    at: float
    seconds: float = 0.0
    details: dict[str, Any] = field(default_factory=dict)
    ok: bool = True


@dataclass
class Case:
    """Everything recorded while one instance is judged.

    `manifests` are objects as applied; `steps` hold counts, samples and error shapes in their `details`;
    `convergence` is the longest time in seconds from a change to the behaviour that was waited for;
    `observations` answer `open` requirements (name -> what was seen). `on_step`, when given, is entered around each
    step while it runs (a live report); the step is complete when it is left.
    """

    instance: Instance
    started: float = field(default_factory=time.monotonic)
    manifests: list[dict[str, Any]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    observations: dict[str, Any] = field(default_factory=dict)
    convergence: float | None = None
    on_step: Callable[[Step], AbstractContextManager[object]] | None = field(default=None, repr=False, compare=False)

    @contextmanager
    def step(self, kind: str, title: str, **details: Any) -> Iterator[Step]:
        """Record a stage around a `with` block; a raised exception marks it as not ok and passes through."""
        step = Step(kind, title, round(time.monotonic() - self.started, 6), details=dict(details))
        self.steps.append(step)
        with self.on_step(step) if self.on_step else nullcontext():
            try:
                yield step
            except BaseException:
                step.ok = False
                raise
            finally:
                step.seconds = round(time.monotonic() - self.started - step.at, 6)

    def converged(self, seconds: float) -> None:
        """Keep the longest time to converge, in seconds."""
        self.convergence = round(max(seconds, self.convergence or 0.0), 6)

    def as_dict(self) -> dict[str, Any]:
        """The evidence as JSON types, in the shape of `results.json` (`instances[].evidence`)."""
        return {
            "manifests": self.manifests,
            "steps": [asdict(step) for step in self.steps],
            "observations": self.observations,
        }
