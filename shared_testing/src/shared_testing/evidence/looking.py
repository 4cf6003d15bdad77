"""Whether a function may be in a ``while`` that only looks, told from its bytecode.

For who must not give way: the source is in a file, and reading one lets other threads go on.
"""

from __future__ import annotations

import dis
from typing import TYPE_CHECKING

from shared_testing.findings.site import user_frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType

# Questions that change nothing, of asyncio's and threading's own objects; and functions that only ask what they get.
QUESTIONS = {"done", "cancelled", "is_set", "empty", "full", "qsize", "locked", "running"}
PURE = {"all", "any", "bool", "len"}
_HARMLESS = QUESTIONS | PURE | {"sleep"}


def may_spin(frame: FrameType | None) -> bool:
    """Whether the user's innermost function goes round, and calls nothing by name but questions. From any thread.

    False is certain; True is for `spin_at`, which reads the source.
    """
    found = looking_function(frame)
    if found is None:
        return False
    instructions = list(dis.get_instructions(found.f_code))
    rounds = [(each.argval, each.offset) for each in instructions if "JUMP_BACKWARD" in each.opname]
    return any(
        _HARMLESS.issuperset(_called(each for each in instructions if start <= each.offset <= end))
        for start, end in rounds
        if start <= found.f_lasti <= end
    )


def looking_function(frame: FrameType | None) -> FrameType | None:
    """The user's innermost one, without what it hands to ``any`` and ``all``."""
    found = user_frame(frame)
    while found is not None and found.f_code.co_name in ("<genexpr>", "<listcomp>"):
        found = user_frame(found.f_back)
    return found


def _called(instructions: Iterable[dis.Instruction]) -> Iterator[str]:
    """``sleep`` of ``time.sleep(0)``. Which load is that of a call, each version of CPython marks in its own way."""
    name, called = "", False
    for each in instructions:
        if each.opname == "EXTENDED_ARG":
            continue
        if each.opname not in ("LOAD_ATTR", "LOAD_METHOD", "PUSH_NULL"):
            # What was loaded is whole; this may be its argument.
            if called and name:
                yield name
            name, called = "", False
        if each.opname in ("LOAD_GLOBAL", "LOAD_ATTR", "LOAD_METHOD"):
            name = each.argval
            # Shown as "NULL + name", or "name + NULL|self".
            called = called or each.opname == "LOAD_METHOD" or each.argrepr != name
        elif each.opname == "PUSH_NULL":
            called = True
