"""The door to git: the user's own git executable, so hooks, signing and filters work as always."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from .errors import GitError


class Repo:
    """The git repository around a folder (or the lack of one)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        data: str | None = None,
        check: bool = True,
    ) -> str:
        """Run git in the folder and give what it prints, without the last newline.

        Raises:
            GitError: git is missing, or it failed and ``check`` is set; the message is git's own.
        """
        try:
            done = subprocess.run(
                ["git", *arguments],
                cwd=self.folder,
                env={**os.environ, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", **(env or {})},
                input=data,
                capture_output=True,
                encoding="utf-8",
                errors="surrogateescape",
                check=False,
            )
        except FileNotFoundError:
            raise GitError("git is not installed.", "Install git, then try again.") from None
        if check and done.returncode:
            said = (done.stderr or done.stdout).strip()
            raise GitError(said or f"git {arguments[0]} failed with {done.returncode}.")
        return done.stdout.removesuffix("\n")

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

    @property
    def head(self) -> str | None:
        """The commit that is checked out; ``None`` before the first one."""
        return self.run("rev-parse", "--verify", "-q", "HEAD", check=False) or None

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
