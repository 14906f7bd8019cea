"""Group commit: calls that wait at the same moment are executed together, and each gets its own answer.

A call never waits for a batch to fill: while one batch is executed, the next one collects.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from itertools import accumulate, takewhile
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Batcher(Generic[Item, Answer]):
    """Collects single items into batches; an async context manager that ends when every item has its answer.

    `work` runs in `executor`, one batch at a time, and returns an answer for each item, in the same order. An answer
    that is an exception is raised to the caller of its item; an exception that `work` raises, to all callers of the
    batch. A batch of several items has a total weight of at most `most`.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Sequence[Answer | Exception]],
        executor: Executor,
        *,
        most: int = 50,
        weight: Callable[[Item], int] = lambda item: 1,
    ) -> None:
        self._work = work
        self._executor = executor
        self._most = most
        self._weight = weight
        self._waiting: list[tuple[Item, int, asyncio.Future[Answer]]] = []
        self._working: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Batcher[Item, Answer]":
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._working is not None:
            await self._working

    def ask(self, item: Item) -> "asyncio.Future[Answer]":
        """A future of the item's answer. The work is done even if the caller is cancelled."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((item, self._weight(item), answer))
        if self._working is None:
            self._working = loop.create_task(self._work_off())
        return answer

    async def _work_off(self) -> None:
        try:
            while self._waiting:
                size = self._size_of_next()
                batch, self._waiting = self._waiting[:size], self._waiting[size:]
                answers = await self._answers([item for item, _, _ in batch])
                for (_, _, future), answer in zip(batch, answers, strict=True):
                    _give(future, answer)
        finally:
            self._working = None

    def _size_of_next(self) -> int:
        weights = accumulate(weight for _, weight, _ in self._waiting)
        return max(1, sum(1 for _ in takewhile(lambda weight: weight <= self._most, weights)))

    async def _answers(self, items: Sequence[Item]) -> Sequence[Answer | Exception]:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, self._work, items)
        except Exception as error:  # noqa: BLE001 - it is raised to every caller
            return [error] * len(items)


def _give(future: "asyncio.Future[Answer]", answer: Answer | Exception) -> None:
    if future.done():
        return  # the caller was cancelled
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
