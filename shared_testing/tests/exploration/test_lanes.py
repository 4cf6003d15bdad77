"""A failing schedule as a picture: who read and wrote what, in which order."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from shared_testing import explore
from shared_testing.exploration.lanes import MOST_ROWS, MOST_STEPS, lanes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class Account:
    def __init__(self) -> None:
        self.balance = 0

    async def deposit(self, amount: int) -> None:
        read = self.balance
        await asyncio.sleep(0.01)
        self.balance = read + amount


async def deposits() -> None:
    account = Account()

    async def later() -> None:
        await asyncio.sleep(0.015)
        await account.deposit(2)

    await asyncio.gather(account.deposit(1), later())
    assert account.balance == 3


def test_reads_and_writes_are_where_they_happen() -> None:
    """Read, read, write, write: that is the whole race."""
    lanes = lanes_of(explore(deposits).timeline)
    assert lanes.rows == ("deposits", "Account.deposit", "later")
    touches = [(lanes.rows[box.row], *box.touches) for box in lanes.boxes if box.touches]
    assert touches == [
        ("Account.deposit", "reads self.balance"),
        ("later", "reads self.balance"),
        ("later", "writes self.balance"),
        ("Account.deposit", "writes self.balance"),
    ]


async def counted() -> None:
    account = Account()

    async def worker() -> None:
        for _ in range(2):
            await asyncio.sleep(0.01)
            read = account.balance
            await asyncio.sleep(0.01)
            account.balance = read + 1

    await asyncio.gather(worker(), asyncio.create_task(worker(), name="named"))
    raise ValueError


async def counted_by_one_await() -> None:
    account = Account()

    async def worker() -> None:
        for _ in range(2):
            read = account.balance
            await asyncio.sleep(0.01)
            account.balance = read + 1

    await asyncio.gather(worker(), asyncio.create_task(worker(), name="named"))
    raise ValueError


async def woken_in_vain() -> None:
    account, turn = Account(), asyncio.Event()

    async def worker() -> None:
        while account.balance < 2:
            await two_turns(turn)
            read = account.balance
            await asyncio.sleep(0.01)
            account.balance = read + 1

    workers = [worker(), asyncio.create_task(worker(), name="named")]
    asyncio.get_running_loop().call_later(0.01, turn.set)
    await asyncio.gather(*workers)
    raise ValueError


async def two_turns(turn: asyncio.Event) -> None:
    await turn.wait()
    await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        (counted, ["", "reads", "writes", "reads", "writes"]),
        (counted_by_one_await, ["reads", "reads writes", "writes"]),
        (woken_in_vain, ["", "", "reads", "writes"]),
    ],
)
def test_a_step_may_go_round_in_a_loop(scenario: Callable[[], Coroutine[Any, Any, None]], expected: list[str]) -> None:
    """From the write at its end to the await at its head; one that stays where it was has done neither."""
    lanes = lanes_of(explore(scenario).timeline)
    row = lanes.rows.index("named")
    touches = [" ".join(touch.split()[0] for touch in box.touches) for box in lanes.boxes if box.row == row]
    assert touches[: len(expected)] == expected


def test_a_step_has_a_place_of_its_own_and_time_makes_gaps() -> None:
    """Many steps happen in one instant of the virtual clock."""
    lanes = lanes_of(explore(deposits).timeline)
    columns = [box.column for box in lanes.boxes]
    assert all(later - earlier >= 1 for earlier, later in pairwise(columns))
    assert [round(moment, 3) for _, moment in lanes.moments] == [0.0, 0.015, 0.025]
    assert [box.deviates for box in lanes.boxes].count(True) == 1


def test_a_long_run_is_drawn_in_part() -> None:
    """What came last, and what deviates; how much is left out is said."""

    async def crowd() -> None:
        async def turn() -> None:
            for _ in range(4):
                await asyncio.sleep(0.01)

        await asyncio.gather(*(turn() for _ in range(40)))
        raise ValueError

    timeline = explore(crowd).timeline
    lanes = lanes_of(timeline)
    assert len(lanes.boxes) <= MOST_STEPS
    assert len(lanes.rows) == MOST_ROWS
    assert lanes.left_out == len(timeline.steps) - len(lanes.boxes)


def test_a_task_of_any_name_makes_a_true_picture() -> None:
    """It is XML, whatever the task is called."""

    async def named() -> None:
        await asyncio.create_task(asyncio.sleep(0.01), name="</svg><script>&\0\ud800\u202e")
        raise ValueError

    timeline = explore(named).timeline
    root = ET.fromstring(timeline.svg)
    assert {element.tag.rpartition("}")[2] for element in root.iter()} == {
        "svg", "style", "line", "text", "g", "title", "rect",
    }  # fmt: skip
    assert any("</svg><script>&\\u0000" in "".join(element.itertext()) for element in root.iter())
    assert timeline.html.count("<script") == 2
