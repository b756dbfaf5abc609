"""Hypothesis strategies for neutral resources, general and confined to what given API versions can say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from pytest_smi.spec.releases import ApiVersions, companions
from pytest_smi.spec.resources import (
    Backend,
    HTTPRouteGroup,
    Identity,
    IdentityBinding,
    Match,
    RouteRef,
    Rule,
    TCPRoute,
    TrafficSplit,
    TrafficTarget,
    UDPRoute,
)
from pytest_smi.spec.schemas import METHODS

if TYPE_CHECKING:
    from pytest_smi.spec.resources import Resource

names = st.sampled_from(["teapot", "kettle", "cosy", "pour", "stir", "x"])
namespaces = st.sampled_from([None, "tea", "tea2"])
ports = st.integers(1, 65535)
paths = st.sampled_from(["/pour$", ".*", "/p(our|ot)$", "", "/ä.*"])
headers = st.lists(st.tuples(st.sampled_from(["x-milk", "X-Milk", "cookie"]), paths), unique_by=lambda pair: pair[0])
methods = st.lists(st.sampled_from(METHODS), unique=True)

identities = st.builds(Identity, names, st.sampled_from([None, "", "tea", "tea2"]))
bindings = st.builds(IdentityBinding, names, namespace=namespaces).map(lambda binding: binding.identity)


def matches(number: int) -> st.SearchStrategy[Match]:
    """Matches that specs v1alpha<number> can say."""
    if number == 1:
        return st.builds(Match, st.none() | names, paths, methods)
    return st.builds(Match, st.none() | names, st.none() | paths, st.none() | methods, st.none() | headers)


def groups(number: int) -> st.SearchStrategy[HTTPRouteGroup]:
    """HTTPRouteGroups that specs v1alpha<number> can say."""
    return st.builds(HTTPRouteGroup, names, st.lists(matches(number), max_size=4), namespaces)


def tcp_routes(number: int) -> st.SearchStrategy[TCPRoute]:
    """TCPRoutes that specs v1alpha<number> can say."""
    listed = st.none() | (st.lists(ports, max_size=3) if number == 4 else st.just([]))
    return st.builds(TCPRoute, names, listed, namespaces)


udp_routes = st.builds(UDPRoute, names, st.none() | st.lists(ports, max_size=3), namespaces)


def targets(versions: ApiVersions) -> st.SearchStrategy[TrafficTarget]:
    """TrafficTargets that these versions of access and specs can say, with at most one object of each kind and name."""
    access, specs = int((versions.access or "")[-1]), int((versions.specs or "")[-1])
    refs: list[Any] = [st.builds(RouteRef, st.sampled_from(["HTTPRouteGroup", "TCPRoute"]), names)]
    objects: list[Any] = [groups(specs), tcp_routes(specs), matches(specs)]
    if access > 2:
        refs.append(st.builds(RouteRef, st.just("UDPRoute"), names))
    if specs == 4:
        objects.append(udp_routes)
    written = st.none() | st.lists(names, max_size=2)
    rules = st.lists(
        st.one_of(*objects, *refs, st.builds(Rule, st.one_of(*refs), written)),
        max_size=4,
        unique_by=lambda rule: (
            ("match", id(rule)) if isinstance(rule, Match) else (type(rule), getattr(rule, "name", rule))
        ),
    )
    subjects = identities | bindings if access == 4 else identities
    return st.builds(
        TrafficTarget,
        names,
        st.lists(subjects, max_size=3),
        subjects,
        rules,
        st.none() | ports if access < 3 else st.none(),
        namespaces,
    )


def splits(number: int) -> st.SearchStrategy[TrafficSplit]:
    """TrafficSplits that split v1alpha<number> can say."""
    quantities = st.sampled_from(["500m", "1", "1.5", "2k", "1e3", ".25", "1Ki", "0", "7u", "+3"])
    weights = st.integers(0, 2**31) | quantities if number == 1 else st.integers(0, 2**31)
    refs = st.none() | st.lists(st.builds(RouteRef, st.just("HTTPRouteGroup"), names), max_size=2)
    backends = st.lists(st.builds(Backend, names, weights), max_size=4)
    return st.builds(TrafficSplit, names, names, backends, refs if number > 2 else st.none(), namespaces)


identity_bindings = st.builds(
    IdentityBinding,
    names,
    st.none() | names,
    st.none() | st.lists(st.just("spiffe://cluster.local/ns/tea/sa/x"), min_size=1, max_size=2),
    st.none() | st.dictionaries(names, names, min_size=1),
    namespaces,
)

EVERYTHING = {area: [f"v1alpha{number}" for number in range(1, 5)] for area in ("access", "specs", "split")}


@st.composite
def expressible(draw: st.DrawFn) -> tuple[Resource, ApiVersions]:
    """A resource of any kind and API versions that can say it."""
    area = draw(st.sampled_from(["access", "specs", "split"]))
    number = draw(st.integers(1, 4))
    versions = companions(area, f"v1alpha{number}", EVERYTHING)
    assert versions is not None
    choices: dict[str, list[st.SearchStrategy[Any]]] = {
        "access": [targets(versions), *([identity_bindings] if number == 4 else [])],
        "specs": [groups(number), tcp_routes(number), *([udp_routes] if number == 4 else [])],
        "split": [splits(number)],
    }
    return draw(st.one_of(*choices[area])), versions
