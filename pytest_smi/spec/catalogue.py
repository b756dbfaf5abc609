"""The requirement catalogue: every testable statement of SMI with an id, loaded from `catalogue.json`.

An id is stable over API versions; which versions carry it is said by `versions` (or `kinds`). The catalogue is one JSON
file because it is read in every run with `--smi-mesh`, and JSON loads in a twentieth of the time of YAML.
"""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_smi.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Mapping

LEVELS = ("must", "should", "may", "implied", "open", "api", "note")
"""What a statement rests on.

must, should, may: the document's words. implied: follows from an example or from two statements together.
api: comes from the CRD or Kubernetes. open: the document is silent or contradictory; what is seen is recorded and never
fails. note: nothing to test.
"""

FEATURES: Mapping[str, str] = MappingProxyType(
    {
        "certificates": "X.509 certificates that a test can inspect",
        "control-plane-restart": "restarting the control plane from a test",
        "conversion": "several API versions of one kind served at once",
        "header-filters": "header filters in HTTPRouteGroups",
        "http2": "HTTP/2 without TLS (h2c), and gRPC over it",
        "identity-binding": "the kind IdentityBinding",
        "ingress": "an ingress that belongs to the mesh",
        "interception": "interception of traffic by whatever name or address it is sent, and from outside the mesh",
        "metrics": "the metrics API",
        "port-forward": "port-forwarding to a pod",
        "split-matches": "matches in TrafficSplits",
        "tcp-routes": "the kind TCPRoute",
        "tcp-split": "splitting TCP connections",
        "udp": "the kind UDPRoute",
    }
)
"""Features that a mesh profile may declare absent, and what each is."""

KIND_FEATURES: Mapping[str, str] = MappingProxyType(
    {"TCPRoute": "tcp-routes", "UDPRoute": "udp", "IdentityBinding": "identity-binding"}
)
"""Kind -> the feature that a mesh without it declares absent."""


class UnknownRequirement(HarnessError, LookupError):
    """No requirement has this id; `nearest` is the id that was probably meant, if any."""

    def __init__(self, id: str) -> None:
        near = difflib.get_close_matches(id.upper(), catalogue(), n=1)
        self.id = id
        self.nearest = near[0] if near else None
        advice = f"did you mean {self.nearest}?" if self.nearest else "`pytest-smi catalog` lists them"
        super().__init__(f"unknown requirement {id!r}", advice)


@dataclass(frozen=True)
class Requirement:
    """One statement of the specification.

    id: area and number, such as `TS-004`; stable over API versions.
    area: `access`, `specs`, `split`, `metrics`, `api` (schema and discovery) or `cross` (several areas together).
    group: heading under which the area's requirements are listed.
    versions: API versions that carry the statement, oldest first; of access where the area is cross; empty for api.
    kinds: for api only: each kind the statement is about, with its versions.
    level: one of LEVELS; `level_note` says what qualifies it.
    statement: what must hold, in our words; a question where the level is open.
    check: how to test it; `+` marks what must work and `−` what must not.
    source: where the specification says it (`AC §TrafficTarget`, see `links`); empty where it does not.
    security: a violation lets somebody in who should stay out.
    features: names from FEATURES without which there is nothing to test.
    needs: areas beside its own that the test writes objects of.
    provisional: its test is new, and counts against nobody until the next minor version of the suite.
    alone: its test may disturb others on the same cluster, so it has the cluster to itself.
    untested: why the suite has no test of it; empty when it has one, or should.
    """

    id: str
    area: str
    group: str
    versions: tuple[str, ...]
    kinds: tuple[tuple[str, tuple[str, ...]], ...]
    level: str
    level_note: str
    statement: str
    check: str
    source: str
    security: bool
    features: tuple[str, ...]
    needs: tuple[str, ...]
    provisional: bool = False
    alone: bool = False
    untested: str = ""

    @property
    def api_area(self) -> str:
        """The area whose API version tells the instances apart: its own; access for cross; empty for api."""
        return {"cross": "access", "api": ""}.get(self.area, self.area)

    def apis(self) -> tuple[str, ...]:
        """The API labels of all its instances, oldest version first.

        `split-v1alpha2` for a requirement of one area; `TrafficSplit-v1alpha2` per kind and version for api. A cross
        requirement has one instance per access version (`access-v1alpha3`), which stands for the release that brought
        that version and is tested with its companions; so each release is judged once. A note has none.
        """
        if self.level == "note":
            return ()
        if self.area == "api":
            return tuple(f"{kind}-{version}" for kind, versions in self.kinds for version in versions)
        return tuple(f"{self.api_area}-{version}" for version in self.versions)

    def features_of(self, kind: str | None = None) -> tuple[str, ...]:
        """The features an instance depends on: the requirement's own and that of the kind it is about."""
        extra = KIND_FEATURES.get(kind or "")
        return self.features if extra is None or extra in self.features else (*self.features, extra)


@cache
def catalogue() -> Mapping[str, Requirement]:
    """Every requirement by id, in the order of the catalogue. Loaded once; takes a few milliseconds."""
    text = Path(__file__).with_name("catalogue.json").read_text(encoding="utf-8")
    return MappingProxyType({row["id"]: _requirement(row) for row in json.loads(text)["requirements"]})


def find(id: str) -> Requirement:
    """The requirement with this id. Raises UnknownRequirement, which names the nearest id."""
    try:
        return catalogue()[id]
    except KeyError:
        raise UnknownRequirement(id) from None


def _requirement(row: dict[str, Any]) -> Requirement:
    return Requirement(
        id=row["id"],
        area=row["area"],
        group=row["group"],
        versions=tuple(row.get("versions", ())),
        kinds=tuple((kind, tuple(versions)) for kind, versions in row.get("kinds", {}).items()),
        level=row["level"],
        level_note=row.get("level_note", ""),
        statement=row["statement"],
        check=row["check"],
        source=row["source"],
        security=row.get("security", False),
        features=tuple(row.get("features", ())),
        needs=tuple(row.get("needs", ())),
        provisional=row.get("provisional", False),
        alone=row.get("alone", False),
        untested=row.get("untested", ""),
    )
