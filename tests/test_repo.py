from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from dbx_magic.errors import GitError
from dbx_magic.repo import Repo


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.removesuffix("\n")


@pytest.fixture
def repo(git_project: Path) -> Repo:
    return Repo(git_project)


def diverge(folder: Path) -> None:
    """Make a branch ``other`` that conflicts with main in dbx.toml."""
    git(folder, "switch", "-qc", "other")
    (folder / "dbx.toml").write_text('project = "other"\n')
    git(folder, "commit", "-qam", "Other")
    git(folder, "switch", "-q", "main")
    (folder / "dbx.toml").write_text('project = "main"\n')
    git(folder, "commit", "-qam", "Main")


def test_no_repository(project: Path) -> None:
    with pytest.raises(GitError, match=r"not in a git repository.*git init"):
        Repo(project).must_be_ready()


def test_no_git(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(GitError, match="git is not installed"):
        repo.must_exist()


def test_detached_head(repo: Repo) -> None:
    git(repo.folder, "switch", "-q", "--detach")
    with pytest.raises(GitError, match=r"detached.*git switch"):
        repo.must_be_ready()


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (["merge", "other"], "merge"),
        (["rebase", "other"], "rebase"),
        (["cherry-pick", "other"], "cherry-pick"),
        (["revert", "HEAD~1"], "revert"),
        (["bisect", "start"], "bisect"),
    ],
)
def test_something_half_done(repo: Repo, command: list[str], what: str) -> None:
    diverge(repo.folder)
    subprocess.run(["git", *command], cwd=repo.folder, capture_output=True, check=False)
    with pytest.raises(GitError, match=f"A {what} is under way"):
        repo.must_be_ready()


def test_conflicts_that_outlived_their_merge(repo: Repo) -> None:
    diverge(repo.folder)
    (repo.folder / "dbx.toml").write_text('project = "mine"\n')
    git(repo.folder, "stash")
    git(repo.folder, "reset", "-q", "--hard", "other")
    subprocess.run(["git", "stash", "pop"], cwd=repo.folder, capture_output=True, check=False)
    with pytest.raises(GitError, match=r"dbx\.toml: not merged yet"):
        repo.must_be_ready()


def test_nobody_to_commit_as(repo: Repo) -> None:
    (Path.home() / ".gitconfig").unlink()
    with pytest.raises(
        GitError, match=r"does not know who you are.*git config --global user\.name"
    ):
        repo.must_be_ready()


def test_a_linked_worktree_of_a_subfolder_is_as_ready_as_any(repo: Repo, tmp_path: Path) -> None:
    git(repo.folder, "worktree", "add", "-q", str(tmp_path / "second"))
    second = Repo(tmp_path / "second" / "workspace")
    second.must_be_ready()
    assert (second.branch, second.prefix) == ("second", "workspace/")
    assert second.git_folder == repo.folder / ".git/worktrees/second"


def test_a_hook_of_another_repository_does_not_lead_astray(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "-q", "elsewhere")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere/.git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "elsewhere/.git/index"))
    assert repo.head is not None
    assert repo.changed() == []


def test_failures_are_told_in_gits_own_words(repo: Repo) -> None:
    with pytest.raises(GitError, match="invalid reference: nowhere"):
        repo.run("switch", "nowhere")
    assert repo.run("switch", "nowhere", check=False) == ""


def test_output_comes_as_it_is(repo: Repo) -> None:
    blob = repo.run("hash-object", "-w", "--stdin", data=b"\xff\r\n\n")
    assert repo.read("cat-file", "blob", blob) == b"\xff\r\n\n"


def test_closing_ends_git_and_what_it_started(repo: Repo, tmp_path: Path) -> None:
    hook = repo.folder / ".git/hooks/pre-commit"
    hook.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    hook.chmod(0o755)
    work = repo.ask("commit", "--allow-empty", "-m", "x")
    for _ in work:
        if (tmp_path / "pid").exists() and (pid := (tmp_path / "pid").read_text().strip()):
            break
    work.close()
    deadline = time.monotonic() + 10
    while _is_alive(int(pid)) and time.monotonic() < deadline:
        os.sched_yield()
    assert not _is_alive(int(pid))
    assert not (repo.folder / ".git/index.lock").exists()


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return not re.search(r"\) Z ", state)


def test_changed_names_new_modified_and_removed_files(repo: Repo) -> None:
    (repo.folder / "dbx.toml").write_text("")
    (repo.folder / "workspace/greet.py").unlink()
    (repo.folder / "workspace/ä b.py").write_text("")
    assert repo.changed() == ["dbx.toml", "workspace/greet.py", "workspace/ä b.py"]
    assert repo.changed(["dbx.toml"]) == ["dbx.toml"]
