"""A headless Chromium, driven by its DevTools protocol: what the checks of the page need, and no more.

https://chromedevtools.github.io/devtools-protocol/ says what each method does.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import os
import re
import shutil
import tempfile
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

_PATIENCE = 60
"""Seconds for an answer: of a machine that does much else, too."""

_KEYS = {"Enter": (13, "\r"), "Escape": (27, ""), "ArrowRight": (39, ""), "ArrowLeft": (37, ""), "Tab": (9, "")}


class NoBrowser(Exception):
    """There is none on this machine."""


def find_program() -> str:
    for name in PROGRAMS:
        if (found := shutil.which(name)) is not None:
            return found
    raise NoBrowser(f"none of {', '.join(PROGRAMS)} is installed; on Debian: apt-get install chromium")


@asynccontextmanager
async def started() -> AsyncIterator[Browser]:
    """A browser with a profile of its own, which is gone afterwards."""
    profile = await asyncio.to_thread(tempfile.mkdtemp)
    try:
        options = ["--headless=new", "--remote-debugging-port=0", f"--user-data-dir={profile}", "--no-first-run"]
        options += ["--disable-gpu", "--disable-extensions", "--disable-background-networking", "--hide-scrollbars"]
        if os.geteuid() == 0:
            # Its sandbox needs another user than root.
            options.append("--no-sandbox")
        process = await asyncio.create_subprocess_exec(
            find_program(), *options, "about:blank", stderr=asyncio.subprocess.PIPE, start_new_session=True
        )
        try:
            address = await asyncio.wait_for(_address(process), _PATIENCE)
            # A printed page is larger than the usual limit.
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(address, max_msg_size=0) as socket,
            ):
                browser = Browser(socket)
                try:
                    yield browser
                finally:
                    await browser.close()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            await process.communicate()
    finally:
        await asyncio.to_thread(shutil.rmtree, profile, ignore_errors=True)


async def _address(process: asyncio.subprocess.Process) -> str:
    said: list[str] = []
    while process.stderr is not None and (line := await process.stderr.readline()):
        said.append(line.decode(errors="replace"))
        if (found := re.search(r"DevTools listening on (ws://\S+)", said[-1])) is not None:
            return found[1]
    raise NoBrowser(f"{find_program()} ended before it listened:\n{''.join(said[-10:])}")


class Browser:
    """Commands go out, answers and events come in."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._pages: dict[str, Page] = {}
        self._reader = asyncio.create_task(self._read())

    async def open(self, file: Path, *, width: int = 1300, height: int = 1000, theme: str = "light") -> Page:
        """The file, by its absolute path, in a tab of its own, loaded."""
        target = (await self.send("Target.createTarget", url="about:blank"))["targetId"]
        session = (await self.send("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        page = self._pages[session] = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            await page.send(f"{domain}.enable")
        await page.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        await page.theme(theme)
        await page.send("Page.navigate", url=file.as_uri())
        await asyncio.wait_for(page.loaded.wait(), _PATIENCE)
        return page

    async def send(self, method: str, session: str = "", **parameters: Any) -> Any:
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": parameters}
        await self._socket.send_json(message | ({"sessionId": session} if session else {}))
        return await asyncio.wait_for(answer, _PATIENCE)

    async def close(self) -> None:
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader

    async def _read(self) -> None:
        async for message in self._socket:
            told = message.json()
            answer = self._answers.pop(told.get("id", 0), None)
            if answer is not None and not answer.done():
                if "error" in told:
                    answer.set_exception(RuntimeError(told["error"]["message"]))
                else:
                    answer.set_result(told["result"])
            elif told.get("sessionId") in self._pages:
                self._pages[told["sessionId"]].happened(told["method"], told["params"])


class Page:
    """One tab."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self.loaded = asyncio.Event()
        self.complaints: list[str] = []
        """Errors and warnings of the console, exceptions of scripts, dialogs."""
        self.requests: list[str] = []
        """Every address that was asked for."""
        self._asides: set[asyncio.Task[Any]] = set()

    async def send(self, method: str, **parameters: Any) -> Any:
        return await self._browser.send(method, self._session, **parameters)

    def happened(self, event: str, about: dict[str, Any]) -> None:
        if event == "Page.loadEventFired":
            self.loaded.set()
        elif event == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])
        elif event == "Runtime.exceptionThrown":
            details = about["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description") or details["text"])
        elif event == "Runtime.consoleAPICalled":
            self.complaints.append(f"console.{about['type']}: {[each.get('value') for each in about['args']]}")
        elif event == "Log.entryAdded":
            self.complaints.append(f"{about['entry']['level']}: {about['entry']['text']}")
        elif event == "Page.javascriptDialogOpening":
            self.complaints.append(f"dialog: {about['message']}")
            # The page stands still until somebody answers.
            self._asides.add(asyncio.ensure_future(self.send("Page.handleJavaScriptDialog", accept=True)))

    async def js(self, expression: str) -> Any:
        """The value of an expression, as plain data."""
        answer = await self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description") or details["text"])
        return answer["result"].get("value")

    async def press(self, *keys: str) -> None:
        """As on a keyboard, one after the other: ``Enter``, or a character."""
        for key in keys:
            code, text = _KEYS.get(key, (0, key))
            about = {"key": key, "windowsVirtualKeyCode": code} | ({"text": text} if text else {})
            await self.send("Input.dispatchKeyEvent", type="keyDown", **about)
            await self.send("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    async def type(self, text: str) -> None:
        """Into whatever has the focus."""
        await self.press(*text)

    async def theme(self, name: str) -> None:
        """What the system prefers: ``light`` or ``dark``."""
        await self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    async def pdf(self) -> bytes:
        """As it would be printed."""
        answer = await self.send("Page.printToPDF", printBackground=True)
        return base64.b64decode(answer["data"])

    async def screenshot(self, file: Path, *, whole: bool = False) -> None:
        answer = await self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        await asyncio.to_thread(file.write_bytes, base64.b64decode(answer["data"]))
