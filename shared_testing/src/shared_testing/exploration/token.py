"""A schedule in a few characters: ``t:3-6.2_k7``.

Before the colon: ``t`` for asyncio's turns or ``y`` for yields that last, ``w50`` for a lateness of 50 ms where it is
not the default, ``c2.5`` for a cancellation of the second task at its fifth point. Behind it: how far each deviation is
from the one before, and which option it takes if not the first; or, when that would be long, ``@`` and the seed and
number of the run. At the end a check: whether the choices are still the same ones. Numbers are in base 36.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared_testing.exploration.cancelling import Point

LONGEST = 24

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_CHECKS = 36 * 36
_GRAMMAR = re.compile(
    r"(?P<model>[ty])(w(?P<lateness>[0-9a-z]+))?(c(?P<task>[0-9a-z]+)\.(?P<point>[0-9a-z]+))?:"
    r"(?P<nexts>[0-9a-z.-]*)(\+(?P<others>[0-9a-z.-]+))?"
    r"(@(?P<seed>[0-9a-z]+)\.(?P<number>[0-9a-z]+))?(_(?P<check>[0-9a-z]{1,2}))?"
)


class StaleToken(ValueError):
    """The token is none, or belongs to other code than this."""


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says."""

    nexts: Mapping[int, int] = field(default_factory=dict)
    """Deviations in who comes next."""
    others: Mapping[int, int] = field(default_factory=dict)
    """Deviations in what comes together, or early."""
    lasting_yields: bool = False
    lateness_ms: int | None = None
    """None for the default."""
    cancel: Point | None = None
    run: tuple[int, int] | None = None
    """Seed and number of a run of the seeded mix, in place of the deviations."""
    check: int = 0

    def __str__(self) -> str:
        model = "y" if self.lasting_yields else "t"
        lateness = f"w{_number(self.lateness_ms)}" if self.lateness_ms is not None else ""
        cancel = f"c{_number(self.cancel[0])}.{_number(self.cancel[1])}" if self.cancel is not None else ""
        others = f"+{_sparse(self.others)}" if self.others else ""
        run = f"@{_number(self.run[0])}.{_number(self.run[1])}" if self.run is not None else ""
        return f"{model}{lateness}{cancel}:{_sparse(self.nexts)}{others}{run}_{_number(self.check)}"


def parse(text: str) -> Token:
    """Raises StaleToken for what is none."""
    found = _GRAMMAR.fullmatch(text.strip())
    if found is None:
        raise StaleToken(
            f"replay={text!r} is no token: one looks like 't:3-6.2_k7'; take it from a failing exploration"
        )
    part = {name: int(value, 36) for name, value in found.groupdict().items() if value and name not in _TEXTS}
    return Token(
        _dense(text, found["nexts"]),
        _dense(text, found["others"] or ""),
        lasting_yields=found["model"] == "y",
        lateness_ms=part.get("lateness"),
        cancel=(part["task"], part["point"]) if "task" in part else None,
        run=(part["seed"], part["number"]) if "seed" in part else None,
        check=part.get("check", 0),
    )


_TEXTS = ("model", "nexts", "others")


def _dense(token: str, sparse: str) -> dict[int, int]:
    deviations, position = {}, 0
    try:
        for each in filter(None, sparse.split("-")):
            delta, _, value = each.partition(".")
            position += int(delta, 36)
            deviations[position] = int(value, 36) if value else 1
    except ValueError:
        raise StaleToken(f"replay={token!r} is no token: {sparse!r} in it are no numbers") from None
    return deviations


def check_of(prints: Sequence[int], deviations: Mapping[int, int]) -> int:
    """What the choices looked like up to the last deviation."""
    return hash(tuple(prints[: max(deviations, default=-1) + 1])) % _CHECKS


def _sparse(deviations: Mapping[int, int]) -> str:
    parts, last = [], 0
    for position in sorted(deviations):
        value = deviations[position]
        parts.append(_number(position - last) + (f".{_number(value)}" if value != 1 else ""))
        last = position
    return "-".join(parts)


def _number(value: int) -> str:
    digits = ""
    while True:
        value, digit = divmod(value, 36)
        digits = _DIGITS[digit] + digits
        if not value:
            return digits
