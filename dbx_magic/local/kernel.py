"""One Python process of a cluster, and the messages to and from it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .outputs import Event

START_SECONDS = 60.0
STOP_SECONDS = 2.0


class KernelDied(Exception):
    """The process is gone; the message says how."""


class Kernel:
    """An ipykernel that runs one piece of code at a time; it ends when we do."""

    def __init__(self, python: Path, log: Path, env: Mapping[str, str]) -> None:
        self._python = python
        self._log = log
        self._env = dict(env)
        self._process: asyncio.subprocess.Process | None = None
        self._client: Any = None
        self._sockets: Path | None = None

    @property
    def pid(self) -> int | None:
        """The process id, once started."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the process and wait until it answers; KernelDied says why it does not."""
        from jupyter_client.asynchronous.client import AsyncKernelClient
        from jupyter_client.connect import write_connection_file

        # A socket's path may have about 100 characters: a folder of ours can be deeper than that.
        self._sockets = Path(tempfile.mkdtemp(prefix="dbx-"))
        connection, _ = write_connection_file(
            str(self._sockets / "connection.json"),
            ip=str(self._sockets / "k"),
            transport="ipc",
        )
        for root in ("dbfs", "Workspace", "Volumes"):
            folder = Path(self._env["DBX_WORKSPACE" if root == "Workspace" else "DBX_DBFS"])
            (self._sockets / root).symlink_to(folder / "Volumes" if root == "Volumes" else folder)
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                self._python,
                "-m",
                "dbx_magic.local.driver",
                connection,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**self._env, "DBX_LINKS": str(self._sockets)},
                start_new_session=True,  # a terminal's Ctrl-C is not the kernel's
            )
        self._client = AsyncKernelClient(connection_file=connection)
        self._client.load_connection_file()
        self._client.start_channels(stdin=False, hb=False)
        try:
            await self._unless_dead(asyncio.wait_for(self._until_answers(), START_SECONDS))
        except asyncio.TimeoutError:
            await self.stop()
            raise KernelDied(f"Python did not answer within {START_SECONDS:.0f} s") from None
        except BaseException:
            await self.stop()
            raise

    async def _until_answers(self) -> None:
        # Both channels: what is published before the subscription stands is lost.
        silent = {"shell", "iopub"}
        while silent:
            self._client.kernel_info()
            for name in tuple(silent):
                channel = (
                    self._client.shell_channel if name == "shell" else self._client.iopub_channel
                )
                with contextlib.suppress(Exception):
                    await channel.get_msg(timeout=0.1)
                    silent.discard(name)

    async def run(
        self,
        code: str,
        show: Callable[[Event], None],
        *,
        message_id: str = "",
        silent: bool = False,
    ) -> None:
        """Run code, handing on what it shows; returns when it has ended, in whatever way."""
        client = self._client
        content = {
            "code": code,
            "silent": silent,
            "store_history": not silent,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": False,
        }
        message = client.session.msg("execute_request", content)
        if message_id:  # the driver makes it the Spark job group
            message["header"]["msg_id"] = message["msg_id"] = message_id
        client.shell_channel.send(message)
        await self._unless_dead(self._follow(message["header"]["msg_id"], show))

    async def _follow(self, message_id: str, show: Callable[[Event], None]) -> None:
        while True:
            message = await self._client.iopub_channel.get_msg(timeout=None)
            if message["parent_header"].get("msg_id") != message_id:
                continue
            if message["msg_type"] == "status":
                if message["content"]["execution_state"] == "idle":
                    break
            elif event := _event(message["msg_type"], message["content"]):
                show(event)
        while True:
            reply = await self._client.shell_channel.get_msg(timeout=None)
            if reply["parent_header"].get("msg_id") == message_id:
                break
        for page in reply["content"].get("payload", []):  # `df?` and `%pdoc` answer with pages
            if page.get("source") == "page":
                show({"type": "display_data", "data": page["data"], "metadata": {}})

    async def begin(self, settings: Mapping[str, Any]) -> None:
        """Make the warm process a context; KernelDied says why it cannot be one."""
        errors: list[Event] = []
        code = (
            f"__import__('sys').modules['dbx_magic.local.driver.start'].begin({dict(settings)!r})"
        )
        await self.run(code, errors.append, silent=True)
        for event in errors:
            if event["type"] == "error":
                await self.stop()
                raise KernelDied(f"{event['ename']}: {event['evalue']}")

    async def ask(self, kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a question that runs nothing, such as completion."""
        message = self._client.session.msg(kind, dict(content))
        self._client.shell_channel.send(message)

        async def answer() -> dict[str, Any]:
            while True:
                reply = await self._client.shell_channel.get_msg(timeout=None)
                if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                    return dict(reply["content"])

        return await self._unless_dead(answer())

    async def _unless_dead(self, work: Any) -> Any:
        assert self._process is not None
        doing = asyncio.ensure_future(work)
        ending = asyncio.ensure_future(self._process.wait())
        try:
            await asyncio.wait({doing, ending}, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                return doing.result()
            raise KernelDied(self._last_words())
        finally:
            for task in (doing, ending):
                task.cancel()

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the code that runs now."""
        if self._process and self._process.returncode is None:
            os.kill(self._process.pid, signal.SIGINT)

    async def died(self) -> str:
        """Wait until the process ends; return why."""
        assert self._process is not None
        await self._process.wait()
        return self._last_words()

    async def stop(self) -> None:
        """End the process and what it started."""
        if self._client is not None:
            self._client.stop_channels()
        process = self._process
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
            except asyncio.TimeoutError:
                pass
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)

    def _last_words(self) -> str:
        assert self._process is not None
        code = self._process.returncode
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            hint = " It may have run out of memory." if name == "SIGKILL" else ""
            return f"The Python process of this context was ended by {name}.{hint}"
        said = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f"The Python process of this context ended with exit code {code}." + (
            f" Its last words: {said[-1]}" if said and code else ""
        )


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
            return {
                "type": "error",
                "ename": content["ename"],
                "evalue": content["evalue"],
                "traceback": content["traceback"],
            }
    return None
