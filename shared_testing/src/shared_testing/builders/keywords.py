"""Which keywords a method takes that says ``**kwargs``.

Where it only hands them on, to another method of the class or as an unpacked TypedDict says, they are known, and
``session.get(url, parms=...)`` can be refused.
"""

from __future__ import annotations

import ast
import inspect
import typing
from typing import Any

from shared_testing.builders.annotations import Unknown
from shared_testing.findings.syntax import function_at

_TAKES_NAMES = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def with_known_keywords(owner: type, function: Any, signature: inspect.Signature) -> inspect.Signature:
    """The signature with the keywords in the place of ``**kwargs``, if they are known."""
    rest = next((each for each in signature.parameters.values() if each.kind is each.VAR_KEYWORD), None)
    if rest is None:
        return signature
    known = _unpacked(rest.annotation)
    if known is None:
        known = _handed_on(owner, function, rest.name)
    if known is None:
        return signature
    others = [each for each in signature.parameters.values() if each is not rest]
    names = {each.name for each in others}
    return signature.replace(parameters=[*others, *(each for each in known if each.name not in names)])


def _unpacked(annotation: Any) -> list[inspect.Parameter] | None:
    arguments = typing.get_args(annotation)
    if typing.get_origin(annotation) is not typing.Unpack or not typing.is_typeddict(arguments[0]):
        return None
    required = arguments[0].__required_keys__
    return [
        _keyword(name, inspect.Parameter.empty if name in required else None)
        for name in typing.get_type_hints(arguments[0])
    ]


def _handed_on(owner: type, function: Any, rest: str) -> list[inspect.Parameter] | None:
    code = getattr(function, "__code__", None)
    definition = function_at(code) if code is not None else None
    if definition is None:
        return None
    uses = [each for each in ast.walk(definition) if isinstance(each, ast.Name) and each.id == rest]
    calls = [each for each in ast.walk(definition) if isinstance(each, ast.Call) and _takes(each, rest)]
    # Used for something else, too: then other keywords may be taken out before.
    if len(uses) != 1 or len(calls) != 1 or not isinstance(calls[0].func, ast.Attribute):
        return None
    call, this = calls[0], definition.args.args[0].arg if definition.args.args else ""
    if not isinstance(calls[0].func.value, ast.Name) or calls[0].func.value.id != this:
        return None
    target = inspect.getattr_static(owner, calls[0].func.attr, None)
    if not inspect.isfunction(target):
        return None
    parameters = list(inspect.signature(target).parameters.values())[1 + len(call.args) :]
    if any(each.kind is each.VAR_KEYWORD for each in parameters) or any(
        isinstance(each, ast.Starred) for each in call.args
    ):
        return None
    given = {each.arg for each in call.keywords}
    return [
        _keyword(each.name, each.default) for each in parameters if each.name not in given and each.kind in _TAKES_NAMES
    ]


def _takes(call: ast.Call, rest: str) -> bool:
    return any(
        each.arg is None and isinstance(each.value, ast.Name) and each.value.id == rest for each in call.keywords
    )


def _keyword(name: str, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Unknown)
