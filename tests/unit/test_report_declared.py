"""Lists of known failures and disputed tests: found by name or path, checked entry by entry."""

from pathlib import Path

import pytest

from pytest_smi.catalog.judged import read as read_results
from pytest_smi.evidence import Instance
from pytest_smi.report.declared import BadDeclaration, Declared, declared, shipped_lists
from pytest_smi.report.record import Known
from pytest_smi.spec.catalogue import UnknownRequirement

RESULTS = Path(__file__).parents[2] / "docs" / "results"
ENTRY = '[[known]]\nid = "{id}"\nreason = "it forgets"\nissue = "https://example.org/1"\n'


def read(folder: Path, text: str) -> Declared:
    (folder / "known.toml").write_text(text)
    return declared("known.toml", folder)


def instance(requirement: str, api: str = "access-v1alpha3") -> Instance:
    return Instance(requirement, "must", "access", "g", api, {"access": "v1alpha3"}, "s")


def test_without_a_list_nothing_is_known(tmp_path: Path) -> None:
    assert declared(None, tmp_path).known_of(instance("TA-005")) is None


def test_an_entry_by_requirement_holds_for_every_api_version(tmp_path: Path) -> None:
    found = read(tmp_path, ENTRY.format(id="TA-005"))
    expected = Known("https://example.org/1", "it forgets")
    assert found.known_of(instance("TA-005")) == found.known_of(instance("TA-005", "access-v1alpha1")) == expected
    assert found.known_of(instance("TA-004")) is None


def test_an_entry_by_instance_holds_for_that_one_alone(tmp_path: Path) -> None:
    found = read(tmp_path, ENTRY.format(id="TA-005[access-v1alpha3]"))
    assert found.known_of(instance("TA-005")) is not None
    assert found.known_of(instance("TA-005", "access-v1alpha1")) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[known]", "is not TOML"),
        ("[[nown]]\nid = 'TA-005'", "nown does not belong here (write each entry as [[known]])"),
        ("known = 3", "known does not belong here"),
        ("known = [3]", "entry 1 is not a table"),
        ("[[known]]\nid = 'TA-005'\nreason = 'x'", "entry 1: issue is missing (each entry has id, reason, issue)"),
        ("[[known]]\nid = 'TA-005'\nreason = ' '\nissue = 'x'", "entry 1: reason is missing"),
        (ENTRY.format(id="TA-005") + "why = 'x'", "entry 1: unknown key why"),
        (ENTRY.format(id="TA-005") * 2, "entry 2: TA-005 is there twice"),
        (ENTRY.format(id="TA-005[access-v1beta1]"), "TA-005 has no API version access-v1beta1"),
        (ENTRY.format(id="TA-051"), "TA-051 is of level open, which never fails"),
    ],
)
def test_a_list_that_means_nothing_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadDeclaration) as refused:
        read(tmp_path, text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_unknown_requirement_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownRequirement, match="did you mean TA-"):
        read(tmp_path, ENTRY.format(id="TA-0005"))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadDeclaration, match="cannot be read"):
        declared("./none.toml", tmp_path)


def test_an_unknown_name_is_refused_with_those_that_ship(tmp_path: Path) -> None:
    with pytest.raises(BadDeclaration, match="no list of known failures is called nobody"):
        declared("nobody", tmp_path)


@pytest.mark.parametrize("mesh", shipped_lists())
def test_a_shipped_list_names_what_its_mesh_failed_in_the_published_run(tmp_path: Path, mesh: str) -> None:
    run = read_results(RESULTS / f"{mesh}.json")
    failed = {key for key in run.instances if run.verdict(key) in ("fail", "known-failure")}
    known = declared(mesh, tmp_path).known
    assert {key.partition("[")[0] if key.partition("[")[0] in known else key for key in failed} == known.keys()
