"""From policy to Envoy's resources."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_smi.embedded.mesh import xds
from pytest_smi.embedded.mesh.ca import Authority
from pytest_smi.embedded.mesh.envoy_config import Renderer, bootstrap, probe
from pytest_smi.embedded.mesh.envoy_listeners import listeners
from pytest_smi.embedded.mesh.envoy_rbac import RBAC, enforce, enforce_at_client, permission
from pytest_smi.embedded.mesh.envoy_routes import inbound, services, streams
from pytest_smi.embedded.mesh.faults import semantics_of
from pytest_smi.embedded.mesh.model import ANYONE, Grant, HttpMatch, Pod, Principal
from pytest_smi.embedded.mesh.xds import Directory
from tests.unit.refmesh_objects import POUR, group, pod, policy, ports, rule, split, target

if TYPE_CHECKING:
    from pathlib import Path

KETTLE = Principal("uri", "spiffe://cluster.local/ns/tea/sa/kettle")
MENU = group("menu", POUR)
TEA = target("t", ["kettle"], rule("menu"), rule("tcp", kind="TCPRoute"))
TCP = ports("tcp", 7000, 8080)


def rules(config: dict[str, Any]) -> Any:
    return config[RBAC]["rbac"]["rules"]


def test_no_grant_is_an_empty_list_of_policies_which_denies() -> None:
    assert rules(enforce([])) == {"action": "ALLOW", "policies": {}}


def test_a_grant_without_matches_that_fit_allows_nothing() -> None:
    assert rules(enforce([Grant(frozenset({KETTLE}), ())]))["policies"] == {}
    assert rules(enforce([Grant(frozenset(), None)]))["policies"] == {}


def test_a_grant_names_certificates_and_requests() -> None:
    made = rules(enforce([Grant(frozenset({KETTLE}), (HttpMatch("/pour"),))]))["policies"]["grant-0"]
    assert made["principals"] == [{"authenticated": {"principal_name": {"exact": KETTLE.value}}}]
    assert made["permissions"] == [
        {"and_rules": {"rules": [{"url_path": {"path": {"safe_regex": {"regex": "/pour"}}}}]}}
    ]


def test_anyone_is_anyone_who_has_a_certificate() -> None:
    assert rules(enforce([Grant(frozenset({ANYONE}))]))["policies"]["grant-0"]["principals"] == [{"any": True}]


def test_at_the_client_a_principal_is_every_pod_that_holds_it() -> None:
    pods = [Pod("tea", name, "kettle", ip, ip, {}) for name, ip in (("a", "127.64.0.1"), ("b", "127.64.0.2"))]
    made = rules(enforce_at_client([Grant(frozenset({KETTLE}))], pods))["policies"]["grant-0"]
    assert [one["filter_state"]["string_match"]["exact"] for one in made["principals"]] == [
        "127.64.0.1:0",
        "127.64.0.2:0",
    ]


def test_a_match_without_conditions_permits_anything() -> None:
    assert permission(HttpMatch()) == {"any": True}


@pytest.mark.parametrize(("any_header", "joined"), [(False, "and_rules"), (True, "or_rules")])
def test_header_filters_are_joined_as_the_match_says(any_header: bool, joined: str) -> None:
    made = permission(HttpMatch(headers=(("host", "a"), ("x-b", "b")), any_header=any_header))["and_rules"]["rules"]
    found = made if joined == "and_rules" else made[0][joined]["rules"]
    assert [one["header"]["name"] for one in found] == [":authority", "x-b"]


def domains(table: dict[str, Any]) -> list[str]:
    return [domain for host in table["virtual_hosts"] for domain in host["domains"]]


def test_only_ports_with_grants_are_let_in_and_the_rest_is_refused() -> None:
    table = inbound(policy(MENU, TCP, TEA))
    assert domains(table) == ["127.64.0.4:7000", "127.64.0.4:8080", "*"]
    assert [one["direct_response"]["status"] for one in table["virtual_hosts"][-1]["routes"]] == [403, 403]


def test_routes_are_found_by_a_header_of_ours_which_is_taken_off() -> None:
    table = inbound(policy())
    assert table["request_headers_to_remove"] == [table["vhost_header"]]


def test_a_broken_mesh_answers_503_to_everything() -> None:
    table = inbound(policy(MENU, TCP, TEA, semantics=semantics_of("503-for-everything")))
    assert domains(table) == ["*"]
    assert {one["direct_response"]["status"] for one in table["virtual_hosts"][0]["routes"]} == {503}


def routes_of(table: dict[str, Any], domain: str) -> list[dict[str, Any]]:
    return next(host["routes"] for host in table["virtual_hosts"] if domain in host["domains"])


def test_a_split_with_conditions_is_routes_before_the_root() -> None:
    table = services(
        policy(group("ff", {"name": "a", "methods": ["GET", "PUT"]}), split("s", "pots", ["ff"], china=1, glass=2))
    )
    *matched, rest = routes_of(table, "127.64.1.90:8080")
    weights = [{"name": "service|tea|china|8080", "weight": 1}, {"name": "service|tea|glass|8080", "weight": 2}]
    assert [one["match"]["headers"][0]["string_match"]["exact"] for one in matched] == ["GET", "PUT"]
    assert [one["route"]["weighted_clusters"]["clusters"] for one in matched] == [weights, weights]
    assert (rest["match"], rest["route"]["cluster"]) == ({"prefix": "/"}, "service|tea|pots|8080")


def test_streams_are_split_too_and_refused_when_nobody_may_take_them() -> None:
    split_up = routes_of(streams(policy(split("s", "pots", china=1, glass=1))), "127.64.1.90:7000")
    refused = routes_of(streams(policy(split("s", "pots", china=0))), "127.64.1.90:7000")
    assert len(split_up[0]["route"]["weighted_clusters"]["clusters"]) == 2
    assert refused[0]["direct_response"] == {"status": 503}


def test_client_side_enforcement_guards_the_routes_of_clients() -> None:
    table = services(policy(MENU, TEA, TCP, semantics=semantics_of("client-side-only-enforcement")))
    assert RBAC in routes_of(table, "127.64.1.4:8080")[0]["typed_per_filter_config"]
    assert "typed_per_filter_config" not in routes_of(services(policy(MENU, TEA, TCP)), "127.64.1.4:8080")[0]


def test_listeners_do_not_change_with_policy(tmp_path: Path) -> None:
    bare, full = policy(), policy(MENU, TCP, TEA, split("s", "pots", china=1))
    assert listeners(bare, tmp_path) == listeners(full, tmp_path)


def test_a_pod_without_sidecar_gets_no_listener_and_a_meshed_one_gets_all_its_stream_ports(tmp_path: Path) -> None:
    made = {one["name"]: one for one in listeners(policy(), tmp_path)}
    assert "pod|tea|outsider" not in made
    teapot = made["pod|tea|teapot"]
    addresses = [teapot["address"], *(one["address"] for one in teapot["additional_addresses"])]
    assert [one["socket_address"]["port_value"] for one in addresses] == [7000, 8080]


def test_only_what_changed_is_rendered_again_and_clusters_come_before_listeners(tmp_path: Path) -> None:
    renderer = Renderer(tmp_path)
    assert list(renderer.changed(policy())) == ["clusters", "inbound", "services", "streams", "listeners"]
    assert renderer.changed(policy()) == {}
    assert list(renderer.changed(policy(MENU, TCP, TEA))) == ["inbound"]
    assert list(renderer.changed(policy(MENU, TCP, TEA, split("s", "pots", china=1)))) == ["services", "streams"]
    assert "listeners" in renderer.changed(policy(pod("twin", account="teapot", number=20, app="teapot")))


def test_files_are_replaced_only_when_they_differ(tmp_path: Path) -> None:
    directory = Directory(tmp_path, Authority())
    assert directory.write({"a": [{"x": 1}], "b": []}) == ["a", "b"]
    before = (tmp_path / "a.json").stat().st_ino
    assert directory.write({"a": [{"x": 1}], "b": [{}]}) == ["b"]
    assert (tmp_path / "a.json").stat().st_ino == before
    assert json.loads((tmp_path / "a.json").read_text())["resources"] == [{"x": 1}]
    assert not list(tmp_path.glob(".*"))


def test_certificates_follow_pods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = Directory(tmp_path, Authority())
    one = Pod("tea", "a", "kettle", "127.64.0.1", "127.1.0.1", {})
    directory.certify([one])
    first = (tmp_path / "tls" / "tea.a.crt").read_bytes()
    directory.certify([one])
    assert (tmp_path / "tls" / "tea.a.crt").read_bytes() == first
    directory.certify([Pod("tea", "a", "intruder", "127.64.0.1", "127.1.0.1", {})])
    assert (tmp_path / "tls" / "tea.a.crt").read_bytes() != first
    assert (tmp_path / "tls" / "tea.a.key").stat().st_mode & 0o077 == 0
    directory.certify([])
    assert (tmp_path / "tls" / "tea.a.crt").exists(), "Envoy may still be reading files that name the pod"
    monkeypatch.setattr(xds, "_KEPT_SECONDS", -1.0)
    directory.certify([])
    assert sorted(file.name for file in (tmp_path / "tls").iterdir()) == ["ca.crt"]


def test_the_start_configuration_watches_five_files_at_most(tmp_path: Path) -> None:
    made = json.dumps([bootstrap(tmp_path, "@admin"), listeners(policy(), tmp_path)])
    watched = {part.split('"')[0] for part in made.split('"path_config_source": {"path": "')[1:]}
    assert {path.rpartition("/")[2] for path in watched} == {
        "clusters.json",
        "listeners.json",
        "inbound.json",
        "services.json",
        "streams.json",
    }


def test_the_probe_carries_its_pattern() -> None:
    assert '"regex": "/a.*"' in json.dumps(probe("/a.*"))
