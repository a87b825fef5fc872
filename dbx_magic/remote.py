"""What the workspace has below a folder, and the record of pushes that stands beside it."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from .base import Known
from .comparison import Content, Kind, content_of
from .crew import Crew, Pile
from .errors import NotFoundError
from .workspace import Json, Workspace

OWN = ".dbx"  # the folder of our own notes
RECORD = f"{OWN}/push.json"
_KINDS: Mapping[str, Kind] = {"NOTEBOOK": "notebook", "FILE": "file", "DIRECTORY": "folder"}


@dataclass(frozen=True)
class Seen:
    """An object as a listing shows it; ``looked`` says when, ``took`` how long the answer took."""

    path: str
    kind: Kind
    modified_at: int | None = None
    language: str = ""
    size: int = 0
    looked: float = 0.0
    took: float = 0.0

    @property
    def is_fresh(self) -> bool:
        """Whether looking again would tell nothing newer than this."""
        return time.monotonic() - self.looked < self.took


@dataclass(frozen=True)
class Record:
    """Who made the workspace what it is: the last push, and all objects that were pushed.

    ``commit`` is what was checked out, ``clean`` says that it was all that was pushed.
    """

    user: str = ""
    at: str = ""
    commit: str = ""
    clean: bool = False
    objects: Mapping[str, Known] = field(default_factory=dict)

    def render(self) -> bytes:
        """Write it as the file that stands in the workspace."""
        content = {
            "format": 1,
            "user": self.user,
            "at": self.at,
            "commit": self.commit,
            "clean": self.clean,
            "objects": {
                path: [
                    known.content.kind,
                    known.content.fingerprint,
                    known.content.language,
                    known.modified_at,
                ]
                for path, known in sorted(self.objects.items())
            },
        }
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def read_record(data: bytes) -> Record | None:
    """Read a record; ``None`` when it is none that this version understands."""
    try:
        content = json.loads(data)
        return Record(
            content["user"],
            content["at"],
            content["commit"],
            content["clean"],
            {
                path: Known(Content(kind, fingerprint, language), modified_at)
                for path, (kind, fingerprint, language, modified_at) in content["objects"].items()
            },
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


class Folder:
    """The folder of a workspace that a project is pushed to."""

    def __init__(self, workspace: Workspace, root: str) -> None:
        self.workspace = workspace
        self.root = root

    def full(self, path: str) -> str:
        """The whole path of an object."""
        return f"{self.root}/{path}" if path else self.root

    def see(self, crew: Crew, folders: Iterable[str]) -> Generator[None, None, dict[str, Seen]]:
        """Begin to list everything, many folders at once; ``folders`` are those expected.

        What it gives waits for the end, yielding meanwhile. The result has the empty path when the
        folder itself is there.
        """
        asked = {"", OWN, *folders}
        pile: Pile[list[Seen]] = Pile(crew)
        for folder in sorted(asked):
            pile.add(partial(self.list, folder))

        def rest() -> Generator[None, None, dict[str, Seen]]:
            found: dict[str, Seen] = {}
            for objects in pile.results():
                if objects is None:
                    yield
                    continue
                for seen in objects:
                    found[seen.path] = seen
                    if seen.kind == "folder" and seen.path not in asked:
                        asked.add(seen.path)
                        pile.add(partial(self.list, seen.path))
            return found

        return rest()

    def see_again(
        self, crew: Crew, folders: Iterable[str]
    ) -> Generator[None, None, dict[str, Seen]]:
        """List some folders, without those in them; yields while it waits."""
        pile: Pile[list[Seen]] = Pile(crew)
        for folder in folders:
            pile.add(partial(self.list, folder))
        found: dict[str, Seen] = {}
        for objects in pile.results():
            if objects is None:
                yield
            else:
                found |= {seen.path: seen for seen in objects}
        return found

    def list(self, folder: str) -> list[Seen]:
        """What is directly in a folder, and the folder; nothing when there is no such folder."""
        begun = time.monotonic()
        try:
            objects = self.workspace.objects(self.full(folder))
        except NotFoundError:
            return []
        now = time.monotonic()
        prefix = f"{folder}/" if folder else ""
        seen = [self._seen(one, now, now - begun) for one in objects if _is_plain(one)]
        # A path that is no folder lists itself.
        inside = [one for one in seen if one.path.startswith(prefix) and one.path != folder]
        return [*inside, Seen(folder, "folder")] if len(inside) == len(seen) else []

    def look(self, path: str) -> Seen | None:
        """One object as it is now."""
        begun = time.monotonic()
        found = self.workspace.object(self.full(path))
        now = time.monotonic()
        return self._seen(found, now, now - begun) if found else None

    def content(self, seen: Seen) -> tuple[Content, bytes]:
        """Read an object."""
        data = self.workspace.fetch(self.full(seen.path), seen.size)
        return content_of(data, seen.language), data

    def record(self) -> Record | None:
        """Read the record of the last push."""
        try:
            return read_record(self.workspace.fetch(self.full(RECORD)))
        except NotFoundError:
            return None

    def _seen(self, found: Json, looked: float, took: float) -> Seen:
        path = str(found["path"]).removeprefix("/Workspace")
        kind = _KINDS.get(str(found.get("object_type")), "other")
        return Seen(
            path.removeprefix(self.root).strip("/"),
            kind,
            _number(found.get("modified_at")),
            str(found.get("language") or "").lower() if kind == "notebook" else "",
            _number(found.get("size")) or 0,
            looked,
            took,
        )


def _is_plain(found: Json) -> bool:
    """Whether a name can be a file's: nothing from outside may point out of the project."""
    name = str(found["path"]).rpartition("/")[2]
    return name not in ("", ".", "..") and not set(name) & set("\\\0")


def _number(value: Any) -> int | None:
    return int(value) if isinstance(value, int | str) and str(value).isdecimal() else None
