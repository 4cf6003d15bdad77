"""Fetch many users: a few workers over the list, and every outcome kept."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Any

from user_client.errors import RequestTimedOut, SomeUsersFailed, SomeUsersTimedOut, UserAPIError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from user_client.request import Request
    from user_client.users import User, UserId


async def fetch_several(
    requests: Sequence[tuple[UserId, Request]],
    fetch: Callable[[Request], Awaitable[User]],
    workers: int,
    *,
    return_errors: bool,
) -> list[Any]:
    """The outcome of each request, in order; requests for the same path share one."""
    distinct = {request.path: request for _, request in requests}
    outcomes: dict[str, User | UserAPIError] = {}
    todo = iter(distinct.values())
    try:
        # Workers, not a task for each id; the group ends only when none of them is left.
        async with asyncio.TaskGroup() as group:
            for _ in range(min(workers, len(distinct))):
                group.create_task(_work(todo, fetch, outcomes))
    except BaseExceptionGroup as errors:
        bug = errors.exceptions[0]
    else:
        if not return_errors:
            _raise_failures(requests, outcomes)
        return _in_order(requests, outcomes)
    # What is not a UserAPIError is a bug of ours or of a middleware; it comes out as it would from fetch_user().
    raise bug


async def _work(
    todo: Iterator[Request], fetch: Callable[[Request], Awaitable[User]], outcomes: dict[str, User | UserAPIError]
) -> None:
    for request in todo:
        try:
            outcomes[request.path] = await fetch(request)
        except UserAPIError as error:
            # Kept for the caller, without the frames of a call that is over.
            outcomes[request.path] = error.with_traceback(None)


def _in_order(
    requests: Sequence[tuple[UserId, Request]], outcomes: dict[str, User | UserAPIError]
) -> list[User | UserAPIError]:
    results: list[User | UserAPIError] = []
    seen: set[str] = set()
    for _, request in requests:
        outcome = outcomes[request.path]
        # A second occurrence is a copy: who changes one dict must not change another place of the list.
        results.append(copy.deepcopy(outcome) if request.path in seen else outcome)
        seen.add(request.path)
    return results


def _raise_failures(requests: Sequence[tuple[UserId, Request]], outcomes: dict[str, User | UserAPIError]) -> None:
    errors = {
        user_id: error for user_id, request in requests if isinstance(error := outcomes[request.path], UserAPIError)
    }
    if not errors:
        return
    paths = dict.fromkeys(request.path for _, request in requests)
    users = [user for path in paths if not isinstance(user := outcomes[path], UserAPIError)]
    is_late = any(isinstance(error, RequestTimedOut) for error in errors.values())
    raise (SomeUsersTimedOut if is_late else SomeUsersFailed).of(users, errors)
