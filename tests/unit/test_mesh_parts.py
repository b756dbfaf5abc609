"""The small parts around a mesh: variables, records, patches taken back, programs, injection, redaction."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, cast

import pytest

from pytest_smi.cluster.api import Api
from pytest_smi.cluster.base import Cluster
from pytest_smi.errors import MeshError
from pytest_smi.mesh.bring import manifests_of, parsed
from pytest_smi.mesh.expand import expanded
from pytest_smi.mesh.injection import trouble
from pytest_smi.mesh.install import reverse
from pytest_smi.mesh.objects import Ref
from pytest_smi.mesh.profile import load_profile
from pytest_smi.mesh.programs import Programs, environment
from pytest_smi.mesh.record import Record
from pytest_smi.mesh.schema import Injection
from pytest_smi.mesh.sources import shipped_profiles
from pytest_smi.report.redact import redact_text


def test_variables_are_filled_in_however_deep() -> None:
    value = {"a": ["${HOME_OF_TEA}/x", 1], "b": {"c": "${NONE:-green}-${HOME_OF_TEA}"}, "d": "$HOME ${}"}
    assert expanded(value, {"HOME_OF_TEA": "/tea"}, "profile x") == {
        "a": ["/tea/x", 1],
        "b": {"c": "green-/tea"},
        "d": "$HOME ${}",
    }


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(MeshError, match=r"profile x: flags uses \$\{TEA\}, which is not set .export TEA="):
        expanded(["${TEA}"], {}, "profile x: flags")


@pytest.mark.parametrize("name", shipped_profiles())
def test_a_record_holds_the_whole_profile(name: str) -> None:
    saved: list[dict[str, Any]] = []
    api = cast(Api, type("Saves", (), {"apply": lambda self, manifest: saved.append(manifest)})())
    record = Record("1a2b3c", load_profile(name), [Ref("v1", "Service", "tea", "pot")], {"spec": {"mode": None}})
    record.save(api)
    assert Record.read(json.loads(json.dumps(saved[0]))) == record
    assert saved[0]["metadata"]["labels"]["pytest-smi.dev/run"] == "1a2b3c"


def test_what_is_no_record_is_refused() -> None:
    with pytest.raises(MeshError, match="ConfigMap tea/pytest-smi-mesh is no record of an installed mesh"):
        Record.read({"metadata": {"namespace": "tea"}, "data": {"record.json": "{"}})


def test_a_merge_patch_is_taken_back() -> None:
    before = {"data": {"mode": "allow", "other": "x"}, "kind": "ConfigMap"}
    patch = {"data": {"mode": "deny", "new": "y"}, "spec": {"a": {"b": 1}}}
    assert reverse(before, patch) == {"data": {"mode": "allow", "new": None}, "spec": None}


def pod(**more: Any) -> dict[str, Any]:
    meta = {"name": "kettle-1", "namespace": "tea", "labels": {"osm-proxy-uuid": "1"}, "annotations": {}}
    spec = {"containers": [{"name": "app"}, {"name": "envoy"}], "initContainers": [{"name": "osm-init"}]}
    return {"metadata": {**meta, **more}, "spec": spec}


WANTED = Injection(containers=("envoy", "osm-init"), labels=("osm-proxy-uuid",))


def test_a_pod_proves_that_it_is_in_the_mesh() -> None:
    assert trouble(pod(), WANTED, meshed=True) == ""
    told = trouble(pod(labels={}), WANTED, meshed=True)
    assert told == "pod tea/kettle-1 is not in the mesh: it has no label osm-proxy-uuid"


def test_a_pod_outside_shows_nothing_of_it() -> None:
    told = trouble(pod(labels={}), WANTED, meshed=False)
    assert told == "pod tea/kettle-1 should stay outside the mesh, but has container envoy, container osm-init"
    assert trouble(pod(), Injection(annotations=("sidecar",)), meshed=False) == ""


def programs(folder: Path, seconds: float = 20.0) -> Programs:
    return Programs(os.environ, str(folder), seconds)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_program_runs_in_its_folder_and_is_heard(tmp_path: Path) -> None:
    assert programs(tmp_path).run(python("import os; print(os.getcwd())")).strip() == str(tmp_path)


def test_a_program_that_fails_is_one_line_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(MeshError) as caught:
        programs(tmp_path).run(python("import sys; print('first'); sys.exit('no such chart')"))
    assert "ended with status 1: no such chart" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "advice"), [("helm", "install Helm"), ("osm", "install osm, which the profile runs")])
def test_a_program_that_is_not_there_is_one_line(tmp_path: Path, name: str, advice: str) -> None:
    with pytest.raises(MeshError, match=f"{name} is not on the PATH .*{advice}"):
        Programs({"PATH": str(tmp_path)}, "", 5).run([name, "install"])


def test_a_program_that_takes_too_long_is_ended_with_all_it_started(tmp_path: Path) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(99)'])"
    began = time.monotonic()
    with pytest.raises(MeshError, match=r"has not ended after 0\.5 s"):
        programs(tmp_path, 0.5).run(python(code))
    assert time.monotonic() - began < 15


def test_ctrl_c_ends_a_program(tmp_path: Path) -> None:
    code = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(99)"

    def interrupt() -> None:
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            time.sleep(0.01)
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        programs(tmp_path).run(python(code))
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def cluster_at(kubeconfig: Path | None) -> Cluster:
    return cast(Cluster, type("At", (), {"kubeconfig": kubeconfig})())


def test_programs_get_the_way_to_the_cluster(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    found = environment(cluster_at(mine), None, tmp_path, {"SMI_RUN": "1"})
    assert (found["KUBECONFIG"], found["SMI_RUN"]) == (str(mine), "1")
    chosen = environment(cluster_at(mine), "kind-dev", tmp_path, {})["KUBECONFIG"].split(os.pathsep)
    assert chosen[1:] == [str(mine)]
    assert "current-context: kind-dev" in Path(chosen[0]).read_text()


def test_manifests_are_read_from_files_folders_and_lists(tmp_path: Path) -> None:
    one = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"
    (tmp_path / "all").mkdir()
    (tmp_path / "all/b.yaml").write_text(one % "b" + "---\n" + one % "c")
    (tmp_path / "all/a.yml").write_text(one % "a")
    (tmp_path / "all/read.me").write_text("not one")
    items = {"kind": "List", "items": [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "d"}}]}
    (tmp_path / "list.json").write_text(json.dumps(items))
    found = manifests_of([str(tmp_path / "all"), str(tmp_path / "list.json")])
    assert [each["metadata"]["name"] for each in found] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("text", "told"),
    [("a: [", "is not YAML"), ("just words", "holds something that is no object"), ("kind: x", "no ob")],
)
def test_what_is_no_object_is_refused(text: str, told: str) -> None:
    with pytest.raises(MeshError, match=told):
        parsed(text, "mesh.yaml")


def test_manifests_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(MeshError, match=r"none.yaml cannot be read"):
        manifests_of([str(tmp_path / "none.yaml")])


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("token=abc123 next", "token=[redacted] next"),
        ('{"password": "hunter2", "a": 1}', '{"password": "[redacted]", "a": 1}'),
        ("Authorization: Bearer abcdefgh.ijk", "Authorization: [redacted] [redacted]"),
        ("GET http://me:secret@host/", "GET http://[redacted]@host/"),
        ("/home/me/x and /home/me2", "~/x and /home/me2"),
        ("eyJhbGciOi.eyJzdWIiOi.c2ln", "[redacted]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- rest", "[redacted] rest"),
        ("-----BEGIN PRIVATE KEY-----\nMII cut off", "[redacted]"),
        ("the token was taken", "the token was taken"),
    ],
)
def test_logs_lose_what_looks_like_a_secret(text: str, left: str) -> None:
    assert redact_text(text, home="/home/me") == left
