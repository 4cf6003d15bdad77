"""Waiting for something that only another event loop, which stands still meanwhile, could bring."""

from __future__ import annotations

import asyncio
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared_testing.findings import Finding
from shared_testing.findings.site import is_users
from shared_testing.loop.other_ends import idle_ends
from shared_testing.loop.scopes import fixture_on, fixture_with, loop_name, parts, scope_of, test_site
from shared_testing.loop.waits import frames_of, name_of, wait_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from shared_testing.findings import Rule, Site
    from shared_testing.loop.waits import Wait


@dataclass(frozen=True, slots=True)
class Helper:
    """What could end the wait, if its loop ran."""

    words: str
    site: Site | None
    loop: asyncio.AbstractEventLoop


def wrong_loop(
    rule: Rule, wait: Wait, who: str, others: Sequence[asyncio.AbstractEventLoop], test: Any
) -> Finding | None:
    """A finding, if a task or timer of another loop has to do with what is waited for."""
    helper = next((found for loop in others for found in _helpers(loop, wait.on)), None)
    if helper is None and isinstance(loop := wait.task.get_loop(), asyncio.SelectorEventLoop):
        helper = next((Helper("a server", None, other) for other in idle_ends(loop) if other is not None), None)
    return _told(rule, wait, who, helper, wait.on, test) if helper is not None else None


def wrong_loop_polled(
    rule: Rule, wait: Wait, who: str, others: Sequence[asyncio.AbstractEventLoop], test: Any
) -> Finding | None:
    """The same for a task that looks again and again at something which a task of another loop has in its hands."""
    seen = [value for frame in wait.frames for value in _looked_at(frame)]
    for value in seen:
        if (helper := next((found for loop in others for found in _helpers(loop, value)), None)) is not None:
            return _told(rule, wait, who, helper, value, test)
    return None


def _looked_at(frame: FrameType) -> list[object]:
    """What the user's function holds, and what that is made of; not what is one and the same for all."""
    if not is_users(frame.f_code.co_filename):
        return []
    values = list(frame.f_locals.values())
    values += [each for value in frame.f_locals.values() for each in _closed_over(value)]
    return [each for value in values for each in (value, *parts(value)) if not isinstance(each, _COMMON)]


# Two loops may well have the same number or class in hand.
_COMMON = (int, float, complex, str, bytes, type(None), type, types.ModuleType, types.FunctionType)


def _told(rule: Rule, wait: Wait, who: str, helper: Helper, wanted: object, test: Any) -> Finding:
    here = wait.task.get_loop()
    there = loop_name(helper.loop)
    fixture = fixture_with(test, wanted)
    notes = [f"{helper.words} waits on {there} at {helper.site}"] if helper.site else []
    if fixture is None:
        fixture = fixture_on(test, helper.loop)
    if fixture is not None and wait.site is not None:
        notes.insert(0, f"{who!r} waits at {wait.site}: {wait.site.source}")
    if (place := test_site(test)) is not None:
        notes.append(f"the test runs on {loop_name(here)}: {place}: {place.source}")
    return Finding(
        rule,
        f"{who!r} waits on {loop_name(here)} for what only {helper.words} on {there} could bring",
        fixture.site if fixture is not None else wait.site,
        shows_at=wait.site,
        cause=f"{there} runs only during its own fixtures and tests; while this test waits, it stands still",
        fix=_fix(scope_of(here), scope_of(helper.loop), fixture.name if fixture else None),
        details=tuple(notes),
    )


def _fix(here: str, there: str, fixture: str | None) -> str:
    if not here or not there:
        return "run both on one event loop"
    own = f', or give fixture {fixture!r} loop_scope="{here}"' if fixture else ""
    return f'put the test on the same loop, with @pytest.mark.asyncio(loop_scope="{there}"){own}'


def _helpers(loop: Any, wanted: object) -> Iterator[Helper]:
    for task in asyncio.all_tasks(loop):
        if any(_knows(frame.f_locals.values(), wanted) for frame in frames_of(task)):
            yield Helper(f"task {name_of(task)!r}", wait_of(task).site, loop)
    for handle in (*getattr(loop, "_scheduled", ()), *getattr(loop, "_ready", ())):
        if not handle.cancelled() and _knows([handle._callback, *(handle._args or ())], wanted):
            yield Helper("a timer", None, loop)


def _knows(values: Any, wanted: object) -> bool:
    return wanted is not None and any(
        value is wanted
        or getattr(value, "__self__", None) is wanted
        or any(each is wanted for each in parts(value))
        or any(each is wanted for each in _closed_over(value))
        for value in values
    )


def _closed_over(value: Any) -> list[object]:
    try:
        return [cell.cell_contents for cell in getattr(value, "__closure__", None) or ()]
    except ValueError:  # a cell that is still empty
        return []
