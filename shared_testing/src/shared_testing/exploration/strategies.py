"""Which choices to take. 0 is always what asyncio itself would do.

A strategy is asked at each point where more than one thing may happen. The seeded ones are from the literature:
probabilistic concurrency testing (Burckhardt et al. 2010), partial order sampling (Yuan, Yang and Gu 2018), random
walk, and the noise of a real machine.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

    from shared_testing.exploration.arrivals import Arrival

_PRIORITY = attrgetter("priority")

Kind = Literal["next", "tie", "early"]
"""Nothing is ready: who arrives next? · some are due together: all at once? · callbacks run: does one come early?"""


class Strategy(Protocol):
    """One way through one run."""

    def born(self, delay: float, owner: int) -> float:
        """Give a new arrival, due in `delay` seconds, a priority."""

    def choose(self, position: int, kind: Kind, options: Sequence[Arrival | None]) -> int:
        """Take one of the options, by its index; None: nobody else arrives for now. `position` counts the choices."""

    def delivered(self, arrival: Arrival) -> None:
        """Hear that it has arrived."""


class _NoPriorities:
    """Nor does it matter to most strategies who has arrived."""

    def born(self, delay: float, owner: int) -> float:  # noqa: ARG002
        return 0.0

    def delivered(self, arrival: Arrival) -> None:
        pass


class Fixed(_NoPriorities):
    """These deviations from asyncio's own order, and no others: for a search in order, for replay and for shrinking."""

    def __init__(self, deviations: Mapping[int, int] | None = None) -> None:
        self.deviations = dict(deviations or {})

    def choose(self, position: int, kind: Kind, options: Sequence[Arrival | None]) -> int:  # noqa: ARG002
        wanted = self.deviations.get(position, 0)
        return wanted if wanted < len(options) else len(options) - 1


class Replayed(_NoPriorities):
    """The deviations of a token, each by its place among the choices of its kind.

    What may come early differs between Python's versions, which run a few turns more or less; who comes next does not.
    """

    def __init__(self, nexts: Mapping[int, int], others: Mapping[int, int]) -> None:
        self._nexts = nexts
        self._others = others
        self._next_choices = 0

    def choose(self, position: int, kind: Kind, options: Sequence[Arrival | None]) -> int:
        if kind == "next":
            self._next_choices += 1
            wanted = self._nexts.get(self._next_choices - 1, 0)
        else:
            wanted = self._others.get(position - self._next_choices, 0)
        return min(wanted, len(options) - 1)


class _Seeded(_NoPriorities):
    """What the seeded strategies share: how often they split what is due together, and let something come early."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self._early = random.choice((0, 0, 0.05, 0.3))
        self._split = random.choice((0, 0, 0.3, 0.7))

    def choose(self, position: int, kind: Kind, options: Sequence[Arrival | None]) -> int:  # noqa: ARG002
        if kind == "early":
            early = self._early and self.random.random() < self._early
            return self.random.randrange(1, len(options)) if early else 0
        arrivals = [each for each in options if each is not None]
        if kind == "next":
            return options.index(self.best(arrivals))
        if self._split and self.random.random() < self._split:
            return 1  # The rest comes in a later turn.
        due = [each for each in arrivals if each.when <= arrivals[0].when]
        return options.index(self.best(due))

    def best(self, options: Sequence[Arrival]) -> Arrival:
        """Who comes next."""
        raise NotImplementedError


class Walk(_Seeded):
    """Each choice deviates with one probability, drawn per run."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self._often = random.choice((0.05, 0.2, 0.5, 1.0))

    def best(self, options: Sequence[Arrival]) -> Arrival:
        return self.random.choice(options) if self.random.random() < self._often else options[0]


class PartialOrderSampling(_Seeded):
    """A random priority for each arrival."""

    def born(self, delay: float, owner: int) -> float:  # noqa: ARG002
        return self.random.random()

    def best(self, options: Sequence[Arrival]) -> Arrival:
        return max(options, key=_PRIORITY)


class Late(_Seeded):
    """The noise of a machine: each arrival is late by a random part, delays add up, some tasks are slow."""

    def __init__(self, random: Random, lateness: float) -> None:
        super().__init__(random)
        self._width = random.choice((lateness / 20, lateness / 6, lateness / 2, lateness))
        self._slow: dict[int, float] = {}
        self._now = 0.0

    def born(self, delay: float, owner: int) -> float:
        if owner not in self._slow:
            self._slow[owner] = self._width * self.random.choice((0, 0.3, 1, 1, 3))
        return self._now + delay + self._slow[owner] * self.random.random()

    def delivered(self, arrival: Arrival) -> None:
        self._now = arrival.priority

    def best(self, options: Sequence[Arrival]) -> Arrival:
        return min(options, key=_PRIORITY)


class ConcurrencyTesting(_Seeded):
    """PCT: a random priority for each task, and `changes` moments at which the first becomes the last.

    `length`: the number of choices that a run of this scenario has.
    """

    def __init__(self, random: Random, changes: int, length: int) -> None:
        super().__init__(random)
        self._changes = {random.randrange(max(1, length)) for _ in range(changes)}
        self._priority: dict[int, float] = {}
        self._lowest = 0
        self._chosen = 0

    def best(self, options: Sequence[Arrival]) -> Arrival:
        priority = self._priority
        for each in options:
            if each.owner not in priority:
                priority[each.owner] = self.random.random()
        best = max(options, key=lambda each: priority[each.owner])
        self._chosen += 1
        if self._chosen in self._changes:
            self._lowest -= 1
            priority[best.owner] = self._lowest
        return best


def sparse(random: Random, widths: Sequence[int]) -> Fixed:
    """One to three deviations, at random places of the run that had these numbers of options."""
    deviations = {}
    for _ in range(random.choice((1, 1, 2, 3))):
        position = random.randrange(max(1, len(widths)))
        deviations[position] = random.randrange(1, widths[position]) if widths and widths[position] > 1 else 1
    return Fixed(deviations)


_MIX = ("pos", "late", "pct", "pos", "late", "walk", "sparse")


def seeded(random: Random, turn: int, widths: Sequence[int], lateness: float) -> Strategy:
    """The strategy of the `turn`-th run of the mix. `widths`: the numbers of options that asyncio's own order had."""
    kind = _MIX[turn % len(_MIX)]
    if kind == "pos":
        return PartialOrderSampling(random)
    if kind == "late":
        return Late(random, lateness)
    if kind == "pct":
        return ConcurrencyTesting(random, random.choice((0, 1, 2, 3)), len(widths))
    return Walk(random) if kind == "walk" else sparse(random, widths)
