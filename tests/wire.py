"""A wire between a client and the workspace that can be slow, broken or cut, on real sockets.

``python tests/wire.py URL --delay 0.05`` runs one by itself and prints its address.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Request:
    """One request on its way: its number since the start, and what it asks for."""

    number: int
    method: str
    path: str


@dataclass(frozen=True)
class Fault:
    """What happens to a request instead of, or besides, reaching the workspace.

    ``answer`` is sent back at once, unless it is to be asked first (``after``); without an answer
    the connection is cut. ``delay`` is waited before anything.
    """

    answer: bytes | None = None
    after: bool = False
    delay: float = 0.0
    passes: bool = False


def status(number: int, headers: str = "", code: str = "FAULT") -> bytes:
    """An answer with an error's status."""
    body = f'{{"error_code": "{code}", "message": "a fault of the test"}}'
    head = f"HTTP/1.1 {number} Fault\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return (head + body).encode()


Faults = Callable[[Request], "Fault | None"]


class Wire:
    """The wire; ``faults`` may be exchanged at any time, ``requests`` counts what came through.

    ``hides`` is the name of a header that answers lose on their way.
    """

    def __init__(
        self, url: str, faults: Faults = lambda _: None, delay: float = 0.0, hides: str = ""
    ) -> None:
        address = urlsplit(url)
        self._upstream = (str(address.hostname), int(address.port or 80))
        self.faults = faults
        self.delay = delay
        self._hidden = re.compile(rf"\r\n{hides or '$'}:[^\r]*".encode(), re.IGNORECASE)
        self.requests = 0
        self.log: list[Request] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, ready: Callable[[str], None], stop: asyncio.Event) -> None:
        """Serve until told to stop."""
        server = await asyncio.start_server(self._client, "127.0.0.1", 0, limit=1 << 24)
        async with server:
            ready(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            await stop.wait()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*self._tasks)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._writers.add(writer)
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, OSError):
            upstream = await asyncio.open_connection(*self._upstream, limit=1 << 24)
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await _body(head, reader)
                method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
                self.requests += 1
                request = Request(self.requests, method, path)
                self.log.append(request)
                if self.delay:
                    await asyncio.sleep(self.delay)
                fault = self.faults(request)
                if fault:
                    await asyncio.sleep(fault.delay)
                answer = b""
                if fault is None or fault.after or fault.passes:
                    upstream[1].write(head + body)
                    answer_head = await upstream[0].readuntil(b"\r\n\r\n")
                    body = await _body(answer_head, upstream[0])
                    answer = self._hidden.sub(b"", answer_head) + body
                if fault and not fault.passes:
                    if fault.answer is None:
                        break
                    answer = fault.answer
                writer.write(answer)
                await writer.drain()
        for one in (writer, upstream[1] if upstream else None):
            if one:
                one.close()
        self._writers.discard(writer)


async def _body(head: bytes, reader: asyncio.StreamReader) -> bytes:
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        return b"".join([part async for part in _chunks(reader)])
    _, _, rest = lower.partition(b"content-length:")
    length = int(rest.split(b"\r\n", 1)[0]) if rest else 0
    return await reader.readexactly(length) if length else b""


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while True:
        line = await reader.readuntil(b"\r\n")
        yield line + await reader.readexactly(int(line, 16) + 2)
        if int(line, 16) == 0:
            return


@contextlib.contextmanager
def running(wire: Wire) -> Iterator[str]:
    """Run a wire in a thread; gives its address."""
    address: list[str] = []
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    up = threading.Event()

    async def run() -> None:
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))
        await wire.serve(lambda url: (address.append(url), up.set()), stop)  # type: ignore[func-returns-value]

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    assert up.wait(10)
    try:
        yield address[0]
    finally:
        loop, stop = loops[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--delay", type=float, default=0.05)
    arguments = parser.parse_args()
    wire = Wire(arguments.url, delay=arguments.delay)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(wire.serve(lambda url: print(url, flush=True), asyncio.Event()))  # noqa: T201


if __name__ == "__main__":
    main()
