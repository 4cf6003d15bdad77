"""Stand-ins by mock_of(): each test is a place where create_autospec() is blind, or where it would be in the way."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, Self, TypedDict, TypeVar, runtime_checkable

import aiohttp
import pytest

from shared_testing import ImpossibleStub, NotStubbed, mock_of, on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

T = TypeVar("T")


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call


@dataclass
class User:
    id: int
    name: str = "Alice"
    tags: ClassVar[list[str]] = []

    async def rename(self, name: str) -> Self:
        raise NotImplementedError


class Base:
    def __init__(self, url: str, limit: int = 5) -> None:
        self.url = url
        self.limit: int = limit
        self.open = False


class Users(Base):
    """Whatever runs of it in a test is a mistake."""

    PAGE = 50
    token: str

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.seen, self.last = 0, None

    async def fetch(self, user_id: int, *, timeout: float = 30) -> User:
        raise NotImplementedError

    async def save(self, user: User) -> None:
        raise NotImplementedError

    async def plain(self, anything):  # type: ignore[no-untyped-def]
        print(anything)

    async def unknown(self, anything):  # type: ignore[no-untyped-def]
        return anything

    async def stream(self, start: int = 0) -> AsyncIterator[User]:
        raise NotImplementedError
        yield User(1)

    def names(self) -> Iterator[str]:
        raise NotImplementedError
        yield ""

    def count(self) -> int:
        raise NotImplementedError

    def later(self) -> Awaitable[int]:
        raise NotImplementedError

    @contextlib.asynccontextmanager
    async def transaction(self, name: str) -> AsyncIterator[User]:
        raise NotImplementedError
        yield User(1)

    @contextlib.contextmanager
    def locked(self) -> Iterator[int]:
        raise NotImplementedError
        yield 1

    def session(self) -> aiohttp.ClientSession:
        raise NotImplementedError

    @wrapped
    async def guarded(self, user_id: int) -> str:
        raise NotImplementedError

    half = functools.partialmethod(fetch, 1)

    @staticmethod
    async def ping(host: str) -> bool:
        raise NotImplementedError

    @classmethod
    async def create(cls, url: str) -> Self:
        raise NotImplementedError

    @property
    def size(self) -> int:
        raise NotImplementedError

    @property
    async def version(self) -> str:
        raise NotImplementedError

    @functools.cached_property
    def folder(self) -> Path:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        raise NotImplementedError

    async def __aexit__(self, *_: object) -> None:
        raise NotImplementedError

    def __aiter__(self) -> AsyncIterator[User]:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError


@pytest.fixture
def users() -> Users:
    return mock_of(Users)


async def test_it_awaits_where_the_class_awaits(users: Users) -> None:
    """The same coroutine function as that of the class: asked for by inspect, by Python, and by a reader."""
    on(users.fetch).returns(User(7))
    assert inspect.iscoroutinefunction(users.fetch)
    assert inspect.isasyncgenfunction(users.stream)
    assert inspect.signature(users.fetch) == inspect.signature(mock_of(Users).fetch)
    assert list(inspect.signature(users.fetch).parameters) == ["user_id", "timeout"]
    assert await users.fetch(7) == User(7)


async def test_it_yields_where_the_class_yields(users: Users) -> None:
    """An async generator and a generator give what they are told, item by item."""
    on(users.stream).returns([User(1), User(2)])
    on(users.names).returns(["Alice"])
    assert [user.id async for user in users.stream()] == [1, 2]
    assert [user.id async for user in users.stream(start=1)] == [1, 2]
    assert list(users.names()) == ["Alice"]


async def test_it_enters_where_the_class_enters(users: Users) -> None:
    """``async with client``, and what a method gives to be entered."""
    on(users.transaction).returns(User(1))
    on(users.locked).returns(3)
    async with users as entered, users.transaction("x") as user:
        assert entered is users
        assert user == User(1)
    with users.locked() as number:
        assert number == 3
    assert on(users.transaction).calls == [{"name": "x"}]


async def test_a_session_is_awaited_and_entered() -> None:
    """aiohttp's own: ``session.get()`` is both, and what comes of it is a response."""
    response = mock_of(aiohttp.ClientResponse, status=200, headers={})
    on(response.json).returns({"id": 1})
    session = mock_of(aiohttp.ClientSession)
    on(session.get).returns(response)
    async with session, session.get("https://api.example.com") as entered:
        assert (entered.status, await entered.json()) == (200, {"id": 1})
    assert await session.get("https://api.example.com") is response
    with pytest.raises(ImpossibleStub, match="gives ClientResponse, and never"):
        on(session.get).returns({"id": 1})


def test_a_keyword_that_is_only_handed_on_is_known() -> None:
    """``session.get(**kwargs)`` hands them to ``_request``, which has no ``parms``."""
    session = mock_of(aiohttp.ClientSession)
    with pytest.raises(TypeError, match="unexpected keyword argument 'parms'"):
        session.get("https://api.example.com", parms={})  # type: ignore[call-arg]


async def test_an_awaitable_of_a_plain_method(users: Users) -> None:
    """Its annotation says so."""
    on(users.later).returns(3)
    assert await users.later() == 3


async def test_a_wrapped_method_is_awaited(users: Users) -> None:
    """functools.wraps leaves a plain function, of an async one."""
    on(users.guarded).returns("yes")
    assert await users.guarded(1) == "yes"
    with pytest.raises(ImpossibleStub, match="gives str"):
        on(users.guarded).returns(3)


async def test_partial_static_and_class_methods(users: Users) -> None:
    """Each is called without ``self``, and with what is left to give."""
    on(users.half).returns(User(1))
    on(users.ping).returns(True)
    assert await users.half(timeout=1)
    assert await users.ping("localhost")
    assert await users.create("http://x") is users
    assert on(users.create).calls == [{"url": "http://x"}]


async def test_properties_hold_what_they_are_given(tmp_path: Path) -> None:
    """A plain one, an async one, a cached one; nothing is made up."""
    users = mock_of(Users, size=3, version="2.1", folder=tmp_path)
    assert (users.size, users.folder) == (3, tmp_path)
    assert [await users.version, await users.version] == ["2.1", "2.1"]
    with pytest.raises(ImpossibleStub, match=r"Users.size holds int, and never 'three'"):
        mock_of(Users, size="three")


def test_attributes_are_known_and_checked(users: Users) -> None:
    """Those that only __init__ sets, those that are only annotated, and constants."""
    assert users.PAGE == 50
    users.url, users.limit, users.token, users.open, users.seen = "http://x", 3, "t", True, 1
    assert (users.url, users.limit, users.token) == ("http://x", 3, "t")
    with pytest.raises(ImpossibleStub, match=r"Users.limit holds int"):
        users.limit = "3"  # type: ignore[assignment]
    with pytest.raises(ImpossibleStub, match=r"Users.url holds str"):
        mock_of(Users, url=3)
    with pytest.raises(NotStubbed, match=r"say it when it is made: mock_of\(Users, token=\.\.\.\)"):
        assert mock_of(Users).token


def test_names_that_the_class_has_not_are_refused(users: Users) -> None:
    """Read, set, stubbed or given, with the nearest that it has."""
    with pytest.raises(AttributeError, match=r"Users has no 'fetsh'; did you mean 'fetch'"):
        users.fetsh.returns(1)  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"Users has no 'tokn'; did you mean 'token'"):
        users.tokn = "t"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"Users has no 'colour'$"):
        mock_of(Users, colour="red")
    with pytest.raises(ImpossibleStub, match=r"Users.count is a method: say on\(mock.count\)"):
        users.count = 3  # type: ignore[method-assign, assignment]


def test_arguments_that_the_class_does_not_take_are_refused(users: Users) -> None:
    """At the call, not when it is awaited, and in Python's own words."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'timout'"):
        users.fetch(1, timout=3)  # type: ignore[call-arg, unused-coroutine]
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'user_id'"):
        users.fetch()  # type: ignore[call-arg, unused-coroutine]
    assert on(users.fetch).calls == []


async def test_arguments_of_another_type_are_refused(users: Users) -> None:
    """The class says what it takes."""
    with pytest.raises(TypeError, match=r"Users.fetch\(user_id='one'\): the class says user_id: int"):
        await users.fetch("one")  # type: ignore[arg-type]


def test_results_of_another_type_are_refused_where_they_are_written(users: Users) -> None:
    """Not where the code under test trips over them."""
    with pytest.raises(ImpossibleStub, match=r"Users.fetch\(\) gives User, and never {'id': 1}"):
        on(users.fetch).returns({"id": 1})  # type: ignore[arg-type]
    with pytest.raises(ImpossibleStub, match="gives items of User, and never 'Alice'"):
        on(users.stream).returns(["Alice"])  # type: ignore[list-item]
    with pytest.raises(ImpossibleStub, match="one item after another"):
        on(users.stream).returns(User(1))  # type: ignore[arg-type]
    with pytest.raises(ImpossibleStub, match="gives None"):
        on(users.save).returns(3)  # type: ignore[arg-type]


@pytest.mark.allow_finding("AT602", reason="it is told as a finding too, as code under test may swallow the error")
async def test_what_nobody_stubbed_is_told(users: Users) -> None:
    """None and itself are all that it gives unasked."""
    assert await users.save(User(1)) is None  # type: ignore[func-returns-value]
    assert await users.plain(1) is None  # type: ignore[no-untyped-call]
    with pytest.raises(NotStubbed, match=r"Users.unknown\(\) was called, and nobody said what it gives"):
        await users.unknown(1)  # type: ignore[no-untyped-call]
    with pytest.raises(NotStubbed, match=r"say it before the call: on\(mock.count\).returns\(\.\.\.\)"):
        users.count()


async def test_errors_and_sequences(users: Users) -> None:
    """First this, then that; the last one stays."""
    on(users.fetch).raises(ConnectionError("down"), TimeoutError).returns(User(1), User(2))
    outcomes = await asyncio.gather(*(users.fetch(1) for _ in range(5)), return_exceptions=True)
    assert [type(each) for each in outcomes[:2]] == [ConnectionError, TimeoutError]
    assert outcomes[2:] == [User(1), User(2), User(2)]
    on(users.fetch).returns(User(9))
    assert await users.fetch(1) == User(9)
    with pytest.raises(ImpossibleStub, match="it is no exception"):
        on(users.fetch).raises("down")  # type: ignore[arg-type]


async def test_a_function_does_it(users: Users) -> None:
    """Called with the same arguments, awaited where the class awaits, and checked like any result."""

    async def rename(user_id: int, timeout: float = 0) -> User:
        await asyncio.sleep(0)
        return User(user_id, f"user {user_id}")

    on(users.fetch).does(rename)
    assert (await users.fetch(3)).name == "user 3"
    on(users.fetch).does(lambda user_id: "Alice")  # type: ignore[arg-type, return-value]
    with pytest.raises(ImpossibleStub, match="gives User"):
        await users.fetch(3)


async def test_calls_are_kept_by_name(users: Users) -> None:
    """However they were written, and without the defaults that nobody gave. A call that is not awaited is none."""
    on(users.fetch).returns(User(1))
    await users.fetch(1)
    await users.fetch(user_id=2, timeout=3)
    users.fetch(3).close()
    assert on(users.fetch).calls == [{"user_id": 1}, {"user_id": 2, "timeout": 3}]
    assert repr(on(users.fetch)) == "<stub of Users.fetch: 2 calls>"


async def test_the_controls_are_on_the_method_too(users: Any) -> None:
    """For those without a type checker."""
    users.fetch.returns(User(1))
    await users.fetch(1)
    assert users.fetch.calls == [{"user_id": 1}]
    users.fetch.raises(KeyError)
    with pytest.raises(KeyError):
        await users.fetch(1)


async def test_races_show(users: Users) -> None:
    """Each call gives the loop a turn, as one over a network would."""
    on(users.fetch).returns(User(1))
    on(users.stream).returns([User(1), User(2)])
    turns: list[str] = []

    async def use(name: str) -> None:
        turns.append(name)
        await users.fetch(1)
        async for _ in users.stream():
            turns.append(name)  # noqa: PERF401 - one at a time, for its order is looked at

    await asyncio.gather(use("a"), use("b"))
    assert turns == ["a", "b", "a", "b", "a", "b"]


async def test_special_methods(users: Users) -> None:
    """Python looks for them on the type."""
    on(users.__aiter__).returns([User(1)])
    on(users.__len__).returns(1)
    assert [user.id async for user in users] == [1]
    assert len(users) == 1


def test_it_passes_for_the_class(users: Users) -> None:
    """Where the code asks, and where a reader does."""
    assert isinstance(users, Users)
    assert isinstance(users, Base)
    assert not isinstance(users, dict)
    assert repr(users) == "<mock of Users>"
    assert {"fetch", "url", "token", "size"} <= set(dir(users))
    assert hasattr(users, "fetch")
    assert not hasattr(users, "nope")


class Row(TypedDict):
    id: int


@runtime_checkable
class Store(Protocol):
    path: str

    async def put(self, key: str, value: bytes) -> None: ...
    def read(self, key: str) -> bytes: ...


class Source(ABC, Generic[T]):
    @abstractmethod
    async def take(self) -> T: ...

    @abstractmethod
    async def many(self) -> list[T]: ...


class Lines(Source[str]):
    """The type variable is filled here."""


async def test_protocols_abstract_classes_and_generics() -> None:
    """None of them can be made; each can be stood in for."""
    store = mock_of(Store, path="/")  # type: ignore[type-abstract]
    assert isinstance(store, Store)
    await store.put("a", b"1")
    with pytest.raises(ImpossibleStub, match="gives bytes"):
        on(store.read).returns("text")  # type: ignore[arg-type]
    for source in (mock_of(Source[str]), mock_of(Lines)):  # type: ignore[type-abstract]
        assert isinstance(source, Source)
        on(source.take).returns("line")
        assert await source.take() == "line"
        with pytest.raises(ImpossibleStub):
            on(source.many).returns([1])  # type: ignore[list-item]


async def test_dataclasses() -> None:
    """Fields are attributes; a default is the class's own."""
    user = mock_of(User, id=3)
    assert (user.id, user.name, user.tags) == (3, "Alice", [])
    assert await user.rename("Bob") is user
    with pytest.raises(ImpossibleStub, match=r"User.id holds int"):
        mock_of(User, id="3")


def test_what_is_no_class_is_refused() -> None:
    """Each with what to do instead."""
    with pytest.raises(TypeError, match="give a class; for a function there is the fixture `tasks`"):
        mock_of(print)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="it is a dict, and has no behaviour"):
        mock_of(Row)
    with pytest.raises(TypeError, match=r"give a method of what mock_of\(\) made"):
        on(print)


def test_monkeypatch_may_hold_it(users: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put in a class's place, or with an attribute set for a while."""
    mock = mock_of(Users, url="a")
    with monkeypatch.context() as patch:
        patch.setattr(mock, "url", "b")
        assert mock.url == "b"
    assert mock.url == "a"


async def test_a_method_may_be_put_in_a_class(users: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the code under test makes its own object, of which the test has no hold."""
    on(users.ping).returns(True)
    monkeypatch.setattr(Users, "ping", users.ping)
    assert await Users("http://x").ping("localhost")
    assert on(users.ping).calls == [{"host": "localhost"}]
