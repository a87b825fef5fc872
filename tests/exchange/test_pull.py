"""Pull and diff: edits made in a real (local) workspace come home, and nothing is lost."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from place import edit_there, ipynb, perform, pull, push, remote, source, write

from dbx_magic.dbx import Dbx
from dbx_magic.errors import ConflictError, ProjectError
from dbx_magic.pull import Differences


def cells(project: Path, path: str) -> list[str]:
    content = json.loads((project / path).read_text())
    return ["".join(cell["source"]) for cell in content["cells"]]


def test_an_edit_there_comes_home_into_the_notebook(dbx: Dbx, project: Path, root: str) -> None:
    """Ids, tags and the outputs of cells that were not edited stay."""
    notebook = json.loads(ipynb("a = 1", "b = 2"))
    notebook["cells"][0] |= {
        "id": "mine",
        "metadata": {"tags": ["parameters"]},
        "outputs": [{"output_type": "stream", "name": "stdout", "text": ["1"]}],
    }
    write(project, "notebooks/train.ipynb", json.dumps(notebook))
    push(dbx)
    edit_there(dbx, f"{root}/train", "a = 1", "b = 22")
    result = pull(dbx)
    assert (result.taken, result.merged, result.unsettled) == (("train",), (), ())
    assert cells(project, "notebooks/train.ipynb") == ["a = 1", "b = 22"]
    first = json.loads((project / "notebooks/train.ipynb").read_text())["cells"][0]
    assert first["id"] == "mine"
    assert first["metadata"]["tags"] == ["parameters"]
    assert first["outputs"]
    assert (project / "workspace/train.py").read_text() == source("a = 1", "b = 22")
    assert push(dbx).sent == ()


def test_a_notebook_that_was_moved_there_takes_its_outputs_along(
    dbx: Dbx, project: Path, root: str
) -> None:
    notebook = json.loads(ipynb("a = 1"))
    notebook["cells"][0] |= {
        "id": "mine",
        "metadata": {"tags": ["parameters"]},
        "outputs": [{"output_type": "stream", "name": "stdout", "text": ["1"]}],
    }
    write(project, "notebooks/train.ipynb", json.dumps(notebook))
    push(dbx)
    dbx.workspace.delete(f"{root}/train")
    dbx.workspace.make_folder(f"{root}/models")
    edit_there(dbx, f"{root}/models/fit", "a = 1")
    result = pull(dbx)
    assert (result.taken, result.removed) == (("models/fit",), ("train",))
    moved = json.loads((project / "notebooks/models/fit.ipynb").read_text())
    assert moved["cells"] == notebook["cells"]
    assert not (project / "notebooks/train.ipynb").exists()
    assert push(dbx).sent == ()


def test_edits_of_different_cells_are_merged(dbx: Dbx, project: Path, root: str) -> None:
    write(project, "notebooks/train.ipynb", ipynb("a = 1", "b = 2", "c = 3"))
    push(dbx)
    edit_there(dbx, f"{root}/train", "a = 10", "b = 2", "c = 3")
    write(project, "notebooks/train.ipynb", ipynb("a = 1", "b = 2", "c = 30"))
    result = pull(dbx)
    assert (result.merged, result.unsettled) == (("train",), ())
    assert cells(project, "notebooks/train.ipynb") == ["a = 10", "b = 2", "c = 30"]
    assert push(dbx).sent == ("train",)
    assert remote(dbx, root)["python:train"] == source("a = 10", "b = 2", "c = 30")


@pytest.mark.parametrize("file", ["notebooks/train.ipynb", "workspace/train.py"])
def test_edits_of_one_cell_keep_both_and_nothing_is_pushed_before_one_is_chosen(
    dbx: Dbx, project: Path, root: str, file: str
) -> None:
    def save(text: str) -> None:
        write(project, file, ipynb("a", text) if file.endswith(".ipynb") else source("a", text))

    save("x = 1")
    push(dbx)
    edit_there(dbx, f"{root}/train", "a", "x = 2")
    save("x = 3")
    result = pull(dbx)
    (unsettled,) = result.unsettled
    assert (unsettled.path, unsettled.file, len(unsettled.cells)) == ("train", file, 1)
    text = (project / file).read_text()
    assert "x = 2" in text
    assert "x = 3" in text
    with pytest.raises(ConflictError, match=f"{file}, cell 3"):
        push(dbx)
    assert remote(dbx, root)["python:train"] == source("a", "x = 2")
    save("x = 4")
    assert push(dbx).sent == ("train",)
    assert remote(dbx, root)["python:train"] == source("a", "x = 4")


def test_new_objects_come_home(dbx: Dbx, project: Path, root: str) -> None:
    write(project, "notebooks/train.ipynb", ipynb("a"))
    push(dbx)
    dbx.workspace.make_folder(f"{root}/new place")
    edit_there(dbx, f"{root}/new place/score", "s = 1")
    dbx.workspace.put(f"{root}/new place/data.csv", b"a\n", "RAW")
    dbx.workspace.put(f"{root}/x.log", b"ignored", "RAW")
    write(project, ".gitignore", "*.log\n")
    assert pull(dbx).taken == ("new place/data.csv", "new place/score")
    assert cells(project, "notebooks/new place/score.ipynb") == ["s = 1"]
    assert (project / "workspace/new place/score.py").read_text() == source("s = 1")
    assert (project / "workspace/new place/data.csv").read_text() == "a\n"
    assert not (project / "workspace/x.log").exists()
    assert push(dbx).sent == ()


def test_a_project_of_sources_gets_sources(dbx: Dbx, project: Path, root: str) -> None:
    push(dbx)
    dbx.workspace.put(f"{root}/q", b"-- Databricks notebook source\nselect 1\n", "SOURCE", "sql")
    edit_there(dbx, f"{root}/greet", "print('theirs')")
    pull(dbx)
    assert (project / "workspace/q.sql").read_text().endswith("select 1\n")
    assert (project / "workspace/greet.py").read_text() == source("print('theirs')")


def test_what_is_removed_there_is_removed_here_and_kept_in_a_backup(
    dbx: Dbx, project: Path, root: str
) -> None:
    write(project, "notebooks/old/train.ipynb", ipynb("a"))
    push(dbx)
    dbx.workspace.delete(f"{root}/old", recursive=True)
    result = pull(dbx)
    assert "old/train" in result.removed
    assert not (project / "notebooks/old").exists()
    assert not (project / "workspace/old").exists()
    assert (Path(result.backup) / "notebooks/old/train.ipynb").read_text() == ipynb("a")
    assert push(dbx).sent == ()


def test_what_is_removed_there_and_edited_here_stays(dbx: Dbx, project: Path, root: str) -> None:
    write(project, "workspace/data.csv", "1")
    push(dbx)
    dbx.workspace.delete(f"{root}/greet")
    write(project, "workspace/greet.py", source("print('edited')"))
    (left,) = pull(dbx).unsettled
    assert (left.path, left.why) == ("greet", "removed in the workspace, edited here")
    assert (project / "workspace/greet.py").read_text() == source("print('edited')")
    result = pull(dbx, force=True)
    assert not (project / "workspace/greet.py").exists()
    assert "edited" in (Path(result.backup) / "workspace/greet.py").read_text()


def test_a_file_edited_on_both_sides_stays_until_one_side_is_chosen(
    dbx: Dbx, project: Path, root: str
) -> None:
    write(project, "workspace/data.csv", "1")
    push(dbx)
    dbx.workspace.put(f"{root}/data.csv", b"theirs", "RAW")
    write(project, "workspace/data.csv", "ours")
    (left,) = pull(dbx).unsettled
    assert left.path == "data.csv"
    assert (project / "workspace/data.csv").read_text() == "ours"
    result = pull(dbx, force=True)
    assert (project / "workspace/data.csv").read_text() == "theirs"
    assert (Path(result.backup) / "workspace/data.csv").read_text() == "ours"
    assert push(dbx).sent == ()


def test_a_file_edited_in_different_lines_is_merged(dbx: Dbx, project: Path, root: str) -> None:
    lines = [f"line_{number} = {number}\n" for number in range(9)]
    write(project, "workspace/tools.py", "".join(lines))
    push(dbx)
    theirs = "".join(["first = 'theirs'\n", *lines[1:]])
    dbx.workspace.put(f"{root}/tools.py", theirs.encode(), "RAW")
    write(project, "workspace/tools.py", "".join([*lines[:-1], "last = 'ours'\n"]))
    result = pull(dbx)
    assert (result.merged, result.unsettled) == (("tools.py",), ())
    merged = "".join(["first = 'theirs'\n", *lines[1:-1], "last = 'ours'\n"])
    assert (project / "workspace/tools.py").read_text() == merged
    assert push(dbx).sent == ("tools.py",)


def test_removed_here_and_edited_there_comes_back(dbx: Dbx, project: Path, root: str) -> None:
    write(project, "workspace/data.csv", "1")
    push(dbx)
    (project / "workspace/greet.py").unlink()
    edit_there(dbx, f"{root}/greet", "print('theirs')")
    assert pull(dbx).taken == ("greet",)
    assert (project / "workspace/greet.py").read_text() == source("print('theirs')")


def test_the_language_changes_there(dbx: Dbx, project: Path, root: str) -> None:
    push(dbx)
    dbx.workspace.put(
        f"{root}/greet", b"-- Databricks notebook source\nselect 1\n", "SOURCE", "sql"
    )
    assert pull(dbx).taken == ("greet",)
    assert (project / "workspace/greet.sql").exists()
    assert not (project / "workspace/greet.py").exists()
    assert push(dbx).sent == ()


def test_a_file_becomes_a_notebook_there(dbx: Dbx, project: Path, root: str) -> None:
    write(project, "workspace/notes", "text")
    push(dbx)
    dbx.workspace.delete(f"{root}/notes")
    edit_there(dbx, f"{root}/notes", "n = 1")
    pull(dbx)
    assert not (project / "workspace/notes").exists()
    assert (project / "workspace/notes.py").read_text() == source("n = 1")
    assert push(dbx).sent == ()


def test_a_fresh_clone_merges_without_a_base(dbx: Dbx, project: Path, root: str) -> None:
    write(project, "notebooks/train.ipynb", ipynb("a = 1", "b = 2"))
    edit = dbx.workspace
    edit.make_folder(root)
    edit_there(dbx, f"{root}/train", "a = 1", "b = 2", "c = 3")
    pull(dbx, "train")
    text = (project / "notebooks/train.ipynb").read_text()
    assert "c = 3" in text
    assert "a = 1" in text


def test_a_link_inside_of_the_project_stays_a_link(dbx: Dbx, project: Path, root: str) -> None:
    write(project, "workspace/real.txt", "1")
    (project / "workspace/link.txt").symlink_to("real.txt")
    push(dbx)
    dbx.workspace.put(f"{root}/link.txt", b"2", "RAW")
    assert pull(dbx).taken == ("link.txt",)
    assert (project / "workspace/link.txt").is_symlink()
    assert (project / "workspace/real.txt").read_text() == "2"
    assert push(dbx).sent == ("real.txt",)


def test_nothing_is_written_or_removed_outside_of_the_project(
    dbx: Dbx, project: Path, root: str, tmp_path: Path
) -> None:
    """Not even where a link leads, in a folder that the workspace has and the project has not."""
    outside = tmp_path / "outside"
    write(outside, "mine.txt", "mine")
    (project / "workspace/out").symlink_to(outside)
    (project / "workspace/one.txt").symlink_to(outside / "mine.txt")
    push(dbx)
    dbx.workspace.make_folder(f"{root}/out")
    for name in ("out/mine.txt", "out/new.txt", "one.txt"):
        dbx.workspace.put(f"{root}/{name}", b"theirs", "RAW")
    result = pull(dbx, force=True)
    assert result.taken == ()
    assert {one.path for one in result.unsettled} == {
        "out",
        "out/mine.txt",
        "out/new.txt",
        "one.txt",
    }
    assert {path.name: path.read_text() for path in outside.iterdir()} == {"mine.txt": "mine"}


@contextlib.contextmanager
def dying_before_it_is_noted(dbx: Dbx) -> Iterator[None]:
    """A pull ends like a killed one, after it has written a file and before the base knows."""
    file = dbx.project.state_file("base.db")
    with contextlib.closing(sqlite3.connect(file)) as base:
        base.execute(
            "CREATE TRIGGER dies BEFORE INSERT ON known BEGIN SELECT RAISE(ABORT, 'killed'); END"
        )
        with pytest.raises(ProjectError, match="killed"):
            yield
        base.execute("DROP TRIGGER dies")


@pytest.mark.parametrize("file", ["notebooks/train.ipynb", "workspace/train.py"])
def test_what_a_killed_pull_has_written_is_nobodys_edit(
    dbx: Dbx, project: Path, root: str, file: str
) -> None:
    write(project, file, ipynb("a") if file.endswith(".ipynb") else source("a"))
    push(dbx)
    edit_there(dbx, f"{root}/train", "b")
    with dying_before_it_is_noted(dbx):
        pull(dbx)
    assert "b" in (project / file).read_text()
    edit_there(dbx, f"{root}/train", "c")
    result = pull(dbx)
    assert (result.taken, result.unsettled) == (("train",), ())
    assert push(dbx).sent == ()
    assert remote(dbx, root)["python:train"] == source("c")


def test_what_a_killed_pull_has_merged_is_merged_no_second_time(
    dbx: Dbx, project: Path, root: str
) -> None:
    write(project, "workspace/train.py", source("a", "b"))
    push(dbx)
    edit_there(dbx, f"{root}/train", "a", "b = theirs")
    write(project, "workspace/train.py", source("a = ours", "b"))
    with dying_before_it_is_noted(dbx):
        pull(dbx)
    assert (project / "workspace/train.py").read_text() == source("a = ours", "b = theirs")
    edit_there(dbx, f"{root}/train", "a", "b = theirs again")
    assert pull(dbx).unsettled == ()
    assert (project / "workspace/train.py").read_text() == source("a = ours", "b = theirs again")


def test_an_edit_after_a_killed_pull_stays_an_edit(dbx: Dbx, project: Path, root: str) -> None:
    push(dbx)
    edit_there(dbx, f"{root}/greet", "theirs")
    with dying_before_it_is_noted(dbx):
        pull(dbx)
    write(project, "workspace/greet.py", source("ours"))
    edit_there(dbx, f"{root}/greet", "theirs again")
    assert pull(dbx).unsettled
    assert "ours" in (project / "workspace/greet.py").read_text()


def test_only_the_paths_that_are_named_are_pulled(dbx: Dbx, project: Path, root: str) -> None:
    write(project, "workspace/a.py", source("a"))
    push(dbx)
    edit_there(dbx, f"{root}/a", "a2")
    edit_there(dbx, f"{root}/greet", "g2")
    assert pull(dbx, "workspace/a.py").taken == ("a",)
    assert (project / "workspace/greet.py").read_text() == source('print("hello")')


def test_a_dry_run_pulls_nothing(dbx: Dbx, project: Path, root: str) -> None:
    push(dbx)
    edit_there(dbx, f"{root}/greet", "g2")
    assert pull(dbx, dry_run=True).dry_run
    assert (project / "workspace/greet.py").read_text() == source('print("hello")')


def test_diff_shows_cells_and_lines(dbx: Dbx, project: Path, root: str) -> None:
    write(project, "notebooks/train.ipynb", ipynb("a = 1", "b = 2"))
    write(project, "workspace/data.csv", "1\n2\n")
    push(dbx)
    write(project, "notebooks/train.ipynb", ipynb("a = 1", "b = 3"))
    write(project, "notebooks/more.ipynb", ipynb("m"))
    dbx.workspace.put(f"{root}/data.csv", b"1\n3\n", "RAW")
    edit_there(dbx, f"{root}/theirs", "t")
    shown = perform(dbx, "diff")
    assert isinstance(shown, Differences)
    found = {one.path: one for one in shown.objects}
    assert {path: (one.here, one.there) for path, one in found.items()} == {
        "data.csv": ("", "edited"),
        "more": ("new", ""),
        "theirs": ("", "new"),
        "train": ("edited", ""),
    }
    lines = ("@@ 1 equal cell @@", "@@ cell 2 @@", "-b = 2", "+b = 3")
    assert found["train"].lines == lines
    assert found["more"].lines == ("@@ cell 1, new @@", "+m")
    assert {"-3", "+2"} <= set(found["data.csv"].lines)
    assert not (project / "workspace/more.py").exists()
    named = perform(dbx, "diff", names=True)
    assert [one.path for one in named.objects] == ["data.csv", "more", "theirs", "train"]


def test_no_difference_is_said(dbx: Dbx, project: Path, root: str) -> None:
    push(dbx)
    shown = perform(dbx, "diff")
    assert (shown.objects, shown.equal) == ((), 1)
    assert shown.view()[0].text == f"{root} is equal to the project"
