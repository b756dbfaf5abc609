"""Settings: flags before ini before environment, and one line for what cannot be used."""

from pathlib import Path
from typing import Any

import pytest

from pytest_smi.settings import BadSetting, Settings, read_settings


def settings(flags: dict[str, Any], ini: dict[str, Any] | None = None) -> Settings | None:
    return read_settings(flags.get, (ini or {}).get, Path("/somewhere"))


def test_without_a_mesh_there_is_nothing_to_do() -> None:
    assert settings({}) is None


def test_a_flag_without_a_mesh_is_refused() -> None:
    with pytest.raises(BadSetting, match="--smi-release does nothing without --smi-mesh"):
        settings({"smi_release": "0.6.0"})


def test_an_ini_value_without_a_mesh_is_no_mistake() -> None:
    assert settings({}, {"smi_timeout": "3"}) is None


def test_the_flag_wins_over_the_ini_value() -> None:
    found = settings({"smi_mesh": "reference"}, {"smi_mesh": "osm", "smi_timeout": "3"})
    assert found is not None
    assert (found.mesh, found.timeout) == ("reference", 3.0)


def test_the_environment_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMI_MESH", "reference")
    found = settings({})
    assert found is not None
    assert found.mesh == "reference"


def test_several_requirements_may_be_given_in_any_form() -> None:
    found = settings({"smi_mesh": "reference", "smi_requirement": ["TA-001,TA-002", "TS-003 TS-004"]})
    assert found is not None
    assert found.requirements == ("TA-001", "TA-002", "TS-003", "TS-004")


@pytest.mark.parametrize("seconds", ["0", "-1", "0.000001", "soon", "nan", "1e9"])
def test_a_timeout_must_be_a_time(seconds: str) -> None:
    with pytest.raises(BadSetting, match=f"--smi-timeout={seconds} is not a time to settle in"):
        settings({"smi_mesh": "reference", "smi_timeout": seconds})


@pytest.mark.parametrize(("key", "flag"), [("smi_cluster", "--smi-cluster"), ("smi_level", "--smi-level")])
def test_an_unknown_word_is_refused_with_the_known_ones(key: str, flag: str) -> None:
    with pytest.raises(BadSetting, match=f"{flag}=mars is not known: use one of "):
        settings({"smi_mesh": "reference", key: "mars"})


def test_results_are_relative_to_the_folder_of_the_call() -> None:
    found = settings({"smi_mesh": "reference", "smi_results": "out/results.json"})
    assert found is not None
    assert found.results == Path("/somewhere/out/results.json")
    assert found.as_dict()["results"] == "/somewhere/out/results.json"


def test_the_flags_for_another_run_name_mesh_and_cluster_and_no_file_of_this_machine() -> None:
    given = {"smi_mesh": "./my mesh.toml", "smi_context": "kind-dev", "smi_force": True, "smi_install": True}
    found = settings({**given, "smi_kubeconfig": "/home/me/.kube/config", "smi_results": "r.json"})
    assert found is not None
    assert found.flags == "--smi-mesh='./my mesh.toml' --smi-context=kind-dev --smi-install --smi-force"
    plain = settings({"smi_mesh": "reference", "smi_fault": "allow-all"})
    assert plain is not None
    assert plain.flags == "--smi-mesh=reference --smi-fault=allow-all"


@pytest.mark.parametrize("name", ["embedded", "kubeconfig", "kind", "k3d", "minikube", "kind:dev", "minikube:a-1.b"])
def test_a_cluster_is_a_provider_and_for_a_tool_a_name(name: str) -> None:
    found = settings({"smi_mesh": "osm", "smi_cluster": name})
    assert found is not None
    assert found.cluster == name


@pytest.mark.parametrize("name", ["kind:", "kind:A", "kubeconfig:dev", "mars:dev", "kind:a b", "kind:--all"])
def test_a_name_that_no_tool_takes_is_refused(name: str) -> None:
    with pytest.raises(BadSetting, match=r"a name goes only with kind, k3d, minikube, e\.g\. kind:dev"):
        settings({"smi_mesh": "osm", "smi_cluster": name})


@pytest.mark.parametrize("image", ["two words", " ", "a\tb"])
def test_an_image_is_one_word(image: str) -> None:
    with pytest.raises(BadSetting, match="is not an image's name"):
        settings({"smi_mesh": "osm", "smi_image": image})
