"""Which thing one task touches on both sides of an await while another one changes it, read from their source."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from shared_testing.findings.syntax import DEFINITIONS, async_functions_at, own_nodes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared_testing.exploration.timeline import Step, Timeline
    from shared_testing.findings.site import Site

_CHANGES = {"append", "appendleft", "add", "clear", "discard", "extend", "insert", "pop", "popitem", "popleft"}
_CHANGES |= {"put_nowait", "remove", "set", "setdefault", "update", "close"}


class _Touch(NamedTuple):
    what: str
    line: int
    changes: bool


class _Gap(NamedTuple):
    """One task waits, and others go on."""

    waits: Site
    name: str
    others: list[Step]


def changed_meanwhile(timeline: Timeline) -> list[str]:
    """A sentence for the first such thing, if there is one: of the task that was held back before the others."""
    names = timeline.names()
    for gap in _gaps(timeline):
        mine = _touches(gap.waits)
        for step in gap.others:
            where = step.begins or step.ends
            if where is None:
                continue
            theirs = [each for each in _touches(where) if each.line in _lines_of(step)]
            if (told := _told(gap, mine, names[step.number], theirs)) is not None:
                return [told]
    return []


def _gaps(timeline: Timeline) -> Iterator[_Gap]:
    """Those in which a step deviates, the shortest first; the test's own task, which waits for all others, last."""
    steps, names = timeline.steps, timeline.names()
    found: list[tuple[bool, int, _Gap]] = []
    for at, step in enumerate(steps):
        after = next((k for k in range(at + 1, len(steps)) if steps[k].number == step.number), len(steps))
        between = steps[at + 1 : after]
        if step.ends is not None and any(each.deviates for each in steps[at + 1 : after + 1]) and between:
            is_main = step.number == steps[0].number
            found.append((is_main, after - at, _Gap(step.ends, names[step.number], between)))
    for _, _, gap in sorted(found, key=lambda each: each[:2]):
        yield gap


def _told(gap: _Gap, mine: list[_Touch], other: str, theirs: list[_Touch]) -> str | None:
    at = gap.waits.line
    before = {each.what: each.line for each in mine if each.line <= at}
    after = {each.what: each for each in reversed(mine) if each.line > at}
    for touch in theirs:
        if not touch.changes:
            continue
        if touch.what in before and touch.what in after:
            return (
                f"{touch.what}: {gap.name} looks at it at {before[touch.what]}, before it waits at {at}, and again at "
                f"{after[touch.what].line}; {other} changes it at {touch.line} in the meantime"
            )
    for touch in theirs:
        if touch.what in after and (touch.changes or after[touch.what].changes):
            verbs = "changes" if touch.changes else "looks at"
            return (
                f"{touch.what}: {gap.name} comes to it at {after[touch.what].line}, after it has waited at {at}; "
                f"{other} {verbs} it at {touch.line} in the meantime"
            )
    for touch in theirs:
        if touch.changes and touch.what in before:
            return (
                f"{touch.what}: {gap.name} looks at it at {before[touch.what]}, before it waits at {at}; "
                f"{other} changes it at {touch.line} in the meantime"
            )
    return None


def _lines_of(step: Step) -> range:
    """The lines that the step ran through, as far as that can be said without a loop."""
    first = step.begins.line if step.begins is not None else 0
    if step.ends is not None and step.begins is not None and step.ends.function == step.begins.function:
        return range(first, step.ends.line + 1) if step.ends.line > first else range(10**9)
    return range(first, 10**9)


def _touches(site: Site) -> list[_Touch]:
    """What the function around that line shares with others: attributes, and names that are not its own."""
    function = next(async_functions_at(site), None)
    if function is None:
        return []
    arguments = function.args
    own = {each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    nodes = list(own_nodes(function))
    shared = {name for node in nodes if isinstance(node, (ast.Nonlocal, ast.Global)) for name in node.names}
    own |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)} - shared
    own |= {node.name for node in nodes if isinstance(node, DEFINITIONS)}
    found = []
    for node in nodes:
        if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)) and (what := _root(node, own)) is not None:
            found.append(_Touch(what, node.lineno, not isinstance(node.ctx, ast.Load)))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGES:
            what = _root(node.func.value, own)
            if what is not None:
                found.append(_Touch(what, node.lineno, changes=True))
    return sorted(found, key=lambda each: (each.line, not each.changes))


def _root(node: ast.expr, own: set[str]) -> str | None:
    """``account`` of ``account["balance"]``, ``self.users`` of ``self.users[0]``; None for a name of the function."""
    while isinstance(node, ast.Subscript):
        node = node.value
    if isinstance(node, ast.Name):
        return None if node.id in own else node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        owner = node.value.id
        return ast.unparse(node) if owner in ("self", "cls") or owner not in own else None
    return None
