"""The process from which a cluster's Python processes are forked, ready to work at once."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class KernelDied(Exception):  # noqa: N818 - it says what happened
    """The process is gone; the message says how."""


class Nursery:
    """A Python process that has imported everything; contexts' processes are forked from it."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.log = log
        self._process = process
        self._unborn: deque[asyncio.Future[int]] = deque()
        self._ends: dict[int, asyncio.Future[int]] = {}
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, python: Path, env: Mapping[str, str], log: Path) -> Nursery:
        """Start one; it takes requests at once and answers them when it is ready."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as written:
            process = await asyncio.create_subprocess_exec(
                python,
                "-m",
                "dbx_magic.local.driver",
                stdin=asyncio.subprocess.PIPE,  # all of them end when this closes: when we die
                stdout=asyncio.subprocess.PIPE,
                stderr=written,
                env=env,
                start_new_session=True,  # a terminal's Ctrl-C is not theirs
            )
        return cls(process, log)

    async def fork(self, request: Mapping[str, Any]) -> tuple[int, asyncio.Future[int]]:
        """A new process: its id, and in the future the code with which it ends."""
        if self._reading.done():
            raise KernelDied(last_words(self._process.returncode or 0, self.log))
        born: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._unborn.append(born)
        self._send(request)
        pid = await asyncio.shield(born)
        return pid, self._ends[pid]

    def retire(self) -> None:
        """Let it end when the last of its processes has."""
        self._send({"retire": True})

    async def stop(self) -> None:
        """End it; what was forked from it ends as well."""
        if self._process.returncode is None:
            self._process.kill()
        await self._reading

    def _send(self, request: Mapping[str, Any]) -> None:
        if self._process.stdin is not None and self._process.returncode is None:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        answers = self._process.stdout
        while answers is not None and (line := await answers.readline()):
            match json.loads(line):
                case {"born": int(pid)}:
                    self._ends[pid] = loop.create_future()
                    self._unborn.popleft().set_result(pid)
                case {"ended": int(pid), "code": int(code)}:
                    self._ends[pid].set_result(code)
        code = await self._process.wait()
        for born in self._unborn:
            born.set_exception(KernelDied(last_words(code, self.log)))
            born.exception()  # the one who waited may be gone
        for end in self._ends.values():
            if not end.done():
                end.set_result(code)


def last_words(code: int, log: Path) -> str:
    """How a process ended, in words."""
    if code < 0:
        name = signal.Signals(-code).name
        hint = " It may have run out of memory." if name == "SIGKILL" else ""
        return f"The Python process of this context was ended by {name}.{hint}"
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"The Python process of this context ended with exit code {code}." + (
        f" Its last words: {said[-1]}" if said and code else ""
    )
