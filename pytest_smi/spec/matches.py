"""`Match`: one entry of an HTTPRouteGroup, and the helpers that let a test read `GET("/pour$")`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Headers = Mapping[str, str] | Iterable[tuple[str, str]]
"""What authors may give as header filters: name -> regular expression, or pairs of these."""


@dataclass(frozen=True, init=False)
class Match:
    """A path, methods and header filters that hold together (AND); the matches of a group are alternatives (OR).

    `None` leaves a field out of the manifest, which SMI reads as "any". `path` is a regular expression anchored at the
    start only: end it with `$` or `.*`, because the documents do not say more (TSC-012). `methods` holds upper-case
    verbs or `*`. `headers` is kept as pairs (name, regular expression) in order of name; all of them must hold.
    """

    name: str | None
    path: str | None
    methods: tuple[str, ...] | None
    headers: tuple[tuple[str, str], ...] | None

    def __init__(
        self,
        name: str | None = None,
        path: str | None = None,
        methods: Iterable[str] | None = None,
        headers: Headers | None = None,
    ) -> None:
        _set(self, "name", name)
        _set(self, "path", path)
        _set(self, "methods", None if methods is None else tuple(methods))
        _set(self, "headers", None if headers is None else _pairs(headers))

    def named(self, taken: Iterable[str]) -> Match:
        """This match with a name: its own, or one made from methods and path that is not among `taken`."""
        if self.name is not None:
            return self
        words = "-".join([*(self.methods or ()), self.path or "", *(name for name, _ in self.headers or ())]).lower()
        words = words.replace("*", "any")
        base = re.sub(r"[^a-z0-9]+", "-", words).strip("-")[:50] or "match"
        name, number = base, 1
        names = set(taken)
        while name in names:
            number += 1
            name = f"{base}-{number}"
        return Match(name, self.path, self.methods, self.headers)


def all_named(matches: Iterable[Match]) -> tuple[Match, ...]:
    """The matches of one group, each with a name: its own, or one that no other match of the group has."""
    given = tuple(matches)
    taken = [match.name for match in given if match.name is not None]
    named: list[Match] = []
    for match in given:
        named.append(match.named(taken))
        taken.append(named[-1].name or "")
    return tuple(named)


_set = object.__setattr__


def _pairs(headers: Headers) -> tuple[tuple[str, str], ...]:
    items = headers.items() if isinstance(headers, Mapping) else headers
    return tuple(sorted((str(name), str(value)) for name, value in items))


def ANY(path: str = ".*", *, name: str | None = None, headers: Headers | None = None) -> Match:
    """Every method (`*`) on `path`; without arguments, everything."""
    return Match(name, path, ("*",), headers)


def GET(path: str = ".*", *, name: str | None = None, headers: Headers | None = None) -> Match:
    """Only GET on `path` (a regular expression, see `Match`)."""
    return Match(name, path, ("GET",), headers)


def HEAD(path: str = ".*", *, name: str | None = None, headers: Headers | None = None) -> Match:
    """Only HEAD on `path`."""
    return Match(name, path, ("HEAD",), headers)


def PUT(path: str = ".*", *, name: str | None = None, headers: Headers | None = None) -> Match:
    """Only PUT on `path`."""
    return Match(name, path, ("PUT",), headers)


def POST(path: str = ".*", *, name: str | None = None, headers: Headers | None = None) -> Match:
    """Only POST on `path`."""
    return Match(name, path, ("POST",), headers)


def DELETE(path: str = ".*", *, name: str | None = None, headers: Headers | None = None) -> Match:
    """Only DELETE on `path`."""
    return Match(name, path, ("DELETE",), headers)


def PATCH(path: str = ".*", *, name: str | None = None, headers: Headers | None = None) -> Match:
    """Only PATCH on `path`."""
    return Match(name, path, ("PATCH",), headers)


def OPTIONS(path: str = ".*", *, name: str | None = None, headers: Headers | None = None) -> Match:
    """Only OPTIONS on `path`."""
    return Match(name, path, ("OPTIONS",), headers)


def TRACE(path: str = ".*", *, name: str | None = None, headers: Headers | None = None) -> Match:
    """Only TRACE on `path`."""
    return Match(name, path, ("TRACE",), headers)


def CONNECT(path: str = ".*", *, name: str | None = None, headers: Headers | None = None) -> Match:
    """Only CONNECT on `path`."""
    return Match(name, path, ("CONNECT",), headers)
