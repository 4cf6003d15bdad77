"""Functions that read, wait, and write back what they had read: whoever wrote in between has written in vain."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from shared_testing.findings.site import Site
from shared_testing.findings.syntax import DEFINITIONS, own_nodes, tree_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class LostUpdate(NamedTuple):
    """One such place."""

    what: str
    """As it is written: ``self.count``."""
    read: Site
    write: Site


def lost_updates(path: str, function: ast.AsyncFunctionDef, qualname: str) -> Iterator[LostUpdate]:
    """Those in one function, outside of any ``async with``."""
    nodes = list(own_nodes(function))
    shared = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    awaits = [node.lineno for node in nodes if isinstance(node, ast.Await)]
    if not awaits or any(isinstance(node, ast.AsyncWith) or _acquires(node) for node in nodes):
        return
    statements = sorted((node for node in nodes if isinstance(node, ast.stmt)), key=lambda node: node.lineno)
    read: dict[str, dict[str, int]] = {}
    for node in statements:
        if isinstance(node, ast.AugAssign):
            what = ast.unparse(node.target)
            if _is_shared(node.target, shared) and _waits(node.value):
                yield _found(path, qualname, what, node.lineno, node.lineno)
        elif isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, what = node.targets[0], ast.unparse(node.targets[0])
            if isinstance(target, ast.Name) and target.id not in shared:
                # It may be given another value before it is used.
                for each in read.values():
                    each.pop(target.id, None)
                for part in () if _waits(node.value) else _chains(node.value, shared):
                    read.setdefault(part, {})[target.id] = node.lineno
                continue
            if not _is_shared(target, shared):
                continue
            held = read.get(what, {})
            used = [held[name] for name in _names(node.value) if name in held]
            if _waits(node.value) and what in _chains(node.value, shared):
                used.append(node.lineno)
            if any(first <= wait <= node.lineno for first in used for wait in awaits):
                yield _found(path, qualname, what, min(used), node.lineno)


def reachable(path: str, line: int) -> list[tuple[ast.AsyncFunctionDef, str]]:
    """The async function that is defined at `line`, and those of the same file that it awaits, by their names."""
    tree = tree_of(path)
    known = list(_functions(tree, "")) if tree is not None else []
    todo = [each for each in known if min([each[0].lineno, *(d.lineno for d in each[0].decorator_list)]) == line]
    found: list[tuple[ast.AsyncFunctionDef, str]] = []
    while todo:
        each = todo.pop()
        if each not in found:
            found.append(each)
            # What is not awaited there and then runs as a task of its own, which is seen by itself.
            awaited = [node.value for node in own_nodes(each[0]) if isinstance(node, ast.Await)]
            called = {_called(node) for node in awaited if isinstance(node, ast.Call)}
            todo += [other for other in known if other[0].name in called]
    return found


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[ast.AsyncFunctionDef, str]]:
    for child in ast.iter_child_nodes(node):
        name = f"{prefix}{child.name}" if isinstance(child, DEFINITIONS) else ""
        if isinstance(child, ast.AsyncFunctionDef):
            yield child, name
        inner = f"{name}." if isinstance(child, ast.ClassDef) else f"{name}.<locals>." if name else prefix
        yield from _functions(child, inner)


def _found(path: str, qualname: str, what: str, read: int, write: int) -> LostUpdate:
    return LostUpdate(what, Site(path, read, qualname), Site(path, write, qualname))


def _acquires(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _called(node) == "acquire"


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _is_shared(node: ast.expr, shared: Iterable[str]) -> bool:
    """An attribute, an item, or a global: what other tasks see too."""
    return isinstance(node, (ast.Attribute, ast.Subscript)) or (isinstance(node, ast.Name) and node.id in shared)


def _chains(node: ast.AST, shared: Iterable[str]) -> set[str]:
    return {ast.unparse(each) for each in ast.walk(node) if isinstance(each, ast.expr) and _is_shared(each, shared)}


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _waits(node: ast.AST) -> bool:
    return any(isinstance(each, ast.Await) for each in ast.walk(node))
