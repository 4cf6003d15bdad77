"""The long-running mode: consumers that serve the shared queue from the start of ``async with`` to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from queue_processor.consumers import Consumer, Work
from queue_processor.crew import Crew
from queue_processor.errors import ProcessorNotRunning, UnfinishedWork
from queue_processor.roster import wind_down

if TYPE_CHECKING:
    from queue_processor.workplace import Workplace

T = TypeVar("T")
R = TypeVar("R")


def start(place: Workplace[T, R], work: Work[T, R], consumers: int) -> None:
    """Start the consumers. What an earlier service left unfinished is done first."""
    place.enter_queue("async with")
    if place.crew is not None:
        raise ProcessorNotRunning("this processor has been entered already; enter it again when it has been left")
    place.channel.reopen()
    place.rounds.serving = True

    async def serve(consumer: Consumer[Any, Any]) -> None:
        try:
            await consumer.run()
        except Exception as error:
            # At once, not when the loop tells of the task's end: a put() must not come in between.
            place.fail(error)
            raise
        finally:
            place.roster.remove(consumer)

    crew = [Consumer(place.channel, work, place.gate) for _ in range(consumers)]
    for consumer in crew:
        # Now, not when its task begins: a shutdown before that has to wait for it too.
        place.roster.add(consumer)
    place.crew = Crew(crew, place.fail, on_left=place.roster.remove)
    place.crew.start(serve)


async def drain(place: Workplace[Any, Any], seconds: float | None, grace: float) -> None:
    """Let the consumers finish, and complain about what they did not get done.

    Raises what broke the service, and UnfinishedWork unless a shutdown() has already said what was left.
    """
    place.channel.close()
    await wind_down(place.roster, seconds, grace)
    if place.crew is not None:
        await place.crew.join()
    left = place.unfinished()
    if left and not place.told_what_is_left:
        raise UnfinishedWork(left)


async def leave(place: Workplace[Any, Any]) -> None:
    """Cancel what is still at work; its items go back to the queue, which accepts no others."""
    place.channel.close()
    try:
        if place.crew is not None:
            await place.crew.cancel()
    finally:
        place.crew = None
        place.rounds.serving = False
