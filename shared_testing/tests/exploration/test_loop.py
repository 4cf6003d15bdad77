"""The exploring loop with the real thing: a Runner, threads, sockets, a child process, the clock, the detectors."""

from __future__ import annotations

import asyncio
import gc
import weakref
from functools import partial

import aiohttp
import pytest
from aiohttp import web

from shared_testing import explore, mock_of, on, settle, watch
from shared_testing.exploration import new_event_loop
from shared_testing.exploration.loop import ExploringLoop
from shared_testing.http import Network


def test_a_loop_of_one_seed_serves_a_runner() -> None:
    """For another framework's tests: virtual time, and the same order each time."""

    async def order() -> list[int]:
        seen: list[int] = []

        async def answer(number: int) -> None:
            await asyncio.sleep(0.001 * number)
            seen.append(number)

        await asyncio.gather(*map(answer, range(5)))
        return seen

    def run(seed: int) -> list[int]:
        with asyncio.Runner(loop_factory=partial(new_event_loop, seed=seed)) as runner:
            return runner.run(order())

    assert [run(seed) for seed in range(10)] == [run(seed) for seed in range(10)]
    assert len({tuple(run(seed)) for seed in range(10)}) > 1


def test_real_threads_and_sockets_replay_exactly() -> None:
    """A lost update over two files' worth of threads."""
    store = {"count": 0}

    def read() -> int:
        return store["count"]

    def write(count: int) -> None:
        store["count"] = count

    async def increment(delay: float) -> None:
        await asyncio.sleep(delay)
        count = await asyncio.to_thread(read)
        await asyncio.to_thread(write, count + 1)

    async def both() -> None:
        store["count"] = 0
        await asyncio.gather(increment(0.01), increment(0.05))
        assert store["count"] == 2

    found = explore(both, lateness=0.05)
    assert found.failure is not None
    assert not found.uncontrolled
    assert explore(both, replay=found.token).failure is not None


def test_the_network_in_memory_is_explored() -> None:
    """Two requests over two connections may be answered in either order; a lock makes them one after the other."""

    async def visits(*, mended: bool) -> None:
        count = 0
        lock = asyncio.Lock()

        async def read(_: web.Request) -> web.Response:
            return web.Response(text=str(count))

        async def write(request: web.Request) -> web.Response:
            nonlocal count
            count = int(await request.text())
            return web.Response()

        app = web.Application()
        app.add_routes([web.get("/", read), web.put("/", write)])
        async with Network() as network, aiohttp.ClientSession() as session:
            network.serve("http://visits.example.com", app)

            async def visit(delay: float) -> None:
                await asyncio.sleep(delay)
                async with lock if mended else asyncio.Lock():
                    async with session.get("http://visits.example.com/") as response:
                        seen = int(await response.text())
                    async with session.put("http://visits.example.com/", data=str(seen + 1)):
                        pass

            await asyncio.gather(visit(0.001), visit(0.015))
        assert count == 2

    found = explore(partial(visits, mended=False))
    assert isinstance(found.failure, AssertionError)
    assert isinstance(explore(partial(visits, mended=False), replay=found.token).failure, AssertionError)
    assert str(explore(partial(visits, mended=True), schedules=60).failure) == "None"


def test_a_stand_in_answers_as_late_as_the_world() -> None:
    """A mock that returned without suspending would hide each race behind it."""

    class Store:
        async def load(self) -> int:
            raise NotImplementedError

    async def both() -> None:
        store = mock_of(Store)
        on(store.load).returns(1)
        order: list[str] = []

        async def ask(name: str) -> None:
            await store.load()
            order.append(name)

        await asyncio.gather(ask("a"), ask("b"))
        assert order == ["a", "b"]

    assert isinstance(explore(both).failure, AssertionError)


def test_the_clock_of_the_loop_is_virtual() -> None:
    """An hour of sleep is one jump."""
    moments: list[float] = []

    async def wait() -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await asyncio.sleep(3600)
        moments.append(loop.time() - begun)

    assert explore(wait).failure is None
    assert moments == [3600]


def test_a_child_process_is_waited_for_and_told() -> None:
    """No timeout fires because a process took real time; what it proved is nothing."""

    async def run() -> None:
        async with asyncio.timeout(5):
            process = await asyncio.create_subprocess_exec("true")
            assert await process.wait() == 0

    result = explore(run, schedules=2)
    assert result.failure is None
    assert result.uncontrolled == ["a child process runs in its own time"]


def test_an_advance_of_the_clock_lets_all_that_is_due_arrive() -> None:
    """Its moment is exact, though the timers on the way may be late."""

    async def sleepers() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, ExploringLoop)
        woken: list[float] = []

        async def sleeper(seconds: float) -> None:
            await asyncio.sleep(seconds)
            woken.append(seconds)

        tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (29.99, 30, 30.01)]
        await loop.clock.advance(30)
        assert sorted(woken) == [29.99, 30]
        assert loop.clock.now == pytest.approx(30)
        await asyncio.gather(*tasks)

    assert str(explore(sleepers).failure) == "None"
    assert str(explore(sleepers, seed=1).failure) == "None"


def test_settle_lets_all_that_is_on_its_way_arrive() -> None:
    """However late: whoever settles wants to look at the end of it. Sleepers sleep on, and no time passes."""

    async def hello(_: web.Request) -> web.Response:
        return web.json_response({})

    async def asked() -> None:
        application = web.Application()
        application.router.add_get("/", hello)
        async with Network() as network, aiohttp.ClientSession() as session:
            network.serve("http://api.example.com", application)
            begun = asyncio.get_running_loop().time()
            request, sleeper = asyncio.ensure_future(session.get("http://api.example.com")), asyncio.Event()
            asyncio.get_running_loop().call_later(1, sleeper.set)
            await settle()
            assert request.done()
            assert not sleeper.is_set()
            assert asyncio.get_running_loop().time() == begun
            request.result().release()

    assert explore(asked, schedules=60).failure is None
    assert explore(asked, schedules=30, seed=1).failure is None


def test_a_closed_loop_keeps_nothing_of_what_was_to_come() -> None:
    """As asyncio's: who holds on to the loop, for what it saw, does not hold the program."""

    class Order: ...

    async def leave_a_timer() -> weakref.ref[Order]:
        order = Order()
        asyncio.get_running_loop().call_later(60, order.__repr__)
        return weakref.ref(order)

    loop = new_event_loop()
    left = loop.run_until_complete(leave_a_timer())
    assert left() is not None
    loop.close()
    gc.collect()
    assert left() is None


def test_detectors_work_on_the_exploring_loop() -> None:
    """What a task leaves behind is found under each schedule."""

    async def leak() -> None:
        async with watch() as findings:
            asyncio.create_task(asyncio.sleep(100))  # noqa: RUF006 - that is the leak
            await asyncio.sleep(0.01)
        assert [finding.rule.code for finding in findings] == ["AT301"]

    assert str(explore(leak, schedules=3).failure) == "None"
