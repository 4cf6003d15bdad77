"""Whether a suspended generator has something left to do when it is closed: a `finally`, a `with`, an `except` for it.

Read from the exception table of its code, which says for each instruction where an exception would go.
"""

from __future__ import annotations

import dis
from typing import TYPE_CHECKING

from shared_testing.findings.by_code import by_code

if TYPE_CHECKING:
    from types import CodeType

# What throws at the `yield` when a generator is closed.
_CLOSING = ("GeneratorExit", "BaseException")
_MATCHES = ("CHECK_EXC_MATCH", "CHECK_EG_MATCH")


@by_code
def has_cleanup(code: CodeType, offset: int) -> bool:
    """Whether closing the generator that is suspended at this offset of its code runs some of the user's code."""
    instructions = [each for each in dis.get_instructions(code) if each.opname not in ("CACHE", "NOP", "EXTENDED_ARG")]
    places = {each.offset: place for place, each in enumerate(instructions)}
    table = dis._parse_exception_table(code)  # type: ignore[attr-defined]
    seen: set[int] = set()
    while (target := next((entry.target for entry in table if entry.start <= offset < entry.end), None)) is not None:
        if target in seen:
            break
        seen.add(target)
        if target in places and _cleans_up(instructions, places, places[target]):
            return True
        # An `except` for something else: what is around it may have more to do.
        offset = target
    return False


def _cleans_up(instructions: list[dis.Instruction], places: dict[int, int], place: int) -> bool:
    # Only the handlers of `try` and `with` begin so; those that the compiler adds for itself do not.
    if instructions[place].opname != "PUSH_EXC_INFO":
        return False
    place += 1
    while (match := _match_after(instructions, place)) is not None:
        if any(instructions[each].argval in _CLOSING for each in range(place, match)):
            return True
        if instructions[match].opname == "CHECK_EG_MATCH":
            return False
        jump = instructions[match + 1]
        if not isinstance(jump.argval, int) or jump.argval not in places:
            return False
        place = places[jump.argval]
        # Past the last `except` the exception is raised again.
        if instructions[place].opname == "RERAISE":
            return False
    return True


def _match_after(instructions: list[dis.Instruction], place: int) -> int | None:
    """Where an `except` clause that begins here compares; None if none does: it is a `finally` or a `with`."""
    for each in range(place, min(place + 12, len(instructions))):
        name = instructions[each].opname
        if name in _MATCHES:
            return each
        if not name.startswith("LOAD_") and name not in ("BUILD_LIST", "BUILD_TUPLE", "COPY", "SWAP"):
            return None
    return None
