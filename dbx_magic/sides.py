"""The three sides of a push or pull, seen at one time: the project, the base, the workspace."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from .base import Base, Known
from .celldiff import cell_lines, cells_of, lines_between
from .comparison import FOLDER, GONE, Content, Difference, compare
from .crew import Crew, Pile
from .errors import GitError, NotFoundError
from .project import Project
from .remote import OWN, RECORD, Folder, Record, Seen
from .repo import Repo
from .tree import FILE_LIMIT, Entry, read
from .view import size

_UNREAD = "unread"


@dataclass(frozen=True)
class Sides:
    """What was seen; ``known`` is the base with its stamps, ``texts`` what had to be fetched.

    ``adopted`` is the time of the record that was taken as the base, if one was; ``record`` is the
    one that stands there, if somebody else wrote it.
    """

    entries: Mapping[str, Entry]
    known: Mapping[str, Known]
    there: Mapping[str, Content]
    seen: Mapping[str, Seen]
    texts: Mapping[str, bytes] = field(default_factory=dict)
    adopted: int | None = None
    record: Record | None = None

    @property
    def here(self) -> Mapping[str, Content]:
        """What the project has."""
        return {path: entry.content for path, entry in self.entries.items()}

    @property
    def base(self) -> Mapping[str, Content]:
        """What both had when they were last equal."""
        return {path: one.content for path, one in self.known.items()}

    @property
    def differences(self) -> tuple[Difference, ...]:
        """Where project and workspace are not equal."""
        return compare(self.here, self.base, self.there)


def look(crew: Crew, folder: Folder, base: Base) -> Generator[None, None, dict[str, Seen]]:
    """Begin to list the folder in the workspace; ``gather`` waits for it."""
    known = base.known()
    return folder.see(crew, [path for path, one in known.items() if one.content == FOLDER])


def gather(
    crew: Crew,
    folder: Folder,
    base: Base,
    repo: Repo,
    entries: Mapping[str, Entry],
    looking: Generator[None, None, dict[str, Seen]],
    wanted: Callable[[str], bool] = lambda _: False,
) -> Generator[None, None, Sides]:
    """Put the workspace beside the project; yields while it waits.

    What is only there is read when it is ``wanted``.
    """
    known = base.known()
    found = yield from looking
    objects = {
        path: seen
        for path, seen in found.items()
        if path not in ("", OWN) and not path.startswith(f"{OWN}/")
    }
    record = None
    if RECORD in found and not _is_our_record(base, found[RECORD].modified_at):
        record = yield from crew.wait(crew.start(folder.record))
    adopted = None
    if record and (not known or (record.clean and _contains(repo, record.commit))):
        # All that was pushed there is behind this checkout, so that is what both had in common.
        known = dict(record.objects)
        adopted = found[RECORD].modified_at
    if not objects:
        known = {}  # somebody made a clean sweep, so there is nothing to lose
    # Where something is missing, what is new may be what was moved.
    is_moved = any(path not in objects for path in known)

    def needed(path: str) -> bool:
        return is_moved or path in entries or path in known or wanted(path)

    there, texts = yield from _contents(crew, folder, objects, known, record, needed)
    return Sides(entries, known, there, objects, texts, adopted, record)


def read_more(
    crew: Crew, folder: Folder, sides: Sides, paths: Iterable[str]
) -> Generator[None, None, Sides]:
    """Read objects of the workspace that seemed to be nobody's concern; yields while it waits."""
    pile: Pile[tuple[str, Content | None, bytes]] = Pile(crew)
    for path in paths:
        if path in sides.there and sides.there[path].fingerprint == _UNREAD:
            pile.add(partial(fetch, folder, sides.seen[path]))
    there, texts = dict(sides.there), dict(sides.texts)
    for fetched in pile.results():
        if fetched is None:
            yield
        elif fetched[1]:
            path, there[path], texts[path] = fetched  # type: ignore[assignment]
    return replace(sides, there=there, texts=texts)


def with_pending(sides: Sides, pending: Mapping[str, Content]) -> Sides:
    """Count as known what a push that was killed has written or removed before it died."""
    known = dict(sides.known)
    for path, one in pending.items():
        if path in sides.seen:
            if sides.there.get(path) == one:
                known[path] = Known(one, sides.seen[path].modified_at)
        elif path in known and (one == GONE or one.kind != known[path].content.kind):
            # What becomes an object of another kind is removed on the way.
            del known[path]
    return replace(sides, known=known)


def _contents(
    crew: Crew,
    folder: Folder,
    objects: Mapping[str, Seen],
    known: Mapping[str, Known],
    record: Record | None,
    needed: Callable[[str], bool],
) -> Generator[None, None, tuple[dict[str, Content], dict[str, bytes]]]:
    there: dict[str, Content] = {}
    texts: dict[str, bytes] = {}
    pile: Pile[tuple[str, Content | None, bytes]] = Pile(crew)
    pushed = record.objects if record else {}
    for path, seen in objects.items():
        content = _unfetched(seen, known.get(path), pushed.get(path))
        if content is None and needed(path):
            pile.add(partial(fetch, folder, seen))
        else:
            there[path] = content or Content(seen.kind, _UNREAD, seen.language)
    for fetched in pile.results():
        if fetched is None:
            yield
        elif fetched[1]:
            path, there[path], texts[path] = fetched  # type: ignore[assignment]
    return there, texts


def _unfetched(seen: Seen, *known: Known | None) -> Content | None:
    """What an object contains, as far as its listing proves it."""
    if seen.kind == "folder":
        return FOLDER
    if seen.kind == "other":
        return Content("other")
    for one in known:
        if (
            one
            and (one.content.kind, one.content.language) == (seen.kind, seen.language)
            and one.modified_at is not None
            and one.modified_at == seen.modified_at
        ):
            return one.content
    return None


def fetch(folder: Folder, seen: Seen) -> tuple[str, Content | None, bytes]:
    """Read an object: its path, what it is, its data; nothing for one that is gone."""
    try:
        return seen.path, *folder.content(seen)
    except NotFoundError:
        return seen.path, None, b""


def _is_our_record(base: Base, modified_at: int | None) -> bool:
    since, _, until = base.value("record").partition(" ")
    return bool(until) and modified_at is not None and int(since) <= modified_at <= int(until)


def note_record(base: Base, since: int, until: int) -> None:
    """Remember when our own record was written, so that it need not be read."""
    base.note("record", f"{since} {until}")


def _contains(repo: Repo, commit: str) -> bool:
    """Whether a commit is part of what is checked out."""
    try:
        return bool(commit) and repo.run("rev-list", "--count", f"HEAD..{commit}") == "0"
    except GitError:
        return False


def settle(base: Base, sides: Sides, project: Project) -> None:
    """Write into the base what was found equal, and when it was last edited there."""
    before = base.known()
    now = {
        path: one
        for path, one in sides.known.items()
        if path in sides.entries or path in sides.there
    }
    for path, entry in sides.entries.items():
        if sides.there.get(path) == entry.content:
            now[path] = Known(entry.content, sides.seen[path].modified_at)
    for path, known in now.items():
        old = before.get(path)
        if old != known:
            # The text is needed once, to merge with later.
            is_new = old is None or old.content != known.content
            base.keep(path, known, _text(sides, project, path, known) if is_new else None)
    for path in before.keys() - now.keys():
        base.forget(path)
    if sides.adopted is not None:
        note_record(base, sides.adopted, sides.adopted)


def _text(sides: Sides, project: Project, path: str, known: Known) -> bytes | None:
    if known.content == FOLDER:
        return None
    if sides.there.get(path) == known.content and path in sides.texts:
        return sides.texts[path]
    entry = sides.entries.get(path)
    if entry and entry.content == known.content:
        return read(project, entry)
    return None


def lines_of(project: Project, sides: Sides, one: Difference) -> tuple[str, ...]:
    """Show what differs in one object as a diff: − as in the workspace, + as in the project."""
    entry = sides.entries.get(one.path)
    if entry and entry.size > FILE_LIMIT:
        return (f"@@ {size(entry.size)} here, more than a workspace takes @@",)
    here = read(project, entry) if entry else b""
    there = sides.texts.get(one.path, b"")
    try:
        texts = here.decode(), there.decode()
    except UnicodeDecodeError:
        return (f"@@ {size(len(there))} there, {size(len(here))} here, no text @@",)
    if {content.kind for content in (one.here, one.there) if content} == {"notebook"}:
        return tuple(cell_lines(*(cells_of(text, one.path) if text else () for text in texts)))
    return tuple(lines_between(texts[1], texts[0]))
