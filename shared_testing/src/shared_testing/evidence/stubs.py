"""What a test has set up and did not use, used and did not set up, or may not set up: told here, and reported.

A fake tells it from wherever it notices, also from a teardown; without a detector nobody listens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared_testing.findings.site import Site


class Mismatch(NamedTuple):
    """One of them, in words."""

    symptom: str
    site: Site | None
    cause: str
    fix: str
    code: Literal["AT601", "AT602"] = "AT602"
    unused: bool = False
    """Set up and not used: to be expected of a test that failed before it came to it."""
    follows_from: str = ""
    """The code of the rule whose findings in the same test explain it."""


class Orders:
    """What one method of a stand-in was told to do: where each step was written, and how many of them were taken.

    Apart from the steps themselves: whoever keeps this for the end of the test keeps no object of the user's alive.
    """

    __slots__ = ("method", "sites", "taken", "withdrawn")

    def __init__(self, method: str) -> None:
        self.method = method
        self.sites: list[Site | None] = []
        self.taken = 0
        self.withdrawn = False
        """Others were given in their place."""

    def unused(self) -> Mismatch | None:
        """The first step that no call has taken. The last is for any number of calls, and has to be met once."""
        if self.withdrawn or self.taken >= len(self.sites):
            return None
        symptom = f"stub of {self.method}() was {'left over' if self.taken else 'never used'}"
        cause = f"{'fewer calls' if self.taken else 'no call'} of {self.method}() met it"
        fix = "make the call that meets it, or remove it"
        # A call that was not awaited has not come here, and is told as that.
        return Mismatch(symptom, self.sites[self.taken], cause, fix, unused=True, follows_from="AT101")


listeners: list[Callable[[Mismatch], object]] = []
order_books: list[Callable[[Orders], object]] = []
"""Told of all orders when they are given, to ask at the end what became of them."""


def tell(mismatch: Mismatch) -> None:
    for listener in listeners:
        listener(mismatch)


def give(orders: Orders) -> Orders:
    for book in order_books:
        book(orders)
    return orders
