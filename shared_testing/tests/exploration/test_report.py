"""What a failing schedule is told as: the line to look at, and the lines around it."""

from __future__ import annotations

import asyncio

from shared_testing import explore


class Orders:
    def __init__(self) -> None:
        self.events: list[str] = []

    async def create(self) -> None:
        await asyncio.sleep(0.005)  # stores it
        self.events.append("created")

    async def ship(self) -> None:
        await asyncio.sleep(0.005)  # asks the carrier
        self.events.append("shipped")


async def created_before_it_is_shipped() -> None:
    orders = Orders()
    await asyncio.gather(orders.create(), orders.ship())
    assert orders.events == ["created", "shipped"]


def test_the_place_of_a_race_is_the_await_that_somebody_overtook() -> None:
    """Where the assertion stands is known from the traceback; the mistake is in none of its frames."""
    finding = explore(created_before_it_is_shipped).finding
    assert finding is not None
    assert finding.site is not None
    assert finding.site.source == "await asyncio.sleep(0.005)  # stores it"
    assert [detail for detail in finding.details if "Orders.ship" in detail and "asks the carrier" in detail]


def test_the_report_says_where_the_tasks_were_started() -> None:
    """Often that is the line to mend: two things run at once that must not."""
    finding = explore(created_before_it_is_shipped).finding
    assert finding is not None
    started = [detail for detail in finding.details if "started" in detail]
    assert len(started) == 1
    assert "await asyncio.gather(orders.create(), orders.ship())" in started[0]


async def moved_or_not() -> None:
    accounts = {"a": 1, "b": 0}

    async def move() -> None:
        accounts["a"] -= 1
        await asyncio.sleep(0.01)  # writes it down
        accounts["b"] += 1

    task = asyncio.create_task(move(), name="move")
    await asyncio.wait([task])
    assert sum(accounts.values()) == 1


def test_the_place_of_a_half_applied_cancellation_is_the_await_where_it_landed() -> None:
    """There a finally block is missing."""
    finding = explore(moved_or_not, cancel="move").finding
    assert finding is not None
    assert finding.site is not None
    assert finding.site.source == "await asyncio.sleep(0.01)  # writes it down"


def test_an_error_in_the_code_under_test_is_its_own_place() -> None:
    """It was raised by a line of the program's, which says more than the await."""

    async def closed_twice() -> None:
        closed = False

        async def close(after: float) -> None:
            nonlocal closed
            await asyncio.sleep(after)
            if closed:
                raise RuntimeError("closed twice")
            await asyncio.sleep(0.01)
            if closed:
                raise RuntimeError("closed twice, and late")
            closed = True

        async def close_once(after: float) -> None:
            try:
                await close(after)
            except RuntimeError as error:
                if "late" in str(error):
                    raise

        await asyncio.gather(close_once(0.001), close_once(0.013))

    finding = explore(closed_twice).finding
    assert finding is not None
    assert finding.site is not None
    assert finding.site.source == 'raise RuntimeError("closed twice, and late")'
