"""What annotations mean, also those that Python alone cannot evaluate."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pytest

from shared_testing.builders.annotations import Unknown, resolved, type_arguments

if TYPE_CHECKING:
    import decimal as exact  # noqa: F401 - here and below: for annotations that are text
    import pathlib  # noqa: F401
    from pathlib import Path as Folder  # noqa: F401

    from nowhere import Nothing  # type: ignore[import-not-found] # noqa: F401

T = TypeVar("T")
U = TypeVar("U")


class Here: ...


class Pair(Generic[T, U]): ...


class Named(Pair[str, U]): ...


class Users(Named[int]): ...


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("int", int),
        ("Here", Here),
        ("list[Here]", list[Here]),
        ("Callable[[int], str]", Callable[[int], str]),
        ("AsyncIterator", AsyncIterator),
        ("Nothing", Unknown),
        ("Nothing.inner", Unknown),
        ("Nothing[int]", Unknown),
        ("list[Nothing]", list[Unknown]),
        ("not even python", Unknown),
        ("1 / 0", Unknown),
    ],
)
def test_an_annotation_is_resolved_as_far_as_it_goes(text: str, expected: Any) -> None:
    """What nobody can know spoils no more than its own place."""
    assert resolved(text, __name__) == expected


def test_names_that_only_a_type_checker_imports_are_found() -> None:
    """If their module is loaded; none is imported for that."""
    import decimal
    import pathlib as real

    assert resolved("Folder", __name__) is real.Path
    assert resolved("pathlib.Path | None", __name__) == real.Path | None
    assert resolved("exact.Decimal", __name__) is decimal.Decimal
    assert resolved("Nothing | None", __name__) == Unknown | None


def test_a_module_that_does_not_exist_knows_nothing() -> None:
    """A class that was made by a string has one like that."""
    assert resolved("Here", "no.such.module") is Unknown
    assert resolved("int", "no.such.module") is int


def test_type_variables_are_followed_through_the_bases() -> None:
    """As a reader would."""
    assert type_arguments(Users) == {T: str, U: int}
    assert type_arguments(Pair, (int, bytes)) == {T: int, U: bytes}
