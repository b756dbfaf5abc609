"""The plugin as a user meets it: flags, errors of usage, collection. No cluster is started here."""

import json
from pathlib import Path

import pytest

REFERENCE = "--smi-mesh=reference"


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder without tests of its own; warnings are errors in it."""
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    return pytester


def usage_error(run: pytest.Pytester, *arguments: str) -> str:
    result = run.runpytest_subprocess(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = [line for line in result.errlines if line.strip()]
    assert len(said) == 1, said
    return said[0]


def test_a_run_without_a_mesh_is_left_alone(run: pytest.Pytester) -> None:
    run.makepyfile("def test_one(): pass")
    result = run.runpytest_subprocess()
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*smi:*")


def test_a_run_without_a_mesh_imports_next_to_nothing_of_us(run: pytest.Pytester) -> None:
    run.makepyfile(
        """
        import sys

        def test_modules():
            ours = {name for name in sys.modules if name.startswith("pytest_smi.")}
            assert ours == {f"pytest_smi.{name}" for name in ("plugin", "fixtures", "hookspecs", "options")}
            assert not {"kubernetes", "yaml", "requests", "urllib3"} & sys.modules.keys()
        """
    )
    run.runpytest_subprocess("-p", "no:allure_pytest", "-p", "no:hypothesispytest").assert_outcomes(passed=1)


def test_an_unknown_mesh_is_one_line_and_exit_4(run: pytest.Pytester) -> None:
    assert "unknown mesh referense (did you mean reference?" in usage_error(run, "--smi-mesh=referense")


def test_an_unknown_release_is_one_line_and_exit_4(run: pytest.Pytester) -> None:
    assert "unknown SMI release '0.6.1' (did you mean 0.6.0?" in usage_error(run, REFERENCE, "--smi-release=0.6.1")


def test_an_unknown_requirement_is_one_line_and_exit_4(run: pytest.Pytester) -> None:
    assert "TA-999" in usage_error(run, REFERENCE, "--smi-requirement=TA-999")


def test_a_fault_needs_the_reference_mesh(run: pytest.Pytester) -> None:
    Path("mine.toml").write_text('name = "mine"\n[versions]\naccess = ["v1alpha3"]\n')
    said = usage_error(run, "--smi-mesh=./mine.toml", "--smi-fault=allow-all")
    assert "--smi-fault=allow-all needs --smi-mesh=reference" in said


def test_a_misspelt_key_of_a_profile_is_one_line_and_exit_4(run: pytest.Pytester) -> None:
    Path("mine.toml").write_text('nam = "mine"\n[versions]\naccess = ["v1alpha3"]\n')
    assert "unknown key nam (did you mean name?)" in usage_error(run, "--smi-mesh=./mine.toml")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("nobody", "no list of known failures is called nobody"),
        ("./gone.toml", "gone.toml cannot be read"),
        ("./bad.toml", "unknown requirement 'TA-05' (did you mean TA-"),
    ],
)
def test_a_list_of_known_failures_that_cannot_be_used_is_one_line_and_exit_4(
    run: pytest.Pytester, given: str, said: str
) -> None:
    Path("bad.toml").write_text('[[known]]\nid = "TA-05"\nreason = "r"\nissue = "i"\n')
    told = usage_error(run, REFERENCE, f"--smi-known-failures={given}")
    assert "--smi-known-failures: " in told
    assert said in told


def test_keeping_the_cluster_contradicts_several_workers(run: pytest.Pytester) -> None:
    assert "--smi-keep does not go with -n" in usage_error(run, REFERENCE, "--smi-keep", "-n2")


def test_a_flag_without_a_mesh_says_so(run: pytest.Pytester) -> None:
    assert "--smi-release does nothing without --smi-mesh" in usage_error(run, "--smi-release=0.6.0")


@pytest.mark.parametrize("extra", [(), ("-p", "no:xdist"), ("-p", "no:allure_pytest")])
def test_collecting_the_shipped_suite_needs_no_cluster(run: pytest.Pytester, extra: tuple[str, ...]) -> None:
    result = run.runpytest_subprocess(REFERENCE, "--collect-only", "-q", *extra)
    assert result.ret == 0
    collected = [line for line in result.outlines if "[split-v1alpha4]" in line]
    assert any("test_traffic_to_the_root_is_shared_by_weight" in line for line in collected)


def test_every_collected_instance_is_there_once(run: pytest.Pytester) -> None:
    result = run.runpytest_subprocess(REFERENCE, "--smi-release=all", "--collect-only", "-q")
    nodes = [line for line in result.outlines if "::" in line]
    assert len(nodes) == len(set(nodes)) > 250


def test_a_release_selects_api_versions(run: pytest.Pytester) -> None:
    result = run.runpytest_subprocess(
        REFERENCE, "--smi-release=0.5.0", "--smi-requirement=TS-001", "--collect-only", "-q"
    )
    assert [line.split("::")[1] for line in result.outlines if "::" in line] == [
        "test_traffic_to_the_root_is_shared_by_weight[split-v1alpha3]"
    ]


def test_levels_select_requirements(run: pytest.Pytester) -> None:
    result = run.runpytest_subprocess(REFERENCE, "--smi-level=open", "--collect-only", "-q")
    nodes = [line for line in result.outlines if "::" in line]
    assert nodes
    assert all("observe" in node for node in nodes)


def test_paths_given_are_what_runs(run: pytest.Pytester) -> None:
    path = run.makepyfile("def test_mine(): pass")
    result = run.runpytest_subprocess(REFERENCE, "--collect-only", "-q", str(path))
    assert [line for line in result.outlines if "::" in line] == [f"{path.name}::test_mine"]


def test_an_unknown_requirement_in_a_test_is_an_error_of_collection(run: pytest.Pytester) -> None:
    run.makepyfile(
        """
        from pytest_smi import requirement

        @requirement("TA-05")
        def test_mine(smi): pass
        """
    )
    result = run.runpytest_subprocess(REFERENCE, "test_an_unknown_requirement_in_a_test_is_an_error_of_collection.py")
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*unknown requirement *TA-05*did you mean TA-*"])


def test_the_smi_fixture_without_a_mesh_says_what_to_do(run: pytest.Pytester) -> None:
    run.makepyfile("def test_mine(smi): pass")
    result = run.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*name one, e.g. pytest --smi-mesh=reference*"])


def test_no_instance_at_all_is_no_success(run: pytest.Pytester) -> None:
    """A requirement of v1alpha1 has no instance in the newest release."""
    result = run.runpytest_subprocess(REFERENCE, "--smi-requirement=TS-005", "--smi-results=results.json")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    document = json.loads(Path("results.json").read_text())
    assert document["instances"] == []
    assert document["exit"]["status"] == 5
