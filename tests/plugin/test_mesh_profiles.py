"""Profiles of third parties: from a conftest or a plugin, by name. No cluster is started here."""

from pathlib import Path

import pytest

PROFILE = 'name = "{name}"\ntitle = "Theirs"\n[versions]\naccess = ["v1alpha3"]\nspecs = ["v1alpha4"]\n'
HOOK = """
from pathlib import Path

def pytest_smi_mesh_profiles(config):
    return {{"{name}": Path(__file__).with_name("theirs.toml")}}
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with a profile in it; warnings are errors."""
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    (pytester.path / "theirs.toml").write_text(PROFILE.format(name="theirs"))
    return pytester


def collected(run: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return run.runpytest_subprocess("--collect-only", "-q", "--smi-requirement=TA-004", *arguments)


def test_a_conftest_brings_a_profile_by_name(run: pytest.Pytester) -> None:
    run.makeconftest(HOOK.format(name="theirs"))
    result = collected(run, "--smi-mesh=theirs")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*test_a_listed_source_on_a_defined_route_is_allowed?access-v1alpha3?"])


def test_a_plugin_does_too_and_its_profile_can_be_extended(run: pytest.Pytester) -> None:
    run.makepyfile(mesh_of_theirs=HOOK.format(name="theirs"))
    (run.path / "mine.toml").write_text('extends = "theirs"\nname = "mine"\n[versions]\naccess = ["v1alpha2"]\n')
    result = collected(run, "-p", "mesh_of_theirs", "--smi-mesh=./mine.toml")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*test_a_listed_source_on_a_defined_route_is_allowed?access-v1alpha2?"])


def usage_error(result: pytest.RunResult) -> str:
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (said,) = (line for line in result.errlines if line.strip())
    return said


def test_a_name_that_is_taken_is_one_line_and_exit_4(run: pytest.Pytester) -> None:
    run.makeconftest(HOOK.format(name="osm"))
    said = usage_error(collected(run, "--smi-mesh=reference"))
    assert "two profiles are named osm: " in said
    assert "theirs.toml and that of this package (rename one)" in said


def test_an_unknown_name_is_held_against_theirs_too(run: pytest.Pytester) -> None:
    run.makeconftest(HOOK.format(name="theirs"))
    assert "unknown mesh their (did you mean theirs?" in usage_error(collected(run, "--smi-mesh=their"))


@pytest.mark.parametrize(
    ("mesh", "told"),
    [
        ("reference", "--smi-install does nothing for reference: it comes with every run; leave it out"),
        ("istio", "--smi-install does nothing for istio: its profile's [install] does not say how; leave it out"),
    ],
)
def test_what_cannot_be_installed_is_one_line_and_exit_4(run: pytest.Pytester, mesh: str, told: str) -> None:
    assert told in usage_error(collected(run, f"--smi-mesh={mesh}", "--smi-install"))


def test_a_mesh_without_a_namespace_cannot_be_installed(run: pytest.Pytester) -> None:
    install = '[install]\nmethod = "manifests"\nmanifests = ["mesh.yaml"]\n'
    Path("mine.toml").write_text(PROFILE.format(name="mine") + install)
    said = usage_error(collected(run, "--smi-mesh=./mine.toml", "--smi-install"))
    assert "profile ./mine.toml has no namespace for the mesh; add one" in said
