"""One Python process of a cluster, and the messages to and from it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from .nursery import KernelDied, Nursery, last_words
from .outputs import Event, error_event

T = TypeVar("T")

START_SECONDS = 60.0
STOP_SECONDS = 2.0


_SOCKETS = "dbx-magic-"


def clear_sockets() -> None:
    """Delete what servers that were killed have left in the machine's temporary folder."""
    for left in Path(tempfile.gettempdir()).glob(f"{_SOCKETS}*-*"):
        try:
            os.kill(int(left.name.removeprefix(_SOCKETS).split("-")[0]), 0)
        except (ProcessLookupError, ValueError):  # noqa: PERF203 - each decides for itself
            shutil.rmtree(left, ignore_errors=True)
        except PermissionError:
            pass  # another user's


def new_sockets() -> Path:
    """A folder for sockets that only this user can open.

    A socket's path may have about 100 characters: a folder of ours can be deeper than that.
    """
    return Path(tempfile.mkdtemp(prefix=f"{_SOCKETS}{os.getpid()}-"))


class Kernel:
    """An ipykernel that runs one piece of code at a time; it ends when we do."""

    def __init__(
        self, pid: int, ended: asyncio.Future[int], client: Any, sockets: Path, log: Path
    ) -> None:
        self._pid = pid
        self._ended = ended
        self._client = client
        self._sockets = sockets
        self._log = log
        self._turn = asyncio.Lock()

    @classmethod
    async def start(
        cls,
        nursery: Nursery,
        env: Mapping[str, str],
        settings: Mapping[str, Any],
        folders: Mapping[str, Path],
    ) -> Kernel:
        """Start the process and wait until it answers; KernelDied says why it does not."""
        from jupyter_client.asynchronous.client import AsyncKernelClient
        from jupyter_client.connect import write_connection_file

        sockets = new_sockets()
        for name, folder in folders.items():  # by which shell scripts reach Databricks' folders
            (sockets / name).symlink_to(folder)
        connection, _ = write_connection_file(
            str(sockets / "connection.json"), ip=str(sockets / "k"), transport="ipc"
        )
        request = {
            "connection": connection,
            "env": {**env, "DBX_LINKS": str(sockets)},
            "settings": dict(settings),
        }
        try:
            pid, ended = await nursery.fork(request)
        except BaseException:
            shutil.rmtree(sockets, ignore_errors=True)
            raise
        client: Any = AsyncKernelClient(connection_file=connection)
        client.load_connection_file()
        client.start_channels(stdin=False, hb=False)
        kernel = cls(pid, ended, client, sockets, nursery.log)
        try:
            answered = asyncio.wait_for(_until_answers(client), START_SECONDS)
            await kernel._unless_dead(answered)
        except BaseException as error:
            await kernel.stop()
            if isinstance(error, asyncio.TimeoutError):
                said = f"Python did not answer within {START_SECONDS:.0f} s"
                raise KernelDied(said) from None
            raise
        return kernel

    async def run(self, message_id: str, code: str, show: Callable[[Event], None]) -> None:
        """Run code, handing on what it shows; returns when it has ended, in whatever way."""
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": False,
        }
        async with self._turn:
            sent = self._send("execute_request", content, message_id)
            failed = await self._unless_dead(self._until_idle(sent, show))
            reply = await self._unless_dead(self._reply(sent))
        ended = reply["status"] == "ok" or reply["ename"] == "NotebookExit"
        if not (ended or failed):
            # IPython only prints some errors, such as a magic that there is not.
            show(error_event(reply["ename"], reply["evalue"], reply["traceback"]))
        for page in reply.get("payload", []):  # `df?` answers with a page
            if page.get("source") == "page":
                show({"type": "display_data", "data": page["data"], "metadata": {}})

    async def ask(self, kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a question that runs nothing, such as completion; {} while code runs."""
        if self._turn.locked():
            return {}
        async with self._turn:
            return await self._unless_dead(self._reply(self._send(kind, content)))

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the code that runs now."""
        if not self._ended.done():
            os.kill(self._pid, signal.SIGINT)

    def kill(self) -> None:
        """End the process and what it started, at once."""
        self._signal(signal.SIGKILL)

    async def died(self) -> str:
        """Wait until the process ends; return why."""
        return last_words(await asyncio.shield(self._ended), self._log)

    async def stop(self) -> None:
        """End the process and what it started, and clear up after it."""
        if not self._ended.done():
            self._signal(signal.SIGTERM)
            await asyncio.wait([self._ended], timeout=STOP_SECONDS)
        self._signal(signal.SIGKILL)  # also what it has left running
        await asyncio.wait([self._ended])
        with contextlib.suppress(FileNotFoundError):  # what shell scripts have left running
            for group in (self._sockets / "left").read_text(encoding="ascii").split():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(int(group), signal.SIGKILL)
        self._client.stop_channels()
        shutil.rmtree(self._sockets, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, number)

    def _send(self, kind: str, content: Mapping[str, Any], message_id: str = "") -> str:
        message = self._client.session.msg(kind, dict(content))
        if message_id:  # the driver makes it the Spark job group
            message["header"]["msg_id"] = message["msg_id"] = message_id
        self._client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    async def _until_idle(self, sent: str, show: Callable[[Event], None]) -> bool:
        """Hand on what is shown, and tell whether an error was."""
        failed = False
        while True:
            message = await self._client.iopub_channel.get_msg(timeout=None)
            if message["parent_header"].get("msg_id") != sent:
                continue
            content = message["content"]
            if message["msg_type"] == "status" and content["execution_state"] == "idle":
                return failed
            failed = failed or message["msg_type"] == "error"
            if event := _event(message["msg_type"], content):
                show(event)

    async def _reply(self, sent: str) -> dict[str, Any]:
        while True:
            reply = await self._client.shell_channel.get_msg(timeout=None)
            if reply["parent_header"].get("msg_id") == sent:
                return dict(reply["content"])

    async def _unless_dead(self, work: Awaitable[T]) -> T:
        doing = asyncio.ensure_future(work)
        dying = asyncio.ensure_future(self.died())
        try:
            await asyncio.wait({doing, dying}, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                return doing.result()
            raise KernelDied(dying.result())
        finally:
            doing.cancel()
            dying.cancel()
            await asyncio.wait({doing, dying})  # neither may use what is closed next


async def _until_answers(client: Any) -> None:
    # On both channels: what is published before the subscription stands is lost.
    silent = {client.shell_channel, client.iopub_channel}
    while silent:
        client.kernel_info()
        for channel in tuple(silent):  # those that answer leave the set
            with contextlib.suppress(Exception):  # the queue's Empty: no answer yet
                await channel.get_msg(timeout=0.1)
                silent.discard(channel)


def _event(kind: str, content: Mapping[str, Any]) -> Event | None:
    match kind:
        case "stream":
            return {"type": "stream", "name": content["name"], "text": content["text"]}
        case "display_data" | "update_display_data" | "execute_result":
            event = {"type": kind, "data": content["data"], "metadata": content["metadata"]}
            if display := content.get("transient", {}).get("display_id"):
                event["transient"] = {"display_id": display}
            return event
        case "clear_output":
            return {"type": kind, "wait": content["wait"]}
        case "error":
            names = ("ename", "evalue", "traceback")
            return {"type": "error", **{name: content[name] for name in names}}
    return None
