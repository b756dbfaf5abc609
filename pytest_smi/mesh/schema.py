"""Sections of a profile that say what the mesh serves, and what makes a workload part of it."""

from __future__ import annotations

from dataclasses import fields

from pytest_smi.mesh.tables import key, section
from pytest_smi.spec.catalogue import FEATURES
from pytest_smi.spec.kinds import AREAS

_SERVED = "API versions of the group that the mesh reconciles; empty: it does not serve the group"


@section
class Versions:
    """API versions that the mesh reconciles, per API group: whatever else its CRDs serve is not judged."""

    access: tuple[str, ...] = key(_SERVED, default=(), choices=AREAS["access"], example='["v1alpha3"]')
    specs: tuple[str, ...] = key(_SERVED, default=(), choices=AREAS["specs"], example='["v1alpha4"]')
    split: tuple[str, ...] = key(_SERVED, default=(), choices=AREAS["split"], example='["v1alpha2"]')
    metrics: tuple[str, ...] = key(_SERVED, default=(), choices=AREAS["metrics"], example='["v1alpha1"]')

    def served(self) -> dict[str, tuple[str, ...]]:
        """The same as a mapping from group to versions."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


@section
class Features:
    """Optional behaviour by name; what is declared absent makes instances `unsupported`, not failures."""

    absent: tuple[str, ...] = key("features that the mesh does not have", default=(), choices=FEATURES)


@section
class Settle:
    """How long a change may take to be in force."""

    seconds: float = key("a change must be in force within this time", default=30.0)
    agree: int = key("this many observations in a row must agree", default=3)
    attempt_seconds: float = key("one request may take this long", default=5.0)


@section
class AppProtocols:
    """What `appProtocol` the ports of Services get, by what they speak; an empty string leaves it out."""

    http: str = key("HTTP/1.1, h2c and gRPC on one port", default="http")
    tcp: str = key("TCP on which the client speaks first", default="tcp")
    server_first: str = key("TCP on which the server speaks first", default="tcp")
    udp: str = key("datagrams", default="")


@section
class ByProtocol:
    """Annotations of Services by protocol, for a mesh whose Services speak one protocol each.

    When any is given, each Service of the scene is split: `teapot` with its HTTP ports, `teapot-tcp` and `teapot-udp`,
    as far as the protocol has annotations here; ports of other protocols are left out.
    """

    http: dict[str, str] = key("of a Service with HTTP ports", default_factory=dict)
    tcp: dict[str, str] = key("of a Service with TCP ports", default_factory=dict)
    udp: dict[str, str] = key("of a Service with UDP ports", default_factory=dict)

    @property
    def protocols(self) -> tuple[str, ...]:
        """Protocols that have a Service of their own; empty when one Service may speak several."""
        return tuple(one.name for one in fields(self) if getattr(self, one.name))


@section
class Onboarding:
    """What makes a workload part of the mesh."""

    namespace_labels: dict[str, str] = key("labels of the scene's namespaces", default_factory=dict)
    namespace_annotations: dict[str, str] = key("annotations of the scene's namespaces", default_factory=dict)
    pod_labels: dict[str, str] = key("labels of pods in the mesh", default_factory=dict)
    pod_annotations: dict[str, str] = key("annotations of pods in the mesh", default_factory=dict)
    outside_labels: dict[str, str] = key(
        "labels of the pod in such a namespace that must stay out", default_factory=dict
    )
    outside_annotations: dict[str, str] = key("annotations of that pod", default_factory=dict)
    service_annotations: dict[str, str] = key("annotations of every Service", default_factory=dict)
    by_protocol: ByProtocol = key("annotations of Services by protocol", default_factory=ByProtocol)
    app_protocols: AppProtocols = key("`appProtocol` of Service ports", default_factory=AppProtocols)


@section
class Injection:
    """What shows that a pod is in the mesh. Every pod of the scene that should be must show all of it; the one that
    must stay out, none. Name only what the mesh itself adds, nothing that `onboarding` asks for."""

    containers: tuple[str, ...] = key(
        "names of containers, init containers among them", default=(), example='["envoy"]'
    )
    labels: tuple[str, ...] = key("names of labels", default=(), example='["osm-proxy-uuid"]')
    annotations: tuple[str, ...] = key("names of annotations", default=())


@section
class Addressing:
    """How a client of the mesh calls a Service."""

    host: str = key(
        "the host name to call; `{service}` and `{namespace}` are filled in",
        default="{service}.{namespace}.svc.cluster.local",
    )
