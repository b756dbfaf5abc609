"""What a reader needs of a failure: expected, observed, the manifest, the likely cause, and a line to paste."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from pytest_smi.errors import NonConformance

if TYPE_CHECKING:
    from pytest_smi.assertions.settle import Settled
    from pytest_smi.workload.call import Call
    from pytest_smi.workload.smi import Smi

_MANIFEST_LINES = 40


def failure(call: Call, expected: str, settled: Settled) -> NonConformance:
    """The failure of an access assertion, ready to raise."""
    shapes = ", ".join(f"{count} x {shape}" for shape, count in settled.shapes.most_common())
    observed = f"{shapes} in {settled.sent} requests over {call.smi.settle.seconds:g} s"
    if settled.note:
        observed += f"; {settled.note}"
    return report(call.smi, f"{call} is {expected}", observed, _cause(expected, settled))


def report(smi: Smi, expected: str, observed: str, cause: str) -> NonConformance:
    """A NonConformance with everything a mesh developer needs to begin. Raises MeshError when the mesh has ended."""
    smi.mesh.check()
    case = smi.case.instance
    lines = [
        f"{case.key} {case.statement}",
        f"  expected: {expected}",
        f"  observed: {observed}",
        f"  likely cause: {cause}",
        f"  again: pytest {smi.mesh.flags} --smi-requirement={case.requirement} --smi-keep",
        "  applied:" + ("" if smi.case.manifests else " nothing"),
        *(f"    {line}" for line in _applied(smi)),
    ]
    return NonConformance("\n".join(lines))


def _applied(smi: Smi) -> list[str]:
    text = "---\n".join(yaml.safe_dump(manifest, sort_keys=False) for manifest in smi.case.manifests)
    lines = text.splitlines()
    if len(lines) <= _MANIFEST_LINES:
        return lines
    return [*lines[:_MANIFEST_LINES], f"... {len(lines) - _MANIFEST_LINES} more lines in results.json"]


def _cause(expected: str, settled: Settled) -> str:
    shapes = set(settled.shapes)
    if expected == "denied":
        if settled.note:
            return "the refusal is made on the way back, after the application was reached"
        if len(shapes) > 1:
            return "the policy is enforced for some requests only: a replica, a proxy worker or a stale connection"
        return "the policy is not enforced at the server, or it grants more than it says"
    if settled.note:
        return "a proxy answers in the application's place"
    if any(shape.startswith("answered by") for shape in shapes):
        return "the request was routed to another workload"
    if shapes <= {"503", "502", "504", "timeout", "refused", "reset", "closed"}:
        return "the policy did not become a route within the budget, or the proxy cannot reach the application"
    return "the policy does not grant what it says, or is not yet in force when the budget ends"
