"""Which lines of the user's modules write to a global, and which functions read it: from their text and code."""

from __future__ import annotations

import ast
import sys
import types
from typing import TYPE_CHECKING, Any

from shared_testing.evidence.global_objects import definition, users_modules
from shared_testing.findings.site import Site, is_users
from shared_testing.findings.syntax import function_at, tree_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import CodeType

_MUTATING = {"append", "extend", "insert", "remove", "pop", "sort", "reverse", "add", "discard", "update"}
# Without clear(), which is how state is put back.
_MUTATING |= {"setdefault", "popitem", "appendleft", "extendleft", "popleft", "rotate", "subtract"}

_FARTHEST = 3
_MOST = 300


def writing_sites(module: str, name: str) -> list[Site]:
    """The lines inside functions that write to ``module.name``, in the modules that know it by that name."""
    own = sys.modules.get(module)
    root = name.partition(".")[0]
    held = getattr(own, root, None)
    found = []
    for each in users_modules():
        if each is own or (held is not None and vars(each).get(root) is held):
            found += list(_writes(each.__file__ or "", name))
    # A test's own line is the least likely to be the one that nobody thought of.
    return sorted(found, key=lambda site: site.function.startswith("test"))


def definition_site(module: str, name: str) -> Site | None:
    own = sys.modules.get(module)
    return definition(own, name.partition(".")[0], name.partition(".")[2]) if own is not None else None


def _writes(path: str, name: str) -> Iterator[Site]:
    tree = tree_of(path)
    for function, in_class in _functions(tree) if tree is not None else ():
        for node in ast.walk(function):
            if any(_is(target, name, in_class) for target in _written(node)):
                yield Site(path, getattr(node, "lineno", 0), function.name)


def _functions(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, str]]:
    """Each function, with the name of the class that it is a method of."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef)):
            for child in node.body:
                if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    yield child, node.name if isinstance(node, ast.ClassDef) else ""


def _written(node: ast.AST) -> list[ast.expr]:
    """What a statement assigns to, deletes from or calls a changing method of."""
    if isinstance(node, (ast.Assign, ast.Delete)):
        targets = node.targets
    elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
        targets = [node.target]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _MUTATING:
        targets = [node.func.value]
    else:
        return []
    # `_cache[key] = value` and `_client.token = token` write to what stands before the bracket or the last dot.
    inner = [each.value for each in targets if isinstance(each, (ast.Subscript, ast.Attribute))]
    return [*targets, *inner]


def _is(target: ast.expr, name: str, in_class: str) -> bool:
    owner, _, attribute = name.rpartition(".")
    if not owner:
        return isinstance(target, ast.Name) and target.id == name
    return (
        isinstance(target, ast.Attribute)
        and target.attr == attribute
        and isinstance(target.value, ast.Name)
        and (target.value.id == owner or (in_class == owner and target.value.id in ("self", "cls")))
    )


def distance(start: list[tuple[CodeType, Mapping[str, Any]]], module: str, name: str) -> int | None:
    """How many calls away from these functions ``module.name`` is read, at most three; None if it is not."""
    own = sys.modules.get(module)
    root, _, attribute = name.partition(".")
    held = getattr(own, root, None)
    todo = [(0, *each) for each in start]
    seen: set[CodeType] = set()
    while todo and len(seen) < _MOST:
        far, code, namespace = todo.pop(0)
        if code in seen:
            continue
        seen.add(code)
        if own is not None and _reads(code, namespace, vars(own), root, attribute, held):
            return far
        if far < _FARTHEST:
            todo += [(far + 1, *each) for each in _called(code, namespace)]
    return None


def _reads(
    code: CodeType, namespace: Mapping[str, Any], own: Mapping[str, Any], root: str, attribute: str, held: Any
) -> bool:
    names = set(code.co_names)
    for const in code.co_consts:
        # What stands in a comprehension or an inner function.
        if isinstance(const, types.CodeType):
            names |= set(const.co_names)
    if not _is_read(code, attribute or root):
        return False
    if attribute:
        return attribute in names and (root in names or "self" in code.co_varnames or "cls" in code.co_varnames)
    if root not in names:
        return False
    return namespace is own or (held is not None and namespace.get(root) is held) or vars_hold(namespace, own)


def _is_read(code: CodeType, name: str) -> bool:
    """Whether the function asks for the value, and does not merely write to it."""
    function = function_at(code)
    if function is None:
        return True
    written = {
        id(part)
        for node in ast.walk(function)
        # `seen.append(1)` for its own sake; `value = seen.pop()` reads.
        for part in (_written(node.value) if isinstance(node, ast.Expr) else _written(node) if _stores(node) else ())
    }
    found = [node for node in ast.walk(function) if _named(node) == name and id(node) not in written]
    return bool(found)


def _stores(node: ast.AST) -> bool:
    return isinstance(node, (ast.Assign, ast.AnnAssign, ast.Delete))


def _named(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def vars_hold(namespace: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    """Whether the function knows the module itself, and may write ``module.name``."""
    return any(isinstance(each, types.ModuleType) and vars(each) is own for each in list(namespace.values()))


def _called(code: CodeType, namespace: Mapping[str, Any]) -> Iterator[tuple[CodeType, Mapping[str, Any]]]:
    """The user's functions that the names in a function stand for; of a class all methods."""
    for name in code.co_names:
        value = namespace.get(name)
        functions = vars(value).values() if isinstance(value, type) else [value]
        for each in functions:
            function = getattr(each, "__func__", None) or getattr(each, "__wrapped__", None) or each
            if isinstance(function, types.FunctionType) and is_users(function.__code__.co_filename):
                yield function.__code__, function.__globals__
