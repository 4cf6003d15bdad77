"""Mocks of the wrong kind, and stubs that are not async."""

from __future__ import annotations

import asyncio
from unittest.mock import AsyncMock, MagicMock, Mock, create_autospec, patch

import pytest

from shared_testing import mock_of, on


class Users:
    def __init__(self, client: object) -> None:
        self.client = client

    async def name(self) -> str:
        user = await self.client.fetch(1)
        return user["name"]

    async def page(self) -> object:
        async with self.client.get("/") as reply:
            return reply

    async def names(self) -> list[object]:
        return [name async for name in self.client.stream()]

    async def both(self) -> object:
        return await asyncio.gather(self.client.fetch(1), self.client.fetch(2))

    async def later(self) -> object:
        pending = self.client.fetch(1)
        return await pending


async def test_a_result_that_cannot_be_awaited() -> None:
    client = MagicMock()  # !! AT102
    client.fetch.return_value = {"name": "Alice"}
    assert await Users(client).name() == "Alice"


async def test_a_result_that_nobody_set() -> None:
    client = MagicMock()  # !! AT102
    await Users(client).name()


async def test_a_mock_put_in_by_hand() -> None:
    client = AsyncMock()
    client.fetch = Mock(return_value={"name": "Alice"})  # !! AT102
    await Users(client).name()


async def test_a_mock_put_in_by_patch() -> None:
    users = Users(None)
    with patch.object(users, "client") as client:  # !! AT102
        client.fetch.return_value = None
        await users.name()


async def test_awaited_a_line_later() -> None:
    client = MagicMock()  # !! AT102
    await Users(client).later()


async def test_gathered() -> None:
    client = MagicMock()  # !! AT102
    await Users(client).both()


async def test_waited_for() -> None:
    client = MagicMock()  # !! AT102
    await asyncio.wait_for(client.fetch(1), 1)


async def test_made_a_task() -> None:
    client = MagicMock()  # !! AT102
    await asyncio.create_task(client.fetch(1))


async def test_no_context_manager() -> None:
    client = Mock()  # !! AT102
    await Users(client).page()


async def test_a_coroutine_is_no_context_manager() -> None:
    client = AsyncMock()
    async with client.get("/"):  # !! AT102
        pass


async def test_no_async_iterator() -> None:
    client = Mock()  # !! AT102
    await Users(client).names()


async def test_a_coroutine_is_no_async_iterator() -> None:
    client = AsyncMock()
    async for _ in client.stream():  # !! AT102
        pass


async def test_the_value_of_an_async_mock() -> None:
    reply = AsyncMock()
    body = reply.json()  # !! AT102
    assert body["id"] == 1


async def test_an_attribute_of_what_an_async_mock_gives() -> None:
    session = AsyncMock()
    assert session.get("/").status == 200  # !! AT102


async def test_a_comparison_with_what_an_async_mock_gives() -> None:
    session = AsyncMock()
    assert session.count() > 3  # !! AT102


class Stub:
    def fetch(self, number: int) -> dict[str, object]:  # !! AT102
        return {"name": "Alice"}


async def test_a_stub_written_by_hand() -> None:
    await Users(Stub()).name()


async def test_a_lambda_put_in_by_monkeypatch(monkeypatch: pytest.MonkeyPatch) -> None:
    users = Users(MagicMock())
    monkeypatch.setattr(users.client, "fetch", lambda number: {"name": "Alice"})  # !! AT102
    await users.name()


async def test_a_list_is_no_stream() -> None:
    client = Mock()  # !! AT102
    client.stream.return_value = ["Alice"]
    await Users(client).names()


async def test_an_async_mock_is_fine() -> None:
    client = AsyncMock()
    client.fetch.return_value = {"name": "Alice"}
    assert await Users(client).name() == "Alice"


async def test_a_magic_mock_enters_and_iterates() -> None:
    client = MagicMock()
    client.stream.return_value.__aiter__.return_value = ["Alice"]
    assert await Users(client).names() == ["Alice"]
    await Users(client).page()


async def test_an_error_that_is_meant_is_fine() -> None:
    with pytest.raises(TypeError):
        await Users(MagicMock()).name()


async def test_a_spec_knows_better() -> None:
    users = create_autospec(Users)
    users.name.return_value = "Alice"
    assert await users.name(users) == "Alice"


async def test_a_future_that_a_mock_gives_is_fine() -> None:
    client = MagicMock()
    client.fetch.return_value = asyncio.get_running_loop().create_future()
    client.fetch.return_value.set_result({"name": "Alice"})
    assert await Users(client).name() == "Alice"


class Client:
    def size(self) -> int:
        return 3

    async def fetch(self, number: int) -> dict[str, object]:
        return {"name": str(number)}


async def test_a_plain_method_of_a_stand_in_is_awaited() -> None:
    client = mock_of(Client)
    on(client.size).returns(3)
    await client.size()  # !! AT102


async def test_a_stand_in_awaits_where_its_class_does() -> None:
    client = mock_of(Client)
    on(client.fetch).returns({"name": "Alice"})
    assert await Users(client).name() == "Alice"
