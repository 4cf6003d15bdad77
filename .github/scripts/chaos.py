"""Break what can break around the message queues, for real, and count what gets lost.

Real workers (`python -m queue_processor run`), real servers on free ports of this machine, real signals. Prints a line
for each scenario; the exit code is 1 if one has failed, and 2 if it could not begin.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
import time
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import chaos_scenarios
from chaos_scenarios import Verdict
from chaos_site import Site, Terms

from shared_testing.builders.redis_server import PROGRAMS, find_program

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

ENGINES = ("redis", "sqlite")


class Scenario(NamedTuple):
    run: Callable[[Site, random.Random], Awaitable[Verdict]]
    usual: Terms
    quick: Terms
    engines: tuple[str, ...] = ENGINES

    @property
    def title(self) -> str:
        return (self.run.__doc__ or "").strip()


_REDIS = ("redis",)
SCENARIOS = {
    "kill": Scenario(chaos_scenarios.kill, Terms(100), Terms(2, 300, lease=1.0)),
    "server": Scenario(chaos_scenarios.server, Terms(20), Terms(1, 600, lease=1.0), _REDIS),
    "cut": Scenario(chaos_scenarios.cut, Terms(20), Terms(2, 600, lease=1.0), _REDIS),
    "term": Scenario(chaos_scenarios.term, Terms(20), Terms(2, 500)),
    "poison": Scenario(chaos_scenarios.poison, Terms(3), Terms(1, lease=0.5)),
    "long": Scenario(chaos_scenarios.long, Terms(2, lease=3.0), Terms(1, lease=1.0, long=3.0)),
    "clock": Scenario(chaos_scenarios.clock, Terms(4), Terms(2, lease=1.0)),
}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if unknown := [each for each in options.names if each not in SCENARIOS]:
        return _cannot_begin(f"there is no scenario {unknown[0]}; there are {', '.join(SCENARIOS)}")
    chosen = [
        (name, engine)
        for name in options.names or SCENARIOS
        for engine in SCENARIOS[name].engines
        if options.engine in (None, engine)
    ]
    if not chosen:
        return _cannot_begin(f"{', '.join(options.names)}: not for {options.engine}")
    if any(engine == "redis" for _, engine in chosen) and find_program() is None:
        where = f"none of {', '.join(PROGRAMS)} is installed"
        return _cannot_begin(f"{where}: apt-get install redis-server, or leave it out: --engine sqlite")
    print(f"seed {options.seed}", flush=True)
    try:
        return asyncio.run(_run_all(chosen, options))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("chaos: stopped; all processes have been ended", file=sys.stderr)
        return 130


async def _run_all(chosen: list[tuple[str, str]], options: argparse.Namespace) -> int:
    if (task := asyncio.current_task()) is not None:
        # As Ctrl-C does: so everything that was started is ended.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    faults = []
    if options.quick:
        # Side by side: for the most part it is waiting.
        for _, pair in groupby(chosen, lambda each: each[0]):
            faults += await asyncio.gather(*(_show(*each, options) for each in pair))
    else:
        faults = [await _show(*each, options) for each in chosen]
    return 1 if any(faults) else 0


async def _show(name: str, engine: str, options: argparse.Namespace) -> list[str]:
    """Play one scenario and print its line; what is wrong."""
    terms = SCENARIOS[name].quick if options.quick else SCENARIOS[name].usual
    terms = replace(terms, worker=options.worker, rounds=options.rounds or terms.rounds)
    began = time.monotonic()
    verdict = await play(name, engine, terms, options.seed)
    seconds = time.monotonic() - began
    rounds = f"{terms.rounds} round{'s' * (terms.rounds != 1)}"
    outcome = "ok" if not verdict.faults else "FAILED: " + "; ".join(dict.fromkeys(verdict.faults))
    print(f"{name:6} {engine:6} {rounds}, {verdict} [{seconds:.0f} s]  {outcome}", flush=True)
    return verdict.faults


async def play(name: str, engine: str, terms: Terms, seed: int) -> Verdict:
    """One scenario on one engine."""
    async with Site(engine, terms) as site:
        return await SCENARIOS[name].run(site, random.Random(f"{seed} {name} {engine}"))  # noqa: S311


def _cannot_begin(message: str) -> int:
    print(f"chaos: {message}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    titles = "\n".join(f"  {name:8}{each.title}" for name, each in SCENARIOS.items())
    parser = argparse.ArgumentParser(
        prog="chaos",
        description=__doc__,
        epilog=f"scenarios:\n{titles}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("names", nargs="*", metavar="SCENARIO", help="only these")
    add("--engine", choices=ENGINES, help="only on this one")
    add("--rounds", type=_at_least_one, metavar="N", help="how often each is played")
    add("--quick", action="store_true", help="a few short rounds: whether it works at all")
    add("--seed", type=int, default=random.SystemRandom().randrange(1_000_000), help="of what is left to chance")
    add("--worker", default="queue_processor", metavar="MODULE", help="another worker, to see whether it is as good")
    return parser


def _at_least_one(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text}: it is 1 or more")
    return number


if __name__ == "__main__":
    sys.exit(main())
