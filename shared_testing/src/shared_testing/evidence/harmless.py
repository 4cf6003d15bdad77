"""What we do inside the user's own calls must not fail them: it says later that it went wrong.

The observer and the watcher guard whatever they call; this is for functions that stand in a patched one.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

crashes: list[str] = []


def crashed(function: Callable[..., object], error: Exception) -> None:
    name = getattr(function, "__qualname__", repr(function))
    crashes.append(f"{name}() crashed: {type(error).__name__}: {error}")


def harmless(otherwise: Any) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Make a function return `otherwise` where it would raise. It must not count frames."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            __tracebackhide__ = True
            try:
                return function(*args, **kwargs)
            except RecursionError:
                # The user's: our call was just the last that had no room on the stack.
                return cast("T", otherwise)
            except Exception as error:  # noqa: BLE001 - that is what it is for
                crashed(function, error)
                return cast("T", otherwise)

        return guarded

    return decorate
