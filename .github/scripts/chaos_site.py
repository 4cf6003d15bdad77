"""One queue with real workers on it, for as long as something goes wrong there; at the end nothing of it is left."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from chaos_record import FILE, Record

from queue_processor import open_queue
from shared_testing.builders.processes import Processes
from shared_testing.builders.redis_server import RedisServer
from shared_testing.builders.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from queue_processor import Counts, DeadMessage, MessageQueue

HERE = Path(__file__).parent
CONSUMERS = 8
MAX_DELIVERIES = 5

# Seconds without a sign of life after which none will come, also on a busy machine.
PATIENCE = 10.0
# In which who looks after workers has started another one, if anybody does.
_RESTART = 1.0
# Between two looks at the record.
_LOOK = 0.01


@dataclass(frozen=True, slots=True)
class Terms:
    """How much of it."""

    rounds: int = 1
    messages: int = 1000
    lease: float = 2.0
    long: float = 10.0
    """Seconds that a long task takes."""
    worker: str = "queue_processor"
    """The module that is run as worker."""


class Site:
    """`engine` is "redis" or "sqlite". `async with` opens it, and ends all processes."""

    def __init__(self, engine: str, terms: Terms) -> None:
        self.terms = terms
        self.workers: dict[int, Process] = {}
        """Those that were started, by pid."""
        self._engine = engine
        self._numbers = 0
        self._closing = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            self._open()
            # Ended before the server: workers that have none would only wait for it.
            self._processes = await self._closing.enter_async_context(Processes())
        except BaseException:
            await self._closing.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._closing.aclose()

    def _open(self) -> None:
        self.folder = Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        self.record = Record(self.folder / "record")
        self._closing.callback(self.record.close)
        if self._engine == "redis":
            self.server = self._closing.enter_context(RedisServer(durable=True))
            self.url = self.server.url
        else:
            self.url = f"sqlite://{self.folder}/queue.db"

    async def proxy(self) -> TcpProxy:
        """From now on workers come to the server by way of this."""
        proxy = await self._closing.enter_async_context(TcpProxy(self.server.url))
        self.url = proxy.url
        return proxy

    # ------------------------------------------------------------ messages

    async def put(self, count: int, seconds: Callable[[], float], orders: Iterable[dict[str, Any]] = ()) -> range:
        """Messages of so many seconds of work each, and those of `orders` at the front; their numbers."""
        all_orders = [*orders, *({"does": "work", "seconds": seconds()} for _ in range(count))]
        numbers = range(self._numbers, self._numbers + len(all_orders))
        self._numbers = numbers.stop
        bodies = [
            json.dumps(each | {"number": number}).encode() for number, each in zip(numbers, all_orders, strict=True)
        ]
        async with self._queue() as queue:
            await queue.put_many(bodies)
        return numbers

    async def counts(self) -> Counts:
        async with self._queue() as queue:
            return await queue.counts()

    async def dead_letters(self) -> list[DeadMessage]:
        async with self._queue() as queue:
            return await queue.dead_letters()

    def _queue(self) -> AbstractAsyncContextManager[MessageQueue]:
        # Each time anew, and past the proxy: what the workers suffer is not the onlooker's affair.
        url = self.server.url if self._engine == "redis" else self.url
        return open_queue(url, lease=self.terms.lease, max_deliveries=MAX_DELIVERIES)

    # ------------------------------------------------------------ workers

    async def start_worker(self) -> Process:
        """As anybody starts one: ``python -m queue_processor run``. In a group of its own: Ctrl-C is not for it."""
        command = ["python", "-m", self.terms.worker, "run", "--queue", self.url, "--handler", "chaos_work:handle"]
        limits = ["--consumers", CONSUMERS, "--lease", self.terms.lease, "--max-deliveries", MAX_DELIVERIES]
        paths = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = os.environ | {FILE: str(self.folder / "record"), "PYTHONPATH": os.pathsep.join(paths)}
        with (self.folder / "log").open("ab") as log:
            worker = await self._processes.start(
                *command, *limits, cwd=self.folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        self.workers[worker.pid] = worker
        return worker

    async def start_crew(self, count: int) -> list[Process]:
        """So many of them, when each has shown that it is up: else one may be spared what it is here for."""
        crew = [await self.start_worker() for _ in range(count)]
        while not self.record.pids >= {each.pid for each in crew}:
            numbers = await self.put(count * CONSUMERS, lambda: 0.1)
            if not await self.until_ended(numbers, len(numbers)):
                break
        return crew

    def gone(self, workers: Iterable[Process]) -> Iterator[str]:
        """Of those that should still be there: which are not, and the last that was heard of any."""
        for each in workers:
            if each.returncode is not None:
                yield f"worker {each.pid} has ended by itself, exit code {each.returncode}; {self.last_words()}"

    def _anybody_there(self) -> bool:
        return any(each.returncode is None for each in self.workers.values())

    def last_words(self) -> str:
        """What any worker has logged last."""
        said = (self.folder / "log").read_text("utf-8", "replace").splitlines()
        return f"last in the log: {said[-1]}" if said else "nothing in the log"

    # ------------------------------------------------------------ until something has come about

    async def until(self, condition: Callable[[], bool], patience: float = PATIENCE) -> bool:
        """Whether it came about, before nobody had begun or ended anything for so many seconds.

        It is seen in the record alone: who asks the queue may mend what the workers have to.
        """
        end = time.monotonic() + patience
        while True:
            if self.record.read():
                end = time.monotonic() + patience
            if condition():
                return True
            # Of workers that have ended nothing will be heard, unless somebody starts another one.
            if time.monotonic() > (end if self._anybody_there() else end - patience + min(patience, _RESTART)):
                return False
            await asyncio.sleep(_LOOK)

    async def until_ended(self, numbers: range, count: int, patience: float = PATIENCE) -> bool:
        """So many of them are done."""
        return await self.until(lambda: len(numbers) - len(self.record.missing(numbers)) >= count, patience)

    async def until_at_work(self, worker: Process, numbers: range) -> bool:
        """It has something of these in hand."""
        return await self.until(lambda: bool(self.record.cut_off(worker.pid, numbers)), 1.0)

    async def until_empty(self, patience: float = 10.0) -> Counts:
        """Nothing waits and nobody has anything; what there was at the last look."""
        end = time.monotonic() + patience
        while True:
            counts = await self.counts()
            if not (counts.waiting or counts.in_flight) or not self._anybody_there() or time.monotonic() > end:
                return counts
            await asyncio.sleep(10 * _LOOK)
