"""Run many coroutines, a few at a time."""

from __future__ import annotations

from task_queue.engine import Engine
from task_queue.errors import (
    DuplicateTaskError,
    MalformedTaskError,
    NotAsyncError,
    NotSentError,
    QueueInUseError,
    ReentrantCallError,
    RemoteTaskError,
    TaskCancelledError,
    TaskLostError,
    TaskTimeoutError,
)
from task_queue.progress import Progress
from task_queue.queue import AsyncTaskQueue
from task_queue.queue_engine import QueueEngine
from task_queue.registry import task
from task_queue.result import Status, TaskResult
from task_queue.retry import RetryPolicy
from task_queue.source import Task
from task_queue.worker import TaskWorker

__all__ = [
    "AsyncTaskQueue",
    "DuplicateTaskError",
    "Engine",
    "MalformedTaskError",
    "NotAsyncError",
    "NotSentError",
    "Progress",
    "QueueEngine",
    "QueueInUseError",
    "ReentrantCallError",
    "RemoteTaskError",
    "RetryPolicy",
    "Status",
    "Task",
    "TaskCancelledError",
    "TaskLostError",
    "TaskResult",
    "TaskTimeoutError",
    "TaskWorker",
    "task",
]
