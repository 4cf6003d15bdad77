"""AT103: an async test or fixture that never really ran."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

from shared_testing.detectors.detector import Detector
from shared_testing.evidence.errors import steps
from shared_testing.findings import Finding, Rule, site_of_code
from shared_testing.findings.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType

    from shared_testing.detectors.detector import Scope
    from shared_testing.evidence.unawaited import Unawaited, UnawaitedCoroutines

RULE = Rule(
    code="AT103",
    title="async test or fixture that never really ran",
    cause="in strict mode pytest-asyncio runs only what is marked for it",
    fix='mark it with @pytest.mark.asyncio or @pytest_asyncio.fixture; or set asyncio_mode = "auto" in the ini file',
    explanation=(
        "pytest calls the function, gets a coroutine, and does not know what to do with it. Its own words send one\n"
        "to install a plugin, which is installed; an async setup_method or unittest method is dropped in silence."
    ),
    bad="""
@pytest.fixture
async def client(): ...

async def test_fetch(client): ...
""",
    good="""
@pytest_asyncio.fixture
async def client(): ...

@pytest.mark.asyncio
async def test_fetch(client): ...
""",
    lint="PT (ruff) has no rule for it",
    not_seen="tests that are marked for another framework (anyio, trio); what a collection error hides",
)

_NO_PLUGIN = "async def functions are not natively supported"
# pytest-asyncio expects a generator to fail, and does not run it; with --runxfail it runs it all the same.
_GENERATOR = "[NOTRUN] Tests based on asynchronous generators"
_NO_COROUTINE = "a coroutine was expected"
_NO_FIXTURE_PLUGIN = "requested an async fixture"
_OTHERS = ("anyio", "trio")
_AUTO = 'or set asyncio_mode = "auto" in the ini file'
# An async twin that the framework does await, for what it calls and drops.
_TWINS = {"setUp": "asyncSetUp", "tearDown": "asyncTearDown"}


class NeverRan(Detector):
    rules: tuple[Rule, ...] = (RULE,)

    def __init__(self, unawaited: UnawaitedCoroutines) -> None:
        self._unawaited = unawaited

    def finish(self, scope: Scope) -> Iterable[Finding]:
        if scope.test is None:
            return []
        self._unawaited.finish()
        if scope.error is None and not self._unawaited.found:
            return []
        dropped = self._unawaited.take(_is_frameworks)
        found = [_dropped(each) for each in dropped]
        if (never := _of_test(scope.test, scope.error) or _of_fixture(scope.test, scope.error)) is not None:
            found.append(never)
            self._unawaited.take(partial(_is_handed_out, getattr(_function(scope.test), "__code__", None)))
        return found


def _of_test(item: Any, error: BaseException | None) -> Finding | None:
    function, said = _function(item), str(error)
    if function is None or _is_anothers(item) or not said.startswith((_NO_PLUGIN, _GENERATOR, _NO_COROUTINE)):
        return None
    called = getattr(item.obj, "__func__", item.obj)
    mark = f"put @pytest.mark.asyncio above it; {_AUTO}"
    if inspect.isasyncgenfunction(called):
        cause = "it has a yield, which makes it an async generator, and no plugin runs those as tests"
        fix = "take the yield out, or move it to a fixture"
    elif not said.startswith(_NO_PLUGIN):
        return None
    elif not inspect.iscoroutinefunction(function):
        cause = "it is a plain function that returns a coroutine, which nobody awaits"
        fix = "make it 'async def', and await the coroutine in it"
    elif not inspect.iscoroutinefunction(called):
        cause = "a decorator made it a plain function that returns a coroutine, so pytest-asyncio does not know it"
        fix = "make the decorator's wrapper 'async def', and await the test in it"
    elif item.get_closest_marker("asyncio") is not None:
        cause, fix = "it was marked by a hook, after pytest-asyncio had looked for its marks", mark
    elif _mode(item) == "strict":
        cause, fix = "asyncio_mode is strict, and the test is not marked with @pytest.mark.asyncio", mark
    else:
        return None
    return _instead(f"async test {item.name!r} never ran", site_of_code(function.__code__), cause, fix)


def _of_fixture(item: Any, error: BaseException | None) -> Finding | None:
    definition = _async_fixture(error)
    if definition is None or _is_anothers(item) or _mode(item) != "strict":
        return None
    code = definition.func.__code__
    name, defined = definition.argname, site_of_code(code)
    # The line to change is the decorator's, which is where the code object begins.
    decorated = Site(code.co_filename, code.co_firstlineno, code.co_qualname)
    details = (f"the fixture is defined at {defined}",) if decorated.line != defined.line else ()
    cause = "asyncio_mode is strict, and the fixture is decorated with @pytest.fixture"
    fix = f"decorate it with @pytest_asyncio.fixture; {_AUTO}"
    function = _function(item)
    if function is None or inspect.iscoroutinefunction(function):
        return _instead(f"async fixture {name!r} never ran", decorated, cause, fix, details)
    site, details = site_of_code(function.__code__), (f"the fixture is decorated at {decorated}", *details)
    fix = f"decorate the fixture with @pytest_asyncio.fixture (a test that awaits must be async, too); {_AUTO}"
    return _instead(
        f"async fixture {name!r} never ran, for the sync test {item.name!r}",
        site,
        f"{cause}, which does not await it",
        fix,
        details,
    )


def _async_fixture(error: BaseException | None) -> Any:
    """The fixture that pytest could not run, at its first use or (by a bare AssertionError) at a later one."""
    if error is None:
        return None
    frames = [step.tb_frame for step in steps(error)]
    if _NO_FIXTURE_PLUGIN in str(error):
        definitions = [frame.f_locals["fixturedef"] for frame in frames if "fixturedef" in frame.f_locals]
    elif isinstance(error, AssertionError) and frames and frames[-1].f_code.co_name == "execute":
        definitions = [frames[-1].f_locals.get("self")]
    else:
        return None
    function = getattr(definitions[-1], "func", None) if definitions else None
    is_async = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    # One that pytest-asyncio knows has failed by something else, such as a scope that is wider than its loop's.
    is_known = getattr(getattr(function, "__func__", function), "_force_asyncio_fixture", False)
    return definitions[-1] if is_async and not is_known and hasattr(function, "__code__") else None


def _is_anothers(item: Any) -> bool:
    """Whether anyio or trio runs it; anyio's auto mode marks nothing, but asks for its fixture."""
    marked = any(item.get_closest_marker(name) for name in _OTHERS)
    return marked or "anyio_backend" in getattr(item, "fixturenames", ())


def _is_handed_out(code: CodeType | None, unawaited: Unawaited) -> bool:
    """Whether it is the coroutine of the test itself, or the one that the test returned."""
    site = unawaited.site
    if code is None or unawaited.code is code or site is None:
        return unawaited.code is code
    return (site.path, site.function) == (code.co_filename, code.co_qualname) and site.source.startswith("return ")


def _is_frameworks(unawaited: Unawaited) -> bool:
    """Whether pytest or unittest called it as setup, teardown or test, and dropped the coroutine."""
    if unawaited.caller is None or unawaited.site != site_of_code(unawaited.code):
        return False
    path = unawaited.caller[0].replace("\\", "/")
    return "/unittest/" in path or path.endswith(("/_pytest/python.py", "/_pytest/unittest.py"))


def _dropped(unawaited: Unawaited) -> Finding:
    name = unawaited.code.co_name
    path = unawaited.caller[0].replace("\\", "/") if unawaited.caller else ""
    if "/unittest/" not in path:
        fix = "make it a fixture: @pytest_asyncio.fixture(autouse=True)"
        return Finding(RULE, f"async {name}() never ran", unawaited.site, "pytest calls it without awaiting it", fix)
    twin = _TWINS.get(name)
    fix = "derive the class from unittest.IsolatedAsyncioTestCase"
    if twin:
        fix = f"name it {twin}" if "async_case" in path else f"{fix}, and name it {twin}"
    return Finding(RULE, f"async {name}() never ran", unawaited.site, "unittest calls it without awaiting it", fix)


def _function(item: Any) -> Any:
    function = inspect.unwrap(getattr(item, "obj", None) or (lambda: None))
    function = getattr(function, "__func__", function)
    return function if hasattr(function, "__code__") else None


def _mode(item: Any) -> str:
    return str(item.config.getoption("asyncio_mode", None) or item.config.getini("asyncio_mode"))


def _instead(symptom: str, site: Site, cause: str, fix: str, details: tuple[str, ...] = ()) -> Finding:
    return Finding(RULE, symptom, site, cause, fix, details, instead=True)
