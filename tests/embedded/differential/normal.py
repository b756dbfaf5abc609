"""Answers without what differs from run to run: identities, revisions, times, chance.

Within a story equal values stay equal: the first uid of an object `tea` becomes `<uid 1 of tea>`, the second
`<uid 2 of tea>`, and so do its revisions. Revisions of lists are those of the whole server and say nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.embedded.differential.player import Answer

_UID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_NUMBER = re.compile(r"\b\d+\b")
_AGE = re.compile(r"\d+(ms|s|m)")
_RANDOM = 5
"""Letters that generateName adds."""
_STORIES_OWN = "2024-01-01"
"""The day of all times that stories themselves write."""
_PATTERNS = (
    (re.compile(rf"\b(?!{_STORIES_OWN})\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z"), "<microtime>"),
    (re.compile(rf"\b(?!{_STORIES_OWN})\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "<time>"),
    (re.compile(rf"\b(?!{_STORIES_OWN})\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? \+0000 UTC( m=\S+)?"), "<time>"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]+"), "<token>"),
    (re.compile(r"\b127\.\d+\.\d+\.\d+(:\d+)?\b"), "<address>"),
    (re.compile(r"kube-api-access-[a-z0-9]{5}"), "kube-api-access-<random>"),
)


class Normaliser:
    """For the answers of one story, in their order."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def answers(self, answers: Iterable[Answer]) -> list[dict[str, Any]]:
        """What is recorded and compared of each answer."""
        return [self._answer(one) for one in answers]

    def _answer(self, one: Answer) -> dict[str, Any]:
        found: dict[str, Any] = {"step": one.step, "code": one.code}
        if one.media != "application/json":
            found["media"] = one.media
        if one.warnings:
            found["warnings"] = [self._text(text) for text in one.warnings]
        body = one.body
        if isinstance(body, list):  # of a watch
            found["events"] = [self._value(event) for event in body]
        else:
            found["body"] = self._value(body)
        return found

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            return [self._value(item) for item in value]
        if not isinstance(value, dict):
            return value
        if isinstance(value.get("metadata"), dict):
            value = {**value, "metadata": self._metadata(value["metadata"])}
        if value.get("kind") == "Status" and len(value.get("details", {}).get("causes", ())) > 1:
            value = _orderly(value)
        if value.get("kind") == "Table":
            value = {**value, "rows": [_ageless(row) for row in value.get("rows") or ()]}
        return {self._text(key): self._value(item) for key, item in value.items()}

    def _metadata(self, metadata: dict[str, Any]) -> dict[str, Any]:
        found, name = dict(metadata), metadata.get("name", "")
        base = found.get("generateName")
        if base and name.startswith(base) and len(name) == len(base) + _RANDOM:
            name = self._names.setdefault(name, f"{base}<random>")
        if uid := found.get("uid"):
            found["uid"] = self._numbered("uid", uid, name)
        if revision := found.get("resourceVersion"):
            found["resourceVersion"] = self._numbered("revision", revision, name) if name else "<revision>"
        if "continue" in found:
            found["continue"] = "<continue>"
        return found

    def _numbered(self, what: str, value: str, name: str) -> str:
        if value not in self._known:
            before = sum(
                shown.startswith(f"<{what} ") and shown.endswith(f" of {name}>") for shown in self._known.values()
            )
            self._known[value] = f"<{what} {before + 1} of {name}>"
        return self._known[value]

    def _text(self, text: str) -> str:
        for name, shown in self._names.items():
            text = text.replace(name, shown)
        text = _UID.sub(lambda found: self._known.get(found[0], "<uid>"), text)
        text = _NUMBER.sub(lambda found: self._known.get(found[0], found[0]), text)
        for pattern, shown in _PATTERNS:
            text = pattern.sub(shown, text)
        return text


def _orderly(status: dict[str, Any]) -> dict[str, Any]:
    """A Status with its causes sorted: a real server finds them in an order of chance."""
    causes = sorted(status["details"]["causes"], key=lambda one: (one.get("field", ""), one["message"]))
    head, bracket, rest = status["message"].partition(" is invalid: [")
    if bracket:
        rest = ", ".join(sorted({f"{one['field']}: {one['message']}" for one in causes})) + "]"
    return {**status, "message": head + bracket + rest, "details": {**status["details"], "causes": causes}}


def _ageless(row: dict[str, Any]) -> dict[str, Any]:
    """Cells that show how old something is, a few seconds here and there."""
    cells = [("<age>" if isinstance(cell, str) and _AGE.fullmatch(cell) else cell) for cell in row["cells"]]
    return {**row, "cells": cells}
