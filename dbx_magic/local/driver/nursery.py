"""A process that has imported everything, from which each context's process is forked.

It reads requests, one JSON object a line, and answers in the same way: {"born": pid} for each
request and {"ended": pid, "code": code} when such a process has ended. It ends when its input does,
and the processes end when it does; {"retire": true} lets it wait for them first.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
from typing import Any

# For those to come: a kernel and Spark load these when they start, which takes a second or two.
import ipykernel.debugger  # noqa: F401
import py4j.clientserver  # type: ignore[import-untyped]  # noqa: F401
import pyspark.sql.classic.dataframe
import pyspark.testing  # noqa: F401

from . import start


def main() -> None:
    """Fork processes until nobody wants any."""
    answers = os.dup(1)
    os.dup2(2, 1)  # what is printed goes to the log, as errors do
    bell, ringer = os.pipe()
    os.set_blocking(ringer, False)
    signal.set_wakeup_fd(ringer)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    gc.freeze()  # the processes share this memory for as long as nobody writes to it
    children: set[int] = set()
    unread, retired = b"", False
    while not (retired and not children):
        ready, _, _ = select.select([0, bell], [], [])
        if bell in ready:
            os.read(bell, 1024)
            _bury(children, answers)
        if 0 in ready:
            data = os.read(0, 65536)
            if not data:
                return
            *lines, unread = (unread + data).split(b"\n")
            for line in lines:
                request = json.loads(line)
                if request.get("retire"):
                    retired = True
                    continue
                if not (pid := os.fork()):
                    for descriptor in (answers, bell, ringer):
                        os.close(descriptor)
                    _become(request)
                    return
                children.add(pid)
                _answer(answers, {"born": pid})


def _bury(children: set[int], answers: int) -> None:
    for pid in list(children):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            children.discard(pid)
            _answer(answers, {"ended": pid, "code": os.waitstatus_to_exitcode(status)})


def _answer(answers: int, answer: dict[str, Any]) -> None:
    os.write(answers, json.dumps(answer).encode() + b"\n")


def _become(request: dict[str, Any]) -> None:
    """Turn the forked process into a context's."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()  # so that it can be ended with all that it starts
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.environ.update(request["env"])
    start.main(request["connection"], request["settings"])
