"""One run of a scenario: what is chosen in it, and what it leaves to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared_testing.exploration.strategies import Fixed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared_testing.exploration.arrivals import Arrival
    from shared_testing.exploration.cancelling import Cancelling
    from shared_testing.exploration.loop import ExploringLoop
    from shared_testing.exploration.strategies import Kind, Strategy
    from shared_testing.exploration.timeline import Recorder

LATENESS = 0.02
"""How late the outside world may be, in virtual seconds. CI machines stall for so long; 5 s are not 50 ms late."""


class Schedule:
    """A strategy, and the record of the choices that it took."""

    def __init__(
        self,
        strategy: Strategy | None = None,
        *,
        lateness: float = LATENESS,
        lasting_yields: bool = False,
        cancelling: Cancelling | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        strategy = strategy or Fixed()
        self._choose = strategy.choose
        self.born = strategy.born
        self.delivered = strategy.delivered
        self.lateness = lateness
        self.lasting_yields = lasting_yields
        self.cancelling = cancelling
        self.recorder = recorder
        self.widths: list[int] = []
        """How many options each choice had."""
        self.prints: list[int] = []
        """What each choice looked like: equal as far as two runs are."""
        self.deviations: dict[int, int] = {}
        """The choices other than asyncio's own, by their position."""
        self.nexts: dict[int, int] = {}
        """Those of them that say who comes next, by their place among such choices; what a token says."""
        self.others: dict[int, int] = {}
        """The rest: what comes together, or early."""
        self._next_choices = 0
        self.error: BaseException | None = None
        self.uncontrolled = ""
        """What happened in it that no schedule decides; empty if nothing did."""
        self.posted_by: dict[str, None] = {}
        """The threads that posted to the loop when they liked."""
        self.loop: ExploringLoop | None = None

    def new_event_loop(self) -> ExploringLoop:
        """A loop that follows this schedule: what a Runner takes as its ``loop_factory``. One per run."""
        from shared_testing.exploration.loop import ExploringLoop

        self.loop = ExploringLoop(self)
        return self.loop

    def choose(self, kind: Kind, options: Sequence[Arrival | None]) -> int:
        """Take one of at least two options."""
        widths, width = self.widths, len(options)
        position = len(widths)
        chosen = self._choose(position, kind, options)
        arrival = options[chosen]
        if kind == "next":
            self._next_choices += 1
        widths.append(width)
        self.prints.append(width * 8191 + (0 if arrival is None else arrival.owner))
        if chosen:
            self._deviates(position, kind, chosen, options[0])
        return chosen

    def _deviates(self, position: int, kind: Kind, chosen: int, instead_of: Arrival | None) -> None:
        self.deviations[position] = chosen
        if kind == "next":
            self.nexts[self._next_choices - 1] = chosen
        else:
            self.others[position - self._next_choices] = chosen
        if self.recorder is not None:
            self.recorder.deviates(instead_of.owner if instead_of is not None else None)
