"""Coroutine functions with a scripted behaviour.

They count calls, peak concurrency and cancellations themselves, so no test needs a global counter.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from shared_testing.loop.suspension import outside

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


class ScriptedTask(Generic[T]):
    """A coroutine function that does what its builder said, whatever it is called with."""

    def __init__(self, description: str, behave: Callable[[int], Awaitable[T]]) -> None:
        self._description = description
        self._behave = behave
        self.arguments: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        """The arguments of each call, in order: ``(args, kwargs)``."""
        self.running = 0
        """How many calls are inside right now."""
        self.peak = 0
        """The most that were ever inside at once."""
        self.succeeded = 0
        self.failed = 0
        self.cancelled = 0

    @property
    def calls(self) -> int:
        """How often it was called."""
        return len(self.arguments)

    def __repr__(self) -> str:
        counts = {
            "running": self.running,
            "at once at most": self.peak,
            "succeeded": self.succeeded,
            "failed": self.failed,
            "cancelled": self.cancelled,
        }
        told = "".join(f", {count} {what}" for what, count in counts.items() if count)
        return f"<tasks.{self._description}: {self.calls} called{told}>"

    async def __call__(self, *args: Any, **kwargs: Any) -> T:
        self.arguments.append((args, kwargs))
        attempt = self.calls
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            result = await self._behave(attempt)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        except BaseException:
            self.failed += 1
            raise
        else:
            self.succeeded += 1
            return result
        finally:
            self.running -= 1


class TaskBuilders:
    """The fixture ``tasks``: ``slow``, ``failing``, ``flaky``, ``never``."""

    def slow(self, seconds: float, result: T | None = None) -> ScriptedTask[T | None]:
        """Takes `seconds` (0 yields to the loop once), then returns `result`."""

        async def behave(_: int) -> T | None:
            await _taking(seconds)
            return result

        return ScriptedTask(f"slow({seconds:g}{_then(result)})", behave)

    def failing(self, error: BaseException | type[BaseException], after: float = 0) -> ScriptedTask[Any]:
        """Raises `error` after `after` seconds, each time."""

        async def behave(_: int) -> Any:
            await _taking(after)
            raise error

        return ScriptedTask(f"failing({_shown(error)}{f', after={after:g}' if after else ''})", behave)

    def flaky(
        self, failures: int, error: BaseException | type[BaseException], result: T | None = None
    ) -> ScriptedTask[T | None]:
        """Raises `error` in the first `failures` calls, and returns `result` in all later ones."""

        async def behave(attempt: int) -> T | None:
            await outside()
            if attempt <= failures:
                raise error
            return result

        return ScriptedTask(f"flaky({failures}, {_shown(error)}{_then(result)})", behave)

    def never(self) -> ScriptedTask[Any]:
        """Waits until it is cancelled."""

        async def behave(_: int) -> Any:
            await asyncio.get_running_loop().create_future()

        return ScriptedTask("never()", behave)


async def _taking(seconds: float) -> None:
    if seconds:
        await asyncio.sleep(seconds)
    else:
        await outside()


def _shown(error: BaseException | type[BaseException]) -> str:
    return error.__name__ if isinstance(error, type) else repr(error)


def _then(result: object) -> str:
    return f", {result!r:.40}" if result is not None else ""
