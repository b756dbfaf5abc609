"""What is packed for the sample application can be imported by a Python that has nothing installed."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

from pytest_smi.workload.manifests import source
from pytest_smi.workload.packages import packed

_LIMIT = 1024 * 1024  # of a ConfigMap


def test_a_bare_python_finds_h2_in_it(tmp_path: Path) -> None:
    (tmp_path / "packages.zip").write_bytes(packed())
    code = "import h2.connection; print(h2.__file__)"
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        f"import sys; sys.path.append({str(tmp_path)!r}+'/packages.zip'); {code}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{tmp_path}/packages.zip/h2/__init__.py"


def test_it_fits_a_config_map_beside_the_application() -> None:
    code = (Path(__file__).parents[2] / "sample_app" / "sample_app.py").read_text()
    manifest = source("tea", "1", code, packed())
    assert base64.b64decode(manifest["binaryData"]["packages.zip"]) == packed()
    assert len(str(manifest)) < _LIMIT / 2


def test_the_application_uses_what_came_along(tmp_path: Path) -> None:
    sample = Path(__file__).parents[2] / "sample_app" / "sample_app.py"
    (tmp_path / "sample_app.py").write_text(sample.read_text())
    (tmp_path / "packages.zip").write_bytes(packed())
    (tmp_path / "probe.py").write_text(
        "import runpy, sys\n"
        "sys.argv = ['sample_app.py']\n"
        "try:\n    runpy.run_path('sample_app.py', run_name='__main__')\n"
        "except SystemExit as end:\n    print(end.code)\n"
        "import h2\nprint(h2.__file__)\n"
    )
    env = {"CONTROL_PORT": "tea"}  # a bad setting ends it at once
    done = subprocess.run(
        [sys.executable, "-S", "probe.py"], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["2", f"{tmp_path}/packages.zip/h2/__init__.py"]
