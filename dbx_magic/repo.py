"""The door to git: the user's own git executable, so hooks, signing and filters work as always."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from .errors import GitError

# What a hook of git hands down: it would point our calls at another repository or index.
_INHERITED = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_WORK_TREE",
)
_UNDER_WAY = {
    "MERGE_HEAD": ("merge", "Finish it with `git commit`, or give it up with `git merge --abort`."),
    "rebase-merge": ("rebase", "Go on with `git rebase --continue`, or `git rebase --abort`."),
    "rebase-apply": ("rebase", "Go on with `git rebase --continue`, or `git rebase --abort`."),
    "CHERRY_PICK_HEAD": (
        "cherry-pick",
        "Go on with `git cherry-pick --continue`, or `git cherry-pick --abort`.",
    ),
    "REVERT_HEAD": ("revert", "Go on with `git revert --continue`, or `git revert --abort`."),
    "BISECT_LOG": ("bisect", "End it with `git bisect reset`."),
}
_SYMBOLS: Mapping[str, Literal["+", "~", "−"]] = {"A": "+", "D": "−"}
_KILL_SECONDS = 5.0
_USER_IN_URL = re.compile(r"://[^/@\s]*@")


@dataclass(frozen=True)
class FileChange:
    """One file of a commit; paths are seen from the project, ``blob`` is empty when removed.

    ``before`` is the blob that HEAD has there.
    """

    path: str
    symbol: Literal["+", "~", "−"]
    mode: str
    blob: str
    before: str

    @property
    def is_file(self) -> bool:
        """Whether it has content: it is not removed, no link and no submodule."""
        return self.mode.startswith("100")


@dataclass(frozen=True)
class Answer:
    """How a call of git ended, and what it said."""

    code: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        """What it printed, without the last newline."""
        return _text(self.out).removesuffix("\n")

    @property
    def words(self) -> str:
        """What it told the user, without passwords in addresses."""
        return _USER_IN_URL.sub("://", _text(self.err or self.out).strip())

    def checked(self, command: str) -> Answer:
        """Refuse a failure, in git's own words."""
        if self.code:
            raise GitError(self.words or f"git {command} failed with {self.code}.")
        return self


class Repo:
    """The git repository around a folder (or the lack of one)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        data: str | bytes | None = None,
        check: bool = True,
    ) -> str:
        """Run git in the folder and give what it prints, without the last newline.

        Raises:
            GitError: git is missing, or it failed and ``check`` is set; the message is git's own.
        """
        answer = self._answer(arguments, env, data)
        return (answer.checked(arguments[0]) if check else answer).text

    def read(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        data: str | bytes | None = None,
        check: bool = True,
    ) -> bytes:
        """Run git like ``run`` and give exactly what it prints.

        Raises:
            GitError: as ``run`` does.
        """
        answer = self._answer(arguments, env, data)
        return (answer.checked(arguments[0]) if check else answer).out

    def _answer(
        self,
        arguments: Sequence[str],
        env: Mapping[str, str] | None,
        data: str | bytes | None,
    ) -> Answer:
        process = self._start(arguments, env, quiet_input=data is None)
        try:
            out, err = process.communicate(_bytes(data))
        except BaseException:
            _end(process)
            raise
        return Answer(process.returncode, out, err)

    def ask(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        data: str | bytes | None = None,
    ) -> Generator[float, None, Answer]:
        """Run git and tell how it ended, yielding the seconds so far twice a second.

        Closing it ends git and whatever git started (a hook, ssh).
        """
        started = time.monotonic()
        process = self._start(arguments, env, quiet_input=data is None)
        sent = _bytes(data)
        try:
            while True:
                try:
                    out, err = process.communicate(sent, timeout=0.5)
                    break
                except subprocess.TimeoutExpired:
                    sent = None
                    yield time.monotonic() - started
        finally:
            _end(process)
        return Answer(process.returncode, out, err)

    def _start(
        self, arguments: Sequence[str], env: Mapping[str, str] | None, *, quiet_input: bool
    ) -> subprocess.Popen[bytes]:
        inherited = {key: value for key, value in os.environ.items() if key not in _INHERITED}
        fixed = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_EDITOR": ":"}
        try:
            return subprocess.Popen(
                ["git", *arguments],
                cwd=self.folder,
                env={**inherited, **fixed, **(env or {})},
                stdin=subprocess.DEVNULL if quiet_input else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise GitError("git is not installed.", "Install git, then try again.") from None

    @property
    def exists(self) -> bool:
        """Whether the folder is in a work tree."""
        return self.run("rev-parse", "--is-inside-work-tree", check=False) == "true"

    def must_exist(self) -> None:
        """Refuse to work outside a repository.

        Raises:
            GitError: there is none.
        """
        if not self.exists:
            raise GitError(f"{self.folder} is not in a git repository.", "Make one with: git init")

    def must_be_ready(self) -> None:
        """Refuse when a commit cannot be made here now, or would end in the wrong place.

        Raises:
            GitError: no repository, no branch, something half done, conflicts, or no identity.
        """
        self.must_exist()
        for name, (what, hint) in _UNDER_WAY.items():
            if (self.git_folder / name).exists():
                raise GitError(f"A {what} is under way in {self.folder}.", hint)
        if self.branch is None:
            raise GitError(
                "HEAD is detached: a commit made now would belong to no branch.",
                "Switch to a branch first: git switch main, or git switch -c NAME.",
            )
        if conflicts := self.conflicts():
            raise GitError(
                f"{', '.join(conflicts)}: not merged yet.",
                "Resolve the conflicts, then `git add` these files.",
            )
        known = self.run("-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT", check=False)
        if not known:
            raise GitError(
                "git does not know who you are.",
                'Tell it: git config --global user.name "…" and git config --global user.email …',
            )

    def conflicts(self) -> list[str]:
        """Files that are not merged yet."""
        listing = self.run("ls-files", "-z", "--unmerged")
        return sorted({entry.partition("\t")[2] for entry in listing.split("\0") if entry})

    def staged(self, env: Mapping[str, str] | None = None) -> dict[str, tuple[str, str]]:
        """Mode and content id of each file of the index, seen from the folder."""
        found = {}
        for entry in filter(None, self.run("ls-files", "-z", "--stage", env=env).split("\0")):
            head, _, path = entry.partition("\t")
            mode, blob, _ = head.split(" ")
            found[path] = (mode, blob)
        return found

    @property
    def git_folder(self) -> Path:
        """Where this work tree's own state is: HEAD, index, a merge under way."""
        return self._places[0]

    @property
    def objects_folder(self) -> Path:
        """Where the repository keeps its objects."""
        return self._places[1]

    @property
    def prefix(self) -> str:
        """The folder as seen from the top of the work tree: empty, or ``path/to/it/``."""
        return self._places[2]

    @cached_property
    def _places(self) -> tuple[Path, Path, str]:
        where = ("--absolute-git-dir", "--git-path", "objects", "--show-prefix")
        git_folder, objects, prefix = self.run("rev-parse", *where).split("\n")
        return Path(git_folder), (self.folder / objects).resolve(), prefix

    @property
    def head(self) -> str | None:
        """The commit that is checked out; ``None`` before the first one."""
        return self.run("rev-parse", "--verify", "-q", "HEAD", check=False) or None

    def commit(self, name: str) -> str | None:
        """The commit that a branch, tag or the beginning of an id names, if there is one."""
        options = ("--verify", "--quiet", "--end-of-options")
        return self.run("rev-parse", *options, f"{name}^{{commit}}", check=False) or None

    def must_have(self, name: str) -> str:
        """The version that a name means.

        Raises:
            GitError: there is none.
        """
        found = self.commit(name)
        if found is None:
            raise GitError(f"There is no version {name!r}.", "See `history`.")
        return found

    @property
    def branch(self) -> str | None:
        """The branch that is checked out; ``None`` when HEAD is detached."""
        return self.run("symbolic-ref", "--short", "-q", "HEAD", check=False) or None

    def changed(self, paths: Sequence[str] = ()) -> list[str]:
        """Paths that differ from HEAD, new ones included, as git names them from the top."""
        listing = self.run(
            "status",
            "--porcelain=v1",
            "-z",
            "-uall",
            "--no-renames",
            "--",
            *paths,
            env={"GIT_OPTIONAL_LOCKS": "0"},
        )
        return [entry[3:] for entry in listing.split("\0") if entry]

    def tree(self, version: str, paths: Sequence[str]) -> dict[str, str]:
        """Content id of each of these files in a version, seen from the folder."""
        found = {}
        for entry in filter(None, self.run("ls-tree", "-rz", version, "--", *paths).split("\0")):
            head, _, path = entry.partition("\t")
            found[path] = head.split(" ")[2]
        return found

    def differences(
        self, *command: str, env: Mapping[str, str] | None = None
    ) -> tuple[FileChange, ...]:
        """Run one of git's diff commands and tell which files differ."""
        parts = self.run(*command, "--raw", "--no-renames", "--no-abbrev", "-z", env=env).split(
            "\0"
        )
        found = []
        for head, path in zip(parts[::2], parts[1::2], strict=False):
            _, mode, before, blob, status = head.split(" ")
            symbol = _SYMBOLS.get(status, "~")
            found.append(FileChange(path, symbol, mode, "" if status == "D" else blob, before))
        return tuple(found)

    def mark_deployed(self, commit: str, target: str, words: str) -> str:
        """Mark a commit as deployed: ``dbx/TARGET/N``, once a commit and target.

        Gives the new tag, or nothing when there was one already.
        """
        prefix = f"dbx/{target}/"
        if self.run("tag", "--points-at", commit, "--list", f"{prefix}*"):
            return ""
        known = self.run("tag", "--list", f"{prefix}*").split()
        numbers = [name.rpartition("/")[2] for name in known]
        number = 1 + max((int(one) for one in numbers if one.isdecimal()), default=0)
        who = ("-c", "user.name=dbx_magic", "-c", "user.email=dbx_magic@localhost")
        self.run(
            *(*who, "-c", "tag.gpgSign=false"),
            *("tag", "-a", "-m", words, f"{prefix}{number}", commit),
        )
        return f"{prefix}{number}"

    @property
    def empty_tree(self) -> str:
        """What the first commit is compared with."""
        return self.run("hash-object", "-t", "tree", "--stdin", data=b"")


def blob_id(content: bytes, length: int) -> str:
    """Git's id of a content; ``length`` is that of the repository's ids."""
    digest = hashlib.sha1 if length == 40 else hashlib.sha256
    return digest(b"blob %d\0" % len(content) + content).hexdigest()


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _bytes(data: str | bytes | None) -> bytes | None:
    return data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data


def _end(process: subprocess.Popen[bytes]) -> None:
    """End git and what it started, gently first: git then removes its own lock files."""
    if process.poll() is not None:
        return
    for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        if sys.platform == "win32":
            process.terminate()
        else:
            os.killpg(process.pid, number)
        try:
            process.communicate(timeout=_KILL_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return
