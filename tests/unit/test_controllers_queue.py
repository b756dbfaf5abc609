import asyncio
from collections.abc import Awaitable, Callable

from pytest_smi.embedded.client import ApiFailure
from pytest_smi.embedded.controllers.queue import WorkQueue

Work = Callable[[str], Awaitable[float | None]]


def working(work: Work, conduct: Callable[[WorkQueue[str]], Awaitable[None]], parallel: int = 8) -> None:
    async def run() -> None:
        queue = WorkQueue("test", work, parallel)
        async with asyncio.timeout(5):
            task = asyncio.create_task(queue.run())
            await conduct(queue)
            task.cancel()
            await asyncio.wait([task])

    asyncio.run(run())


def test_a_key_added_often_is_worked_on_once_and_once_more_if_added_meanwhile() -> None:
    done: list[str] = []

    async def conduct(queue: WorkQueue[str]) -> None:
        for _ in range(5):
            queue.add("a")
        await started.wait()
        for _ in range(5):
            queue.add("a")
        go_on.set()
        await twice.wait()
        await asyncio.sleep(0)

    async def work(key: str) -> None:
        done.append(key)
        started.set()
        await go_on.wait()
        if len(done) == 2:
            twice.set()

    started, go_on, twice = asyncio.Event(), asyncio.Event(), asyncio.Event()
    working(work, conduct)
    assert done == ["a", "a"]


def test_one_key_is_never_worked_on_twice_at_a_time_and_not_too_many_at_once() -> None:
    now: set[str] = set()
    most = 0

    async def work(key: str) -> None:
        nonlocal most
        assert key not in now
        now.add(key)
        most = max(most, len(now))
        await asyncio.sleep(0)
        now.discard(key)
        left.discard(key)
        if not left:
            finished.set()

    async def conduct(queue: WorkQueue[str]) -> None:
        for key in [*left, *left]:
            queue.add(key)
        await finished.wait()

    left, finished = set(map(str, range(20))), asyncio.Event()
    working(work, conduct, parallel=3)
    assert most == 3


def test_a_failure_is_tried_again_until_it_works_and_others_go_on() -> None:
    tries: list[str] = []

    async def work(key: str) -> None:
        tries.append(key)
        if key == "bad" and tries.count("bad") < 3:
            raise ApiFailure(409, "Conflict", "changed", {})
        if key == "odd" and tries.count("odd") < 2:
            raise RuntimeError("a mistake of ours")
        if (tries.count("bad"), tries.count("odd"), tries.count("good")) == (3, 2, 1):
            finished.set()

    async def conduct(queue: WorkQueue[str]) -> None:
        for key in ("bad", "odd", "good"):
            queue.add(key)
        await finished.wait()

    finished = asyncio.Event()
    working(work, conduct)
    assert tries.count("good") == 1


def test_work_may_ask_to_be_looked_at_again_and_the_earlier_time_counts() -> None:
    times: list[float] = []

    async def work(key: str) -> float | None:
        times.append(asyncio.get_running_loop().time())
        if len(times) == 2:
            finished.set()
            return None
        return 60.0

    async def conduct(queue: WorkQueue[str]) -> None:
        queue.add("a")
        queue.add_later("a", 0.01)
        await finished.wait()

    finished = asyncio.Event()
    working(work, conduct)
    assert len(times) == 2
