"""Give each run of pytest a fresh process that need not import pytest first.

A server that has imported pytest and its plugins, and has run nothing, forks for each run. The child goes the way of
``python -m pytest`` from there, to the end of the interpreter. That is half of what a small run costs.

The file descriptor of a socket is its only argument. A message is a run: its arguments, folder and environment, with
the descriptors of its output. The answer is the exit code. While a run lasts, any message kills it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Any

_LONGEST_MESSAGE = 1 << 20


def serve(control: socket.socket) -> dict[str, Any] | None:
    """What the run is that this process, a child, has to do; None when there are no more."""
    _import_pytest()
    # What is here now is nobody's garbage, and half of a small run would go into walking it: pytest collects five
    # times at its end, and Python when it ends itself.
    gc.collect()
    gc.freeze()
    # A Ctrl-C is for those who test: they close the socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        message, descriptors, *_ = socket.recv_fds(control, _LONGEST_MESSAGE, 2)
        if not message:
            return None
        child = os.fork()
        if not child:
            for number, descriptor in enumerate(descriptors, start=1):
                os.dup2(descriptor, number)
                os.close(descriptor)
            run: dict[str, Any] = json.loads(message)
            return run
        for descriptor in descriptors:
            os.close(descriptor)
        code = _wait(child, control)
        with contextlib.suppress(BrokenPipeError):
            control.send(str(code).encode())


def _import_pytest() -> None:
    """The way pytest does, which rewrites the asserts of its plugins. To explain a rule is to run nothing."""
    import pytest

    with Path(os.devnull).open("w") as nothing, contextlib.redirect_stdout(nothing):
        pytest.main(["--explain", "all"])


def _wait(child: int, control: socket.socket) -> int:
    ended = os.pidfd_open(child)
    if control.fileno() in select.select([ended, control.fileno()], [], [])[0]:
        control.recv(1)
        os.kill(child, signal.SIGKILL)
    os.close(ended)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def begin(run: dict[str, Any]) -> None:
    """Be as a process that was started by ``python -m pytest``."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(run["folder"])
    os.environ.clear()
    os.environ.update(run["environment"])
    # What it runs was written just now, and may be written anew within the second.
    sys.dont_write_bytecode = True
    # By -m, and by PYTHONPATH.
    sys.path[:0] = [run["folder"]] * 2
    sys.argv[1:] = run["arguments"]
    importlib.invalidate_caches()


def main() -> None:
    # The folder in which -c found itself.
    del sys.path[0]
    with socket.socket(fileno=int(sys.argv[1])) as control:
        run = serve(control)
    if run is not None:
        begin(run)
        runpy.run_module("pytest", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
