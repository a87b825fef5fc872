from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from dbx_magic import lockfile
from dbx_magic.dbx import Dbx
from dbx_magic.errors import GitError, UsageError
from dbx_magic.events import Event, Note, drive
from dbx_magic.notebook import Cell, Notebook, render_ipynb
from dbx_magic.verbs import perform
from dbx_magic.view import Table

EMPTY = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.removesuffix("\n")


def do(folder: Path, verb: str, /, **arguments: Any) -> Any:
    return drive(perform(Dbx(folder), verb, arguments), lambda _: None)


def edit(folder: Path, message: str, **files: str) -> str:
    for path, text in files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
    return str(do(folder, "commit", message=message).commit)


@pytest.fixture
def versions(git_project: Path, tmp_path: Path) -> Path:
    """A project with some versions, the older ones published, one of them deployed."""
    spec = (git_project / "pipelines/config.cluster.json").read_text()
    edit(git_project, "Begin")
    edit(git_project, "Train", **{"notebooks/train.ipynb": EMPTY})
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    git(git_project, "remote", "add", "origin", str(tmp_path / "remote.git"))
    do(git_project, "publish")
    git(git_project, "tag", "-a", "-m", "x", "dbx/dev/12")
    larger = spec.replace('"num_workers": 1', '"num_workers": 2')
    edit(git_project, "Grow", **{"pipelines/config.cluster.json": larger, "workspace/a.py": ""})
    (git_project / "README.md").write_text("not the project's\n")
    git(git_project, "add", "README.md")
    git(git_project, "commit", "-qm", "Read me")
    return git_project


def test_each_version_says_what_changed_and_where_it_is(versions: Path) -> None:
    found = do(versions, "history")
    assert [(item.message, item.summary, item.where) for item in found.versions] == [
        ("Grow", "cluster, 1 workspace file", ()),
        ("Train", "1 notebook", ("dev/12",)),
        ("Begin", "models or data", ("published",)),
        ("Start", "cluster, 1 workspace file, settings", ("published",)),
    ]
    assert found.versions[0].commit == git(versions, "rev-parse", "HEAD^")
    assert found.versions[0].who == "Ada"
    assert 0 <= found.versions[0].ago < 600
    [table] = found.view()
    assert isinstance(table, Table)
    assert table.rows[0][0] == git(versions, "rev-parse", "--short=7", "HEAD^")
    assert table.rows[0][-1] == "only here"


@pytest.mark.parametrize(
    ("name", "messages"),
    [
        ("train", ["Train"]),
        ("train.ipynb", ["Train"]),
        ("notebooks/train.ipynb", ["Train"]),
        ("cluster", ["Grow", "Start"]),
        ("workspace", ["Clean up", "Add", "Grow", "Train", "Start"]),
        ("gone", ["Clean up", "Add"]),
    ],
)
def test_the_versions_of_one_thing(versions: Path, name: str, messages: list[str]) -> None:
    edit(versions, "Add", **{"workspace/gone.py": ""})
    (versions / "workspace/gone.py").unlink()
    edit(versions, "Clean up")
    found = [item.message for item in do(versions, "history", name=name).versions]
    assert found == messages


def test_only_the_newest(versions: Path) -> None:
    assert [item.message for item in do(versions, "history", rows=1).versions] == ["Grow"]


def test_odd_words_do_not_break_the_table(versions: Path) -> None:
    git(versions, "config", "user.name", "Ada, | \\ ☃")
    git(versions, "config", "log.showSignature", "true")
    edit(versions, 'A "quoted", odd\tmessage\n\nwith a body', **{"workspace/ü\n.py": ""})
    newest = do(versions, "history").versions[0]
    assert (newest.who, newest.message) == ("Ada, | \\ ☃", 'A "quoted", odd\tmessage')
    assert "workspace/ü\n.py" in newest.changed


def test_a_project_in_a_subfolder_has_a_history_of_its_own(tmp_path: Path, project: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace/other.py").write_text("")
    git(tmp_path, "add", "workspace")
    git(tmp_path, "commit", "-qm", "Other")
    do(project, "commit", message="Ours")
    [version] = do(project, "history").versions
    assert "dbx.toml" in version.changed


def test_nothing_yet(project: Path) -> None:
    with pytest.raises(GitError, match="not in a git repository"):
        do(project, "history")
    git(project, "init", "-q")
    assert do(project, "history").view()[0].text == "no version yet"


def test_a_name_that_never_was(versions: Path) -> None:
    with pytest.raises(UsageError, match="never a notebook or file 'tarin'"):
        do(versions, "history", name="tarin")


def notebook(*sources: str) -> str:
    return render_ipynb(Notebook("python", tuple(Cell("code", text) for text in sources)))


def test_two_versions_are_compared_cell_by_cell(versions: Path) -> None:
    first = edit(versions, "One", **{"notebooks/score.ipynb": notebook("a = 1", "b = 2\nc = 3")})
    (versions / "workspace/a.py").unlink()
    edit(versions, "Two", **{"notebooks/score.ipynb": notebook("a = 1", "b = 2\nc = 4")})
    edit(versions, "Three", **{"workspace/new.py": "print(1)\n", "workspace/x.bin": "\0"})
    (versions / "README.md").write_text("changed, but not the project's\n")
    git(versions, "commit", "-qam", "Read me again")
    found = do(versions, "compare", version=first)
    assert (found.version, found.other) == (first, git(versions, "rev-parse", "HEAD"))
    assert [(item.symbol, item.path) for item in found.files] == [
        ("~", "notebooks/score.ipynb"),
        ("−", "workspace/a.py"),
        ("+", "workspace/new.py"),
        ("+", "workspace/x.bin"),
    ]
    lines = ("@@ 1 equal cell @@", "@@ cell 2 @@", " b = 2", "-c = 3", "+c = 4")
    assert found.files[0].lines == lines
    assert "+print(1)" in found.files[2].lines
    backwards = do(versions, "compare", version="HEAD", other=first, names=True)
    assert [item.symbol for item in backwards.files] == ["~", "+", "−", "−"]
    assert all(item.lines == () for item in backwards.files)


def test_a_changed_cluster_is_shown_by_its_lines(versions: Path) -> None:
    grown = do(versions, "history", name="cluster").versions[0].commit
    spec = do(versions, "compare", version="dbx/dev/12", other=grown).files[0]
    assert spec.path == "pipelines/config.cluster.json"
    assert '+  "num_workers": 2,' in spec.lines
    assert '-  "num_workers": 1,' in spec.lines


def test_equal_versions_and_names_that_are_none(versions: Path) -> None:
    assert do(versions, "compare", version="HEAD", other="HEAD^").files == ()  # only README.md
    for name in ("nowhere", "--help", "HEAD:dbx.toml"):
        with pytest.raises(GitError, match="There is no version"):
            do(versions, "compare", version=name)


def test_a_version_tells_its_model_and_data(git_project: Path) -> None:
    def train(version: str, fingerprint: str) -> str:
        lock = lockfile.Lock(models={"penguins": version}, data={"birds": fingerprint})
        (git_project / lockfile.NAME).write_text(lock.render())
        return str(do(git_project, "commit", message=f"Train {version}").commit)

    first, second = train("1", "333-a"), train("2", "344-b")
    [table] = do(git_project, "history").view()
    assert [row[-1] for row in table.rows] == ["penguins 2", "penguins 1", ""]
    compared = do(git_project, "compare", version=first, other=second)
    assert compared.tracked == ("model penguins   1 → 2", "data birds   333-a → 344-b")
    assert [line.text for line in compared.view()[1:]] == list(compared.tracked)
    seen: list[Event] = []
    back = drive(perform(Dbx(git_project), "rollback", {"version": first}), seen.append)
    (note,) = (event.text for event in seen if isinstance(event, Note))
    assert note == "It goes with penguins 1; `promote 1` makes that the champion."
    assert lockfile.read(git_project).models == {"penguins": "1"}
    assert do(git_project, "history").versions[0].model == "penguins 1"
    assert do(git_project, "compare", version=first, other=back.commit).tracked == ()
