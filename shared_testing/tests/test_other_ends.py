from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from shared_testing.loop import watched
from shared_testing.loop.other_ends import idle_ends


class ClosedSelector:
    def get_map(self) -> None:
        return None


@pytest.mark.parametrize("selector", [None, ClosedSelector()])
async def test_a_loop_that_its_thread_closes_just_now_has_no_ends(
    selector: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = asyncio.get_running_loop()
    closing: Any = asyncio.new_event_loop()
    watched.add(closing)
    mine, other = socket.socketpair()
    here.add_reader(mine, mine.recv, 1)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(closing, "_selector", selector)
            assert idle_ends(here) == [None]
    finally:
        here.remove_reader(mine)
        mine.close()
        other.close()
        closing.close()
