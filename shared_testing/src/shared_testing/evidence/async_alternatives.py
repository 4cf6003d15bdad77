"""What to write instead of a call that blocks."""

from __future__ import annotations

# The first that the name starts with. Longer names stand before those that they begin with.
_INSTEAD = (
    ("time.sleep", "await asyncio.sleep(...)"),
    ("queue.", "use an asyncio.Queue and await it"),
    ("threading.Thread.join", "await asyncio.to_thread(thread.join), or start the work by asyncio.to_thread()"),
    ("threading.Event", "use an asyncio.Event and await its wait()"),
    ("threading.", "use the asyncio class of the same name, and await it"),
    ("concurrent.futures.Future", "await asyncio.wrap_future(future)"),
    ("concurrent.futures.wait", "await asyncio.wait() on futures that asyncio.wrap_future() has wrapped"),
    ("concurrent.futures.as_completed", "wrap the futures by asyncio.wrap_future(), and use asyncio.as_completed()"),
    ("concurrent.futures.", "await the jobs by loop.run_in_executor(), and call shutdown() in asyncio.to_thread()"),
    ("subprocess.", "await asyncio.create_subprocess_exec(...), and its wait() or communicate()"),
    ("os.system", "await asyncio.create_subprocess_shell(...), and its wait()"),
    ("os.popen", "await asyncio.create_subprocess_shell(...), and its communicate()"),
    ("os.wait", "start the child by asyncio.create_subprocess_exec(), and await its wait()"),
    ("multiprocessing.", "await asyncio.to_thread(...) with this call"),
    ("urllib.", "await an async client (aiohttp, httpx), or call it by await asyncio.to_thread(...)"),
    ("http.client", "await an async client (aiohttp, httpx), or call it by await asyncio.to_thread(...)"),
    ("requests.", "await an async client (aiohttp, httpx), or call it by await asyncio.to_thread(...)"),
    ("httpx.", "use httpx.AsyncClient"),
    ("socket.getaddrinfo", "await loop.getaddrinfo(...)"),
    ("socket.gethostby", "await loop.getaddrinfo(...)"),
    ("socket.", "await asyncio.open_connection(...), or loop.sock_recv() and the like on a non-blocking socket"),
    ("select", "await the streams of asyncio, or loop.add_reader()"),
    ("smtplib.", "call it by await asyncio.to_thread(...), or use aiosmtplib"),
    ("ftplib.", "call it by await asyncio.to_thread(...), or use aioftp"),
    ("sqlite3.", "call it by await asyncio.to_thread(...), or use aiosqlite"),
    ("input", "await asyncio.to_thread(input, ...)"),
    ("open", "async with aiofiles.open(...), or read and write it by await asyncio.to_thread(...)"),
    ("pathlib.", "await asyncio.to_thread(path.read_text) and the like, or aiofiles"),
)


def async_alternative(api: str) -> str:
    """One sentence for the function of this name."""
    found = (instead for prefix, instead in _INSTEAD if api.startswith(prefix))
    return next(found, "await its async counterpart, or call it by await asyncio.to_thread(...)")
