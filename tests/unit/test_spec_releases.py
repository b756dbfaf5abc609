"""Which API versions go together."""

from __future__ import annotations

import itertools

import pytest

from pytest_smi.errors import HarnessError
from pytest_smi.spec.kinds import AREAS, KINDS, VERSIONS, newest_first, version_number
from pytest_smi.spec.releases import (
    RELEASES,
    ApiVersions,
    UnknownRelease,
    check_release,
    companions,
    compatible,
    newest_served,
)

EVERYTHING = {"access": VERSIONS, "specs": VERSIONS, "split": VERSIONS, "metrics": ("v1alpha1",)}
OSM = {"access": ["v1alpha3"], "specs": ["v1alpha4"], "split": ["v1alpha2"]}
LINKERD = {"split": ["v1alpha1", "v1alpha2"]}


@pytest.mark.parametrize("release", RELEASES)
def test_the_versions_of_a_release_are_compatible(release: str) -> None:
    versions = RELEASES[release]
    assert versions.access is not None
    assert versions.specs is not None
    assert versions.split is not None
    assert compatible("access", versions.access, versions.specs)
    assert compatible("split", versions.split, versions.specs)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("area", ["access", "specs", "split"])
def test_a_release_that_is_served_whole_is_used_whole(release: str, area: str) -> None:
    versions = RELEASES[release]
    assert companions(area, getattr(versions, area), EVERYTHING, release) == versions


@pytest.mark.parametrize(
    ("area", "version", "expected"),
    [
        ("access", "v1alpha1", ("v1alpha1", "v1alpha2", "v1alpha3")),
        ("access", "v1alpha2", ("v1alpha2", "v1alpha3", "v1alpha3")),
        ("access", "v1alpha3", ("v1alpha3", "v1alpha4", "v1alpha4")),
        ("specs", "v1alpha1", ("v1alpha1", "v1alpha1", "v1alpha2")),
        ("specs", "v1alpha4", ("v1alpha4", "v1alpha4", "v1alpha4")),
        ("split", "v1alpha1", ("v1alpha4", "v1alpha4", "v1alpha1")),
        ("split", "v1alpha2", ("v1alpha4", "v1alpha4", "v1alpha2")),
        ("split", "v1alpha3", ("v1alpha2", "v1alpha3", "v1alpha3")),
    ],
)
def test_without_a_release_companions_are_the_newest_compatible(
    area: str, version: str, expected: tuple[str, str, str]
) -> None:
    assert companions(area, version, EVERYTHING) == ApiVersions(*expected, "v1alpha1")


def test_access_v1alpha1_goes_with_specs_v1alpha1_where_only_that_is_served() -> None:
    served = {"access": ["v1alpha1"], "specs": ["v1alpha1"], "split": ["v1alpha2"]}
    assert companions("access", "v1alpha1", served) == ApiVersions("v1alpha1", "v1alpha1", "v1alpha2")


def test_a_release_served_in_part_falls_back_to_what_is_served() -> None:
    assert companions("access", "v1alpha3", OSM, "0.6.0") == ApiVersions("v1alpha3", "v1alpha4", "v1alpha2")


def test_a_split_needs_no_companions() -> None:
    assert companions("split", "v1alpha2", LINKERD) == ApiVersions(split="v1alpha2")


def test_a_split_goes_without_specs_that_do_not_fit() -> None:
    served = {"split": ["v1alpha3"], "specs": ["v1alpha4"], "access": ["v1alpha3"]}
    assert companions("split", "v1alpha3", served) == ApiVersions(split="v1alpha3")


@pytest.mark.parametrize(
    ("area", "version", "served"),
    [
        ("access", "v1alpha3", {"access": ["v1alpha3"]}),
        ("access", "v1alpha3", {"access": ["v1alpha3"], "specs": ["v1alpha3"]}),
        ("specs", "v1alpha4", {"specs": ["v1alpha4"]}),
        ("split", "v1alpha4", LINKERD),
        ("metrics", "v1alpha1", OSM),
    ],
)
def test_no_compatible_pair_gives_none(area: str, version: str, served: dict[str, list[str]]) -> None:
    assert companions(area, version, served) is None


def test_every_answer_is_compatible_and_deterministic() -> None:
    subsets = [VERSIONS[:2], VERSIONS[1:3], VERSIONS[3:], ()]
    for access, specs, split in itertools.product(subsets, repeat=3):
        served = {"access": access, "specs": specs, "split": split}
        backwards = {area: list(reversed(versions)) for area, versions in reversed(served.items())}
        for area, version in itertools.product(("access", "specs", "split"), VERSIONS):
            found = companions(area, version, served)
            assert found == companions(area, version, backwards)
            if found is None:
                continue
            assert getattr(found, area) == version
            assert all(chosen in served[name] for name, chosen in found.as_dict().items())
            assert found.access is None or (found.specs and compatible("access", found.access, found.specs))
            assert not (found.split and found.specs) or compatible("split", found.split, found.specs)


def test_newest_served_takes_what_goes_together() -> None:
    assert newest_served(OSM) == ApiVersions("v1alpha3", "v1alpha4", "v1alpha2")
    assert newest_served(LINKERD) == ApiVersions(split="v1alpha2")
    assert newest_served({"access": ["v1alpha1", "v1alpha3"], "specs": ["v1alpha2"]}).access == "v1alpha1"
    assert newest_served({}) == ApiVersions()


@pytest.mark.parametrize(
    ("given", "plain"), [("0.6.0", "0.6.0"), ("v0.5.0", "0.5.0"), ("all", "all"), ("main", "main")]
)
def test_release_names_are_recognised(given: str, plain: str) -> None:
    assert check_release(given) == plain


@pytest.mark.parametrize(("given", "nearest"), [("0.6", "0.6.0"), ("v0.6", "0.6.0"), ("mian", "main"), ("xyz", None)])
def test_a_bad_release_is_one_line_with_the_nearest_name(given: str, nearest: str | None) -> None:
    with pytest.raises(UnknownRelease) as caught:
        check_release(given)
    assert caught.value.nearest == nearest
    assert isinstance(caught.value, HarnessError)
    assert given in str(caught.value)
    assert "0.4.0, 0.5.0, 0.6.0, main, all" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_kinds_know_their_names() -> None:
    split = KINDS["TrafficSplit"]
    assert (split.group, split.singular, split.short) == ("split.smi-spec.io", "trafficsplit", "ts")
    assert split.api_version("v1alpha2") == "split.smi-spec.io/v1alpha2"
    assert all(set(kind.versions) <= set(AREAS[kind.area]) for kind in KINDS.values())


def test_versions_are_ordered_by_number() -> None:
    assert newest_first(["v1alpha1", "v1alpha3", "v9"]) == ["v1alpha3", "v1alpha1"]
    assert [version_number(version) for version in VERSIONS] == [1, 2, 3, 4]
    with pytest.raises(ValueError, match="v1beta1"):
        version_number("v1beta1")
