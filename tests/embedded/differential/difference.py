"""Where two recordings differ, as paths such as `body.metadata.labels[app]`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_MISSING = "(nothing)"
_IDENTITIES = ("name", "type", "field", "containerPort", "uid", "manager")


@dataclass(frozen=True)
class Difference:
    """One place in the answer of one step (`story/step`): what the real server says there, and what ours says."""

    step: str
    path: str
    real: Any
    ours: Any

    def __str__(self) -> str:
        return f"{self.step} | {self.path}\n    real: {self.real!r}\n    ours: {self.ours!r}"


def differences(story: str, real: list[dict[str, Any]], ours: list[dict[str, Any]]) -> list[Difference]:
    """All differences between the recorded answers to a story."""
    found = []
    steps = [one["step"] for one in ours]
    recorded = {one["step"]: one for one in real}
    for one in ours:
        if one["step"] not in recorded:
            found.append(Difference(f"{story}/{one['step']}", "", _MISSING, "a step that was never recorded"))
        else:
            found += _compare(f"{story}/{one['step']}", "", recorded[one["step"]], one)
    gone = [step for step in recorded if step not in steps]
    return found + [Difference(f"{story}/{step}", "", "a step that is not there any more", _MISSING) for step in gone]


def _compare(step: str, path: str, real: Any, ours: Any) -> list[Difference]:
    if isinstance(real, dict) and isinstance(ours, dict):
        refused = [one.get("kind") == "Status" and one.get("status") == "Failure" for one in (real, ours)]
        if refused[0] != refused[1]:  # one said no and the other did not: nothing else is worth comparing
            return [Difference(step, path, real, ours)]
        return _compare_maps(step, path, real, ours)
    if isinstance(real, list) and isinstance(ours, list):
        return _compare_lists(step, path, real, ours)
    same = type(real) is type(ours) and real == ours
    return [] if same else [Difference(step, path, real, ours)]


def _compare_maps(step: str, path: str, real: dict[str, Any], ours: dict[str, Any]) -> list[Difference]:
    found = []
    for key in sorted({*real, *ours}):
        here = f"{path}.{key}" if path else key
        if "." in key or "/" in key:
            here = f"{path}[{key}]"
        if key in real and key in ours:
            found += _compare(step, here, real[key], ours[key])
        else:
            found.append(Difference(step, here, real.get(key, _MISSING), ours.get(key, _MISSING)))
    return found


def _compare_lists(step: str, path: str, real: list[Any], ours: list[Any]) -> list[Difference]:
    """Item by item: by what identifies them if something does, else by place."""
    names, theirs = _identities(ours), _identities(real)
    if names and theirs and names != theirs:
        by_name = _compare_maps(step, path, dict(zip(theirs, real, strict=True)), dict(zip(names, ours, strict=True)))
        found = [Difference(step, _bracketed(one.path, path), one.real, one.ours) for one in by_name]
        common = [[name for name in some if name in names and name in theirs] for some in (theirs, names)]
        return found if common[0] == common[1] else [*found, Difference(step, f"{path}(order)", *common)]
    if len(real) != len(ours):
        return [Difference(step, path, real, ours)]
    pairs = zip(real, ours, strict=True)
    return [one for place, (a, b) in enumerate(pairs) for one in _compare(step, f"{path}[{place}]", a, b)]


def _bracketed(path: str, base: str) -> str:
    rest = path.removeprefix(base)
    if not rest.startswith("."):
        return path
    name, *below = rest[1:].split(".", 1)
    return f"{base}[{name}]" + (f".{below[0]}" if below else "")


def _identities(items: list[Any]) -> list[str] | None:
    """What each item is known by; None unless every item has a name of its own."""
    for key in _IDENTITIES:
        names = [str(item.get(key, "")) if isinstance(item, dict) else "" for item in items]
        if all(names) and len(set(names)) == len(names):
            return names
    return None
