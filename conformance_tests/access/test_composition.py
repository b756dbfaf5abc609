"""Access, composition: how matches, rules, sources and TrafficTargets add up. Nothing denies, all is a union."""

from pytest_smi import (
    ANY,
    GET,
    HTTPRouteGroup,
    Match,
    RouteRef,
    Rule,
    Smi,
    TrafficTarget,
    Workload,
    assert_allowed,
    assert_denied,
    assert_matrix,
    assert_uninterrupted,
    requirement,
)

POUR = ANY("/pour$", name="pour")
STIR = ANY("/stir$", name="stir")
CLEAN = ANY("/clean$", name="clean")


def menu() -> HTTPRouteGroup:
    """Three routes, of which rules pick some."""
    return HTTPRouteGroup("menu", [POUR, STIR, CLEAN])


@requirement("TA-020")
def test_a_rule_without_matches_means_every_match(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """With `matches` omitted each route of the group is allowed, and nothing else."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [Rule(HTTPRouteGroup("menu", [POUR, STIR]))]))
    assert_allowed(kettle.get(teapot, "/pour"), kettle.get(teapot, "/stir"))
    assert_denied(kettle.get(teapot, "/clean"))


@requirement("TA-021")
def test_only_named_matches_apply(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """With `matches` given the other routes of the group stay closed."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [Rule(menu(), ["pour"])]))
    assert_allowed(kettle.get(teapot, "/pour"))
    assert_denied(kettle.get(teapot, "/stir"))


@requirement("TA-022")
def test_several_named_matches_are_alternatives(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """Each of the named matches is enough; one that is not named is not."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [Rule(menu(), ["pour", "stir"])]))
    assert_allowed(kettle.get(teapot, "/pour"), kettle.get(teapot, "/stir"))
    assert_denied(kettle.get(teapot, "/clean"))


@requirement("TA-023")
def test_several_rules_are_alternatives(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """Rules of one protocol add up: either group's route is enough."""
    groups = [HTTPRouteGroup("pouring", [POUR]), HTTPRouteGroup("stirring", [STIR])]
    smi.apply(TrafficTarget("tea", [kettle], teapot, groups))
    assert_allowed(kettle.get(teapot, "/pour"), kettle.get(teapot, "/stir"))
    assert_denied(kettle.get(teapot, "/clean"))


@requirement("TA-024")
def test_any_of_several_sources_is_allowed(
    smi: Smi, kettle: Workload, cosy: Workload, intruder: Workload, teapot: Workload
) -> None:
    """Each listed source may connect; one that is not listed may not."""
    smi.apply(TrafficTarget("tea", [kettle, cosy], teapot, [ANY()]))
    assert_allowed(kettle.get(teapot), cosy.get(teapot))
    assert_denied(intruder.get(teapot))


@requirement("TA-025")
def test_grants_of_several_traffic_targets_add_up(smi: Smi, kettle: Workload, cosy: Workload, teapot: Workload) -> None:
    """Two TrafficTargets on one destination: each client has what its own grants."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [POUR]), TrafficTarget("milk", [cosy], teapot, [STIR]))
    assert_allowed(kettle.get(teapot, "/pour"), cosy.get(teapot, "/stir"))
    assert_denied(kettle.get(teapot, "/clean"))


@requirement("TA-026")
def test_traffic_targets_do_not_mix(smi: Smi, kettle: Workload, cosy: Workload, teapot: Workload) -> None:
    """The sources of one TrafficTarget do not get the routes of another."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [POUR]), TrafficTarget("milk", [cosy], teapot, [STIR]))
    assert_allowed(kettle.get(teapot, "/pour"), cosy.get(teapot, "/stir"))
    assert_denied(kettle.get(teapot, "/stir"), cosy.get(teapot, "/pour"))


@requirement("TA-027")
def test_the_documents_example_gives_exactly_its_table(
    smi: Smi, kettle: Workload, cosy: Workload, china: Workload, intruder: Workload, teapot: Workload
) -> None:
    """Two clients may do anything under /api, a scraper may only GET /metrics, and every other cell is denied."""
    api, metrics = ANY("/api.*", name="api"), GET("/metrics$", name="metrics")
    group = HTTPRouteGroup("the-routes", [api, metrics])
    smi.apply(
        TrafficTarget("tea", [kettle, cosy], teapot, [Rule(group, [api])]),
        TrafficTarget("milk", [china], teapot, [Rule(group, [metrics])]),
    )
    paths, methods = ("/api", "/metrics", "/other"), ("GET", "POST", "PUT", "DELETE")
    table = {(kettle, "/api"): methods, (cosy, "/api"): methods, (china, "/metrics"): ("GET",)}
    cells = [(c, p, m) for c in (kettle, cosy, china, intruder) for p in paths for m in methods]
    assert_matrix(
        allowed=[c.request(m, teapot, p) for c, p, m in cells if m in table.get((c, p), ())],
        denied=[c.request(m, teapot, p) for c, p, m in cells if m not in table.get((c, p), ())],
    )


@requirement("TA-028")
def test_adding_a_traffic_target_never_removes_access(
    smi: Smi, kettle: Workload, cosy: Workload, teapot: Workload
) -> None:
    """A narrower TrafficTarget for the same pair takes nothing away, not even for a moment."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [POUR, STIR]))
    assert_allowed(kettle.get(teapot, "/stir"))
    with assert_uninterrupted(kettle.get(teapot, "/stir")):
        smi.apply(TrafficTarget("narrow", [kettle, cosy], teapot, [POUR]))
        assert_allowed(cosy.get(teapot, "/pour"))


@requirement("TA-029")
def test_deleting_a_traffic_target_removes_its_own_grants_only(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """What another TrafficTarget grants stays."""
    tea = TrafficTarget("tea", [kettle], teapot, [Rule(RouteRef("HTTPRouteGroup", "menu"), [POUR])])
    smi.apply(menu(), tea, TrafficTarget("milk", [kettle], teapot, [STIR]))
    assert_allowed(kettle.get(teapot, "/pour"), kettle.get(teapot, "/stir"))
    smi.delete(tea)  # not the group it refers to
    assert_denied(kettle.get(teapot, "/pour"))
    assert_allowed(kettle.get(teapot, "/stir"))


@requirement("TA-030")
def test_a_grant_has_a_direction(smi: Smi, cosy: Workload, teapot: Workload) -> None:
    """That a client may call a server does not let the server call the client."""
    smi.apply(TrafficTarget("tea", [cosy], teapot, [ANY()]))
    assert_allowed(cosy.get(teapot))
    assert_denied(teapot.get(cosy))


@requirement("TA-031")
def test_grants_are_not_transitive(smi: Smi, kettle: Workload, teapot: Workload, cosy: Workload) -> None:
    """Kettle may call teapot and teapot may call cosy: kettle may not call cosy."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [ANY()]), TrafficTarget("milk", [teapot], cosy, [ANY()]))
    assert_allowed(kettle.get(teapot), teapot.get(cosy))
    assert_denied(kettle.get(cosy))


@requirement("TA-032")
def test_one_of_two_equal_grants_is_enough(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """Deleting one of two TrafficTargets that grant the same leaves no gap."""
    tea, mark = TrafficTarget("tea", [kettle], teapot, [POUR]), TrafficTarget("mark", [kettle], teapot, [STIR])
    smi.apply(tea, TrafficTarget("milk", [kettle], teapot, [POUR]), mark)
    assert_allowed(kettle.get(teapot, "/pour"), kettle.get(teapot, "/stir"))
    with assert_uninterrupted(kettle.get(teapot, "/pour")):
        smi.delete(tea, mark)
        assert_denied(kettle.get(teapot, "/stir"))


@requirement("TA-033")
def test_order_has_no_effect(
    smi: Smi, kettle: Workload, cosy: Workload, intruder: Workload, teapot: Workload, china: Workload
) -> None:
    """The same sources, rules and matches in the opposite order give the same table of verdicts."""
    narrow, wide = ANY("/pour$", name="narrow"), ANY("/pour/.*", name="wide")
    others, sources = HTTPRouteGroup("others", [STIR]), [kettle, cosy]
    for name, server, way in (("tea", teapot, 1), ("milk", china, -1)):
        routes = HTTPRouteGroup(f"{name}-pouring", [narrow, wide][::way])
        rules = [Rule(routes, [narrow, wide][::way]), Rule(others, [STIR])][::way]
        smi.apply(TrafficTarget(name, sources[::way], server, rules))
    good, bad = ("/pour", "/pour/more", "/stir"), ("/pourmore", "/clean")
    assert_matrix(
        allowed=[c.get(s, path) for c in sources for s in (teapot, china) for path in good],
        denied=[
            *(c.get(s, path) for c in sources for s in (teapot, china) for path in bad),
            *(intruder.get(s, path) for s in (teapot, china) for path in good),
        ],
    )


@requirement("TA-034")
def test_header_filters_condition_access(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """A route with a header filter is granted to requests that carry the header."""
    milky = Match("milky", path="/pour$", methods=["GET"], headers={"x-milk": "^oat$"})
    smi.apply(TrafficTarget("tea", [kettle], teapot, [milky]))
    assert_allowed(kettle.get(teapot, "/pour", headers={"x-milk": "oat"}))
    assert_denied(kettle.get(teapot, "/pour"), kettle.get(teapot, "/pour", headers={"x-milk": "soy"}))


@requirement("TA-035")
def test_a_route_group_may_serve_several_destinations_apart(
    smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload, cosy: Workload
) -> None:
    """Two TrafficTargets share a group: each opens its own destination, and a third stays closed."""
    shared = HTTPRouteGroup("menu", [POUR])
    smi.apply(TrafficTarget("tea", [kettle], teapot, [shared]), TrafficTarget("milk", [intruder], cosy, [shared]))
    # The one applied last is looked at first: from then on both are in force.
    assert_allowed(intruder.get(cosy, "/pour"), kettle.get(teapot, "/pour"))
    assert_denied(kettle.get(cosy, "/pour"), intruder.get(teapot, "/pour"))
