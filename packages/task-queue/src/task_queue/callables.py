"""What kind of function a task was given: one to await, one to run in a thread, or none at all.

Whether a plain ``def`` returns something awaitable is only known for certain after it was called, and then
a synchronous function's work is done, on the event loop. So a plain function is called only when something
speaks for it; the others are refused beforehand, or go to a thread.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import typing
from collections.abc import Awaitable
from enum import Enum
from types import FunctionType, MethodType, SimpleNamespace

_CO_COROUTINE = inspect.CO_COROUTINE
_ASYNCIO_MARK = getattr(asyncio.coroutines, "_is_coroutine", None)


class Kind(Enum):
    ASYNC = "async def: a call returns a coroutine, always"
    PERHAPS = "a call probably returns something awaitable"
    PLAIN = "nothing says that a call returns something awaitable"
    GENERATOR = "an async generator function: a call returns something to iterate over"
    NOT_CALLABLE = "not to be called"


def is_async_def(func: object) -> bool:
    """Whether `func` is an ``async def`` itself. Quick; it stands in the hot loop."""
    return type(func) is FunctionType and bool(func.__code__.co_flags & _CO_COROUTINE)


def kind_of(func: object) -> Kind:
    """Find out without calling it."""
    if is_async_def(func):
        return Kind.ASYNC
    if not callable(func):
        return Kind.NOT_CALLABLE
    inner = _innermost(func)
    if inspect.iscoroutinefunction(inner):
        return Kind.ASYNC
    if inspect.isasyncgenfunction(inner):
        return Kind.GENERATOR
    # asyncio's own mark (AsyncMock carries it on Python 3.11, where inspect does not see it). Asked of the
    # function, too, because a mock has every attribute that it is asked for.
    if getattr(inner, "_is_coroutine", None) is not None:
        return Kind.PERHAPS
    return Kind.PERHAPS if isinstance(inner, FunctionType) and _speaks_for_itself(inner) else Kind.PLAIN


def _innermost(func: object) -> object:
    """Look through functools.partial, bound methods and ``__call__`` at what will run."""
    for _ in range(100):
        if isinstance(func, functools.partial):
            func = func.func
        elif isinstance(func, MethodType):
            func = func.__func__
        elif isinstance(func, (FunctionType, type)) or inspect.iscoroutinefunction(func) or _is_marked(func):
            break
        else:
            call = vars(type(func)).get("__call__") or type(func).__call__
            if not isinstance(call, FunctionType):
                break
            func = call
    return func


def _is_marked(func: object) -> bool:
    return getattr(func, "_is_coroutine", None) is not None


def _speaks_for_itself(func: FunctionType) -> bool:
    """Whether a plain function is a lambda, says that it returns an awaitable, or refers to an async function."""
    if func.__name__ == "<lambda>" or func.__code__.co_flags & inspect.CO_ITERABLE_COROUTINE:
        return True
    if _says_awaitable(func):
        return True
    if inspect.iscoroutinefunction(inspect.unwrap(func)):
        return True
    return any(map(_is_async, _mentioned(func)))


def _is_async(value: object) -> bool:
    try:
        mark = getattr(value, "_is_coroutine", None)
        return inspect.iscoroutinefunction(value) or (mark is not None and mark is _ASYNCIO_MARK)
    except Exception:  # noqa: BLE001 - A proxy may refuse to be looked at outside of its context.
        return False


def _mentioned(func: FunctionType) -> typing.Iterator[object]:
    """What the function's names stand for, as far as that is known: its closure and its module's globals."""
    for cell in func.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # A name that is not bound yet.
            continue
    for name in func.__code__.co_names:
        yield func.__globals__.get(name)


def _says_awaitable(func: FunctionType) -> bool:
    said = func.__annotations__.get("return")
    if isinstance(said, str):
        try:
            said = typing.get_type_hints(SimpleNamespace(__annotations__={"r": said}), func.__globals__)["r"]
        except Exception:  # noqa: BLE001 - An annotation that only a type checker can read says nothing here.
            return False
    said = typing.get_origin(said) or said
    return isinstance(said, type) and issubclass(said, Awaitable)
