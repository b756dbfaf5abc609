"""Specs, HTTPRouteGroup in general and `pathRegex`.

Patterns begin with `/` and end in `$` or `.*`, which all meshes read alike, except where the anchors are the point.
"""

from pytest_smi import (
    ANY,
    GET,
    HTTPRouteGroup,
    Match,
    Raw,
    RouteRef,
    Rule,
    Smi,
    TrafficTarget,
    Workload,
    assert_allowed,
    assert_denied,
    is_allowed,
    requirement,
)


def grant(smi: Smi, source: Workload, destination: Workload, *patterns: str) -> None:
    """Any method on these paths."""
    smi.apply(TrafficTarget("tea", [source], destination, [ANY(pattern) for pattern in patterns]))


@requirement("TSC-001")
def test_a_route_group_does_nothing_by_itself(smi: Smi, kettle: Workload, cosy: Workload, teapot: Workload) -> None:
    """Only a policy that refers to it gives it effect."""
    everything = HTTPRouteGroup("everything", [ANY()])
    smi.apply(everything, TrafficTarget("good", [cosy], teapot, [ANY("/stir$")]))
    assert_allowed(cosy.get(teapot, "/stir"))
    assert_denied(kettle.get(teapot, "/pour"), cosy.get(teapot, "/pour"))
    smi.apply(TrafficTarget("tea", [kettle], teapot, [everything.reference]))
    assert_allowed(kettle.get(teapot, "/pour"))


@requirement("TSC-002")
def test_a_route_group_describes_http_1_and_http_2(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """The same route, the same verdict in both."""
    grant(smi, kettle, teapot, "/pour$")
    for protocol in ("http1", "h2c"):
        assert_allowed(kettle.get(teapot, "/pour", protocol=protocol))
        assert_denied(kettle.get(teapot, "/stir", protocol=protocol))


@requirement("TSC-003")
def test_rules_refer_to_matches_by_name(smi: Smi, kettle: Workload, cosy: Workload, teapot: Workload) -> None:
    """Renaming the match breaks the reference, naming it as before mends it."""
    menu, renamed = (HTTPRouteGroup("menu", [ANY("/pour$", name=name)]) for name in ("pour", "serve"))
    smi.apply(TrafficTarget("tea", [kettle], teapot, [Rule(menu, ["pour"])]))
    assert_allowed(kettle.get(teapot, "/pour"))
    smi.apply(renamed)
    assert_denied(kettle.get(teapot, "/pour"))
    smi.apply(menu)
    assert_allowed(kettle.get(teapot, "/pour"))


@requirement("TSC-004")
def test_observe_two_matches_of_one_name(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """The document calls the name a primary key; no schema enforces it."""
    group = HTTPRouteGroup("twins", [Match("pour", f"/{which}$", ["*"]) for which in ("first", "second")])
    smi.observe("refused", smi.refused(group) is not None)
    smi.apply(
        TrafficTarget("tea", [kettle], teapot, [Rule(RouteRef("HTTPRouteGroup", "twins"), ["pour"]), ANY("/stir$")])
    )
    assert_allowed(kettle.get(teapot, "/stir"))
    for which in ("first", "second"):
        smi.observe(f"the {which} counts", is_allowed(kettle.get(teapot, f"/{which}")))


@requirement("TSC-005")
def test_v1alpha1_requires_name_path_and_methods(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """All three are required: a match that lacks one is refused, or it grants nothing."""
    whole = HTTPRouteGroup("half", [GET("/pour$", name="pour")])
    for number, field in enumerate(("name", "pathRegex", "methods")):
        (half,) = smi.render(whole)
        del half["matches"][0][field]
        tea = TrafficTarget("tea", [kettle], teapot, [whole.reference])
        smi.observe(f"without {field}", "refused" if smi.refused(Raw(half), tea) else "accepted")
        smi.apply(TrafficTarget("good", [kettle], teapot, [GET(f"/mark-{number}$")]))
        assert_allowed(kettle.get(teapot, f"/mark-{number}"))
        assert_denied(kettle.get(teapot, "/pour"), kettle.request("PUT", teapot, "/pour"), kettle.get(teapot, "/stir"))


@requirement("TSC-010")
def test_the_path_is_a_regular_expression(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """Alternatives in brackets are alternatives."""
    grant(smi, kettle, teapot, "/p(our|ot)$")
    assert_allowed(kettle.get(teapot, "/pour"), kettle.get(teapot, "/pot"))
    assert_denied(kettle.get(teapot, "/pan"))


@requirement("TSC-011")
def test_the_path_is_anchored_at_its_beginning(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """A path that has the pattern further on does not match."""
    grant(smi, kettle, teapot, "/pour$")
    assert_allowed(kettle.get(teapot, "/pour"))
    assert_denied(kettle.get(teapot, "/x/pour"), kettle.get(teapot, "/x/y/pour"))


@requirement("TSC-012")
def test_observe_the_end_of_the_path(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """The document names an anchor at the beginning only: is /pour a prefix or the whole path?"""
    grant(smi, kettle, teapot, "/pour")
    assert_allowed(kettle.get(teapot, "/pour"))
    for path in ("/pour/cup", "/pourx"):
        smi.observe(f"/pour matches {path}", is_allowed(kettle.get(teapot, path)))


@requirement("TSC-013")
def test_anchors_that_are_written_are_honoured(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """`/pour$` and `^/stir$` mean just these paths, whatever a mesh adds by itself."""
    grant(smi, kettle, teapot, "/pour$", "^/stir$")
    assert_allowed(kettle.get(teapot, "/pour"), kettle.get(teapot, "/stir"))
    assert_denied(kettle.get(teapot, "/pour/cup"), kettle.get(teapot, "/stir/cup"))


@requirement("TSC-014")
def test_dot_star_and_any_method_match_everything(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """As in the document's example, `.*` with `*` is any path with any method."""
    grant(smi, kettle, teapot, ".*")
    paths = ("/", "/a/b/c/d", "/caf%C3%A9%20cr%C3%A8me", "/" + "long" * 500)
    assert_allowed(*(kettle.get(teapot, path) for path in paths))
    assert_allowed(kettle.request("POST", teapot, "/a"), kettle.request("DELETE", teapot, "/a/b"))


@requirement("TSC-015")
def test_metacharacters_are_live(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """A dot stands for any character, unless it is escaped."""
    grant(smi, kettle, teapot, "/a.c$", r"/x\.z$")
    assert_allowed(*(kettle.get(teapot, path) for path in ("/abc", "/a.c", "/x.z")))
    assert_denied(kettle.get(teapot, "/xyz"))


@requirement("TSC-016")
def test_the_path_is_case_sensitive(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """`/Pour$` is not /pour."""
    grant(smi, kettle, teapot, "/Pour$")
    assert_allowed(kettle.get(teapot, "/Pour"))
    assert_denied(kettle.get(teapot, "/pour"))


@requirement("TSC-017")
def test_observe_the_query(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """The document says "URI": does the query belong to it?"""
    grant(smi, kettle, teapot, "/pour$", r"/stir\?x=1$", "/mark$")
    assert_allowed(kettle.get(teapot, "/mark"))
    smi.observe("a pattern without query matches a path with one", is_allowed(kettle.get(teapot, "/pour?x=1")))
    smi.observe("a pattern with a query matches", is_allowed(kettle.get(teapot, "/stir?x=1")))


@requirement("TSC-018")
def test_observe_normalisation(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """Is a path normalised before it is matched?"""
    grant(smi, kettle, teapot, "/pour$")
    assert_allowed(kettle.get(teapot, "/pour"))
    for path in ("/po%75r", "/x/../pour", "//pour"):
        smi.observe(f"/pour$ matches {path}", is_allowed(kettle.get(teapot, path)))


@requirement("TSC-019")
def test_observe_the_dialect(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """Which regular expressions are understood?"""
    smi.apply(TrafficTarget("good", [kettle], teapot, [ANY("/mark$")]))
    dialects = {"class": r"/\d+$", "posix": "/[[:alpha:]]+$", "lookahead": "/(?=p)pour$", "backreference": r"/(a)\1$"}
    paths = {"class": "/12", "posix": "/abc", "lookahead": "/pour", "backreference": "/aa"}
    for number, (name, pattern) in enumerate(dialects.items()):
        smi.refused(TrafficTarget("tea", [kettle], teapot, [ANY(pattern, name=name), ANY(f"/fence-{number}$")]))
        smi.apply(TrafficTarget("good", [kettle], teapot, [ANY(f"/mark-{number}$")]))
        assert_allowed(kettle.get(teapot, f"/mark-{number}"))
        smi.observe(f"{name} {pattern}", is_allowed(kettle.get(teapot, paths[name])))


@requirement("TSC-020")
def test_an_invalid_expression_neither_opens_nor_crashes(
    smi: Smi, kettle: Workload, cosy: Workload, teapot: Workload
) -> None:
    """Patterns that do not compile are refused or match nothing, and other policies go on."""
    for number, pattern in enumerate(("([", "*", "(?P<")):
        smi.refused(TrafficTarget(f"tea-{number}", [kettle], teapot, [ANY(pattern)]))
    smi.apply(TrafficTarget("good", [cosy], teapot, [ANY("/stir$")]))
    assert_allowed(cosy.get(teapot, "/stir"))
    assert_denied(kettle.get(teapot, "/pour"), kettle.get(teapot, "/*"))


@requirement("TSC-021")
def test_the_body_takes_no_part(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """Only the URI, the method and headers decide: a body changes no verdict, either way."""
    grant(smi, kettle, teapot, "/pour$")
    for body in ("", "/admin", "/pour"):
        assert_allowed(kettle.request("POST", teapot, "/pour", body=body))
        assert_denied(kettle.request("POST", teapot, "/admin", body=body))


@requirement("TSC-022")
def test_observe_the_host_as_a_header(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """Does a header filter see the host?"""
    hosted = Match("hosted", path="/pour$", methods=["GET"], headers={"host": "^teapot.*"})
    smi.observe("refused", smi.refused(TrafficTarget("tea", [kettle], teapot, [hosted])) is not None)
    smi.apply(TrafficTarget("good", [kettle], teapot, [GET("/stir$")]))
    assert_allowed(kettle.get(teapot, "/stir"))
    smi.observe("a filter on host matches", is_allowed(kettle.get(teapot, "/pour")))
    smi.observe("... any host", is_allowed(kettle.get(teapot, "/pour", headers={"host": "elsewhere"})))
