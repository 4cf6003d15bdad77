"""aioresponses, working on today's aiohttp.

aioresponses 0.7.9 builds ``aiohttp.ClientResponse`` itself and breaks on aiohttp 3.14, which wants a
``stream_writer`` and a parser that can be paused (aioresponses issues 289 and 292). Both are mended
through its public ``response_class=`` parameter, so that nobody has to pin aiohttp below a security release.
"""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import aiohttp
from aioresponses import aioresponses as _aioresponses

if TYPE_CHECKING:
    import re

    from yarl import URL

_WANTS_WRITER = "stream_writer" in inspect.signature(aiohttp.ClientResponse).parameters


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
    """A drop-in for ``aioresponses.aioresponses``."""

    def add(  # type: ignore[override] # its payload parameter is typed as a dict, but takes any JSON
        self, url: str | URL | re.Pattern[str], method: str = "GET", **kwargs: Any
    ) -> None:
        kwargs.setdefault("response_class", _StubbedResponse)
        super().add(url, method, **kwargs)

    def __enter__(self) -> Self:
        super().__enter__()
        return self
