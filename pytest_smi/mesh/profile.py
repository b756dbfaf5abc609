"""A mesh profile: what the suite must know of a mesh, from one TOML file that is checked key by key."""

from __future__ import annotations

from pytest_smi.mesh.checks import check
from pytest_smi.mesh.schema import Addressing, Features, Injection, Onboarding, Settle, Versions
from pytest_smi.mesh.schema_install import Deny, Install, Uninstall
from pytest_smi.mesh.schema_look import Diagnose, Precondition, Ready, Restart, Version
from pytest_smi.mesh.sources import Sources, read
from pytest_smi.mesh.tables import Table, key, section
from pytest_smi.spec.catalogue import find


@section
class Profile:
    """Everything that the suite knows of one mesh."""

    name: str = key("name of the mesh, as reports show it", example='name = "mymesh"')
    versions: Versions = key("what the mesh serves", example='write [versions], e.g. access = ["v1alpha3"]')
    title: str = key("the mesh's name for people", default="")
    verified: str = key(
        "what the profile rests on",
        default="not verified",
        example='"ran here on 2026-11-23 with 1.2.3" or "from documentation of 1.2.3"',
    )
    extends: str = key(
        "another profile, by name or path, that this one changes: tables merge, lists replace", default=""
    )
    namespace: str = key("the namespace of the mesh's own parts", default="", example='"osm-system"')
    cluster: str = key("where to run when --smi-cluster does not say", default="kubeconfig")
    features: Features = key("what it lacks", default_factory=Features)
    settle: Settle = key("how fast it is", default_factory=Settle)
    alone: tuple[str, ...] = key(
        "requirements whose tests would disturb others on one cluster with this mesh: nothing runs beside them",
        default=(),
        example='["TA-072"]',
    )
    beside: tuple[str, ...] = key(
        "requirements whose tests need not run alone with this mesh, as elsewhere: they harm their own pods at most",
        default=(),
        example='["TS-010"]',
    )
    onboarding: Onboarding = key("what makes a workload part of it", default_factory=Onboarding)
    injection: Injection = key("what shows that a pod is part of it", default_factory=Injection)
    addressing: Addressing = key("how it is called", default_factory=Addressing)
    precondition: tuple[Precondition, ...] = key("what must be so for it to obey SMI", default=())
    version: Version = key("how to read its version", default_factory=Version)
    ready: Ready = key("what must be so before it can be judged", default_factory=Ready)
    install: Install = key("who brings it", default_factory=Install)
    deny: Deny | None = key("what makes it deny by default", default=None)
    uninstall: Uninstall = key("how it goes", default_factory=Uninstall)
    restart: Restart = key("how its control plane is restarted", default_factory=Restart)
    diagnose: Diagnose = key("what to fetch when a test fails", default_factory=Diagnose)

    def has_to_itself(self, requirement: str) -> bool:
        """Whether nothing may run beside a requirement's test with this mesh; an empty id is a test of none."""
        if not requirement or requirement in self.beside:
            return False
        return requirement in self.alone or find(requirement).alone


def load_profile(name_or_path: str, more: Sources | None = None) -> Profile:
    """The profile of that name, or the one in that file; `more` are third parties' profiles, name to path.

    Raises MeshError for anything not as documented.
    """
    table = read(name_or_path, more or {})
    profile: Profile = Table(name_or_path).build(Profile, table)
    check(profile, name_or_path)
    return profile
