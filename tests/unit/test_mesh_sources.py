"""Where profiles come from, and how one extends another."""

from pathlib import Path

import pytest

from pytest_smi.errors import MeshError
from pytest_smi.mesh.profile import load_profile
from pytest_smi.mesh.sources import merged


def write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def test_tables_merge_and_lists_and_scalars_replace() -> None:
    base = {"a": {"b": 1, "c": [1, 2]}, "d": [1], "e": "x"}
    assert merged(base, {"a": {"c": [3], "f": 2}, "d": [], "e": "y"}) == {
        "a": {"b": 1, "c": [3], "f": 2},
        "d": [],
        "e": "y",
    }
    assert base == {"a": {"b": 1, "c": [1, 2]}, "d": [1], "e": "x"}


def test_a_file_changes_a_shipped_profile(tmp_path: Path) -> None:
    path = write(
        tmp_path / "mine.toml",
        'extends = "osm"\nname = "mine"\nnamespace = "mesh"\n[features]\nabsent = ["udp"]\n'
        '[onboarding.namespace_labels]\nteam = "tea"\n[install.values.osm.image]\nregistry = "local"\n',
    )
    mine, osm = load_profile(path), load_profile("osm")
    assert (mine.name, mine.namespace, mine.features.absent) == ("mine", "mesh", ("udp",))
    assert mine.onboarding.namespace_labels == {"team": "tea", "openservicemesh.io/monitored-by": "osm"}
    assert mine.install.values["osm"]["image"] == {"registry": "local"}
    assert mine.install.values["osm"]["enablePermissiveTrafficPolicy"] is False
    assert (mine.versions, mine.ready) == (osm.versions, osm.ready)


def test_what_was_verified_of_the_base_is_not_said_of_the_change(tmp_path: Path) -> None:
    assert load_profile(write(tmp_path / "mine.toml", 'extends = "osm"\n')).verified == "not verified"


def test_profiles_extend_files_beside_them_over_several_steps(tmp_path: Path) -> None:
    write(tmp_path / "base/one.toml", 'extends = "osm"\n[install]\nmethod = "manifests"\nmanifests = ["mesh.yaml"]\n')
    write(tmp_path / "base/two.toml", 'extends = "./one.toml"\n[settle]\nseconds = 7\n')
    mine = load_profile(write(tmp_path / "mine.toml", 'extends = "base/two.toml"\nname = "mine"\n'))
    assert (mine.settle.seconds, mine.settle.agree) == (7.0, 3)
    assert mine.install.manifests == (str(tmp_path / "base/mesh.yaml"),), "relative to the file that says so"


def test_programs_run_in_the_folder_of_the_profile_that_names_them(tmp_path: Path) -> None:
    install = '[install]\nmethod = "command"\ncommands = [{ run = ["./meshctl"] }]\n'
    write(tmp_path / "base/one.toml", 'name = "one"\n[versions]\nsplit = ["v1alpha2"]\n' + install)
    mine = load_profile(write(tmp_path / "mine.toml", 'extends = "base/one.toml"\n'))
    assert Path(mine.install.directory) == tmp_path / "base"


def test_a_profile_that_extends_itself_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "one.toml", 'extends = "./two.toml"\n')
    with pytest.raises(MeshError, match=r"extends itself .take extends out of one.toml"):
        load_profile(write(tmp_path / "two.toml", 'extends = "./one.toml"\n'))


def test_an_unknown_base_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(MeshError, match=r"unknown mesh traefic-mesh .did you mean traefik-mesh"):
        load_profile(write(tmp_path / "mine.toml", 'extends = "traefic-mesh"\n'))


def test_a_third_partys_profile_is_found_by_name(tmp_path: Path) -> None:
    path = Path(write(tmp_path / "theirs.toml", 'name = "theirs"\n[versions]\nsplit = ["v1alpha4"]\n'))
    mine = write(tmp_path / "mine.toml", 'extends = "theirs"\nname = "mine"\n')
    assert load_profile("theirs", {"theirs": path}).name == "theirs"
    assert load_profile(mine, {"theirs": path}).versions.split == ("v1alpha4",)
