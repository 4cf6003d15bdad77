"""mock_of() against every class that the packages publish: the stand-in has what the class has, and is of its kind."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any, is_typeddict

import pytest

from shared_testing import ImpossibleStub, NotStubbed, mock_of, on
from user_client import UserAPIClient

PACKAGES = sorted(Path(__file__).resolve().parent.parent.glob("packages/*/pyproject.toml"))
MODULES = [import_module(file.parent.name.replace("-", "_")) for file in PACKAGES]
CLASSES = [
    found
    for module in MODULES
    for name in module.__all__
    if isinstance(found := getattr(module, name), type)
    and not issubclass(found, BaseException)
    and not is_typeddict(found)
]

of_each_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.__module__}.{cls.__qualname__}")


@of_each_class
def test_the_methods_are_of_the_same_kind(cls: type[Any]) -> None:
    """Awaited, iterated over and called as those of the class."""
    mock = mock_of(cls)
    # What is not made for being asked, a Protocol, is nobody's class.
    assert getattr(cls, "_is_protocol", False) or isinstance(mock, cls)
    for name, method in inspect.getmembers(cls, inspect.isfunction):
        if name.startswith("_"):
            continue
        stand_in = getattr(mock, name)
        assert list(inspect.signature(stand_in).parameters) == list(inspect.signature(method).parameters)[1:], name
        for kind in (inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction):
            assert kind(stand_in) or not kind(method), name


@of_each_class
def test_what_an_instance_has_the_stand_in_has(cls: type[Any]) -> None:
    """Properties too; and none of them is made up."""
    mock = mock_of(cls)
    for name, _ in inspect.getmembers(cls, lambda each: isinstance(each, property)):
        with pytest.raises(NotStubbed, match=name):
            getattr(mock, name)
    with pytest.raises(AttributeError, match=f"{cls.__name__} has no 'no_such_name'"):
        mock.no_such_name  # noqa: B018


async def test_the_client_of_the_first_page() -> None:
    """Typed as the client, checked as the client."""
    client = mock_of(UserAPIClient)
    on(client.fetch_user).returns({"id": 1, "name": "Alice", "email": "a@example.com"})
    assert (await client.fetch_user(1))["name"] == "Alice"
    async with client as entered:
        assert entered is client
    with pytest.raises(ImpossibleStub, match="fetch_user"):
        on(client.fetch_user).returns("Alice")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        client.fetch_user(number=1)  # type: ignore[call-arg, unused-coroutine]
