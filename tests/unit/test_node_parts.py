"""The pure parts of the node: environment, volumes, status, probes' rhythm, command lines."""

import asyncio
import base64
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pytest_smi.embedded.node import environment, volumes
from pytest_smi.embedded.node.environment import ConfigError, Mounts
from pytest_smi.embedded.node.probes import Outcome, verdicts
from pytest_smi.embedded.node.spawner import SpawnFailure, resolve, script_index
from pytest_smi.embedded.node.status import ContainerState, conditions, phase

Object = dict[str, Any]
POD: Object = {
    "metadata": {"name": "pot", "namespace": "tea", "uid": "u", "labels": {"a": "1"}, "annotations": {"k/n": "v"}},
    "spec": {"serviceAccountName": "brewer", "nodeName": "embedded", "containers": []},
    "status": {"podIP": "127.64.0.1"},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/app/run.py", "/state/app/run.py"),
        ("/app", "/state/app"),
        ("--config=/app/x", "--config=/state/app/x"),
        ("cat /app/a /app/b; ls '/app'", "cat /state/app/a /state/app/b; ls '/state/app'"),
        ("/app/data/x:/app", "/state/data/x:/state/app"),
        ("/apple", "/apple"),
        ("/app-2", "/app-2"),
        ("/srv/app/x", "/srv/app/x"),
        ("http://host/app/x", "http://host/app/x"),
        ("/", "/"),
    ],
)
def test_mount_paths_are_replaced_where_a_path_begins_with_them(text: str, expected: str) -> None:
    assert Mounts({"/app": "/state/app", "/app/data": "/state/data"}).rewrite(text) == expected


def test_without_mounts_nothing_is_rewritten() -> None:
    assert Mounts({}).rewrite("/app") == "/app"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "pot"),
        ("metadata.namespace", "tea"),
        ("metadata.labels['a']", "1"),
        ("metadata.annotations['k/n']", "v"),
        ("metadata.labels", 'a="1"'),
        ("spec.serviceAccountName", "brewer"),
        ("spec.nodeName", "embedded"),
        ("status.podIP", "127.64.0.1"),
    ],
)
def test_each_supported_field(path: str, value: str) -> None:
    assert environment.field(POD, path) == value


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"spec\.containers"):
        environment.field(POD, "spec.containers")


def test_later_variables_win_and_may_refer_to_earlier_ones() -> None:
    container = {
        "envFrom": [{"prefix": "C_", "configMapRef": {"name": "c"}}, {"secretRef": {"name": "s"}}],
        "env": [
            {"name": "GIVEN", "value": "mine"},
            {"name": "SUM", "value": "$(GIVEN)+$(C_x)+$$(GIVEN)+$(NONE)"},
            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "p"}}},
            {"name": "ABSENT", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "no", "optional": True}}},
            {"name": "WHO", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "EMPTY"},
        ],
    }
    sources = {("ConfigMap", "c"): {"x": "1"}, ("Secret", "s"): {"p": "q"}}
    env = environment.variables(container, POD, sources, {"GIVEN": "theirs", "BIND_ADDRESS": "b"})
    assert env == {
        "GIVEN": "mine",
        "BIND_ADDRESS": "b",
        "C_x": "1",
        "p": "q",
        "SUM": "mine+1+$(GIVEN)+$(NONE)",
        "KEY": "q",
        "WHO": "pot",
        "EMPTY": "",
    }
    assert environment.references(container) == {
        ("ConfigMap", "c", False),
        ("ConfigMap", "c", True),
        ("Secret", "s", False),
    }


def test_a_missing_key_is_refused_by_name() -> None:
    container = {"env": [{"name": "K", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "gone"}}}]}
    with pytest.raises(ConfigError, match="gone in ConfigMap c"):
        environment.variables(container, POD, {("ConfigMap", "c"): {}}, {})


def with_volumes(*found: Object) -> Object:
    return {**POD, "spec": {**POD["spec"], "volumes": list(found)}}


def test_volumes_are_laid_out_and_mounted(tmp_path: Path) -> None:
    pod = with_volumes(
        {"name": "conf", "configMap": {"name": "c", "items": [{"key": "x", "path": "deep/y"}]}},
        {"name": "both", "projected": {"sources": [{"configMap": {"name": "c"}}, {"secret": {"name": "s"}}]}},
        {"name": "scratch", "emptyDir": {}},
        {"name": "who", "downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
    )
    sources = {("ConfigMap", "c"): {"x": b"1"}, ("Secret", "s"): {"p": b"q"}}
    assert {one[:2] for one in volumes.references(pod)} == set(sources)
    volumes.materialise(pod, sources, tmp_path)
    files = {str(one.relative_to(tmp_path)): one.read_text() for one in tmp_path.rglob("*") if one.is_file()}
    assert files == {"conf/deep/y": "1", "both/x": "1", "both/p": "q", "who/name": "pot"}
    container = {
        "name": "c",
        "volumeMounts": [
            {"name": "conf", "mountPath": "/etc/y", "subPath": "deep/y"},
            {"name": "scratch", "mountPath": "/tmp/"},
        ],
    }
    found = volumes.mounts(container, tmp_path)
    assert found.paths == {"/etc/y": str(tmp_path / "conf/deep/y"), "/tmp": str(tmp_path / "scratch")}


@pytest.mark.parametrize(
    ("volume", "words"),
    [
        ({"name": "v", "hostPath": {"path": "/"}}, "hostPath is not supported"),
        ({"name": "v", "configMap": {"name": "c", "items": [{"key": "x", "path": "../../out"}]}}, "leaves the volume"),
        ({"name": "v", "configMap": {"name": "c", "items": [{"key": "no", "path": "x"}]}}, "has no key no"),
    ],
)
def test_a_volume_that_cannot_be_is_refused(tmp_path: Path, volume: Object, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        volumes.materialise(with_volumes(volume), {("ConfigMap", "c"): {"x": b"1"}}, tmp_path / "volumes")
    assert not (tmp_path / "out").exists()


def test_a_mount_of_no_volume_and_one_at_the_root_are_refused(tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    for mount, words in (("gone", "names no volume"), ("v", "cannot be mounted at /")):
        with pytest.raises(ConfigError, match=words):
            volumes.mounts({"name": "c", "volumeMounts": [{"name": mount, "mountPath": "/"}]}, tmp_path)


def test_data_is_decoded_by_kind() -> None:
    coded = base64.b64encode(b"\xff").decode()
    assert volumes.data_of({"kind": "Secret", "data": {"a": coded}}) == {"a": b"\xff"}
    found = volumes.data_of({"kind": "ConfigMap", "data": {"a": "é"}, "binaryData": {"b": coded}})
    assert found == {"a": "é".encode(), "b": b"\xff"}


def state(name: str = "c", code: int | None = None, **fields: Any) -> ContainerState:
    one = ContainerState(name, "image", **fields)
    if code is not None:
        one.state = {"terminated": {"exitCode": code}}
    return one


RUNNING: Object = {"running": {"startedAt": "now"}}
CRASHED: Object = {"terminated": {"exitCode": 1}}


@pytest.mark.parametrize(
    ("init", "main", "expected"),
    [
        ([], [state()], "Pending"),
        ([], [state(state=RUNNING)], "Running"),
        ([], [state(state=RUNNING), state()], "Pending"),
        ([], [state(state={"waiting": {"reason": "CrashLoopBackOff"}}, last=CRASHED)], "Running"),
        ([], [state(code=0, done=True)], "Succeeded"),
        ([], [state(code=0, done=True), state(code=3, done=True)], "Failed"),
        ([], [state(code=0, done=True), state(state=RUNNING)], "Running"),
        ([state(code=1, done=True)], [state()], "Failed"),
        ([state(code=0, done=True)], [state()], "Pending"),
    ],
)
def test_the_phase_follows_from_the_containers(
    init: list[ContainerState], main: list[ContainerState], expected: str
) -> None:
    assert phase(init, main) == expected


def told(pod: Object, init: list[ContainerState], main: list[ContainerState]) -> dict[str, str]:
    return {one["type"]: one["status"] for one in conditions(pod, init, main)}


def test_ready_needs_every_container_every_init_container_and_every_gate() -> None:
    good = [state(state=RUNNING, ready=True)]
    assert told(POD, [], good)["Ready"] == "True"
    assert told(POD, [], [*good, state("d", state=RUNNING)])["Ready"] == "False"
    assert told(POD, [state(state=RUNNING)], good)["Initialized"] == "False"
    gated = {**POD, "spec": {**POD["spec"], "readinessGates": [{"conditionType": "open"}]}}
    assert (told(gated, [], good)["Ready"], told(gated, [], good)["ContainersReady"]) == ("False", "True")
    gated = {**gated, "status": {"conditions": [{"type": "open", "status": "True"}]}}
    assert (told(gated, [], good)["Ready"], told(gated, [], good)["open"]) == ("True", "True")


def test_transition_times_stay_while_nothing_changes() -> None:
    before = conditions(POD, [], [state(state=RUNNING)])
    for one in before:
        one["lastTransitionTime"] = "before"
    pod = {**POD, "status": {"conditions": before}}
    after = {one["type"]: one["lastTransitionTime"] for one in conditions(pod, [], [state(state=RUNNING, ready=True)])}
    assert after["PodScheduled"] == "before"
    assert after["Ready"] != "before"


def first_verdicts(results: Iterable[bool], probe: Object, *, eager: bool) -> list[bool]:
    """The verdicts given on these results of attempts, on a clock on which every pause is over at once."""

    async def run() -> list[bool]:
        left, said = iter(results), []

        async def try_once() -> Outcome:
            result = next(left, None)
            if result is None:
                raise EOFError
            return Outcome(result)

        try:
            async for outcome in verdicts(probe, try_once, eager=eager):
                said.append(outcome.good)  # noqa: PERF401  what was said before the end must be kept
        except EOFError:
            return said
        raise AssertionError("verdicts ended")

    return asyncio.run(run())


@pytest.fixture
def still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr("pytest_smi.embedded.node.probes.asyncio.sleep", sleep)
    monkeypatch.setattr("pytest_smi.embedded.node.probes.time.monotonic", lambda: now)


@pytest.mark.usefixtures("still_clock")
def test_a_verdict_needs_as_many_results_in_a_row_as_its_threshold() -> None:
    probe = {"periodSeconds": 1, "failureThreshold": 3, "successThreshold": 1}
    assert first_verdicts([True, False, False, True, False, False, False], probe, eager=False) == [True, False]
    assert first_verdicts([True, True, False], {**probe, "successThreshold": 3}, eager=False) == []


@pytest.mark.usefixtures("still_clock")
def test_eager_attempts_come_quickly_but_fail_no_earlier_than_in_period() -> None:
    probe = {"periodSeconds": 10, "failureThreshold": 1}
    assert first_verdicts([False] * 20, probe, eager=True) == []
    assert first_verdicts([False] * 60, probe, eager=True) == [False]
    assert first_verdicts([False] * 20 + [True], probe, eager=True) == [True]


def test_python_is_the_interpreter_we_run_on_and_others_come_from_path() -> None:
    env = {"PATH": os.defpath}
    for name in ("python", "python3", "/usr/bin/python3.12"):
        assert resolve(name, env) == sys.executable
    assert resolve("sh", env).endswith("/sh")
    with pytest.raises(SpawnFailure, match=r'"no-such": executable file not found in \$PATH'):
        resolve("no-such", env)
    with pytest.raises(SpawnFailure, match='"/no/such": no such file or directory'):
        resolve("/no/such", env)


def test_a_plain_script_is_forked_and_anything_else_executed(tmp_path: Path) -> None:
    script = tmp_path / "x.py"
    script.touch()
    assert script_index(["python3", str(script), "a"], {"PYTHONUNBUFFERED": "1"}) == 1
    assert script_index(["python3", "-u", str(script)], {}) == 2
    for argv in (["python3", "-c", "1"], ["python3", "-m", "x"], ["python3", "-X", "dev", str(script)], ["python3"]):
        assert script_index(argv, {}) is None
    assert script_index(["python3", str(script)], {"PYTHONPATH": "/x"}) is None
    assert script_index(["python3", str(tmp_path / "none.py")], {}) is None
