"""All detectors. To add a pitfall: its file in this folder, and its line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared_testing.detectors import (
    blocking_call,
    busy_loop,
    deadlock,
    endless_step,
    forbidden_stub,
    foreign_loop,
    gather_siblings,
    held_lock,
    leaked_state,
    leaked_task,
    leaked_timer,
    left_behind,
    long_step,
    lost_exception,
    lost_update,
    missing_await,
    never_ran,
    open_generator,
    stub_mismatch,
    swallowed_cancellation,
    unclosed,
    unclosed_file,
    wrong_mock,
)
from shared_testing.evidence.mocks import MockCalls
from shared_testing.evidence.steps import StepMonitor
from shared_testing.evidence.unawaited import UnawaitedCoroutines

if TYPE_CHECKING:
    from shared_testing.detectors.detector import Detector
    from shared_testing.findings import Rule
    from shared_testing.settings import Settings

RULES: dict[str, Rule] = {
    rule.code: rule
    for rule in (
        missing_await.RULE,
        wrong_mock.RULE,
        never_ran.RULE,
        blocking_call.RULE,
        long_step.RULE,
        leaked_task.RULE,
        unclosed.RULE,
        unclosed_file.RULE,
        left_behind.RULE,
        open_generator.RULE,
        lost_update.RULE,
        deadlock.RULE,
        swallowed_cancellation.RULE,
        lost_exception.RULE,
        gather_siblings.RULE,
        foreign_loop.RULE,
        leaked_state.RULE,
        forbidden_stub.RULE,
        stub_mismatch.RULE,
    )
}


def make_detectors(settings: Settings) -> list[Detector]:
    """New detectors, in the order in which they are installed; they are undone the other way round."""
    unawaited = UnawaitedCoroutines()
    monitor = StepMonitor()
    return [
        # Before AT101, as they answer for some of the coroutines: those of mocks that a failed test needed as
        # values, and those of tests and setups.
        wrong_mock.WrongMock(MockCalls(), unawaited),
        never_ran.NeverRan(unawaited),
        missing_await.MissingAwait(unawaited),
        blocking_call.BlockingCall(monitor, settings.block_seconds),
        long_step.LongStep(monitor, settings.step_seconds),
        leaked_task.LeakedTask(),
        leaked_timer.LeakedTimer(),
        held_lock.HeldLock(),
        unclosed.Unclosed(),
        unclosed_file.UnclosedFile(),
        left_behind.LeftBehind(),
        open_generator.OpenGenerator(),
        lost_update.LostUpdates(),
        deadlock.Deadlock(),
        swallowed_cancellation.SwallowedCancellation(),
        lost_exception.LostException(),
        gather_siblings.GatherSiblings(),
        foreign_loop.ForeignLoop(),
        busy_loop.BusyLoop(),
        endless_step.EndlessStep(monitor),
        leaked_state.LeakedState(settings.strict_state),
        forbidden_stub.ForbiddenStub(),
        stub_mismatch.StubMismatch(),
    ]
