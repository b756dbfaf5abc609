"""Policy that stands between tests: it stays while the next test begins with it, and is gone for any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.embedded.run_process import PytestRun

TESTS = """
import pytest
from pytest_smi import TrafficSplit, assert_allowed, assert_only, is_allowed

uids = []


def of(smi):
    pots = [smi.workload(f"teapot-{name}") for name in ("china", "glass", "clay")]
    return smi.workload("kettle"), pots, smi.scene.service("teapots", smi.namespace)


def targets(smi):
    return smi.api.list(f"/apis/access.smi-spec.io/v1alpha3/namespaces/{smi.namespace}/traffictargets")


@pytest.fixture
def granted(smi):
    kettle, pots, root = of(smi)
    smi.allow(kettle, to=pots)
    assert_allowed(*(kettle.get(to) for to in (*pots, root)))
    smi.stand("granted")
    uids.append({one["metadata"]["uid"] for one in targets(smi)})


def test_splits(smi, granted):
    kettle, (china, _, _), root = of(smi)
    smi.apply(TrafficSplit("pour", root, {china: 1}))
    assert_only(kettle.get(root), china)


def test_finds_the_same_grants_and_no_split(smi, granted):
    kettle, pots, root = of(smi)
    assert uids[0] == uids[1] and len(uids[0]) == 3
    assert {smi.scene.holder(pod) for pod in kettle.get(root).sample(64).pods} == set(pots)


def test_finds_nothing(smi):
    kettle, pots, root = of(smi)
    assert targets(smi) == []
    assert not any(is_allowed(kettle.get(to)) for to in (*pots, root))


def test_begins_anew(smi, granted):
    assert not uids[0] & uids[-1]


def test_of_an_own_fixture(smi):
    kettle, (china, _, _), _ = of(smi)
    assert not is_allowed(kettle.get(china))
    smi.allow(kettle, to=[china])
    assert_allowed(kettle.get(china))


def test_does_not_see_it(smi):
    kettle, (china, _, _), _ = of(smi)
    assert not is_allowed(kettle.get(china))
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[PytestRun]:
    (tmp_path / "test_own.py").write_text(TESTS)
    started = PytestRun(tmp_path, "test_own.py", "-n0")
    yield started
    started.kill_rest()


def test_grants_stand_for_the_tests_that_begin_with_them_and_for_no_other(run: PytestRun) -> None:
    assert run.status == 0, run.said
    assert "exit 0: 6 tests passed" in run.said
