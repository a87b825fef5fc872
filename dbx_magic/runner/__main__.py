"""What the local remote's hook calls: look at what was pushed, and run its pipelines."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from dbx_magic.local_remote import LocalRemote, looked
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
                _, new, ref = line.split()
                if ref.startswith("refs/heads/"):
                    received(remote, new, ref.removeprefix("refs/heads/"))
        case ["run", folder, number, path]:
            remote = LocalRemote(Path(folder))
            run_pipeline(remote, remote.run(int(number)), path, None)


def received(remote: LocalRemote, new: str, branch: str) -> None:
    """Run the pipelines that a push is about, and those whose last run was killed."""
    # Not the commit that the push began with: a hook that was killed has not looked at its own.
    mark = looked(branch)
    if not new.strip("0"):
        remote.repo.run("update-ref", "-d", mark)
        return
    paths = _changed(remote, remote.repo.commit(mark), new, branch)
    begun = []
    interrupted = remote.interrupted(branch)
    for path in _pipelines(remote, new):
        # A project that is in a folder of its repository has the folder's name in its pipelines'.
        name = re.sub(r"pipelines/|\.ya?ml$", "", path).replace("/", "-")
        about = _files(remote, new) if name in interrupted else paths
        try:
            pipeline = read_pipeline(remote.repo, new, path)
            reason = why_not(pipeline.get("trigger"), branch, about)
        except (Unsupported, AttributeError):
            reason = ""  # its run says what is wrong
        if reason:
            sys.stdout.write(f"○ {name}: {reason}\n")
            continue
        begun.append((*remote.new_run(name, new, branch), path))
    remote.repo.run("update-ref", mark, new)
    for run, held, path in begun:
        with held:
            if remote.repo.run("config", "--get", "dbx.wait", check=False) == "true":
                run_pipeline(remote, run, path, sys.stdout)
                continue
            command = [sys.executable, "-m", "dbx_magic.runner", "run", str(remote.folder)]
            subprocess.Popen(
                [*command, str(run.number), path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[held.fileno()],  # it is under way until that process ends, however
                start_new_session=True,
            )
        sys.stdout.write(f"◐ {run.pipeline}: run {run.number} begins, by the local runner\n")


def _pipelines(remote: LocalRemote, commit: str) -> list[str]:
    """The pipeline files of each project that the repository holds."""
    there = _files(remote, commit)
    marks = ("dbx.toml", str(SPEC))
    projects = {path.removesuffix(mark) for path in there for mark in marks if path.endswith(mark)}
    found = (re.fullmatch(r"(.*/|)pipelines/[^/]+\.ya?ml", path) for path in there)
    return [path[0] for path in found if path and path[1] in projects]


def _files(remote: LocalRemote, commit: str) -> list[str]:
    return remote.repo.run("ls-tree", "-rz", "--name-only", commit).split("\0")


def _changed(remote: LocalRemote, looked: str | None, new: str, branch: str) -> list[str]:
    """Paths that changed since the last look at a branch; on a new one, seen from the others."""
    repo, old = remote.repo, looked
    if old is None:
        listed = repo.run("for-each-ref", "--format=%(refname)", "refs/heads").split()
        others = [ref for ref in listed if ref != f"refs/heads/{branch}"]
        old = repo.run("merge-base", new, *others, check=False) if others else ""
    return [item.path for item in repo.differences("diff-tree", "-r", old or repo.empty_tree, new)]


if __name__ == "__main__":
    main()
