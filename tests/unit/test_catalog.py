"""The catalogue for people: requirements joined with their tests, faults and meshes; filters; the generated pages."""

import argparse
import json
from pathlib import Path

import pytest

from pytest_smi.catalog import pages
from pytest_smi.catalog.entries import Entry, entries
from pytest_smi.catalog.stories import stories
from pytest_smi.commands import catalog as command
from pytest_smi.spec.catalogue import UnknownRequirement, catalogue

DOCS = Path(__file__).resolve().parents[2] / "docs"


def entry(identifier: str) -> Entry:
    return next(one for one in entries() if one.requirement.id == identifier)


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.arguments(parser)
    return command.run(parser.parse_args(arguments))


def test_a_requirement_is_joined_with_its_test_and_the_faults_it_catches() -> None:
    found = entry("TA-005")
    assert [one.name for one in found.stories] == ["test_an_unlisted_source_is_denied"]
    assert found.stories[0].source.startswith('@requirement("TA-005")\ndef test_an_unlisted_source')
    assert "ignore-source" in found.faults
    assert "reference" in found.meshes


def test_every_story_is_of_a_requirement_in_the_catalogue() -> None:
    assert stories().keys() <= catalogue().keys()


def test_an_entry_has_the_facets_of_a_cloud_native_catalogue() -> None:
    facets = entry("TS-001").as_dict()["facets"]
    assert facets["category"] == "traffic-management"
    assert facets["technology"] == ["smi", "trafficsplit"]
    assert "reference" in facets["compatibility"]


def test_filters_narrow_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--spec", "split", "--level", "must", "--version", "v1alpha3", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found
    for one in found:
        assert (one["area"], one["level"]) == ("split", "must")
        assert "split-v1alpha3" in one["api"]


def test_a_feature_and_a_mesh_filter_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--feature", "udp", "--mesh", "reference") == 0
    *rows, total = capsys.readouterr().out.splitlines()
    assert rows
    assert total.startswith(f"{len(rows)} requirements with ")


def test_what_nothing_fits_is_status_5(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--spec", "access", "--feature", "tcp-split") == 5
    assert capsys.readouterr().out.startswith("0 requirements")


def test_one_requirement_is_told_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("TA-005") == 0
    said = capsys.readouterr().out
    assert said.startswith("TA-005  A pod whose identity is not in `sources` is denied")
    assert "test_an_unlisted_source_is_denied" in said
    assert max(map(len, said.splitlines())) <= 100


def test_an_unknown_requirement_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownRequirement, match="did you mean TA-"):
        run("TA-0005")


@pytest.mark.parametrize("path", sorted(pages.pages(DOCS)), ids=lambda path: path.name)
def test_the_pages_are_up_to_date(path: Path) -> None:
    assert path.read_text("utf-8") == pages.pages(DOCS)[path], "write them again: python -m pytest_smi.catalog.pages"
