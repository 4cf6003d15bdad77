"""Why a queue moves no more."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from shared_testing.evidence.holders import Deed, last_put, last_taken
from shared_testing.findings import Finding, Rule, Site
from shared_testing.findings.syntax import function_at
from shared_testing.verdicts.wording import outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared_testing.loop.waits import Wait


def stuck(rule: Rule, wait: Wait, who: str, others: Sequence[Wait], notes: tuple[str, ...]) -> Finding:
    """A finding for a task that waits for a queue; `others` are all the waits of its loop."""
    if wait.verb == "join":
        return _join(rule, wait, who, others, notes)
    if wait.verb == "put":
        return _put(rule, wait, who, notes)
    return _get(rule, wait, who, notes)


def _get(rule: Rule, wait: Wait, who: str, notes: tuple[str, ...]) -> Finding:
    put = last_put(wait.on)
    told = _told("the last item was put", put) + _told("it was taken", last_taken(wait.on) if put else None)
    symptom = f"{who} waits for an item of a Queue that nobody will fill"
    if put is None or not _has_ended(put) or put.task is wait.task:
        return Finding(
            rule,
            symptom,
            wait.site,
            cause="the queue is empty, and no task, timer, connection or thread is left that could put an item",
            fix="put one item, or one sentinel, for each get(); or cancel whoever waits when the work is done",
            details=told + notes,
        )
    missed = _next_put(put)
    how = outcome(put.task)
    return Finding(
        rule,
        symptom,
        missed or wait.site,
        cause=f"the last to put, {put.name!r}, {how}" + (" before it came to this line" if missed else ""),
        fix="put the sentinel in a finally block, so that it comes on every path"
        if missed
        else "put one item, or one sentinel, for each get(); or cancel whoever waits when the work is done",
        details=(f"{who} waits at {wait.site}", *told, *notes),
    )


def _put(rule: Rule, wait: Wait, who: str, notes: tuple[str, ...]) -> Finding:
    taken = last_taken(wait.on)
    if taken is not None and _has_ended(taken):
        cause = f"the last to take, {taken.name!r}, {outcome(taken.task)}"
    else:
        cause = "no task is left that could take an item"
    return Finding(
        rule,
        f"{who} waits for room in a full Queue from which nobody takes",
        wait.site,
        cause=cause,
        fix="keep a consumer running as long as somebody puts, or cancel the producers when it ends",
        details=_told("the last item was taken", taken) + notes,
    )


def _join(rule: Rule, wait: Wait, who: str, others: Sequence[Wait], notes: tuple[str, ...]) -> Finding:
    queue: Any = wait.on
    left, unfinished = queue.qsize(), queue._unfinished_tasks
    taken = last_taken(queue)
    waiting = f"{who} waits in Queue.join() at {wait.site}"
    if left and not any(each.on is queue and each.verb == "get" for each in others):
        how = f"the last to take, {taken.name!r}, {outcome(taken.task)}" if taken else "nobody takes items from it"
        return Finding(
            rule,
            f"{who} waits in Queue.join() for {_items(left)} that no task takes",
            wait.site,
            cause=how,
            fix="keep a consumer running until join() returns, and let it live through the errors of an item",
            details=_told("the last item was taken", taken) + notes,
        )
    failed = taken is not None and _has_ended(taken)
    return Finding(
        rule,
        f"{who} waits in Queue.join() for {_items(unfinished - left)} taken, but never marked done",
        taken.site if taken is not None else wait.site,
        cause=f"{taken.name!r} {outcome(taken.task)} before it called task_done()"
        if failed and taken is not None
        else "whoever takes an item must call task_done(), once for each get()",
        fix="call queue.task_done() for each item, in a finally block",
        details=(waiting, *notes),
    )


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count} items"


def _told(deed_in_words: str, deed: Deed | None) -> tuple[str, ...]:
    return (f"{deed_in_words} by {deed.name!r} at {deed.site}",) if deed is not None else ()


def _has_ended(deed: Deed) -> bool:
    return deed.task is None or deed.task.done()


def _next_put(deed: Deed) -> Site | None:
    """The line further down in the same function that puts too, and was not reached."""
    function = function_at(deed.code)
    if function is None:
        return None
    lines = [
        node.lineno
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"put", "put_nowait"}
        and node.lineno > deed.site.line
    ]
    return Site(deed.code.co_filename, min(lines), deed.code.co_qualname) if lines else None
