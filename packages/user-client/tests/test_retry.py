"""The retry policy, its budget, and what Retry-After means."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_testing.contracts.user_api import GET_USER
from user_client import RetryBudget, RetryPolicy, ServerUnavailable, UserAPIClient
from user_client.retry import read_retry_after

if TYPE_CHECKING:
    from shared_testing import FakeUsers, VirtualClock


@given(st.integers(1, 5000), st.integers())
def test_full_jitter_is_between_nothing_and_the_doubled_delay(failures: int, seed: int) -> None:
    """Any wait up to the ceiling may be drawn, and the ceiling stops growing at max_delay."""
    policy = RetryPolicy(base_delay=0.1, max_delay=20, random=Random(seed))
    assert 0 <= policy.delay(failures) <= min(20, 0.1 * 2.0 ** min(failures - 1, 60))


def test_jitter_is_drawn_from_the_random_given() -> None:
    """The same seed gives the same waits, so that a test can be replayed."""
    first, second = (RetryPolicy(random=Random(7)) for _ in range(2))
    assert [first.delay(n) for n in range(1, 9)] == [second.delay(n) for n in range(1, 9)]
    assert len({first.delay(5) for _ in range(20)}) > 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempts": 0},
        {"base_delay": -1},
        {"base_delay": 5, "max_delay": 1},
        {"max_delay": math.inf},
        {"attempt_timeout": 0},
        {"base_delay": math.nan},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    """The error names the argument."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RetryPolicy(**wrong)


@pytest.mark.parametrize("wrong", [{"capacity": -1}, {"retry_cost": math.nan}, {"timeout_cost": -5}])
def test_a_budget_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    """The error names the argument."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RetryBudget(**wrong)


def test_a_budget_gives_what_it_has_and_takes_back_no_more() -> None:
    """100 retries empty a full bucket of 500; it never holds more than its capacity."""
    budget = RetryBudget()
    assert [budget.take(5) for _ in range(101)] == [True] * 100 + [False]
    budget.give_back(10_000)
    assert repr(budget) == "<RetryBudget 500 of 500 tokens>"


def test_a_budget_can_be_boundless() -> None:
    """RetryBudget(math.inf) always pays."""
    budget = RetryBudget(math.inf)
    assert all(budget.take(10**9) for _ in range(10))


@given(st.decimals(0, 10**9, places=3))
def test_retry_after_in_seconds(seconds: Any) -> None:
    """A number of seconds is that number."""
    assert read_retry_after(f" {seconds} ", None) == float(seconds)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1)), st.integers(-(10**6), 10**6))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_retry_after_as_a_date_is_compared_to_the_server_s_clock(now: datetime, seconds: int) -> None:
    """The answer's own Date is the present, so a wrong clock on our side does no harm; the past means at once."""
    sent = now.replace(microsecond=0, tzinfo=UTC)
    due = format_datetime(sent + timedelta(seconds=seconds), usegmt=True)
    assert read_retry_after(due, format_datetime(sent, usegmt=True)) == max(0, seconds)


def test_a_date_without_a_date_beside_it_is_compared_to_our_clock() -> None:
    """A server without a Date header is believed to have our time."""
    soon = read_retry_after(format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True), None)
    assert soon is not None
    assert 3590 < soon <= 3600


@given(st.text(max_size=40))
def test_nonsense_in_retry_after_never_raises(text: str) -> None:
    """Whatever the server sends there is a wait of 0 or more, or nothing."""
    wait = read_retry_after(text, text)
    assert wait is None or wait >= 0


@pytest.mark.parametrize(
    "text", ["", "soon", "-1", "nan", "inf", "1e3", "\u0663", "Wed, 99 Foo 2026 25:61:00 GMT", "0x10"]
)
def test_what_is_no_wait_is_no_wait(text: str) -> None:
    """Only digits and dates count: float() would take nan and inf as well."""
    assert read_retry_after(text, None) is None


async def test_an_empty_budget_makes_the_first_error_final(
    users: FakeUsers, virtual_clock: VirtualClock, exact: RetryPolicy
) -> None:
    """When most requests fail, retries stop instead of tripling the load."""
    users.on(GET_USER).reply(500, times=9)
    budget = RetryBudget(20)
    policy = RetryPolicy(base_delay=1, random=exact.random, budget=budget)
    async with UserAPIClient(users.url, retry=policy) as client:
        for _ in range(5):
            with pytest.raises(ServerUnavailable) as caught:
                await client.fetch_user(1)
    assert client.retries == 4
    assert len(users.requests) == 5 + 4
    assert "retry budget is used up" in caught.value.__notes__[0]
    assert budget.tokens == 0


async def test_success_pays_into_the_budget(users: FakeUsers, virtual_clock: VirtualClock) -> None:
    """One token for a success, and what the retry took for a success after a retry."""
    users.add()
    users.on(GET_USER).reply(500)
    budget = RetryBudget(500)
    budget.take(100)
    async with UserAPIClient(users.url, retry=RetryPolicy(budget=budget)) as client:
        await client.fetch_user(1)
        assert budget.tokens == 400
        await client.fetch_user(1)
        assert budget.tokens == 401


async def test_clients_of_one_policy_have_budgets_of_their_own(users: FakeUsers, virtual_clock: VirtualClock) -> None:
    """One client's broken server does not cost another client its retries."""
    users.on(GET_USER).reply(500, times=None)
    policy = RetryPolicy(attempts=200, base_delay=0, max_delay=0)
    async with UserAPIClient(users.url, retry=policy) as one, UserAPIClient(users.url, retry=policy) as other:
        for client in (one, other):
            with pytest.raises(ServerUnavailable):
                await client.fetch_user(1)
            assert client.retries == 100
