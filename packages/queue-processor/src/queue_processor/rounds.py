"""Where the input of producer() and consumer() begins and ends, when the caller starts both by hand.

Nobody declares how many producers there will be, so the end has to be inferred: it has come when the last
running producer has returned. A round is over when its consumers have seen that end; what is said about it
afterwards (the old way of stopping consumers puts one None for each) must not end the next round.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from queue_processor.channel import Channel
    from queue_processor.consumers import Consumer
    from queue_processor.roster import Roster


class Rounds:
    """The rounds of one channel, one after another."""

    def __init__(self, channel: Channel[Any], roster: Roster) -> None:
        self.serving = False
        """Whether `async with` is on: then only leaving it ends the input."""
        self._channel = channel
        self._roster = roster
        self._producers: set[object] = set()
        self._just_over = False

    def at_work(self) -> bool:
        """Whether anybody feeds or consumes."""
        return bool(self._producers or self._roster)

    @contextlib.contextmanager
    def feeding(self) -> Iterator[None]:
        """A producer is at work; the input ends with the last one, also when it fails or is cancelled."""
        token = object()
        self._producers.add(token)
        self.item()
        try:
            yield
        finally:
            self._producers.discard(token)
            if not self._producers and not self.serving:
                self._channel.end()

    @contextlib.contextmanager
    def consuming(self, consumer: Consumer[Any, Any]) -> Iterator[None]:
        """A consumer is at work; the round is over when the last one has seen the end."""
        self._just_over = False
        self._roster.add(consumer)
        try:
            yield
        finally:
            self._roster.remove(consumer)
            if not self._roster and not self._producers and self._channel.over() and not self._channel.closed:
                self._channel.reopen()
                self._just_over = True

    def item(self) -> None:
        """An item comes: after an end it begins a new input, unless the queue was closed for good."""
        self._just_over = False
        if self._channel.ended and not self._channel.closed:
            self._channel.reopen()

    def end(self) -> None:
        """No more comes: the input of a service is closed, any other ends."""
        if self.serving:
            self._channel.close()
            return
        if self._channel.closed and not self.at_work():
            # Closed by an earlier use; this is said about the next one.
            self._channel.reopen()
        self._channel.end()

    def signal(self) -> None:
        """A None was put: an end, unless the round that it was meant for is over and another has not begun."""
        if not (self._just_over or self._channel.closed):
            self.end()

    def forget(self) -> None:
        """Start afresh in another event loop: those who were at work in the closed one never come back."""
        self._producers = set()
        self.serving = False
        self._just_over = False
        if not self._channel.closed:
            self._channel.reopen()
