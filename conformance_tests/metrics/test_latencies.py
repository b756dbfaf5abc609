"""Metrics, latencies: percentiles of what the calls really took."""

from pytest_smi import Item, Load, Metrics, Workload, assert_told, requirement

from .conftest import Told

SLOW_SECONDS = 0.2


@requirement("TM-044")
def test_percentiles_are_in_order(metrics: Metrics, told: Told) -> None:
    """p50 is not above p90, and p90 not above p99."""

    def in_order(items: list[Item]) -> bool:
        return bool(items) and all(list(item.latencies) == sorted(item.latencies) for item in items)

    assert_told(metrics, "p50 <= p90 <= p99 in each item", told, in_order)


@requirement("TM-045")
def test_percentiles_follow_the_latencies(metrics: Metrics, kettle: Workload, served: Workload) -> None:
    """One call in twenty or so takes 200 ms: p99 tells of it, p50 does not.

    Half and fivefold are room for buckets of histograms, not for another unit.
    """
    slow = served.behaving(delay_ms=SLOW_SECONDS * 1000, for_path="/slow")
    with slow, Load(kettle.get(served)), Load(kettle.get(served, "/slow")) as slowly:

        def tells_both(item: Item) -> bool:
            p50, _, p99 = item.latencies
            return slowly.requests >= 5 and p50 < SLOW_SECONDS / 2 <= p99 < SLOW_SECONDS * 5

        assert_told(
            metrics,
            f"p50 is below {SLOW_SECONDS / 2 * 1000:g} ms and p99 between that and {SLOW_SECONDS * 5:g} s",
            lambda: metrics.get("deployments", served.name),
            tells_both,
        )
