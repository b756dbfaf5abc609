"""The page on profiles says what the code checks, and its examples are profiles."""

import re
from pathlib import Path

import pytest

from pytest_smi.mesh.profile import load_profile
from pytest_smi.mesh.reference_page import updated
from pytest_smi.mesh.sources import shipped_profiles

PAGE = Path(__file__).resolve().parents[2] / "docs" / "profiles.md"
TEXT = PAGE.read_text("utf-8")
EXAMPLES = [text for text in re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL) if "[project." not in text]


def test_the_reference_is_what_the_dataclasses_say() -> None:
    assert updated(TEXT) == TEXT, "run: python -m pytest_smi.mesh.reference_page docs/profiles.md"


def test_every_shipped_profile_is_listed_with_the_areas_it_serves() -> None:
    listed = dict(re.findall(r"^\| `([\w-]+)` \| [^|]+ \| ([^|]+) \|$", TEXT, re.MULTILINE))
    served = {name: load_profile(name).versions.served() for name in shipped_profiles()}
    areas = {name: ", ".join(area for area, versions in one.items() if versions) for name, one in served.items()}
    assert {name: listed.get(name, "").strip() for name in areas} == areas


@pytest.mark.parametrize("text", EXAMPLES, ids=lambda text: text.split("\n")[0])
def test_examples_load(tmp_path: Path, text: str) -> None:
    head = (
        "" if "name =" in text.split("[")[0] else 'name = "mine"\nnamespace = "n"\n[versions]\nsplit = ["v1alpha2"]\n'
    )
    (tmp_path / "mine.toml").write_text(head + text)
    load_profile(str(tmp_path / "mine.toml"))


def test_ten_lines_suffice() -> None:
    assert len(EXAMPLES[0].strip().split("\n")) <= 10
