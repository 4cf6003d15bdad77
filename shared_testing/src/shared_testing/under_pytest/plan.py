"""How a test is to be explored: what its mark, the command line and the ini file ask, as one frozen value."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, NamedTuple

from shared_testing.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared_testing.exploration.search import Search

SCHEDULES = 200


class Plan(NamedTuple):
    """What a :class:`Search` is made of; None for its own default."""

    schedules: int | None = None
    seed: int | None = None
    lateness: float | None = None
    cancel: bool | str = False
    lasting_yields: bool = False

    def search(self, *, replay: str | None = None, default: int = SCHEDULES) -> Search:
        """Raises StaleToken for a `replay` that is no token."""
        # A test run that explores nothing does not pay for it.
        from shared_testing.exploration.search import Search

        return Search(
            self.schedules or default,
            seed=self.seed,
            replay=replay,
            cancel=self.cancel,
            lateness=self.lateness,
            lasting_yields=self.lasting_yields,
        )


def read_plan(base: Plan, asked: Mapping[str, object]) -> Plan:
    """`base`, with what is asked for in its place. Raises SettingsError, which names what exists."""
    if unknown := sorted(asked.keys() - set(Plan._fields)):
        raise SettingsError(f"explore has no {', '.join(unknown)}; there are {', '.join(Plan._fields)}")
    for name, value in asked.items():
        _CHECKS[name](name, value)
    return base._replace(**asked)  # type: ignore[arg-type]


def _count(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise SettingsError(f"{name}={value!r}: give the number of schedules to run, 1 or more")


def _seed(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise SettingsError(f"{name}={value!r}: give a whole number, 0 or more")


def _seconds(name: str, value: object) -> None:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0.001 <= round(value, 3) == value < inf:
        raise SettingsError(f"{name}={value!r}: give seconds, in whole milliseconds as a token does, at least 0.001")


def _victim(name: str, value: object) -> None:
    if not isinstance(value, bool) and not (isinstance(value, str) and value):
        raise SettingsError(f"{name}={value!r}: give True for each task in turn, or the name of one")


def _switch(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise SettingsError(f"{name}={value!r}: give True or False")


_CHECKS = {"schedules": _count, "seed": _seed, "lateness": _seconds, "cancel": _victim, "lasting_yields": _switch}
