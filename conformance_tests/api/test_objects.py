"""API, objects: every kind takes the ordinary verbs, and its schema means what the document says."""

import copy

from pytest_smi import Raw, Resource, Smi, assert_accepted, assert_rejected, assert_that, requirement

from .bodies import body_of, matches_of, rules_of, with_value, without


@requirement("API-007")
def test_the_minimal_example_is_accepted(smi: Smi, example: Resource) -> None:
    """What the document shows as valid is taken."""
    assert_accepted(smi, example)


@requirement("API-008")
def test_it_reads_back_as_it_was_written(smi: Smi, example: Resource) -> None:
    """Nothing of the written object is lost or changed."""
    assert_accepted(smi, example)
    expected, kept = body_of(smi.render(example)[0]), body_of(smi.api.get(smi.path(example)))
    assert_that(smi, kept == expected, f"reads back as {expected}", kept)


@requirement("API-009")
def test_update_patch_delete_list_and_watch_work(smi: Smi, example: Resource) -> None:
    """A watch sees the object added, modified by a merge patch and by an update, and deleted."""
    (manifest,) = smi.render(example)
    path, collection = smi.path(example), smi.path(example).rsplit("/", 1)[0]
    version = smi.api.get(collection)["metadata"]["resourceVersion"]
    smi.apply(example)
    smi.api.patch(path, {"metadata": {"labels": {"poured": "once"}}})
    current = smi.api.get(path)
    current["metadata"]["labels"]["poured"] = "twice"
    smi.api.replace(current)
    names = [item["metadata"]["name"] for item in smi.api.list(collection)]
    assert_that(smi, manifest["metadata"]["name"] in names, "the list holds the object", names)
    smi.delete(example)
    seen = []
    for event in smi.api.watch(collection, seconds=5, resourceVersion=version):
        seen.append((event["type"], event["object"]["metadata"].get("labels", {}).get("poured")))
        if event["type"] == "DELETED":
            break
    expected = [("ADDED", None), ("MODIFIED", "once"), ("MODIFIED", "twice"), ("DELETED", "twice")]
    assert_that(smi, seen == expected, f"the watch shows {expected}", seen)


@requirement("API-010")
def test_unknown_fields_are_pruned_or_refused(smi: Smi, example: Resource) -> None:
    """A field that the version does not know is never stored; strict validation names it."""
    (manifest,) = smi.render(example)
    body = copy.deepcopy(manifest)
    body.setdefault("spec", {})["flavour"] = "oolong"
    strict = smi.api.request("POST", smi.path(example).rsplit("/", 1)[0], body, query={"fieldValidation": "Strict"})
    assert_that(smi, strict.code in (400, 422), "strict field validation refuses the field", strict.code)
    assert_accepted(smi, Raw(body))
    stored = smi.api.get(smi.path(example)).get("spec", {})
    assert_that(smi, "flavour" not in stored, "the unknown field is pruned", stored)


@requirement("API-011")
def test_a_target_without_destination_rules_or_sources_is_rejected(smi: Smi, example: Resource) -> None:
    """From v1alpha3 the document calls such an object not valid. The complete one is taken."""
    (manifest,) = smi.render(example)
    assert_accepted(smi, example)
    if smi.versions.access in ("v1alpha3", "v1alpha4"):
        for field in ("destination", "rules", "sources"):
            assert_rejected(smi, Raw(without(manifest, "spec", field)))


@requirement("API-013")
def test_only_route_kinds_may_be_rules(smi: Smi, example: Resource) -> None:
    """A rule's kind is one of the specs group's kinds."""
    (manifest,) = smi.render(example)
    assert_accepted(smi, example)
    assert_rejected(smi, Raw(with_value(manifest, "GRPCRoute", *rules_of(smi), 0, "kind")))


@requirement("API-016")
def test_a_match_needs_a_name_and_known_methods(smi: Smi, example: Resource) -> None:
    """A match without a name, or with a method that HTTP does not have, is rejected."""
    (manifest,) = smi.render(example)
    assert_accepted(smi, example)
    at: tuple[str | int, ...] = (*matches_of(smi), 0)
    assert_rejected(smi, Raw(with_value(manifest, {"pathRegex": "/pour", "methods": ["GET"]}, *at)))
    assert_rejected(smi, Raw(with_value(manifest, ["get"], *at, "methods")))


@requirement("API-019")
def test_ports_are_a_list_of_numbers_in_one_object(smi: Smi, example: Resource) -> None:
    """A port as a string, or `matches` as a list, is rejected."""
    (manifest,) = smi.render(example)
    assert_accepted(smi, example)
    assert_rejected(smi, Raw(with_value(manifest, ["8080"], "spec", "matches", "ports")))
    assert_rejected(smi, Raw(with_value(manifest, [{"ports": [8080]}], "spec", "matches")))


@requirement("API-021")
def test_a_split_needs_service_backends_and_weights(smi: Smi, example: Resource) -> None:
    """Root, backends, and for each backend its Service and weight are required."""
    (manifest,) = smi.render(example)
    assert_accepted(smi, example)
    for field in ("service", "backends"):
        assert_rejected(smi, Raw(without(manifest, "spec", field)))
    for backend in ({"service": "china"}, {"weight": 1}):
        assert_rejected(smi, Raw(with_value(manifest, [backend], "spec", "backends")))


@requirement("API-022")
def test_from_v1alpha2_a_weight_is_no_string(smi: Smi, example: Resource) -> None:
    """`500m` was a weight in v1alpha1 only."""
    (manifest,) = smi.render(example)
    assert_accepted(smi, example)
    assert_rejected(smi, Raw(with_value(manifest, "500m", "spec", "backends", 0, "weight")))


@requirement("API-024")
def test_v1alpha1_takes_quantities_as_weights(smi: Smi, example: Resource) -> None:
    """`500m` is half of `1`."""
    (manifest,) = smi.render(example)
    assert_accepted(smi, Raw(with_value(manifest, "500m", "spec", "backends", 0, "weight")))


@requirement("API-025")
def test_a_splits_match_is_a_named_route_group(smi: Smi, example: Resource) -> None:
    """`matches` takes HTTPRouteGroups by name and nothing else."""
    (manifest,) = smi.render(example)
    good = {"kind": "HTTPRouteGroup", "name": "tasters"}
    assert_accepted(smi, Raw(with_value(manifest, [good], "spec", "matches")))
    for bad in ({"kind": "TCPRoute", "name": "tasters"}, {"kind": "HTTPRouteGroup"}):
        assert_rejected(smi, Raw(with_value(manifest, [bad], "spec", "matches")))
