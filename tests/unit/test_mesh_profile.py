"""Mesh profiles: every key is checked, and a mistake is one line with what to do."""

from pathlib import Path

import pytest

from pytest_smi.errors import MeshError
from pytest_smi.mesh.profile import load_profile
from pytest_smi.mesh.sources import shipped_profiles

MINIMAL = 'name = "mine"\n[versions]\naccess = ["v1alpha3"]\n'


def write(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(MeshError) as caught:
        load_profile(write(folder, text))
    return str(caught.value)


@pytest.mark.parametrize("name", shipped_profiles())
def test_every_shipped_profile_loads_under_its_own_name(name: str) -> None:
    assert load_profile(name).name == name


def test_the_reference_mesh_serves_every_version() -> None:
    served = load_profile("reference").versions.served()
    assert [len(served[area]) for area in ("access", "specs", "split")] == [4, 4, 4]


def test_a_minimal_profile_takes_defaults(tmp_path: Path) -> None:
    profile = load_profile(write(tmp_path, MINIMAL))
    assert (profile.cluster, profile.install.method, profile.settle.agree) == ("kubeconfig", "present", 3)


def test_an_unknown_mesh_names_the_nearest() -> None:
    with pytest.raises(MeshError, match=r"unknown mesh referense .did you mean reference"):
        load_profile("referense")


def test_a_misspelt_key_names_the_nearest(tmp_path: Path) -> None:
    assert "unknown key titel (did you mean title?)" in refusal(tmp_path, 'titel = "x"\n' + MINIMAL)


def test_a_misspelt_key_in_a_section_names_the_section(tmp_path: Path) -> None:
    text = refusal(tmp_path, MINIMAL + "[settle]\nsecond = 3\n")
    assert "[settle] unknown key second (did you mean seconds?)" in text


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("[settle]\nseconds = 0", "a number above 0"),
        ("[settle]\nagree = true", "a whole number above 0"),
        ('[settle]\nseconds = "3"', "a number above 0"),
        ('[features]\nabsent = "udp"', "a list of strings"),
        ("[onboarding]\npod_labels = { a = 1 }", "a table of strings"),
        ("[addressing]\nhost = 1", "a string"),
    ],
)
def test_a_value_of_another_type_is_refused(tmp_path: Path, line: str, wanted: str) -> None:
    assert f"is not {wanted}" in refusal(tmp_path, MINIMAL + line + "\n")


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    assert "versions is missing" in refusal(tmp_path, 'name = "mine"\n')


def test_a_profile_without_any_version_is_refused(tmp_path: Path) -> None:
    assert "names no API version" in refusal(tmp_path, 'name = "mine"\n[versions]\n')


def test_what_is_no_toml_is_refused(tmp_path: Path) -> None:
    assert "is not TOML" in refusal(tmp_path, "name: mine")


def test_a_file_that_is_not_there_is_refused() -> None:
    with pytest.raises(MeshError, match="cannot be read"):
        load_profile("./no-such.toml")


@pytest.mark.parametrize(
    ("identifier", "advice"), [("TA-0072", "did you mean TA-072?"), ("zzz", "pytest-smi catalog lists them")]
)
def test_a_test_that_is_to_run_alone_must_exist(tmp_path: Path, identifier: str, advice: str) -> None:
    told = refusal(tmp_path, f'name = "mine"\nalone = ["{identifier}"]\n[versions]\naccess = ["v1alpha3"]\n')
    assert f"alone = '{identifier}': no such requirement" in told
    assert advice in told


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        ('beside = ["TS-0010"]', "beside = 'TS-0010': no such requirement"),
        ('beside = ["TA-001"]', "beside = 'TA-001': its test runs beside others everywhere"),
        ('beside = ["TS-010"]\nalone = ["TS-010"]', "beside = 'TS-010': alone names it too"),
    ],
)
def test_a_test_that_need_not_run_alone_must_do_so_elsewhere(tmp_path: Path, lines: str, wrong: str) -> None:
    told = refusal(tmp_path, f'name = "mine"\n{lines}\n[versions]\naccess = ["v1alpha3"]\n')
    assert wrong in told


def test_only_what_the_profile_says_runs_beside_others(tmp_path: Path) -> None:
    mine = load_profile(write(tmp_path, f'alone = ["TA-001"]\nbeside = ["TS-010"]\n{MINIMAL}'))
    named = ("TA-001", "TA-002", "TS-010", "TS-011", "")
    assert [mine.has_to_itself(one) for one in named] == [True, False, False, True, False]
