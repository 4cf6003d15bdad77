"""Keep the bytes that a version of task-queue writes, so that later versions can be held to reading them.

`hatch run contract:wire` runs one task for each way in which a task can end, and stores the pickled results, with what
they told, as tests/wire/task-result-<version>.json; and the calls and replies that go through a queue, as
tests/wire/task-call-<version>.json. It never changes a file: what was released stays readable. While
a version is not released yet, delete its file to have it written anew.
"""

from __future__ import annotations

import asyncio
import base64
import json
import pickle
import sys
import tomllib
from pathlib import Path
from typing import Any

from shared_testing import VirtualClockLoop
from task_queue import AsyncTaskQueue, RetryPolicy, TaskResult
from task_queue.wire import Call, Reply

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "wire"

# From a text of its own, so that the stored tracebacks name no file of whoever ran this.
_JOBS = """
import asyncio

async def fetch():
    return {"id": 1, "name": "Zoë"}

async def fail():
    raise ValueError("no such user")

async def hang():
    await asyncio.get_running_loop().create_future()

async def give_up():
    raise asyncio.CancelledError("of its own accord")
"""


def version() -> str:
    file = ROOT / "packages" / "task-queue" / "pyproject.toml"
    return str(tomllib.loads(file.read_text("utf-8"))["project"]["version"])


async def results() -> dict[str, TaskResult]:
    """One for each status, made by the queue itself."""
    jobs: dict[str, Any] = {}
    exec(compile(_JOBS, "jobs.py", "exec"), jobs)  # noqa: S102 - the text above
    ended = await AsyncTaskQueue(timeout=5).process_all(
        [("a", jobs["fetch"], (), {}), (2, jobs["hang"], (), {}), (("t", 3), jobs["give_up"], (), {})]
    )
    retried = await AsyncTaskQueue(retry=RetryPolicy(attempts=3)).process_task("again", jobs["fail"])
    stopped = AsyncTaskQueue(1)
    run = asyncio.create_task(stopped.process_all([("first", jobs["hang"], (), {}), ("second", jobs["fetch"], (), {})]))
    await asyncio.sleep(1)
    run.cancel()
    await asyncio.wait([run])
    return {str(result.status): result for result in (*ended, retried, *stopped.results)}


def told(result: TaskResult) -> dict[str, Any]:
    """All that a result says, as JSON can hold it."""
    return {
        "task_id": repr(result.task_id),
        "status": str(result.status),
        "result": repr(result.result),
        "error": repr(result.error),
        "error_text": result.error_text,
        "attempts": result.attempts,
        "started_at": result.started_at and result.started_at.isoformat(),
        "completed_at": result.completed_at and result.completed_at.isoformat(),
        "duration": result.duration,
    }


def messages() -> dict[str, Call | Reply]:
    """What a QueueEngine and its workers send each other, one of each sort."""
    call = Call("c1", "jobs:fetch", (1, "Zoë", None, [0.5]), {"deep": {"flag": True}}, 30.0, "replies.1")
    return {
        "call": call,
        "call without a timeout": call._replace(args=(), kwargs={}, timeout=None),
        "finished": Reply("c1", "finished", {"name": "Zoë"}, "", "", "", 0.25),
        "failed": Reply("c1", "failed", None, "ValueError", "no such user", "Traceback ...", 0.25),
        "failed with an error of the user's": Reply("c1", "failed", None, "jobs.NoUser", "7", "Traceback ...", 0.25),
        "timed out": Reply("c1", "failed", None, "task_queue.errors.TaskTimeoutError", "too long", "", 5.0),
        "cancelled": Reply("c1", "cancelled", None, "asyncio.exceptions.CancelledError", "", "", 0.0),
    }


def told_by(message: Call | Reply) -> str:
    """All that the other side makes of it."""
    return repr(message if isinstance(message, Call) else message.outcome())


def main() -> int:
    found = [write("task-result", result_bytes()), write("task-call", message_texts())]
    return 0 if any(found) else 1


def write(kind: str, stored: dict[str, Any]) -> bool:
    file = FOLDER / f"{kind}-{version()}.json"
    if file.exists():
        print(f"{file.relative_to(ROOT)} is there already, and what was released stays as it is", file=sys.stderr)
        return False
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(f"wrote {file.relative_to(ROOT)}")
    return True


def message_texts() -> dict[str, Any]:
    return {
        name: {"text": message.encode().decode(), "told": told_by(type(message).decode(message.encode()))}
        for name, message in messages().items()
    }


def result_bytes() -> dict[str, Any]:
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        made = runner.run(results())
    return {
        status: {"bytes": base64.b64encode(pickle.dumps(result)).decode(), "told": told(result)}
        for status, result in made.items()
    }


if __name__ == "__main__":
    sys.exit(main())
