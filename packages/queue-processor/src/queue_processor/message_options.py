"""What a processor on a message queue cannot be asked for, said at once and with what to use instead."""

from __future__ import annotations

_CALLS = "put() or put_many(), `async with` of the processor, join() and run()"


def refuse_for_messages(attempts: int | None, maxsize: int | None, on_failure: str, *, has_handler: bool) -> None:
    """Raise TypeError for options of a processor that the message queue decides about."""
    if attempts is not None:
        raise TypeError("attempts= is the queue's to say: give max_deliveries= to the queue instead")
    if maxsize is not None:
        raise TypeError("maxsize= bounds items that wait in memory; with queue= they wait in the queue")
    if on_failure == "raise":
        raise TypeError(
            'on_failure="raise" stops the one who puts, and with queue= that may be another machine; what fails for '
            "good is in `await queue.dead_letters()`"
        )
    if not has_handler:
        raise TypeError("with queue= a handler is needed: without one every message would be acknowledged undone")


def results_stay(what: str) -> TypeError:
    """The error of a call that would have to bring results back."""
    return TypeError(f"{what} works on items in memory: results do not come back from a message queue; use {_CALLS}")


def messages_only(what: str) -> TypeError:
    """The error of a call that needs a message queue."""
    return TypeError(f"{what} works on a message queue, and this processor has no queue=; use process_all() or put()")
