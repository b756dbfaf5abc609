"""The positive control of a client: before a refusal counts, the client was seen to reach some application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_smi.spec.resources import ANY, TrafficTarget
from pytest_smi.workload.leave import overdue

if TYPE_CHECKING:
    from pytest_smi.workload.call import Call
    from pytest_smi.workload.workload import Workload

_SERVERS = ("cosy", "teapot2", "teapot")


def introduce(call: Call) -> bool:
    """Grant a call's client something else and see it served, once in the life of its pod; False when it never is.

    A pod may be ready before its proxy is: everything that it asks for is refused then, also by a mesh that lets
    everybody in. A client that was seen served before needs no introduction; one outside of the mesh cannot have any.
    Nothing of the grant is left behind. Raises ManifestRefused when the API server refuses it.
    """
    smi, client, known = call.smi, call.client, call.client.scene.introduced
    if call.pod.uid in known or not client.deployed.meshed:
        return True
    server = _another(call)
    probe = client.get(server, pod=call.pod)

    def served() -> bool:
        return probe.served(probe.send(1)[0])

    with smi.case.step("settle", f"{probe} is allowed, as a control of {client.name}") as step:
        if not served():
            grant = TrafficTarget(f"control-{client.name}", [client], server, [ANY()], namespace=server.namespace)
            if smi.versions.access:
                smi.apply(grant)
            overdue(smi, [probe], lambda _: served())
            if smi.versions.access:
                smi.delete(grant)
                if client.scene.revokes:
                    client.scene.revokes = overdue(smi, [probe], lambda _: not served()) is None
            smi.changed_at = None  # what comes now does not show how long the test's own change takes
        step.ok = call.pod.uid in known
    return step.ok


def _another(call: Call) -> Workload:
    """A server that the call is not about, in its client's namespace if there is one."""
    servers = [call.smi.workload(name) for name in _SERVERS]
    others = [one for one in servers if one is not call.client and one not in call.target.workloads]
    return min(others, key=lambda one: one.namespace != call.client.namespace)
