"""The ways in which a mesh comes and goes: Helm, objects that are applied, programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_smi.cluster.ownership import labels
from pytest_smi.cluster.waiting import until
from pytest_smi.errors import MeshError
from pytest_smi.mesh.expand import expanded
from pytest_smi.mesh.objects import Manifest, Objects, Ref

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_smi.mesh.programs import Programs
    from pytest_smi.mesh.record import Record
    from pytest_smi.mesh.schema_install import Command

_SERVED_SECONDS = 30.0
_SUFFIXES = (".yaml", ".yml", ".json")


class Bringer:
    """Brings the mesh that a record speaks of, and takes it away again. `folder` is for files that programs read."""

    def __init__(self, objects: Objects, record: Record, programs: Programs, folder: Path) -> None:
        self._objects = objects
        self._record = record
        self._programs = programs
        self._folder = folder
        self._profile = record.profile

    def bring(self) -> None:
        """Do what `[install]` says. Raises MeshError; what has come by then is taken away by `take`."""
        install = self._profile.install
        if install.method == "helm":
            self._programs.run(self._helm_install())
        elif install.method == "manifests":
            self._apply(manifests_of(self._fill(install.manifests, "manifests")))
        else:
            self._run(install.commands, "[install]")

    def take(self) -> None:
        """Undo what `bring` did, or the part of it that was done: programs first, then objects, newest first."""
        if self._profile.install.method == "helm" and self._released():
            self._programs.run(["helm", "uninstall", self._release, "--namespace", self._profile.namespace])
        self._run(self._profile.uninstall.commands, "[uninstall]")
        mine = [ref for ref in self._record.applied if self._is_mine(ref)]
        self._objects.delete(reversed(mine), self._profile.install.seconds)

    @property
    def _release(self) -> str:
        return self._profile.install.release or self._profile.name

    def _helm_install(self) -> list[str]:
        install, namespace = self._profile.install, self._profile.namespace
        values = self._folder / "values.json"
        values.write_text(json.dumps(self._fill(install.values, "values")), "utf-8")
        options = {"--repo": install.repo, "--version": install.version}
        given = [word for flag, value in options.items() if value for word in (flag, value)]
        command = ["helm", "install", self._release, install.chart, "--namespace", namespace, "--values", str(values)]
        return [str(one) for one in self._fill([*command, *given, *install.flags], "chart, repo, version or flags")]

    def _released(self) -> bool:
        """Whether Helm knows of the release: an install that was cut short may not have come that far."""
        path = f"/api/v1/namespaces/{self._profile.namespace}/secrets"
        return bool(self._objects.api.list(path, labelSelector=f"owner=helm,name={self._release}"))

    def _run(self, commands: Sequence[Command], at: str) -> None:
        for one in commands:
            said = self._programs.run([str(word) for word in self._fill(one.run, f"{at} commands")])
            if one.apply:
                self._apply(parsed(said, f"the output of {one.run[0]}"))

    def _apply(self, manifests: Iterable[Manifest]) -> None:
        """Create objects with the run's label on them. What is there already belongs to somebody else: MeshError."""
        for manifest in sorted(manifests, key=lambda one: _RANK.get(one["kind"], 2)):
            self._await_kind(manifest["apiVersion"], manifest["kind"])
            ref = self._objects.ref(manifest, self._profile.namespace)
            if ref == Ref("v1", "Namespace", "", self._profile.namespace):
                self._objects.api.patch(str(self._objects.path(ref)), {"metadata": _decoration(manifest)})
                continue
            if self._objects.find(ref):
                raise MeshError(f"{ref} is there already, and not of this run", "remove it, or leave out --smi-install")
            self._record.applied.append(ref)
            self._record.save(self._objects.api)
            meta = manifest["metadata"]
            marked = {**meta, "labels": {**(meta.get("labels") or {}), **labels(self._record.run)}}
            self._objects.create({**manifest, "metadata": marked}, ref)

    def _await_kind(self, api: str, kind: str) -> None:
        """A definition that was just created is served a moment later."""
        until(lambda: self._objects.served(api, kind), f"{kind} of {api} to be served", "", _SERVED_SECONDS)

    def _is_mine(self, ref: Ref) -> bool:
        found = self._objects.find(ref)
        return found is not None and labels(self._record.run).items() <= found["metadata"].get("labels", {}).items()

    def _fill(self, value: Any, at: str) -> Any:
        where = f"profile {self._profile.name}: {at if at.startswith('[') else f'[install] {at}'}"
        return expanded(value, self._programs.environment, where)


_RANK = {"Namespace": 0, "CustomResourceDefinition": 1}


def manifests_of(paths: Iterable[str]) -> list[Manifest]:
    """The objects in files, and in the files of folders (in the order of their names). Raises MeshError."""
    found: list[Manifest] = []
    for path in map(Path, paths):
        files = sorted(one for one in path.iterdir() if one.suffix in _SUFFIXES) if path.is_dir() else [path]
        for file in files:
            try:
                found += parsed(file.read_text("utf-8"), str(file))
            except (OSError, UnicodeDecodeError) as fault:
                raise MeshError(f"manifests {file} cannot be read: {fault}", "see [install] manifests") from None
    if not found:
        raise MeshError("[install] manifests name no object", "name files, or folders of .yaml files")
    return found


def parsed(text: str, where: str) -> list[Manifest]:
    """The objects in YAML or JSON, lists among them taken apart. Raises MeshError for what is no object."""
    import yaml

    try:
        documents = [one for one in yaml.safe_load_all(text) if one]
    except yaml.YAMLError as fault:
        raise MeshError(f"{where} is not YAML: {' '.join(str(fault).split())}", "mend it") from None
    found: list[Manifest] = []
    for one in documents:
        found += one["items"] if isinstance(one, dict) and one.get("kind") == "List" else [one]
    for one in found:
        if not isinstance(one, dict) or not {"apiVersion", "kind", "metadata"} <= one.keys():
            raise MeshError(f"{where} holds something that is no object: {str(one)[:80]}", "mend it")
    return found


def _decoration(manifest: Manifest) -> dict[str, Any]:
    return {part: manifest["metadata"][part] for part in ("labels", "annotations") if manifest["metadata"].get(part)}
