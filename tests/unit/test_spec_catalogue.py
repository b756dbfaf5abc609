"""The requirement catalogue, and the instances made of it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from pytest_smi.errors import HarnessError
from pytest_smi.spec import catalogue as module
from pytest_smi.spec.catalogue import FEATURES, LEVELS, Requirement, UnknownRequirement, catalogue, find
from pytest_smi.spec.instances import instances
from pytest_smi.spec.kinds import AREAS, KINDS, VERSIONS
from pytest_smi.spec.links import document_path, references
from pytest_smi.spec.releases import RELEASES, ApiVersions, UnknownRelease, compatible

EVERYTHING = {"access": VERSIONS, "specs": VERSIONS, "split": VERSIONS, "metrics": ("v1alpha1",)}
OSM = {"access": ["v1alpha3"], "specs": ["v1alpha4"], "split": ["v1alpha2"]}
LINKERD = {"split": ["v1alpha1", "v1alpha2"]}
ALL = [*catalogue().values()]


def labels(id: str, release: str | None, served: dict[str, tuple[str, ...]] | dict[str, list[str]]) -> list[str]:
    return [instance.api for instance in instances(find(id), release, served)]


def reason(id: str, release: str | None, served: dict[str, list[str]], *absent: str) -> list[str | None]:
    return [instance.unsupported for instance in instances(find(id), release, served, absent)]


def test_the_catalogue_holds_every_statement_in_every_area() -> None:
    assert Counter(requirement.area for requirement in ALL) == {
        "access": 122,
        "specs": 57,
        "split": 77,
        "metrics": 59,
        "api": 30,
        "cross": 10,
    }


def test_ids_say_their_area_and_are_in_order() -> None:
    prefixes = {"access": "TA", "specs": "TSC", "split": "TS", "metrics": "TM", "api": "API", "cross": "XG"}
    for requirement in ALL:
        assert re.fullmatch(rf"{prefixes[requirement.area]}-[0-9]{{3}}", requirement.id)
    by_area = {area: [entry.id for entry in ALL if entry.area == area] for area in prefixes}
    assert all(ids == sorted(ids) for ids in by_area.values())


@pytest.mark.parametrize("requirement", ALL, ids=lambda requirement: requirement.id)
def test_every_requirement_is_whole(requirement: Requirement) -> None:
    assert requirement.level in LEVELS
    assert set(requirement.features) <= set(FEATURES)
    assert set(requirement.needs) <= set(AREAS)
    assert requirement.group
    assert requirement.check
    if requirement.area == "api":
        assert requirement.versions == ()
        for kind, versions in requirement.kinds:
            known = KINDS[kind].versions if kind in KINDS else AREAS["metrics"]
            assert versions
            assert set(versions) <= set(known)
    else:
        assert requirement.versions
        assert list(requirement.versions) == [v for v in AREAS[requirement.api_area] if v in requirement.versions]
    assert re.match(r"[A-Z`]", requirement.statement), "a statement is a sentence of its own"
    assert (requirement.level == "open") == requirement.statement.endswith("?") or requirement.security


def test_the_words_are_the_specifications() -> None:
    for requirement in ALL:
        text = " ".join((requirement.statement, requirement.check, requirement.source))
        assert not re.search(r"\bTTs?\b|\bSAs?\b|\bv1a[1-4]|V1A[1-4]|\bsame\b(?= *[;,)]?$)", text), requirement.id
    assert not {requirement.source for requirement in ALL} & {"same", "–"}


def test_statements_are_not_repeated() -> None:
    assert [text for text, count in Counter(entry.statement for entry in ALL).items() if count > 1] == []


def test_an_unknown_id_is_one_line_with_the_nearest() -> None:
    with pytest.raises(UnknownRequirement) as caught:
        find("TA-0044")
    assert (caught.value.id, caught.value.nearest) == ("TA-0044", "TA-044")
    assert isinstance(caught.value, HarnessError)
    assert str(caught.value) == "unknown requirement 'TA-0044' (did you mean TA-044?)"


def test_an_id_that_resembles_nothing_points_to_the_list() -> None:
    with pytest.raises(UnknownRequirement, match="pytest-smi catalog") as caught:
        find("nonsense")
    assert caught.value.nearest is None


def test_labels_are_api_versions_and_for_api_requirements_kinds() -> None:
    assert find("TS-004").apis() == ("split-v1alpha2", "split-v1alpha3", "split-v1alpha4")
    assert find("API-025").apis() == ("TrafficSplit-v1alpha3", "TrafficSplit-v1alpha4")
    assert len(find("API-001").apis()) == sum(len(kind.versions) for kind in KINDS.values())
    assert find("XG-001").apis() == tuple(f"access-{version}" for version in VERSIONS)
    assert find("TS-095").apis() == ()


@pytest.mark.parametrize("release", RELEASES)
def test_a_release_judges_its_own_versions_only(release: str) -> None:
    for requirement in ALL:
        for instance in instances(requirement, release, EVERYTHING):
            kind = KINDS.get(instance.kind or "")
            area = kind.area if kind else requirement.api_area or "metrics"
            assert instance.api.endswith(getattr(RELEASES[release], area))
            assert instance.unsupported is None


def test_all_judges_every_version_that_carries_the_statement() -> None:
    for requirement in ALL:
        found = instances(requirement, "all", EVERYTHING)
        assert tuple(instance.api for instance in found) == requirement.apis()
        assert [instance.unsupported for instance in found if instance.unsupported] == []


def test_keys_are_unique_in_a_run() -> None:
    keys = [instance.key for requirement in ALL for instance in instances(requirement, "all", EVERYTHING)]
    assert len(keys) == len(set(keys)) > 1000


def test_versions_of_an_instance_go_together() -> None:
    for requirement in ALL:
        for instance in instances(requirement, "all", EVERYTHING):
            versions = ApiVersions(**instance.versions)
            assert versions.access is None or compatible("access", versions.access, versions.specs or "")
            assert not versions.split or not versions.specs or compatible("split", versions.split, versions.specs)


def test_without_a_release_the_newest_served_version_is_judged() -> None:
    assert labels("TA-004", None, OSM) == ["access-v1alpha3"]
    assert labels("TA-004", None, EVERYTHING) == ["access-v1alpha4"]
    assert labels("TS-001", None, OSM) == ["split-v1alpha2"]
    assert instances(find("TS-001"), None, OSM)[0].versions == {
        "access": "v1alpha3",
        "specs": "v1alpha4",
        "split": "v1alpha2",
    }


def test_without_a_release_what_the_newest_version_dropped_is_not_judged() -> None:
    assert labels("TA-040", None, EVERYTHING) == []
    assert labels("TA-040", None, LINKERD) == []


def test_without_a_release_what_the_last_release_has_is_reported_as_unsupported() -> None:
    (split,) = instances(find("TS-080"), None, OSM)
    assert (split.api, split.unsupported) == ("split-v1alpha4", "split-v1alpha4: the mesh does not serve it")
    (access,) = instances(find("TA-004"), None, LINKERD)
    assert access.unsupported == "access-v1alpha3: the mesh does not serve it"
    assert instances(find("TA-150"), None, OSM) == []


def test_a_version_that_the_mesh_does_not_serve_is_unsupported() -> None:
    assert reason("TA-004", "0.5.0", OSM) == ["access-v1alpha2: the mesh does not serve it"]
    assert reason("TA-004", "all", OSM) == [
        "access-v1alpha1: the mesh does not serve it",
        "access-v1alpha2: the mesh does not serve it",
        None,
        "access-v1alpha4: the mesh does not serve it",
    ]


def test_an_absent_feature_is_named_first() -> None:
    (why,) = reason("TA-003", "0.6.0", OSM, "udp")
    assert why == "udp: the mesh's profile declares the kind UDPRoute absent"
    assert reason("TA-004", "0.6.0", OSM, "udp") == [None]


def test_an_absent_kind_rules_out_its_api_requirements_only() -> None:
    found = {entry.kind: entry.unsupported for entry in instances(find("API-001"), "0.6.0", OSM | LINKERD, {"udp"})}
    assert found["UDPRoute"] == "udp: the mesh's profile declares the kind UDPRoute absent"
    assert found["TCPRoute"] is None
    assert found["TrafficSplit"] == "split-v1alpha4: the mesh does not serve it"


def test_missing_companions_are_named() -> None:
    assert reason("TA-004", "0.6.0", {"access": ["v1alpha3"]}) == [
        "specs: the mesh serves no version that goes with access-v1alpha3"
    ]
    assert reason("TSC-010", "0.6.0", {"specs": ["v1alpha4"]}) == [
        "access: the mesh serves no version that goes with specs-v1alpha4"
    ]
    assert reason("TS-080", "0.6.0", {"split": ["v1alpha4"]}) == [
        "specs: the mesh serves no version that goes with split-v1alpha4"
    ]
    assert reason("XG-001", "0.6.0", {"access": ["v1alpha3"], "specs": ["v1alpha4"]}) == [
        "split: the mesh serves no version that goes with access-v1alpha3"
    ]


def test_a_companion_too_old_for_the_feature_is_named() -> None:
    assert reason("XG-004", "0.6.0", OSM) == ["split-matches: split-v1alpha2 does not have matches in TrafficSplits"]


def test_api_requirements_need_no_companions() -> None:
    (found,) = instances(find("API-006"), "0.6.0", {"split": ["v1alpha4"]})
    assert (found.unsupported, found.kind, found.api) == (None, "TrafficSplit", "TrafficSplit-v1alpha4")
    (alone,) = instances(find("API-011"), "0.6.0", {"access": ["v1alpha3"]})
    assert (alone.unsupported, alone.versions) == (None, {"access": "v1alpha3"})


def test_a_bad_release_is_refused() -> None:
    with pytest.raises(UnknownRelease):
        instances(find("TA-004"), "0.7.0", EVERYTHING)


def test_an_instance_carries_what_the_report_needs() -> None:
    (found,) = instances(find("TS-004"), "v0.6.0", EVERYTHING)
    requirement = find("TS-004")
    assert found.key == "TS-004[split-v1alpha4]"
    assert (found.level, found.area, found.group) == (requirement.level, requirement.area, requirement.group)
    assert found.statement == requirement.statement


def test_links_lead_to_the_section_of_the_version_judged() -> None:
    access, specs = references(find("TA-042").source, {"access": "v1alpha3", "specs": "v1alpha4"})
    assert (access.document, access.section) == ("Traffic Access v1alpha3", "TrafficTarget")
    assert access.url.endswith("/apis/traffic-access/v1alpha3/traffic-access.md#traffictarget")
    assert (specs.path, specs.section) == ("apis/traffic-specs/v1alpha4/traffic-specs.md", "TCPRoute")
    (l4,) = references(find("TA-047").source, {"access": "v1alpha3"})
    assert l4.url.endswith("#example-implementation-for-l4")
    for version in ("v1alpha1", "v1alpha2"):
        (l7,) = references(find("TA-027").source, {"access": version})
        assert (l7.section, l7.url.rpartition("#")[2]) == ("Example Implementation", "example-implementation")
    (overview,) = references(find("XG-008").source, {})
    assert (overview.path, overview.section) == ("SPEC_LATEST_STABLE.md", "Non-Goals")


def test_sources_outside_the_specification_have_no_link() -> None:
    assert references("CRD", {"access": "v1alpha3"}) == ()
    assert references("#107", {"specs": "v1alpha4"}) == ()
    assert references("", {}) == ()
    assert references("SP §TCPRoute", {"access": "v1alpha3"}) == ()


def test_every_section_that_a_source_names_is_known() -> None:
    for requirement in ALL:
        for instance in instances(requirement, "all", EVERYTHING):
            found = references(requirement.source, instance.versions)
            if "§" in requirement.source:
                assert found, instance.key
                assert all(reference.section for reference in found), requirement.source


def test_documents_have_one_path_per_area_and_version() -> None:
    assert document_path("split", "v1alpha2") == "apis/traffic-split/v1alpha2/traffic-split.md"


def test_loading_the_catalogue_does_not_need_yaml() -> None:
    """Holds the load below 15 ms without measuring time: YAML alone would take three times as long."""
    code = (
        "import sys; from pytest_smi.spec.catalogue import catalogue; before = set(sys.modules); catalogue();"
        "print(*sorted(set(sys.modules) - before), 'yaml' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.split() == ["False"]


def test_the_catalogue_is_one_readable_file() -> None:
    text = Path(module.__file__).with_name("catalogue.json").read_text(encoding="utf-8")
    assert max(len(line) for line in text.splitlines()) < 400
    assert len(text.splitlines()) > 2 * len(ALL)
