"""Put functions in the place of others for a while, and everything back exactly."""

from __future__ import annotations

from typing import Any

_ABSENT = object()


class Patches:
    """What was replaced, and by what. The last is undone first."""

    def __init__(self) -> None:
        self._done: list[tuple[Any, str, Any, Any]] = []

    def set(self, owner: Any, name: str, replacement: Any) -> None:
        """Replace ``owner.name``; an inherited one is covered, not changed."""
        self._done.append((owner, name, vars(owner).get(name, _ABSENT), replacement))
        setattr(owner, name, replacement)

    def undo(self) -> None:
        """Put everything back, unless somebody else has replaced it since: theirs would be lost."""
        while self._done:
            owner, name, before, replacement = self._done.pop()
            if vars(owner).get(name, _ABSENT) is not replacement:
                continue
            if before is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, before)
