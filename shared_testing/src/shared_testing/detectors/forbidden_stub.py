"""AT601: a stub that the contract forbids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared_testing.detectors.detector import Detector
from shared_testing.evidence import stubs
from shared_testing.findings import Finding, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared_testing.detectors.detector import Scope
    from shared_testing.loop.observer import LoopObserver

RULE = Rule(
    code="AT601",
    title="stub that the contract forbids",
    cause="the service never answers like this, so the test proves nothing about the service",
    fix="write what the service does answer; users.on(...).break_contract(...) is for a server that misbehaves",
    explanation=(
        "A stub that was right once stays green when the service has changed, and one with a typing error was never\n"
        "right. The contract knows each endpoint's statuses, headers and fields; a stub is held against it on the\n"
        "line that writes it, and the test ends there."
    ),
    bad="""
async def test_waits(users, client):
    users.on(GET_USER).reply(429)
    await client.fetch_user(1)
""",
    good="""
async def test_waits(users, client):
    users.on(GET_USER).reply(429, retry_after=7)
    await client.fetch_user(1)
""",
    lint="none",
    not_seen="stubs of other tools, and those of `responses` at URLs without check_against()",
)


class ForbiddenStub(Detector):
    rules: tuple[Rule, ...] = (RULE,)

    def __init__(self) -> None:
        self._heard: list[stubs.Mismatch] = []

    def install(self, observer: LoopObserver) -> None:
        stubs.listeners.append(self._hear)

    def uninstall(self) -> None:
        stubs.listeners.remove(self._hear)

    def _hear(self, mismatch: stubs.Mismatch) -> None:
        if mismatch.code == RULE.code:
            self._heard.append(mismatch)

    def finish(self, scope: Scope) -> Iterable[Finding]:
        if not self._heard:
            return ()
        from shared_testing.contracts.contract import ContractViolation

        heard = list(dict.fromkeys(self._heard))
        self._heard.clear()
        # It says the same, below a traceback that adds nothing.
        instead = isinstance(scope.error, ContractViolation)
        return [Finding(RULE, each.symptom, each.site, each.cause, each.fix, instead=instead) for each in heard]
