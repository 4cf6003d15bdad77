"""Tasks that look again and again, and whether anything could ever change what they look at.

A poller is a task in a ``while`` loop that sleeps or merely yields between two looks. When all that it looks at lies
inside the program, is compared with what it was, and nobody else runs, then the same state twice means for ever.
"""

from __future__ import annotations

import ast
import asyncio
import builtins
import inspect
import types
from typing import TYPE_CHECKING, Any

from shared_testing.findings.site import Site, is_users
from shared_testing.findings.syntax import covers, function_at
from shared_testing.loop.waits import frames_of, future_of, wait_of

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterator, Mapping
    from types import CodeType, FrameType

# What these do depends on their arguments alone.
_CLOSED_MODULES = {"asyncio", "_asyncio", "builtins", "collections", "contextlib", "functools", "itertools", "logging"}
_CLOSED_MODULES |= {"dataclasses", "enum", "math", "operator", "typing"}
# What a rewritten assert asks.
_CLOSED_MODULES |= {"_pytest", "pytest"}

# Methods that look at a clock, a file or the network, whoever has them.
_LOOKS_OUTSIDE = {"time", "monotonic", "perf_counter", "process_time", "now", "utcnow", "today", "random", "choice"}
_LOOKS_OUTSIDE |= {"exists", "is_file", "is_dir", "stat", "iterdir", "glob", "read_text", "read_bytes", "listdir"}
_LOOKS_OUTSIDE |= {"poll", "recv", "read", "readline", "accept", "fetch", "request", "is_alive", "communicate"}

_PLAIN = (int, float, str, bytes, bool, type(None))
_DEEPEST = 3
_WIDEST = 50


def polls(task: asyncio.Task[Any], sleeps: Container[int]) -> bool:
    """It is about to run, or sleeps, in a loop without an end of its own."""
    waited = future_of(task)
    if waited is not None and id(waited) not in sleeps:
        return False
    return loop_of(task) is not None


def loop_of(task: asyncio.Task[Any]) -> Site | None:
    """The ``while`` that the task goes round in."""
    for frame in reversed(_users_frames(task)):
        if (loop := _loop_around(frame.f_code, frame.f_lineno)) is not None:
            return Site(frame.f_code.co_filename, loop.lineno, frame.f_code.co_qualname)
    return None


def may_end(task: asyncio.Task[Any]) -> bool:
    """Whether one of the loops that the task goes round in has an end."""
    loops = [_loop_around(frame.f_code, frame.f_lineno) for frame in _users_frames(task)]
    return any(
        not isinstance(loop.test, ast.Constant)
        or any(isinstance(each, (ast.Break, ast.Return, ast.Raise)) for each in inside(loop))
        for loop in loops
        if loop is not None
    )


def _state_of(task: asyncio.Task[Any]) -> tuple[Any, ...] | None:
    """What decides how the task goes on; None if that cannot be told from the inside of the program."""
    found: list[Any] = []
    for frame in _users_frames(task):
        if not _is_closed(frame.f_code, frame.f_globals, 2):
            return None
        found += [frame.f_code.co_qualname, frame.f_lineno, _locals(frame)]
    return tuple(found)


def pollers_and_state(
    tasks: Collection[asyncio.Task[Any]], sleeps: Container[int]
) -> tuple[list[asyncio.Task[Any]], frozenset[Any]] | None:
    """Those who poll, if all others wait for one of them, and what decides how they go on; else None."""
    pollers = [task for task in tasks if polls(task, sleeps)]
    # Whoever neither polls nor sleeps waits for one of these; who sleeps without a loop around will do something.
    others = [wait for wait in map(wait_of, set(tasks) - set(pollers)) if wait.on is None or id(wait.on) in sleeps]
    if not pollers or others or None in (states := [_state_of(task) for task in pollers]):
        return None
    return pollers, frozenset(states)


def _users_frames(task: asyncio.Task[Any]) -> list[FrameType]:
    return [frame for frame in frames_of(task) if is_users(frame.f_code.co_filename)]


def _loop_around(code: CodeType, line: int) -> ast.While | None:
    function = function_at(code)
    found = [node for node in ast.walk(function) if isinstance(node, ast.While)] if function is not None else []
    return next((node for node in reversed(found) if covers(node.body, line)), None)


def _is_closed(code: CodeType, namespace: Mapping[str, Any], depth: int) -> bool:
    """Whether the function can look at nothing outside the program: no clock, no file, no chance."""
    for name in code.co_names:
        if name in _LOOKS_OUTSIDE or name in ("open", "input"):
            return False
        value = namespace.get(name, getattr(builtins, name, None))
        if isinstance(value, types.ModuleType):
            if value.__name__.partition(".")[0] not in _CLOSED_MODULES:
                return False
        elif isinstance(value, types.FunctionType) and is_users(value.__code__.co_filename):
            if depth and not _is_closed(value.__code__, value.__globals__, depth - 1):
                return False
        elif callable(value) and not _is_known(value):
            return False
    return True


def _is_known(value: Any) -> bool:
    module = (getattr(value, "__module__", None) or "builtins").partition(".")[0]
    return module in _CLOSED_MODULES or isinstance(value, type)


def _locals(frame: FrameType) -> Any:
    """All that the function holds; or only what its loop's end depends on, when it does nothing but look."""
    loop = _loop_around(frame.f_code, frame.f_lineno)
    names = _looked_at(loop) if loop is not None else None
    if names is None:
        return tuple((name, picture(value, 0, set())) for name, value in sorted(frame.f_locals.items()))
    return tuple((name, picture(_value(name, frame), 0, set())) for name in sorted(names))


def _looked_at(loop: ast.While) -> set[str] | None:
    """The names and attributes that decide when the loop ends; None if it calls something, which may do anything."""
    for node in inside(loop):
        if isinstance(node, ast.Call) and not is_sleep(node):
            return None
        if isinstance(node, (ast.Try, ast.With, ast.AsyncWith, ast.For, ast.AsyncFor, ast.Yield)):
            return None
    tests = [loop.test, *(node.test for node in inside(loop) if isinstance(node, ast.If) and leaves(node))]
    return {ast.unparse(each) for test in tests for each in chains(test)}


def inside(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        yield child
        yield from inside(child)


def is_sleep(call: ast.Call) -> bool:
    function = call.func
    return (function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")) == "sleep"


def leaves(node: ast.If) -> bool:
    return any(isinstance(each, (ast.Break, ast.Return, ast.Raise)) for each in inside(node))


def chains(node: ast.AST) -> Iterator[ast.expr]:
    """``self.gate.ready`` and ``count``, each as long as it is written."""
    if isinstance(node, ast.Name):
        yield node
    elif isinstance(node, ast.Attribute):
        root: ast.expr = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(root, ast.Name):
            yield node
        else:
            yield from chains(root)
    else:
        for child in ast.iter_child_nodes(node):
            yield from chains(child)


def _value(written: str, frame: FrameType) -> Any:
    """What the name stands for, found without running any of the user's code; the owner, where that would be needed."""
    first, *rest = written.split(".")
    value = frame.f_locals.get(first, frame.f_globals.get(first))
    for name in rest:
        found = inspect.getattr_static(value, name, value)
        if found is value or hasattr(found, "__get__"):
            return value
        value = found
    return value


def picture(value: Any, depth: int, above: set[int]) -> Any:
    """A comparable picture of a value, some levels deep."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, (asyncio.Future, types.FunctionType, types.ModuleType, type)) or depth > _DEEPEST:
        done = value.done() if isinstance(value, asyncio.Future) else None
        return id(value), done
    if id(value) in above:
        return id(value)
    above = above | {id(value)}
    if isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, (list, tuple, set, frozenset)) or type(value).__name__ == "deque":
        parts = list(enumerate(value))
    else:
        parts = list(getattr(value, "__dict__", {}).items())
    shown = tuple((str(key), picture(each, depth + 1, above)) for key, each in parts[:_WIDEST])
    return type(value).__name__, id(value), len(parts), shown
