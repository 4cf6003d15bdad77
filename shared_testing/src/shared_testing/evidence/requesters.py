"""Whose request it is that a server answers just now.

A server runs in a task of its own; the line that asked is on the stack of another one, which waits for the answer.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from shared_testing.findings.site import is_users_frame, site_of_frame
from shared_testing.loop.waits import awaited_tasks, frames_of, wait_of

if TYPE_CHECKING:
    from shared_testing.findings.site import Site

_CLIENT = "aiohttp.client"


def requester(method: str, raw_path: str) -> Site | None:
    """The user's line in this event loop that waits for the answer to that request; None if it is elsewhere."""
    for task in asyncio.all_tasks():
        site = None
        for frame in frames_of(task):
            if is_users_frame(frame):
                site = site_of_frame(frame)
            elif frame.f_code.co_name == "_request" and frame.f_globals.get("__name__") == _CLIENT:
                asked = frame.f_locals
                if asked.get("method") == method and getattr(asked.get("url"), "raw_path_qs", None) == raw_path:
                    return site or _who_waits_for(task)
                break
    return None


def _who_waits_for(task: asyncio.Task[Any]) -> Site | None:
    """For a request that is a task by itself, as in ``gather(session.get(url))``."""
    waits = map(wait_of, asyncio.all_tasks())
    return next((wait.site for wait in waits if task in awaited_tasks(wait.on)), None)
