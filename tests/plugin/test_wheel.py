"""The wheel: one top-level package, with the suite and the sample application inside, found by the same function."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ["-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run([sys.executable, *build], check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_nothing_but_the_package_lands_in_site_packages(wheel: Path) -> None:
    assert {path.name.split("-")[0] for path in wheel.iterdir()} == {"pytest_smi"}


def test_the_suite_is_collected_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    code = f"import sys; sys.path.insert(0, {str(wheel)!r}); import pytest; sys.exit(pytest.main())"
    arguments = ["--smi-mesh=reference", "--collect-only", "-q", "-p", "no:cacheprovider", f"--rootdir={wheel}"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    collected = [line for line in done.stdout.splitlines() if "::" in line]
    assert len(collected) > 200
    strangers = [line for line in collected if "pytest_smi/conformance_tests/" not in line]
    assert strangers == []
