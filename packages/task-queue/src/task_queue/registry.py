"""The functions that a worker may run: those that say so, and no others.

A message names a task, never a function to import: whoever can write to the queue can run what is on the list.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, TypeVar, overload

from task_queue.callables import Kind, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

F = TypeVar("F", bound="Callable[..., Any]")

_NAME = "__task_name__"


@overload
def task(func: F, /) -> F: ...
@overload
def task(*, name: str) -> Callable[[F], F]: ...


def task(func: Callable[..., Any] | None = None, /, *, name: str | None = None) -> Any:
    """``@task`` or ``@task(name="resize")``: workers may run this async function. It can still be called as before.

    `name`: what messages call it; by default its module and its qualified name. Give one to be free to move it.

    Raises TypeError for what is no async function, as a worker would block on it.
    """
    if func is None:
        return lambda func: _register(func, name)
    return _register(func, name)


def _register(func: Any, name: str | None) -> Any:
    if kind_of(func) is not Kind.ASYNC:
        raise TypeError(f"@task is for async functions; {func!r} is none")
    setattr(func, _NAME, name or f"{func.__module__}:{func.__qualname__}")
    return func


def name_of(func: Any) -> str | None:
    """What messages call it; None if it is not registered."""
    name = getattr(func, _NAME, None)
    return name if isinstance(name, str) else None


def named(functions: Iterable[Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """The functions by their names. Raises ValueError for one that is not registered, and for a name given twice."""
    found: dict[str, Callable[..., Any]] = {}
    for func in functions:
        name = name_of(func)
        if name is None:
            raise ValueError(f"{func!r} is no task; write @task above it")
        if found.setdefault(name, func) is not func:
            raise ValueError(f"two tasks are called {name!r}: {found[name]!r} and {func!r}; give one a name=")
    return found


def tasks_of(*modules: str) -> list[Callable[..., Any]]:
    """All that is registered in these modules. Raises ImportError, and ValueError for a module without tasks."""
    found: list[Callable[..., Any]] = []
    for module in modules:
        # Also what the module has imported: a file that only gathers tasks is as good as their own.
        own = [each for each in vars(importlib.import_module(module)).values() if name_of(each) is not None]
        if not own:
            raise ValueError(f"{module} has no tasks; write @task above the functions that workers may run")
        found += own
    return list(dict.fromkeys(found))
