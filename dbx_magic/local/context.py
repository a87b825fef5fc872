"""An execution context: one Python process, and the commands that wait for their turn in it."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal

from .kernel import Kernel
from .nursery import KernelDied
from .outputs import EXIT, RESTART, Event, Events, error_event, results

CommandStatus = Literal["Queued", "Running", "Cancelling", "Finished", "Cancelled", "Error"]
ContextStatus = Literal["Pending", "Running", "Error"]

KEPT_COMMANDS = 1000
KEPT_BYTES = 50_000_000
INSIST_SECONDS = 1.0  # a cancelled command is interrupted again and again …
CANCEL_SECONDS = 10.0  # … and then its process is ended

_CANCELLED = error_event("CommandCancelledException", "Command cancelled")


@dataclass
class Command:
    """One piece of code, and what has come of it so far."""

    id: str
    language: str
    code: str
    status: CommandStatus = "Queued"
    exit_value: str | None = None  # what dbutils.notebook.exit was given
    output: Events = field(default_factory=Events)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    started: float = 0.0

    @property
    def events(self) -> list[Event]:
        """What was shown so far, in order."""
        return self.output.list

    @property
    def cancelling(self) -> bool:
        """Whether somebody wants it to stop."""
        return self.status == "Cancelling"

    @property
    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.status in ("Finished", "Cancelled", "Error")

    @property
    def results(self) -> dict[str, Any] | None:
        """The result in the form of Databricks' API 1.2, once it has ended."""
        return results(self.events) if self.done else None

    def show(self, event: Event) -> None:
        """Add an event and wake whoever waits for it."""
        self.output.add(event)
        self.wake()

    def end(self, status: CommandStatus) -> None:
        """Set the final status and wake whoever waits for it."""
        self.status = status
        self.wake()

    def wake(self) -> None:
        """Let the waiting ones look again."""
        self.changed.set()
        self.changed = asyncio.Event()

    async def wait(self, cursor: int | None, seconds: float) -> None:
        """Return when it has ended, when there are events after `cursor`, or when time is up."""
        deadline = time.monotonic() + seconds
        while not self.done and (cursor is None or len(self.events) <= cursor):
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.changed.wait(), max(0.0, deadline - time.monotonic()))
            if time.monotonic() >= deadline:
                return


class Context:
    """Runs commands one after another in a process of its own, until it dies or is destroyed."""

    def __init__(
        self,
        language: str,
        prepare: Callable[[], Awaitable[None]],
        watch: Callable[[Command], Coroutine[Any, Any, None]],
        cancel_jobs: Callable[[Command], Awaitable[None]],
    ) -> None:
        self.id = uuid.uuid4().hex
        self.language = language
        self.status: ContextStatus = "Pending"
        self.reason = ""  # why it is in Error
        self.settled = asyncio.Event()  # set when it is no longer Pending
        self.commands: dict[str, Command] = {}
        self._prepare = prepare
        self._watch = watch
        self._cancel_jobs = cancel_jobs
        self._queue: asyncio.Queue[Command] = asyncio.Queue()
        self._kernel: Kernel | None = None
        self._running: Command | None = None
        self._task: asyncio.Task[None] | None = None

    def open(self, new_kernel: Callable[[], Awaitable[Kernel]]) -> None:
        """Start, with a process that `new_kernel` gives."""
        self._task = asyncio.create_task(self._live(new_kernel))

    @property
    def busy(self) -> bool:
        """Whether a command runs or waits."""
        return self._running is not None or not self._queue.empty()

    def execute(self, language: str, code: str) -> Command:
        """Queue a command."""
        command = Command(uuid.uuid4().hex, language, code)
        self.commands[command.id] = command
        if self.status == "Error":
            self._fail(command)
        else:
            self._queue.put_nowait(command)
        return command

    async def _live(self, new_kernel: Callable[[], Awaitable[Kernel]]) -> None:
        try:
            self._kernel = await new_kernel()
            self._settle("Running")
            while True:
                command = await self._next(self._kernel)
                await self._prepare()
                if command.done:
                    continue
                if await self._run(self._kernel, command) == "restart":
                    await self._kernel.stop()
                    self._kernel = await new_kernel()
                if command.cancelling and _CANCELLED not in command.events:
                    command.show(_CANCELLED)  # the interrupt hit where no error comes from
                command.end("Cancelled" if command.cancelling else "Finished")
                self._trim()
        except KernelDied as died:
            self._die(str(died))
        except Exception as error:  # noqa: BLE001 - whatever happened, nobody may wait for ever
            self._die(f"{type(error).__name__}: {error}")

    def _trim(self) -> None:
        """Forget the oldest commands, so that a context may live for months."""
        size = 0
        for number, command in enumerate(reversed(list(self.commands.values()))):
            size += command.output.size
            if command.done and number and (size > KEPT_BYTES or number >= KEPT_COMMANDS):
                del self.commands[command.id]

    async def _next(self, kernel: Kernel) -> Command:
        # A process that dies while nothing runs must be noticed as well.
        getting = asyncio.ensure_future(self._queue.get())
        dying = asyncio.ensure_future(kernel.died())
        try:
            await asyncio.wait({getting, dying}, return_when=asyncio.FIRST_COMPLETED)
            if getting.done():
                return getting.result()
            raise KernelDied(dying.result())
        finally:
            getting.cancel()
            dying.cancel()

    async def _run(self, kernel: Kernel, command: Command) -> Literal["restart"] | None:
        self._running = command
        command.status = "Running"
        command.started = time.monotonic()
        command.wake()
        asked: set[str] = set()

        def show(event: Event) -> None:
            data = event.get("data", {})
            asked.update(data)
            if EXIT in data:
                command.exit_value = data[EXIT]["value"]
            if command.cancelling and event["type"] == "error":
                event = _CANCELLED
            command.show(event)

        watching = asyncio.create_task(self._watch(command))
        try:
            await kernel.run(command.id, code_of(command, self.language), show)
        except KernelDied as died:
            self._settle("Error", str(died))
            command.show(error_event("ContextDied", f"{died} Its variables are lost."))
            command.end("Cancelled" if command.cancelling else "Error")
            raise
        finally:
            self._running = None
            watching.cancel()
            await asyncio.wait([watching])
        return "restart" if RESTART in asked else None

    async def cancel(self, command: Command) -> None:
        """Stop a command: its Spark jobs, then its code, in the end its process."""
        if command.status == "Queued":
            command.show(_CANCELLED)
            command.end("Cancelled")
            return
        if command.done:
            return
        command.status = "Cancelling"
        command.wake()
        begin, insist = time.monotonic(), INSIST_SECONDS
        while (left := begin + CANCEL_SECONDS - time.monotonic()) > 0:
            # Only the running command: a late interrupt would hit the next one.
            if self._running is not command or self._kernel is None:
                return
            with contextlib.suppress(Exception):
                await self._cancel_jobs(command)
            if self._running is command:
                self._kernel.interrupt()
            # Ever longer: on a busy machine it may still be at writing its traceback.
            await command.wait(None, min(insist, left))
            if command.done:
                return
            insist *= 2
        if self._running is command and self._kernel is not None:
            self._kernel.kill()

    async def ask(self, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        """Ask the idle process for completions or an inspection; {} while it is busy."""
        return await self._kernel.ask(kind, content) if self._kernel else {}

    async def close(self) -> None:
        """End the process; commands that have not ended are cancelled."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._kernel is not None:
            await self._kernel.stop()
        self._settle("Error", "The context was destroyed.")
        for command in self.commands.values():
            if not command.done:
                command.show(error_event("CommandCancelledException", "The context was destroyed"))
                command.end("Cancelled")

    def _settle(self, status: ContextStatus, reason: str = "") -> None:
        self.status, self.reason = status, reason
        self.settled.set()

    def _die(self, reason: str) -> None:
        self._settle("Error", reason)
        for command in self.commands.values():
            if not command.done:
                self._fail(command)

    def _fail(self, command: Command) -> None:
        command.show(error_event("ContextDied", self.reason))
        command.end("Error")


def code_of(command: Command, language: str) -> str:
    """The cell to run: other languages than Python have their name in front, as in a notebook."""
    spoken = command.language or language
    first = command.code.lstrip().split(maxsplit=1)[:1]
    if spoken == "python" or (first and first[0].startswith("%")):
        return command.code
    return f"%{spoken}\n{command.code}"
