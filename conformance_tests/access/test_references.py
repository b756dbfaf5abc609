"""Access, validity and references: what is incomplete or points nowhere grants nothing, and harms nobody else.

A further, good TrafficTarget stands beside each of these. Once its grant is in force the mesh has read the bad one too.
"""

from typing import Any

from pytest_smi import (
    ANY,
    Deployed,
    HTTPRouteGroup,
    Identity,
    Match,
    Raw,
    RouteRef,
    Rule,
    Smi,
    TCPRoute,
    TrafficTarget,
    Workload,
    assert_allowed,
    assert_denied,
    is_allowed,
    requirement,
)

POUR = ANY("/pour$", name="pour")
STIR = ANY("/stir$", name="stir")


def good(source: Workload, destination: Workload) -> TrafficTarget:
    """The TrafficTarget beside the bad one: allows /stir, and shows by it that the mesh has come this far."""
    return TrafficTarget("good", [source], destination, [STIR])


def without(smi: Smi, target: TrafficTarget, field: str) -> Raw:
    """A TrafficTarget that lacks one of its fields (of either name that the versions give it)."""
    manifest: dict[str, Any] = smi.render(target)[-1]
    body = manifest.get("spec", manifest)
    for name in {"rules": ("rules", "specs")}.get(field, (field,)):
        body.pop(name, None)
    return Raw(manifest)


@requirement("TA-060")
def test_without_a_destination_nothing_is_opened(smi: Smi, kettle: Workload, teapot: Workload, cosy: Workload) -> None:
    """A TrafficTarget without destination is not valid: refused, or it opens nothing."""
    routes = HTTPRouteGroup("pouring", [POUR])
    smi.apply(routes)
    bad = TrafficTarget("tea", [kettle], teapot, [routes.reference])
    smi.observe("refused", smi.refused(without(smi, bad, "destination")) is not None)
    smi.apply(good(kettle, teapot))
    assert_allowed(kettle.get(teapot, "/stir"))
    assert_denied(kettle.get(teapot, "/pour"), kettle.get(cosy, "/pour"))


@requirement("TA-061")
def test_without_a_rule_nothing_is_opened(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """A TrafficTarget with an empty list of rules is not valid: refused, or it opens nothing."""
    smi.observe("refused", smi.refused(TrafficTarget("tea", [kettle], teapot, [])) is not None)
    smi.apply(good(kettle, teapot))
    assert_allowed(kettle.get(teapot, "/stir"))
    assert_denied(kettle.get(teapot, "/pour"))


@requirement("TA-062")
def test_without_a_source_nobody_is_let_in(smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload) -> None:
    """An empty list of sources is not valid: refused, or nobody is let in. Empty does not mean everyone."""
    smi.observe("refused", smi.refused(TrafficTarget("tea", [], teapot, [POUR])) is not None)
    smi.apply(good(kettle, teapot))
    assert_allowed(kettle.get(teapot, "/stir"))
    assert_denied(kettle.get(teapot, "/pour"), intruder.get(teapot, "/pour"))


@requirement("TA-063")
def test_observe_omitted_rules(smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload) -> None:
    """Before v1alpha3 no document says what a TrafficTarget without rules means; to open everything would be a risk."""
    refusal = smi.refused(without(smi, TrafficTarget("tea", [kettle], teapot, []), "rules"))
    smi.apply(good(kettle, teapot))
    assert_allowed(kettle.get(teapot, "/stir"))
    smi.observe("refused", refusal is not None)
    smi.observe("opens every path to the source", is_allowed(kettle.get(teapot, "/pour")))
    smi.observe("opens every path to everyone", is_allowed(intruder.get(teapot, "/pour")))


@requirement("TA-064")
def test_observe_omitted_sources(smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload) -> None:
    """Before v1alpha3 no document says what a TrafficTarget without sources means; one that opens to all is a risk."""
    routes = HTTPRouteGroup("pouring", [POUR])
    smi.apply(routes)
    bad = TrafficTarget("tea", [], teapot, [routes.reference])
    refusal = smi.refused(without(smi, bad, "sources"))
    smi.apply(good(kettle, teapot))
    assert_allowed(kettle.get(teapot, "/stir"))
    smi.observe("refused", refusal is not None)
    smi.observe("opens the path to everyone", is_allowed(intruder.get(teapot, "/pour")))


@requirement("TA-066")
def test_an_absent_route_group_grants_nothing(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """A rule that names an HTTPRouteGroup which is not there never fails open."""
    ghost = RouteRef("HTTPRouteGroup", "ghost")
    smi.apply(TrafficTarget("tea", [kettle], teapot, [ghost]), good(kettle, teapot))
    assert_allowed(kettle.get(teapot, "/stir"))
    assert_denied(kettle.get(teapot, "/pour"), kettle.get(teapot, "/"))


@requirement("TA-067")
def test_an_absent_match_grants_nothing(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """A rule that names a match which its group does not have opens none of the group's routes."""
    rule = Rule(HTTPRouteGroup("pouring", [POUR]), ["ghost"])
    smi.apply(TrafficTarget("tea", [kettle], teapot, [rule]), good(kettle, teapot))
    assert_allowed(kettle.get(teapot, "/stir"))
    assert_denied(kettle.get(teapot, "/pour"))


@requirement("TA-068")
def test_an_absent_tcp_route_grants_nothing(smi: Smi, kettle: Workload, cosy: Workload, teapot: Workload) -> None:
    """A rule that names a TCPRoute which is not there never fails open."""
    smi.apply(
        TrafficTarget("tea", [kettle], teapot, [RouteRef("TCPRoute", "ghost")]),
        TrafficTarget("good", [cosy], teapot, [TCPRoute("good-ports")]),
    )
    assert_allowed(cosy.tcp(teapot))
    assert_denied(kettle.tcp(teapot))


@requirement("TA-069")
def test_creating_the_absent_route_group_brings_the_rule_to_life(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """The TrafficTarget need not be touched for it."""
    late = HTTPRouteGroup("late", [POUR])
    bad = TrafficTarget("tea", [kettle], teapot, [late.reference])
    smi.apply(bad, good(kettle, teapot))
    assert_allowed(kettle.get(teapot, "/stir"))
    assert_denied(kettle.get(teapot, "/pour"))
    smi.apply(late)
    assert_allowed(kettle.get(teapot, "/pour"))


@requirement("TA-070")
def test_deleting_a_referenced_route_group_revokes(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """What the rule granted is denied again; other grants stay."""
    routes = HTTPRouteGroup("pouring", [POUR])
    smi.apply(TrafficTarget("tea", [kettle], teapot, [routes]), good(kettle, teapot))
    assert_allowed(kettle.get(teapot, "/pour"))
    smi.delete(routes)
    assert_denied(kettle.get(teapot, "/pour"))
    assert_allowed(kettle.get(teapot, "/stir"))


@requirement("TA-071")
def test_observe_an_absent_route_beside_a_good_one(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """Does one rule that points nowhere take the good one with it? It must not open more than that, in any case."""
    pouring, ghost = HTTPRouteGroup("pouring", [POUR]), RouteRef("HTTPRouteGroup", "ghost")
    smi.apply(TrafficTarget("tea", [kettle], teapot, [pouring, ghost]), good(kettle, teapot))
    assert_allowed(kettle.get(teapot, "/stir"))
    smi.observe("the good rule still grants", is_allowed(kettle.get(teapot, "/pour")))
    smi.observe("more than the good rule is open", is_allowed(kettle.get(teapot, "/admin")))


@requirement("TA-072")
def test_an_absent_source_harms_nothing(smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload) -> None:
    """A ServiceAccount that does not exist among the sources leaves the others as they are."""
    smi.apply(TrafficTarget("tea", [Identity("ghost"), kettle], teapot, [POUR]))
    assert_allowed(kettle.get(teapot, "/pour"))
    assert_denied(intruder.get(teapot, "/pour"))


@requirement("TA-073")
def test_an_absent_destination_harms_nothing(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """A TrafficTarget for a ServiceAccount that does not exist leaves the others of its namespace as they are."""
    smi.apply(TrafficTarget("tea", [kettle], Identity("ghost"), [POUR]), good(kettle, teapot))
    assert_allowed(kettle.get(teapot, "/stir"))
    assert_denied(kettle.get(teapot, "/pour"))


@requirement("TA-074")
def test_a_destination_that_comes_later_is_opened(
    smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload
) -> None:
    """The grant was there first; ServiceAccount and pod follow, and it holds for them."""
    name = f"samovar-{smi.versions.access}"  # never used before: a client may remember an earlier one's address
    smi.apply(TrafficTarget("tea", [kettle], Identity(name), [POUR]), good(kettle, teapot))
    assert_allowed(kettle.get(teapot, "/stir"))
    with smi.deployed(Deployed(name, smi.namespace)) as (samovar,):
        assert_allowed(kettle.get(samovar, "/pour"))
        assert_denied(intruder.get(samovar, "/pour"))


@requirement("TA-075")
def test_an_invalid_expression_opens_and_breaks_nothing(
    smi: Smi, kettle: Workload, cosy: Workload, teapot: Workload
) -> None:
    """A group with an expression that does not compile is refused or grants nothing; others work on."""
    refusal = smi.refused(TrafficTarget("tea", [kettle], teapot, [ANY("/pour([")]))
    smi.observe("refused", refusal is not None)
    smi.apply(good(cosy, teapot))
    assert_allowed(cosy.get(teapot, "/stir"))
    assert_denied(kettle.get(teapot, "/pour"), kettle.get(teapot, "/pour(["))


@requirement("TA-076")
def test_route_kinds_have_names_of_their_own(smi: Smi, kettle: Workload, cosy: Workload, teapot: Workload) -> None:
    """A rule for TCPRoute `menu` is not satisfied by an HTTPRouteGroup `menu`."""
    smi.apply(
        HTTPRouteGroup("menu", [ANY()]),
        TrafficTarget("tea", [kettle], teapot, [RouteRef("TCPRoute", "menu")]),
        good(cosy, teapot),
    )
    assert_allowed(cosy.get(teapot, "/stir"))
    assert_denied(kettle.tcp(teapot), kettle.get(teapot, "/pour"))


@requirement("TA-077")
def test_routes_of_two_kinds_may_share_a_name(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """As in the document's example, a TCPRoute and an HTTPRouteGroup of one name are both found."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [TCPRoute("menu", [8080]), HTTPRouteGroup("menu", [POUR])]))
    assert_allowed(kettle.get(teapot, "/pour"))
    assert_denied(kettle.get(teapot, "/admin"))


@requirement("TA-078")
def test_a_source_of_another_kind_grants_nothing(
    smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload
) -> None:
    """`Group system:authenticated` is no identity of SMI: refused, or nobody is let in by it."""
    everyone = Identity("system:authenticated", kind="Group")
    smi.observe("refused", smi.refused(TrafficTarget("tea", [everyone], teapot, [POUR])) is not None)
    smi.apply(good(kettle, teapot))
    assert_allowed(kettle.get(teapot, "/stir"))
    assert_denied(kettle.get(teapot, "/pour"), intruder.get(teapot, "/pour"))


@requirement("TA-079")
def test_observe_two_matches_of_one_name(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """A rule names `pour`, and the group has it twice: which one counts, or both?"""
    twice = [Match("pour", f"/{which}$", ["*"]) for which in ("first", "second")]
    group = HTTPRouteGroup("pouring", twice)
    smi.observe("refused", smi.refused(TrafficTarget("tea", [kettle], teapot, [Rule(group, ["pour"])])) is not None)
    smi.apply(good(kettle, teapot))
    assert_allowed(kettle.get(teapot, "/stir"))
    for which in ("first", "second"):
        smi.observe(f"the {which} counts", is_allowed(kettle.get(teapot, f"/{which}")))
