"""Specs, header filters of an HTTPRouteGroup (v1alpha2 and later).

Values are anchored at both ends, except where that is the point: the documents do not say how they are compared.
"""

from copy import deepcopy
from typing import Any

from pytest_smi import (
    ANY,
    GET,
    HTTPRouteGroup,
    Match,
    Raw,
    Smi,
    TrafficTarget,
    Workload,
    assert_allowed,
    assert_denied,
    is_allowed,
    requirement,
)

OAT, SOY, TWO = {"x-milk": "oat"}, {"x-milk": "soy"}, {"x-sugar": "two"}


def pour(**headers: str) -> Match:
    """GET /pour with filters on these headers (`_` stands for `-`)."""
    filters = {name.replace("_", "-"): value for name, value in headers.items()}
    return GET("/pour$", name="-".join(["pour", *headers]).replace("_", "-"), headers=filters)


@requirement("TSC-040")
def test_a_header_filter_is_a_regular_expression(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """The value of the request's header must match it."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [pour(x_milk="^o(at|x)$")]))
    assert_allowed(kettle.get(teapot, "/pour", headers=OAT))
    assert_denied(kettle.get(teapot, "/pour", headers=SOY), kettle.get(teapot, "/pour"))


@requirement("TSC-041")
def test_filters_of_one_match_must_all_hold(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """Two filters: both headers are needed, either alone is not enough."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [pour(x_milk="^oat$", x_sugar="^two$")]))
    assert_allowed(kettle.get(teapot, "/pour", headers=OAT | TWO))
    assert_denied(kettle.get(teapot, "/pour", headers=OAT), kettle.get(teapot, "/pour", headers=TWO))


@requirement("TSC-042")
def test_matches_with_filters_are_alternatives(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """Two matches: either header is enough, none is not."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [pour(x_milk="^oat$"), pour(x_sugar="^two$")]))
    assert_allowed(kettle.get(teapot, "/pour", headers=OAT), kettle.get(teapot, "/pour", headers=TWO))
    assert_denied(kettle.get(teapot, "/pour", headers=SOY))


@requirement("TSC-043")
def test_filters_alone_hold_for_any_path_and_method(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """With `pathRegex` and `methods` left out only the headers count."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [Match("milky", headers={"x-milk": "^oat$"})]))
    assert_allowed(kettle.get(teapot, "/pour", headers=OAT), kettle.request("PUT", teapot, "/a/b", headers=OAT))
    assert_denied(kettle.get(teapot, "/pour"))


@requirement("TSC-044")
def test_path_method_and_headers_must_hold_together(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """Each of the three, broken by itself, is enough for a refusal."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [pour(x_milk="^oat$")]))
    assert_allowed(kettle.get(teapot, "/pour", headers=OAT))
    assert_denied(
        kettle.get(teapot, "/stir", headers=OAT),
        kettle.request("POST", teapot, "/pour", headers=OAT),
        kettle.get(teapot, "/pour", headers=SOY),
    )


@requirement("TSC-045")
def test_names_of_headers_have_no_case(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """A filter on X-Milk sees x-milk and X-MILK, and the other way round."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [GET("/pour$", headers={"X-Milk": "^oat$"})]))
    for name in ("x-milk", "X-MILK"):
        assert_allowed(kettle.get(teapot, "/pour", headers={name: "oat"}))
        assert_denied(kettle.get(teapot, "/pour", headers={name: "soy"}))


@requirement("TSC-046")
def test_an_absent_header_does_not_match(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """Not even against `.*`."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [pour(x_milk=".*")]))
    assert_allowed(kettle.get(teapot, "/pour", headers=OAT))
    assert_denied(kettle.get(teapot, "/pour"))


@requirement("TSC-047")
def test_observe_partial_values(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """Must the expression match the whole value?"""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [pour(x_milk="oat")]))
    assert_allowed(kettle.get(teapot, "/pour", headers=OAT))
    smi.observe("oat matches oatly", is_allowed(kettle.get(teapot, "/pour", headers={"x-milk": "oatly"})))


@requirement("TSC-048")
def test_observe_repeated_headers(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """A header may come twice, or with a list in it."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [pour(x_milk="^oat$")]))
    assert_allowed(kettle.get(teapot, "/pour", headers=OAT))
    lines = [("x-milk", "oat"), ("x-milk", "soy")]
    smi.observe("oat, then soy", is_allowed(kettle.get(teapot, "/pour", headers=lines)))
    smi.observe("soy, then oat", is_allowed(kettle.get(teapot, "/pour", headers=lines[::-1])))
    smi.observe("a list", is_allowed(kettle.get(teapot, "/pour", headers={"x-milk": "oat, soy"})))


@requirement("TSC-049")
def test_the_documents_cookie_example(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """A cookie pair at any place, together with the user agent, and nothing that only looks like it."""
    agent, cookie = ".*Android.*", "^(.*;)?(type=insider)(;.*)?$"
    smi.apply(
        TrafficTarget("tea", [kettle], teapot, [Match("insiders", headers={"user-agent": agent, "cookie": cookie})])
    )

    def asks(cookie: str, agent: str = "Mozilla/5.0 (Android 14)") -> Any:
        return kettle.get(teapot, "/pour", headers={"user-agent": agent, "cookie": cookie})

    assert_allowed(
        *(asks(it) for it in ("type=insider", "type=insider;a=1", "a=1;type=insider;b=2", "a=1;type=insider"))
    )
    assert_denied(asks("type=insiderx"), asks("type=insider", agent="Mozilla/5.0 (X11)"))


@requirement("TSC-050")
def test_response_headers_play_no_part(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """The application answers with the header that the filter wants; only the request's counts."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [pour(x_milk="^oat$")]))
    teapot.pod.agent.behaviour(headers=OAT)
    try:
        assert_allowed(kettle.get(teapot, "/pour", headers=OAT))
        assert_denied(kettle.get(teapot, "/pour"))
    finally:
        teapot.pod.agent.behaviour()


@requirement("TSC-051")
def test_both_encodings_of_filters_mean_the_same(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """The live CRD takes an array of single filters or one map; should it take both, both must have the same effect."""
    usual = HTTPRouteGroup("menu", [pour(x_milk="^oat$")])
    smi.apply(TrafficTarget("tea", [kettle], teapot, [usual]))
    group = HTTPRouteGroup("other-menu", [GET("/stir$", headers={"x-milk": "^oat$"})])
    other = deepcopy(smi.render(group)[0])
    match = other.get("spec", other)["matches"][0]
    match["headers"] = {"x-milk": "^oat$"} if isinstance(match["headers"], list) else [{"x-milk": "^oat$"}]
    refused = smi.refused(Raw(other), TrafficTarget("milk", [kettle], teapot, [group.reference]))
    for path in ("/pour",) if refused else ("/pour", "/stir"):
        assert_allowed(kettle.get(teapot, path, headers=OAT))
        assert_denied(kettle.get(teapot, path, headers=SOY))
    smi.observe("the other encoding is refused", refused is not None)


@requirement("TSC-052")
def test_observe_the_case_of_values(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """Is the value compared with its case?"""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [pour(x_milk="^oat$")]))
    assert_allowed(kettle.get(teapot, "/pour", headers=OAT))
    smi.observe("^oat$ matches OAT", is_allowed(kettle.get(teapot, "/pour", headers={"x-milk": "OAT"})))


@requirement("TSC-053")
def test_a_missing_part_matches_anything(smi: Smi, kettle: Workload, cosy: Workload, teapot: Workload) -> None:
    """A match with only a path or only methods is refused, or what is missing is anything."""
    path, methods = Match("path", path="/pour$"), Match("method", methods=["GET"])
    for client, match, meant, other in (
        (kettle, path, [kettle.get(teapot, "/pour"), kettle.request("POST", teapot, "/pour")], kettle.get(teapot)),
        (cosy, methods, [cosy.get(teapot, "/clean"), cosy.get(teapot)], cosy.request("POST", teapot, "/clean")),
    ):
        refusal = smi.refused(TrafficTarget("part", [client], teapot, [match]))
        smi.observe(f"refused: {match.name} only", refusal is not None)
        smi.apply(TrafficTarget("whole", [client], teapot, [ANY("/mark$")]))
        assert_allowed(client.get(teapot, "/mark"))
        assert_denied(other)
        if refusal is None:
            assert_allowed(*meant)
        smi.delete_all()  # one client's rules are not weighed against the other's here: that is for TA-028


@requirement("TSC-054")
def test_observe_a_match_with_only_a_name(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """Does a match without path, methods and headers mean everything or nothing? Everything would be a risk."""
    refusal = smi.refused(TrafficTarget("tea", [kettle], teapot, [Match("nothing")]))
    smi.apply(TrafficTarget("good", [kettle], teapot, [ANY("/mark$")]))
    assert_allowed(kettle.get(teapot, "/mark"))
    smi.observe("refused", refusal is not None)
    smi.observe("it opens everything", is_allowed(kettle.get(teapot, "/pour")))


@requirement("TSC-055")
def test_grpc_may_be_described_by_path_and_method(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """Until there is a kind for it: POST on /package.Service/Method."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [Match("pour", path="/tea.Pot/Pour$", methods=["POST"])]))
    assert_allowed(kettle.request("POST", teapot, "/tea.Pot/Pour", protocol="grpc"))
    assert_denied(kettle.request("POST", teapot, "/tea.Pot/Break", protocol="grpc"))


@requirement("TSC-056")
def test_v1alpha1_knows_no_header_filters(smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload) -> None:
    """Filters in a v1alpha1 group are refused or without effect: the verdicts are those of the group without them."""
    plain = HTTPRouteGroup("menu", [GET("/pour$")])
    filtered = deepcopy(smi.render(plain)[0])
    filtered["matches"][0]["headers"] = [{"x-milk": "^oat$"}]
    refusal = smi.refused(Raw(filtered))
    smi.observe("refused", refusal is not None)
    if refusal:
        smi.apply(plain)
    smi.apply(TrafficTarget("tea", [kettle], teapot, [plain.reference]))
    assert_allowed(kettle.get(teapot, "/pour"), kettle.get(teapot, "/pour", headers=SOY))
    assert_denied(intruder.get(teapot, "/pour", headers=OAT))
