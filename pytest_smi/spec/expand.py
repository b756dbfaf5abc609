"""Resources as authors write them, taken apart into plain objects that refer to each other by name.

After `expand` every object has a namespace, every identity one of its own (or deliberately none), every match a name,
and no object holds another: one resource then is exactly one manifest.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_smi.spec.matches import all_named
from pytest_smi.spec.resources import (
    HTTPRouteGroup,
    Identity,
    IdentityBinding,
    Match,
    Raw,
    RouteRef,
    Rule,
    TrafficSplit,
    TrafficTarget,
)

if TYPE_CHECKING:
    from pytest_smi.spec.resources import Resource, Route


def expand(resource: Resource, namespace: str) -> list[Resource]:
    """The objects that `resource` stands for, routes before what refers to them; `namespace` where none is given.

    Raises ValueError when two different route objects of one kind, name and namespace would be written.
    """
    if isinstance(resource, Raw):
        return [resource]
    home = resource.namespace or namespace
    if isinstance(resource, TrafficTarget):
        return _target(resource, home)
    if isinstance(resource, TrafficSplit):
        return _split(resource, home)
    if isinstance(resource, IdentityBinding):
        return [replace(resource, namespace=home)]
    return [_settled(resource, home)]


def route_kind(route: Route | RouteRef) -> str:
    """The kind a rule names for a route object or a reference to one."""
    return route.kind if isinstance(route, RouteRef) else type(route).__name__


def _target(target: TrafficTarget, home: str) -> list[Resource]:
    bare = [rule for rule in target.rules if isinstance(rule, Match)]
    # Named one by one: several meshes take a rule without `matches` for none, which is for TA-020 alone to judge.
    names = all_named(bare)
    gathered = HTTPRouteGroup(f"{target.name}-routes", names)
    routes: list[Route | RouteRef] = [gathered] if bare else []
    rules: list[Rule] = []
    for rule in target.rules:
        if isinstance(rule, Rule):
            routes.append(rule.route)
            rules.append(Rule(RouteRef(route_kind(rule.route), rule.route.name), rule.matches))
        elif rule is bare[0]:
            rules.append(Rule(RouteRef("HTTPRouteGroup", gathered.name), names))
    plain = TrafficTarget(
        target.name,
        [_at(source, home) for source in target.sources],
        _at(target.destination, home),
        rules,
        target.port,
        home,
    )
    return [*_objects(routes, home), plain]


def _split(split: TrafficSplit, home: str) -> list[Resource]:
    routes = split.matches or ()
    refs = None if split.matches is None else [RouteRef(route_kind(route), route.name) for route in routes]
    return [*_objects(routes, home), TrafficSplit(split.name, split.service, split.backends, refs, home)]


def _objects(routes: tuple[HTTPRouteGroup | RouteRef, ...] | list[Route | RouteRef], home: str) -> list[Resource]:
    """The route objects to write: each once; a group without matches says nothing and counts as a reference."""
    written: dict[tuple[str, str, str | None], Route] = {}
    for route in routes:
        if isinstance(route, RouteRef) or (isinstance(route, HTTPRouteGroup) and not route.matches):
            continue
        plain = _settled(route, home)
        key = (route_kind(plain), plain.name, plain.namespace)
        if written.setdefault(key, plain) != plain:
            raise ValueError(f"two different {key[0]} objects are called {key[1]!r}: give one of them another name")
    return [*written.values()]


def _settled(route: Route, home: str) -> Route:
    """The same object with its namespace and, for a group, every match named."""
    home = route.namespace or home
    if isinstance(route, HTTPRouteGroup):
        return HTTPRouteGroup(route.name, all_named(route.matches), home)
    return type(route)(route.name, route.ports, home)


def _at(identity: Identity, home: str) -> Identity:
    return identity if identity.namespace is not None else replace(identity, namespace=home)
