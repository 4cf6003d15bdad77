"""Run many coroutines, a few at a time."""

from __future__ import annotations

from task_queue.errors import (
    DuplicateTaskError,
    MalformedTaskError,
    NotAsyncError,
    QueueInUseError,
    ReentrantCallError,
    TaskCancelledError,
    TaskTimeoutError,
)
from task_queue.progress import Progress
from task_queue.queue import AsyncTaskQueue
from task_queue.result import Status, TaskResult
from task_queue.retry import RetryPolicy
from task_queue.source import Task

__all__ = [
    "AsyncTaskQueue",
    "DuplicateTaskError",
    "MalformedTaskError",
    "NotAsyncError",
    "Progress",
    "QueueInUseError",
    "ReentrantCallError",
    "RetryPolicy",
    "Status",
    "Task",
    "TaskCancelledError",
    "TaskResult",
    "TaskTimeoutError",
]
