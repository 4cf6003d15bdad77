"""Whether a value is what an annotation says.

As far as a look at the value tells: what cannot be told is taken to be right.
"""

from __future__ import annotations

import collections.abc
import types
import typing
from collections import deque
from typing import TYPE_CHECKING, Any, Literal, NewType, Protocol, TypeVar, Union

from shared_testing.builders.annotations import Unknown, resolved

if TYPE_CHECKING:
    from collections.abc import Mapping

# Looked into; to go through an iterator would use it up.
_CONTAINERS = (list, tuple, set, frozenset, deque)
_WRAPPERS = frozenset({"Annotated", "Final", "ClassVar", "Required", "NotRequired", "ReadOnly"})
_NUMBERS: dict[Any, tuple[type, ...]] = {float: (float, int), complex: (complex, float, int)}
_PROTOCOLS_OWN = frozenset(dir(Protocol)) | {"__annotations__", "__abstractmethods__"}


def conforms(value: object, wanted: Any, variables: Mapping[Any, Any]) -> bool:
    """Whether `value` may stand where `wanted` is annotated. `variables`: what type variables stand for."""
    if isinstance(wanted, TypeVar) or wanted is typing.Self:
        return _conforms_to_variable(value, wanted, variables)
    if wanted is None or wanted is types.NoneType:
        return value is None
    if wanted is typing.NoReturn or wanted is typing.Never:
        return False
    if isinstance(wanted, NewType):
        return conforms(value, wanted.__supertype__, variables)
    if type(wanted).__name__ == "TypeAliasType":  # Python 3.12
        return conforms(value, wanted.__value__, variables)
    origin = typing.get_origin(wanted)
    if origin is not None:
        return _conforms_to_generic(value, origin, typing.get_args(wanted), variables)
    if typing.is_typeddict(wanted):
        return _conforms_to_typed_dict(value, wanted, variables)
    return _is_instance(value, wanted)


def _conforms_to_variable(value: object, wanted: Any, variables: Mapping[Any, Any]) -> bool:
    if wanted in variables and variables[wanted] is not wanted:
        return conforms(value, variables[wanted], variables)
    constraints = getattr(wanted, "__constraints__", ())
    if constraints:
        return any(conforms(value, each, variables) for each in constraints)
    bound = getattr(wanted, "__bound__", None)
    return bound is None or isinstance(bound, (str, typing.ForwardRef)) or conforms(value, bound, variables)


def _conforms_to_generic(value: object, origin: Any, arguments: tuple[Any, ...], variables: Mapping[Any, Any]) -> bool:
    if origin is Union or origin is types.UnionType:
        return any(conforms(value, each, variables) for each in arguments)
    if origin is Literal:
        return any(type(value) is type(each) and value == each for each in arguments)
    if getattr(origin, "_name", getattr(origin, "__name__", "")) in _WRAPPERS:
        return conforms(value, arguments[0], variables)
    if origin is type:
        wanted = arguments[0] if arguments else object
        return isinstance(value, type) and (not isinstance(wanted, type) or issubclass(value, wanted))
    if origin is collections.abc.Callable:
        return callable(value)
    if typing.is_typeddict(origin):
        return _conforms_to_typed_dict(value, origin, variables)
    return _is_instance(value, origin) and _contents_conform(value, arguments, variables)


def _contents_conform(value: object, arguments: tuple[Any, ...], variables: Mapping[Any, Any]) -> bool:
    if isinstance(value, dict) and len(arguments) == 2:
        keys, values = arguments
        return all(conforms(key, keys, variables) and conforms(each, values, variables) for key, each in value.items())
    if isinstance(value, tuple) and len(arguments) != 1 and arguments[-1:] != (...,):
        fits = len(value) == len(arguments)
        return fits and all(conforms(*pair, variables) for pair in zip(value, arguments, strict=True))
    if isinstance(value, _CONTAINERS) and arguments:
        return all(conforms(each, arguments[0], variables) for each in value)
    return True


def _conforms_to_typed_dict(value: object, wanted: Any, variables: Mapping[Any, Any]) -> bool:
    if not isinstance(value, dict):
        return False
    fields = {key: resolved(each, wanted.__module__) for key, each in wanted.__annotations__.items()}
    # Where annotations are text, Python takes NotRequired for required.
    optional = {key for key, each in fields.items() if typing.get_origin(each) is typing.NotRequired}
    if not wanted.__required_keys__ - optional <= value.keys() <= fields.keys():
        return False
    return all(conforms(each, fields[key], variables) for key, each in value.items())


def _is_instance(value: object, wanted: Any) -> bool:
    if wanted in (Any, Unknown) or not isinstance(wanted, type):
        return True
    if wanted in _NUMBERS:
        return isinstance(value, _NUMBERS[wanted])
    try:
        return isinstance(value, wanted)
    except TypeError:
        # A Protocol that is not runtime_checkable.
        names = set(dir(wanted)) | set(getattr(wanted, "__annotations__", ())) - _PROTOCOLS_OWN
        return all(hasattr(value, name) for name in names - _PROTOCOLS_OWN)


def shown(wanted: Any) -> str:
    """The type as a reader knows it."""
    return wanted.__name__ if isinstance(wanted, type) and not typing.get_args(wanted) else str(wanted)
