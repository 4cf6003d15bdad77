"""What gather() leaves running when it raises."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

DONE: list[int] = []


async def work(number: int, seconds: float = 0.01) -> int:
    await asyncio.sleep(seconds)
    DONE.append(number)
    return number


async def fail(seconds: float = 0) -> None:
    await asyncio.sleep(seconds)
    raise ValueError("no")


async def test_a_sibling_ends_later() -> None:
    with pytest.raises(ValueError):
        await asyncio.gather(fail(), work(1))  # !! AT702
    await asyncio.sleep(0.05)


async def test_a_sibling_is_still_running() -> None:
    with pytest.raises(ValueError):
        await asyncio.gather(fail(), work(1, 3600))  # !! AT702


async def test_tasks_that_the_caller_made_and_forgot() -> None:
    tasks = [asyncio.create_task(fail()), asyncio.create_task(work(1))]
    with contextlib.suppress(ValueError):
        await asyncio.gather(*tasks)  # !! AT702
    await asyncio.sleep(0.05)


async def test_a_sibling_fails_in_another_way() -> None:
    async def other() -> None:
        await asyncio.sleep(0.01)
        raise KeyError

    with contextlib.suppress(ValueError):
        await asyncio.gather(fail(), other())  # !! AT702
    await asyncio.sleep(0.05)


async def test_under_another_gather() -> None:
    with contextlib.suppress(ValueError):
        await asyncio.gather(fail(), asyncio.gather(work(1), work(2)))  # !! AT702
    await asyncio.sleep(0.05)


@pytest.mark.asyncio(loop_scope="module")
async def test_on_a_wider_loop() -> None:
    with contextlib.suppress(ValueError):
        await asyncio.gather(fail(), work(1))  # !! AT702
    await asyncio.sleep(0.05)


async def test_cancelled_by_the_caller_is_fine() -> None:
    tasks = [asyncio.create_task(fail()), asyncio.create_task(work(1))]
    try:
        await asyncio.gather(*tasks)
    except ValueError:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_awaited_by_the_caller_is_fine() -> None:
    tasks = [asyncio.create_task(fail()), asyncio.create_task(work(1)), asyncio.create_task(work(2))]
    try:
        await asyncio.gather(*tasks)
    except ValueError:
        await asyncio.wait(tasks)


async def test_awaited_one_by_one_is_fine() -> None:
    tasks = [asyncio.create_task(fail()), asyncio.create_task(work(1)), asyncio.create_task(work(2))]
    try:
        await asyncio.gather(*tasks)
    except ValueError:
        for task in tasks[1:]:
            await task


async def test_returned_exceptions_are_fine() -> None:
    await asyncio.gather(fail(), work(1), return_exceptions=True)


async def test_a_group_is_fine() -> None:
    with contextlib.suppress(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            group.create_task(work(1))


async def test_all_had_ended_is_fine() -> None:
    with contextlib.suppress(ValueError):
        await asyncio.gather(fail(0.02), work(1, 0))


async def test_a_second_failure_of_the_same_kind_is_fine() -> None:
    with contextlib.suppress(ValueError):
        await asyncio.gather(fail(), fail(0.01))
    await asyncio.sleep(0.05)


async def test_a_cancelled_gather_is_fine() -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.gather(work(1, 3600), work(2, 3600)), 0.01)
