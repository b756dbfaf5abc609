"""API, schemas: what the live CRD says is what happens; where it says otherwise than the document it is noted.

Schemas differ between meshes, since the specification leaves most validation to them. An admission webhook may be
stricter than a schema. What is accepted has to be stored as it was written.
"""

from collections.abc import Callable
from typing import Any

from pytest_smi import (
    ANY,
    HTTPRouteGroup,
    Raw,
    Refused,
    Resource,
    Smi,
    TrafficTarget,
    Workload,
    assert_accepted,
    assert_allowed,
    assert_denied,
    assert_rejected,
    assert_that,
    requirement,
)

from .bodies import body_of, matches_of, rules_of, target_of, with_value

Schema = Callable[..., dict[str, Any]]


def judged(smi: Smi, what: str, manifest: dict[str, Any], *, forbidden: bool, dry: bool = False) -> None:
    """A manifest that the schema forbids is refused; one that it admits is stored as written, unless admission refuses.

    Which of the two happened is noted under `what`. `dry`: a mesh may choke on it, so it is only tried in a dry run.
    """
    answer = smi.tried(Raw(manifest)) if dry else smi.refused(Raw(manifest))
    if isinstance(answer, Refused):
        smi.observe(what, "refused")
        return
    smi.observe(what, "accepted")
    assert_that(smi, not forbidden, f"{what}: refused, as the schema says", "accepted")
    written, stored = body_of(manifest), body_of(answer or smi.api.get(smi.path(Raw(manifest))))
    assert_that(smi, stored == written, f"{what}: stored as {written}", stored)


@requirement("API-012")
def test_empty_lists_are_judged_as_the_schema_says(smi: Smi, example: Resource, schema: Schema) -> None:
    """Empty rules or sources: no published schema refuses them. Where they are taken nobody may fill them in."""
    (manifest,) = smi.render(example)
    assert_accepted(smi, example)
    for place in (rules_of(smi), (*target_of(smi), "sources")):
        least = schema(*place).get("minItems", 0)
        judged(smi, f"empty {place[-1]}", with_value(manifest, [], *place), forbidden=least > 0)


@requirement("API-014")
def test_the_destinations_port_is_optional_and_whole(smi: Smi, example: Resource) -> None:
    """Without a port, and with 8080, the object is taken; a port in words or with a fraction is not."""
    (manifest,) = smi.render(example)
    assert_accepted(smi, example)
    place = (*target_of(smi), "destination", "port")
    assert_accepted(smi, Raw(with_value(manifest, 8080, *place)))
    for wrong in ("8080", 80.5):
        assert_rejected(smi, Raw(with_value(manifest, wrong, *place)))


@requirement("API-015")
def test_the_destinations_port_is_gone(smi: Smi, example: Resource) -> None:
    """From v1alpha3 a port in the destination is refused or pruned: nobody may believe that it restricts anything."""
    (manifest,) = smi.render(example)
    assert_accepted(smi, example)
    refusal = smi.refused(Raw(with_value(manifest, 8080, "spec", "destination", "port")))
    smi.observe("a port", "refused" if refusal else "pruned")
    stored = smi.api.get(smi.path(example))["spec"]["destination"]
    assert_that(smi, "port" not in stored, "no port is stored", stored)


@requirement("API-017")
def test_matches_in_the_old_place_do_not_count(smi: Smi, kettle: Workload, teapot: Workload, example: Resource) -> None:
    """`matches` beside `metadata`, as before v1alpha3: refused, or of no effect on traffic."""
    group = HTTPRouteGroup("old", [ANY("/pour$", name="pour")])
    (manifest,) = smi.render(group)
    assert_accepted(smi, example)
    old = {**manifest, "matches": manifest["spec"]["matches"]}
    del old["spec"]
    refusal = smi.refused(Raw(old))
    smi.observe("the old shape", "refused" if refusal else "accepted")
    stored = smi.api.find(smi.path(Raw(old))) or {}
    assert_that(smi, "matches" not in stored, "no matches are stored in the old place", stored)
    if smi.versions.access:
        smi.apply(TrafficTarget("tea", [kettle], teapot, [group.reference]))
        smi.apply(TrafficTarget("good", [kettle], teapot, [ANY("/stir$")]))
        assert_allowed(kettle.get(teapot, "/stir"))
        assert_denied(kettle.get(teapot, "/pour"))


@requirement("API-018")
def test_invalid_expressions_are_judged_as_the_schema_says(smi: Smi, example: Resource, schema: Schema) -> None:
    """No published schema looks into a regular expression. Where an invalid one is taken nobody may mend it."""
    (manifest,) = smi.render(example)
    assert_accepted(smi, example)
    place: tuple[str | int, ...] = (*matches_of(smi), 0, "pathRegex")
    forbidden = schema(*matches_of(smi), "pathRegex").get("format") == "regex"
    judged(smi, "an invalid expression", with_value(manifest, "/pour([", *place), forbidden=forbidden)


@requirement("API-020")
def test_no_ports_are_accepted_and_absent_ones_judged_as_the_schema_says(
    smi: Smi, example: Resource, schema: Schema
) -> None:
    """`ports: []` is every port. The document lets `ports` be absent too; some schemas do not, which is noted."""
    (manifest,) = smi.render(example)
    assert_accepted(smi, Raw(with_value(manifest, [], "spec", "matches", "ports")))
    stored = smi.api.get(smi.path(example))["spec"]["matches"]
    assert_that(smi, stored == {"ports": []}, "the empty list is stored", stored)
    needs_ports = "ports" in schema("spec", "matches").get("required", ())
    judged(smi, "absent ports", with_value(manifest, {}, "spec", "matches"), forbidden=needs_ports)


@requirement("API-023")
def test_weights_are_whole_numbers_of_any_size(smi: Smi, example: Resource, schema: Schema) -> None:
    """0 and 1000 are weights like any other. A fraction or less than nothing is judged as the schema says."""
    (manifest,) = smi.render(example)
    place = ("spec", "backends", 0, "weight")
    for weight in (0, 1000):
        assert_accepted(smi, Raw(with_value(manifest, weight, *place)))
        stored = smi.api.get(smi.path(example))["spec"]["backends"][0]
        assert_that(smi, stored["weight"] == weight, f"the weight {weight} is stored", stored)
    said = schema("spec", "backends", "weight")
    judged(smi, "0.5", with_value(manifest, 0.5, *place), forbidden=said.get("type") == "integer", dry=True)
    judged(smi, "-200", with_value(manifest, -200, *place), forbidden=said.get("minimum", -200) > -200, dry=True)


@requirement("API-026")
def test_a_root_among_the_backends_is_judged_as_the_schema_says(smi: Smi, example: Resource) -> None:
    """No schema can see it; an admission webhook can. Where it is taken nobody may leave the backend out in silence."""
    (manifest,) = smi.render(example)
    assert_accepted(smi, example)
    backends = [{"service": "root", "weight": 900}, {"service": "china", "weight": 100}]
    judged(smi, "its root as a backend", with_value(manifest, backends, "spec", "backends"), forbidden=False)


@requirement("API-027")
def test_a_binding_has_schemes_that_say_something(smi: Smi, example: Resource) -> None:
    """Each scheme alone is taken. None, an empty one, or labels beside a ServiceAccount are refused."""
    (manifest,) = smi.render(example)
    labels = {"podLabelSelector": {"matchLabels": {"app": "teapot"}}}
    good: list[dict[str, Any]] = [{"serviceAccount": "teapot"}, labels, {"spiffeIdentities": ["spiffe://a/b"]}]
    for schemes in good:
        assert_accepted(smi, Raw(with_value(manifest, {"schemes": schemes}, "spec")))
    empty: list[dict[str, Any]] = [{}, {"spiffeIdentities": []}, {"podLabelSelector": {"matchLabels": {}}}]
    for schemes in (*empty, {**labels, "serviceAccount": "teapot"}):
        assert_rejected(smi, Raw(with_value(manifest, {"schemes": schemes}, "spec")))
    assert_rejected(smi, Raw(with_value(manifest, {}, "spec")))
