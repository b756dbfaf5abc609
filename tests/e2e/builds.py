"""Go programs, built from the pinned modules under `go/` and kept in the cache, one folder for each version."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from functools import cache as once
from pathlib import Path

from tests.e2e.folders import HERE, cache
from tests.e2e.trouble import E2eError

_STAMPED = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")


@dataclass(frozen=True)
class Module:
    """One folder under `go/`: the module that it pins, and the packages to build, by the name of the program."""

    folder: str
    path: str
    programs: dict[str, str]

    @property
    def version(self) -> str:
        """The pinned version, e.g. v1.34.1."""
        text = (HERE / "go" / self.folder / "go.mod").read_text("utf-8")
        found = re.search(rf"^(?:require)?\s*{re.escape(self.path)} (v\S+)", text, re.MULTILINE)
        assert found, f"{self.folder}/go.mod does not pin {self.path}"
        return found[1]

    @property
    def linking(self) -> str:
        """Linker flags: no debug information, and the version where programs tell it to others."""
        flags = ["-s -w"]
        if self.folder == "kubernetes":
            major, minor = self.version.removeprefix("v").split(".")[:2]
            facts = {"gitVersion": self.version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
            flags += [f"-X {package}.{key}={value}" for package in _STAMPED for key, value in facts.items()]
        if self.folder == "osm":
            flags.append(f"-X {self.path}/pkg/version.Version={self.version}")
        return " ".join(flags)


def _under(path: str, *names: str) -> dict[str, str]:
    return {name: f"{path}/cmd/{name}" for name in names}


_KUBERNETES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl")
_SONOBUOY = "github.com/vmware-tanzu/sonobuoy"
_OSM = ("osm-bootstrap", "osm-controller", "osm-healthcheck", "osm-injector", "osm-preinstall")
MODULES = {
    one.folder: one
    for one in (
        Module("kubernetes", "k8s.io/kubernetes", _under("k8s.io/kubernetes", *_KUBERNETES)),
        Module("etcd", "go.etcd.io/etcd/server/v3", {"etcd": "go.etcd.io/etcd/server/v3"}),
        Module("coredns", "github.com/coredns/coredns", {"coredns": "github.com/coredns/coredns"}),
        Module("helm", "helm.sh/helm/v3", _under("helm.sh/helm/v3", "helm")),
        Module("sonobuoy", _SONOBUOY, {"sonobuoy": _SONOBUOY}),
        Module("osm", "github.com/openservicemesh/osm", _under("github.com/openservicemesh/osm", *_OSM)),
        Module("traefik-mesh", "github.com/traefik/mesh", {"traefik-mesh": "github.com/traefik/mesh/cmd/mesh"}),
        Module("traefik", "github.com/traefik/traefik/v2", {"traefik": "github.com/traefik/traefik/v2/cmd/traefik"}),
    )
}


@once
def built(name: str) -> Path:
    """The folder that holds the module's programs, built now if need be (minutes, once for each version)."""
    module = MODULES[name]
    target = cache() / "bin" / f"{name}-{module.version}-{_key(module)}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            _build(module, target)
    return target


def _key(module: Module) -> str:
    folder = HERE / "go" / module.folder
    pinned = [(folder / name).read_text("utf-8") for name in ("go.mod", "go.sum")]
    return hashlib.sha256("\n".join([*pinned, module.linking, str(module.programs)]).encode()).hexdigest()[:8]


def _build(module: Module, target: Path) -> None:
    print(f"e2e: building {module.folder} {module.version} …", flush=True)
    began = time.monotonic()
    unfinished = target.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    for program, package in module.programs.items():
        options = ["-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", module.linking]
        go(module.folder, "build", *options, "-o", str(unfinished / program), package)
    unfinished.rename(target)
    print(f"e2e: built {module.folder} in {time.monotonic() - began:.0f} s", flush=True)


def sources(name: str) -> Path:
    """The folder of the module's own unpacked sources (charts, CRDs, examples), read-only."""
    module = MODULES[name]
    go(module.folder, "mod", "download", module.path)
    return Path(go(module.folder, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", module.path).strip())


def go(folder: str, *arguments: str) -> str:
    """Run the go command in a folder under `go/` and return what it prints. Raises E2eError when it fails."""
    command = ["nice", _toolchain(), *arguments]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}
    done = subprocess.run(
        command, cwd=HERE / "go" / folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise E2eError(f"{' '.join(command[1:])} in tests/e2e/go/{folder} failed:\n{done.stderr[-3000:]}")
    return done.stdout


@once
def _toolchain() -> str:
    for found in (shutil.which("go"), "/usr/local/go/bin/go"):
        if found and Path(found).exists():
            return found
    raise E2eError("the go command is needed (Go 1.24 or newer): see https://go.dev/dl, then put it on the PATH")
