"""What a profile must fulfil beyond the types of its keys. Pure; every mistake is one line with what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_smi import jsonpath
from pytest_smi.mesh.objects import REMAINS
from pytest_smi.mesh.tables import Table, nearest
from pytest_smi.spec.catalogue import catalogue

if TYPE_CHECKING:
    from pytest_smi.mesh.profile import Profile
    from pytest_smi.mesh.schema_look import Dump, Logs, Precondition

_NEEDED = {"helm": "chart", "manifests": "manifests", "command": "commands"}
_HOW = ("equals", "differs", "contains", "lacks")
_CATALOGUE = "pytest-smi catalog lists them"
_FILL = {"service": "s", "namespace": "n"}


def check(profile: Profile, where: str) -> None:
    """Raise MeshError for a profile that contradicts itself, or that cannot be carried out."""
    if not any(profile.versions.served().values()):
        raise Table(where).wrong("[versions] names no API version", 'e.g. access = ["v1alpha3"]')
    try:
        profile.addressing.host.format(**_FILL)
    except (KeyError, IndexError, ValueError) as fault:
        host = profile.addressing.host
        advice = "write {service} and {namespace}"
        raise Table(where, "addressing").wrong(f"host = {host!r} cannot be filled in: {fault!r}", advice) from None
    _install(profile, Table(where, "install"))
    for one in profile.precondition:
        _precondition(one, Table(where, "precondition"))
    _pattern(profile.version.pattern, "pattern", Table(where, "version"))
    for pattern in profile.uninstall.remains:
        kind, slash, name = pattern.partition("/")
        if not (slash and name) or kind not in REMAINS:
            raise Table(where, "uninstall").wrong(f"remains = {pattern!r}: not Kind/NAME", nearest(kind, REMAINS))
    if any(one.apply for one in profile.uninstall.commands):
        raise Table(where, "uninstall.commands").wrong("apply creates objects, which no uninstall does", "leave it out")
    _company(profile, Table(where))
    _namespace(profile, Table(where))


def _company(profile: Profile, table: Table) -> None:
    for name in ("alone", "beside"):
        for identifier in getattr(profile, name):
            if identifier not in catalogue():
                advice = nearest(identifier, catalogue(), _CATALOGUE)
                raise table.wrong(f"{name} = {identifier!r}: no such requirement", advice)
    for identifier in profile.beside:
        if identifier in profile.alone or not catalogue()[identifier].alone:
            why = "alone names it too" if identifier in profile.alone else "its test runs beside others everywhere"
            raise table.wrong(f"beside = {identifier!r}: {why}", "leave it out")


def _install(profile: Profile, table: Table) -> None:
    install = profile.install
    needed = _NEEDED.get(install.method)
    if needed and not getattr(install, needed):
        raise table.wrong(f"{needed} is missing", f"method = {install.method!r} needs it")


def _precondition(one: Precondition, table: Table) -> None:
    given = [how for how in _HOW if getattr(one, how) not in (None, "")]
    if len(given) > 1:
        raise table.wrong(f"{one.that!r} gives {' and '.join(given)}", "give one of them")
    if given and not one.path:
        raise table.wrong(f"{one.that!r} gives {given[0]} but no path", "say which values of the object to look at")
    try:
        jsonpath.check(one.path)
    except jsonpath.JsonPathError:
        raise table.wrong(f"path = {one.path!r} is no JSONPath that is known here", "e.g. .spec.a[*].b") from None
    for how in ("contains", "lacks"):
        _pattern(getattr(one, how), how, table)


def _pattern(pattern: str, key: str, table: Table) -> None:
    try:
        re.compile(pattern)
    except re.error as fault:
        raise table.wrong(f"{key} = {pattern!r} is no regular expression: {fault}") from None


def _namespace(profile: Profile, table: Table) -> None:
    """Where the mesh's own parts are must be said as soon as one of them is named."""
    names = (*profile.ready.deployments, *profile.ready.daemonsets, *profile.restart.deployments)
    names += (profile.version.deployment,) if profile.version.deployment else ()
    entries: tuple[Logs | Dump, ...] = (*profile.diagnose.logs, *profile.diagnose.http)
    pods = bool(profile.ready.http) or any(not one.scene for one in entries)
    if not profile.namespace and (pods or any("/" not in name for name in names)):
        raise table.wrong("namespace is missing", "say where the mesh's own parts are, e.g. 'mesh-system'")
