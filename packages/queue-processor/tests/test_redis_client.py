"""What RedisQueue says of its server: where it is, what is wrong, and never the password."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
import sys
import traceback
from typing import TYPE_CHECKING

import pytest

from queue_processor import QueueRefused, RedisQueue
from queue_processor.queues.redis_client import place_of

if TYPE_CHECKING:
    from pathlib import Path

    from shared_testing.builders.redis_server import RedisServer

PLACES = {
    "redis://": "localhost:6379/0",
    "redis://cache": "cache:6379/0",
    "redis://user:hunter2@cache:7000/3": "cache:7000/3",
    "rediss://:hunter2@[::1]:7000": "[::1]:7000/0",
    "unix://user:hunter2@/run/redis.sock?db=1": "/run/redis.sock",
}


@pytest.mark.parametrize(("url", "place"), PLACES.items())
async def test_a_place_is_named_without_credentials(url: str, place: str) -> None:
    assert place_of(url) == place
    assert repr(RedisQueue(url)) == f"<RedisQueue 'default' at {place}>"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "cache:6379",
        "http://user:hunter2@cache",
        "redis://user:hunter2/x@cache",
        "redis://:hunter2:hunter2@[cache",
        "redis://cache:6379/0?socket_timeout=hunter2",
    ],
)
def test_a_url_that_is_none_is_not_repeated(url: str) -> None:
    """It may hold the password, and what a parser says of it, too."""
    with pytest.raises(ValueError, match="URL") as caught:
        RedisQueue(url)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("credentials", ["", ":hunter3@", "somebody:hunter3@"])
async def test_a_wrong_password_is_told_of_and_not_shown(redis_server: RedisServer, credentials: str) -> None:
    """As what it is, and not as a server that is away."""
    await redis_server.command("CONFIG", "SET", "requirepass", "hunter2")
    url = redis_server.url.replace("//", f"//{credentials}")
    async with RedisQueue(url) as queue:
        with pytest.raises(QueueRefused, match=rf"^127.0.0.1:{redis_server.port}/0 does not let us in: ") as caught:
            await queue.counts()
    said = "".join(traceback.format_exception(caught.value)) + repr(queue)
    assert "hunter" not in said
    assert "check the URL's user and password" in said


async def test_the_right_password_opens(redis_server: RedisServer) -> None:
    await redis_server.command("CONFIG", "SET", "requirepass", "hunter2")
    async with RedisQueue(redis_server.url.replace("//", "//:hunter2@")) as queue:
        assert await queue.counts() == (0, 0, 0)


async def test_a_user_that_may_not_do_it_is_told_of(redis_server: RedisServer) -> None:
    await redis_server.command("ACL", "SETUSER", "reader", "on", ">hunter2", "~*", "+@read")
    async with RedisQueue(redis_server.url.replace("//", "//reader:hunter2@")) as queue:
        with pytest.raises(QueueRefused, match=r"no permissions|NOPERM"):
            await queue.counts()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="it makes the certificate: apt-get install openssl")
async def test_a_server_that_nobody_vouches_for_is_told_of(tmp_path: Path) -> None:
    """As what waiting does not mend."""
    files = ["-keyout", f"{tmp_path / 'key'}", "-out", f"{tmp_path / 'certificate'}"]
    made = ["-nodes", "-subj", "/CN=cache", "-days", "1", *files]
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", *made]
    await asyncio.to_thread(lambda: subprocess.run(request, check=True, capture_output=True))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context) as server:
        url = f"rediss://:hunter2@127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with RedisQueue(url) as queue:
            with pytest.raises(QueueRefused, match=r"^127.0.0.1:\d+/0 is not trusted: ") as caught:
                await queue.counts()
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_without_redis_py_the_package_works_and_the_queue_says_what_to_install() -> None:
    """It is an extra: who has no server has no use for its client."""
    program = (
        "import sys; sys.modules['redis'] = None; import queue_processor as q\n"
        "try: q.RedisQueue('redis://')\nexcept ImportError as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said == (
        "RedisQueue needs redis-py, which is not installed: pip install asyncworks-queue-processor[redis]\n"
    )


def test_importing_the_package_does_not_import_redis_py() -> None:
    program = "import sys, queue_processor; print('redis' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said == "False\n"
