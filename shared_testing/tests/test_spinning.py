from __future__ import annotations

import asyncio
import concurrent.futures
import sys
import time
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from shared_testing.evidence.looking import may_spin
from shared_testing.evidence.spinning import Spin, spin_at

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    Function = Callable[[Any], object]

Answer = TypeVar("Answer")

LINES = 12


class Enough(BaseException):
    pass


class Gate:
    open = False
    visits = 0

    def __bool__(self) -> bool:
        self.visits += 1
        return False

    @property
    def is_open(self) -> bool:
        return time.monotonic() < 0

    def knock(self) -> bool:
        self.visits += 1
        return False


def spins(function: Function, thing: object) -> list[Spin | None]:
    """What is seen at each of the first lines that it runs."""
    return at_each_line(spin_at, function, thing)


def at_each_line(ask: Callable[[FrameType], Answer], function: Function, thing: object) -> list[Answer]:
    seen: list[Answer] = []

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if event == "line" and frame.f_code.co_filename == __file__:
            seen.append(ask(frame))
            if len(seen) == LINES:
                raise Enough
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function(thing)
    except Enough:
        pass
    finally:
        sys.settrace(before)
    return seen


def asks_an_attribute(gate: Any) -> None:
    while not gate.open:
        pass


def compares(numbers: Any) -> None:
    while numbers[0] != 1 and len(numbers) < 5:
        time.sleep(0)


def leaves_by_a_branch(event: Any) -> None:
    looks = 0
    while True:
        looks += 1
        if event.is_set():
            return


def asks_each(futures: Any) -> None:
    while not any(each.done() for each in futures):
        continue


GATE, NUMBERS, LIMIT = Gate(), [0, 2], 5


def compares_globals(_: Any) -> None:
    while len(NUMBERS) < LIMIT and not all(NUMBERS) and not GATE.open:
        time.sleep(GATE.visits)


LOOKING = [
    (asks_an_attribute, Gate()),
    (compares, [0, 2]),
    (leaves_by_a_branch, asyncio.Event()),
    (compares_globals, None),
    (asks_each, [concurrent.futures.Future[None]()]),
]


@pytest.mark.parametrize(("function", "thing"), LOOKING)
def test_a_loop_that_only_looks_always_stands_the_same(function: Function, thing: object) -> None:
    found = [each for each in spins(function, thing) if each is not None]
    assert len(found) > LINES // 2
    assert len(set(found)) == 1


def counts(left: Any) -> None:
    while left > 0:
        left -= 1


def asks_a_method_of_ours(gate: Any) -> None:
    while not gate.knock():
        pass


def asks_a_property(gate: Any) -> None:
    while not gate.is_open:
        pass


def asks_for_our_truth(gate: Any) -> None:
    while not gate:
        pass


def looks_at_the_clock(end: Any) -> None:
    while time.monotonic() < end:
        pass


def does_something_each_time(items: Any) -> None:
    while len(items) < 100:
        items.append(1)


def goes_through_others(items: Any) -> None:
    for _ in range(3):
        for each in items:
            each.visits += 1


def writes_what_it_looks_at(gate: Any) -> None:
    while not gate.open:
        gate.visits += 1


@pytest.mark.parametrize(
    ("function", "thing"),
    [
        (counts, 100),
        (asks_a_method_of_ours, Gate()),
        (asks_a_property, Gate()),
        (asks_for_our_truth, Gate()),
        (looks_at_the_clock, float("inf")),
        (does_something_each_time, []),
        (goes_through_others, [Gate()]),
        (writes_what_it_looks_at, Gate()),
    ],
)
def test_a_loop_that_may_do_more_is_not_judged(function: Function, thing: object) -> None:
    assert {*spins(function, thing)} == {None}


def test_a_change_of_what_it_looks_at_is_seen() -> None:
    gate = Gate()
    (before,) = {*filter(None, spins(asks_an_attribute, gate))}
    gate.open = True
    seen = {*filter(None, spins(asks_an_attribute, gate))}
    assert {each.state for each in seen}.isdisjoint({before.state})


@pytest.mark.parametrize(("function", "thing"), LOOKING)
def test_bytecode_tells_of_a_loop_that_only_looks(function: Function, thing: object) -> None:
    """Once it goes round: a compiler writes the first question apart."""
    assert all(at_each_line(may_spin, function, thing)[2:])


def computes(items: Any) -> None:
    while not items:
        sum(range(10))


def asks_and_computes(event: Any) -> None:
    while not event.is_set():
        if event.is_set():
            return
        str.join(",", ())


def once(event: Any) -> None:
    event.is_set()
    event.is_set()


@pytest.mark.parametrize(
    ("function", "thing"), [(computes, []), (asks_and_computes, asyncio.Event()), (once, asyncio.Event())]
)
def test_bytecode_tells_of_one_that_computes(function: Function, thing: object) -> None:
    assert not any(at_each_line(may_spin, function, thing))
