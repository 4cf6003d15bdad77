"""Every order of a few tasks: those first that need the most deviations, which the search in order meets last.

Four tasks have 24 orders, five have 120, and a bug may hide in a single one. Chance needs several times as many runs to
meet each of them.
"""

from __future__ import annotations

from itertools import permutations
from math import factorial
from typing import TYPE_CHECKING

from shared_testing.exploration.strategies import Fixed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared_testing.exploration.arrivals import Arrival
    from shared_testing.exploration.strategies import Kind

_MOST = factorial(5)


class Census(Fixed):
    """asyncio's own order, in which it notes who waits for anything."""

    def __init__(self) -> None:
        super().__init__()
        self.owners: dict[int, None] = {}

    def born(self, delay: float, owner: int) -> float:  # noqa: ARG002 - no priorities here
        self.owners[owner] = None
        return 0.0


class Ranked(Fixed):
    """One task goes before the other, whenever both may."""

    def __init__(self, order: Sequence[int]) -> None:
        super().__init__()
        self._rank = {owner: rank for rank, owner in enumerate(order)}

    def choose(self, position: int, kind: Kind, options: Sequence[Arrival | None]) -> int:  # noqa: ARG002
        if kind == "early":
            return 0
        arrivals = [each for each in options if each is not None]
        if kind == "tie":
            arrivals = [each for each in arrivals if each.when <= arrivals[0].when]
        return options.index(min(arrivals, key=lambda each: self._rank.get(each.owner, len(self._rank))))


def rare_orders(census: Census) -> Iterator[Ranked]:
    """None if there are too many."""
    owners = list(census.owners)
    if factorial(len(owners)) <= _MOST:
        for order in sorted(permutations(owners), key=lambda order: _deviations(owners, order), reverse=True):
            yield Ranked(order)


def _deviations(owners: Sequence[int], order: Sequence[int]) -> int:
    """How many it takes, where each one puts on hold whom it overtakes."""
    free, count = list(owners), 0
    held: list[int] = []
    for owner in order:
        options = free + held
        if owner != options[0]:
            count += 1
            overtaken = options[: options.index(owner)]
            held = [each for each in owners if each in held or each in overtaken]
        free = [each for each in free if each not in held and each != owner]
        held = [each for each in held if each != owner]
    return count
