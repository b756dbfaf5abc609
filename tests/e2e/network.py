"""Addresses and routes of a cluster. All of them exist only inside its namespaces; no route leaves those."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.e2e.machine import Machine

SERVICES = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
DNS_SERVICE = "10.96.0.10"
PODS = "10.244.0.0/16"


def address(index: int) -> str:
    """The address of node number `index`."""
    return f"172.30.0.{10 + index}"


def pods(index: int) -> str:
    """The addresses of the pods on node number `index`."""
    return f"10.244.{index}.0/24"


def plug(switch: Machine, node: Machine, index: int, count: int) -> None:
    """Connect a node to the switch, and give it its address and the routes to services and to all pods.

    The switch is a bridge on a machine of its own, so that no node's packet filter sees what others say to each other.
    """
    port = f"port{index}"
    if index == 0:
        switch.run("sh", "-ec", "ip link add lan type bridge && ip link set lan up")
    switch.link("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", str(node.pid))
    switch.run("sh", "-ec", f"ip link set {port} master lan && ip link set {port} up")
    routes = [f"ip route add {pods(other)} via {address(other)}" for other in range(count) if other != index]
    steps = [f"ip addr add {address(index)}/24 dev eth0", "ip link set eth0 up", f"ip route add {SERVICES} dev eth0"]
    node.run("sh", "-ec", " && ".join([*steps, *routes]))
