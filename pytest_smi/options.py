"""The flags and their ini twins, as a table. The plugin reads it in every pytest run, so it imports next to nothing."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Option:
    """One `--smi-*` flag and its ini twin `smi_*` (same name, `-` as `_`); `SMI_*` in the environment comes last.

    `many` options may be given several times; a `switch` takes no value.
    """

    __slots__ = ("flag", "help", "key", "many", "metavar", "name", "switch")

    def __init__(
        self, name: str, help: str, metavar: str | None = None, *, many: bool = False, switch: bool = False
    ) -> None:
        self.name = name
        self.flag = f"--smi-{name}"
        self.key = f"smi_{name.replace('-', '_')}"
        self.help = help
        self.metavar = metavar
        self.many = many
        self.switch = switch


OPTIONS = (
    Option("mesh", "Mesh to judge: the name of a profile, or the path of a profile's TOML file", "NAME|FILE"),
    Option(
        "cluster",
        "Where to run: embedded, kubeconfig, kind, k3d or minikube (default: as the profile says)",
        "PROVIDER",
    ),
    Option("context", "Context of the kubeconfig to use", "NAME"),
    Option("kubeconfig", "Kubeconfig file to use", "FILE"),
    Option("image", "Container image with Python for the sample application (default: python:3.13-slim)", "IMAGE"),
    Option("release", "SMI release to judge: 0.4.0, 0.5.0, 0.6.0, main or all (default: newest served)", "RELEASE"),
    Option("results", "Write results.json to this file", "FILE"),
    Option("keep", "Keep cluster, mesh and workload after the run until Ctrl-C", switch=True),
    Option("timeout", "Seconds a behaviour may take to settle (default: what the profile says)", "SECONDS"),
    Option("install", "Install the mesh as its profile says, and remove it after the run", switch=True),
    Option("force", "Judge the mesh even when it is not configured for SMI", switch=True),
    Option("fault", "Run the reference mesh with this seeded defect", "NAME"),
    Option("requirement", "Only these requirement ids (several allowed)", "ID", many=True),
    Option("known-failures", "Failures that are known: a shipped list's name, or the path of a TOML file", "NAME|FILE"),
    Option("level", "Only requirements of these levels (several allowed)", "LEVEL", many=True),
)


def value_of(option: Option, flag: Callable[[str], Any], ini: Callable[[str], Any]) -> Any:
    """What was given for an option: on the command line, else in the ini file, else in the environment, else None."""
    return flag(option.key) or ini(option.key) or os.environ.get(option.key.upper()) or None


def any_given(flag: Callable[[str], Any], ini: Callable[[str], Any]) -> bool:
    """Whether this run has anything to do with SMI: a mesh is named somewhere, or any flag is given."""
    return bool(value_of(OPTIONS[0], flag, ini)) or any(flag(option.key) for option in OPTIONS)
