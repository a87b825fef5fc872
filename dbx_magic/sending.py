"""Writing to the workspace, so that no edit that somebody made there is ever overwritten unseen."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from .comparison import Content, Remove, Send
from .errors import ConflictError, UnreachableError, WorkspaceError
from .notebook import EXTENSIONS
from .project import Project, write
from .remote import Folder, Seen
from .tree import Entry, read
from .view import Line

_AGAIN = "It was left as it is there. Push again to see both sides."
_OVERTAKEN = ("ABORTED", "RESOURCE_ALREADY_EXISTS")
_TRIES = 5
BACKUP_DAYS = 90
_BACKUP_NAME = "%Y-%m-%d-%H%M%S-%f"


@dataclass(frozen=True)
class Sent:
    """One object that was written, and between which of our times (``monotonic``) it was."""

    path: str
    content: Content
    data: bytes
    begun: float
    ended: float


@dataclass(frozen=True)
class Backup:
    """Where what is overwritten or removed on purpose is kept."""

    folder: Path

    @property
    def place(self) -> str:
        """The folder, if anything had to be kept."""
        return str(self.folder) if self.folder.exists() else ""

    def keep(self, path: str, content: Content, data: bytes) -> None:
        """Keep one object; a notebook gets the suffix of its language."""
        suffix = EXTENSIONS.get(content.language, "")  # type: ignore[call-overload]
        write(self.folder / f"{path}{suffix}", data)


def new_backup(project: Project) -> Backup:
    """A place for backups that no other has; those whose days are over go."""
    folder, now = project.state_file("backups"), datetime.now().astimezone()
    oldest = (now - timedelta(days=BACKUP_DAYS)).strftime(_BACKUP_NAME)
    for old in folder.glob("????-??-??-??????-*"):
        if old.name < oldest:
            shutil.rmtree(old, ignore_errors=True)
    return Backup(folder / now.strftime(_BACKUP_NAME))


def backup_line(was: str, place: str) -> Line:
    """Say where a backup is, and until when."""
    return Line(f"What was {was} is in {place}", note=f"for {BACKUP_DAYS} days", indent=1)


class _ArrivedError(Exception):
    """What is to be sent is there: an earlier request arrived, and its answer did not."""


class Sender:
    """One push's way of writing objects: each is looked at just before it is replaced.

    Databricks cannot be asked to replace only what nobody has edited, so an edit that arrives there
    within that last round trip is lost. The local workspace can be asked, and is.
    """

    def __init__(self, project: Project, folder: Folder, backup: Backup | None) -> None:
        self._project = project
        self._folder = folder
        self._backup = backup

    def send(self, step: Send, entry: Entry, seen: Seen | None) -> Sent:
        """Write one object.

        Raises:
            ConflictError: it was edited there, or saved here, since the plan was made.
        """
        data = read(self._project, entry)
        over = step.over
        begun = time.monotonic()

        def look() -> None:
            nonlocal begun, seen
            seen = self._check(step.path, over, step.content, seen)
            begun = time.monotonic()

        with contextlib.suppress(_ArrivedError):
            if seen and over:
                if self._backup:
                    self._keep(self._backup, seen)
                if not seen.is_fresh:
                    look()
                if over.kind != step.content.kind:
                    self._folder.workspace.delete(self._folder.full(step.path))
                    over = seen = None
            self._put(step, data, lambda: seen, look)
        return Sent(step.path, step.content, data, begun, time.monotonic())

    def _put(
        self, step: Send, data: bytes, seen: Callable[[], Seen | None], look: Callable[[], None]
    ) -> None:
        content = step.content
        for attempt in range(_TRIES):
            there = seen()
            try:
                self._folder.workspace.put(
                    self._folder.full(step.path),
                    data,
                    "SOURCE" if content.kind == "notebook" else "RAW",
                    content.language,
                    overwrite=there is not None,
                    seen_at=there.modified_at if there else None,
                    again=look,
                )
            except WorkspaceError as error:
                if error.code not in _OVERTAKEN or attempt + 1 == _TRIES:
                    raise _refused(step.path, error) from None
                # Either somebody was faster, or it is ours and the answer got lost.
                look()
            else:
                return

    def make_folder(self, step: Send, seen: Seen | None) -> str:
        """Make a folder, and those that it is in; gives its path."""
        if seen:
            self.remove(Remove(step.path, step.over or step.content, step.reason), seen)
        self._folder.workspace.make_folder(self._folder.full(step.path))
        return step.path

    def remove(self, step: Remove, seen: Seen | None) -> str:
        """Remove one object, and give its path; a folder only if nothing is in it.

        Raises:
            ConflictError: it was edited there since the plan was made.
        """
        full = self._folder.full(step.path)
        if step.content.kind == "folder":
            try:
                self._folder.workspace.delete(full)
            except WorkspaceError as error:
                if error.code != "DIRECTORY_NOT_EMPTY":
                    raise
            return step.path
        if seen and self._backup:
            self._keep(self._backup, seen)
        if seen and not seen.is_fresh:
            seen = self._check(step.path, step.content, None, seen)
        try:
            self._folder.workspace.delete(full, seen_at=seen.modified_at if seen else None)
        except WorkspaceError as error:
            if error.code not in _OVERTAKEN:
                raise _refused(step.path, error) from None
            raise _edited(step.path) from None
        return step.path

    def _keep(self, backup: Backup, seen: Seen) -> None:
        if seen.kind in ("notebook", "file"):
            backup.keep(seen.path, *self._folder.content(seen))

    def _check(
        self, path: str, over: Content | None, ours: Content | None, seen: Seen | None
    ) -> Seen | None:
        """Make sure that what is there is what the plan was made for, and give it.

        Raises:
            _ArrivedError: it is what we want to have there already.
            ConflictError: it is something else.
        """
        now = self._folder.look(path)
        if now is None:
            if over is None or ours is None:
                return None
            raise ConflictError(f"{path} was removed in the workspace while the push ran.", _AGAIN)
        if seen and (now.kind, now.modified_at) == (seen.kind, seen.modified_at):
            return now
        if now.kind in ("notebook", "file"):
            content, _ = self._folder.content(now)
            if content == ours:
                raise _ArrivedError
            if content == over:
                return now
        raise _edited(path)


def _refused(path: str, error: WorkspaceError) -> WorkspaceError:
    """The workspace's own words, and which object they are about; not those about all objects."""
    if isinstance(error, UnreachableError) or error.code == "UNAUTHENTICATED":
        return error
    hint = error.hint or "What was sent so far stays; push again to send the rest."
    return WorkspaceError(f"{path} was refused: {error.message}", hint, code=error.code)


def _edited(path: str) -> ConflictError:
    return ConflictError(f"{path} was edited in the workspace while the push ran.", _AGAIN)
