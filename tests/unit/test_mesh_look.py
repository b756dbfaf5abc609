"""Preconditions: what is found in an object, held against what must be so."""

from typing import Any

import pytest

from pytest_smi import jsonpath
from pytest_smi.errors import MeshError
from pytest_smi.mesh.look import judge
from pytest_smi.mesh.profile import load_profile
from pytest_smi.mesh.schema_look import Object, Precondition
from pytest_smi.mesh.sources import shipped_profiles

OBJECT = Object(api="v1", kind="ConfigMap", name="mode")


def wanted(**how: Any) -> Precondition:
    return Precondition(that="so", object=OBJECT, path=".a", **how)


@pytest.mark.parametrize(
    ("how", "values", "held"),
    [
        ({"equals": False}, [False], True),
        ({"equals": False}, [], False),
        ({"equals": False}, [False, True], False),
        ({"equals": "deny"}, ["deny"], True),
        ({"equals": 1}, ["1"], False),
        ({"differs": True}, [], True),
        ({"differs": True}, [True], False),
        ({"contains": "--acl(=true)?"}, ["--namespace=x", "--acl"], True),
        ({"contains": "--acl(=true)?"}, ["--acl=false"], False),
        ({"contains": "--acl"}, ["--acls"], False),
        ({"lacks": "--acl(=true)?"}, ["--namespace=x"], True),
        ({"lacks": "--acl(=true)?"}, ["--acl=true"], False),
        ({}, ["anything"], True),
        ({}, [], False),
    ],
)
def test_values_are_held_against_what_must_be(how: dict[str, Any], values: list[Any], held: bool) -> None:
    assert judge(values, wanted(**how)) is held


@pytest.mark.parametrize("name", shipped_profiles())
def test_paths_of_shipped_preconditions_can_be_evaluated(name: str) -> None:
    for one in load_profile(name).precondition:
        jsonpath.check(one.path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('path = ".a"\nequals = 1\nlacks = "x"', "gives equals and lacks (give one of them)"),
        ('path = ".a["', "path = '.a[' is no JSONPath that is known here"),
        ('path = ".a"\ncontains = "("', "contains = '(' is no regular expression"),
        ("equals = 1", "gives equals but no path"),
        ('contain = "x"', "unknown key contain (did you mean contains?)"),
    ],
)
def test_a_precondition_that_cannot_be_checked_is_refused(tmp_path: Any, text: str, told: str) -> None:
    head = 'name = "mine"\n[versions]\naccess = ["v1alpha3"]\n[[precondition]]\nthat = "so"\n'
    (tmp_path / "mine.toml").write_text(head + 'object = { api = "v1", kind = "Pod", name = "p" }\n' + text)
    with pytest.raises(MeshError) as caught:
        load_profile(str(tmp_path / "mine.toml"))
    assert told in str(caught.value)
