"""The records of a page, fetched by a worker.

The exporter and its workers know the task by its name; only a worker has a client to do it with.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import cast

from task_queue import task
from user_client import User, UserAPIClient, UserAPIError, UserNotFound

_NAME = "user_export.fetch_page"

Page = list[User | None]


@task(name=_NAME)
async def fetch_page(ids: Sequence[int]) -> Page:
    """The users with these ids, in their order; None for one who is gone."""
    raise NotImplementedError(f"{len(ids)} users are fetched by a worker: user-export-worker")


def page_fetcher(client: UserAPIClient) -> Callable[[Sequence[int]], Awaitable[Page]]:
    """The task as a worker does it. It raises the first failure that is more than a user's absence."""

    @task(name=_NAME)
    async def fetch(ids: Sequence[int]) -> Page:
        outcomes = await client.fetch_multiple_users(ids, return_errors=True, timeout=client.timeout * len(ids))
        for outcome in outcomes:
            if isinstance(outcome, UserAPIError) and not isinstance(outcome, UserNotFound):
                raise outcome
        return [None if isinstance(outcome, UserNotFound) else cast("User", outcome) for outcome in outcomes]

    return fetch
