"""When waiting for a pod is in vain, and what is said then."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_smi.cluster.api import Api, Reply
from pytest_smi.workload.trouble import HOPELESS, hopeless


def api(*logs: str) -> Api:
    """Answers for the log of the present run, then for that of the run before."""
    answers = iter(logs)
    return cast(Api, SimpleNamespace(request=lambda *_, **__: Reply(200, next(answers), ())))


def pod(restarts: int, exit_code: int, where: str = "lastState") -> dict[str, Any]:
    container = {"name": "app", "restartCount": restarts, "state": {}, where: {"terminated": {"exitCode": exit_code}}}
    return {"metadata": {"name": "teapot-1", "namespace": "tea"}, "status": {"containerStatuses": [container]}}


@pytest.mark.parametrize("found", [{}, pod(HOPELESS - 1, 1)["status"], pod(HOPELESS, 0)["status"]])
def test_a_pod_that_may_still_come_up_is_waited_for(found: dict[str, Any]) -> None:
    assert hopeless(api(), [{**pod(0, 0), "status": found}]) is None


@pytest.mark.parametrize("where", ["state", "lastState"])
def test_a_container_that_fails_again_and_again_is_told_with_its_last_words(where: str) -> None:
    trouble = hopeless(api("", "starting\nno such file\n"), [pod(0, 0), pod(HOPELESS, 1, where)])
    assert trouble is not None
    assert trouble.what == "container app of pod tea/teapot-1 fails again and again: no such file"
    assert trouble.advice == "kubectl logs --previous -n tea teapot-1"


def test_a_taken_port_is_told_with_what_to_do() -> None:
    trouble = hopeless(api("sample_app: cannot open TCP port 8080 on 1.2.3.4: Address already in use", ""), [pod(3, 1)])
    assert trouble is not None
    assert "ss -lntup" in trouble.advice


def test_without_a_log_that_is_said() -> None:
    trouble = hopeless(api("", ""), [pod(3, 1)])
    assert trouble is not None
    assert trouble.what.endswith("it left no log")
