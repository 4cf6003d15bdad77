"""Stand-ins that are as asynchronous as the class they stand for.

``create_autospec`` guesses from the kind of function alone: what a method returns, what a property holds, what an
instance sets up for itself it does not know, so a test that passes with it says little about the class. Here a method
is generated with the class's own signature and kind, and gives only what its annotation says.
"""

from __future__ import annotations

import difflib
import inspect
import keyword
import typing
from types import MethodType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from shared_testing.builders.annotations import Unknown
from shared_testing.builders.conformity import conforms, shown
from shared_testing.builders.members import Gives, Method, Missing, Value, members_of
from shared_testing.builders.stubs import ImpossibleStub, NotGiven, NotStubbed, Stub
from shared_testing.evidence.mocks import STAND_IN
from shared_testing.loop.suspension import outside

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from types import FunctionType

    from shared_testing.builders.members import Member

T = TypeVar("T")
R = TypeVar("R")


def mock_of(cls: type[T], /, **values: Any) -> T:
    """A stand-in for an instance of `cls`: it awaits, yields and enters where the class does.

    `values` are what its properties and attributes hold. What its methods do is said by :func:`on`; until then a call
    raises :class:`NotStubbed`, unless the class says that it gives None, or itself.

    Raises AttributeError for a name that the class does not have, ImpossibleStub (a TypeError) for a value of another
    type than it says, and TypeError if `cls` is no class.
    """
    origin = typing.get_origin(cls) or cls
    if not isinstance(origin, type):
        raise TypeError(f"mock_of({cls!r:.80}): give a class; for a function there is the fixture `tasks`")
    if typing.is_typeddict(origin):
        raise TypeError(f"mock_of({origin.__name__}): it is a dict, and has no behaviour: write the dict")
    members, variables = members_of(origin, typing.get_args(cls))
    namespace: dict[str, Any] = {name: _Attribute(each) for name, each in members.items()}
    namespace |= {"__class__": property(lambda _: origin), "__module__": origin.__module__}
    mock: Any = type(origin.__name__, (_Mock,), namespace)()
    mock.__dict__[_STATE] = _State(mock, origin, members, variables)
    for name, value in values.items():
        setattr(mock, name, value)
    stand_in: T = mock
    return stand_in


@overload
def on(method: Callable[..., AbstractAsyncContextManager[R, Any]], /) -> Stub[R]: ...
@overload
def on(method: Callable[..., Awaitable[R]], /) -> Stub[R]: ...
@overload
def on(method: Callable[..., AsyncIterator[R]], /) -> Stub[Iterable[R]]: ...
@overload
def on(method: Callable[..., AbstractContextManager[R, Any]], /) -> Stub[R]: ...
@overload
def on(method: Callable[..., Iterator[R]], /) -> Stub[Iterable[R]]: ...
@overload
def on(method: Callable[..., R], /) -> Stub[R]: ...
def on(method: Any, /) -> Any:
    """The controls of a stand-in's method: ``on(client.fetch).returns(user)``, ``.raises(...)``, ``.calls``."""
    stub = getattr(method, "stub", None)
    if not isinstance(stub, Stub):
        raise TypeError(f"on({method!r:.80}): give a method of what mock_of() made")
    return stub


_STATE = "__mock_of_state__"


class _Mock:
    """What all stand-ins have in common; the rest is generated for each class."""

    def __repr__(self) -> str:
        return f"<mock of {self.__class__.__name__}>"

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(_unknown(self.__class__.__name__, name, self.__dict__[_STATE].members))

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.__dict__[_STATE].members:
            raise AttributeError(_unknown(self.__class__.__name__, name, self.__dict__[_STATE].members))
        object.__setattr__(self, name, value)

    def __dir__(self) -> Iterable[str]:
        return sorted({*self.__dict__[_STATE].members, *object.__dir__(self)} - {_STATE})


class _Attribute:
    """One name of the class. On the type, where Python looks for ``__aenter__`` and its like."""

    def __init__(self, member: Member) -> None:
        self._member = member

    def __get__(self, mock: Any, _: type | None = None) -> Any:
        if mock is None:
            return self
        state: _State = mock.__dict__[_STATE]
        return state.method(self._member) if isinstance(self._member, Method) else state.value(self._member)

    def __set__(self, mock: Any, value: Any) -> None:
        state: _State = mock.__dict__[_STATE]
        if isinstance(self._member, Method):
            raise ImpossibleStub(
                f"{state.owner}.{self._member.name} is a method: say on(mock.{self._member.name}).does(...)"
            )
        state.set(self._member, value)


class _State:
    def __init__(self, mock: Any, origin: type, members: Mapping[str, Member], variables: Mapping[Any, Any]) -> None:
        self.owner = origin.__name__
        self.members = members
        self._mock = mock
        self._origin = origin
        self._variables = variables
        self._methods: dict[str, MethodType] = {}
        self._values: dict[str, Any] = {}

    def method(self, member: Method) -> MethodType:
        if member.name not in self._methods:
            stub = Stub[Any](self.owner, member, self._variables, self._unless_stubbed(member))
            # Bound, as the real one: put in a class by monkeypatch, a plain function would be bound once more.
            self._methods[member.name] = MethodType(generated(self.owner, member, stub), self._mock)
        return self._methods[member.name]

    def _unless_stubbed(self, member: Method) -> Any:
        """None and itself are all that a class can give and a stand-in knows."""
        # What __exit__ gives says whether the error is swallowed: never by itself.
        if member.result is None or member.result is type(None) or member.name in ("__exit__", "__aexit__"):
            return None
        enters = member.name in ("__enter__", "__aenter__") and member.result is Unknown
        if enters or member.result is typing.Self or member.result is self._origin:
            return self._mock
        return NotGiven.VALUE

    def value(self, member: Value) -> Any:
        value = self._values.get(member.name, member.default)
        if value is Missing.VALUE:
            if member.type is None or member.type is type(None):
                return None
            raise NotStubbed(
                f"{self.owner}.{member.name} was read, and nobody said what it holds; "
                f"say it when it is made: mock_of({self.owner}, {member.name}=...)"
            )
        return _soon(value) if member.awaited else value

    def set(self, member: Value, value: Any) -> None:
        if not conforms(value, member.type, self._variables):
            raise ImpossibleStub(f"{self.owner}.{member.name} holds {shown(member.type)}, and never {value!r:.80}")
        self._values[member.name] = value


async def _soon(value: Any) -> Any:
    """The value of an async property."""
    await outside()
    return value


_BODIES = {
    Gives.VALUE: "def {head}:{hidden}\n return _stub.now(_locals())",
    Gives.OBJECT: "def {head}:{hidden}\n return _stub.now(_locals())",
    Gives.COROUTINE: "async def {head}:{hidden}\n return await _stub.awaited(_locals())",
    Gives.ASYNC_GENERATOR: "async def {head}:{hidden}\n async for item in _stub.items(_locals()): yield item",
    Gives.GENERATOR: "def {head}:{hidden}\n yield from _stub.items_now(_locals())",
}
_HIDDEN = "\n __tracebackhide__ = True"
_SELF = inspect.Parameter("_self_", inspect.Parameter.POSITIONAL_ONLY)


def generated(owner: str, method: Method, stub: Stub[Any]) -> FunctionType:
    """A function of the class's own kind and signature: Python itself refuses wrong arguments, in its own words."""
    plain = [_SELF] + [
        each.replace(annotation=each.empty, default=None if each.default is not each.empty else each.empty)
        for each in method.signature.parameters.values()
    ]
    name = method.name if not keyword.iskeyword(method.name) else "method"
    source = _BODIES[method.gives].format(head=f"{name}{inspect.Signature(plain)}", hidden=_HIDDEN)
    made: dict[str, Any] = {"_stub": stub, "_locals": locals}
    # As dataclasses make their methods: the text has the names of the class's own parameters, and nothing else.
    exec(compile(source, f"{STAND_IN}{owner}>", "exec"), made)  # noqa: S102
    function: FunctionType = made[name]
    positional = [each for each in plain if each.default is None and each.kind is not each.KEYWORD_ONLY]
    keywords = [each.name for each in plain if each.default is None and each.kind is each.KEYWORD_ONLY]
    function.__defaults__ = (NotGiven.VALUE,) * len(positional) or None
    function.__kwdefaults__ = dict.fromkeys(keywords, NotGiven.VALUE)
    function.__qualname__, function.__module__ = f"{owner}.{method.name}", __name__
    seen = method.signature.replace(parameters=[_SELF, *method.signature.parameters.values()])
    function.__signature__ = seen  # type: ignore[attr-defined]
    for control in ("returns", "raises", "does", "calls"):
        setattr(function, control, getattr(stub, control))
    function.stub = stub  # type: ignore[attr-defined]
    return function


def _unknown(owner: str, name: str, members: Mapping[str, Member]) -> str:
    near = difflib.get_close_matches(name, members, n=1)
    return f"{owner} has no {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")
