"""Services of the scene as meshes want them: hints on ports, and one Service for each protocol where a mesh asks."""

from typing import Any

from pytest_smi.mesh.profile import load_profile
from pytest_smi.mesh.schema import AppProtocols, Onboarding
from pytest_smi.workload import manifests as m

SELECTOR = {"app": "teapot"}


def services(onboarding: Onboarding, ports: list[dict[str, Any]] | None = None) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in m.services("teapot", "tea", "1", SELECTOR, onboarding, ports)}


def hints(service: dict[str, Any]) -> dict[int, str | None]:
    return {one["port"]: one.get("appProtocol") for one in service["spec"]["ports"]}


def test_one_service_speaks_all_protocols_unless_the_mesh_minds() -> None:
    (one,) = services(Onboarding(service_annotations={"a": "b"})).values()
    assert hints(one) == {8080: "http", 9090: "http", **dict.fromkeys((7000, 7001, 7002, 7100), "tcp")} | {
        5530: None,
        5531: None,
    }
    assert one["metadata"]["annotations"] == {"a": "b"}
    assert one["spec"]["selector"] == SELECTOR


def test_osm_is_told_where_the_server_speaks_first() -> None:
    (one,) = services(load_profile("osm").onboarding).values()
    assert hints(one)[7100] == "tcp-server-first"
    assert hints(one)[7000] == "tcp"


def test_hints_can_be_left_out() -> None:
    (one,) = services(Onboarding(app_protocols=AppProtocols(http="", tcp="", server_first=""))).values()
    assert set(hints(one).values()) == {None}
    assert {port["name"] for port in one["spec"]["ports"]} >= {"http-8080", "tcp-7000"}, "names hint as well"


def test_traefik_mesh_gets_a_service_for_each_protocol_it_serves() -> None:
    found = services(load_profile("traefik-mesh").onboarding)
    assert {name: set(hints(one)) for name, one in found.items()} == {
        "teapot": {8080, 9090},
        "teapot-tcp": {7000, 7001, 7002, 7100},
    }
    types = {name: one["metadata"]["annotations"]["mesh.traefik.io/traffic-type"] for name, one in found.items()}
    assert types == {"teapot": "http", "teapot-tcp": "tcp"}


def test_a_service_of_one_protocol_has_no_empty_siblings() -> None:
    onboarding = load_profile("traefik-mesh").onboarding
    assert set(services(onboarding, [m.port(7000, "tcp")])) == {"teapot-tcp"}
    assert set(services(onboarding, [m.port(8080)])) == {"teapot"}


def split(**more: Any) -> dict[str, Any]:
    spec = {"service": "teapots", "backends": [{"service": "china", "weight": 1}, {"service": "glass", "weight": 3}]}
    return {"kind": "TrafficSplit", "metadata": {"name": "pour", "namespace": "tea"}, "spec": {**spec, **more}}


def test_a_split_has_its_like_where_tcp_has_services_of_its_own() -> None:
    http, tcp = m.splits(split(), load_profile("traefik-mesh").onboarding)
    assert http == split()
    assert tcp["metadata"] == {"name": "pour-tcp", "namespace": "tea"}
    assert tcp["spec"] == {
        "service": "teapots-tcp",
        "backends": [{"service": "china-tcp", "weight": 1}, {"service": "glass-tcp", "weight": 3}],
    }


def test_other_meshes_and_splits_with_matches_have_none() -> None:
    assert m.splits(split(), load_profile("osm").onboarding) == [split()]
    matched = split(matches=[{"kind": "HTTPRouteGroup", "name": "beta"}])
    assert m.splits(matched, load_profile("traefik-mesh").onboarding) == [matched]
