"""What is decided of one instance, from what its phases came to. Pure: no pytest, no I/O.

The rules (DESIGN: verdicts and exit), strongest first:

* `NonConformance` in the call phase is the only way to *fail*, and it stands even when the clean-up fails later.
* A requirement that is not binding never fails: what a violation of `should` or `may` is, or of one whose test is still
  provisional, or anything seen of `open`, is an *observation*.
* A declared known failure that fails is *known-failure*; one that passes is *fail*, so that the list cannot go stale.
* Everything else that went wrong, in any phase, is *error*: it says nothing about the mesh.
* A skip that names a feature is *unsupported*; any other skip is *disabled*.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pytest_smi.errors import HarnessError, NonConformance
from pytest_smi.evidence import UNSUPPORTED, Case, Instance, Verdict
from pytest_smi.report.plain import plain, text
from pytest_smi.report.redact import without_secrets

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = Literal["passed", "nonconformance", "harness", "other", "unsupported", "skipped", "crash"]

#: Levels whose violation counts against the mesh; `implied` and `api` follow from the text as firmly as `must`.
BINDING = frozenset({"must", "implied", "api"})

_IDENTITY = ("requirement", "level", "area", "group", "api", "versions", "statement", "provisional")
_BROKEN: frozenset[Kind] = frozenset({"harness", "other", "crash"})
_SKIPS: dict[Kind, Verdict] = {"unsupported": Verdict.UNSUPPORTED, "skipped": Verdict.DISABLED}
_LONGEST_MESSAGE = 20_000


@dataclass(frozen=True)
class Known:
    """A failure that is known: the link to its issue, and a word on it."""

    issue: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.issue} ({self.reason})" if self.reason else self.issue


@dataclass(frozen=True)
class Phase:
    """One phase of a test: `when` is setup, call, teardown or `???` (worker gone); `seconds` is how long it took."""

    when: str
    kind: Kind
    message: str = ""
    exception: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Result:
    """The judgement of one instance: an entry of `instances` in results.json."""

    instance: Instance
    nodeid: str
    verdict: Verdict
    message: str = ""
    exception: str | None = None
    feature: str | None = None
    issue: str | None = None
    seconds: float = 0.0
    convergence_seconds: float | None = None
    phases: list[dict[str, Any]] = field(default_factory=list)
    evidence: dict[str, Any] = field(default_factory=lambda: {"manifests": [], "steps": [], "observations": {}})

    def as_dict(self) -> dict[str, Any]:
        """The entry as JSON types, in the documented order."""
        own = {name: plain(getattr(self, name)) for name in self.__dataclass_fields__ if name != "instance"}
        return {"key": self.instance.key, **instance_dict(self.instance), **own}

    @classmethod
    def from_dict(cls, entry: dict[str, Any]) -> Result:
        """The inverse of `as_dict`."""
        instance = Instance(**{name: entry[name] for name in _IDENTITY})
        own = {name: entry[name] for name in cls.__dataclass_fields__ if name != "instance"}
        return cls(instance=instance, **{**own, "verdict": Verdict(entry["verdict"])})


def instance_dict(instance: Instance) -> dict[str, Any]:
    """What identifies an instance in reports, as JSON types (not how it is made into a test)."""
    return {name: plain(getattr(instance, name)) for name in _IDENTITY}


def feature_of(reason: str) -> str | None:
    """The feature that a skip reason names, or None when it is not of the form `evidence.unsupported` writes."""
    feature, colon, _ = reason.removeprefix(UNSUPPORTED).partition(": ")
    return feature if reason.startswith(UNSUPPORTED) and colon and feature.strip() else None


def phase_of(when: str, exception: BaseException | None, *, skip: str | None = None, seconds: float = 0.0) -> Phase:
    """The phase that ended with this exception (None: it passed), or was skipped for the reason `skip`."""
    if skip is not None:
        return Phase(when, "unsupported" if feature_of(skip) else "skipped", skip, seconds=seconds)
    if exception is None:
        return Phase(when, "passed", seconds=seconds)
    kind: Kind = "other"
    if isinstance(exception, NonConformance):
        kind = "nonconformance" if when == "call" else "other"
    elif isinstance(exception, HarnessError):
        kind = "harness"
    return Phase(when, kind, message_of(exception), type(exception).__name__, seconds)


def message_of(exception: BaseException) -> str:
    """What a person needs to read of an exception; our own speak for themselves, others are named by their type."""
    words = text(exception).strip()
    if not isinstance(exception, (NonConformance, HarnessError)) or not words:
        words = f"{type(exception).__name__}: {words}" if words else type(exception).__name__
    if isinstance(exception, BaseExceptionGroup):
        words = "\n".join([words, *(f"- {message_of(one)}" for one in exception.exceptions)])
    return words if len(words) <= _LONGEST_MESSAGE else f"{words[:_LONGEST_MESSAGE]} … (cut)"


def verdict_of(level: str, phases: Sequence[Phase], known: bool = False, provisional: bool = False) -> Verdict:
    """The verdict by the rules above; a test of which no call and no skip was seen is an error."""
    kinds = {phase.kind for phase in phases}
    binding = level in BINDING and not provisional
    if "nonconformance" in kinds and binding and not known:
        return Verdict.FAIL
    if kinds & _BROKEN:
        return Verdict.ERROR
    if "nonconformance" in kinds:
        return Verdict.KNOWN_FAILURE if binding else Verdict.OBSERVATION
    skip = next((phase.kind for phase in phases if phase.kind in _SKIPS), None)
    if skip is not None:
        return _SKIPS[skip]
    if not any(phase.when == "call" for phase in phases):
        return Verdict.ERROR
    if binding:
        return Verdict.FAIL if known else Verdict.PASS
    return Verdict.PASS if level in BINDING | {"should", "may"} else Verdict.OBSERVATION


def result_of(case: Case, nodeid: str, phases: Sequence[Phase], known: Known | None = None) -> Result:
    """The judgement of a test whose phases are all there."""
    verdict = verdict_of(case.instance.level, phases, known is not None, case.instance.provisional)
    telling = _telling(verdict, phases)
    return Result(
        instance=case.instance,
        nodeid=nodeid,
        verdict=verdict,
        message=_message(verdict, case, phases, known),
        exception=telling.exception if telling else None,
        feature=feature_of(telling.message) if telling and verdict is Verdict.UNSUPPORTED else None,
        issue=known.issue if known else None,
        seconds=round(sum(phase.seconds for phase in phases if phase.when == "call"), 6),
        convergence_seconds=case.convergence,
        phases=[{"when": one.when, "kind": one.kind, "seconds": round(one.seconds, 6)} for one in phases],
        evidence=_evidence(case),
    )


def crashed(instance: Instance, nodeid: str, message: str, phases: Sequence[Phase] = ()) -> Result:
    """The error of an instance whose worker process died; what it had recorded died with it."""
    return result_of(Case(instance), nodeid, [*phases, Phase("???", "crash", message, "WorkerCrash")])


def disabled(instance: Instance, nodeid: str, reason: str) -> Result:
    """The entry of an instance that was left out on purpose, with the reason."""
    return Result(instance, nodeid, Verdict.DISABLED, text(reason))


def _evidence(case: Case) -> dict[str, Any]:
    evidence: dict[str, Any] = plain(case.as_dict())
    return {**evidence, "manifests": [without_secrets(manifest) for manifest in evidence["manifests"]]}


def _telling(verdict: Verdict, phases: Sequence[Phase]) -> Phase | None:
    wanted: frozenset[str] = _BROKEN if verdict is Verdict.ERROR else frozenset({"nonconformance"})
    if verdict in (Verdict.UNSUPPORTED, Verdict.DISABLED):
        wanted = frozenset(_SKIPS)
    return next((phase for phase in phases if phase.kind in wanted), None)


def _message(verdict: Verdict, case: Case, phases: Sequence[Phase], known: Known | None) -> str:
    if verdict is Verdict.PASS:
        return ""
    telling = _telling(verdict, phases)
    if verdict is Verdict.ERROR:
        lines = [_located(phase) for phase in phases if phase.kind in _BROKEN]
        lines += [f"Before that, seen: {phase.message}" for phase in phases if phase.kind == "nonconformance"]
        return "\n".join(lines) or "ended without a verdict: the call phase was never reached"
    if telling is None:
        return _without_violation(verdict, case, known)
    late = [f"Then {_located(phase)}" for phase in phases if phase.kind in _BROKEN]
    return "\n".join([_lead(verdict, case.instance, known) + telling.message, *late])


def _located(phase: Phase) -> str:
    return phase.message if phase.when in ("call", "???") else f"in {phase.when}: {phase.message}"


def _lead(verdict: Verdict, instance: Instance, known: Known | None) -> str:
    if verdict is Verdict.KNOWN_FAILURE:
        return f"known failure, {known}: "
    if verdict is Verdict.OBSERVATION and instance.level in ("should", "may"):
        return f"warning: not done, and not required (level {instance.level}): "
    if verdict is Verdict.OBSERVATION and instance.provisional:
        return "warning: not done; does not count yet, because the test is provisional: "
    return "the specification leaves this open; seen: " if verdict is Verdict.OBSERVATION else ""


def _without_violation(verdict: Verdict, case: Case, known: Known | None) -> str:
    if verdict is Verdict.FAIL:
        return f"passes, but is declared a known failure: {known}; take it off the list of known failures"
    seen = ", ".join(f"{text(name)}: {text(value)}" for name, value in case.observations.items())
    return f"seen: {seen}" if seen else ""
