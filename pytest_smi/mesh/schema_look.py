"""Sections of a profile that say where to look: whether the mesh is ready and set up for SMI, its version, its logs."""

from __future__ import annotations

from typing import Any

from pytest_smi.mesh.tables import key, section


@section
class Object:
    """Which object to look at."""

    api: str = key("its `apiVersion`", example='api = "apps/v1"')
    kind: str = key("its kind", example='kind = "Deployment"')
    name: str = key("its name", example='name = "controller"')
    namespace: str = key("its namespace, where the kind has one; default: the mesh's", default="")

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@section
class Precondition:
    """Something that must be so for the mesh to obey SMI at all. What is not so is *not configured for SMI*."""

    that: str = key("what must be so, in words", example='that = "permissive mode is off"')
    advice: str = key("what to do when it is not so", default="see the mesh's documentation")
    object: Object = key("where to look", example='object = { api = "apps/v1", kind = "Deployment", name = "…" }')
    path: str = key(
        "JSONPath of the values in the object to look at, e.g. `.spec.template.spec.containers[*].args[*]`; without it "
        "the object must be there",
        default="",
    )
    equals: Any = key("there is a value, and each is this", default=None)
    differs: Any = key("no value is this; none at all will do", default=None)
    contains: str = key("a value matches this regular expression as a whole", default="")
    lacks: str = key("no value matches this regular expression as a whole", default="")


@section
class Probe:
    """An HTTP GET inside a pod of the mesh, past the mesh."""

    pods: dict[str, str] = key("labels of the pod; the first that is ready is asked", example='pods = { app = "…" }')
    port: int = key("the port in the pod", example="port = 9091")
    path: str = key("the path to get", default="/")


@section
class Ready:
    """What must be so before the mesh can be judged. A Deployment that is missing shows a half-installed mesh."""

    seconds: float = key("how long to wait for it", default=180.0)
    deployments: tuple[str, ...] = key("Deployments that must be available: `name` or `namespace/name`", default=())
    daemonsets: tuple[str, ...] = key("DaemonSets that must be ready on every node", default=())
    webhooks: tuple[str, ...] = key("webhook configurations, of either kind, that must have a caBundle", default=())
    http: tuple[Probe, ...] = key("pods that must answer with status 200", default=())


@section
class Version:
    """How to read the mesh's version from the cluster."""

    deployment: str = key("a Deployment that tells it: by its image's tag, or by `label`", default="")
    container: str = key("the container whose image counts; default: the first", default="")
    label: str = key("a label of the Deployment that holds the version", default="")
    http: Probe | None = key("or a pod that tells it", default=None)
    pattern: str = key("regular expression whose first group is the version in what was found", default="")


@section
class Logs:
    """Logs to fetch."""

    pods: dict[str, str] = key("labels of the pods, in the mesh's namespace", default_factory=dict)
    scene: bool = key("instead: the pods of the scene that the failed test used", default=False)
    container: str = key("which container's log", default="")
    lines: int = key("so many of its last lines", default=200)


@section
class Dump:
    """A page to fetch from pods."""

    pods: dict[str, str] = key("labels of the pods, in the mesh's namespace", default_factory=dict)
    scene: bool = key("instead: the pods of the scene that the failed test used", default=False)
    port: int = key("the port in the pod", example="port = 15000")
    path: str = key("the path to get", default="/")


@section
class Diagnose:
    """What to fetch when a test fails for the first time in a process, for the evidence."""

    seconds: float = key("all of it may take this long", default=20.0)
    kilobytes: int = key("each part is cut to this size; of logs the end is kept", default=64)
    pods: int = key("so many pods for each entry", default=2)
    logs: tuple[Logs, ...] = key("logs", default=())
    http: tuple[Dump, ...] = key("pages, as from an admin port", default=())


@section
class Restart:
    """How to restart the mesh's control plane: the pods of these go, and others must come."""

    deployments: tuple[str, ...] = key("Deployments: `name` or `namespace/name`", default=())
