"""A selector that costs nothing until there is a socket."""

from __future__ import annotations

import selectors
from typing import Any


class LazySelector(selectors.BaseSelector):
    """Asks the kernel for a descriptor at the first socket: most runs need none, and a loop is made for each."""

    def __init__(self) -> None:
        self.kernels: selectors.BaseSelector | None = None
        """None as long as there was no socket."""
        self._nothing: dict[Any, Any] = {}

    def _real_one(self) -> selectors.BaseSelector:
        if self.kernels is None:
            self.kernels = selectors.DefaultSelector()
        return self.kernels

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real_one().register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real_one().unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real_one().modify(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return self._real_one().select(timeout)

    def get_map(self) -> Any:
        return self._nothing if self.kernels is None else self.kernels.get_map()

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real_one().get_key(fileobj)

    def close(self) -> None:
        if self.kernels is not None:
            self.kernels.close()
