"""Who is inside whose handler."""

from __future__ import annotations

import asyncio

from queue_processor.handling import handling_for, inside_handler_of


async def test_it_knows_the_owner_also_in_tasks_that_the_handler_starts() -> None:
    """Nested owners are all known, tasks inherit them, and after the block nothing is left."""
    one, two = object(), object()

    async def ask() -> tuple[bool, bool]:
        return inside_handler_of(one), inside_handler_of(two)

    with handling_for(one):
        assert await ask() == (True, False)
        with handling_for(two):
            assert await asyncio.create_task(ask()) == (True, True)
    assert await ask() == (False, False)


def test_a_handler_collected_in_another_context_is_no_error() -> None:
    """The end of the block may come in a context where it never began."""
    import contextvars

    block = handling_for(object())
    contextvars.copy_context().run(block.__enter__)
    assert block.__exit__(None, None, None) in (None, False)
