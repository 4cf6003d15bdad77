"""Refuse a stub on the line that writes it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

from shared_testing.contracts.contract import ContractViolation
from shared_testing.evidence import stubs
from shared_testing.findings.site import user_site

if TYPE_CHECKING:
    from shared_testing.findings.site import Site


def written_at() -> Site | None:
    """The user's line that is writing a stub."""
    return user_site(sys._getframe(1))


def forbid(what: str, why: str, fix: str = "", *, site: Site | None = None) -> NoReturn:
    """Tell AT601 and raise: `what` the test has written, and `why` it cannot be. `site`: where, if not just now."""
    __tracebackhide__ = True
    stubs.tell(stubs.Mismatch(what, site or written_at(), why, fix, code="AT601"))
    raise ContractViolation(f"{what}: {why}")
