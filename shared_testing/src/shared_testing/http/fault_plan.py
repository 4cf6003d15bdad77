"""Which request, or which attempt to connect, meets which fault."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from shared_testing.http.faults import REQUEST_FAULTS, ConnectionFault, Exchange

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web
    from aiohttp.typedefs import Handler

    from shared_testing.findings.site import Site
    from shared_testing.http.faults import RequestFault

CONNECTION_FAULTS: tuple[str, ...] = get_args(ConnectionFault)

# A loop is followed until the client gives up: one redirect of it would be none.
LASTING = {"redirect_loop"}


def check_fault(name: str, known: Iterable[str]) -> None:
    """Raise ValueError for a fault that is none of those."""
    if name not in (known := list(known)):
        close = difflib.get_close_matches(str(name), known, n=1)
        meant = f"; did you mean {close[0]!r}?" if close else "."
        raise ValueError(f"fault({name!r}): there is no such fault{meant} There are: {', '.join(known)}")


@dataclass(eq=False, slots=True)
class PlannedFault:
    """One fault, for a number of requests."""

    name: str
    left: float
    path: str | None
    seconds: float
    site: Site | None
    used: bool = False

    def __str__(self) -> str:
        where = f" at {self.path}" if self.path is not None else ""
        times = "" if self.left in (1, float("inf")) else f" x{self.left:g}"
        return f"{self.name}{where}{times}"


class FaultPlan:
    """The faults of one host that are still to come, the first planned first."""

    def __init__(self) -> None:
        self._planned: list[PlannedFault] = []

    def add(
        self,
        name: ConnectionFault | RequestFault,
        times: int | None,
        path: str | None,
        seconds: float,
        site: Site | None = None,
    ) -> None:
        check_fault(name, [*REQUEST_FAULTS, *CONNECTION_FAULTS])
        if times is not None and times < 1:
            raise ValueError(f"fault({name!r}, times={times}): a fault happens at least once; None is for ever")
        if path is not None and name in CONNECTION_FAULTS:
            raise ValueError(f"fault({name!r}, path={path!r}): a connection is not for one path")
        left = float("inf") if times is None or name in LASTING else times
        self._planned.append(PlannedFault(name, left, path, seconds, site))

    def unused(self) -> list[PlannedFault]:
        """Those that were to happen, or to happen once more, and did not."""
        return [fault for fault in self._planned if not fault.used or fault.left != float("inf")]

    def take_connection_fault(self, *names: ConnectionFault) -> str | None:
        """What the next attempt to connect meets, of these."""
        return self._take([fault for fault in self._planned if fault.name in names])

    def take_request_fault(self, path: str) -> PlannedFault | None:
        for fault in self._planned:
            if fault.name in REQUEST_FAULTS and fault.path in (None, path):
                self._take([fault])
                return fault
        return None

    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer by the next fault, or without one as the application does."""
        fault = self.take_request_fault(request.path)
        if fault is None:
            return await handler(request)
        return await REQUEST_FAULTS[fault.name](Exchange(request, handler, fault.seconds))

    def clear(self) -> None:
        self._planned.clear()

    def _take(self, candidates: list[PlannedFault]) -> str | None:
        if not candidates:
            return None
        fault = candidates[0]
        fault.used = True
        fault.left -= 1
        if not fault.left:
            self._planned.remove(fault)
        return fault.name
