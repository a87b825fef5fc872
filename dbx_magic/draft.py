"""A commit in the making, beside the user's own index: what is staged there stays staged.

A draft has an index and an object store of its own inside the git folder. Nothing gets into the
repository before ``commit``, and nothing is left behind when there is none.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from .errors import ConflictError, GitError
from .project import hold, write
from .repo import FileChange, Repo, blob_id
from .tree import JUNK

_JOURNAL = "dbx-commit.json"
_LOCK_SECONDS = 5.0
_MANY = 100
_SUBMODULE = "160000"


Check = Callable[[Iterable[tuple[FileChange, bytes]]], None]


class Draft:
    """What HEAD would become. Made by ``drafting``."""

    def __init__(self, repo: Repo, folder: Path) -> None:
        self.repo = repo
        self.parent = repo.head
        self._folder = folder
        self._index = folder / "index"
        self._env = {"GIT_INDEX_FILE": str(self._index)}
        self._aside = {
            **self._env,
            "GIT_OBJECT_DIRECTORY": str(folder / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(repo.objects_folder),
        }
        self._on_disk: list[str] = []
        self._seen_entries: dict[str, tuple[str, str]] | None = None
        self._seen_changes: tuple[FileChange, ...] | None = None
        (folder / "objects").mkdir()
        with contextlib.suppress(FileNotFoundError):
            # The user's index spares git reading files that have not changed. Its time goes with
            # it: that is how git knows of files that changed in the second it was written.
            shutil.copy2(repo.git_folder / "index", self._index)
        self.repo.run(
            "read-tree", *(["--reset", self.parent] if self.parent else ["--empty"]), env=self._env
        )

    def add(self, paths: Sequence[str]) -> None:
        """Take these paths as they are on disk, as ``git add --all`` would; ignored files are not.

        What tools leave behind (checkpoints, caches) is left out, also when nothing ignores it.

        Raises:
            GitError: one of them holds another repository.
        """
        junk = (f"--exclude={pattern}" for pattern in JUNK)
        options = ("-z", "--cached", "--others", "--exclude-standard", *junk)
        listing = self.repo.run("ls-files", *options, "--", *paths, env=self._aside)
        listed = {path for path in listing.split("\0") if path}
        for path in listed:
            # The user's index knows a submodule that was just added.
            if path.endswith("/") and not self.repo.run("ls-files", "--", path.rstrip("/")):
                raise GitError(
                    f"{path} is a git repository of its own: its files cannot be committed here.",
                    "Move it out, ignore it, or add it with: git submodule add",
                )
        flags = ("--add", "--remove", "--replace", "--ignore-skip-worktree-entries")
        self._update(flags, sorted(path.rstrip("/") for path in listed))

    def restore(self, version: str, paths: Sequence[str]) -> None:
        """Take these paths as they are in a version, on disk as well once it is committed."""
        listing = self.repo.run("ls-tree", "-rz", version, "--", *paths)
        wanted = {}
        for entry in filter(None, listing.split("\0")):
            head, _, path = entry.partition("\t")
            mode, _, blob = head.split(" ")
            wanted[path] = (mode, blob)
        removed = "0" * len(version)
        for path in self._entries():
            if path in paths or path.startswith(tuple(f"{one}/" for one in paths)):
                wanted.setdefault(path, ("0", removed))
        self._put((mode, blob, path) for path, (mode, blob) in wanted.items())
        self._on_disk += [item.path for item in self.changes()]

    def _copy_attributes(self, tree: Path, paths: Iterable[str]) -> None:
        top = self.repo.folder.resolve()
        for _ in Path(self.repo.prefix).parts:
            top = top.parent
        folders = {folder for path in paths for folder in Path(self.repo.prefix, path).parents}
        for folder in folders:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                shutil.copyfile(top / folder / ".gitattributes", tree / folder / ".gitattributes")

    def _update(
        self, flags: Sequence[str], paths: Iterable[str], env: Mapping[str, str] | None = None
    ) -> None:
        data = "".join(f"{path}\0" for path in paths)
        env = {**self._aside, **(env or {})}
        self._seen_entries = self._seen_changes = None
        # What is aside is short-lived: compressing it would only take time.
        command = ("-c", "core.looseCompression=0", "update-index", *flags, "-z", "--stdin")
        self.repo.run(*command, env=env, data=data)

    def replace(self, contents: Mapping[str, bytes | None], *, on_disk: bool = False) -> None:
        """Give files another content than they have on disk; ``None`` removes one.

        ``on_disk`` says to do the same to the files on disk, once it is committed.
        """
        if on_disk:
            self._on_disk += contents
        same = self._same_as_head(contents)
        self._put((self._entries()[path][0], blob, path) for path, blob in same.items())
        contents = {path: content for path, content in contents.items() if path not in same}
        if not contents:
            return
        tree, entries = self._folder / "tree", self._entries()
        for path, content in contents.items():
            if content is not None:
                file = tree / self.repo.prefix / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
                file.chmod(0o755 if entries.get(path, ("", ""))[0] == "100755" else 0o644)
        tree.mkdir(exist_ok=True)
        # Through a work tree of its own, so that attributes and filters apply as for any file.
        self._copy_attributes(tree, contents)
        apart = {"GIT_DIR": str(self.repo.git_folder), "GIT_WORK_TREE": str(tree)}
        paths = [self.repo.prefix + path for path in contents]
        self._update(("--add", "--remove", "--replace"), paths, apart)

    def _same_as_head(self, contents: Mapping[str, bytes | None]) -> dict[str, str]:
        """The files that HEAD has with just this content: of many notebooks run, most."""
        before = {item.path: item.before for item in self.changes() if item.symbol == "~"}
        found = {}
        for path, content in contents.items():
            blob = before.get(path)
            if blob and content is not None and blob_id(content, len(blob)) == blob:
                found[path] = blob
        return found

    def _put(self, entries: Iterable[tuple[str, str, str]]) -> None:
        prefix = self.repo.prefix
        data = "".join(f"{mode} {blob}\t{prefix}{path}\0" for mode, blob, path in entries)
        if data:
            self.repo.run("update-index", "-z", "--index-info", env=self._aside, data=data)
            self._seen_entries = self._seen_changes = None

    def blobs(self) -> dict[str, str]:
        """Git's id of the content of each file of the project."""
        return {path: blob for path, (_, blob) in self._entries().items()}

    def _entries(self) -> Mapping[str, tuple[str, str]]:
        if self._seen_entries is None:
            self._seen_entries = self.repo.staged(self._aside)
        return self._seen_entries

    def changes(self) -> tuple[FileChange, ...]:
        """Tell how the draft differs from HEAD."""
        if self._seen_changes is None:
            base = self.parent or self.repo.empty_tree
            self._seen_changes = self.repo.differences(
                "diff-index", "--cached", "--relative", base, env=self._aside
            )
        return self._seen_changes

    def contents(self, changes: Iterable[FileChange]) -> Iterator[tuple[FileChange, bytes]]:
        """Read what would be committed of each changed file (links and submodules have none)."""
        wanted = [item for item in changes if item.is_file]
        data = "".join(f"{item.blob}\n" for item in wanted)
        answer = self.repo.read("cat-file", "--batch", env=self._aside, data=data)
        position = 0
        for item in wanted:
            line_end = answer.index(b"\n", position)
            length = int(answer[position:line_end].rsplit(b" ", 1)[1])
            yield item, answer[line_end + 1 : line_end + 1 + length]
            position = line_end + length + 2

    def commit(
        self, message: str, trailers: Mapping[str, str], check: Check
    ) -> Generator[float, None, str]:
        """Commit the draft as ``git commit`` does (hooks, signing) and give the commit's id.

        Yields seconds while hooks run. ``check`` is given every changed file that gets into the
        commit, a second time when a hook rewrote some; if it raises there is no commit. The user's
        index then has the committed files as they were committed, and all else as it had it.

        Raises:
            GitError: a hook said no, or signing failed; nothing has changed then.
            ConflictError: somebody else committed meanwhile; their commit stands, ours is undone.
        """
        check(self.contents(self.changes()))
        self._keep_objects()
        tree = self.repo.run("write-tree", env=self._env)
        mark = f"commit (dbx_magic {secrets.token_hex(4)})"
        journal = _Journal(self.parent, mark, tuple(self._on_disk))
        write(self.repo.git_folder / _JOURNAL, json.dumps(asdict(journal)))
        try:
            yield from self._git_commit(message, trailers, mark)
        finally:
            # Also when this is closed: git may have committed before it was told to end.
            made = settle(self.repo, lambda made: self._check_rewritten(made, tree, check))
        if made is None:
            raise ConflictError(
                "The branch moved while the commit was being made, so it was undone.", "Try again."
            )
        return made

    def _git_commit(
        self, message: str, trailers: Mapping[str, str], mark: str
    ) -> Generator[float, None, None]:
        options = [f"--trailer={name}: {value}" for name, value in trailers.items()]
        answer = yield from self.repo.ask(
            *("-c", "core.logAllRefUpdates=true"),  # settle finds the commit by its mark
            *("commit", "--quiet", "--file=-", *options),
            env={**self._env, "GIT_REFLOG_ACTION": mark},
            data=message,
        )
        if answer.code:
            raise GitError(f"git refused the commit: {answer.words}", "Nothing was changed.")

    def _check_rewritten(self, made: str, tree: str, check: Check) -> None:
        if self.repo.run("rev-parse", f"{made}^{{tree}}") != tree:
            check(self.contents(_between(self.repo, self.parent, made, "--relative")))

    def _keep_objects(self) -> None:
        """Copy the objects of the changed files from the draft into the repository."""
        stored = [item.blob for item in self.changes() if item.blob and item.mode != _SUBMODULE]
        wanted = "".join(f"{blob}\n" for blob in stored)
        pack = self.repo.read("pack-objects", "--quiet", "--stdout", env=self._aside, data=wanted)
        # Like a fetch: many objects stay together in one file.
        many = ("index-pack", "--stdin", "--fix-thin")
        self.repo.read(*(many if len(stored) > _MANY else ("unpack-objects", "-q")), data=pack)


@contextlib.contextmanager
def drafting(repo: Repo) -> Iterator[Draft]:
    """Begin a draft on what is checked out; what it leaves is cleared away at the end.

    Raises:
        GitError: the repository is in no state to be committed to.
    """
    repo.must_be_ready()
    settle(repo)
    with scratch(repo, "draft") as folder:
        yield Draft(repo, folder)


@contextlib.contextmanager
def scratch(repo: Repo, what: str) -> Iterator[Path]:
    """Give a new folder inside the git folder; those that killed processes left are removed."""
    name = f"dbx-{what}-"
    for left in repo.git_folder.glob(f"{name}*"):
        with contextlib.suppress(OSError), (left / "held").open("r+") as file:
            hold(file.fileno())
            shutil.rmtree(left, ignore_errors=True)
    folder = repo.git_folder / f"{name}{secrets.token_hex(4)}"
    folder.mkdir()
    with (folder / "held").open("w") as file:
        hold(file.fileno())
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def settle(repo: Repo, check: Callable[[str], None] | None = None) -> str | None:
    """Bring the user's index up to a commit that was made from a draft, and give that commit.

    It ends each commit, and begins the next after a process that was killed in between. The commit
    is undone if ``check`` raises.
    """
    path = repo.git_folder / _JOURNAL
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    journal = _Journal(content["parent"], content["mark"], tuple(content["on_disk"]))
    made = _made(repo, journal)
    if made:
        try:
            if check:
                check(made)
        except BaseException:
            _undo(repo, made)
            path.unlink()
            raise
        _bring_up(repo, journal, made)
    path.unlink()
    return made


@dataclass(frozen=True)
class _Journal:
    """What ``settle`` must know; ``mark`` is what the commit is called in the reflog."""

    parent: str | None
    mark: str
    on_disk: tuple[str, ...]


def _made(repo: Repo, journal: _Journal) -> str | None:
    """Give HEAD if the commit of the journal was made and stands.

    It is looked for a few steps back, for a hook may have amended it. One that was made on top of
    somebody else's commit would take that one back, so it is undone.
    """
    for entry in repo.run("log", "-g", "-5", "--format=%H %P %gs", check=False).split("\n"):
        if journal.mark in entry:
            commit, parents = entry.partition(f" {journal.mark}")[0].partition(" ")[::2]
            if parents.strip() == (journal.parent or ""):
                return repo.head
            _undo(repo, commit)
    return None


def _undo(repo: Repo, commit: str) -> None:
    parent = repo.run("rev-parse", "--verify", "-q", f"{commit}^", check=False)
    why = ("-m", "dbx_magic undid its commit")
    repo.run("update-ref", *why, *(["HEAD", parent, commit] if parent else ["-d", "HEAD", commit]))


def _bring_up(repo: Repo, journal: _Journal, made: str) -> None:
    removed = "0" * len(made)
    lines = [
        f"{item.mode} {item.blob or removed}\t{item.path}\0"
        for item in _between(repo, journal.parent, made, "--no-relative")
    ]
    _wait_for_index(repo)
    repo.run("update-index", "-z", "--index-info", data="".join(lines))
    repo.run("update-index", "-q", "--refresh", check=False)
    _bring_to_disk(repo, made, journal.on_disk)


def _bring_to_disk(repo: Repo, made: str, paths: Sequence[str]) -> None:
    kept = set(repo.run("ls-tree", "-rz", "--name-only", made, "--", ".").split("\0"))
    data = "".join(f"{path}\0" for path in paths if path in kept)
    repo.run("checkout-index", "--force", "-z", "--stdin", data=data)
    for path in paths:
        if path not in kept:
            file = repo.folder / path
            file.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                while file.parent.parent != repo.folder:
                    file = file.parent
                    file.rmdir()


def _wait_for_index(repo: Repo) -> None:
    """Give another git the time to finish; if it does not, git's own message says so."""
    end = time.monotonic() + _LOCK_SECONDS
    while (repo.git_folder / "index.lock").exists() and time.monotonic() < end:
        time.sleep(0.05)


def _between(repo: Repo, before: str | None, after: str, *options: str) -> tuple[FileChange, ...]:
    return repo.differences("diff-tree", "-r", *options, before or repo.empty_tree, after)
