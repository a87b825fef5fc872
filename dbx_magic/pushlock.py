"""The lock on a workspace folder: one push at a time, with an owner and an end."""

from __future__ import annotations

import contextlib
import getpass
import json
import platform
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .comparison import Content
from .errors import ConflictError, NotFoundError, WorkspaceError
from .remote import OWN, Folder
from .view import duration

PATH = f"{OWN}/lock.json"
SECONDS = 180.0
_SETTLE = 2.0
# How far apart two stamps of one moment may be: clocks of file systems tick.
_TICK = 20


@dataclass(frozen=True)
class Clock:
    """The workspace's clock, as far as it is known: its milliseconds minus ours."""

    least: float
    most: float

    def span(self, begun: float, ended: float) -> tuple[int, int]:
        """Between which of its times something happened that we did between two of ours."""
        return int(begun * 1000 + self.least) - _TICK, int(ended * 1000 + self.most) + _TICK


@dataclass
class PushLock:
    """The right to change a folder of the workspace.

    ``owner`` names the checkout: a lock that it left behind when it was killed is its own.
    ``sending`` is what the push is going to write. It stands in the lock, so that whoever comes
    after a killed push, from wherever, does not take what that one wrote for somebody's edit.
    ``is_first`` says that the folder is probably not there yet.
    """

    folder: Folder
    owner: str
    sending: Mapping[str, Content] = field(default_factory=dict)
    is_first: bool = False
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    left: Mapping[str, Content] = field(default_factory=dict)
    _id: str = field(default_factory=lambda: secrets.token_hex(8))
    _taken: tuple[float, float] = (0.0, 0.0)
    _renewed: float = 0.0
    _is_held: bool = False

    def take(self) -> None:
        """Take the lock, or take over one whose owner is gone; ``left`` is what that one sent.

        Raises:
            ConflictError: somebody else is pushing.
        """
        try:
            begun, ended = self._create()
        except WorkspaceError as error:
            if error.code != "RESOURCE_ALREADY_EXISTS":
                raise
            begun, ended = self._take_over()
        self._is_held = True
        self._taken = (begun, ended)

    def read_clock(self) -> Clock | None:
        """Compare the workspace's clock with ours, by the time that the lock was written."""
        seen = self.folder.look(PATH)
        if seen is None or seen.modified_at is None:
            return None
        begun, ended = self._taken
        return Clock(seen.modified_at - ended * 1000, seen.modified_at - begun * 1000)

    def renew(self) -> None:
        """Say that the push is still alive, when that is due.

        Raises:
            ConflictError: somebody else took the lock over, because it had ended.
        """
        if self._is_held and time.monotonic() - self._renewed > SECONDS / 3:
            self.must_still_be_held()
            self._write(overwrite=True)

    def release(self) -> None:
        """Give the lock back, if it is held."""
        if not self._is_held:
            return
        with contextlib.suppress(WorkspaceError, ConflictError):
            if time.monotonic() - self._renewed > SECONDS:
                self.must_still_be_held()
            self.folder.workspace.delete(self.folder.full(PATH))
        self._is_held = False

    def must_still_be_held(self) -> None:
        """Look whether the lock is still ours.

        Raises:
            ConflictError: it had ended, and somebody else took it over.
        """
        there = self._read()
        if there is None or there.get("id") != self._id:
            self._is_held = False
            who = (there or {}).get("who") or "somebody else"
            raise ConflictError(
                f"This push was asleep for so long that {who} began another one.",
                "Push again, to send the rest.",
            )

    def _create(self) -> tuple[float, float]:
        if self.is_first:
            self.folder.workspace.make_folder(self.folder.full(OWN))
        try:
            return self._write(overwrite=False)
        except NotFoundError:
            self.folder.workspace.make_folder(self.folder.full(OWN))
            return self._write(overwrite=False)

    def _take_over(self) -> tuple[float, float]:
        there = self._read()
        if there is None:
            return self._write(overwrite=False)
        if there.get("id") == self._id:  # our own, whose answer got lost
            return self._write(overwrite=True)
        seconds = float(there.get("until") or 0.0) - self.now()
        is_ours = there.get("owner") == self.owner
        if seconds > 0 and not is_ours:
            raise ConflictError(
                f"{self.folder.root} is being pushed by {there.get('who')} right now.",
                "Wait until it is done, then push again. Should that push have been killed, its "
                f"lock ends by itself in {duration(seconds)}.",
            )
        self.left = {
            path: Content(*content) for path, content in (there.get("sending") or {}).items()
        }
        self.sending = {**self.left, **self.sending}
        written = self._write(overwrite=True)
        if not is_ours:
            # Two may find the same dead lock; the last one to write has it.
            self.sleep(_SETTLE)
            if (self._read() or {}).get("id") != self._id:
                raise ConflictError(
                    f"Somebody else began to push to {self.folder.root} at the same moment.",
                    "Wait until it is done, then push again.",
                )
        return written

    def _write(self, *, overwrite: bool) -> tuple[float, float]:
        content = {
            "id": self._id,
            "owner": self.owner,
            "who": f"{getpass.getuser()} on {platform.node()}",
            "until": self.now() + SECONDS,
            "sending": {
                path: [one.kind, one.fingerprint, one.language]
                for path, one in self.sending.items()
            },
        }
        begun = self._renewed = time.monotonic()

        def again() -> None:
            nonlocal begun
            begun = time.monotonic()

        self.folder.workspace.put(
            self.folder.full(PATH),
            json.dumps(content).encode(),
            "RAW",
            overwrite=overwrite,
            again=again,
        )
        return begun, time.monotonic()

    def _read(self) -> dict[str, Any] | None:
        try:
            content = json.loads(self.folder.workspace.fetch(self.folder.full(PATH)))
        except NotFoundError:
            return None
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}
