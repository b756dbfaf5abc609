import subprocess
from typing import Any

import pytest

from tests.embedded.cluster_process import (
    READY,
    Cluster,
    Place,
    alive,
    ask,
    cluster,
    container_state,
    descendants,
    is_ready,
    place,
    pod,
    pod_spec,
    venv_program,
)

__all__ = ["cluster", "place"]
Object = dict[str, Any]


def shell(script: str, **container: Any) -> Object:
    return pod_spec(["sh", "-c", script], **container)


def test_a_pod_is_a_process_on_its_own_address(place: Place) -> None:
    spec = pod_spec(
        readinessProbe=READY,
        args=["$(NAME)", "/code/x"],
        env=[
            {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "WHERE", "value": "/code/server.py"},
        ],
    )
    place.create(pod("pot", spec))
    ready = place.ready("pot")
    address = ready["status"]["podIP"]
    answer = ask(address)
    assert ready["status"]["phase"] == "Running"
    assert ready["metadata"]["annotations"]["embedded.pytest-smi.dev/private-address"] == address
    assert answer["env"]["BIND_ADDRESS"] == answer["env"]["SOURCE_ADDRESS"] == answer["env"]["IP"] == address
    assert answer["env"]["DNS_SERVER"] == place.cluster.said["dns"]
    assert answer["argv"][1] == "pot"
    assert answer["argv"][2].endswith("/volumes/code/x")
    assert answer["env"]["WHERE"] == answer["argv"][0]
    assert container_state(ready)["containerID"] == f"process://{answer['pid']}"


def test_behind_a_sidecar_a_pod_listens_on_a_private_address_only(place: Place) -> None:
    annotations = {"embedded.pytest-smi.dev/sidecar": "true"}
    place.create(pod("pot", pod_spec(readinessProbe=READY), annotations=annotations))
    ready = place.ready("pot")
    private = ready["metadata"]["annotations"]["embedded.pytest-smi.dev/private-address"]
    assert private != ready["status"]["podIP"]
    answer = ask(private)
    assert (answer["env"]["BIND_ADDRESS"], answer["env"]["SOURCE_ADDRESS"]) == (private, ready["status"]["podIP"])
    with pytest.raises(ConnectionRefusedError):
        ask(ready["status"]["podIP"])


def test_readiness_follows_the_probe_both_ways(place: Place) -> None:
    probe = {"httpGet": {"path": "/ready", "port": "web"}, "periodSeconds": 1, "failureThreshold": 1}
    place.create(pod("pot", pod_spec(readinessProbe=probe, ports=[{"name": "web", "containerPort": 8080}])))
    address = place.cluster.until("an address", lambda: place.pod("pot").get("status", {}).get("podIP"))
    place.cluster.until("the server", lambda: place.log("pot").startswith("serving"))
    assert not is_ready(place.pod("pot"))
    ask(address, "/open")
    place.ready("pot")
    ask(address, "/shut")
    place.cluster.until("the pod to be unready", lambda: not is_ready(place.pod("pot")))


def test_a_crash_is_restarted_with_back_off_and_shown(place: Place) -> None:
    place.create(pod("pot", shell("echo run $(date +%N); exit 3")))

    def backing_off() -> Object | None:
        state = container_state(place.pod("pot"))
        return state if state["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff" else None

    first = place.cluster.until("CrashLoopBackOff", backing_off)
    assert first["lastState"]["terminated"]["exitCode"] == 3
    assert "back-off 0.25s" in first["state"]["waiting"]["message"]
    assert place.pod("pot")["status"]["phase"] == "Running"
    place.cluster.until(
        "another restart", lambda: container_state(place.pod("pot"))["restartCount"] > first["restartCount"]
    )
    place.cluster.until("a log of its own", lambda: place.log("pot") not in ("", place.log("pot", previous=True)))
    events = place.cluster.items(place.path("events"))
    assert "BackOff" in {one["reason"] for one in events}


def test_a_crash_of_a_working_server_is_restarted_at_once(place: Place) -> None:
    place.create(pod("pot", pod_spec(readinessProbe=READY)))
    address = place.ready("pot")["status"]["podIP"]
    before = ask(address)["pid"]
    with pytest.raises(ConnectionError):
        ask(address, "/exit/7")
    place.cluster.until("a restart", lambda: container_state(place.pod("pot"))["restartCount"] == 1)
    ready = place.ready("pot")
    assert container_state(ready)["lastState"]["terminated"]["exitCode"] == 7
    assert ready["status"]["podIP"] == address
    assert ask(address)["pid"] != before


def test_a_failing_liveness_probe_restarts_the_container(place: Place) -> None:
    probe = {"exec": {"command": ["sh", "-c", "test ! -e stale"]}, "periodSeconds": 1, "failureThreshold": 1}
    script = "touch stale; trap 'rm stale; exit 4' TERM; while :; do sleep 0.02; done"
    place.create(pod("pot", shell(script, livenessProbe=probe)))
    place.cluster.until("a restart", lambda: container_state(place.pod("pot"))["restartCount"] >= 1)
    place.cluster.until(
        "the exit status", lambda: container_state(place.pod("pot"))["lastState"]["terminated"]["exitCode"] == 4
    )


def test_a_startup_probe_holds_back_readiness(place: Place) -> None:
    startup = {"exec": {"command": ["test", "-e", "up"]}, "periodSeconds": 1, "failureThreshold": 30}
    place.create(pod("pot", shell("sleep 0.3; touch up; exec sleep 600", startupProbe=startup)))
    place.cluster.until("the process", lambda: "running" in container_state(place.pod("pot"))["state"])
    assert container_state(place.pod("pot"))["started"] is False
    place.ready("pot")
    assert container_state(place.pod("pot"))["started"] is True


@pytest.mark.parametrize(("status", "phase"), [(0, "Succeeded"), (5, "Failed")])
def test_a_pod_that_is_not_restarted_ends(place: Place, status: int, phase: str) -> None:
    place.create(pod("job", {**shell(f"echo done; exit {status}"), "restartPolicy": "Never"}))
    place.cluster.until(phase, lambda: place.pod("job")["status"].get("phase") == phase)
    state = container_state(place.pod("job"))
    assert (state["state"]["terminated"]["exitCode"], state["restartCount"]) == (status, 0)
    assert place.log("job") == "done\n"


def test_init_containers_run_one_after_the_other_before_the_rest(place: Place) -> None:
    spec = shell("cat /share/trace; exec sleep 600")
    spec["volumes"].append({"name": "share", "emptyDir": {}})
    mount = [{"name": "share", "mountPath": "/share"}]
    spec["containers"][0]["volumeMounts"] = mount
    spec["initContainers"] = [
        {"name": name, "image": "x", "command": ["sh", "-c", f"echo {name} >> /share/trace"], "volumeMounts": mount}
        for name in ("one", "two")
    ]
    place.create(pod("pot", spec))
    place.ready("pot")
    place.cluster.until("the trace", lambda: place.log("pot", container="app") == "one\ntwo\n")


def test_a_failing_init_container_keeps_the_pod_from_starting(place: Place) -> None:
    spec = {**shell("echo never"), "restartPolicy": "Never"}
    spec["initContainers"] = [{"name": "bad", "image": "x", "command": ["sh", "-c", "exit 1"]}]
    place.create(pod("pot", spec))
    place.cluster.until("Failed", lambda: place.pod("pot")["status"].get("phase") == "Failed")
    assert "waiting" in container_state(place.pod("pot"))["state"]


@pytest.mark.parametrize(
    ("container", "reason", "words"),
    [
        ({"command": ["no-such-program"]}, "RunContainerError", "executable file not found"),
        ({"command": None}, "ErrImagePull", "give the container a command"),
        (
            {"env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "none", "key": "k"}}}]},
            "CreateContainerConfigError",
            'configmap "none" not found',
        ),
    ],
)
def test_a_container_that_cannot_start_says_why(place: Place, container: Object, reason: str, words: str) -> None:
    spec = pod_spec(["sleep", "600"])
    spec["containers"][0] |= container
    place.create(pod("pot", spec))

    def waiting() -> Object | None:
        found: Object = container_state(place.pod("pot"))["state"].get("waiting", {})
        return found if found.get("reason") == reason else None

    assert words in place.cluster.until(reason, waiting)["message"]
    assert place.pod("pot")["status"]["phase"] == "Pending"


def test_a_pod_waits_for_its_configmap_and_then_runs(place: Place) -> None:
    spec = shell("cat /late/word; exec sleep 600")
    spec["volumes"].append({"name": "late", "configMap": {"name": "late"}})
    spec["containers"][0]["volumeMounts"] = [{"name": "late", "mountPath": "/late"}]
    place.create(pod("pot", spec))

    def complaint() -> bool:
        waiting = container_state(place.pod("pot"))["state"].get("waiting", {})
        return waiting.get("reason") == "ContainerCreating" and '"late" not found' in waiting.get("message", "")

    place.cluster.until("the complaint", complaint)
    place.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late"}, "data": {"word": "here"}})
    place.ready("pot")
    place.cluster.until("the word", lambda: place.log("pot") == "here")


def test_a_deleted_pod_may_end_in_order_and_its_processes_end_before_its_object(place: Place) -> None:
    place.create(pod("pot", pod_spec(readinessProbe=READY)))
    address = place.ready("pot")["status"]["podIP"]
    pids = [ask(address)["pid"], ask(address, "/child")["child"]]
    place.cluster.delete(place.path("pods", "pot"))
    place.cluster.until("the object to go", lambda: place.cluster.find(place.path("pods", "pot")) is None)
    assert [pid for pid in pids if alive(pid)] == []


def test_who_ignores_sigterm_is_killed_after_the_grace_period(place: Place) -> None:
    place.create(
        pod(
            "pot",
            {**shell("trap '' TERM; echo deaf; while :; do sleep 0.05; done"), "terminationGracePeriodSeconds": 1},
        )
    )
    place.ready("pot")
    place.cluster.until("the trap", lambda: place.log("pot") == "deaf\n")
    (pid,) = [int(container_state(place.pod("pot"))["containerID"].rpartition("/")[2])]
    place.cluster.delete(place.path("pods", "pot"))
    assert alive(pid)
    assert place.pod("pot")["metadata"]["deletionTimestamp"]
    place.cluster.until("the object to go", lambda: place.cluster.find(place.path("pods", "pot")) is None)
    assert not alive(pid)


def test_a_forced_deletion_kills_at_once(place: Place) -> None:
    place.create(
        pod(
            "pot",
            {**shell("trap '' TERM; echo deaf; while :; do sleep 0.05; done"), "terminationGracePeriodSeconds": 600},
        )
    )
    place.ready("pot")
    place.cluster.until("the trap", lambda: place.log("pot") == "deaf\n")
    pid = int(container_state(place.pod("pot"))["containerID"].rpartition("/")[2])
    place.cluster.delete(place.path("pods", "pot"))
    place.cluster.delete(place.path("pods", "pot"), gracePeriodSeconds=0)
    place.cluster.until("the object to go", lambda: place.cluster.find(place.path("pods", "pot")) is None)
    place.cluster.until("the process to go", lambda: not alive(pid), 5)


def test_a_pod_deleted_before_it_could_start_goes(place: Place) -> None:
    spec = pod_spec()
    spec["volumes"][0]["configMap"] = {"name": "never"}
    place.create(pod("pot", spec))
    place.cluster.until("the node to take it", lambda: place.pod("pot").get("status", {}).get("podIP"))
    place.cluster.delete(place.path("pods", "pot"))
    place.cluster.until("the object to go", lambda: place.cluster.find(place.path("pods", "pot")) is None)


def test_how_a_pod_ended_is_seen_where_a_finalizer_keeps_it(place: Place) -> None:
    place.create(pod("pot", pod_spec(readinessProbe=READY), finalizers=["example.org/keep"]))
    place.ready("pot")
    place.cluster.delete(place.path("pods", "pot"))
    place.cluster.until("the end", lambda: "terminated" in container_state(place.pod("pot"))["state"])
    assert not is_ready(place.pod("pot"))
    place.cluster.patch(place.path("pods", "pot"), {"metadata": {"finalizers": None}})
    place.cluster.until("the object to go", lambda: place.cluster.find(place.path("pods", "pot")) is None)


def test_an_address_is_not_reused_for_the_next_pod(place: Place) -> None:
    seen = set()
    for _ in range(3):
        place.create(pod("pot", shell("exec sleep 600")))
        seen.add(place.ready("pot")["status"]["podIP"])
        place.cluster.delete(place.path("pods", "pot"))
        place.cluster.until("the object to go", lambda: place.cluster.find(place.path("pods", "pot")) is None)
    assert len(seen) == 3


def test_kubectl_reaches_into_a_pod(place: Place) -> None:
    kubectl = venv_program("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    place.create(pod("pot", pod_spec(readinessProbe=READY, env=[{"name": "WORD", "value": "tea"}])))
    place.ready("pot")
    base = [kubectl, "--kubeconfig", place.cluster.said["kubeconfig"], "-n", place.name]
    said = subprocess.run(
        [*base, "exec", "pot", "--", "sh", "-c", "echo $WORD; ls /code"],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert (said.stdout, said.returncode) == ("tea\nserver.py\n", 0)
    said = subprocess.run([*base, "logs", "pot"], capture_output=True, text=True, timeout=20, check=False)
    assert said.stdout.startswith("serving\n")


def test_the_cluster_itself_has_only_the_processes_of_its_pods(cluster: Cluster, place: Place) -> None:
    place.create(pod("pot", shell("exec sleep 600")))
    place.ready("pot")
    zygote, *pods = descendants(cluster.process.pid)
    assert zygote
    assert len(pods) == len(cluster.items("/api/v1/pods"))
