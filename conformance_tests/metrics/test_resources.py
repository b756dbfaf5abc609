"""Metrics, resources and edges: whose traffic it is, and between whom."""

import pytest

from pytest_smi import (
    Deployed,
    Item,
    Listing,
    Load,
    Metrics,
    Smi,
    Workload,
    assert_allowed,
    assert_told,
    near,
    requirement,
)


@pytest.fixture
def urn(smi: Smi) -> Workload:
    """A server of two pods. It stays with the scene."""
    (found,) = smi.scene.guests(Deployed("urn", smi.namespace, replicas=2))
    return found


def between(listing: Listing, direction: str, other: str) -> list[Item]:
    """The edges in a direction whose other end has this name."""
    found = [(item, item.edge) for item in listing.items]
    return [item for item, edge in found if (edge.direction, edge.resource.name) == (direction, other)]


@requirement("TM-046")
def test_aggregates_are_the_sums_of_their_pods(smi: Smi, metrics: Metrics, kettle: Workload, urn: Workload) -> None:
    """Two pods of one Deployment are both called: the Deployment and the Service have the sum, the namespace at least.

    So have whatever other resources are offered that contain just these pods.
    """
    smi.allow(kettle, to=[urn])
    assert_allowed(kettle.get(urn))
    offered = [entry["name"] for entry in metrics.resources()]
    with Load(kettle.get(urn)) as load:

        def told() -> dict[str, list[Item]]:
            pods = metrics.listing("pods")
            found = {"pods": pods.items, "its pods": [item for pod in urn.pods for item in pods.of(pod.name)]}
            found["namespace"] = [metrics.get("namespaces", smi.namespace)]
            for plural in ("deployments", "services"):
                if plural in offered:
                    found[plural] = [metrics.get(plural, urn.name)]
            return found

        def are_sums(found: dict[str, list[Item]]) -> bool:
            totals = {name: sum(item.total for item in items) for name, items in found.items()}
            both_busy = len(found["its pods"]) == 2 and all(item.total >= 10 for item in found["its pods"])
            of_urn = all(
                near(totals[name], totals["its pods"]) for name in ("deployments", "services") if name in totals
            )
            return both_busy and load.requests > 40 and of_urn and near(totals["namespace"], totals["pods"])

        assert_told(
            metrics,
            "Deployment and Service count what their pods count together, the namespace what all its pods do",
            told,
            are_sums,
        )


@requirement("TM-047")
def test_both_clients_and_servers_have_metrics(
    metrics: Metrics, kettle: Workload, teapot: Workload, pouring: Load
) -> None:
    """The pod that calls has them (direction to, seen at the client), and the pod that is called (from, server)."""
    client, server = kettle.pod.name, teapot.pod.name

    def on_their_sides(found: tuple[Listing, Listing]) -> bool:
        sent, received = between(found[0], "to", server), between(found[1], "from", client)
        sides = [item.side for item in (*sent, *received)]
        counted = all(item.total > 0 for item in (*sent, *received))
        return len(sent) == len(received) == 1 and counted and sides in (["client", "server"], ["", ""])

    assert_told(
        metrics,
        f"{client} has an edge to {server}, seen at the client, and {server} one from {client}, seen at the server",
        lambda: (metrics.edges("pods", client), metrics.edges("pods", server)),
        on_their_sides,
    )


@requirement("TM-048")
def test_an_edge_is_only_where_traffic_flowed(
    smi: Smi, metrics: Metrics, kettle: Workload, cosy: Workload, teapot: Workload, pouring: Load
) -> None:
    """The cosy may call the teapot too and does not: they have no edge, whatever policy and Services say."""
    smi.allow(cosy, to=[teapot], name="unused")
    client, idle, server = kettle.pod.name, cosy.pod.name, teapot.pod.name

    def only_where_called(found: tuple[Listing, Listing, Listing]) -> bool:
        of_server, of_client, of_idle = found
        ends = {(item.edge.direction, item.edge.resource.name) for item in of_server.items}
        return (
            ends == {("from", client)}
            and bool(between(of_client, "to", server))
            and not between(of_client, "from", server)
            and not between(of_idle, "to", server)
        )

    assert_told(
        metrics,
        f"the only edge of {server} is from {client}; there is none to or from {idle}",
        lambda: (metrics.edges("pods", server), metrics.edges("pods", client), metrics.edges("pods", idle)),
        only_where_called,
        cause="edges are made of policy or of Services, or their direction is mistaken",
    )


@requirement("TM-049")
def test_both_ends_tell_the_same(metrics: Metrics, kettle: Workload, teapot: Workload, pouring: Load) -> None:
    """What the kettle's edge to the teapot counts, the teapot's edge from the kettle counts as well."""
    client, server = kettle.pod.name, teapot.pod.name

    def agree(found: tuple[Listing, Listing]) -> bool:
        sent, received = between(found[0], "to", server), between(found[1], "from", client)
        return len(sent) == len(received) == 1 and sent[0].total >= 25 and near(sent[0].success, received[0].success)

    assert_told(
        metrics,
        "the edge has the same counts at both ends",
        lambda: (metrics.edges("pods", client), metrics.edges("pods", server)),
        agree,
    )


@requirement("TM-050")
def test_a_label_selector_filters_the_list(metrics: Metrics, teapot: Workload, pouring: Load) -> None:
    """Of all pods in the list, those with the label remain."""

    def are_filtered(found: tuple[Listing, Listing]) -> bool:
        every, chosen = ({item.resource.name for item in listing.items} for listing in found)
        return len(every) > 1 and chosen == {teapot.pod.name}

    assert_told(
        metrics,
        f"with app=teapot the list has {teapot.pod.name} alone",
        lambda: (metrics.listing("pods"), metrics.listing("pods", labels="app=teapot")),
        are_filtered,
    )


@requirement("TM-051")
def test_a_label_selector_does_not_change_the_numbers(metrics: Metrics, teapot: Workload, pouring: Load) -> None:
    """It selects items, not calls: the kettle, which the selector does not choose, counts as a caller still."""

    def are_equal(found: tuple[Listing, Listing]) -> bool:
        plain, chosen = (sum(item.total for item in listing.of(teapot.pod.name)) for listing in found)
        return plain >= 25 and near(plain, chosen)

    assert_told(
        metrics,
        "the pod's counts are the same in the list and in the filtered list",
        lambda: (metrics.listing("pods"), metrics.listing("pods", labels="app=teapot")),
        are_equal,
    )
