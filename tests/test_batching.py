"""What waits together is worked on together, everybody gets their own answer, and nothing asked for is left undone."""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from kzfeed.batching import Batcher


class Doubling:
    """Work that waits until it is let go, and remembers what came together."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = threading.Event()

    def __call__(self, numbers: Sequence[int]) -> list[int | Exception]:
        self.go.wait(30)
        self.batches.append(list(numbers))
        return [number * 2 if number >= 0 else ValueError(number) for number in numbers]


def test_what_gathers_during_a_batch_is_the_next_one() -> None:
    async def ask(work: Doubling, thread: ThreadPoolExecutor) -> list[int]:
        async with Batcher(work, thread, most=3) as doubled:
            first = doubled.ask(1)
            await asyncio.sleep(0)
            rest = [doubled.ask(number) for number in (2, 3, 4, 5)]
            work.go.set()
            return [await answer for answer in (first, *rest)]

    work = Doubling()
    with ThreadPoolExecutor(1) as thread:
        assert asyncio.run(ask(work, thread)) == [2, 4, 6, 8, 10]
    assert work.batches == [[1], [2, 3, 4], [5]]


def test_a_batch_weighs_no_more_than_it_may_unless_one_item_alone_does() -> None:
    async def ask(work: Doubling, thread: ThreadPoolExecutor) -> list[int]:
        async with Batcher(work, thread, most=10, weight=lambda number: number) as doubled:
            first = doubled.ask(1)
            await asyncio.sleep(0)
            rest = [doubled.ask(number) for number in (4, 6, 1, 50, 9, 1)]
            work.go.set()
            return [await answer for answer in (first, *rest)]

    work = Doubling()
    with ThreadPoolExecutor(1) as thread:
        assert asyncio.run(ask(work, thread)) == [2, 8, 12, 2, 100, 18, 2]
    assert work.batches == [[1], [4, 6], [1], [50], [9, 1]]


def test_a_failure_is_raised_where_its_item_came_from_and_nowhere_else() -> None:
    async def ask(work: Doubling, thread: ThreadPoolExecutor) -> list[int | BaseException]:
        async with Batcher(work, thread) as doubled:
            return await asyncio.gather(*map(doubled.ask, (1, -1, 2)), return_exceptions=True)

    work = Doubling()
    work.go.set()
    with ThreadPoolExecutor(1) as thread:
        good, bad, other = asyncio.run(ask(work, thread))
    assert (good, other) == (2, 4)
    assert isinstance(bad, ValueError)


def test_work_that_breaks_off_is_raised_for_all_of_its_batch_and_the_next_batch_goes_on() -> None:
    calls = 0

    def work(items: Sequence[int]) -> list[int | Exception]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise OSError("the disk is full")
        return list(items)

    async def ask(thread: ThreadPoolExecutor) -> int:
        async with Batcher(work, thread) as same:
            broken = await asyncio.gather(same.ask(1), same.ask(2), return_exceptions=True)
            assert [str(each) for each in broken] == ["the disk is full"] * 2
            return await same.ask(3)

    with ThreadPoolExecutor(1) as thread:
        assert asyncio.run(ask(thread)) == 3


def test_what_was_asked_for_is_done_though_nobody_waits_any_more() -> None:
    async def ask(work: Doubling, thread: ThreadPoolExecutor) -> None:
        async with Batcher(work, thread, most=1) as doubled:
            answers = [doubled.ask(number) for number in (1, 2, 3)]
            await asyncio.sleep(0)
            for answer in answers:
                answer.cancel()
            work.go.set()
        with pytest.raises(asyncio.CancelledError):
            await answers[-1]

    work = Doubling()
    with ThreadPoolExecutor(1) as thread:
        asyncio.run(ask(work, thread))
    assert work.batches == [[1], [2], [3]]
