"""Metrics, splits: one item for each backend, about the requests to the apex."""

from functools import partial

from pytest_smi import (
    Item,
    Listing,
    Load,
    Metrics,
    Smi,
    Target,
    TrafficSplit,
    Workload,
    assert_allowed,
    assert_told,
    logged,
    metrics_path,
    near,
    requirement,
)

NAME = "pour"


def shares(listing: Listing) -> dict[str, Item]:
    """The items of the split, by backend."""
    return {item.backend.name: item for item in listing.of(NAME) if item.backend}


@requirement("TM-057")
def test_a_split_has_an_item_for_each_backend(
    smi: Smi, metrics: Metrics, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """Each names the apex, its backend, and the weight as it stands in the split."""
    smi.apply(TrafficSplit(NAME, teapots, {china: 9, glass: 3}))
    wanted = {("teapots", china.name, 9), ("teapots", glass.name, 3)}

    def are_backends(listing: Listing) -> bool:
        found = [item.backend for item in listing.of(NAME)]
        return len(found) == 2 and {(one.apex, one.name, one.weight) for one in found if one} == wanted

    with Load(kettle.get(teapots)):
        assert_told(
            metrics, f"the split has the backends {wanted}", partial(metrics.listing, "trafficsplits"), are_backends
        )


@requirement("TM-058")
def test_a_split_is_about_requests_to_the_apex(
    smi: Smi, metrics: Metrics, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """All requests to the root are in; those that call a backend directly are not."""
    smi.apply(TrafficSplit(NAME, teapots, {china: 50, glass: 50}))
    assert_allowed(kettle.get(china))
    with Load(kettle.get(teapots)) as to_apex, Load(kettle.get(china)) as direct:

        def are_of_apex(listing: Listing) -> bool:
            items = list(shares(listing).values())
            counted = sum(item.total for item in items)
            enough = min(to_apex.requests, direct.requests) >= 50
            return len(items) == 2 and enough and near(counted, to_apex.good(items[0].window))

        assert_told(
            metrics,
            "the backends together count the requests to the apex, without the direct ones to a backend",
            partial(metrics.listing, "trafficsplits"),
            are_of_apex,
        )


@requirement("TM-059")
def test_a_split_is_seen_by_clients_from_everywhere(
    smi: Smi, metrics: Metrics, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """Direction from, side client, and nobody in particular at the other end."""
    smi.apply(TrafficSplit(NAME, teapots, {china: 50, glass: 50}))

    def are_general(listing: Listing) -> bool:
        found = [(item.edge.direction, item.side, str(item.edge.resource)) for item in shares(listing).values()]
        wanted = (("from", "client", "everything"), ("from", "", "everything"))
        return len(found) == 2 and all(one in wanted for one in found)

    with Load(kettle.get(teapots)):
        expected = "the edge of each item is from everything, seen at the client"
        assert_told(metrics, expected, partial(metrics.listing, "trafficsplits"), are_general)


@requirement("TM-060")
def test_each_backend_counts_its_part(
    smi: Smi, metrics: Metrics, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """Of a split of 80 and 20, each item counts what its backend has answered."""
    smi.apply(TrafficSplit(NAME, teapots, {china: 80, glass: 20}))
    pods = {china.name: china.pod.name, glass.name: glass.pod.name}
    with Load(kettle.get(teapots)) as load:

        def follow(listing: Listing) -> bool:
            found = shares(listing)
            return found.keys() == pods.keys() and all(
                load.by(pods[name], item.window) >= 8 and near(item.success, load.by(pods[name], item.window))
                for name, item in found.items()
            )

        expected = "each backend counts the calls that it answered"
        assert_told(metrics, expected, partial(metrics.listing, "trafficsplits"), follow)


@requirement("TM-061")
def test_items_follow_edits_of_the_split(
    smi: Smi, metrics: Metrics, kettle: Workload, teapots: Target, china: Workload, glass: Workload, clay: Workload
) -> None:
    """New weights and another backend show; the backend that went is gone."""
    look = partial(metrics.listing, "trafficsplits")
    with Load(kettle.get(teapots)):
        for weights in ({china: 90, glass: 10}, {china: 30, clay: 70}):
            smi.apply(TrafficSplit(NAME, teapots, weights))
            wanted = {workload.name: weight for workload, weight in weights.items()}

            def are_these(listing: Listing, wanted: dict[str, int] = wanted) -> bool:
                return {name: item.backend.weight for name, item in shares(listing).items() if item.backend} == wanted

            assert_told(metrics, f"the backends have the weights {wanted}", look, are_these)


@requirement("TM-062")
def test_observe_what_a_single_split_gives(
    smi: Smi, metrics: Metrics, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """One object or a list of them: the document does not say."""
    smi.apply(TrafficSplit(NAME, teapots, {china: 50, glass: 50}))
    with Load(kettle.get(teapots)):
        look = partial(metrics.listing, "trafficsplits")
        assert_told(metrics, "the split is listed", look, lambda listing: bool(listing.of(NAME)), agree=1)
        answer = metrics.ask(metrics_path("trafficsplits", smi.namespace, NAME))
        smi.observe("status", answer.code)
        smi.observe("kind", metrics.object(answer.path).get("kind") if answer.code == 200 else None)


@requirement("XG-010")
def test_metrics_agree_with_the_servers_own_logs(
    smi: Smi, metrics: Metrics, kettle: Workload, teapots: Target, china: Workload, glass: Workload
) -> None:
    """What the split's items and the pods' own count in a window is what the applications have in their logs."""
    smi.apply(TrafficSplit(NAME, teapots, {china: 70, glass: 30}))
    with Load(kettle.get(teapots)) as load:

        def told() -> dict[str, tuple[Item, Item, int]]:
            found = shares(metrics.listing("trafficsplits"))
            return {
                one.name: (found[one.name], metrics.get("pods", one.pod.name), logged(one, found[one.name].window))
                for one in (china, glass)
                if one.name in found
            }

        def agree(found: dict[str, tuple[Item, Item, int]]) -> bool:
            return (
                len(found) == 2
                and load.requests > 50
                and all(
                    logged >= 10 and near(share.success, logged) and near(pod.success, logged)
                    for share, pod, logged in found.values()
                )
            )

        assert_told(metrics, "split, pods and the servers' logs count the same", told, agree)
