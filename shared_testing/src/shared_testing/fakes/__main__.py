"""``python -m shared_testing.fakes``: serve the fake user API on loopback, to play with or to test against."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys

from shared_testing.contracts.openapi import openapi
from shared_testing.contracts.user_api import USER_API
from shared_testing.fakes.users import FakeUsers
from shared_testing.fakes.weather import Weather


def main() -> int:
    options = _parser().parse_args()
    if options.openapi:
        print(json.dumps(openapi(USER_API), indent=2))
        return 0
    try:
        weather = Weather(options.latency, options.throttled, options.broken, options.reset, options.seed)
    except ValueError as error:
        _parser().error(str(error))
    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(_serve(options.port, options.users, weather, require_login=options.require_login))
    return 0


async def _serve(port: int, count: int, weather: Weather, *, require_login: bool) -> int:
    api = FakeUsers(port=port, weather=weather, require_login=require_login)
    api.populate(count)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    try:
        await api.__aenter__()
    except OSError as error:
        print(f"cannot serve on port {port}: {error.strerror}; choose another with --port", file=sys.stderr)
        return 1
    try:
        # The first line is for programs: whoever starts us reads the URL from it.
        print(api.url, flush=True)
        print(f"{count} users; try  curl '{api.url}/users?limit=2'  (Ctrl-C stops)", file=sys.stderr, flush=True)
        await stopped.wait()
    finally:
        await api.__aexit__()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hatch run api",
        description="Serve the fake user API on 127.0.0.1. Log in as testuser / testpass.",
    )
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--users", type=int, default=1000, help="how many users exist (default: %(default)s)")
    parser.add_argument("--latency", type=float, default=0.0, metavar="S", help="mean seconds per request")
    parser.add_argument("--throttled", type=float, default=0.0, metavar="SHARE", help="answered by 429")
    parser.add_argument("--broken", type=float, default=0.0, metavar="SHARE", help="answered by 500")
    parser.add_argument("--reset", type=float, default=0.0, metavar="SHARE", help="connection reset")
    parser.add_argument("--seed", type=int, default=0, help="draws the mishaps (default: %(default)s)")
    parser.add_argument("--require-login", action="store_true", help="answer 401 without a token")
    parser.add_argument("--openapi", action="store_true", help="print the API's OpenAPI document, and exit")
    return parser


if __name__ == "__main__":
    sys.exit(main())
