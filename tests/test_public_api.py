"""What each package promises to its callers, and that a broken promise is noticed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import public_api
import pytest
from api_lines import api_of
from projects import FOLDERS
from public_api import UNRELEASED, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Lines = Callable[..., list[str]]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_public_api_is_as_written_down(folder: Path) -> None:
    """Whoever changes it sees that they do, and whether it takes a new major version."""
    lines, version = public_api.lines_of(folder), public_api.version_of(folder)
    said = public_api.complaint(folder.name, public_api.recorded(folder), lines, version, public_api.written(folder))
    if said:
        pytest.fail(said, pytrace=False)


# ------------------------------------------------------------ the guard itself

SOURCE = """
import enum
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from toy._shared import Closing, Names

__all__ = ["LIMIT", "Codec", "Colour", "Failed", "Missing", "Pair", "Point", "Queue", "Store", "load"]

LIMIT = 8

class Failed(Exception): ...

class Missing(Failed): ...

class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"

@dataclass(frozen=True)
class Point:
    x: int
    y: int = 0

class Pair(NamedTuple):
    left: int
    right: int

class Store(Protocol):
    async def save(self, line: str) -> None: ...

class Codec(ABC):
    @abstractmethod
    def encode(self, text: str) -> bytes: ...

class Queue(Closing):
    kind: str = "fifo"

    def __init__(self, size: int = LIMIT) -> None:
        self.size = size
        self._items = []

    def put(self, item: str, priority: int = 0, *, wait: bool = True) -> None: ...

    async def get(self) -> str: ...

    async def all(self) -> list[str]:
        return []

    @property
    def length(self) -> int: ...

    @classmethod
    def of(cls, names: Names) -> "Queue": ...

def load(path: str) -> Queue: ...
"""

SHARED = """
Names = list[str]

class Closing:
    async def close(self) -> None: ...
"""

# what is changed: (old text, new text)
BREAKING = {
    "a name leaves __all__": ('"Store", "load"]', '"Store"]'),
    "a function is gone": ("def load(path: str) -> Queue: ...", ""),
    "a class is renamed": ("class Failed(Exception)", "class Broken(Exception)"),
    "a method is gone": ("async def get(self) -> str: ...", ""),
    "a method becomes sync": ("async def get", "def get"),
    "a method becomes async": ("def put", "async def put"),
    "a coroutine becomes an async generator": ("return []", "yield []"),
    "a parameter is gone": (", *, wait: bool = True", ""),
    "a parameter is renamed": ("item: str", "entry: str"),
    "a required parameter is new": ("def load(path: str)", "def load(path: str, mode: str)"),
    "a required keyword is new": ("wait: bool = True", "wait: bool = True, why: str"),
    "a parameter is in another place": ("item: str, priority: int = 0", "priority: int = 0, item: str = ''"),
    "a parameter becomes keyword-only": ("priority: int = 0, *,", "*, priority: int = 0,"),
    "a parameter has another type": ("path: str", "path: bytes"),
    "a parameter has another default": ("wait: bool = True", "wait: bool = False"),
    "a default behind a name is another": ("LIMIT = 8", "LIMIT = 9"),
    "a return type is another": ("def load(path: str) -> Queue", "def load(path: str) -> Queue | None"),
    "a property becomes a method": ("@property\n    def length", "def length"),
    "a class method becomes a method": ("@classmethod\n    def of(cls", "def of(self"),
    "a field has another type": ("x: int", "x: float"),
    "a required field is new": ("    x: int\n", "    x: int\n    z: int\n"),
    "a dataclass thaws": ("@dataclass(frozen=True)", "@dataclass"),
    "a member of a tuple is new": ("    right: int\n", "    right: int\n    middle: int = 0\n"),
    "an enum has another value": ('RED = "red"', 'RED = "rouge"'),
    "an enum member is gone": ('    BLUE = "blue"\n', ""),
    "a Protocol asks for more": (
        "async def save(self, line: str) -> None: ...",
        "async def save(self, line: str) -> None: ...\n    async def drop(self) -> None: ...",
    ),
    "an abstract method is new": (
        "class Codec(ABC):",
        "class Codec(ABC):\n    @abstractmethod\n    def name(self) -> str: ...\n",
    ),
    "an exception has another base": ("class Missing(Failed)", "class Missing(Exception)"),
    "an attribute set by __init__ is gone": ("self.size = size", "self._size = size"),
    "a class attribute is another": ('kind: str = "fifo"', 'kind: str = "lifo"'),
    "what a hidden base gives is gone": ("async def close(self) -> None: ...", "..."),
    "what a signature speaks of is another": ("Names = list[str]", "Names = list[bytes]"),
}

HARMLESS = {
    "an optional keyword is new": ("wait: bool = True", "wait: bool = True, lazy: bool = False"),
    "an optional parameter is new": ("def load(path: str)", "def load(path: str, mode: str = 'r')"),
    "an optional field is new": ("    y: int = 0\n", "    y: int = 0\n    z: int = 0\n"),
    "an enum member is new": ('RED = "red"', 'RED = "red"\n    GREEN = "green"'),
    "a method is new": ("async def get", "async def peek(self) -> str: ...\n    async def get"),
    "a function is new": ('"load"]', '"load", "dump"]\ndef dump() -> None: ...'),
}

SILENT = {
    "a private attribute": ("self._items = []", "self._things = {}"),
    "a docstring": ("class Failed(Exception): ...", 'class Failed(Exception):\n    """It failed."""'),
    "where something is defined": ("async def close(self) -> None: ...", "async def close(self) -> None: return None"),
}


@pytest.fixture
def lines_of(tmp_path: Path) -> Lines:
    """``lines_of(old, new)``: the public API of the toy package, after that change."""

    def read(old: str = "", new: str = "") -> list[str]:
        package = tmp_path / "toy"
        package.mkdir(exist_ok=True)
        assert (SOURCE + SHARED).count(old) == 1 or not old
        (package / "__init__.py").write_text(SOURCE.replace(old, new) if old else SOURCE)
        (package / "_shared.py").write_text(SHARED.replace(old, new) if old else SHARED)
        return api_of(package)

    return read


def promised(lines: list[str], version: str = "1.4.0") -> Snapshot:
    return Snapshot(version, frozenset(lines))


@pytest.mark.parametrize("change", BREAKING.values(), ids=BREAKING.keys())
def test_a_broken_promise_takes_a_major_version(change: tuple[str, str], lines_of: Lines) -> None:
    """Each of these stops somebody's program, a type checker's run, or a subclass."""
    before, after = lines_of(), lines_of(*change)
    assert promised(before).broken_by(after, "1.5.0") != []
    assert promised(before).broken_by(after, "2.0.0") == []


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS.keys())
def test_an_addition_only_wants_to_be_written_down(change: tuple[str, str], lines_of: Lines) -> None:
    """Every call that worked goes on working."""
    before, after = lines_of(), lines_of(*change)
    assert promised(before).broken_by(after, "1.4.0") == []
    said = public_api.complaint("toy", promised(before), after, "1.4.0", promised(before).text("toy", before))
    assert "write it down: hatch run contract:api --update" in said


@pytest.mark.parametrize("change", SILENT.values(), ids=SILENT.keys())
def test_what_no_caller_sees_changes_nothing(change: tuple[str, str], lines_of: Lines) -> None:
    """An alarm for each edit would be switched off."""
    assert lines_of(*change) == lines_of()


def test_the_complaint_says_what_broke_and_what_to_do(lines_of: Lines) -> None:
    """Whole, as it is read in a failed run."""
    before = lines_of()
    said = public_api.complaint("toy", promised(before), lines_of("async def get", "def get"), "1.4.1", "")
    assert said == (
        "toy 1.4.1 breaks what 1.4.0 promised:\n"
        "  - async def Queue.get(self) -> str\n"
        "  + def Queue.get(self) -> str\n"
        "keep it beside the new (and deprecate it), or raise the version in pyproject.toml to 2.0.0,\n"
        "tell it in CHANGELOG.md, and write it down: hatch run contract:api --update"
    )


def test_before_the_first_release_nothing_is_promised(lines_of: Lines) -> None:
    """But a change is still seen, by whoever makes it and in the diff that is reviewed."""
    new = Snapshot(UNRELEASED, frozenset())
    written = new.text("toy", lines_of())
    said = public_api.complaint("toy", new, lines_of("async def get", "def get"), "0.1.0", written)
    assert said == (
        "the public API of toy is not as tests/api/toy.txt says:\n"
        "  - async def Queue.get(self) -> str\n"
        "  + def Queue.get(self) -> str\n"
        "nothing that was released breaks; if you mean it, write it down: hatch run contract:api --update"
    )


def test_what_came_after_the_release_is_free_until_the_next(lines_of: Lines) -> None:
    """A name that nobody has got yet may be renamed; once released, it may not."""
    before = lines_of("async def get", "async def peek(self) -> str: ...\n    async def get")
    written = Snapshot.parse(promised(lines_of()).text("toy", before))
    assert written.newer == {"async def Queue.peek(self) -> str"}
    assert written.broken_by(lines_of(), "1.4.1") == []
    assert written.released_as("1.5.0").broken_by(lines_of(), "1.5.1") == ["async def Queue.peek(self) -> str"]


@pytest.mark.parametrize(
    ("released", "version", "breaks"),
    [("1.4.2", "1.5.0", False), ("1.4.2", "2.0.0", True), ("0.1.3", "0.1.4", False), ("0.1.3", "0.2.0", True)],
)
def test_a_major_version_before_one_is_the_second_number(released: str, version: str, *, breaks: bool) -> None:
    """As semantic versioning has come to be read: ``~=0.1.3`` must not receive a break."""
    assert (public_api.breaking(version) > public_api.breaking(released)) is breaks
