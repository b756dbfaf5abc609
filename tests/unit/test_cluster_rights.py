"""The rights that are printed: as manifests, with their reasons, and with what a mesh's profile has to look at."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pytest_smi.cli import main
from pytest_smi.cluster.job import job
from pytest_smi.cluster.rights import RIGHTS, manifests
from pytest_smi.mesh.profile import load_profile
from pytest_smi.mesh.rights import rights_of

PROFILE = """
name = "mine"
namespace = "mine-system"
[versions]
access = ["v1alpha3"]
specs = ["v1alpha4"]
[ready]
deployments = ["controller"]
daemonsets = ["kube-system/proxy"]
webhooks = ["mine-injector"]
[[precondition]]
that = "permissive mode is off"
object = { api = "mine.example.com/v1", kind = "MeshPolicy", name = "mode" }
"""


@pytest.fixture
def profile(tmp_path: Path) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(PROFILE)
    return str(path)


def test_what_is_printed_is_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rbac", "--namespace=ci", "--account=jo"]) == 0
    printed = capsys.readouterr().out
    assert list(yaml.safe_load_all(printed)) == manifests("ci", "jo")
    for right in RIGHTS:
        assert f"# {right.why}" in printed


def test_a_profile_adds_what_it_has_to_look_at(profile: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert [right.rule() for right in rights_of(load_profile(profile))[len(RIGHTS) :]] == [
        {"apiGroups": ["apps"], "resources": ["daemonsets"], "verbs": ["get"], "resourceNames": ["proxy"]},
        {
            "apiGroups": ["admissionregistration.k8s.io"],
            "resources": ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
            "verbs": ["get"],
            "resourceNames": ["mine-injector"],
        },
        {
            "apiGroups": ["mine.example.com"],
            "resources": ["meshpolicies"],
            "verbs": ["get"],
            "resourceNames": ["mode"],
        },
    ]
    assert main(["rbac", f"--mesh={profile}"]) == 0
    assert "# to see that permissive mode is off" in capsys.readouterr().out


def test_a_profile_that_is_none_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rbac", "--mesh=omn"]) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("pytest-smi: unknown mesh omn (did you mean osm?")


def test_a_job_carries_a_profile_of_ones_own(profile: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["job", "--image=suite:1", f"--mesh={profile}", "--", "-n", "2"]) == 0
    documents = list(yaml.safe_load_all(capsys.readouterr().out))
    by_kind = {one["kind"]: one for one in documents}
    assert by_kind["ConfigMap"]["data"] == {"mesh.toml": PROFILE}
    assert by_kind["ClusterRole"]["rules"][-1]["resources"] == ["meshpolicies"]
    container = by_kind["Job"]["spec"]["template"]["spec"]["containers"][0]
    assert container["args"] == ["--smi-mesh=/profile/mesh.toml", "--smi-image=suite:1", "-n", "2"]


def test_a_job_names_a_shipped_mesh_and_keeps_the_image_that_is_asked_for() -> None:
    *_, made = job("ci", "suite:1", ["--smi-mesh=osm", "--smi-image=other:1"])
    assert made["spec"]["template"]["spec"]["containers"][0]["args"] == ["--smi-mesh=osm", "--smi-image=other:1"]
    assert made["metadata"]["namespace"] == "ci"
