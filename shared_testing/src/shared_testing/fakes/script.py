"""What a test tells the fake to do, instead of what it would do by itself.

Each endpoint has a queue of steps, each good for a number of requests. A request takes the first steps up to
one that decides what becomes of it; a delay decides nothing, so the request goes on to the step behind it.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from aiohttp import web

from shared_testing.http.faults import reset

if TYPE_CHECKING:
    from shared_testing.contracts.user_api import Endpoint

Fault = Literal["reset", "reset_mid_body", "stall"]


@dataclass(slots=True)
class Step:
    """One scripted event, good for `times` requests."""

    times: int
    status: int = 0
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    fault: Fault | None = None
    decides: bool = True


class Script:
    """The steps that are still to come, by endpoint."""

    def __init__(self) -> None:
        self._steps: defaultdict[Endpoint, deque[Step]] = defaultdict(deque)

    def add(self, endpoint: Endpoint, step: Step) -> None:
        if step.times < 1:
            raise ValueError(f"times={step.times}: a step happens at least once")
        self._steps[endpoint].append(step)

    def take(self, endpoint: Endpoint) -> list[Step]:
        """What the next request meets; none for the fake's own answer."""
        taken: list[Step] = []
        for step in self._steps[endpoint]:
            step.times -= 1
            taken.append(step)
            if step.decides:
                break
        self._steps[endpoint] = deque(step for step in self._steps[endpoint] if step.times)
        return taken

    def clear(self) -> None:
        self._steps.clear()

    def unused(self) -> list[str]:
        """The steps that no request has used, in words."""
        return [
            f"{endpoint.name}: {step.fault or step.status or _quiet_name(step)} x{step.times}"
            for endpoint, steps in self._steps.items()
            for step in steps
        ]


@dataclass(frozen=True, slots=True)
class ScriptedEndpoint:
    """``users.on(GET_USER)``: says what the next requests to that endpoint meet. Calls can be chained."""

    endpoint: Endpoint
    script: Script

    def reply(
        self, status: int, body: Any = None, *, times: int = 1, content_type: str = "", **headers: object
    ) -> ScriptedEndpoint:
        """Answer the next `times` requests with `status`, without doing what they ask.

        `body` is sent as it is when it is bytes, as text when it is a str, as JSON otherwise (for an error
        without one: a Problem). Keywords are headers: ``retry_after=7`` sends ``Retry-After: 7``.
        """
        if body is None and status >= 400:
            body = {"error": f"scripted {status}"}
        kind, raw = _encode(body)
        sent = {name.replace("_", "-").title(): str(value) for name, value in headers.items()}
        step = Step(times, status, raw, {"Content-Type": content_type or kind, **sent})
        self.script.add(self.endpoint, step)
        return self

    def delay(self, seconds: float, *, times: int = 1) -> ScriptedEndpoint:
        """Let the next `times` requests wait before whatever comes next."""
        self.script.add(self.endpoint, Step(times, delay=seconds, decides=False))
        return self

    def answer(self, *, times: int = 1) -> ScriptedEndpoint:
        """Let the fake answer the next `times` requests by itself, before the steps that follow."""
        self.script.add(self.endpoint, Step(times))
        return self

    def fault(self, name: Fault, *, times: int = 1) -> ScriptedEndpoint:
        """Break the next `times` requests.

        ``reset``: the connection is reset before the headers; ``reset_mid_body``: after half of a body;
        ``stall``: no answer ever comes. Note that aiohttp's client by itself sends an idempotent request once
        more when its connection dies before the headers: such a call uses up two resets.
        """
        self.script.add(self.endpoint, Step(times, fault=name))
        return self


def _encode(body: Any) -> tuple[str, bytes]:
    """The content type and the bytes of a scripted body."""
    if isinstance(body, bytes):
        return "application/octet-stream", body
    if isinstance(body, str):
        return "text/html; charset=utf-8", body.encode()
    return "application/json", json.dumps(body).encode()


def _quiet_name(step: Step) -> str:
    return "its own answer" if step.decides else f"delay of {step.delay:g} s"


async def play(step: Step, request: web.Request) -> web.StreamResponse:
    """Do what the step says to this request."""
    if step.fault == "stall":
        await asyncio.get_running_loop().create_future()
    if step.fault == "reset":
        return reset(request)
    if step.fault == "reset_mid_body":
        half = web.StreamResponse(headers={"Content-Length": "100", "Content-Type": "application/json"})
        await half.prepare(request)
        await half.write(b'{"id": 1, "na')
        reset(request)
        return half
    return web.Response(status=step.status, body=step.body, headers=step.headers)
