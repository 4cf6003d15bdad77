"""All detectors. To add a pitfall: its file in this folder, and its line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared_testing.detectors import leaked_task, missing_await

if TYPE_CHECKING:
    from shared_testing.detectors.detector import Detector
    from shared_testing.findings import Rule
    from shared_testing.settings import Settings

RULES: dict[str, Rule] = {
    rule.code: rule
    for rule in (
        missing_await.RULE,
        leaked_task.RULE,
    )
}


def make_detectors(settings: Settings) -> list[Detector]:
    """New detectors, in the order in which they are installed; they are undone the other way round."""
    return [
        missing_await.MissingAwait(),
        leaked_task.LeakedTask(),
    ]
