"""Where a run's tasks come from: any iterable or async iterable, taken one item at a time.

Nothing is read ahead: an item is asked for when a worker is free to run it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Collection, Generator, Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from task_queue.errors import DuplicateTaskError, MalformedTaskError

Task: TypeAlias = tuple[Any, Callable[..., Any], tuple[Any, ...], Mapping[str, Any]]
"""``(task_id, func, args, kwargs)``"""

Tasks: TypeAlias = Iterable[Task] | AsyncIterable[Task]

END: Final[Any] = object()
"""Taken from a source that has no more."""


def checked(items: Iterable[Any], *, unique: bool) -> Iterator[Task]:
    """The items, each in its normal form. `unique`: no id may come twice.

    Raises MalformedTaskError or DuplicateTaskError at the first item that is wrong. Runs once per task.
    """
    seen: set[Any] = set()
    for position, item in enumerate(items):
        if type(item) is tuple and len(item) == 4 and type(item[2]) is tuple and type(item[3]) is dict:
            task: Task = item
        else:
            task = _normal(item, position)
        if unique:
            try:
                seen.add(task[0])
            except TypeError:
                raise MalformedTaskError(f"tasks[{position}]: its id {task[0]!r} is not hashable") from None
            if len(seen) == position:
                raise DuplicateTaskError(
                    f"tasks[{position}] has the id {task[0]!r}, as an earlier one has; give each task an id of its own"
                )
        yield task


def _emptied(inbox: deque[Any]) -> Iterator[Any]:
    while True:
        yield inbox.popleft()


def _normal(item: Any, position: int) -> Task:
    if not isinstance(item, (tuple, list)) or len(item) != 4:
        raise MalformedTaskError(f"tasks[{position}] is {item!r:.120}; give a tuple (task_id, func, args, kwargs)")
    task_id, func, args, kwargs = item
    if isinstance(args, (str, bytes)) or not isinstance(args, Iterable):
        raise MalformedTaskError(
            f"tasks[{position}] ({task_id!r}): args is {args!r:.80}; give a tuple, with a comma for one: (value,)"
        )
    if not isinstance(kwargs, Mapping) or not all(isinstance(name, str) for name in kwargs):
        raise MalformedTaskError(
            f"tasks[{position}] ({task_id!r}): kwargs is {kwargs!r:.80}; give a dict of names, {{}} for none"
        )
    return task_id, func, tuple(args), dict(kwargs)


class SyncSource:
    """Tasks from an iterable."""

    def __init__(self, tasks: Iterable[Any], *, unique: bool) -> None:
        self._given = tasks
        self.total: int | None = None
        self.items: Iterator[Task] = checked(tasks, unique=unique)
        if isinstance(tasks, Collection):
            # Checked as a whole: a bad item at its end should not be found after hours.
            whole = list(self.items)
            self.total, self.items = len(whole), iter(whole)

    def rest(self) -> Iterator[Task]:
        """The tasks that are known of and were not taken: those of a collection. A generator is not asked."""
        return self.items if self.total is not None else iter(())

    def close(self) -> None:
        """Let go of the tasks; run the ``finally`` of a generator that is not used up."""
        given, self._given, self.items = self._given, (), iter(())
        if isinstance(given, Generator):
            given.close()


class AsyncSource:
    """Tasks from an async iterable.

    One task of its own, `feed`, makes every step of the iterator: a generator with an ``asyncio.timeout``
    or a TaskGroup around its ``yield`` would break if each step ran in another worker.
    """

    total = None

    def __init__(self, tasks: AsyncIterable[Any], *, unique: bool) -> None:
        self._items = aiter(tasks)
        self._inbox: deque[Any] = deque()
        self._checked = checked(_emptied(self._inbox), unique=unique)
        self._asked: deque[asyncio.Future[Any]] = deque()
        self._bell = asyncio.Event()
        self._left_over: list[Task] = []
        self._over = False

    async def take(self) -> Task:
        """The next task, or END."""
        if self._over and not self._left_over:
            return END  # type: ignore[no-any-return]
        answer = asyncio.get_running_loop().create_future()
        self._asked.append(answer)
        self._bell.set()
        try:
            task: Task = await answer
        except asyncio.CancelledError:
            if answer.done() and not answer.cancelled() and answer.result() is not END:
                # Handed over in the very turn of the cancellation: somebody else's, then.
                self._left_over.insert(0, answer.result())
                self._answer()
            raise
        return task

    async def feed(self) -> None:
        """Answer each `take` in turn, until there are no more items. Raises what the iterable raises."""
        try:
            while True:
                await self._demand()
                try:
                    item = await anext(self._items)
                except StopAsyncIteration:
                    return
                self._inbox.append(item)
                self._left_over.append(next(self._checked))
                self._answer()
        finally:
            self._over = True
            self._answer()
            if isinstance(self._items, AsyncGenerator):
                await self._items.aclose()

    async def _demand(self) -> None:
        while True:
            self._answer()
            if self._asked:
                return
            self._bell.clear()
            await self._bell.wait()

    def _answer(self) -> None:
        while self._asked and self._asked[0].done():  # Asked for by a worker that is gone.
            self._asked.popleft()
        while self._asked and (self._left_over or self._over):
            answer = self._asked.popleft()
            if not answer.done():
                answer.set_result(self._left_over.pop(0) if self._left_over else END)

    def rest(self) -> Iterator[Task]:
        return iter(self._left_over)


def source_of(tasks: Tasks, *, unique: bool) -> SyncSource | AsyncSource:
    """`unique`: no id may come twice. Raises MalformedTaskError if `tasks` cannot be iterated over."""
    if isinstance(tasks, AsyncIterable):
        return AsyncSource(tasks, unique=unique)
    if isinstance(tasks, Iterable) and not isinstance(tasks, (str, bytes, Mapping)):
        return SyncSource(tasks, unique=unique)
    raise MalformedTaskError(
        f"tasks is {tasks!r:.80}; give an iterable or async iterable of (task_id, func, args, kwargs)"
    )
