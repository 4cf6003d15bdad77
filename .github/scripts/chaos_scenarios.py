"""What goes wrong, one function each: it does the damage, looks what came of it, and says so."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chaos_site import MAX_DELIVERIES, PATIENCE, Site

if TYPE_CHECKING:
    from asyncio.subprocess import Process
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
        return ", ".join([f"{self.messages:,} messages", f"{self.lost} lost", f"{self.twice} begun twice", *self.figures])

    def bar(self, figure: str, *, ok: bool) -> None:
        """A figure that must be reached."""
        self.figures.append(figure)
        if not ok:
            self.faults.append(figure)


async def _all_done(site: Site, numbers: range, verdict: Verdict) -> bool:
    """Wait for all of a round. False if some are lost: there is no use in going on."""
    await site.until_ended(numbers, len(numbers))
    counts = await site.until_empty()
    lost = site.record.missing(numbers)
    verdict.messages += len(numbers)
    verdict.lost += len(lost)
    verdict.twice += len(site.record.begun_again(numbers))
    if lost:
        verdict.faults.append(f"{len(lost)} lost, such as number {lost[0]}; the queue has {counts}")
    elif any(counts):
        verdict.faults.append(f"all are done, but the queue still has {counts}")
    return not verdict.faults


def _some(random: Random, messages: int) -> int:
    """How many are done when it happens."""
    return random.randint(messages // 10, messages * 8 // 10)


# ---------------------------------------------------------------- workers that end


async def kill(site: Site, random: Random) -> Verdict:
    """kill -9 of one of three workers amid work."""
    verdict, terms, waits, interrupted = Verdict(), site.terms, list[float](), 0
    crew = await site.start_workers(3)
    for _ in range(terms.rounds):
        numbers = await site.put(terms.messages, lambda: random.uniform(0.005, 0.03))
        await site.until_ended(numbers, _some(random, terms.messages))
        victim = crew.pop(random.randrange(3))
        await site.until(lambda pid=victim.pid, numbers=numbers: bool(site.record.cut_off(pid, numbers)), 1.0)  # type: ignore[misc]
        moment = time.monotonic()
        with suppress(ProcessLookupError):
            victim.kill()
        await victim.wait()
        crew.append(await site.start_worker())
        site.record.read()
        cut_off = site.record.cut_off(victim.pid, numbers)
        interrupted += len(cut_off)
        going_on = await _all_done(site, numbers, verdict)
        waits += [after for each in cut_off if (after := site.record.ended_after(moment, each)) is not None]
        verdict.faults += site.gone(crew)
        if not going_on:
            break
    limit = terms.lease + GRACE
    verdict.bar(f"{interrupted} interrupted", ok=interrupted > 0)
    if waits:
        span = f"done again after {min(waits):.1f} to {max(waits):.1f} s (at most {limit:.1f})"
        verdict.bar(span, ok=max(waits) <= limit)
    return verdict


async def term(site: Site, random: Random) -> Verdict:
    """SIGTERM for one of two workers amid work."""
    verdict, messages, cut_off, codes, in_work = Verdict(), site.terms.messages // 10, 0, set[int | None](), 0
    crew = await site.start_workers(2)
    for _ in range(site.terms.rounds):
        numbers = await site.put(messages, lambda: random.uniform(0.05, 0.3))
        await site.until_ended(numbers, _some(random, messages) // 2)
        leaving = crew.pop(random.randrange(2))
        await site.until(lambda pid=leaving.pid, numbers=numbers: bool(site.record.cut_off(pid, numbers)), 1.0)  # type: ignore[misc]
        in_work += len(site.record.cut_off(leaving.pid, numbers))
        with suppress(ProcessLookupError):
            leaving.terminate()
        codes.add(await _exit_code(leaving))
        site.record.read()
        cut_off += len(site.record.cut_off(leaving.pid, numbers))
        crew.append(await site.start_worker())
        going_on = await _all_done(site, numbers, verdict)
        verdict.faults += site.gone(crew)
        if not going_on:
            break
    verdict.bar(f"{in_work} in work at the signal", ok=in_work > 0)
    verdict.bar(f"{cut_off} cut off", ok=not cut_off)
    verdict.bar("exit code " + ", ".join(map(str, codes)), ok=codes == {0})
    if verdict.twice:
        verdict.faults.append(f"{verdict.twice} begun twice")
    return verdict


async def _exit_code(worker: Process) -> int | None:
    try:
        async with asyncio.timeout(PATIENCE):
            return await worker.wait()
    except TimeoutError:
        return None


async def poison(site: Site, random: Random) -> Verdict:
    """A message that kills its worker, and ten good ones beside it; a supervisor starts workers anew."""
    verdict, good_done, letters = Verdict(), 0, 0
    for done_before in range(site.terms.rounds):
        place = random.randint(0, 5)
        before = await site.put(place, lambda: 0.3)
        after = await site.put(10 - place, lambda: 0.3, [{"does": "die"}])
        deadly, good = after[0], [*before, *after[1:]]
        supervisor = asyncio.create_task(_supervise(site))
        try:
            end = time.monotonic() + PATIENCE + MAX_DELIVERIES * 11 * site.terms.lease
            while len(dead := await site.dead_letters()) <= done_before and time.monotonic() < end:
                await asyncio.sleep(0.1)
            await site.until(lambda good=good: all(each in site.record.ended for each in good), PATIENCE)  # type: ignore[misc]
            dead = await site.dead_letters()
        finally:
            supervisor.cancel()
            await asyncio.wait([supervisor])
        done = sum(each in site.record.ended for each in good)
        starts = len(site.record.began[deadly])
        verdict.messages += 11
        verdict.lost += 10 - done
        verdict.twice += len(site.record.begun_again(range(before.start, after.stop))) - (starts > 1)
        good_done, letters = good_done + done, len(dead)
        if starts > MAX_DELIVERIES:
            verdict.faults.append(f"the deadly one was begun {starts} times (at most {MAX_DELIVERIES})")
    rounds = site.terms.rounds
    verdict.bar(f"{good_done} of {10 * rounds} good ones done", ok=good_done == 10 * rounds)
    verdict.bar(f"{letters} dead letter{'s' * (letters != 1)} of {rounds}", ok=letters == rounds)
    return verdict


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
    verdict, messages, down = Verdict(), site.terms.messages // 2, 0.0
    crew = await site.start_workers(3)
    for _ in range(site.terms.rounds):
        numbers = await site.put(messages, lambda: random.uniform(0.01, 0.05))
        await site.until_ended(numbers, _some(random, messages))
        moment = time.monotonic()
        await site.server.kill()
        await asyncio.sleep(random.uniform(0, 1.5))
        await site.server.restart()
        down += time.monotonic() - moment
        going_on = await _all_done(site, numbers, verdict)
        verdict.faults += site.gone(crew)
        if not going_on:
            break
    _same_crew(site, verdict)
    verdict.figures.append(f"{site.terms.rounds} times down, {down:.0f} s in all")
    return verdict


async def cut(site: Site, random: Random) -> Verdict:
    """The connections to the server are cut at random, some are refused for a while."""
    verdict, messages, cuts = Verdict(), site.terms.messages // 2, 0
    proxy = await site.proxy()
    crew = await site.start_workers(3)
    for _ in range(site.terms.rounds):
        numbers = await site.put(messages, lambda: random.uniform(0.01, 0.05))
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
        going_on = await _all_done(site, numbers, verdict)
        verdict.faults += site.gone(crew)
        if not going_on:
            break
    _same_crew(site, verdict)
    verdict.bar(f"{cuts} cuts, {proxy.accepted} connections", ok=proxy.accepted > cuts)
    return verdict


def _same_crew(site: Site, verdict: Verdict) -> None:
    alive = sum(each.returncode is None for each in site.workers.values())
    verdict.bar(f"{alive} of {len(site.workers)} workers went on", ok=alive == len(site.workers))


# ---------------------------------------------------------------- time


async def long(site: Site, random: Random) -> Verdict:
    """A task that takes longer than the lease, and two workers."""
    verdict, starts = Verdict(), 0
    await site.start_workers(2)
    for _ in range(site.terms.rounds):
        numbers = await site.put(1, lambda: site.terms.long)
        await asyncio.sleep(random.uniform(0, 0.5))
        # So that the other worker has a reason to look.
        others = await site.put(3, lambda: 0.01)
        await site.until_ended(numbers, 1)
        await _all_done(site, range(numbers.start, others.stop), verdict)
        starts += len(site.record.began[numbers.start])
    text = f"a task of {site.terms.long:g} s under a lease of {site.terms.lease:g} s begun {starts} time(s)"
    verdict.bar(text, ok=starts == site.terms.rounds)
    return verdict


async def clock(site: Site, random: Random) -> Verdict:
    """The wall clock jumps for one worker of two, an hour ahead or back, while both are at work."""
    verdict, seconds = Verdict(), site.terms.lease * 1.5
    crew = await site.start_workers(2)
    for number in range(site.terms.rounds):
        by = (3600 if number % 2 == 0 else -3600) + random.uniform(-60, 60)
        # More than both have room for, so that both are at it when it jumps and read again after it.
        numbers = await site.put(14, lambda: seconds, [{"does": "jump", "by": by, "seconds": seconds}])
        more = await site.put(14, lambda: 0.1)
        if not await _all_done(site, range(numbers.start, more.stop), verdict):
            break
    verdict.faults += site.gone(crew)
    verdict.bar(f"{verdict.twice} begun twice as the clock of a worker jumped by an hour", ok=not verdict.twice)
    return verdict
