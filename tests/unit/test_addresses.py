import ipaddress
from contextlib import closing

import pytest

from pytest_smi.embedded.addresses import Block, Claim, PodAddresses
from pytest_smi.errors import ClusterError


@pytest.mark.parametrize("a", [64, 127])
def test_the_networks_of_a_block_do_not_overlap(a: int) -> None:
    block = Block(a, 254)
    private = block.private_address(block.pod_ip(7))
    assert ipaddress.ip_address(block.pod_ip(7)) in ipaddress.ip_network(block.pod_cidr)
    assert not ipaddress.ip_network(block.pod_cidr).overlaps(ipaddress.ip_network(block.service_cidr))
    assert private == f"127.{a - 63}.254.7"
    assert 1 <= a - 63 <= 64
    assert not private.startswith("127.0.")


def test_two_clusters_never_share_a_block() -> None:
    with closing(Claim()) as one, closing(Claim()) as other:
        assert one.block != other.block


def test_a_claim_that_is_held_keeps_others_off_and_is_free_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Claim()) as one:
        held = one.block
        choices = iter([held.a, held.b] * 64)
        monkeypatch.setattr("random.randrange", lambda *_: next(choices))
        with pytest.raises(ClusterError, match="all taken"):
            Claim()
    choices = iter([held.a, held.b])
    with closing(Claim()) as again:
        assert again.block == held


def test_an_address_is_kept_by_its_owner_and_reused_as_late_as_possible() -> None:
    addresses = PodAddresses(Block(64, 0))
    first = addresses.acquire("a")
    assert addresses.acquire("a") == first
    addresses.release("a")
    assert addresses.acquire("b") != first
    others = {addresses.acquire(f"pod-{number}") for number in range(249)}
    assert len(others) == 249
    assert first in others
    with pytest.raises(ClusterError, match="250"):
        addresses.acquire("one-too-many")
