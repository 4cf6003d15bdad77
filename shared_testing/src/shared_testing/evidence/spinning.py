"""A ``while`` that looks again and again without giving way, and what it looks at.

Only a loop that does nothing else is judged: what it asks is written in plain names, attributes and the questions of
asyncio's own objects, so that it depends on the state of the program alone. Nothing of the user's is run to read it.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import types
from typing import TYPE_CHECKING, Any, NamedTuple

from shared_testing.evidence.looking import PURE, QUESTIONS, looking_function
from shared_testing.evidence.polling import chains, inside, is_sleep, leaves, picture
from shared_testing.findings.site import Site
from shared_testing.findings.syntax import function_at, own_nodes

if TYPE_CHECKING:
    from types import CodeType, FrameType

# Whose objects are asked.
_MODULES = {"asyncio", "_asyncio", "threading", "concurrent", "queue", "_queue"}

# Whatever runs other code, or ends by itself.
_DOES_MORE = (
    ast.Await,
    ast.Yield,
    ast.YieldFrom,
    ast.For,
    ast.AsyncFor,
    ast.With,
    ast.AsyncWith,
    ast.Try,
    ast.TryStar,
    ast.NamedExpr,
    ast.Delete,
    ast.Import,
    ast.ImportFrom,
    ast.Match,
    ast.Lambda,
    ast.BinOp,
    ast.FormattedValue,
)
# By which a truth is told, or a comparison: a class of the user's may have its own.
_TRUTHS = (
    "__bool__",
    "__len__",
    "__eq__",
    "__ne__",
    "__lt__",
    "__le__",
    "__gt__",
    "__ge__",
    "__contains__",
    "__iter__",
)
_FIELDS = (types.MemberDescriptorType, types.GetSetDescriptorType)


class Spin(NamedTuple):
    """A function goes round in a loop."""

    site: Site
    frame: int
    """Which run of the function it is."""
    state: tuple[Any, ...]
    """All that decides whether the loop goes on."""


def spin_at(frame: FrameType | None) -> Spin | None:
    """How the user's innermost function stands, if it is in a loop that only looks. On the frame's own thread."""
    found = looking_function(frame)
    loop = _loop_at(found.f_code, found.f_lineno) if found is not None else None
    if found is None or loop is None:
        return None
    state: list[Any] = []
    for chain, is_asked in _looked_at(loop):
        value = _value(chain, found, is_asked=is_asked)
        if value is _UNKNOWN or not _is_plain(value):
            return None
        state.append(picture(value, 0, set()))
    code = found.f_code
    return Spin(Site(code.co_filename, loop.lineno, code.co_qualname), id(found), tuple(state))


def _loop_at(code: CodeType, line: int | None) -> ast.While | None:
    """The innermost ``while`` of this function around the line, if it does nothing but look."""
    function = function_at(code)
    if function is None or line is None:
        return None
    around = [
        node
        for node in own_nodes(function)
        if isinstance(node, (ast.While, ast.For, ast.AsyncFor)) and node.lineno <= line <= (node.end_lineno or 0)
    ]
    innermost = max(around, key=lambda node: node.lineno, default=None)
    return innermost if isinstance(innermost, ast.While) and _only_looks(innermost) else None


def _only_looks(loop: ast.While) -> bool:
    parts = list(inside(loop))
    calls = [each for each in parts if isinstance(each, ast.Call)]
    if any(isinstance(each, _DOES_MORE) for each in parts) or not all(map(_is_harmless, calls)):
        return False
    written = {node.id for node in parts if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    changed = [each for each in parts if isinstance(each, (ast.Attribute, ast.Subscript)) and not _is_read(each)]
    looked_at = {ast.unparse(chain).partition(".")[0] for chain, _ in _looked_at(loop)}
    return not changed and not (written & looked_at)


def _is_read(node: ast.Attribute | ast.Subscript) -> bool:
    return isinstance(node.ctx, ast.Load)


def _is_harmless(call: ast.Call) -> bool:
    if is_sleep(call) or (isinstance(call.func, ast.Name) and call.func.id in PURE and not call.keywords):
        return True
    return isinstance(call.func, ast.Attribute) and call.func.attr in QUESTIONS and not (call.args or call.keywords)


def _looked_at(loop: ast.While) -> list[tuple[ast.expr, bool]]:
    """The names and attributes that decide when the loop ends; and whether each is called."""
    tests = [loop.test, *(node.test for node in inside(loop) if isinstance(node, ast.If) and leaves(node))]
    own = {
        name.id
        for test in tests
        for each in ast.walk(test)
        if isinstance(each, ast.comprehension)
        for name in ast.walk(each.target)
        if isinstance(name, ast.Name)
    }
    asked = {id(each.func) for test in tests for each in ast.walk(test) if isinstance(each, ast.Call)}
    found = [(chain, id(chain) in asked) for test in tests for chain in chains(test)]
    return [
        (chain, is_asked)
        for chain, is_asked in found
        if ast.unparse(chain).partition(".")[0] not in own
        and not (is_asked and isinstance(chain, ast.Name) and chain.id in PURE)
    ]


_UNKNOWN = object()


def _value(chain: ast.expr, frame: FrameType, *, is_asked: bool) -> Any:
    """What is looked at; of a question, whom it is asked of."""
    first, *rest = ast.unparse(chain).split(".")
    if is_asked:
        rest = rest[:-1]
    value = frame.f_locals.get(first, frame.f_globals.get(first, vars(builtins).get(first, _UNKNOWN)))
    for name in rest:
        found = inspect.getattr_static(value, name, _UNKNOWN)
        if isinstance(found, _FIELDS):
            # A slot: to read it runs nobody's code.
            found = getattr(value, name, _UNKNOWN)
        elif hasattr(type(found), "__get__") and not isinstance(found, type):
            return _UNKNOWN
        value = found
    if is_asked and type(value).__module__.partition(".")[0] not in _MODULES:
        return _UNKNOWN
    return value


def _is_plain(value: Any) -> bool:
    """Whether it tells its truth, and that of its items, by no code of the user's."""
    if isinstance(value, (list, tuple, set, frozenset)) and type(value).__module__ == "builtins":
        return all(_is_plain(each) for each in list(value))
    kind = type(value)
    return not any(isinstance(getattr(kind, name, None), types.FunctionType) for name in _TRUTHS) or (
        kind.__module__.partition(".")[0] in _MODULES
    )
