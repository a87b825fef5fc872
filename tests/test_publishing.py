"""Publish: commits go to a real bare repository that others publish to as well."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dbx_magic import lockfile
from dbx_magic.dbx import Dbx
from dbx_magic.errors import ConflictError, GitError
from dbx_magic.events import Event, Planned, drive
from dbx_magic.verbs import perform


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.removesuffix("\n")


def do(folder: Path, verb: str, seen: list[Event] | None = None, /, **arguments: Any) -> Any:
    """Perform a verb as a new process would."""
    work = perform(Dbx(folder), verb, arguments)
    return drive(work, (lambda _: None) if seen is None else seen.append)


def edit(folder: Path, path: str, text: str, message: str = "m") -> str:
    (folder / path).write_text(text)
    return str(do(folder, "commit", message=message).commit)


def state(folder: Path) -> tuple[str, ...]:
    """All of the user's that publishing leaves as it is."""
    commands = [
        ["rev-parse", "HEAD"],
        ["status", "--porcelain=v2", "-uall"],
        ["ls-files", "--stage"],
        ["for-each-ref", "refs/heads"],
        ["worktree", "list"],
    ]
    return tuple(git(folder, *command) for command in commands)


def tip(remote: Path, branch: str = "main") -> str:
    return git(remote, "rev-parse", f"refs/heads/{branch}")


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "remote.git")
    return tmp_path / "remote.git"


@pytest.fixture
def mine(git_project: Path, remote: Path) -> Path:
    """The project with one version, published."""
    git(git_project, "remote", "add", "origin", str(remote))
    do(git_project, "commit", message="First", publish=True)
    return git_project


@pytest.fixture
def theirs(mine: Path, remote: Path, tmp_path: Path) -> Path:
    """Somebody else's clone."""
    git(tmp_path, "clone", "-q", str(remote), "theirs")
    return tmp_path / "theirs"


def reject(remote: Path, script: str) -> None:
    hook = remote / "hooks/update"
    hook.write_text(f"#!/bin/sh\n{script}\n")
    hook.chmod(0o755)


PROTECTED = 'test "$1" = refs/heads/main && { echo "main is protected" >&2; exit 1; }; exit 0'


def test_commits_arrive_and_the_branch_tracks_them(mine: Path, remote: Path) -> None:
    assert tip(remote) == git(mine, "rev-parse", "HEAD") == git(mine, "rev-parse", "@{upstream}")
    commit = edit(mine, "workspace/greet.py", "print(2)\n", "Greet twice")
    done = do(mine, "publish")
    assert (done.commit, tip(remote)) == (commit, commit)
    assert done.commits == (f"{commit[:7]} Greet twice",)
    again = do(mine, "publish")
    assert again.commits == ()
    assert again.view()[0].text == "nothing to publish"


def test_a_dry_run_asks_the_remote_and_sends_nothing(mine: Path, remote: Path) -> None:
    before = tip(remote)
    edit(mine, "workspace/greet.py", "print(2)\n", "Greet twice")
    seen: list[Event] = []
    do(mine, "publish", seen, dry_run=True)
    [plan] = [event.plan for event in seen if isinstance(event, Planned)]
    assert plan.title == "1 commit will be published to origin/main"
    assert plan.changes[0].subject.endswith("Greet twice")
    assert tip(remote) == before
    edit(mine, "workspace/greet.py", "print(3)\n")
    with pytest.raises(ConflictError, match="changed since this plan"):
        do(mine, "publish", expect=plan.fingerprint)


def test_a_remote_that_moved_gets_ours_on_top_and_nothing_changes_here(
    mine: Path, theirs: Path, remote: Path
) -> None:
    edit(theirs, "workspace/theirs.py", "1\n", "Theirs")
    do(theirs, "publish")
    edit(mine, "workspace/mine.py", "2\n", "Mine")
    (mine / "workspace/mine.py").write_text("unsaved\n")
    (mine / "README.md").write_text("staged\n")
    git(mine, "add", "README.md")
    before = state(mine)
    done = do(mine, "publish")
    assert state(mine) == before
    assert done.theirs == 1
    assert done.commit == tip(remote)
    assert git(remote, "log", "--format=%s", "main").split("\n")[:2] == ["Mine", "Theirs"]
    assert git(remote, "show", "main:workspace/mine.py") == "2"
    assert git(mine, "fsck", "--no-dangling") == ""
    assert do(mine, "publish").commits == ()
    edit(mine, "workspace/mine.py", "3\n", "Mine again")
    assert len(do(mine, "publish").commits) == 1
    subjects = git(remote, "log", "--format=%s", "main").split("\n")
    assert subjects[:3] == ["Mine again", "Mine", "Theirs"]
    git(mine, "switch", "-q", "-C", "main", "origin/main")
    assert git(mine, "rev-parse", "HEAD") == tip(remote)
    assert git(mine, "status", "--porcelain") == "A  README.md"


def test_the_lock_is_made_anew_where_both_sides_changed_it(
    mine: Path, theirs: Path, remote: Path
) -> None:
    """Both change the spec, in lines that git can merge: the fingerprint is of neither side."""
    spec = "pipelines/config.cluster.json"
    text = (mine / spec).read_text()
    edit(theirs, spec, text.replace('"num_workers": 1', '"num_workers": 4'), "Theirs")
    do(theirs, "publish")
    ours = text.replace("CLUSTER_NAME", "hello").replace("{", "{\n\n\n", 1)
    edit(
        mine,
        spec,
        ours.replace('"cluster_name"', '"driver_node_type_id": "x",\n\n\n"cluster_name"'),
    )
    (mine / "workspace/greet.py").write_text("print(2)\n")
    edit(mine, "workspace/other.py", "1\n", "Mine")
    done = do(mine, "publish")
    assert len(done.commits) == 2
    git(theirs, "pull", "-q")
    published = (theirs / "dbx.lock").read_text()
    assert do(theirs, "commit", message="Nothing is left to lock").files == ()
    assert "workspace/other.py" in lockfile.parse(published).workspace


def test_a_conflict_is_told_by_its_files_and_nothing_is_published(
    mine: Path, theirs: Path, remote: Path
) -> None:
    edit(theirs, "workspace/greet.py", "print('theirs')\n")
    do(theirs, "publish")
    edit(mine, "workspace/greet.py", "print('mine')\n")
    before, there = state(mine), tip(remote)
    with pytest.raises(ConflictError, match=r"workspace/greet\.py: changed here and in origin"):
        do(mine, "publish")
    assert (state(mine), tip(remote)) == (before, there)
    done = do(mine, "publish", branch=True)
    assert tip(remote, done.review.branch) == git(mine, "rev-parse", "HEAD")


def test_a_remote_that_moves_while_we_push_is_tried_again(
    mine: Path, theirs: Path, remote: Path
) -> None:
    edit(theirs, "workspace/theirs.py", "1\n", "Theirs")
    hook = mine / ".git/hooks/pre-push"
    hook.write_text(f"#!/bin/sh\nunset GIT_DIR\ncd {theirs}; git push -q origin main\n")
    hook.chmod(0o755)
    edit(mine, "workspace/mine.py", "2\n", "Mine")
    do(mine, "publish")
    assert git(remote, "log", "--format=%s", "main").split("\n")[:2] == ["Mine", "Theirs"]


def test_a_protected_branch_gets_a_branch_for_a_pull_request(mine: Path, remote: Path) -> None:
    reject(remote, PROTECTED)
    before = tip(remote)
    commit = edit(mine, "workspace/greet.py", "print(2)\n")
    done = do(mine, "publish")
    assert done.review.branch == f"dbx/ada/{commit[:7]}"
    assert (tip(remote, done.review.branch), tip(remote)) == (commit, before)
    words = [line.text for line in done.view()]
    assert "main is protected" in words[1]
    assert words[2] == "Open a pull request into main"


def test_a_remote_that_takes_nothing_is_quoted(mine: Path, remote: Path) -> None:
    reject(remote, 'echo "the disk is full" >&2; exit 1')
    edit(mine, "workspace/greet.py", "print(2)\n")
    before = state(mine)
    with pytest.raises(GitError, match="origin refuses these commits: the disk is full"):
        do(mine, "publish")
    assert state(mine) == before


def test_a_hook_of_the_users_that_says_no_is_quoted(mine: Path, remote: Path) -> None:
    hook = mine / ".git/hooks/pre-push"
    hook.write_text("#!/bin/sh\necho 'run the tests first' >&2; exit 1\n")
    hook.chmod(0o755)
    edit(mine, "workspace/greet.py", "print(2)\n")
    with pytest.raises(GitError, match="run the tests first"):
        do(mine, "publish")
    assert git(remote, "for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_a_commit_that_cannot_be_published_is_told_to_be_there(mine: Path, remote: Path) -> None:
    reject(remote, 'echo "the disk is full" >&2; exit 1')
    (mine / "workspace/greet.py").write_text("print(2)\n")
    with pytest.raises(GitError, match=r"Commit \w{7} was made, but not published: .*disk is full"):
        do(mine, "commit", message="m", publish=True)
    assert git(mine, "status", "--porcelain") == ""


def test_what_the_remote_says_is_passed_on(mine: Path, remote: Path) -> None:
    reject(remote, 'echo "Deploying to dev" >&2; exit 0')
    edit(mine, "workspace/greet.py", "print(2)\n")
    assert [line.text for line in do(mine, "publish").view()][1:] == ["Deploying to dev"]


def test_where_it_goes(mine: Path, remote: Path) -> None:
    git(mine, "remote", "add", "second", str(remote))
    git(mine, "config", "remote.pushDefault", "second")
    git(mine, "switch", "-qc", "feature")
    edit(mine, "workspace/greet.py", "print(2)\n")
    done = do(mine, "publish")
    assert (done.remote, done.branch) == ("second", "feature")
    git(mine, "branch", "--set-upstream-to", "origin/main")
    git(mine, "config", "--unset", "remote.pushDefault")
    edit(mine, "workspace/greet.py", "print(3)\n")
    done = do(mine, "publish")
    assert (done.remote, done.branch) == ("origin", "main")


def test_refusals(git_project: Path, tmp_path: Path) -> None:
    with pytest.raises(GitError, match=r"no remote.*git remote add origin"):
        do(git_project, "publish")
    git(git_project, "remote", "add", "a", "https://ada:hunter22@127.0.0.1:9/x.git")
    with pytest.raises(GitError, match="a cannot be reached") as caught:
        do(git_project, "publish")
    assert "hunter22" not in str(caught.value)
    git(git_project, "remote", "add", "b", str(tmp_path))
    with pytest.raises(GitError, match="2 remotes"):
        do(git_project, "publish")
    git(git_project, "switch", "-q", "--detach")
    with pytest.raises(GitError, match="detached"):
        do(git_project, "publish")


KILLER = """
import os, sys
from pathlib import Path
from dbx_magic import verbs, versions, events
from dbx_magic.dbx import Dbx

for folder in sys.argv[1:]:
    path = os.environ["PATH"]
    os.environ["PATH"] = f"{folder}.bin:{path}"
    child = os.fork()
    if not child:
        work = verbs.perform(Dbx(Path(folder)), "publish", {})
        events.drive(work, lambda event: None)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    os.environ["PATH"] = path
"""
# A git that, called by Python for the n-th time, kills its caller before it does its work.
KILLING_GIT = """#!/bin/sh
case $(cat /proc/$PPID/comm) in git*) exec {git} "$@";; esac
echo >> {folder}.calls
if [ $(wc -l < {folder}.calls) -eq {number} ]; then
  kill -9 $PPID
  exit
fi
exec {git} "$@"
"""


def test_killed_at_any_step_nothing_is_lost_and_the_next_call_goes_on(
    mine: Path, theirs: Path, remote: Path, tmp_path: Path
) -> None:
    edit(theirs, "workspace/theirs.py", "1\n", "Theirs")
    do(theirs, "publish")
    edit(mine, "workspace/mine.py", "2\n", "Mine")
    (mine / "README.md").write_text("staged\n")
    git(mine, "add", "README.md")
    before, there = state(mine)[:4], tip(remote)
    folders = []
    for number in range(12, 44):
        folder = tmp_path / f"killed{number}"
        shutil.copytree(mine, folder)
        shutil.copytree(remote, f"{folder}.git")
        git(folder, "remote", "set-url", "origin", f"{folder}.git")
        shim = Path(f"{folder}.bin/git")
        shim.parent.mkdir()
        shim.write_text(KILLING_GIT.format(folder=folder, number=number, git=shutil.which("git")))
        shim.chmod(0o755)
        folders.append(folder)
    done = subprocess.run(
        [sys.executable, "-c", KILLER, *map(str, folders)],
        capture_output=True,
        text=True,
        check=True,
    )
    codes = [int(code) for code in done.stdout.split()]
    steps = codes.index(0)
    assert steps > 16
    for folder in folders[:steps]:
        bare = Path(f"{folder}.git")
        assert state(folder)[:4] == before
        moved = tip(bare) != there
        assert do(folder, "publish").commits == (() if moved else do_log(folder))
        assert git(bare, "log", "--format=%s", "main").split("\n")[:2] == ["Mine", "Theirs"]
        assert git(folder, "fsck", "--no-dangling") == ""
        assert len(git(folder, "worktree", "list").split("\n")) == 1
        assert state(folder)[:4] == before


def do_log(folder: Path) -> tuple[str, ...]:
    return (git(folder, "log", "-1", "--format=%h %s"),)
