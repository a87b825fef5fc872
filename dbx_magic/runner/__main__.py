"""What the local remote's hook calls: look at what was pushed, and run its pipelines."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from dbx_magic.local_remote import LocalRemote
from dbx_magic.project import SPEC

from .azure import Unsupported
from .triggers import why_not
from .work import read_pipeline, run_pipeline


def main() -> None:
    """Take the words of the command line."""
    match sys.argv[1:]:
        case ["received", folder]:
            remote = LocalRemote(Path(folder))
            for line in sys.stdin:
                old, new, ref = line.split()
                if ref.startswith("refs/heads/") and new.strip("0"):
                    _received(remote, old, new, ref.removeprefix("refs/heads/"))
        case ["run", folder, number, path]:
            remote = LocalRemote(Path(folder))
            run_pipeline(remote, remote.run(int(number)), path, None)


def _received(remote: LocalRemote, old: str, new: str, branch: str) -> None:
    paths = _changed(remote, old, new)
    wait = remote.repo.run("config", "--get", "dbx.wait", check=False) == "true"
    for path in _pipelines(remote, new):
        # A project that is in a folder of its repository has the folder's name in its pipelines'.
        name = re.sub(r"pipelines/|\.ya?ml$", "", path).replace("/", "-")
        try:
            pipeline = read_pipeline(remote.repo, new, path)
            reason = why_not(pipeline.get("trigger"), branch, paths)
        except (Unsupported, AttributeError):
            reason = ""  # its run says what is wrong
        if reason:
            sys.stdout.write(f"○ {name}: {reason}\n")
            continue
        run = remote.new_run(name, new, branch)
        if wait:
            run_pipeline(remote, run, path, sys.stdout)
            continue
        command = [sys.executable, "-m", "dbx_magic.runner", "run", str(remote.folder)]
        subprocess.Popen(
            [*command, str(run.number), path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        sys.stdout.write(f"◐ {name}: run {run.number} begins, by the local runner\n")


def _pipelines(remote: LocalRemote, commit: str) -> list[str]:
    """The pipeline files of each project that the repository holds."""
    there = remote.repo.run("ls-tree", "-rz", "--name-only", commit).split("\0")
    marks = ("dbx.toml", str(SPEC))
    projects = {path.removesuffix(mark) for path in there for mark in marks if path.endswith(mark)}
    found = (re.fullmatch(r"(.*/|)pipelines/[^/]+\.ya?ml", path) for path in there)
    return [path[0] for path in found if path and path[1] in projects]


def _changed(remote: LocalRemote, old: str, new: str) -> list[str]:
    repo = remote.repo
    if not old.strip("0"):
        # A new branch: what is new on it, seen from the others.
        others = repo.run("for-each-ref", "--format=%(objectname)", "refs/heads").split()
        bases = [item for item in others if item != new]
        old = repo.run("merge-base", new, *bases, check=False) if bases else ""
        old = old or repo.empty_tree
    return [item.path for item in repo.differences("diff-tree", "-r", old, new)]


if __name__ == "__main__":
    main()
