"""aioresponses, working on today's aiohttp, and strict.

aioresponses 0.7.9 builds ``aiohttp.ClientResponse`` itself and breaks on aiohttp 3.14, which wants a
``stream_writer`` and a parser that can be paused (aioresponses issues 289 and 292). Both are mended
through its public ``response_class=`` parameter, so that nobody has to pin aiohttp below a security release.
"""

from __future__ import annotations

import inspect
import json
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import aiohttp
from aioresponses import aioresponses as _aioresponses
from yarl import URL

from shared_testing.contracts.contract import ContractViolation, Reply, check_reply
from shared_testing.evidence.stub_book import Stub, StubBook
from shared_testing.evidence.stub_sites import forbid, written_at
from shared_testing.findings.site import user_site

if TYPE_CHECKING:
    import re

    from shared_testing.contracts.contract import Contract, Endpoint
    from shared_testing.findings.site import Site

_WANTS_WRITER = "stream_writer" in inspect.signature(aiohttp.ClientResponse).parameters


class UnmatchedRequest(AssertionError):
    """A request that no stub answers.

    Not a ClientError, as aioresponses raises: code that takes those for an outage must not hide a typing error.
    """


class _StubbedResponse(aiohttp.ClientResponse):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if _WANTS_WRITER:
            kwargs.setdefault("stream_writer", SimpleNamespace(output_size=0))
        super().__init__(*args, **kwargs)

    # aioresponses assigns the body's stream after construction; there is no parser behind it to pause or resume.
    @property
    def content(self) -> aiohttp.StreamReader:
        stream: aiohttp.StreamReader = self.__dict__["content"]
        return stream

    @content.setter
    def content(self, stream: aiohttp.StreamReader | None) -> None:
        if stream is not None:
            protocol: Any = stream._protocol
            protocol.pause_reading = _ignore
            protocol.resume_reading = _ignore
        self.__dict__["content"] = stream


def _ignore(*_: object, **__: object) -> None:
    """Stands in for the flow control that a stubbed body does not have."""


class aioresponses(_aioresponses):  # noqa: N801 - the name that its users import
    """A drop-in for ``aioresponses.aioresponses``.

    A stub that no request used is reported (AT602); a request that no stub answers raises :class:`UnmatchedRequest`
    and is reported, too. ``check_against(USER_API, "https://api.example.com")`` holds the stubs of that service against
    its contract, on the line that writes them (AT601).
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._book = StubBook()
        self._contracts: dict[URL, Contract] = {}

    def check_against(self, contract: Contract, base_url: str) -> Self:
        """Hold the stubs that follow, for URLs below `base_url`, against that contract, and requests that they grant.

        What a pattern or a callback answers is known when it is asked, and checked then. Exceptions are not checked.
        """
        self._contracts[URL(base_url.rstrip("/"))] = contract
        return self

    def add(  # type: ignore[override] # its payload parameter is typed as a dict, but takes any JSON
        self, url: str | URL | re.Pattern[str], method: str = "GET", **kwargs: Any
    ) -> None:
        __tracebackhide__ = True
        stub = Stub(f"{method} {getattr(url, 'pattern', url)}", written_at())
        callback = kwargs.get("callback")
        if isinstance(url, str | URL) and callback is None:
            self._check(method, URL(url), kwargs)

        async def answer(url: URL, **request: Any) -> Any:
            __tracebackhide__ = True
            stub.used = True
            result = callback(url, **request) if callback is not None else None
            if inspect.isawaitable(result):
                result = await result
            if result is not None:
                result.response_class = result.response_class or _StubbedResponse
            reply = kwargs if result is None else vars(result)
            self._check(method, url, reply, stub.site)
            if reply.get("status", 200) < 400 and reply.get("exception") is None:
                self._check_request(method, url, request)
            return result

        super().add(url, method, **{"response_class": _StubbedResponse, **kwargs, "callback": answer})
        self._book.write(next(reversed(self._matches)), stub)

    async def match(self, method: str, url: URL, allow_redirects: bool = True, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        response = await super().match(method, url, allow_redirects=allow_redirects, **kwargs)
        if response is None and not self.passthrough_unmatched:
            raise self._unmatched(method, url)
        return response

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: object) -> None:
        if kind is None:
            self.tell_unused()
        super().__exit__(kind, error, traceback)

    def clear(self) -> None:
        super().clear()
        self._book.clear()

    def tell_unused(self) -> None:
        """Report the stubs that no request has used (AT602)."""
        self._book.tell_unused(self._matches)

    def _unmatched(self, method: str, url: URL) -> UnmatchedRequest:
        what = f"{method.upper()} {url}"
        fix = f"responses.{method.lower()}({str(url)!r}, ...)"
        cause = self._book.tell_unmatched(what, fix, self._matches, user_site(sys._getframe(1)))
        return UnmatchedRequest(f"no stub answers {what}\n{cause}\nwrite {fix}")

    def _promised(self, method: str, url: URL) -> tuple[Contract, Endpoint | None] | None:
        for base, contract in self._contracts.items():
            prefix = base.path.rstrip("/")
            if url.host is not None and url.origin() == base.origin() and url.path.startswith(f"{prefix}/"):
                return contract, contract.find(method, url.path.removeprefix(prefix))
        return None

    def _check(self, method: str, url: URL, stub: dict[str, Any], site: Site | None = None) -> None:
        __tracebackhide__ = True
        promised = self._promised(method, url)
        if promised is None:
            return
        contract, endpoint = promised
        if endpoint is None:
            reason = f"the {contract.title} has no such operation; {contract.nearest(method, url.path)}"
            forbid(f"stub {method} {url}, which the contract forbids", reason, "stub what the service has", site=site)
        if stub.get("exception") or stub.get("timeout"):
            return
        try:
            check_reply(endpoint, _reply(stub))
        except ContractViolation as error:
            what = f"stub {method} {url} -> {stub.get('status', 200)}, which the contract forbids"
            forbid(what, str(error).partition(": ")[2], "write what the service does answer", site=site)

    def _check_request(self, method: str, url: URL, request: dict[str, Any]) -> None:
        """A stub answers whatever it is asked; the service would not."""
        __tracebackhide__ = True
        promised = self._promised(method, url)
        if promised is None or promised[1] is None:
            return
        if refusal := promised[1].refusal(url.query, *_sent(request)):
            what = f"request {method} {url} that the contract forbids is answered by a stub"
            forbid(what, refusal, "send what the service takes, or let the stub answer with 422")


def _reply(stub: dict[str, Any]) -> Reply:
    """What aioresponses would make of it."""
    body = json.dumps(stub["payload"]) if stub.get("payload") is not None else stub.get("body", "")
    headers = {"Content-Type": stub.get("content_type", "application/json"), **(stub.get("headers") or {})}
    return Reply(stub.get("status", 200), headers, body.encode() if isinstance(body, str) else body)


def _sent(request: dict[str, Any]) -> tuple[str, bytes]:
    """The content type and the body that aiohttp would send."""
    headers = {str(name).lower(): value for name, value in (request.get("headers") or {}).items()}
    data = request.get("data")
    if request.get("json") is not None:
        return headers.get("content-type", "application/json"), json.dumps(request["json"]).encode()
    body = data.encode() if isinstance(data, str) else data if isinstance(data, bytes) else b""
    return headers.get("content-type", "" if data is None else f"a {type(data).__name__}"), body
