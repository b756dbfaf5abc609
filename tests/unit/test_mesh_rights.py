"""What a run may look at of a mesh, as its profile asks: no more, and nothing twice."""

from pytest_smi.cluster.rights import RIGHTS
from pytest_smi.mesh.profile import load_profile
from pytest_smi.mesh.rights import rights_of


def added(name: str) -> list[tuple[tuple[str, ...], str, tuple[str, ...], tuple[str, ...]]]:
    rights = rights_of(load_profile(name))
    assert tuple(rights[: len(RIGHTS)]) == RIGHTS
    return [(one.verbs, one.group, one.resources, one.names) for one in rights[len(RIGHTS) :]]


def test_osm_is_looked_at_by_its_webhooks_and_its_configuration() -> None:
    webhooks = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
    assert added("osm") == [
        (("get",), "admissionregistration.k8s.io", webhooks, ("osm-webhook-osm", "osm-validator-mesh-osm")),
        (("get",), "config.openservicemesh.io", ("meshconfigs",), ("osm-mesh-config",)),
    ]


def test_deployments_may_be_read_anyway() -> None:
    assert added("traefik-mesh") == [(("get",), "apps", ("daemonsets",), ("traefik-mesh-proxy",))]


def test_the_reference_mesh_asks_for_nothing_more() -> None:
    assert added("reference") == []
