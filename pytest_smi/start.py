"""What is checked before anything is collected: mesh, release, requirement ids and contradictory flags."""

from __future__ import annotations

import difflib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_smi.errors import MeshError
from pytest_smi.mesh.lifecycle import reference_faults
from pytest_smi.mesh.profile import Profile, load_profile
from pytest_smi.mesh.sources import shipped_profiles
from pytest_smi.paths import shipped
from pytest_smi.report.declared import BadDeclaration, Declared, declared
from pytest_smi.settings import TOOLS, BadSetting, Settings
from pytest_smi.spec.catalogue import UnknownRequirement, find
from pytest_smi.spec.releases import UnknownRelease, check_release

if TYPE_CHECKING:
    import pytest


def checked(settings: Settings, config: pytest.Config) -> Profile:
    """The profile of a run that can begin. Raises BadSetting, one line, for one that cannot."""
    try:
        profile = load_profile(settings.mesh, third_parties(config))
        if settings.release:
            check_release(settings.release)
        for name in settings.requirements:
            find(name)
    except (MeshError, UnknownRelease, UnknownRequirement) as fault:
        raise BadSetting(str(fault)) from None
    _contradictions(settings, profile, config)
    if settings.fault and not hasattr(config, "workerinput"):  # once is enough
        _known(settings.fault)
    if settings.timeout is None:
        return profile
    return replace(profile, settle=replace(profile.settle, seconds=settings.timeout))


def third_parties(config: pytest.Config) -> dict[str, Path]:
    """Profiles that plugins and conftest files bring, by name. Raises MeshError when two have the same name."""
    found: dict[str, Path] = {}
    for answer in config.hook.pytest_smi_mesh_profiles(config=config):
        for name, path in answer.items():
            taken = "this package" if name in shipped_profiles() else found.get(name)
            if taken:
                raise MeshError(f"two profiles are named {name}: {path} and that of {taken}", "rename one")
            found[name] = Path(path)
    return found


def declarations(settings: Settings, config: pytest.Config) -> Declared:
    """What is declared of instances before the run. Raises BadSetting, one line."""
    try:
        return declared(settings.known_failures, config.invocation_params.dir)
    except (BadDeclaration, UnknownRequirement) as fault:
        raise BadSetting(f"--smi-known-failures: {fault}" if settings.known_failures else str(fault)) from None


def _known(fault: str) -> None:
    try:
        faults = [str(one["name"]) for one in reference_faults()]
    except MeshError as trouble:
        raise BadSetting(str(trouble)) from None
    if fault not in faults:
        near = difflib.get_close_matches(fault, faults, 1)
        hint = f"did you mean {near[0]}?" if near else "python -m pytest_smi.embedded.mesh --list-faults shows all"
        raise BadSetting(f"--smi-fault={fault}: the reference mesh has no such fault ({hint})")


def _contradictions(settings: Settings, profile: Profile, config: pytest.Config) -> None:
    provider = (settings.cluster or profile.cluster).partition(":")[0]
    is_reference = profile.install.method == "reference"
    if settings.fault and not is_reference:
        raise BadSetting(f"--smi-fault={settings.fault} needs --smi-mesh=reference: only that mesh has seeded defects")
    if provider != "kubeconfig" and (settings.context or settings.kubeconfig):
        raise BadSetting(
            f"--smi-context and --smi-kubeconfig do not go with the {provider} cluster: add --smi-cluster=kubeconfig"
        )
    if provider in TOOLS and is_reference:
        raise BadSetting(f"the reference mesh does not run on {provider}: leave out --smi-cluster={settings.cluster}")
    if provider == "embedded" and not is_reference:
        raise BadSetting(
            f"the embedded cluster runs only the reference mesh: run {settings.mesh} with --smi-cluster=kubeconfig"
        )
    if settings.install:
        _installable(settings, profile)
    if settings.keep and _workers(config):
        raise BadSetting("--smi-keep does not go with -n: each worker has a cluster of its own; leave out -n")


def _installable(settings: Settings, profile: Profile) -> None:
    method, name = profile.install.method, settings.mesh
    if method in ("present", "reference"):
        why = "it comes with every run" if method == "reference" else "its profile's [install] does not say how"
        raise BadSetting(f"--smi-install does nothing for {name}: {why}; leave it out")
    if not profile.namespace:
        raise BadSetting(f"--smi-install: profile {name} has no namespace for the mesh; add one, e.g. 'mesh-system'")


def _workers(config: pytest.Config) -> bool:
    return bool(config.getoption("numprocesses", None) or config.getoption("tx", None))


def suite() -> Path:
    """The shipped conformance suite."""
    return shipped("conformance_tests")
