"""Smaller parts of the reference mesh: certificates, UDP decisions, conversion reviews, events."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import Any

from cryptography import x509

from pytest_smi.embedded.mesh.ca import Authority
from pytest_smi.embedded.mesh.compiler import compile_policy
from pytest_smi.embedded.mesh.datagrams import Decisions
from pytest_smi.embedded.mesh.faults import semantics_of
from pytest_smi.embedded.mesh.model import Notice, Pod
from pytest_smi.embedded.mesh.notices import event
from pytest_smi.embedded.mesh.semantics import Semantics
from pytest_smi.embedded.mesh.snapshot import Snapshot
from pytest_smi.embedded.mesh.topology import read
from pytest_smi.embedded.mesh.webhook import ConversionWebhook
from tests.unit.refmesh_objects import meta, policy, ports, rule, split, target, world

KETTLE, INTRUDER, TEAPOT, OUTSIDER = (f"127.64.0.{number}" for number in (1, 3, 4, 7))
TEAPOT_SERVICE, POTS_SERVICE, OUTSIDER_SERVICE = (f"127.64.1.{number}" for number in (4, 90, 7))
UDP = ports("udp", kind="UDPRoute")
TEA = target("t", ["kettle"], rule("udp", kind="UDPRoute"))


def test_a_pods_certificate_proves_its_account_and_its_name() -> None:
    authority = Authority()
    pem, _ = authority.for_pod(Pod("tea", "kettle-0", "kettle", "127.64.0.1", "127.1.0.1", {}))
    found = x509.load_pem_x509_certificate(pem)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://cluster.local/ns/tea/sa/kettle"]
    assert names.get_values_for_type(x509.DNSName) == ["kettle-0.tea.pod.cluster.local"]
    found.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.pem))


def test_a_topology_counts_for_the_objects_that_it_was_read_from_and_no_others() -> None:
    before = world()
    known = read(before)
    edited = Snapshot({**before.objects, "TrafficTarget": world(TEA).objects["TrafficTarget"]})
    assert known.is_of(edited)
    assert compile_policy(edited, Semantics(), known) == compile_policy(edited, Semantics())
    gone = {key: one for key, one in before.objects["Pod"].items() if key[1] != "teapot"}
    without = Snapshot({**before.objects, "Pod": gone})
    assert not known.is_of(without)
    assert compile_policy(without, Semantics()) != compile_policy(before, Semantics())
    assert compile_policy(without, Semantics(), known) == compile_policy(without, Semantics())


def test_the_webhooks_certificate_is_trusted_by_the_authority() -> None:
    context = ssl.create_default_context(cadata=Authority().pem.decode())
    assert len(context.get_ca_certs()) == 1


def test_datagrams_are_served_on_services_and_on_meshed_pods() -> None:
    addresses = Decisions(policy()).addresses()
    assert (TEAPOT_SERVICE, 5353) in addresses
    assert (TEAPOT, 5353) in addresses
    assert (OUTSIDER, 5353) not in addresses


def test_a_datagram_reaches_the_process_only_with_a_grant() -> None:
    decisions = Decisions(policy(UDP, TEA))
    for asked in ((TEAPOT_SERVICE, 5353), (TEAPOT, 5353)):
        endpoint = decisions.endpoint(KETTLE, asked)
        assert endpoint == (TEAPOT, 5353)
        assert decisions.delivered(KETTLE, asked, endpoint) == ("127.1.0.4", 5353)
        assert decisions.delivered(INTRUDER, asked, endpoint) is None
        assert decisions.delivered(OUTSIDER, asked, endpoint) is None


def test_a_grant_for_requests_of_some_shape_lets_no_datagram_in() -> None:
    decisions = Decisions(policy(semantics=semantics_of("grpc-unjudged")))
    assert decisions.delivered(KETTLE, (TEAPOT, 5353), (TEAPOT, 5353)) is None


def test_a_pod_outside_the_mesh_takes_datagrams_from_anybody() -> None:
    decisions = Decisions(policy())
    asked = (OUTSIDER_SERVICE, 5353)
    assert decisions.delivered(INTRUDER, asked, (OUTSIDER, 5353)) == (OUTSIDER, 5353)


def test_datagrams_of_meshed_clients_follow_the_split() -> None:
    decisions = Decisions(policy(split("s", "pots", china=1, glass=0)))
    assert {decisions.endpoint(KETTLE, (POTS_SERVICE, 5353)) for _ in range(50)} == {("127.64.0.5", 5353)}
    assert len({decisions.endpoint(OUTSIDER, (POTS_SERVICE, 5353)) for _ in range(50)}) == 2
    assert Decisions(policy(split("s", "pots", china=0))).endpoint(KETTLE, (POTS_SERVICE, 5353)) is None


def test_a_client_side_guard_counts_for_datagrams() -> None:
    decisions = Decisions(policy(UDP, TEA, semantics=semantics_of("client-side-only-enforcement")))
    assert decisions.delivered(INTRUDER, (TEAPOT_SERVICE, 5353), (TEAPOT, 5353)) is None
    assert decisions.delivered(INTRUDER, (TEAPOT, 5353), (TEAPOT, 5353)) == ("127.1.0.4", 5353)


def review(*objects: dict[str, Any], version: str = "split.smi-spec.io/v1alpha4") -> dict[str, Any]:
    webhook = ConversionWebhook(Authority(), Semantics().converted)
    asked = {"uid": "u", "desiredAPIVersion": version, "objects": list(objects)}
    answer: dict[str, Any] = webhook.review({"request": asked})["response"]
    return answer


def test_a_review_converts_every_object() -> None:
    spec = {"service": "pots", "backends": [{"service": "china", "weight": "1"}]}
    one = {**meta("TrafficSplit", "s"), "apiVersion": "split.smi-spec.io/v1alpha1", "spec": spec}
    answer = review(one, one)
    assert (answer["uid"], answer["result"]["status"]) == ("u", "Success")
    assert [found["spec"]["backends"][0]["weight"] for found in answer["convertedObjects"]] == [1000, 1000]


def test_a_review_that_cannot_be_answered_says_why() -> None:
    answer = review({**meta("Teapot", "s"), "apiVersion": "split.smi-spec.io/v1alpha1"})
    assert answer["result"]["status"] == "Failed"
    assert "Teapot" in answer["result"]["message"]
    assert answer["convertedObjects"] == []


def test_equal_notices_make_events_of_one_name() -> None:
    notice = Notice(("TrafficSplit", "tea", "s"), "uid-1", "BackendWithoutPort", "why")
    made = event(notice, datetime(2024, 1, 1, tzinfo=UTC))
    again = event(notice, datetime(2024, 1, 2, tzinfo=UTC))
    assert made["metadata"] == again["metadata"]
    assert made["involvedObject"] == {
        "apiVersion": "split.smi-spec.io/v1alpha4",
        "kind": "TrafficSplit",
        "namespace": "tea",
        "name": "s",
        "uid": "uid-1",
    }
    assert (made["type"], made["firstTimestamp"]) == ("Warning", "2024-01-01T00:00:00Z")
