"""What an annotation means, also where it cannot be evaluated in full.

A class says what its methods take and give in annotations, and modern modules import those names under
``if TYPE_CHECKING:`` only. So names are looked for there too, among the modules that are loaded; what stays unknown
is :class:`Unknown`, of which anything is an instance.
"""

from __future__ import annotations

import ast
import builtins
import collections.abc
import contextlib
import inspect
import sys
import types
import typing
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from shared_testing.findings.syntax import tree_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Typing names that are written without an import that runs.
_USUAL = (typing, collections.abc, contextlib)


class _Anything(type):
    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Unknown

    def __getitem__(cls, _: object) -> Any:
        return Unknown


class Unknown(metaclass=_Anything):
    """A type of which nothing is known."""


class _Names(dict[str, Any]):
    """The names that an annotation sees; for `eval`, which asks its locals first."""

    def __init__(self, module: types.ModuleType | None, local: Mapping[str, Any]) -> None:
        super().__init__(local)
        self._module = module

    def __missing__(self, name: str) -> Any:
        module = self._module
        if module is not None and hasattr(module, name):
            return getattr(module, name)
        if hasattr(builtins, name):
            return getattr(builtins, name)
        found = _typing_imports(module.__name__).get(name) if module is not None else None
        if found is not None:
            source = sys.modules.get(found[0])
            return source if found[1] is None and source is not None else getattr(source, found[1] or "", Unknown)
        return next((getattr(each, name) for each in _USUAL if hasattr(each, name)), Unknown)


@lru_cache(maxsize=256)
def _typing_imports(module: str) -> dict[str, tuple[str, str | None]]:
    """What the module imports under ``if TYPE_CHECKING:``, as name -> (module, name in it)."""
    tree = tree_of(getattr(sys.modules.get(module), "__file__", None) or "")
    found: dict[str, tuple[str, str | None]] = {}
    for node in tree.body if tree is not None else ():
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for statement in node.body:
                if isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
                    found |= {each.asname or each.name: (statement.module, each.name) for each in statement.names}
                elif isinstance(statement, ast.Import):
                    found |= {each.asname: (each.name, None) for each in statement.names if each.asname}
                    found |= {each.name: (each.name, None) for each in statement.names if "." not in each.name}
    return found


def resolved(annotation: Any, module: str, local: Mapping[str, Any] = types.MappingProxyType({})) -> Any:
    """The annotation as a type; :class:`Unknown` if there is none, or it cannot be evaluated."""
    if annotation is inspect.Parameter.empty:
        return Unknown
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if not isinstance(annotation, str):
        return annotation
    try:
        # The class's own text, which Python evaluates in the same way where it is not deferred.
        return resolved(eval(annotation, {}, _Names(sys.modules.get(module), local)), module, local)  # noqa: S307
    except Exception:  # noqa: BLE001 - an annotation may say anything; then nothing is known
        return Unknown


def type_arguments(origin: type, given: tuple[Any, ...] = ()) -> dict[Any, Any]:
    """What the type variables of a class and its bases stand for, in ``Repository[User]`` or a subclass of it."""
    found: dict[Any, Any] = dict(zip(getattr(origin, "__parameters__", ()), given, strict=False))
    for base in _written_bases(origin):
        above = typing.get_origin(base)
        if isinstance(above, type):
            arguments = tuple(found.get(each, each) if _is_variable(each) else each for each in typing.get_args(base))
            found = type_arguments(above, arguments) | found
        elif isinstance(base, type) and base is not object:
            found = type_arguments(base) | found
    return found


def _written_bases(origin: type) -> Iterator[Any]:
    yield from origin.__dict__.get("__orig_bases__", origin.__bases__)


def _is_variable(what: Any) -> bool:
    return isinstance(what, typing.TypeVar)
