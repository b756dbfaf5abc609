"""Specs, `methods` of an HTTPRouteGroup."""

from pytest_smi import (
    ANY,
    GET,
    HTTPRouteGroup,
    Match,
    Smi,
    TrafficTarget,
    Workload,
    assert_allowed,
    assert_denied,
    is_allowed,
    requirement,
)

BESIDE_GET = ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE")


@requirement("TSC-030")
def test_a_method_matches_only_itself(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """GET is GET, and none of the others."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [GET("/pour$")]))
    assert_allowed(kettle.get(teapot, "/pour"))
    assert_denied(*(kettle.request(method, teapot, "/pour") for method in BESIDE_GET), times=2)


@requirement("TSC-031")
def test_the_asterisk_matches_every_method(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """`*` is any method; what it is for a method that HTTP does not define is observed."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [ANY("/pour$")]))
    for method in ("GET", "HEAD", *BESIDE_GET):
        assert_allowed(kettle.request(method, teapot, "/pour"), times=2)
    smi.observe("an extension method is allowed", is_allowed(kettle.request("BREW", teapot, "/pour")))


@requirement("TSC-032")
def test_get_does_not_imply_head(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """The document lists both where both are meant."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [GET("/pour$")]))
    assert_allowed(kettle.get(teapot, "/pour"))
    assert_denied(kettle.request("HEAD", teapot, "/pour"))


@requirement("TSC-033")
def test_several_methods_are_alternatives(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """Either of the listed methods is allowed, another is not."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [Match(path="/pour$", methods=["GET", "PUT"])]))
    assert_allowed(kettle.get(teapot, "/pour"), kettle.request("PUT", teapot, "/pour"))
    assert_denied(kettle.request("POST", teapot, "/pour"))


@requirement("TSC-034")
def test_path_and_method_must_both_hold(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """The path alone is not enough, nor is the method."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [GET("/pour$")]))
    assert_allowed(kettle.get(teapot, "/pour"))
    assert_denied(kettle.request("POST", teapot, "/pour"), kettle.get(teapot, "/stir"))


@requirement("TSC-035")
def test_matches_do_not_mix(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """The path of one match with the method of another is not allowed."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [GET("/pour$"), Match(path="/stir$", methods=["POST"])]))
    assert_allowed(kettle.get(teapot, "/pour"), kettle.request("POST", teapot, "/stir"))
    assert_denied(kettle.request("POST", teapot, "/pour"), kettle.get(teapot, "/stir"))


@requirement("TSC-036")
def test_observe_unusual_lists_of_methods(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """What an empty list means, and an asterisk beside a method."""
    lists = {"empty": [], "GET and *": ["GET", "*"]}
    for number, (name, methods) in enumerate(lists.items()):
        group = HTTPRouteGroup("menu", [Match("unusual", f"/list-{number}$", methods)])
        smi.observe(f"{name}: refused", smi.refused(TrafficTarget("tea", [kettle], teapot, [group])) is not None)
        smi.apply(TrafficTarget("good", [kettle], teapot, [GET(f"/mark-{number}$")]))
        assert_allowed(kettle.get(teapot, f"/mark-{number}"))
        for method in ("GET", "POST"):
            call = kettle.request(method, teapot, f"/list-{number}")
            smi.observe(f"{name}: {method} is allowed", is_allowed(call))


@requirement("TSC-037")
def test_methods_are_case_sensitive(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """`get` in small letters is not the method GET."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [GET("/pour$")]))
    assert_allowed(kettle.get(teapot, "/pour"))
    assert_denied(kettle.request("get", teapot, "/pour"))


@requirement("TSC-038")
def test_each_method_of_the_schema_is_enforced(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """The schema takes each of its methods, and each opens its own path to itself and not to the next one."""
    methods = ("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "TRACE", "PATCH")
    smi.apply(TrafficTarget("tea", [kettle], teapot, [Match(path=f"/{m}$", methods=[m]) for m in methods]))
    assert_allowed(kettle.get(teapot, "/GET"))
    for method, other in zip(methods, (*methods[1:], methods[0]), strict=True):
        assert_allowed(kettle.request(method, teapot, f"/{method}"), times=1)
        assert_denied(kettle.request(other, teapot, f"/{method}"), times=1)
