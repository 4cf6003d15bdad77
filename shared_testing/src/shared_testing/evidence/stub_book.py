"""Which stubs of aioresponses a test has written, and which of them a request has used."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared_testing.evidence import stubs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared_testing.findings.site import Site


@dataclass(eq=False, slots=True)
class Stub:
    name: str
    site: Site | None
    used: bool = False


class StubBook:
    """Of one ``aioresponses``: its stubs, by the keys under which it keeps them."""

    def __init__(self) -> None:
        self._stubs: dict[str, Stub] = {}

    def write(self, key: str, stub: Stub) -> None:
        self._stubs[key] = stub

    def clear(self) -> None:
        self._stubs.clear()

    def tell_unused(self, left: Mapping[str, Any]) -> None:
        """Report the stubs that no request has used (AT602). `left`: what aioresponses still has."""
        for key, stub in self._stubs.items():
            # What is used up is gone; what repeats for ever stays, and has to have been used once.
            matcher = left.get(key)
            if matcher is None or (stub.used and isinstance(matcher.repeat, bool)):
                continue
            was = "was left over" if stub.used else "was never used"
            cause = "fewer requests came to it than it is for" if stub.used else "no request came to it"
            fix = "make the request, or remove the stub; repeat=True is for any number of requests"
            stubs.tell(stubs.Mismatch(f"stub {stub.name} {was}", stub.site, cause, fix, unused=True))

    def tell_unmatched(self, what: str, write: str, left: Mapping[str, Any], site: Site | None) -> str:
        """Report the request `what`, which no stub answers, and return why. `write`: what would stub it."""
        names = [stub.name for key, stub in self._stubs.items() if key in left]
        cause = f"the stubs left are: {', '.join(names) or 'none'}"
        if close := difflib.get_close_matches(what, names, n=2):
            cause = f"did you mean {' or '.join(close)}?"
        elif any(stub.name == what for stub in self._stubs.values()):
            cause = f"its stub is used up (repeat=True keeps one); {cause}"
        stubs.tell(stubs.Mismatch(f"request {what}, which no stub answers", site, cause, write))
        return cause
