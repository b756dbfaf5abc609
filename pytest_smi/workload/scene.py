"""The standing scene: who pours tea for whom. Deployed once per session, shared by all tests, ended with the session.

In the first namespace: servers `teapot` (alone behind its Service), `teapot-china`, `teapot-glass` and `teapot-clay`
(each behind its own Service and all behind the Service `teapots`), clients `kettle`, `cosy` (a server too), `intruder`,
and `outsider`, which runs under kettle's ServiceAccount but outside the mesh. In the second: `kettle2` and `teapot2`,
whose ServiceAccounts are named kettle and teapot as in the first.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from pytest_smi.cluster.api import path_of
from pytest_smi.cluster.lease import Lease
from pytest_smi.cluster.leftovers import namespace, remove, wait_gone
from pytest_smi.cluster.ownership import create
from pytest_smi.cluster.waiting import until
from pytest_smi.errors import NotConfigured, WorkloadError
from pytest_smi.mesh.injection import trouble
from pytest_smi.mesh.schema import Injection
from pytest_smi.paths import shipped
from pytest_smi.workload import manifests as m
from pytest_smi.workload import ports
from pytest_smi.workload.call import Target
from pytest_smi.workload.readiness import SCENE_SECONDS, until_ready
from pytest_smi.workload.workload import Pod, Workload

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_smi.cluster.base import Cluster
    from pytest_smi.cluster.leftovers import Thing
    from pytest_smi.mesh.profile import Profile
    from pytest_smi.workload.smi import Smi
    from pytest_smi.workload.standing import Standing

_AGENT_SECONDS = 10.0
ROOT = "teapots"


class Scene:
    """The scene on one cluster, in namespaces of this run alone. Its pods run the sample application in `image`.

    `forced`: it is judged even when its pods do not show that they are in the mesh. `worker` names the process among
    several that have a scene each.
    """

    def __init__(
        self,
        cluster: Cluster,
        profile: Profile,
        run: str,
        image: str = m.IMAGE,
        *,
        forced: bool = False,
        worker: str = "",
    ) -> None:
        self.cluster = cluster
        self.profile = profile
        self.run = run
        self.image = image
        self._forced = forced
        suffix = f"{run}-{worker}" if worker else run
        self.namespace = f"tea-{suffix}"
        self.namespace2 = f"tea2-{suffix}"
        self.smi: Smi | None = None
        self.revokes = True
        self.stands = True
        self.standing: Standing | None = None
        self.numbers = count(1)
        self.introduced: set[str] = set()  # ids of pods that were seen to reach an application
        self._code = (shipped("sample_app") / "sample_app.py").read_text("utf-8")
        self._workloads: dict[str, Workload] = {}
        self._spaces: list[Thing] = []
        self._lease: Lease | None = None

    def deploy(self) -> None:
        """Create everything and return when the API server has it; `wait` waits for the pods."""
        self.settle_in()
        self.add(*self._standing())
        tea, labels = self.namespace, {"app": ROOT}
        self._serve(ROOT, tea, labels)

    def settle_in(self) -> None:
        """Create the namespaces, with what every workload needs, and a sign that the run is alive.

        Raises ClusterError when a namespace of that name is there already: it is not ours then, and is left alone.
        """
        for name in (self.namespace, self.namespace2):
            made = create(self.cluster.api, m.namespace(name, self.run, self.profile.onboarding))
            self._spaces.append(namespace(made))
            if self.cluster.lasting and self._lease is None:
                self._lease = Lease(self.cluster.new_api(), name, self.run)
            self._apply(m.source(name, self.run, self._code, self._packages()))

    def _packages(self) -> bytes:
        """What the image may lack; the embedded cluster's pods have what is installed here."""
        from pytest_smi.workload.packages import packed

        return b"" if self.cluster.provider == "embedded" else packed()

    def _standing(self) -> list[m.Deployed]:
        tea, tea2 = self.namespace, self.namespace2
        pots = [
            m.Deployed(f"teapot-{kind}", tea, labels={"app": ROOT, "version": kind})
            for kind in ("china", "glass", "clay")
        ]
        return [
            m.Deployed("teapot", tea),
            *pots,
            m.Deployed("kettle", tea),
            m.Deployed("cosy", tea),
            m.Deployed("intruder", tea, service=False),
            m.Deployed("outsider", tea, service_account="kettle", meshed=False, service=False),
            m.Deployed("kettle2", tea2, service_account="kettle", service=False),
            m.Deployed("teapot2", tea2, service_account="teapot"),
        ]

    def add(self, *deployed: m.Deployed) -> list[Workload]:
        """Deploy more workloads (not yet ready) and return them; the caller removes them with `remove`."""
        added = []
        for one in deployed:
            if one.account != "default":
                self._apply(m.service_account(one.account, one.namespace, self.run))
            if one.service:
                selector = {m.WORKLOAD_LABEL: one.name}
                self._serve(one.name, one.namespace, selector)
            self._apply(m.deployment(one, self.run, self.profile.onboarding, self.image))
            workload = Workload(self, one)
            self._workloads[f"{one.namespace}/{one.name}"] = workload
            added.append(workload)
        return added

    def guests(self, *deployed: m.Deployed) -> list[Workload]:
        """Workloads that several tests need but not every run: deployed when first asked for, gone with the scene."""
        self.add(*(one for one in deployed if f"{one.namespace}/{one.name}" not in self._workloads))
        guests = [self._workloads[f"{one.namespace}/{one.name}"] for one in deployed]
        for guest in guests:
            if not guest.pods:
                self.wait(guest)
        return guests

    def remove(self, *workloads: Workload) -> None:
        """Delete workloads that a test added, and wait until they are gone: a name can be used again afterwards.

        The Deployment goes last (its dependents first), so it is what is waited for.
        """
        for workload in workloads:
            self._workloads.pop(f"{workload.namespace}/{workload.name}", None)
            workload.close()
            for path in _paths(workload):
                self.cluster.api.delete(path, propagationPolicy="Foreground")
        for workload in workloads:
            for path in _paths(workload):
                until(
                    lambda path=path: self.cluster.api.find(path) is None,  # type: ignore[misc]
                    f"{workload} to go",
                    f"kubectl get -n {workload.namespace} deployments,pods",
                    SCENE_SECONDS,
                )

    def wait(self, *workloads: Workload) -> None:
        """Wait until the given workloads (default: all) run as many ready pods as they should, each with an agent.

        Channels to agents are opened here, so that no test pays for it. Raises WorkloadError when one is silent.
        """
        wanted = workloads or tuple(self._workloads.values())
        for one in wanted:
            until_ready(self.cluster, one)
            self._prove_injection(one)
        for pod in (pod for one in wanted for pod in one.pods):
            try:
                pod.agent.greet(_AGENT_SECONDS)
            except WorkloadError as silence:
                raise WorkloadError(
                    f"the agent of pod {pod.name} does not answer on port {ports.CONTROL}: {silence.what}",
                    "does the mesh intercept that port? see docs/profiles.md",
                ) from None

    def _prove_injection(self, workload: Workload) -> None:
        """Raise NotConfigured when a pod does not show that it is in the mesh, or one shows it that should not be."""
        if self._forced or self.profile.injection == Injection():
            return
        for pod in self.pods(workload):
            wrong = trouble(pod, self.profile.injection, meshed=workload.deployed.meshed)
            if wrong:
                raise NotConfigured(
                    f"{self.profile.name} is not configured for SMI: {wrong}",
                    "does the mesh inject its proxies into the scene's namespaces? see [onboarding] in the profile",
                )

    def used(self) -> list[tuple[str, str]]:
        """Namespace and name of the pods that the running test used last: the client's, then the servers'."""
        call = self.smi.last if self.smi else None
        if call is None:
            return []
        servers = [(workload.namespace, pod.name) for workload in call.target.workloads for pod in workload.pods]
        return [(call.client.namespace, call.pod.name), *servers]

    def pods(self, workload: Workload) -> list[dict[str, Any]]:
        """The workload's pods as the API has them."""
        path = path_of("v1", "Pod", workload.namespace)
        return self.cluster.api.list(path, labelSelector=f"{m.WORKLOAD_LABEL}={workload.name}")

    def workload(self, name: str) -> Workload:
        """A workload by name; names are unique over both namespaces. Raises WorkloadError for an unknown one."""
        for workload in self._workloads.values():
            if workload.name == name:
                return workload
        raise WorkloadError(f"no workload {name}", f"known: {', '.join(w.name for w in self._workloads.values())}")

    def holder(self, pod: str | None) -> Workload | None:
        """The workload that a pod belongs to, by the pod's name."""
        return next((w for w in self._workloads.values() if pod and w.has(pod)), None)

    def service(self, name: str, namespace: str) -> Target:
        """A Service of the scene as the target of calls, by the name that the mesh's clients must use."""
        return self.target(name, namespace, *self.behind(name, namespace))

    def target(self, name: str, namespace: str, *workloads: Workload) -> Target:
        """A Service as the target of calls that these workloads may answer."""
        fill, onboarding = self.profile.addressing.host.format, self.profile.onboarding
        http, tcp, udp = (
            fill(service=m.service_name(name, protocol, onboarding), namespace=namespace)
            for protocol in ("http", "tcp", "udp")
        )
        return Target(http, name, workloads, tcp_host=tcp, udp_host=udp)

    def at_pod(self, workload: Workload, pod: Pod | None = None) -> Target:
        """One pod of a workload (its first by default) by its address, past any Service."""
        return Target((pod or workload.pod).ip, workload.name, (workload,))

    def names(self, workload: Workload) -> list[Target]:
        """A workload's Service by every name that cluster DNS gives it within its namespace, and by its address."""
        target = self.service(workload.name, workload.namespace)
        found = self.cluster.api.get(path_of("v1", "Service", workload.namespace, workload.name))
        short = [workload.name, *(f"{workload.name}.{workload.namespace}{end}" for end in ("", ".svc"))]
        return [target, *(target.at(host) for host in (*short, found["spec"]["clusterIP"]))]

    def behind(self, service: str, namespace: str) -> list[Workload]:
        """The workloads of the scene that a Service of the scene selects."""
        members = [w for w in self._workloads.values() if w.namespace == namespace]
        if service == ROOT:
            return [w for w in members if w.labels.get("app") == ROOT]
        return [w for w in members if w.name == service]

    def apply(self, manifest: m.Manifest) -> None:
        """Apply an object of the workload's own (not an SMI object) with the run's label already on it."""
        self._apply(manifest)

    def _serve(self, name: str, namespace: str, selector: dict[str, str]) -> None:
        for one in m.services(name, namespace, self.run, selector, self.profile.onboarding):
            self._apply(one)

    def _apply(self, manifest: m.Manifest) -> None:
        self.cluster.api.apply(manifest)

    def close(self) -> None:
        """Delete the namespaces that it has created, and with them everything that it holds.

        On a cluster that lasts, returns when they are gone.
        """
        for workload in self._workloads.values():
            workload.close()
        remove(self.cluster.api, self._spaces)
        if self.cluster.lasting:
            # A namespace begins to empty itself some seconds after its deletion, and looks again after some more.
            for workload in self._workloads.values():
                self.cluster.api.delete(_deployment(workload))
            wait_gone(self.cluster.api, self._spaces)
        if self._lease:
            self._lease.close()

    def all_pods(self) -> Iterable[Pod]:
        """Every pod of the scene that has an agent."""
        for workload in list(self._workloads.values()):
            yield from workload.pods


def _paths(workload: Workload) -> list[str]:
    names = m.service_names(workload.name, workload.scene.profile.onboarding)
    services = [path_of("v1", "Service", workload.namespace, name) for name in sorted(names)]
    return [_deployment(workload), *services]


def _deployment(workload: Workload) -> str:
    return path_of("apps/v1", "Deployment", workload.namespace, workload.name)
