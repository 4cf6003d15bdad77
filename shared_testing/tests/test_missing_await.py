"""AT101 where the corpus cannot say it: what else is printed, and what is not ours to tell."""

from __future__ import annotations

import pytest

_AUTO = ("-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")
_STORE = """
    class Store:
        async def save(self): ...
"""


@pytest.mark.parametrize("options", [(), ("-W", "error"), ("-o", "asyncio_debug=true")])
@pytest.mark.parametrize("kept", ["", "KEPT.append"])
def test_python_does_not_tell_it_again(pytester: pytest.Pytester, options: tuple[str, ...], kept: str) -> None:
    """One text: no warning, no PytestUnraisableExceptionWarning, nothing at the interpreter's exit."""
    pytester.makepyfile(f"{_STORE}\n    KEPT = []\n    async def test_it(): {kept}(Store().save())\n")
    result = pytester.runpytest_subprocess(*_AUTO, *options)
    result.stdout.fnmatch_lines(["AT101 coroutine 'Store.save' was never awaited"])
    result.assert_outcomes(failed=1, warnings=0)
    assert "Warning" not in result.stdout.str() + result.stderr.str()


def test_what_a_module_makes_on_import_is_pythons_to_tell(pytester: pytest.Pytester) -> None:
    """It belongs to no test."""
    pytester.makepyfile(f"{_STORE}\n    Store().save()\n    async def test_it(): ...\n")
    result = pytester.runpytest_subprocess(*_AUTO)
    result.stdout.fnmatch_lines(["*RuntimeWarning: coroutine 'Store.save' was never awaited"])
    result.assert_outcomes(passed=1, warnings=1)


def test_what_a_library_drops_by_itself_is_pythons_to_tell(pytester: pytest.Pytester) -> None:
    """Its user can mend nothing: no line of theirs has part in it."""
    pytester.makepyfile(
        """
        import asyncio
        async def test_it():
            asyncio.get_running_loop().call_soon(asyncio.sleep, 0)
            await asyncio.sleep(0.001)
        """
    )
    result = pytester.runpytest_subprocess(*_AUTO)
    result.stdout.fnmatch_lines(["*RuntimeWarning: coroutine 'sleep' was never awaited"])
    result.assert_outcomes(passed=1, warnings=1)


def test_switched_off_it_leaves_python_alone(pytester: pytest.Pytester) -> None:
    """Each rule can be switched off alone."""
    pytester.makepyfile(f"{_STORE}\n    async def test_it(): Store().save()\n")
    result = pytester.runpytest_subprocess(*_AUTO, "-o", "findings_disable=AT101")
    result.stdout.fnmatch_lines(["*RuntimeWarning: coroutine 'Store.save' was never awaited"])
    result.assert_outcomes(passed=1, warnings=1)


def test_a_coroutine_inside_a_call_that_is_not_awaited_is_not_told_too(pytester: pytest.Pytester) -> None:
    """One cause: the outer call lacks its await."""
    pytester.makepyfile(f"    import asyncio\n{_STORE}\n    async def test_it(): asyncio.wait_for(Store().save(), 1)\n")
    result = pytester.runpytest_subprocess(*_AUTO)
    result.stdout.fnmatch_lines(["AT101 coroutine 'wait_for' was never awaited"])
    result.stdout.no_fnmatch_line("*Store.save' was never awaited*")


def test_one_that_was_refused_is_not_to_be_awaited(pytester: pytest.Pytester) -> None:
    """Somebody was to run it: an await in front of it is not what the program wants."""
    pytester.makepyfile(
        test_it="""
import asyncio, pytest

class Crew:
    def create_task(self, coroutine):
        raise RuntimeError("we have gone home")

async def work():
    await asyncio.sleep(0)

async def test_closed():
    with pytest.raises(RuntimeError):
        Crew().create_task(work())
"""
    )
    result = pytester.runpytest_inprocess(*_AUTO)
    result.stdout.fnmatch_lines(
        [
            "AT101 coroutine 'work' was never awaited",
            "  cause: create_task() was given it, and refused it, or was stopped before it began",
            "  fix:   close() the coroutine where it is refused or stopped",
        ]
    )
