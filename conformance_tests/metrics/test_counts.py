"""Metrics, counts: they follow the traffic that was sent."""

from pytest_smi import Load, Metrics, Workload, assert_told, near, requirement


@requirement("TM-040")
def test_success_count_follows_the_load(metrics: Metrics, kettle: Workload, served: Workload) -> None:
    """A steady load of good calls is counted within a fifth, as many as fall into the window that the answer names."""
    with Load(kettle.get(served)) as load:
        assert_told(
            metrics,
            "success_count is the number of good calls in the window, failure_count 0",
            lambda: metrics.get("deployments", served.name),
            lambda item: (
                load.seconds > 1.5 * item.window and item.failure == 0 and near(item.success, load.good(item.window))
            ),
        )


@requirement("TM-041")
def test_failure_count_follows_the_failures(metrics: Metrics, kettle: Workload, served: Workload) -> None:
    """The teapot fails every fourth call with 500: a quarter is counted as failures, and the rest as successes."""
    served.pod.agent.behaviour(status=500, fail_ratio=0.25)
    try:
        with Load(kettle.get(served)) as load:
            assert_told(
                metrics,
                "success_count and failure_count are the numbers of good and failed calls",
                lambda: metrics.get("deployments", served.name),
                lambda item: (
                    load.bad(item.window) > 10
                    and near(item.failure, load.bad(item.window))
                    and near(item.success, load.good(item.window))
                ),
            )
    finally:
        served.pod.agent.behaviour()
