from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dbx_magic import lockfile
from dbx_magic.dbx import Dbx
from dbx_magic.errors import ConflictError, GitError
from dbx_magic.events import Event, Planned, drive
from dbx_magic.verbs import perform

OUTPUT = [{"output_type": "stream", "name": "stdout", "text": ["precious\n"]}]


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.removesuffix("\n")


def do(folder: Path, verb: str, seen: list[Event] | None = None, /, **arguments: Any) -> Any:
    work = perform(Dbx(folder), verb, arguments)
    return drive(work, (lambda _: None) if seen is None else seen.append)


def notebook(source: str, outputs: list[Any] | None = None) -> str:
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": [source]}
    cell |= {"execution_count": None, "outputs": outputs or []}
    content = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


@pytest.fixture
def there(git_project: Path) -> Path:
    """A project whose second version changed, added and removed files of the first."""
    (git_project / "notebooks/train.ipynb").write_text(notebook("1"))
    (git_project / "workspace/old.sh").write_text("#!/bin/sh\n")
    (git_project / "workspace/old.sh").chmod(0o755)
    (git_project / "workspace/link").symlink_to("greet.py")
    do(git_project, "commit", message="First")
    git(git_project, "tag", "first")
    (git_project / "notebooks/train.ipynb").write_text(notebook("2"))
    (git_project / "workspace/old.sh").unlink()
    (git_project / "workspace/link").unlink()
    (git_project / "workspace/lib").mkdir()
    (git_project / "workspace/lib/new.py").write_text("3\n")
    spec = git_project / "pipelines/config.cluster.json"
    spec.write_text(spec.read_text().replace('"num_workers": 1', '"num_workers": 9'))
    do(git_project, "commit", message="Second")
    return git_project


def test_the_old_version_is_a_new_one_in_git_and_on_disk(there: Path) -> None:
    (there / "README.md").write_text("mine\n")
    git(there, "add", "README.md")
    second = git(there, "rev-parse", "HEAD")
    done = do(there, "rollback", version="first")
    assert git(there, "rev-parse", "HEAD^") == second
    assert git(there, "rev-parse", "HEAD^{tree}") == git(there, "rev-parse", "first^{tree}")
    assert git(there, "status", "--porcelain") == "A  README.md"
    assert (there / "notebooks/train.ipynb").read_text() == notebook("1")
    assert (there / "workspace/old.sh").stat().st_mode & 0o111
    assert (there / "workspace/link").is_symlink()
    assert not (there / "workspace/lib").exists()
    assert set(done.files) >= {
        "notebooks/train.ipynb",
        "workspace/train.py",
        "workspace/lib/new.py",
    }
    assert git(there, "log", "-1", "--format=%s").startswith("Go back to ")
    trailer = git(there, "log", "-1", "--format=%(trailers:key=Dbx-Rollback-To,valueonly)")
    assert trailer.strip() == git(there, "rev-parse", "first")
    assert do(there, "commit", message="Nothing is left over").files == ()
    assert do(there, "rollback", version="first").view()[0].text.startswith("everything is as in")


def test_a_version_from_before_dbx_gets_its_lock(there: Path) -> None:
    do(there, "rollback", version=git(there, "rev-list", "--max-parents=0", "HEAD"))
    lock = lockfile.parse((there / "dbx.lock").read_text())
    assert set(lock.workspace) == {"workspace/greet.py"}
    assert git(there, "status", "--porcelain") == ""


def test_the_plan_comes_first(there: Path) -> None:
    before = git(there, "rev-parse", "HEAD"), git(there, "status", "--porcelain")
    seen: list[Event] = []
    do(there, "rollback", seen, version="first", dry_run=True)
    [planned] = seen
    assert isinstance(planned, Planned)
    assert '"First"' in planned.plan.title
    subjects = {(change.symbol, change.subject) for change in planned.plan.changes}
    assert ("−", "workspace/lib/new.py") in subjects
    assert ("~", "pipelines/config.cluster.json") in subjects
    assert (git(there, "rev-parse", "HEAD"), git(there, "status", "--porcelain")) == before
    with pytest.raises(ConflictError, match="changed since this plan"):
        do(there, "rollback", version="HEAD~2", expect=planned.plan.fingerprint)
    do(there, "rollback", version="first", expect=planned.plan.fingerprint)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("notebooks/train.ipynb", notebook("edited")),
        ("workspace/lib/new.py", "edited\n"),
        ("workspace/old.sh", "again, but not committed\n"),
    ],
)
def test_edits_that_are_not_committed_are_never_overwritten(
    there: Path, path: str, text: str
) -> None:
    (there / path).write_text(text)
    head = git(there, "rev-parse", "HEAD")
    with pytest.raises(ConflictError, match=f"{path} would be overwritten"):
        do(there, "rollback", version="first")
    assert (there / path).read_text() == text
    assert git(there, "rev-parse", "HEAD") == head


def test_edits_elsewhere_stay(there: Path) -> None:
    (there / "workspace/greet.py").write_text("edited\n")
    do(there, "rollback", version="first")
    assert (there / "workspace/greet.py").read_text() == "edited\n"


def test_outputs_are_kept_before_their_notebook_is_replaced(there: Path) -> None:
    ran = notebook("2", OUTPUT)
    (there / "notebooks/train.ipynb").write_text(ran)
    done = do(there, "rollback", version="first")
    assert (there / done.kept / "notebooks/train.ipynb").read_text() == ran
    assert git(there, "status", "--porcelain") == ""


def test_a_hook_that_says_no_changes_nothing(there: Path) -> None:
    hook = there / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(GitError, match="refused"):
        do(there, "rollback", version="first")
    assert git(there, "status", "--porcelain") == ""
    assert (there / "notebooks/train.ipynb").read_text() == notebook("2")


def test_published_at_once(there: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "remote.git")
    git(there, "remote", "add", "origin", str(tmp_path / "remote.git"))
    done = do(there, "rollback", version="first", message="Back", publish=True)
    assert done.published.commit == done.commit
    assert git(tmp_path / "remote.git", "log", "-1", "--format=%s", "main") == "Back"


@pytest.mark.parametrize("version", ["nowhere", "--help", "HEAD:dbx.toml", ""])
def test_no_such_version(there: Path, version: str) -> None:
    with pytest.raises(GitError, match="no version"):
        do(there, "rollback", version=version)
