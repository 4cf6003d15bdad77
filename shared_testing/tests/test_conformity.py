"""Whether a value is what an annotation says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, Never, NewType, NotRequired, Optional, Protocol, TypedDict, TypeVar

import pytest

from shared_testing.builders.annotations import Unknown
from shared_testing.builders.conformity import conforms, shown

T = TypeVar("T")
N = TypeVar("N", int, str)
B = TypeVar("B", bound=int)
UserId = NewType("UserId", int)


class Row(TypedDict):
    id: int
    name: NotRequired[str]


class Reads(Protocol):
    def read(self) -> bytes: ...


class Reader:
    def read(self) -> bytes:
        return b""


@pytest.mark.parametrize(
    ("wanted", "good", "bad"),
    [
        (int, [1, True], ["1", 1.0, None]),
        (float, [1.5, 1], ["1"]),
        (None, [None], [0]),
        (Optional[int], [1, None], ["1"]),  # noqa: UP045 - the old form is still written
        (int | str, [1, "1"], [None, b""]),
        (Literal["a", 1], ["a", 1], ["b", True]),
        (Annotated[int, "id"], [1], ["1"]),
        (list[int], [[], [1]], [["1"], (1,), 1]),
        (dict[str, int], [{}, {"a": 1}], [{"a": "1"}, {1: 1}]),
        (tuple[int, str], [(1, "a")], [(1,), ("a", 1)]),
        (tuple[int, ...], [(), (1, 2)], [("a",)]),
        (Sequence[str], [["a"], ("a",), "abc"], [[1], {"a"}]),
        (Mapping[str, list[int]], [{"a": [1]}], [{"a": ["1"]}, []]),
        (Iterable[int], [[1], iter(["not looked into"])], [["1"], 1]),
        (Callable[[int], str], [str, len], ["str"]),
        (type[int], [int, bool], [str, 1]),
        (Row, [{"id": 1}, {"id": 1, "name": "a"}], [{}, {"id": 1, "nmae": "a"}, []]),
        (Reads, [Reader()], [object()]),
        (UserId, [1], ["1"]),
        (T, [1, None], []),
        (N, [1, "a"], [None]),
        (B, [1], ["1"]),
        (asyncio.Queue[int], [], [1]),
        (Any, [1, None], []),
        (Unknown, [1, None], []),
        (list[Unknown], [[1, "a"]], [1]),
        (Never, [], [None]),
    ],
)
def test_a_value_conforms_or_does_not(wanted: Any, good: list[object], bad: list[object]) -> None:
    """What a look at the value tells."""
    assert [each for each in good if not conforms(each, wanted, {})] == []
    assert [each for each in bad if conforms(each, wanted, {})] == []


def test_a_type_variable_stands_for_what_is_known() -> None:
    """``Repository[User]`` says what T is."""
    assert conforms(["a"], list[T], {T: str})  # type: ignore[valid-type]
    assert not conforms([1], list[T], {T: str})  # type: ignore[valid-type]


def test_types_are_shown_as_they_are_written() -> None:
    """For the message."""
    assert [shown(each) for each in (int, None, list[int], int | None)] == ["int", "None", "list[int]", "int | None"]
