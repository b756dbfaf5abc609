"""Manifests of a small world for tests of the reference mesh, and short ways to ask its policy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.mesh import snapshot
from pytest_smi.embedded.mesh.compiler import compile_policy
from pytest_smi.embedded.mesh.semantics import Semantics
from pytest_smi.embedded.mesh.topology import PRIVATE_ADDRESS, SIDECAR
from pytest_smi.spec.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_smi.embedded.mesh.model import HttpMatch, Policy

Manifest = dict[str, Any]

POUR: Manifest = {"name": "pour", "pathRegex": "/pour$", "methods": ["GET"]}
STIR: Manifest = {"name": "stir", "pathRegex": "/stir$", "methods": ["POST"]}
NUMBERS = {"kettle": 1, "cosy": 2, "intruder": 3, "teapot": 4, "china": 5, "glass": 6, "outsider": 7, "kettle2": 8}


def meta(kind: str, name: str, namespace: str = "tea", **more: Any) -> Manifest:
    """An object without a body, of the stored version if it is one of SMI's."""
    version = {"apiVersion": KINDS[kind].api_version("v1alpha4")} if kind in KINDS else {}
    return {
        **version,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "uid": f"{namespace}-{name}", **more},
    }


def pod(
    name: str, *, namespace: str = "tea", account: str = "", number: int = 0, meshed: bool = True, **labels: str
) -> Manifest:
    """A running pod at 127.64.0.NUMBER, labelled app=NAME and with `labels`."""
    number = number or NUMBERS[name]
    ip, private = f"127.64.0.{number}", f"127.1.0.{number}"
    notes = {SIDECAR: "true", PRIVATE_ADDRESS: private} if meshed else {PRIVATE_ADDRESS: ip}
    container = {"name": "app", "ports": [{"name": "web", "containerPort": 8080}]}
    return {
        **meta("Pod", name, namespace, labels={"app": name, **labels}, annotations=notes),
        "spec": {"serviceAccountName": account or name, "containers": [container]},
        "status": {"phase": "Running", "podIP": ip},
    }


def port(number: int, protocol: str = "http", target: int | str | None = None, name: str = "") -> Manifest:
    """A Service port."""
    transport = {"protocol": "UDP"} if protocol == "udp" else {"protocol": "TCP", "appProtocol": protocol}
    return {"name": name or f"p{number}-{protocol}", "port": number, "targetPort": target or number, **transport}


def service(
    name: str, *pods: str, ports: Iterable[Manifest] = (), namespace: str = "tea", **selector: str
) -> list[Manifest]:
    """A Service and its EndpointSlice over pods; by default with ports 8080 (HTTP), 7000 (TCP) and 5353 (UDP)."""
    listed = list(ports) or [port(8080), port(7000, "tcp"), port(5353, "udp")]
    number = NUMBERS.get(name, 90)
    spec = {"clusterIP": f"127.64.1.{number}", "selector": selector or {"app": name}, "ports": listed}
    endpoints = [{"addresses": [f"127.64.0.{NUMBERS[one]}"], "conditions": {"ready": True}} for one in pods or (name,)]
    sliced = {
        **meta("EndpointSlice", f"{name}-1", namespace, labels={"kubernetes.io/service-name": name}),
        "ports": [
            {"name": p["name"], "port": p["targetPort"], "protocol": p["protocol"]}
            for p in listed
            if isinstance(p["targetPort"], int)
        ],
        "endpoints": endpoints,
    }
    return [{**meta("Service", name, namespace), "spec": spec}, sliced]


def world(*more: Manifest) -> snapshot.Snapshot:
    """Clients kettle, cosy, intruder, kettle2 (in tea2), outsider; servers teapot, china, glass; and `more`."""
    pods = [pod(name) for name in ("kettle", "cosy", "intruder", "teapot")]
    pods += [pod("china", pot="yes"), pod("glass", pot="yes"), pod("outsider", account="kettle", meshed=False)]
    pods.append(pod("kettle2", namespace="tea2", account="kettle"))
    services = [*service("teapot"), *service("china"), *service("glass"), *service("outsider")]
    return snapshot.of(*pods, *services, *service("pots", "china", "glass", pot="yes"), *more)


def account(name: str, namespace: str | None = "tea") -> Manifest:
    """A ServiceAccount subject."""
    return {"kind": "ServiceAccount", "name": name, **({"namespace": namespace} if namespace else {})}


def rule(name: str, *matches: str, kind: str = "HTTPRouteGroup") -> Manifest:
    """A rule; without match names it has no `matches`."""
    return {"kind": kind, "name": name, **({"matches": list(matches)} if matches else {})}


def target(
    name: str, sources: Iterable[Manifest | str], *rules: Manifest, to: Manifest | str = "teapot", **more: Any
) -> Manifest:
    """A TrafficTarget; subjects given by name are ServiceAccounts of tea."""
    listed = [account(one) if isinstance(one, str) else one for one in sources]
    destination = account(to) if isinstance(to, str) else to
    spec = {"destination": destination, "sources": listed, "rules": list(rules)}
    return {**meta("TrafficTarget", name, **more), "spec": spec}


def group(name: str, *matches: Manifest, namespace: str = "tea", **more: Any) -> Manifest:
    """An HTTPRouteGroup."""
    return {**meta("HTTPRouteGroup", name, namespace, **more), "spec": {"matches": list(matches)}}


def ports(name: str, *numbers: int, kind: str = "TCPRoute") -> Manifest:
    """A TCPRoute or UDPRoute."""
    return {**meta(kind, name), "spec": {"matches": {"ports": list(numbers)}}}


def split(
    name: str, root: str, matches: Iterable[str] = (), namespace: str = "tea", created: str = "", **weights: int
) -> Manifest:
    """A TrafficSplit."""
    spec: Manifest = {"service": root, "backends": [{"service": one, "weight": w} for one, w in weights.items()]}
    if listed := [{"kind": "HTTPRouteGroup", "name": one} for one in matches]:
        spec["matches"] = listed
    return {**meta("TrafficSplit", name, namespace, creationTimestamp=created), "spec": spec}


def policy(*more: Manifest, semantics: Semantics | None = None) -> Policy:
    """The policy of the world with `more` in it."""
    return compile_policy(world(*more), semantics or Semantics())


def may(
    found: Policy,
    client: str,
    path: str = "/pour",
    method: str = "GET",
    *,
    to: str = "teapot",
    port: int = 8080,
    headers: dict[str, str] | None = None,
) -> bool:
    """Whether the policy lets a pod's HTTP request in."""
    pods = {one.name: one for one in found.pods}
    grants = found.inbound[pods[to].key, port, "http"]
    return any(
        grant.principals & pods[client].principals
        and (grant.matches is None or any(_fits(match, path, method, headers or {}) for match in grant.matches))
        for grant in grants
    )


def _fits(match: HttpMatch, path: str, method: str, headers: dict[str, str]) -> bool:
    def literal(pattern: str) -> str:
        return re.sub(r"\\Q(.*?)\\E", lambda found: re.escape(found[1]), pattern)

    held = [bool(name in headers and re.fullmatch(literal(p), headers[name])) for name, p in match.headers]
    return (
        (match.path is None or bool(re.fullmatch(literal(match.path), path)))
        and (match.methods is None or method in match.methods)
        and ((any(held) if match.any_header else all(held)) if held else True)
    )


def opens(found: Policy, client: str, port: int, *, udp: bool = False, to: str = "teapot") -> bool:
    """Whether the policy opens a TCP or UDP port to a pod."""
    pods = {one.name: one for one in found.pods}
    grants = found.inbound[pods[to].key, port, "udp" if udp else "tcp"]
    return any(grant.principals & pods[client].principals for grant in grants)


def shares(found: Policy, root: str, port: int = 8080, namespace: str = "tea") -> dict[str, int]:
    """Weights by backend Service of the last route of a Service port (the only one of a split without matches)."""
    return {key[1]: weight for key, weight in found.routes[namespace, root, port, False][-1].shares}
