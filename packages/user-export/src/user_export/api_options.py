"""The options that say where the user API is and how to speak to it: the same for an export and for its workers."""

import argparse
import os

from user_client import AuthenticatedAPIClient, RetryPolicy, UserAPIClient

PASSWORD = "USER_EXPORT_PASSWORD"  # noqa: S105 - the variable's name
QUEUE = "USER_EXPORT_QUEUE"


def add_api_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--base-url", required=True, metavar="URL", help="where the user API is, e.g. http://localhost:8080")
    add("--concurrency", type=int, default=10, metavar="N", help="records fetched at once (%(default)s)")
    add("--timeout", type=float, default=30, metavar="S", help="seconds a request may take, with retries (%(default)s)")
    add("--user", metavar="NAME", help=f"log in as NAME, with the password in ${PASSWORD}")


def make_client(options: argparse.Namespace) -> UserAPIClient:
    """The client of these options, not connected yet; ValueError for options that cannot be meant."""
    if options.user is not None and PASSWORD not in os.environ:
        raise ValueError(f"--user {options.user} needs a password in the environment variable {PASSWORD}")
    kind = UserAPIClient if options.user is None else AuthenticatedAPIClient
    # An export would rather wait than stop: the deadline ends the tries, and the retry budget protects the server.
    patient = RetryPolicy(attempts=20)
    return kind(options.base_url, options.timeout, max_concurrent=options.concurrency, retry=patient)


async def log_in(client: UserAPIClient, options: argparse.Namespace) -> None:
    if isinstance(client, AuthenticatedAPIClient):
        await client.authenticate(options.user, os.environ[PASSWORD])
