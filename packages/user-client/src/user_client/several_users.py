"""Fetch many users: a few workers over the ids, and every outcome kept."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, TypeAlias

from user_client.errors import RequestTimedOut, SomeUsersFailed, SomeUsersTimedOut, UserAPIError
from user_client.time_limit import TimeLimit
from user_client.users import User, UserId

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    Fetch: TypeAlias = Callable[[UserId], Awaitable[User]]

Outcome: TypeAlias = User | UserAPIError

# An id as it was given, and the segment of the path that it becomes: 1 and "1" are the same user.
Ids: TypeAlias = "Sequence[tuple[UserId, str]]"


async def fetch_outcomes(
    distinct: Mapping[str, UserId], fetch: Fetch, workers: int, seconds: float
) -> dict[str, Outcome]:
    """What became of each user, by segment. Returns, or raises, when none of the workers is left."""
    outcomes: dict[str, Outcome] = {}
    todo = iter(distinct.items())
    loop = asyncio.get_running_loop()
    bug: BaseException | None = None
    try:
        with TimeLimit(loop, loop.time() + seconds):
            # Workers, not a task for each id.
            async with asyncio.TaskGroup() as group:
                for _ in range(min(workers, len(distinct))):
                    group.create_task(_work(todo, fetch, outcomes))
    except BaseExceptionGroup as errors:
        # What is not a UserAPIError is a bug, or comes from a middleware; it comes out as it would from fetch_user().
        bug = errors.exceptions[0]
    if bug is not None:
        raise bug
    for segment in distinct.keys() - outcomes.keys():
        outcomes[segment] = RequestTimedOut(f"user {segment} was not there when the {seconds:.3g} s for all had passed")
    return outcomes


async def _work(todo: Iterator[tuple[str, UserId]], fetch: Fetch, outcomes: dict[str, Outcome]) -> None:
    for segment, user_id in todo:
        try:
            outcomes[segment] = await fetch(user_id)
        except UserAPIError as error:
            # Kept for the caller, without the frames of a call that is over.
            outcomes[segment] = error.with_traceback(None)


def in_order(ids: Ids, outcomes: Mapping[str, Outcome]) -> list[Outcome]:
    """The outcome of each id, in the order asked for."""
    results: list[Outcome] = []
    seen: set[str] = set()
    for _, segment in ids:
        outcome = outcomes[segment]
        # A second occurrence is a copy: who changes one dict must not change another place of the list.
        results.append(copy.deepcopy(outcome) if segment in seen else outcome)
        seen.add(segment)
    return results


def raise_failures(ids: Ids, outcomes: Mapping[str, Outcome]) -> None:
    """Raise one error for all that failed, with all that did not."""
    errors = {user_id: outcome for user_id, segment in ids if isinstance(outcome := outcomes[segment], UserAPIError)}
    if not errors:
        return
    segments = dict.fromkeys(segment for _, segment in ids)
    users = [outcome for segment in segments if not isinstance(outcome := outcomes[segment], UserAPIError)]
    is_late = any(isinstance(error, RequestTimedOut) for error in errors.values())
    raise (SomeUsersTimedOut if is_late else SomeUsersFailed).of(users, errors)
