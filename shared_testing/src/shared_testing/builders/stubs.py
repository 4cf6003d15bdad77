"""What a stand-in's method was told to do, and how it was called."""

from __future__ import annotations

import inspect
import sys
import typing
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from shared_testing.builders.conformity import conforms, shown
from shared_testing.builders.members import Gives
from shared_testing.evidence.stubs import Mismatch, Orders, give, tell
from shared_testing.findings.site import user_site
from shared_testing.loop.suspension import outside

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping

    from shared_testing.builders.members import Method

R = TypeVar("R")


class ImpossibleStub(TypeError):
    """The class cannot do what its stand-in was told to."""


class NotStubbed(AssertionError):
    """The code under test asked for what the test has not set up.

    Not an error that a program expects: code that takes every error for an outage must not hide it.
    """


class NotGiven(Enum):
    VALUE = auto()


class Stub(Generic[R]):
    """What one method does. ``returns``, ``raises`` and ``does`` each begin anew; what is chained to them follows."""

    def __init__(self, owner: str, method: Method, variables: Mapping[Any, Any], default: Any) -> None:
        self._owner = owner
        self._method = method
        self._variables = variables
        self._default = default
        self._steps: list[Callable[[dict[str, Any]], Any]] = []
        self._orders = Orders(self._name)
        self.calls: list[dict[str, Any]] = []
        """The arguments of each call, by name, without the defaults that nobody gave."""

    def __repr__(self) -> str:
        return f"<stub of {self._name}: {len(self.calls)} calls>"

    @property
    def _name(self) -> str:
        return f"{self._owner}.{self._method.name}"

    def returns(self, *results: R) -> Then[R]:
        """Each call gives the next of the results, and the last one for ever. Of a generator: the items, as a list.

        Raises ImpossibleStub if the class's annotation says that a result is of another type.
        """
        __tracebackhide__ = True
        return Then(self._anew()).returns(*results)

    def raises(self, *errors: BaseException | type[BaseException]) -> Then[R]:
        """Each call raises the next of the errors, and the last one for ever."""
        return Then(self._anew()).raises(*errors)

    def does(self, function: Callable[..., R | Awaitable[R]]) -> Then[R]:
        """Each call is handed to `function`; where the class awaits, it may be an async one."""
        return Then(self._anew()).does(function)

    def _anew(self) -> Stub[R]:
        self._orders.withdrawn = True
        self._steps, self._orders = [], give(Orders(self._name))
        return self

    def _then(self, *steps: Callable[[dict[str, Any]], Any]) -> None:
        self._steps += steps
        self._orders.sites += [user_site(sys._getframe(1))] * len(steps)

    # ------------------------------------------------------------ what the generated method calls

    def record(self, given: dict[str, Any]) -> dict[str, Any]:
        """Keep the arguments of a call, and refuse those of a wrong type."""
        __tracebackhide__ = True
        parameters = self._method.signature.parameters
        arguments = {name: each for name, each in given.items() if name in parameters and each is not NotGiven.VALUE}
        flat: dict[str, Any] = {}
        for name, value in arguments.items():
            parameter = parameters[name]
            several = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
            for each in (value.values() if isinstance(value, dict) else value) if several else [value]:
                self._check_argument(name, each, parameter.annotation)
            if parameter.kind is parameter.VAR_KEYWORD:
                flat |= value
            elif value or not several:
                flat[name] = value
        self.calls.append(flat)
        return arguments

    def _check_argument(self, name: str, value: object, wanted: Any) -> None:
        __tracebackhide__ = True
        # A mock of another make may stand for anything.
        if "_mock_methods" not in getattr(value, "__dict__", ()) and not conforms(value, wanted, self._variables):
            raise TypeError(f"{self._name}({name}={value!r:.80}): the class says {name}: {shown(wanted)}")

    def now(self, given: dict[str, Any]) -> Any:
        """What a plain function gives."""
        __tracebackhide__ = True
        result = self._next(self.record(given))
        if self._method.gives is not Gives.OBJECT or self._is_whole(result):
            return result
        return handed(self._method, result)

    async def awaited(self, given: dict[str, Any]) -> Any:
        """What a coroutine function gives. It gives the loop a turn, as the real one may: else races would hide."""
        __tracebackhide__ = True
        arguments = self.record(given)
        await outside()
        result = self._next(arguments, may_await=True)
        if inspect.isawaitable(result) and not conforms(result, self._method.result, self._variables):
            result = await result
            self.check(result)
        return result

    async def items(self, given: dict[str, Any]) -> AsyncIterator[Any]:
        """What an async generator gives."""
        __tracebackhide__ = True
        arguments = self.record(given)
        await outside()
        items = self._next(arguments)
        if hasattr(items, "__aiter__"):
            async for item in items:
                yield item
            return
        for item in items:
            yield item
            await outside()

    def items_now(self, given: dict[str, Any]) -> Iterator[Any]:
        """What a generator gives."""
        __tracebackhide__ = True
        yield from self._next(self.record(given))

    def _next(self, arguments: dict[str, Any], *, may_await: bool = False) -> Any:
        __tracebackhide__ = True
        if not self._steps:
            if self._default is not NotGiven.VALUE:
                return self._default
            raise self._not_stubbed()
        step = self._steps[min(self._orders.taken, len(self._steps) - 1)]
        self._orders.taken += 1
        result = step(arguments)
        if not (may_await and inspect.isawaitable(result)):
            self.check(result)
        return result

    def _not_stubbed(self) -> NotStubbed:
        symptom = f"{self._name}() was called, and nobody said what it gives"
        fix = f"say it before the call: on(mock.{self._method.name}).returns(...)"
        tell(Mismatch(symptom, user_site(sys._getframe(2)), f"mock_of({self._owner}) makes up no values", fix))
        return NotStubbed(f"{symptom}; {fix}")

    # ------------------------------------------------------------ types

    def check(self, result: Any) -> None:
        """Raise ImpossibleStub if the class cannot give this."""
        __tracebackhide__ = True
        method = self._method
        if method.gives in (Gives.ASYNC_GENERATOR, Gives.GENERATOR):
            self._check_items(result)
        elif not self._is_whole(result) and not conforms(result, method.result, self._variables):
            raise ImpossibleStub(f"{self._name}() gives {shown(method.result)}, and never {result!r:.80}")

    def _check_items(self, items: Any) -> None:
        __tracebackhide__ = True
        if hasattr(items, "__aiter__") and self._method.gives is Gives.ASYNC_GENERATOR:
            return
        if not hasattr(items, "__iter__") or isinstance(items, (str, bytes, dict)):
            raise ImpossibleStub(f"{self._name}() gives one item after another: stub it with a list, not {items!r:.80}")
        for item in items if isinstance(items, (list, tuple)) else ():
            if not conforms(item, self._method.result, self._variables):
                wanted = shown(self._method.result)
                raise ImpossibleStub(f"{self._name}() gives items of {wanted}, and never {item!r:.80}")

    def _is_whole(self, result: Any) -> bool:
        return self._method.gives is Gives.OBJECT and conforms(result, self._method.whole, self._variables)


class Then(Generic[R]):
    """What comes next: ``on(client.fetch).raises(ConnectionError()).returns(user)``."""

    def __init__(self, stub: Stub[R]) -> None:
        self._stub = stub

    def returns(self, *results: R) -> Then[R]:
        """As :meth:`Stub.returns`, after what was said before."""
        __tracebackhide__ = True
        for result in results:
            self._stub.check(result)
        self._stub._then(*map(_Gives, results))
        return self

    def raises(self, *errors: BaseException | type[BaseException]) -> Then[R]:
        """As :meth:`Stub.raises`, after what was said before."""
        for error in errors:
            if not isinstance(error, BaseException) and not (
                isinstance(error, type) and issubclass(error, BaseException)
            ):
                raise ImpossibleStub(f"{self._stub._name} cannot raise {error!r:.80}: it is no exception")
        self._stub._then(*map(_Raises, errors))
        return self

    def does(self, function: Callable[..., R | Awaitable[R]]) -> Then[R]:
        """As :meth:`Stub.does`, after what was said before."""
        if not callable(function):
            raise ImpossibleStub(f"{self._stub._name} cannot do {function!r:.80}: it is no function")
        signature = self._stub._method.signature
        self._stub._then(lambda arguments: _called(function, signature, arguments))
        return self


class _Gives:
    def __init__(self, result: Any) -> None:
        self._result = result

    def __call__(self, _: dict[str, Any]) -> Any:
        return self._result


class _Raises:
    def __init__(self, error: BaseException | type[BaseException]) -> None:
        self._error = error

    def __call__(self, _: dict[str, Any]) -> Any:
        __tracebackhide__ = True
        raise self._error


def _called(function: Callable[..., Any], signature: inspect.Signature, arguments: dict[str, Any]) -> Any:
    bound = inspect.BoundArguments(signature, arguments)
    return function(*bound.args, **bound.kwargs)


def handed(method: Method, result: Any) -> Any:
    """An object that is entered, awaited or iterated over as the class's own would be, and gives `result` then."""
    origin = typing.get_origin(method.whole) or method.whole
    names = [name for name in _PROTOCOLS if hasattr(origin, name)]
    namespace = {name: _PROTOCOLS[name] for name in names}
    made = type(getattr(origin, "__name__", "object"), (_Handed,), {**namespace, "__slots__": ()})
    return made(method.name, result)


class _Handed:
    __slots__ = ("_name", "_result")

    def __init__(self, name: str, result: Any) -> None:
        self._name, self._result = name, result

    def __repr__(self) -> str:
        return f"<{type(self).__name__} that {self._name}() gave>"


async def _enter(self: Any, *_: object) -> Any:
    await outside()
    return self._result


async def _leave(_: Any, *__: object) -> None:
    await outside()


async def _iterate(self: Any) -> AsyncIterator[Any]:
    for item in self._result:
        await outside()
        yield item


_PROTOCOLS: dict[str, Callable[..., Any]] = {
    "__aenter__": _enter,
    "__aexit__": _leave,
    "__await__": lambda self: _enter(self).__await__(),
    "__enter__": lambda self: self._result,
    "__exit__": lambda *_: None,
    "__aiter__": _iterate,
}
