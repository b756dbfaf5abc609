"""What TrafficSplits mean to the reference mesh."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_smi.embedded.mesh.model import Endpoint
from tests.unit.refmesh_objects import POUR, group, meta, policy, port, service, shares, split

FIREFOX = {"name": "ff", "headers": {"user-agent": ".*Firefox.*"}}


def test_without_a_split_a_service_is_itself() -> None:
    assert shares(policy(), "pots") == {"pots": 1}


def test_backends_share_by_weight_on_every_port() -> None:
    found = policy(split("s", "pots", china=90, glass=10))
    assert shares(found, "pots") == {"china": 90, "glass": 10}
    assert shares(found, "pots", 7000) == {"china": 90, "glass": 10}


def test_weight_nought_and_less_is_left_out() -> None:
    assert shares(policy(split("s", "pots", china=0, glass=7, teapot=-3)), "pots") == {"glass": 7}


def test_all_weights_nought_refuses_the_traffic() -> None:
    assert shares(policy(split("s", "pots", china=0, glass=0)), "pots") == {}


def test_no_backends_split_nothing() -> None:
    assert shares(policy(split("s", "pots")), "pots") == {"pots": 1}


def test_a_backend_named_twice_counts_twice() -> None:
    one = split("s", "pots", china=1, glass=1)
    one["spec"]["backends"].append({"service": "china", "weight": 2})
    assert shares(policy(one), "pots") == {"china": 3, "glass": 1}


def test_huge_weights_keep_their_ratio_within_32_bits() -> None:
    found = shares(policy(split("s", "pots", china=3 * 2**40, glass=2**40)), "pots")
    assert sum(found.values()) < 2**32
    assert found["china"] / found["glass"] == pytest.approx(3)


def test_a_backend_that_does_not_exist_yet_is_passed_over() -> None:
    assert shares(policy(split("s", "pots", china=1, ghost=1)), "pots") == {"china": 1}


def test_a_backend_without_the_port_is_left_out_of_that_port_and_told() -> None:
    small = service("small", "glass", ports=[port(8080)], app="glass")
    found = policy(*small, split("s", "pots", china=1, small=1))
    assert shares(found, "pots", 8080) == {"china": 1, "small": 1}
    assert shares(found, "pots", 7000) == {"china": 1}
    told = [notice for notice in found.notices if "7000" in notice.message]
    assert [(notice.about, notice.reason) for notice in told] == [(("TrafficSplit", "tea", "s"), "BackendWithoutPort")]
    assert not [notice for notice in found.notices if "8080" in notice.message]


def test_a_backend_maps_the_port_to_its_own_target() -> None:
    mapped = service("mapped", "glass", ports=[port(8080, "http", 9999)], app="glass")
    found = policy(*mapped, split("s", "pots", mapped=1))
    assert found.services["tea", "mapped", 8080, False].endpoints == (Endpoint("127.64.0.6", 9999, True),)


def test_splits_are_not_hierarchical() -> None:
    found = policy(split("outer", "pots", china=1), split("inner", "china", glass=1))
    assert shares(found, "pots") == {"china": 1}
    assert shares(found, "china") == {"glass": 1}


def test_a_backend_called_directly_is_not_split() -> None:
    assert shares(policy(split("s", "pots", china=1, glass=1)), "china") == {"china": 1}


def test_a_split_acts_in_its_own_namespace() -> None:
    assert shares(policy(split("s", "pots", namespace="tea2", china=1)), "pots") == {"pots": 1}


@pytest.mark.parametrize("name", ["pots.tea", "pots.tea.svc", "pots.tea.svc.cluster.local"])
def test_the_root_may_be_written_as_a_dns_name(name: str) -> None:
    assert shares(policy(split("s", name, china=1)), "pots") == {"china": 1}


def test_the_oldest_of_several_splits_wins() -> None:
    older = split("z", "pots", created="2024-01-01T00:00:00Z", china=1)
    newer = split("a", "pots", created="2024-01-02T00:00:00Z", glass=1)
    assert shares(policy(newer, older), "pots") == {"china": 1}


def test_matching_requests_are_split_and_the_others_go_to_the_root() -> None:
    found = policy(group("ff", FIREFOX), split("s", "pots", ["ff"], china=1, glass=1))
    matched, rest = found.routes["tea", "pots", 8080, False]
    assert matched.match is not None
    assert matched.match.headers == (("user-agent", "(?:.*Firefox.*)"),)
    assert [key[1] for key, _ in matched.shares] == ["china", "glass"]
    assert rest.match is None
    assert [key[1] for key, _ in rest.shares] == ["pots"]


def test_groups_are_alternatives_and_paths_count() -> None:
    found = policy(group("ff", FIREFOX), group("pour", POUR), split("s", "pots", ["ff", "pour"], china=1))
    first, second, rest = found.routes["tea", "pots", 8080, False]
    assert first.match is not None
    assert first.match.path is None
    assert second.match is not None
    assert second.match.path == "(?:/pour$)(?s:.*)"
    assert rest.match is None


def test_a_missing_group_matches_nothing() -> None:
    assert [r.match for r in policy(split("s", "pots", ["ghost"], china=1)).routes["tea", "pots", 8080, False]] == [
        None
    ]
    assert shares(policy(split("s", "pots", ["ghost"], china=1)), "pots") == {"pots": 1}


def test_a_group_of_another_namespace_does_not_count() -> None:
    found = policy(group("ff", FIREFOX, namespace="tea2"), split("s", "pots", ["ff"], china=1))
    assert shares(found, "pots") == {"pots": 1}
    assert len(found.routes["tea", "pots", 8080, False]) == 1


def test_tcp_meets_no_condition_and_goes_to_the_root() -> None:
    found = policy(group("ff", FIREFOX), split("s", "pots", ["ff"], china=1))
    assert shares(found, "pots", 7000) == {"pots": 1}


def test_an_unready_endpoint_gets_nothing() -> None:
    objects = service("solo", "china", app="china")
    objects[1]["endpoints"][0]["conditions"]["ready"] = False
    assert policy(*objects).services["tea", "solo", 8080, False].endpoints == ()


def test_a_headless_service_is_not_served() -> None:
    headless = {**meta("Service", "none"), "spec": {"clusterIP": "None", "ports": [port(8080)]}}
    assert not [key for key in policy(headless).services if key[1] == "none"]


@pytest.mark.parametrize(
    "spec", [None, {}, {"service": "pots"}, {"service": "pots", "backends": [{"service": "china"}]}]
)
def test_a_malformed_split_has_no_effect_on_its_root_or_others(spec: Any) -> None:
    broken = {**split("broken", "pots"), "spec": spec}
    found = policy(broken, split("s", "teapot", china=1))
    assert shares(found, "pots") == {"pots": 1}
    assert shares(found, "teapot") == {"china": 1}
