"""Read a response's body without letting its sender decide how much memory that takes.

408 kB of gzip can stand for 400 MB. aiohttp before 3.14 decompresses a whole network read at once, before
a reader may object, so the session is told not to decompress, and it is done here, up to a limit.
"""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

from user_client.errors import ResponseInvalid, ResponseTooLarge

if TYPE_CHECKING:
    from collections.abc import Coroutine

    import aiohttp

    from user_client.request import Request

# What error pages are read up to, for the server's message in them.
_PROBLEM_BYTES = 16 * 1024
_MESSAGE_CHARACTERS = 300

# 32 + 15: zlib tells gzip from deflate by the header.
_GZIP_OR_DEFLATE = 47


async def read_json(response: aiohttp.ClientResponse, limit: int, request: Request) -> Any:
    """The JSON value in the body, of at most `limit` bytes as sent and as decompressed."""
    body = _decoded(await _read(response, limit, request), response, limit, request)
    try:
        return json.loads(body.decode())
    # A ValueError shows the text that it failed at; deep nesting ends in a RecursionError.
    except (ValueError, RecursionError):
        pass
    raise _invalid(
        request, f"with {len(body)} bytes of {response.content_type} that are not JSON; does base_url lead to the API?"
    )


async def read_problem(response: aiohttp.ClientResponse, request: Request) -> str:
    """The server's own words in an error answer, as they are; empty if there are none to be had."""
    try:
        raw = await _read(response, _PROBLEM_BYTES, request)
        body = _decoded(raw, response, _PROBLEM_BYTES, request)
    except ResponseInvalid:
        return ""
    try:
        problem = json.loads(body)
    except (ValueError, RecursionError):
        problem = body.decode("utf-8", "replace")
    if isinstance(problem, dict):
        problem = next((problem[key] for key in ("error", "message", "detail", "title") if key in problem), "")
    return problem if isinstance(problem, str) else json.dumps(problem)


def one_line(text: str) -> str:
    """Short, and without characters that could forge a line of a log."""
    short = text[: 2 * _MESSAGE_CHARACTERS]
    words = " ".join("".join(each if each.isprintable() else " " for each in short).split())
    return words if len(words) <= _MESSAGE_CHARACTERS else words[: _MESSAGE_CHARACTERS - 3] + "..."


def _read(response: aiohttp.ClientResponse, limit: int, request: Request) -> Coroutine[Any, Any, bytes]:
    length = response.content_length
    if length is None:
        return _read_chunks(response, limit, request)
    if length > limit:
        raise _too_large(request, limit)
    # HTTP's framing holds the body to its Content-Length. read() also tells the caller's tracing of it.
    return response.read()


async def _read_chunks(response: aiohttp.ClientResponse, limit: int, request: Request) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := await response.content.readany():
        size += len(chunk)
        if size > limit:
            raise _too_large(request, limit)
        chunks.append(chunk)
    return b"".join(chunks)


def _decoded(body: bytes, response: aiohttp.ClientResponse, limit: int, request: Request) -> bytes:
    encoding = response.headers.get("Content-Encoding")
    return _decompress(body, encoding.lower(), limit, request) if encoding else body


def _decompress(body: bytes, encoding: str, limit: int, request: Request) -> bytes:
    if encoding == "identity":
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise _invalid(request, f"in Content-Encoding {one_line(encoding)}, but only gzip was asked for")
    inflate = zlib.decompressobj(_GZIP_OR_DEFLATE)
    try:
        plain = inflate.decompress(body, limit + 1)
    except zlib.error:
        plain = b""
    if len(plain) > limit:
        raise _too_large(request, limit)
    if not inflate.eof:
        raise _invalid(request, f"with {len(body)} bytes that are not a whole {encoding} stream")
    return plain


def _invalid(request: Request, reason: str) -> ResponseInvalid:
    return ResponseInvalid(f"{request} was answered {reason}", path=request.path)


def _too_large(request: Request, limit: int) -> ResponseTooLarge:
    return ResponseTooLarge(
        f"{request} was answered with more than max_body={limit} bytes; raise max_body if that is right",
        path=request.path,
    )
