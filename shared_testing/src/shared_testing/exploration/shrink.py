"""Fewer deviations that fail in the same way: delta debugging (Zeller 1999) over the list of choices."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

Deviations = dict[int, int]

_MOST_RUNS = 300


def shrink(first: Mapping[int, int]) -> Generator[Deviations, Deviations | None, Deviations]:
    """Yields what to try, and is sent the deviations that it came to, or None if it did not fail in the same way.

    Returns the fewest that were found.
    """
    return (yield from _Shrinking(dict(first)).all())


class _Shrinking:
    def __init__(self, best: Deviations) -> None:
        self._best = best
        self._runs = 0

    def all(self) -> Generator[Deviations, Deviations | None, Deviations]:
        yield from self._one_alone()
        yield from self._leave_out()
        yield from self._take_lower()
        return self._best

    def _try(self, deviations: Deviations) -> Generator[Deviations, Deviations | None, bool]:
        if self._runs >= _MOST_RUNS or (deviations == self._best):
            return False
        self._runs += 1
        came_to = yield deviations
        if came_to is None or _weight(came_to) >= _weight(self._best):
            return False
        self._best = dict(came_to)
        return True

    def _one_alone(self) -> Generator[Deviations, Deviations | None, None]:
        """Most races need a single one."""
        if len(self._best) > 1:
            for position, value in sorted(self._best.items()):
                if (yield from self._try({position: value})):
                    return

    def _leave_out(self) -> Generator[Deviations, Deviations | None, None]:
        size = max(1, len(self._best) // 2)
        while size and self._runs < _MOST_RUNS:
            positions, at, better = sorted(self._best), 0, False
            while at < len(positions):
                left_out = set(positions[at : at + size])
                if (yield from self._try({p: v for p, v in self._best.items() if p not in left_out})):
                    positions, better = sorted(self._best), True
                else:
                    at += size
            if not better or size > 1:
                size //= 2

    def _take_lower(self) -> Generator[Deviations, Deviations | None, None]:
        for position in sorted(self._best):
            for value in range(1, self._best.get(position, 0)):
                if (yield from self._try({**self._best, position: value})):
                    break


def _weight(deviations: Mapping[int, int]) -> tuple[int, int]:
    return len(deviations), sum(deviations.values())
