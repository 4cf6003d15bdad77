"""How the findings speak of stand-ins and of mocks: whole texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

_AUTO = ("-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")


def test_the_findings_about_stand_ins(pytester: pytest.Pytester) -> None:
    """A call is named as it was written, and the fix of a wrong mock is one that cannot be wrong."""
    pytester.makepyfile(
        """
        from unittest.mock import MagicMock
        from shared_testing import mock_of, on
        class Mailer:
            async def send(self, to): ...
            def size(self) -> int: return 1
        async def test_dropped():
            mailer = mock_of(Mailer)
            mailer.send("alice")
        async def test_swallowed():
            mailer = mock_of(Mailer)
            try: mailer.size()
            except BaseException: pass
        async def test_wrong_mock():
            mailer = MagicMock()
            await mailer.send("alice")
        async def test_impossible():
            mailer = mock_of(Mailer)
            on(mailer.size).returns("big")
        """
    )
    result = pytester.runpytest_subprocess(*_AUTO)
    result.stdout.fnmatch_lines(
        [
            "AT101 coroutine 'mailer.send' was never awaited",
            "  --> test_the_findings_about_stand_ins.py:8 in test_dropped",
            "AT602 Mailer.size() was called, and nobody said what it gives",
            "  --> test_the_findings_about_stand_ins.py:11 in test_swallowed",
            "  fix:   say it before the call: on(mock.size).returns(...)",
            "AT102 mailer.send is a MagicMock: its result cannot be awaited",
            "  fix:   make mailer.send an AsyncMock, or make mailer by mock_of(...), which awaits where the class does",
        ]
    )
    result.stdout.fnmatch_lines(
        [
            '>       on(mailer.size).returns("big")',
            "E       shared_testing.builders.stubs.ImpossibleStub: Mailer.size() gives int, and never 'big'",
        ]
    )
    assert "stubs.py" not in result.stdout.str()
    result.assert_outcomes(failed=4)


def test_a_mock_that_the_loop_calls_too_is_named_where_the_test_calls_it(pytester: pytest.Pytester) -> None:
    """asyncio itself asks a mocked clock or selector at each turn; those calls are passed over, and only those."""
    pytester.makepyfile(
        """
        import asyncio
        from unittest.mock import MagicMock
        async def test_wrong_mock(monkeypatch):
            loop = asyncio.get_running_loop()
            clock = MagicMock(side_effect=loop.time)
            monkeypatch.setattr(loop, "time", clock)
            await asyncio.sleep(0)
            assert clock.called
            await clock()
        """
    )
    result = pytester.runpytest_subprocess(*_AUTO)
    result.stdout.fnmatch_lines(["AT102 clock is a MagicMock, which gave a float: its result cannot be awaited"])
    result.assert_outcomes(failed=1)


def test_the_findings_about_stubs_that_nobody_needed(pytester: pytest.Pytester) -> None:
    """Of the test's own making: each on the line that wrote it, and none for what explains itself otherwise."""
    pytester.makepyfile(
        """
        import pytest
        from shared_testing import mock_of, on
        class Mailer:
            async def send(self, to) -> str: ...
            async def size(self) -> int: return 1
        @pytest.fixture
        def mailer():
            mailer = mock_of(Mailer)
            on(mailer.size).returns(1)
            return mailer
        async def test_never_used(mailer):
            on(mailer.send).returns("sent")
        async def test_left_over(mailer):
            (on(mailer.send)
                .raises(OSError("full"))
                .returns("sent"))
            with pytest.raises(OSError):
                await mailer.send("alice")
        async def test_not_awaited(mailer):
            on(mailer.send).returns("sent")
            mailer.send("alice")
        async def test_fails_before(mailer):
            on(mailer.send).returns("sent")
            raise KeyError
        async def test_fine(mailer):
            on(mailer.send).returns("never")
            on(mailer.send).returns("sent", "again")
            assert [await mailer.send("alice") for _ in range(3)] == ["sent", "again", "again"]
        """
    )
    result = pytester.runpytest_subprocess(*_AUTO)
    result.stdout.fnmatch_lines(
        [
            "AT602 stub of Mailer.send() was never used",
            "  --> test_the_findings_about_stubs_that_nobody_needed.py:12 in test_never_used",
            '   |   on(mailer.send).returns("sent")',
            "  cause: no call of Mailer.send() met it",
            "  fix:   make the call that meets it, or remove it",
            "AT602 stub of Mailer.send() was left over",
            "  --> test_the_findings_about_stubs_that_nobody_needed.py:1[46] in test_left_over",
            "  cause: fewer calls of Mailer.send() met it",
            "AT101 coroutine 'mailer.send' was never awaited",
        ]
    )
    assert result.stdout.str().count("AT602 ") == 2
    result.assert_outcomes(failed=4, passed=1)
