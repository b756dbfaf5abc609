"""Sections of a profile that say how the mesh comes, is made to deny, and goes."""

from __future__ import annotations

from typing import Any

from pytest_smi.mesh.schema_look import Object
from pytest_smi.mesh.tables import key, section

METHODS = ("reference", "present", "helm", "manifests", "command")
"""Who brings a mesh: ours; nobody; Helm; objects that are applied; programs such as the mesh's own command line."""


@section
class Command:
    """A program to run. No shell is involved; `${NAME}` in an argument is taken from the environment."""

    run: tuple[str, ...] = key("the program and its arguments", example='run = ["linkerd", "install"]')
    apply: bool = key("[install] only: create the objects that it prints", default=False)


@section
class Install:
    """How `--smi-install` brings the mesh. Without that flag the mesh must be there (but for `reference`).

    Keys of another method than the one chosen do nothing: a profile that extends another may have inherited them.
    """

    method: str = key("who brings it; `present`: nobody", default="present", choices=METHODS)
    chart: str = key("helm: the chart's name in `repo`, or its folder or archive (`./chart`)", default="")
    repo: str = key("helm: URL of the chart's repository", default="")
    version: str = key("helm: version of the chart", default="")
    release: str = key("helm: name of the release; default: the mesh's name", default="")
    values: dict[str, Any] = key("helm: values for the chart", default_factory=dict)
    flags: tuple[str, ...] = key("helm: more flags of `helm install`", default=(), example='["--no-hooks"]')
    manifests: tuple[str, ...] = key("manifests: files, or folders of files, with the objects to apply", default=())
    commands: tuple[Command, ...] = key("command: what to run, in this order", default=())
    directory: str = key("where programs run; default: the profile's folder", default="")
    seconds: float = key("each program may take this long", default=300.0)


@section
class Deny:
    """What makes the mesh deny by default. Done only to a mesh that the run installed, and undone before it goes."""

    object: Object = key("the object to change", example='object = { api = "v1", kind = "ConfigMap", name = "…" }')
    patch: dict[str, Any] = key("a merge patch", example="patch = { spec = { mode = 'deny' } }")


@section
class Uninstall:
    """How a mesh goes that `--smi-install` brought. What was applied, and the namespace, are deleted in any case."""

    commands: tuple[Command, ...] = key("what to run, in this order", default=())
    remains: tuple[str, ...] = key(
        "cluster-wide objects that its own uninstall leaves: `Kind/NAME`, where NAME may have `*`. They are deleted; "
        "and since none may be there before, their presence refuses an install",
        default=(),
        example='["CustomResourceDefinition/*.smi-spec.io"]',
    )
