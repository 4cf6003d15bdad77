"""Find objects again from the user's modules: what a global, a class or a default argument keeps alive."""

from __future__ import annotations

import ast
import sys
from collections import deque
from types import FunctionType
from typing import TYPE_CHECKING, Any

from shared_testing.findings.site import Site, is_users
from shared_testing.findings.syntax import tree_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

# A global may hold half the program; what matters lies near.
_DEEPEST = 3
_MOST = 20_000


def users_modules() -> Iterator[ModuleType]:
    """The imported modules that are neither Python's, a library's nor this toolkit's."""
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and is_users(path):
            yield module


def find(wanted: set[int]) -> dict[int, tuple[str, Site]]:
    """For the ids of objects: under which name one of the user's modules keeps each, and where that is defined."""
    found: dict[int, tuple[str, Site]] = {}
    todo: deque[tuple[int, str, Any, tuple[ModuleType, str]]] = deque()
    for module in users_modules():
        for name, value in list(vars(module).items()):
            if not name.startswith("__") and not isinstance(value, type(sys)):
                todo.append((0, name, value, (module, name)))
    seen: set[int] = set()
    while todo and len(found) < len(wanted) and len(seen) < _MOST:
        depth, name, value, root = todo.popleft()
        if id(value) in seen:
            continue
        if id(value) in wanted:
            # Another module may have imported it: then its definition is still to come.
            if (site := definition(*root, attribute=name.partition(".")[2])) is not None:
                found[id(value)] = (name, site)
                seen.add(id(value))
            continue
        seen.add(id(value))
        if depth < _DEEPEST:
            todo += [(depth + 1, part, each, root) for part, each in _parts(name, value)]
    return found


def definition(module: ModuleType, name: str, attribute: str = "") -> Site | None:
    """Where the module's own text gives the name its value; None for a name that it imports.

    For an `attribute` of a class it is the line in the class.
    """
    path = module.__file__ or ""
    tree = tree_of(path)
    if tree is None:
        return None
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            if node.name == name:
                line = next((each.lineno for each in node.body if attribute in _assigned(each)), node.lineno)
                return Site(path, line, node.name)
        elif name in _assigned(node):
            return Site(path, node.lineno, "<module>")
    return None


def _assigned(node: ast.AST) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    if not isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        return set()
    return {each.id for target in targets if target for each in ast.walk(target) if isinstance(each, ast.Name)}


def _parts(name: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, (str, bytes, int, float, type(None))):
        return []
    if isinstance(value, dict):
        return [(f"{name}[{key!r}]", each) for key, each in list(value.items())]
    if isinstance(value, (list, tuple, set, frozenset, deque)):
        return [(f"{name}[{number}]", each) for number, each in enumerate(list(value))]
    if isinstance(value, FunctionType) and (value.__defaults__ or value.__kwdefaults__):
        defaults = [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
        return [(f"the default argument of {name}()", each) for each in defaults]
    if isinstance(value, type):
        return [(f"{name}.{key}", each) for key, each in list(vars(value).items())] if _is_users_class(value) else []
    attributes = getattr(value, "__dict__", None)
    return [(f"{name}.{key}", each) for key, each in list(attributes.items())] if isinstance(attributes, dict) else []


def _is_users_class(value: type) -> bool:
    module = sys.modules.get(value.__module__)
    return is_users(getattr(module, "__file__", None) or "<none>")
