"""What goes wrong, one function each: it does the damage, looks what came of it, and says so."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chaos_site import CONSUMERS, MAX_DELIVERIES, PATIENCE, Site

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Callable
    from random import Random

# What was in a dead worker's hand is done again this long after its lease, at the latest.
GRACE = 2.0


@dataclass
class Verdict:
    """What was seen. `faults` says what is wrong, and is empty if nothing is."""

    messages: int = 0
    lost: int = 0
    twice: int = 0
    figures: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return ", ".join(
            [f"{self.messages:,} messages", f"{self.lost} lost", f"{self.twice} begun twice", *self.figures]
        )

    def bar(self, figure: str, *, ok: bool) -> None:
        """A figure that must be reached."""
        self.figures.append(figure)
        if not ok:
            self.faults.append(figure)

    def never_twice(self) -> None:
        """For what leaves no reason to do anything twice."""
        if self.twice:
            self.faults.append(f"{self.twice} begun twice")


async def _all_done(site: Site, numbers: range, verdict: Verdict, longest: float = 1.0) -> None:
    """Wait for all of them; `longest`: seconds that one takes."""
    # A worker that nobody hears of may be waiting for the lease of another one.
    await site.until_ended(numbers, len(numbers), site.terms.lease + GRACE + longest)
    counts = await site.until_empty()
    site.record.read()
    lost = site.record.missing(numbers)
    verdict.messages += len(numbers)
    verdict.lost += len(lost)
    verdict.twice += len(site.record.begun_again(numbers))
    if lost:
        verdict.faults.append(f"{len(lost)} not done, such as number {lost[0]}")
    if any(counts):
        left = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts._asdict().items())
        verdict.faults.append(f"the queue still has {left}")


async def _rounds(
    site: Site, verdict: Verdict, crew: list[Process], messages: int, seconds: Callable[[], float]
) -> AsyncIterator[range]:
    """The messages of each round, as soon as they are put; when the damage is done, see what comes of them.

    Nobody of the crew may be missing then. After a fault there are no more rounds.
    """
    for _ in range(site.terms.rounds):
        numbers = await site.put(messages, seconds)
        yield numbers
        await _all_done(site, numbers, verdict)
        verdict.faults += site.gone(crew)
        if verdict.faults:
            return


def _some(random: Random, messages: int) -> int:
    """How many are done when it happens."""
    return random.randint(messages // 10, messages * 8 // 10)


async def _at_work(site: Site, random: Random, crew: list[Process], numbers: range, done: int) -> Process:
    """One of the crew, when so many are done and it is at work on others. It belongs to the crew no more."""
    await site.until_ended(numbers, done)
    chosen = crew.pop(random.randrange(len(crew)))
    await site.until_at_work(chosen, numbers)
    return chosen


# ---------------------------------------------------------------- workers that end


async def kill(site: Site, random: Random) -> Verdict:
    """kill -9 of one of three workers amid work."""
    verdict, terms, interrupted = Verdict(), site.terms, list[tuple[float, int]]()
    crew = await site.start_crew(3)
    async for numbers in _rounds(site, verdict, crew, terms.messages, lambda: random.uniform(0.005, 0.03)):
        victim = await _at_work(site, random, crew, numbers, _some(random, terms.messages))
        moment = time.monotonic()
        with suppress(ProcessLookupError):
            victim.kill()
        await victim.wait()
        site.record.read()
        interrupted += [(moment, each) for each in site.record.cut_off(victim.pid, numbers)]
        crew.append(await site.start_worker())
    verdict.bar(f"{len(interrupted)} interrupted", ok=bool(interrupted))
    after = [site.record.ended_after(moment, number) for moment, number in interrupted]
    # Those that were never done again are lost, and counted there.
    if waits := [each for each in after if each is not None]:
        limit = terms.lease + GRACE
        times = f"done again after {min(waits):.1f} to {max(waits):.1f} s (at most {limit:.1f})"
        verdict.bar(times, ok=max(waits) <= limit)
    return verdict


async def term(site: Site, random: Random) -> Verdict:
    """SIGTERM for one of two workers amid work."""
    verdict, messages, codes = Verdict(), site.terms.messages // 10, set[int | None]()
    in_work = cut_off = 0
    crew = await site.start_crew(2)
    async for numbers in _rounds(site, verdict, crew, messages, lambda: random.uniform(0.05, 0.3)):
        leaving = await _at_work(site, random, crew, numbers, _some(random, messages) // 2)
        in_work += len(site.record.cut_off(leaving.pid, numbers))
        with suppress(ProcessLookupError):
            leaving.terminate()
        codes.add(code := await _exit_code(leaving))
        if code is None:
            verdict.faults.append(f"worker {leaving.pid} is still there after {PATIENCE:g} s; {site.last_words()}")
        site.record.read()
        cut_off += len(site.record.cut_off(leaving.pid, numbers))
        crew.append(await site.start_worker())
    verdict.bar(f"{in_work} in work at the signal", ok=in_work > 0)
    verdict.bar(f"{cut_off} cut off", ok=not cut_off)
    verdict.bar("exit code " + ", ".join(map(str, codes)), ok=codes == {0})
    verdict.never_twice()
    return verdict


async def _exit_code(worker: Process) -> int | None:
    try:
        async with asyncio.timeout(PATIENCE):
            return await worker.wait()
    except TimeoutError:
        return None


async def poison(site: Site, random: Random) -> Verdict:
    """A message that kills its worker, and ten good ones beside it; a supervisor starts workers anew."""
    verdict, good_done, starts, rounds = Verdict(), 0, list[int](), site.terms.rounds
    for _ in range(rounds):
        place = random.randint(0, 5)
        before = await site.put(place, lambda: 0.3)
        after = await site.put(10 - place, lambda: 0.3, [{"does": "die"}])
        deadly, numbers = after[0], range(before.start, after.stop)
        supervisor = asyncio.create_task(_supervise(site))
        try:
            await _given_up(site, deadly, numbers)
        finally:
            supervisor.cancel()
            with suppress(asyncio.CancelledError):
                await supervisor
        lost = [each for each in site.record.missing(numbers) if each != deadly]
        verdict.messages += len(numbers)
        verdict.lost += len(lost)
        verdict.twice += len(site.record.begun_again(numbers))
        good_done += 10 - len(lost)
        starts.append(len(site.record.began[deadly]))
    verdict.bar(f"the deadly one begun {max(starts)} times", ok=max(starts) <= MAX_DELIVERIES)
    letters = len(await site.dead_letters())
    verdict.bar(f"{good_done} of {10 * rounds} good ones done", ok=good_done == 10 * rounds)
    verdict.bar(f"{letters} of {rounds} dead letter{'s' * (rounds != 1)}", ok=letters == rounds)
    return verdict


async def _given_up(site: Site, deadly: int, numbers: range) -> None:
    """The good ones are done, and the deadly one has killed as many as it may; or nothing happens any more."""
    record, lease = site.record, site.terms.lease
    await site.until(
        lambda: record.missing(numbers) == [deadly] and len(record.began[deadly]) >= MAX_DELIVERIES,
        2 * lease + GRACE,
    )
    await asyncio.sleep(lease + 1)


async def _supervise(site: Site) -> None:
    while True:
        worker = await site.start_worker()
        try:
            await worker.wait()
        finally:
            if worker.returncode is None:
                worker.kill()


# ---------------------------------------------------------------- servers and lines that fail


async def server(site: Site, random: Random) -> Verdict:
    """The server is killed amid work, and started again."""
    verdict, messages, down = Verdict(), site.terms.messages // 2, list[float]()
    crew = await site.start_crew(3)
    async for numbers in _rounds(site, verdict, crew, messages, lambda: random.uniform(0.01, 0.05)):
        await site.until_ended(numbers, _some(random, messages))
        moment = time.monotonic()
        await site.server.kill()
        await asyncio.sleep(random.uniform(0, 1.5))
        await site.server.restart()
        down.append(time.monotonic() - moment)
    verdict.figures.append(f"{len(down)} times down, for {min(down):.1f} to {max(down):.1f} s")
    _same_crew(crew, verdict)
    return verdict


async def cut(site: Site, random: Random) -> Verdict:
    """The connections to the server are cut at random, some are refused for a while."""
    verdict, messages, cuts = Verdict(), site.terms.messages // 2, 0
    proxy = await site.proxy()
    crew = await site.start_crew(3)
    async for numbers in _rounds(site, verdict, crew, messages, lambda: random.uniform(0.01, 0.05)):
        # Before all of it is done: what is cut must have something on it.
        for done in sorted(_some(random, messages) for _ in range(random.randint(1, 5))):
            await site.until_ended(numbers, done)
            await asyncio.sleep(random.uniform(0, 0.03))
            cuts += 1
            if random.random() < 0.7:
                proxy.cut()
            else:
                proxy.refuse()
                await asyncio.sleep(random.uniform(0, 0.5))
                await proxy.heal()
    verdict.bar(f"{cuts} cuts, {proxy.accepted} connections", ok=proxy.accepted > cuts)
    _same_crew(crew, verdict)
    return verdict


def _same_crew(crew: list[Process], verdict: Verdict) -> None:
    alive = sum(each.returncode is None for each in crew)
    verdict.bar(f"{alive} of {len(crew)} workers went on", ok=alive == len(crew))


# ---------------------------------------------------------------- time


async def long(site: Site, random: Random) -> Verdict:
    """A task that takes longer than the lease, and two workers."""
    verdict, starts, terms = Verdict(), 0, site.terms
    await site.start_crew(2)
    for _ in range(terms.rounds):
        numbers = await site.put(1, lambda: terms.long)
        await asyncio.sleep(random.uniform(0, 0.5))
        # So that the other worker has a reason to look.
        others = await site.put(3, lambda: 0.01)
        await _all_done(site, range(numbers.start, others.stop), verdict, terms.long)
        starts += len(site.record.began[numbers.start])
    text = f"a task of {terms.long:g} s under a lease of {terms.lease:g} s begun {starts / terms.rounds:g} time(s)"
    verdict.bar(text, ok=starts == terms.rounds)
    return verdict


async def clock(site: Site, random: Random) -> Verdict:
    """The wall clock jumps for one worker of two, an hour ahead or back, while both are at work."""
    # That of a Redis server stays right: only root can set it, and for the whole machine.
    verdict, lease = Verdict(), site.terms.lease
    crew = await site.start_crew(2)
    for number in range(site.terms.rounds):
        by = (3600 if number % 2 == 0 else -3600) + random.uniform(-60, 60)
        # As many as both have room for, and more. They end one by one: who reads again does so while the other one
        # holds leases.
        jump = {"does": "jump", "by": by, "seconds": lease}
        first = await site.put(2 * CONSUMERS - 1, lambda: random.uniform(1, 3) * lease, [jump])
        more = await site.put(2 * CONSUMERS, lambda: 0.1)
        await _all_done(site, range(first.start, more.stop), verdict, 3 * lease)
    verdict.faults += site.gone(crew)
    verdict.never_twice()
    return verdict
