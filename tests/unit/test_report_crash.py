"""A node id alone tells which instance a crashed worker was busy with."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from pytest_smi.evidence import Instance
from pytest_smi.report.crash import instance_of

SOURCE = """
import pytest
from pytest_smi import requirement

@requirement("TA-004")
def test_pour(smi): ...

@pytest.mark.parametrize("which", [1, 2])
@pytest.mark.requirement("TA-005")
def test_marked(smi, which): ...

def test_of_their_own(smi): ...

class TestTea:
    @requirement("TA-006")
    def test_inside(self, smi): ...
"""


def instances(requirement: str) -> Iterable[Instance]:
    apis = [f"access-v1alpha{number}" for number in (1, 2, 3)]
    return [Instance(requirement, "must", "access", "Default denial", api, {}, "a statement") for api in apis]


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    (tmp_path / "suite" / "access").mkdir(parents=True)
    (tmp_path / "suite" / "access" / "test_tea.py").write_text(SOURCE)
    (tmp_path / "suite" / "test_broken.py").write_text("def test_pour(:")
    return [tmp_path / "elsewhere", tmp_path / "suite"]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("test_pour[access-v1alpha2]", "TA-004[access-v1alpha2]"),
        ("test_marked[2-access-v1alpha1]", "TA-005[access-v1alpha1]"),
        ("test_marked[access-v1alpha3-1]", "TA-005[access-v1alpha3]"),
        ("TestTea::test_inside[access-v1alpha1]", "TA-006[access-v1alpha1]"),
    ],
)
def test_the_instance_is_that_of_the_tests_requirement_in_the_version_of_the_id(
    folders: list[Path], name: str, key: str
) -> None:
    found = instance_of(f"access/test_tea.py::{name}", folders, instances)
    assert found is not None
    assert found.key == key


@pytest.mark.parametrize(
    "nodeid",
    [
        "access/test_tea.py::test_pour[access-v1alpha22]",
        "access/test_tea.py::test_of_their_own",
        "access/test_tea.py::test_gone[access-v1alpha1]",
        "access/test_gone.py::test_pour[access-v1alpha1]",
        "test_broken.py::test_pour[access-v1alpha1]",
    ],
)
def test_what_cannot_be_told_is_no_instance(folders: list[Path], nodeid: str) -> None:
    assert instance_of(nodeid, folders, instances) is None
