"""Coroutine functions with a scripted behaviour.

They count calls, peak concurrency and cancellations themselves, so no test needs a global counter.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from shared_testing.loop.suspension import outside

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


class ScriptedTask(Generic[T]):
    """A coroutine function that does what its builder said, whatever it is called with."""

    def __init__(self, description: str, behave: Callable[..., Awaitable[T]]) -> None:
        """`behave` is given the number of the call, from 1, and what it is called with."""
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
            result = await self._behave(attempt, *args, **kwargs)
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
    """The fixture ``tasks``: ``slow``, ``failing``, ``flaky``, ``never``, ``does``."""

    def slow(self, seconds: float, result: T | None = None) -> ScriptedTask[T | None]:
        """Takes `seconds` (0 yields to the loop once), then returns `result`."""

        async def behave(*_: object, **__: object) -> T | None:
            await _taking(seconds)
            return result

        return ScriptedTask(f"slow({seconds:g}{_then(result)})", behave)

    def failing(self, error: BaseException | type[BaseException], after: float = 0) -> ScriptedTask[Any]:
        """Raises `error` after `after` seconds, each time."""

        async def behave(*_: object, **__: object) -> Any:
            await _taking(after)
            raise error

        return ScriptedTask(f"failing({_shown(error)}{f', after={after:g}' if after else ''})", behave)

    def flaky(
        self, failures: int, error: BaseException | type[BaseException], result: T | None = None
    ) -> ScriptedTask[T | None]:
        """Raises `error` in the first `failures` calls, and returns `result` in all later ones."""

        async def behave(attempt: int, *_: object, **__: object) -> T | None:
            await outside()
            if attempt <= failures:
                raise error
            return result

        return ScriptedTask(f"flaky({failures}, {_shown(error)}{_then(result)})", behave)

    @overload
    def does(self, function: Callable[..., Awaitable[T]], turns: int = 1) -> ScriptedTask[T]: ...
    @overload
    def does(self, function: Callable[..., T], turns: int = 1) -> ScriptedTask[T]: ...
    def does(self, function: Callable[..., Any], turns: int = 1) -> ScriptedTask[Any]:
        """Gives the loop so many turns, then what `function` gives or raises for its arguments; it may be async."""

        async def behave(_attempt: int, *args: Any, **kwargs: Any) -> Any:
            for _ in range(turns):
                await outside()
            result = function(*args, **kwargs)
            return await result if inspect.isawaitable(result) else result

        name = getattr(function, "__name__", repr(function))
        return ScriptedTask(f"does({name}{f', turns={turns}' if turns != 1 else ''})", behave)

    def never(self) -> ScriptedTask[Any]:
        """Waits until it is cancelled."""

        async def behave(*_: object, **__: object) -> Any:
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
