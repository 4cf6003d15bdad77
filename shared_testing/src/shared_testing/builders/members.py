"""What a class has: its methods, properties and attributes, and what each of them gives.

Read off the class, and never by calling it: nothing of the user's runs.
"""

from __future__ import annotations

import ast
import collections.abc
import contextlib
import functools
import inspect
import types
import typing
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from shared_testing.builders.annotations import Unknown, resolved, type_arguments
from shared_testing.builders.conformity import conforms
from shared_testing.builders.keywords import with_known_keywords
from shared_testing.findings.syntax import function_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# Of the names with two underscores, those that a stand-in answers; the others make, compare and print it.
_SPECIAL = frozenset(
    f"__{name}__"
    for name in (
        "aenter", "aexit", "aiter", "anext", "await", "call", "contains", "delitem", "enter", "exit", "getitem",
        "iter", "len", "next", "setitem", "bool", "fspath",
    )
)  # fmt: skip


class Gives(Enum):
    """What a call gives its caller."""

    VALUE = auto()
    COROUTINE = auto()
    ASYNC_GENERATOR = auto()
    GENERATOR = auto()
    OBJECT = auto()
    """Something that is awaited, entered or iterated over: which of them, its type tells."""


@dataclass(frozen=True, slots=True)
class Method:
    name: str
    signature: inspect.Signature
    """As the caller sees it, without ``self``; the annotations are types."""
    gives: Gives
    result: Any
    """The type of what the caller has in the end: awaited, entered, or each item."""
    whole: Any
    """The type of what the call itself gives."""


@dataclass(frozen=True, slots=True)
class Value:
    """A property, or an attribute."""

    name: str
    type: Any
    awaited: bool
    default: Any


class Missing(Enum):
    VALUE = auto()


Member = Method | Value


def members_of(cls: type, arguments: tuple[Any, ...] = ()) -> tuple[dict[str, Member], dict[Any, Any]]:
    """All that instances of the class have, by name; and what its type variables stand for."""
    variables = {**type_arguments(cls, arguments), typing.Self: cls}
    found: dict[str, Member] = {}
    for name, owner, attribute in _class_attributes(cls):
        found[name] = _member(name, owner, attribute)
    for name, annotation in _annotated(cls):
        default = getattr(found.get(name), "default", Missing.VALUE)
        if not isinstance(found.get(name), Method):
            # ``status: int = None`` means that it is set later: an instance never holds that.
            fitting = default if conforms(default, annotation, variables) else Missing.VALUE
            found[name] = Value(name, annotation, awaited=False, default=fitting)
    for name, annotation in _set_in_init(cls):
        found.setdefault(name, Value(name, annotation, awaited=False, default=Missing.VALUE))
    return found, variables


def _class_attributes(cls: type) -> Iterator[tuple[str, type, Any]]:
    for owner in reversed(cls.__mro__):
        if owner in (object, typing.Generic, typing.Protocol):
            continue
        for name, attribute in vars(owner).items():
            if not name.startswith("__") or not name.endswith("__") or name in _SPECIAL:
                yield name, owner, attribute


def _member(name: str, owner: type, attribute: Any) -> Member:
    if isinstance(attribute, property):
        return _value(name, owner, attribute.fget)
    if isinstance(attribute, functools.cached_property):
        return _value(name, owner, attribute.func)
    if isinstance(attribute, (staticmethod, classmethod)):
        return _method(name, owner, attribute.__func__, binds=isinstance(attribute, classmethod))
    if isinstance(attribute, functools.partialmethod):
        return _method(name, owner, attribute.__get__(None, owner), binds=True, inner=attribute.func)
    if isinstance(attribute, types.MemberDescriptorType):  # A slot.
        return Value(name, Unknown, awaited=False, default=Missing.VALUE)
    if inspect.isroutine(attribute) or (callable(attribute) and hasattr(attribute, "__wrapped__")):
        return _method(name, owner, attribute, binds=True)
    if hasattr(type(attribute), "__get__"):
        # A descriptor of a library: what it gives, only an instance would tell.
        return Value(name, Unknown, awaited=False, default=Missing.VALUE)
    return Value(name, Unknown, awaited=False, default=attribute)


def _value(name: str, owner: type, getter: Callable[..., Any] | None) -> Value:
    function = inspect.unwrap(getter) if getter is not None else None
    annotation = _resolved_in(owner, function, getattr(function, "__annotations__", {}).get("return", Unknown))
    if inspect.iscoroutinefunction(function):
        return Value(name, annotation, awaited=True, default=Missing.VALUE)
    origin = typing.get_origin(annotation) or annotation
    if origin in (collections.abc.Awaitable, collections.abc.Coroutine):
        return Value(name, _last(annotation), awaited=True, default=Missing.VALUE)
    return Value(name, annotation, awaited=False, default=Missing.VALUE)


def _method(name: str, owner: type, function: Any, *, binds: bool, inner: Any = None) -> Method:
    inner = inspect.unwrap(inner or function)
    signature = _signature(owner, function, inner, binds=binds)
    annotation = signature.return_annotation
    code = getattr(function, "__code__", None)
    if inner is not function and getattr(code, "co_filename", "") == contextlib.__file__:
        return Method(name, signature, Gives.OBJECT, _last(annotation, 0), _context_type(inner)[_last(annotation, 0)])
    gives, result = _given(annotation)
    if inspect.iscoroutinefunction(inner):
        gives, result = Gives.COROUTINE, annotation
    elif inspect.isasyncgenfunction(inner):
        gives, result = Gives.ASYNC_GENERATOR, _last(annotation, 0)
    elif inspect.isgeneratorfunction(inner):
        gives, result = Gives.GENERATOR, _last(annotation, 0)
    says_nothing = "return" not in getattr(inner, "__annotations__", ())
    if says_nothing and gives in (Gives.VALUE, Gives.COROUTINE) and not _returns_something(inner):
        result = None
    return Method(name, signature, gives, result, annotation)


def _given(annotation: Any) -> tuple[Gives, Any]:
    """What a plain function gives whose annotation is this."""
    origin = typing.get_origin(annotation) or annotation
    if origin in (collections.abc.Awaitable, collections.abc.Coroutine):
        return Gives.COROUTINE, _last(annotation)
    if origin in (collections.abc.AsyncIterator, collections.abc.AsyncGenerator, collections.abc.AsyncIterable):
        return Gives.ASYNC_GENERATOR, _last(annotation, 0)
    if origin in (collections.abc.Iterator, collections.abc.Generator):
        return Gives.GENERATOR, _last(annotation, 0)
    if origin in (contextlib.AbstractAsyncContextManager, contextlib.AbstractContextManager):
        return Gives.OBJECT, _last(annotation, 0)
    if isinstance(origin, type) and origin is not Unknown:
        for name in ("__aenter__", "__await__", "__enter__", "__aiter__"):
            if (function := getattr(origin, name, None)) is not None:
                result = _result_of(origin, typing.get_args(annotation), function)
                # asyncio.Future says no types, and is Future[int] all the same.
                return Gives.OBJECT, result if result is not Unknown else _last(annotation, 0)
    return Gives.VALUE, annotation


def _result_of(origin: type, arguments: tuple[Any, ...], function: Any) -> Any:
    """What entering, awaiting or iterating over an object of this class gives."""
    written = getattr(function, "__annotations__", {}).get("return", Unknown)
    result = _resolved_in(origin, function, written)
    if function.__name__ in ("__await__", "__aiter__"):
        result = _last(result, -1 if function.__name__ == "__await__" else 0)
    variables = {**type_arguments(origin, arguments), typing.Self: origin}
    return variables.get(result, result) if isinstance(result, typing.Hashable) else result


def _signature(owner: type, function: Any, inner: Any, *, binds: bool) -> inspect.Signature:
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):  # Written in C, without a text signature.
        return inspect.signature(_whatever).replace(return_annotation=Unknown)
    parameters = [
        each.replace(annotation=_resolved_in(owner, inner, each.annotation)) for each in signature.parameters.values()
    ]
    if binds and parameters and parameters[0].kind is not inspect.Parameter.VAR_POSITIONAL:
        del parameters[0]
    returned = _resolved_in(owner, inner, signature.return_annotation)
    return with_known_keywords(owner, inner, inspect.Signature(parameters, return_annotation=returned))


def _whatever(*args: Any, **kwargs: Any) -> Any: ...


def _resolved_in(owner: type, function: Any, annotation: Any) -> Any:
    module = getattr(function, "__module__", None) or owner.__module__
    return resolved(annotation, module, {owner.__name__: owner, **_parameters_of(function)})


def _parameters_of(function: Any) -> Mapping[str, Any]:
    return {each.__name__: each for each in getattr(function, "__type_params__", ())}


def _last(annotation: Any, position: int = -1) -> Any:
    arguments = typing.get_args(annotation)
    return arguments[position] if arguments else Unknown


def _context_type(inner: Any) -> Any:
    is_async = inspect.isasyncgenfunction(inner)
    return contextlib.AbstractAsyncContextManager if is_async else contextlib.AbstractContextManager


def _returns_something(function: Any) -> bool:
    """Whether there is a ``return value`` in it, as far as its source tells."""
    code = getattr(function, "__code__", None)
    definition = function_at(code) if code is not None else None
    if definition is None:
        return True
    return any(isinstance(each, ast.Return) and each.value is not None for each in ast.walk(definition))


def _annotated(cls: type) -> Iterator[tuple[str, Any]]:
    for owner in reversed(cls.__mro__):
        for name, annotation in inspect.get_annotations(owner).items():
            if "ClassVar" not in str(annotation):
                yield name, resolved(annotation, owner.__module__, {owner.__name__: owner})


def _set_in_init(cls: type) -> Iterator[tuple[str, Any]]:
    """``self.name = ...`` in ``__init__``, with the type that is written there or at the parameter."""
    for owner in cls.__mro__:
        function = vars(owner).get("__init__")
        function = inspect.unwrap(function) if function is not None else None
        code = getattr(function, "__code__", None)
        definition = function_at(code) if code is not None else None
        if definition is None or not definition.args.args:
            continue
        this = definition.args.args[0].arg
        for node in ast.walk(definition):
            for target in _targets(node):
                if isinstance(target.value, ast.Name) and target.value.id == this:
                    yield target.attr, _resolved_in(owner, function, _written_type(node, function))


def _targets(node: ast.AST) -> Iterator[ast.Attribute]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    for target in targets:
        yield from (each for each in ast.walk(target) if isinstance(each, ast.Attribute))


def _written_type(node: ast.AST, function: Any) -> Any:
    if isinstance(node, ast.AnnAssign):
        return ast.unparse(node.annotation)
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name):
        return function.__annotations__.get(node.value.id, Unknown)
    return Unknown
