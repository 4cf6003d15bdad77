"""The command line: options in, an exit code out."""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from queue_processor.errors import QueueProcessorError
from queue_processor.handler_path import NoHandler, load_handler
from queue_processor.processor import QueueProcessor
from queue_processor.progress import say
from queue_processor.queues.opening import open_queue
from queue_processor.serving import serve

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from queue_processor.queues.message_queue import DeadMessage, Message, MessageQueue

_URL = "QUEUE_URL"
_WIDEST_BODY = 60


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, 1 (failed, or stopped by a second signal), 130 (by a second SIGINT) or 2 (it could
    not begin)."""
    options = _parser().parse_args(arguments)
    if options.command == "dead" and options.action != "list" and not options.ids and not options.all:
        return _cannot_begin(f"dead {options.action}: give the ids, or --all")
    try:
        # Not inside the event loop: who knows what a module does when it is imported.
        handler = load_handler(options.handler) if options.command == "run" else None
        return asyncio.run(_run(options, handler))
    except (NoHandler, _CannotBegin) as error:
        return _cannot_begin(str(error))
    except (QueueProcessorError, OSError, TypeError) as error:
        return _cannot_begin(str(error), code=1)


class _CannotBegin(Exception):
    """Nothing was done yet."""


async def _run(options: argparse.Namespace, handler: Callable[[Message], Awaitable[Any]] | None) -> int:
    limits = {
        name: value for name in ("lease", "max_deliveries") if (value := getattr(options, name, None)) is not None
    }
    try:
        opened = open_queue(options.queue, **limits)
        queue = await opened.__aenter__()
    except (ValueError, ImportError, QueueProcessorError, OSError) as error:
        raise _CannotBegin(str(error)) from error
    try:
        try:
            # A server is spoken to for the first time: now nothing has been begun yet.
            counts = await queue.counts()
        except (QueueProcessorError, OSError) as error:
            raise _CannotBegin(str(error)) from error
        if handler is not None:
            processor = QueueProcessor(handler, queue=queue, consumers=options.consumers, drain=options.drain)
            return await serve(processor, queue, options.every, for_machines=options.json)
        if options.command == "dead":
            return await _dead(queue, options)
        _print(counts._asdict(), f"{counts.waiting} waiting, {counts.in_flight} in flight, {counts.dead} dead", options)
        return 0
    finally:
        await opened.__aexit__(None, None, None)


async def _dead(queue: MessageQueue, options: argparse.Namespace) -> int:
    if options.action == "list":
        for letter in await queue.dead_letters(None if options.ids else options.limit):
            if not options.ids or letter.id in options.ids:
                _print(_as_json(letter), _as_line(letter), options)
        return 0
    deal, name = (queue.retry_dead, "put back") if options.action == "retry" else (queue.drop_dead, "dropped")
    count = await deal(*options.ids)
    missing = len(set(options.ids)) - count if options.ids else 0
    _print({name.replace(" ", "_"): count}, f"{count} {name}" + (f", {missing} not there" * bool(missing)), options)
    return 1 if missing else 0


def _as_line(letter: DeadMessage) -> str:
    body = letter.body.decode("utf-8", "replace")
    shown = body if len(body) <= _WIDEST_BODY else body[:_WIDEST_BODY] + "…"
    return f"{letter.id}  after {letter.deliveries}: {letter.reason}  {shown!r}"


def _as_json(letter: DeadMessage) -> dict[str, Any]:
    fields = letter._asdict()
    try:
        fields["body"] = letter.body.decode()
    except UnicodeDecodeError:
        del fields["body"]
        fields["body_base64"] = base64.b64encode(letter.body).decode()
    return fields


def _print(fields: dict[str, Any], line: str, options: argparse.Namespace) -> None:
    say(json.dumps(fields) if options.json else line, sys.stdout)


def _cannot_begin(message: str, code: int = 2) -> int:
    first_line = message.partition("\n")[0]
    say(f"queue-processor: {first_line}", sys.stderr)
    return code


# ---------------------------------------------------------------- options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="queue-processor",
        description="Have the messages of a queue handled, and look after the queue.",
        epilog="URL: sqlite:///path/jobs.db?name=pages, redis://host:6379/0?name=pages, rediss://…, unix:///socket",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="run | status | dead")
    _add_run(commands.add_parser("run", help="work on a queue until SIGTERM"))
    _add_common(commands.add_parser("status", help="how many messages are where"))
    _add_dead(commands.add_parser("dead", help="what was given up"))
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    # A command line can be read by whoever may list the processes; an environment cannot.
    known = os.environ.get(_URL)
    what = f"where the messages are; with a password in it, better in ${_URL}"
    parser.add_argument("--queue", required=not known, default=known, metavar="URL", help=what)
    parser.add_argument("--json", action="store_true", help="for machines: a JSON object a line, on stdout")


def _add_run(parser: argparse.ArgumentParser) -> None:
    _add_common(parser)
    add = parser.add_argument
    add("--handler", required=True, metavar="MODULE:FUNCTION", help="async def of one message, e.g. pages.work:handle")
    add("--consumers", type=_at_least_one, default=8, metavar="N", help="messages handled at once (%(default)s)")
    add("--lease", type=_seconds, metavar="S", help="seconds until what a dead worker had comes back (30)")
    add("--max-deliveries", type=_at_least_one, metavar="N", help="then a message is a dead letter (5)")
    add("--drain", type=_seconds, metavar="S", help="at SIGTERM, at most so long for what is in work (all it takes)")
    add("--every", type=_seconds, metavar="S", help="between two lines of progress (1 on a terminal, else 10)")


def _add_dead(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="list | retry | drop")
    for name, meaning in (("list", "show them"), ("retry", "put them back, as if new"), ("drop", "forget them")):
        action = actions.add_parser(name, help=meaning)
        _add_common(action)
        action.add_argument("ids", nargs="*", metavar="ID", help="only these")
        if name == "list":
            action.add_argument("--limit", type=_at_least_one, metavar="N", help="the oldest N")
        else:
            action.add_argument("--all", action="store_true", help="without ids: all of them")


def _at_least_one(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text}: it is 1 or more")
    return number


def _seconds(text: str) -> float:
    if not 0 < (number := float(text)) < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: it is above 0, in seconds")
    return number
