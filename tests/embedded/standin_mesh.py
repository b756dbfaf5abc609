"""A mesh with a command line of its own, as others have one: it stands in for them, and is the reference mesh inside.

`install` starts it in the background and prints the objects that belong to it, `uninstall` ends it and takes its CRDs
away. Each call adds a line to FOLDER/calls. With STANDIN_FAULT it has that defect.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

NAMESPACE = "standin-system"
SECONDS = 60.0
_MESH = [sys.executable, "-m", "pytest_smi.embedded.mesh", "--kubeconfig"]
_LABELS = {"app": "controller"}
# Its log has a secret, as real ones do.
_SAYS = "import time\nwhile True: print('reconciled, token=s3cr3t-of-the-mesh', flush=True); time.sleep(0.2)"


def profile(folder: Path, **more: str) -> str:
    """A profile of the stand-in as TOML; `more` replaces or adds to its parts, by name."""
    script = str(Path(__file__).resolve())
    parts = {
        "versions": 'access = ["v1alpha3"]\nspecs = ["v1alpha4"]\nsplit = ["v1alpha2"]',
        "features": 'absent = ["udp"]',
        "settle": "seconds = 10.0",
        "onboarding": 'pod_annotations = { "embedded.pytest-smi.dev/sidecar" = "true" }',
        "injection": 'annotations = ["embedded.pytest-smi.dev/sidecar"]',
        "ready": 'deployments = ["controller"]\nseconds = 30',
        "version": 'deployment = "controller"',
        "install": f"""method = "command"
[[install.commands]]
run = ["${{STANDIN_PYTHON}}", {script!r}, "install", {str(folder)!r}]
apply = true""",
        "uninstall": f"""remains = ["CustomResourceDefinition/*.smi-spec.io", "APIService/*.metrics.smi-spec.io"]
[[uninstall.commands]]
run = ["${{STANDIN_PYTHON}}", {script!r}, "uninstall", {str(folder)!r}]""",
        "deny": """object = { api = "v1", kind = "ConfigMap", name = "mode" }
patch = { data = { permissive = "false" } }""",
        "[precondition]": """that = "permissive mode is off"
advice = "kubectl patch configmap mode"
object = { api = "v1", kind = "ConfigMap", name = "mode" }
path = ".data.permissive"
equals = "false\"""",
        "diagnose": """[[diagnose.logs]]
pods = { app = "controller" }
[[diagnose.http]]
scene = true
port = 15900
path = "/healthz\"""",
        **more,
    }
    head = f'name = "standin"\ntitle = "Stand-in"\nnamespace = "{NAMESPACE}"\n'
    return head + "".join(f"[{name}]\n{text}\n" for name, text in parts.items())


def objects() -> list[dict[str, Any]]:
    """What belongs to the mesh on a cluster, in the mode in which everything is allowed."""
    container = {"name": "controller", "image": "standin:1.2.3", "command": [sys.executable, "-c", _SAYS]}
    template = {
        "metadata": {"labels": _LABELS},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
    }
    spec = {"selector": {"matchLabels": _LABELS}, "template": template}
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "controller"}, "spec": spec},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mode"}, "data": {"permissive": "true"}},
    ]


def main(what: str, folder: Path) -> int:
    """The command line."""
    if what == "serve":
        return _serve(folder)
    with (folder / "calls").open("a") as calls:
        calls.write(f"{what}\n")
    if what == "install":
        _start(folder)
        print(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects()}))
        return 0
    _stop(folder)
    done = subprocess.run([*_MESH, os.environ["KUBECONFIG"], "--uninstall"], stdout=subprocess.DEVNULL, check=False)
    return done.returncode


def _start(folder: Path) -> None:
    if os.environ.get("STANDIN_BROKEN"):
        sys.exit("the stand-in cannot be installed today")
    null = subprocess.DEVNULL
    command = [sys.executable, __file__, "serve", str(folder)]
    subprocess.Popen(command, stdin=null, stdout=null, stderr=null, start_new_session=True)
    _wait(lambda: (folder / "ready").exists(), "the stand-in to be ready")


def _serve(folder: Path) -> int:
    """Hold the mesh's lifeline until SIGTERM."""
    (folder / "pid").write_text(str(os.getpid()))
    fault = os.environ.get("STANDIN_FAULT")
    more = ["--state", str(folder / "state"), *(["--fault", fault] if fault else [])]
    mesh = subprocess.Popen(
        [*_MESH, os.environ["KUBECONFIG"], *more], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    signal.signal(signal.SIGTERM, lambda *_: mesh.stdin and mesh.stdin.close())
    assert mesh.stdout
    said = mesh.stdout.readline()
    (folder / "ready").write_text(said)
    status = mesh.wait()
    for name in ("ready", "pid"):
        (folder / name).unlink()
    return status


def _stop(folder: Path) -> None:
    if (folder / "pid").exists():
        os.kill(int((folder / "pid").read_text()), signal.SIGTERM)
        _wait(lambda: not (folder / "pid").exists(), "the stand-in to end")


def _wait(condition: Any, what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"waited {SECONDS:g} s for {what}")
        time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
