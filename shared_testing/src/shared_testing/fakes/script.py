"""What a test tells the fake to do, instead of what it would do by itself.

Each endpoint has a queue of steps, each good for a number of requests. A request takes the first steps up to
one that decides what becomes of it; a delay decides nothing, so the request goes on to the step behind it.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared_testing.contracts.contract import ContractViolation, Reply, check_reply
from shared_testing.evidence import stubs
from shared_testing.evidence.stub_sites import forbid, written_at
from shared_testing.http.fault_plan import LASTING, check_fault
from shared_testing.http.faults import REQUEST_FAULTS

if TYPE_CHECKING:
    from shared_testing.contracts.contract import Endpoint
    from shared_testing.findings.site import Site
    from shared_testing.http.faults import RequestFault


@dataclass(eq=False, slots=True)
class Step:
    """One scripted event, good for `left` more requests."""

    name: str
    left: float
    site: Site | None
    reply: Reply | None = None
    delay: float = 0.0
    fault: str = ""
    seconds: float = 0.0
    decides: bool = True
    used: bool = False

    @property
    def is_due(self) -> bool:
        """Whether some of it is still to happen; what is for ever has to happen once."""
        return not self.used or not math.isinf(self.left)

    def __str__(self) -> str:
        return f"{self.name}{'' if math.isinf(self.left) else f' x{self.left:g}'}"


@dataclass(slots=True)
class Script:
    """The steps that are still to come, by endpoint."""

    _steps: defaultdict[Endpoint, deque[Step]] = field(default_factory=lambda: defaultdict(deque))

    def add(self, endpoint: Endpoint, step: Step) -> None:
        self._steps[endpoint].append(step)

    def take(self, endpoint: Endpoint) -> list[Step]:
        """What the next request meets; none for the fake's own answer."""
        taken: list[Step] = []
        for step in self._steps[endpoint]:
            step.left -= 1
            step.used = True
            taken.append(step)
            if step.decides:
                break
        self._steps[endpoint] = deque(step for step in self._steps[endpoint] if step.left)
        return taken

    def clear(self) -> None:
        self._steps.clear()

    def unused(self) -> list[tuple[Endpoint, Step]]:
        return [(endpoint, step) for endpoint, steps in self._steps.items() for step in steps if step.is_due]

    def tell_unused(self) -> None:
        for endpoint, step in self.unused():
            was = "left over" if step.used else "never used"
            cause = f"{'fewer requests' if step.used else 'no request'} to {endpoint} met it"
            fix = "make the request that meets it, or remove it; times=None is for every request from now on"
            symptom = f"script {endpoint.name}: {step} was {was}"
            stubs.tell(stubs.Mismatch(symptom, step.site, cause, fix, unused=True))


@dataclass(frozen=True, slots=True)
class ScriptedEndpoint:
    """``users.on(GET_USER)``: says what the next requests to that endpoint meet. Calls can be chained.

    `times`: how many requests; None is every one from now on. What no request has met when the test ends is
    reported (AT602).
    """

    endpoint: Endpoint
    script: Script

    def reply(
        self, status: int, body: Any = None, *, times: int | None = 1, content_type: str = "", **headers: object
    ) -> ScriptedEndpoint:
        """Answer the next requests with `status`, without doing what they ask.

        `body` is sent as it is when it is bytes, as text when it is a str, as JSON otherwise (for an error without
        one: a Problem). Keywords are headers: ``retry_after=7`` sends ``Retry-After: 7``. Raises
        :class:`ContractViolation` (AT601) for a reply that the endpoint never gives.
        """
        __tracebackhide__ = True
        reply = _reply(status, body, content_type, headers)
        try:
            check_reply(self.endpoint, reply)
        except ContractViolation as error:
            reason = str(error).partition(": ")[2]
            forbid(f"{self.endpoint.name} is scripted with a {status} that the contract forbids", reason)
        return self._add(str(status), times, reply=reply)

    def break_contract(
        self, status: int, body: Any = None, *, times: int | None = 1, content_type: str = "", **headers: object
    ) -> ScriptedEndpoint:
        """Answer what the contract forbids, to see how the client takes a server that misbehaves."""
        return self._add(f"{status}", times, reply=_reply(status, body, content_type, headers))

    def delay(self, seconds: float, *, times: int | None = 1) -> ScriptedEndpoint:
        """Let the next requests wait before whatever comes next."""
        return self._add(f"delay of {seconds:g} s", times, delay=seconds, decides=False)

    def answer(self, *, times: int | None = 1) -> ScriptedEndpoint:
        """Let the fake answer the next requests by itself, before the steps that follow."""
        return self._add("its own answer", times)

    def fault(self, name: RequestFault, *, times: int | None = 1, seconds: float = 1.0) -> ScriptedEndpoint:
        """Break the next requests: ``reset_mid_body``, ``stall``, and the other request faults of ``network``.

        `seconds` is how long a slow one takes. Note that aiohttp's client by itself sends an idempotent request once
        more when its connection dies before the headers: such a call uses up two of those faults.
        """
        check_fault(name, REQUEST_FAULTS)
        return self._add(name, None if name in LASTING else times, fault=name, seconds=seconds)

    def _add(self, name: str, times: int | None, **what: Any) -> ScriptedEndpoint:
        if times is not None and times < 1:
            raise ValueError(f"times={times}: a step happens at least once; None is for ever")
        self.script.add(self.endpoint, Step(name, math.inf if times is None else times, written_at(), **what))
        return self


def _reply(status: int, body: Any, content_type: str, headers: dict[str, object]) -> Reply:
    if body is None and status >= 400:
        body = {"error": f"scripted {status}"}
    kind, raw = _encode(body)
    sent = {name.replace("_", "-").title(): str(value) for name, value in headers.items()}
    return Reply(status, {"Content-Type": content_type or kind, **sent}, raw)


def _encode(body: Any) -> tuple[str, bytes]:
    """The content type and the bytes of a scripted body."""
    if isinstance(body, bytes):
        return "application/octet-stream", body
    if isinstance(body, str):
        return "text/html; charset=utf-8", body.encode()
    return "application/json", json.dumps(body).encode()
