"""Where a function catches a cancellation, read from its source.

A frame tells where it waits, not who will catch what is thrown there: that is in the text.
"""

from __future__ import annotations

import ast
import opcode
from typing import TYPE_CHECKING

from shared_testing.findings.by_code import by_code
from shared_testing.findings.site import Site, is_users
from shared_testing.findings.syntax import covers, function_at, own_nodes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

_CATCHES = {"CancelledError", "BaseException"}
_PUSH_EXC_INFO = opcode.opmap["PUSH_EXC_INFO"]


@by_code
def catching_site(code: CodeType, line: int) -> Site | None:
    """The line of the ``except``, ``finally`` or ``suppress()`` that keeps a cancellation at `line` from the caller."""
    for node in _around(code, line):
        caught = _caught_by(node)
        if caught is not None:
            return Site(code.co_filename, caught, code.co_qualname)
    return None


@by_code
def in_one_body(code: CodeType, line: int, other: int) -> bool:
    """Whether both lines lie under the same catching statement: after the catch the code came back there."""
    return any(_caught_by(node) is not None and covers(node.body, other) for node in _around(code, line))


@by_code
def is_last_step(code: CodeType, line: int) -> bool:
    """Whether nothing follows the statement at `line`: it returns what it awaits, or ends the function."""
    function = function_at(code)
    if function is None:
        return True
    if any(isinstance(node, ast.Return) and covers([node], line) for node in ast.walk(function)):
        return True
    last: list[ast.stmt] = function.body
    while last and isinstance(last[-1], (ast.If, ast.With, ast.AsyncWith, ast.Try)) and covers(last[-1].body, line):
        last = last[-1].body
    return bool(last) and covers(last[-1:], line) and isinstance(last[-1], ast.Expr)


def _around(code: CodeType, line: int) -> Iterator[ast.Try | ast.TryStar | ast.With | ast.AsyncWith]:
    """The statements whose body holds the line, the innermost first."""
    if not is_users(code.co_filename) or not _handles_exceptions(code) or (function := function_at(code)) is None:
        return
    found = [
        node
        for node in own_nodes(function)
        if isinstance(node, (ast.Try, ast.TryStar, ast.With, ast.AsyncWith)) and covers(node.body, line)
    ]
    yield from sorted(found, key=lambda node: node.lineno, reverse=True)


def _handles_exceptions(code: CodeType) -> bool:
    """Whether it has a ``try`` or a ``with`` at all: else its file, which may be long, need not be read."""
    return _PUSH_EXC_INFO in code.co_code[::2]


def _caught_by(node: ast.Try | ast.TryStar | ast.With | ast.AsyncWith) -> int | None:
    if isinstance(node, (ast.With, ast.AsyncWith)):
        return node.lineno if any(_suppresses(item.context_expr) for item in node.items) else None
    for handler in node.handlers:
        if handler.type is None or _names(handler.type) & _CATCHES:
            if not _raises(handler.body):
                return handler.lineno
            break
    return next((each.lineno for each in _leaves(node.finalbody)), None)


def _suppresses(expression: ast.expr) -> bool:
    return (
        isinstance(expression, ast.Call)
        and bool(_names(expression.func) & {"suppress"})
        and any(_names(argument) & _CATCHES for argument in expression.args)
    )


def _names(expression: ast.expr) -> set[str]:
    """The last part of each name in an expression such as ``(OSError, asyncio.CancelledError)``."""
    return {
        node.id if isinstance(node, ast.Name) else node.attr
        for node in ast.walk(expression)
        if isinstance(node, (ast.Name, ast.Attribute))
    }


def _raises(body: list[ast.stmt]) -> bool:
    """Whether the handler lets the cancellation, or another error, go on at its end."""
    last = body[-1]
    if isinstance(last, ast.If):
        return _raises(last.body) and bool(last.orelse) and _raises(last.orelse)
    if isinstance(last, (ast.With, ast.AsyncWith)):
        return _raises(last.body)
    if isinstance(last, (ast.Try, ast.TryStar)):
        return _raises(last.finalbody or last.body)
    return isinstance(last, ast.Raise)


def _leaves(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """A ``return``, ``break`` or ``continue`` in a finally block drops the exception on its way."""
    for node in body:
        if isinstance(node, (ast.Return, ast.Break, ast.Continue)):
            yield node
        elif isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
            yield from (each for each in _leaves(node.body) if isinstance(each, ast.Return))
        elif isinstance(node, (ast.If, ast.With, ast.AsyncWith)):
            yield from _leaves([*node.body, *getattr(node, "orelse", [])])
