"""Producers, a bounded queue, consumers: nothing lost, nothing left running."""

from queue_processor.background import BackgroundProcessor
from queue_processor.dead_letters import DeadLetter
from queue_processor.errors import (
    CalledFromHandler,
    ConsumersGone,
    HandlerCancelled,
    ItemFailed,
    ProcessorNotRunning,
    QueueClosed,
    QueueFileUnusable,
    QueueProcessorError,
    QueueRefused,
    QueueUnavailable,
    Reject,
    UnfinishedWork,
    WrongEventLoop,
)
from queue_processor.handles import Handle
from queue_processor.item_queue import ItemQueue
from queue_processor.processor import QueueProcessor
from queue_processor.queues.memory import MemoryQueue
from queue_processor.queues.message_queue import Counts, DeadMessage, Message, MessageQueue
from queue_processor.queues.opening import open_queue
from queue_processor.queues.redis_queue import RedisQueue
from queue_processor.queues.sqlite import SQLiteQueue
from queue_processor.retry import Backoff
from queue_processor.run import Results
from queue_processor.serving import serve
from queue_processor.tally import Tally

__all__ = [
    "BackgroundProcessor",
    "Backoff",
    "CalledFromHandler",
    "ConsumersGone",
    "Counts",
    "DeadLetter",
    "DeadMessage",
    "Handle",
    "HandlerCancelled",
    "ItemFailed",
    "ItemQueue",
    "MemoryQueue",
    "Message",
    "MessageQueue",
    "ProcessorNotRunning",
    "QueueClosed",
    "QueueFileUnusable",
    "QueueProcessor",
    "QueueProcessorError",
    "QueueRefused",
    "QueueUnavailable",
    "RedisQueue",
    "Reject",
    "Results",
    "SQLiteQueue",
    "Tally",
    "UnfinishedWork",
    "WrongEventLoop",
    "open_queue",
    "serve",
]
