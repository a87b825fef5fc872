"""Push: the project's folder in a real (local) workspace becomes what the project is."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from place import edit_there, ipynb, perform, pull, push, remote, source, write

from dbx_magic import events, verbs
from dbx_magic.dbx import Dbx
from dbx_magic.errors import ConflictError, ProjectError, UsageError
from dbx_magic.show import text
from dbx_magic.view import Diff


def test_push_sends_notebooks_files_and_folders(dbx: Dbx, project: Path, root: str) -> None:
    write(project, "notebooks/train.ipynb", ipynb("a = 1", "b = 2"))
    write(project, "notebooks/reports/weekly überblick.ipynb", ipynb("select 1", language="sql"))
    write(project, "workspace/lib/__init__.py", "")
    write(project, "workspace/lib/tools.py", "def one():\n    return 1\n")
    write(project, "workspace/data.csv", "a,b\n1,2\n")
    result = push(dbx)
    assert remote(dbx, root) == {
        "python:greet": source('print("hello")'),
        "python:train": source("a = 1", "b = 2"),
        "reports/": "",
        "sql:reports/weekly überblick": "-- Databricks notebook source\nselect 1\n",
        "lib/": "",
        "file:lib/__init__.py": "",
        "file:lib/tools.py": "def one():\n    return 1\n",
        "file:data.csv": "a,b\n1,2\n",
    }
    assert (project / "workspace/train.py").read_text() == source("a = 1", "b = 2")
    assert (len(result.sent), result.removed, result.unchanged) == (6, (), 0)


def test_names_may_hold_whatever_a_file_name_can(dbx: Dbx, project: Path, root: str) -> None:
    names = [
        "a b",
        "100%41 #1?",
        "a+b&c=d",
        "'quoted' \"twice\"",
        "überblick 🚀",
        "u\u0308",
        "日本",
    ]
    for name in names:
        write(project, f"workspace/{name}/{name}.txt", name)
        write(project, f"workspace/{name}/{name}.py", source(f"x = {name!r}"))
    push(dbx)
    there = remote(dbx, root)
    for name in names:
        assert there[f"file:{name}/{name}.txt"] == name
        assert there[f"python:{name}/{name}"] == source(f"x = {name!r}")
        dbx.workspace.put(f"{root}/{name}/{name}.txt", b"theirs", "RAW")
    assert push(dbx, dry_run=True).unchanged == 1 + len(names)
    assert len(pull(dbx).taken) == len(names)
    for name in names:
        assert (project / f"workspace/{name}/{name}.txt").read_text() == "theirs"
    assert push(dbx).sent == ()
    shutil.rmtree(project / "workspace" / names[1])
    assert len(push(dbx).removed) == 2


def test_a_second_push_sends_nothing(dbx: Dbx, project: Path, root: str) -> None:
    push(dbx)
    again = push(dbx)
    assert (again.sent, again.removed, again.unchanged) == ((), (), 1)


def test_only_what_was_edited_is_sent(dbx: Dbx, project: Path, root: str) -> None:
    write(project, "notebooks/train.ipynb", ipynb("a = 1"))
    push(dbx)
    write(project, "notebooks/train.ipynb", ipynb("a = 2"))
    assert push(dbx).sent == ("train",)
    assert remote(dbx, root)["python:train"] == source("a = 2")


def test_what_is_gone_here_is_removed_there(dbx: Dbx, project: Path, root: str) -> None:
    write(project, "notebooks/old/train.ipynb", ipynb("a = 1"))
    write(project, "workspace/old/data.csv", "a\n")
    push(dbx)
    (project / "notebooks/old/train.ipynb").unlink()
    (project / "workspace/old/data.csv").unlink()
    (project / "workspace/old/train.py").exists()
    result = push(dbx)
    assert result.removed == ("old/data.csv", "old/train")
    assert remote(dbx, root) == {"python:greet": source('print("hello")')}
    assert not (project / "workspace/old").exists()


def test_what_python_leaves_beside_a_module_there_is_nobodys_edit(
    dbx: Dbx, project: Path, root: str
) -> None:
    push(dbx)
    dbx.workspace.make_folder(f"{root}/__pycache__")
    dbx.workspace.put(f"{root}/__pycache__/measures.cpython-311.pyc", b"code", "RAW")
    assert push(dbx).left == ()


def test_what_others_put_there_stays(dbx: Dbx, project: Path, root: str) -> None:
    push(dbx)
    dbx.workspace.make_folder(f"{root}/mine")
    dbx.workspace.put(f"{root}/mine/notes.txt", b"keep me", "RAW")
    result = push(dbx)
    assert result.left == ("mine/notes.txt",)
    assert "file:mine/notes.txt" in remote(dbx, root)
    pruned = push(dbx, prune=True)
    assert pruned.removed == ("mine/notes.txt",)
    assert (Path(pruned.backup) / "mine/notes.txt").read_text() == "keep me"
    assert list(remote(dbx, root)) == ["python:greet"]


def test_an_edit_there_is_a_conflict_and_nothing_is_sent(
    dbx: Dbx, project: Path, root: str
) -> None:
    write(project, "notebooks/score.ipynb", ipynb("import x", "threshold = 0.5"))
    push(dbx)
    edit_there(dbx, f"{root}/score", "import x", "threshold = 0.55")
    write(project, "notebooks/score.ipynb", ipynb("import x", "threshold = 0.6"))
    write(project, "workspace/greet.py", source("print('edited here only')"))
    before = remote(dbx, root)
    seen: list[events.Event] = []
    with pytest.raises(ConflictError, match=r"score \(edited in the workspace and here\)"):
        events.drive(verbs.perform(dbx, "push", {}), seen.append)
    assert remote(dbx, root) == before
    (plan,) = [event.plan for event in seen if isinstance(event, events.Planned)]
    (conflict,) = [change for change in plan.changes if change.subject == "score"]
    assert re.fullmatch(r"edited in the workspace and here, \d\.\d s ago", conflict.reason)
    sides = ("@@ 1 equal cell @@", "@@ cell 2 @@", "-threshold = 0.55", "+threshold = 0.6")
    assert conflict.lines == sides
    assert Diff(sides, "in the workspace", "in the project") in plan.view()


def test_much_that_is_in_conflict_is_cut_short(dbx: Dbx, project: Path, root: str) -> None:
    write(project, "workspace/data.csv", "1")
    push(dbx)
    dbx.workspace.put(f"{root}/data.csv", b"\n".join([b"theirs"] * 200), "RAW")
    seen: list[events.Event] = []
    with pytest.raises(ConflictError):
        events.drive(verbs.perform(dbx, "push", {}), seen.append)
    (plan,) = [event.plan for event in seen if isinstance(event, events.Planned)]
    assert plan.changes[0].lines[-1] == "@@ 142 more lines @@"


def test_force_overwrites_and_keeps_a_backup(dbx: Dbx, project: Path, root: str) -> None:
    push(dbx)
    edit_there(dbx, f"{root}/greet", "print('theirs')")
    with pytest.raises(ConflictError):
        push(dbx)
    result = push(dbx, force=True)
    assert result.sent == ("greet",)
    assert remote(dbx, root)["python:greet"] == source('print("hello")')
    assert (Path(result.backup) / "greet.py").read_text() == source("print('theirs')")
    assert push(dbx).sent == ()


def test_a_backup_is_kept_for_its_days_and_nothing_else_is_removed(
    dbx: Dbx, project: Path, root: str
) -> None:
    push(dbx)
    backups = dbx.project.state_file("backups")
    yesterday = datetime.now().astimezone() - timedelta(days=1)
    old, young, mine = "2020-01-02-030405-000006", f"{yesterday:%Y-%m-%d-%H%M%S-%f}", "2020 mine"
    for name in (old, young, mine):
        write(backups, f"{name}/greet.py", "x")
    edit_there(dbx, f"{root}/greet", "print('theirs')")
    result = push(dbx, force=True)
    kept = {path.name for path in backups.iterdir()}
    assert kept == {young, mine, Path(result.backup).name}
    assert "for 90 days" in text(result.view())


def test_an_object_removed_there_is_a_conflict(dbx: Dbx, project: Path, root: str) -> None:
    write(project, "workspace/data.csv", "a\n")
    push(dbx)
    dbx.workspace.delete(f"{root}/greet")
    with pytest.raises(ConflictError, match=r"greet \(removed in the workspace\)"):
        push(dbx)
    assert push(dbx, force=True).sent == ("greet",)


def test_an_object_moved_there_is_a_conflict_that_says_so(
    dbx: Dbx, project: Path, root: str
) -> None:
    write(project, "workspace/data.csv", "a\n")
    push(dbx)
    text = dbx.workspace.fetch(f"{root}/greet")
    dbx.workspace.put(f"{root}/hello", text, "SOURCE", "python")
    dbx.workspace.delete(f"{root}/greet")
    with pytest.raises(ConflictError, match=r"greet \(moved to hello in the workspace\)"):
        push(dbx)


def test_an_edit_there_that_is_equal_here_is_no_conflict(
    dbx: Dbx, project: Path, root: str
) -> None:
    push(dbx)
    edit_there(dbx, f"{root}/greet", "print('both')")
    write(project, "workspace/greet.py", source("print('both')"))
    assert push(dbx).sent == ()
    write(project, "workspace/greet.py", source("print('next')"))
    assert push(dbx).sent == ("greet",)


def test_a_wiped_folder_is_filled_again(dbx: Dbx, project: Path, root: str) -> None:
    push(dbx)
    dbx.workspace.delete(root, recursive=True)
    assert push(dbx).sent == ("greet",)


def test_a_notebook_becomes_a_file_and_a_folder_a_notebook(
    dbx: Dbx, project: Path, root: str
) -> None:
    write(project, "workspace/a/b.txt", "1")
    write(project, "workspace/c.sql", "-- Databricks notebook source\nselect 1\n")
    push(dbx)
    (project / "workspace/a/b.txt").unlink()
    (project / "workspace/a").rmdir()
    (project / "workspace/c.sql").unlink()
    write(project, "workspace/a.py", source("a"))
    write(project, "workspace/c/d.txt", "2")
    push(dbx)
    assert remote(dbx, root) == {
        "python:a": source("a"),
        "c/": "",
        "file:c/d.txt": "2",
        "python:greet": source('print("hello")'),
    }


def test_the_language_of_a_notebook_changes(dbx: Dbx, project: Path, root: str) -> None:
    write(project, "notebooks/q.ipynb", ipynb("select 1", language="python"))
    push(dbx)
    write(project, "notebooks/q.ipynb", ipynb("select 1", language="sql"))
    push(dbx)
    assert "sql:q" in remote(dbx, root)
    assert not (project / "workspace/q.py").exists()


def test_a_dry_run_changes_nothing(dbx: Dbx, project: Path, root: str) -> None:
    write(project, "notebooks/train.ipynb", ipynb("a = 1"))
    seen: list[events.Event] = []
    result = events.drive(verbs.perform(dbx, "push", {"dry_run": True}), seen.append)
    (plan,) = [event.plan for event in seen if isinstance(event, events.Planned)]
    assert {(change.symbol, change.subject) for change in plan.changes} == {
        ("+", "greet"),
        ("+", "train"),
    }
    assert result.dry_run
    assert not (project / "workspace/train.py").exists()
    assert dbx.workspace.object(root) is None
    assert push(dbx, expect=plan.fingerprint).sent == ("greet", "train")


def test_an_agreed_plan_that_is_no_longer_true_is_not_applied(
    dbx: Dbx, project: Path, root: str
) -> None:
    with pytest.raises(ConflictError, match="changed since"):
        push(dbx, expect="0" * 16)
    assert dbx.workspace.object(f"{root}/greet") is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"cells": [', "line 1, column"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"", "empty"),
        (b'{"nbformat": 3, "worksheets": []}', "notebook format 3"),
    ],
)
def test_a_broken_notebook_is_named_the_others_convert_nothing_is_sent(
    dbx: Dbx, project: Path, root: str, content: bytes, words: str
) -> None:
    write(project, "notebooks/broken.ipynb", content)
    write(project, "notebooks/fine.ipynb", ipynb("a = 1"))
    with pytest.raises(ProjectError, match=words) as caught:
        push(dbx)
    assert "notebooks/broken.ipynb" in str(caught.value)
    assert (project / "workspace/fine.py").exists()
    assert dbx.workspace.object(root) is None


def test_a_notebook_that_is_also_written_by_hand_is_an_error_naming_both(
    dbx: Dbx, project: Path, root: str
) -> None:
    write(project, "notebooks/greet.ipynb", ipynb("print('another')"))
    with pytest.raises(ProjectError, match=r"notebooks/greet.ipynb and workspace/greet.py"):
        push(dbx)
    assert (project / "workspace/greet.py").read_text() == source('print("hello")')


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("workspace/x.py", "workspace/x.sql"),
        ("workspace/x.py", "workspace/x/data.csv"),
        ("notebooks/x.ipynb", "workspace/x.sql"),
    ],
)
def test_two_sources_of_one_object_are_an_error_naming_both(
    dbx: Dbx, project: Path, root: str, first: str, second: str
) -> None:
    texts = {
        ".py": source("a"),
        ".sql": "-- Databricks notebook source\nselect 1\n",
        ".csv": "a\n",
        ".ipynb": ipynb("a"),
    }
    for path in (first, second):
        write(project, path, texts[Path(path).suffix])
    with pytest.raises(ProjectError, match="would both be x in the workspace"):
        push(dbx)
    assert dbx.workspace.object(root) is None


def test_a_conversion_edited_by_hand_is_never_overwritten(
    dbx: Dbx, project: Path, root: str
) -> None:
    write(project, "notebooks/train.ipynb", ipynb("a = 1"))
    push(dbx)
    write(project, "workspace/train.py", source("a = 1  # by hand"))
    write(project, "notebooks/train.ipynb", ipynb("a = 2"))
    with pytest.raises(ProjectError, match=r"workspace/train.py was not converted from it"):
        push(dbx)
    assert "by hand" in (project / "workspace/train.py").read_text()


def test_a_stale_conversion_edited_by_hand_stays(dbx: Dbx, project: Path, root: str) -> None:
    write(project, "notebooks/train.ipynb", ipynb("a = 1"))
    push(dbx)
    write(project, "workspace/train.py", source("a = 1  # by hand"))
    (project / "notebooks/train.ipynb").unlink()
    push(dbx)
    assert remote(dbx, root)["python:train"] == source("a = 1  # by hand")


def test_only_the_paths_that_are_named_are_pushed(dbx: Dbx, project: Path, root: str) -> None:
    write(project, "notebooks/a/train.ipynb", ipynb("a"))
    write(project, "notebooks/score.ipynb", ipynb("b"))
    write(project, "workspace/lib/tools.py", "x = 1\n")
    assert push(dbx, "notebooks/a/train.ipynb").sent == ("a/train",)
    assert push(dbx, str(project / "workspace/lib")).sent == ("lib/tools.py",)
    assert push(dbx, "score").sent == ("score",)
    with pytest.raises(UsageError, match=r"nothing that this project pushes.*Did you mean score"):
        push(dbx, "scores")
    assert push(dbx).sent == ("greet",)


def test_push_to_another_folder(dbx: Dbx, project: Path, root: str) -> None:
    push(dbx)
    result = push(dbx, to=f"/Workspace{root}-trial/")
    assert (result.root, result.sent) == (f"{root}-trial", ("greet",))
    assert push(dbx).sent == ()
    with pytest.raises(UsageError, match="whole workspace"):
        push(dbx, to="/Shared")


def test_ignored_files_and_links_to_outside_are_not_sent(
    dbx: Dbx, project: Path, root: str, tmp_path: Path
) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    write(project, ".gitignore", "*.log\n")
    write(project, "workspace/.gitignore", "tmp/\n!tmp/keep.log\n")
    settings = project / "dbx.toml"
    settings.write_text('exclude = ["*.parquet"]\n' + settings.read_text())
    for path in ("a.log", "tmp/x.txt", "b.parquet", "__pycache__/m.pyc", "real/c.txt"):
        write(project, f"workspace/{path}", "x")
    (project / "workspace/outside.txt").symlink_to(tmp_path / "secret.txt")
    (project / "workspace/broken.txt").symlink_to("nothing")
    (project / "workspace/loop").symlink_to(project / "workspace")
    (project / "workspace/linked").symlink_to(project / "workspace/real")
    seen: list[events.Event] = []
    dbx = Dbx(project)
    events.drive(verbs.perform(dbx, "push", {}), seen.append)
    dbx.close()
    assert set(remote(dbx, root)) == {
        "python:greet",
        "file:.gitignore",
        "linked/",
        "file:linked/c.txt",
        "real/",
        "file:real/c.txt",
    }
    notes = [event.text for event in seen if isinstance(event, events.Note)]
    assert any("outside.txt is a link to outside" in note for note in notes)
    assert any("broken.txt is a link to nothing" in note for note in notes)
    assert any("loop is a link to a folder that it is in" in note for note in notes)


def test_a_fresh_clone_sends_only_what_differs(
    dbx: Dbx, git_project: Path, root: str, tmp_path: Path
) -> None:
    """It has no base of its own: the record in the workspace stands in for it."""
    write(git_project, "workspace/data.csv", "a\n")
    push(dbx)
    clone = tmp_path / "clone" / "hello"
    clone.parent.mkdir()
    shutil.copytree(git_project, clone, ignore=shutil.ignore_patterns(".dbx"))
    write(clone, "workspace/greet.py", source("print('from the clone')"))
    (clone / "workspace/data.csv").unlink()
    other = Dbx(clone)
    result = push(other)
    other.close()
    assert (result.sent, result.removed) == (("greet",), ("data.csv",))


def test_a_fresh_clone_sees_edits_in_the_workspace(
    dbx: Dbx, project: Path, root: str, tmp_path: Path
) -> None:
    push(dbx)
    edit_there(dbx, f"{root}/greet", "print('theirs')")
    shutil.rmtree(project / ".dbx")
    write(project, "workspace/greet.py", source("print('ours')"))
    with pytest.raises(ConflictError, match="edited in the workspace and here"):
        push(dbx)


def test_what_takes_long_before_anything_is_sent_is_told(
    dbx: Dbx, project: Path, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        write(project, f"notebooks/n{number}.ipynb", ipynb(f"a = {number}"))
    monkeypatch.setattr(events, "TOLD_EVERY", 0.0)  # as if each took that long
    seen: list[events.Event] = []
    events.drive(verbs.perform(dbx, "push", {}), seen.append)
    states = [(one.subject, one.state) for one in seen if isinstance(one, events.Progress)]
    for told in (
        ("notebooks/", "reading"),
        ("notebooks/", "converting"),
        ("workspace/", "reading"),
    ):
        assert states.count(told) >= 5


def test_too_large_is_refused_before_anything_is_sent(dbx: Dbx, project: Path, root: str) -> None:
    write(project, "workspace/big.py", source("x" * 11_000_000))
    with pytest.raises(ProjectError, match=r"workspace/big.py has 11.0 MB; a workspace takes 10.5"):
        push(dbx)
    assert dbx.workspace.object(root) is None


def test_a_file_larger_than_a_workspace_takes_is_not_even_read(
    dbx: Dbx, project: Path, root: str
) -> None:
    with (project / "workspace/huge.bin").open("wb") as file:
        file.truncate(10**13)  # a hole: no disk is that large
    with pytest.raises(ProjectError, match=r"huge.bin has 10000.0 GB; a workspace takes 524.3 MB"):
        push(dbx)
    assert dbx.workspace.object(root) is None
    assert push(dbx, "greet").sent == ("greet",)
    (huge,) = perform(dbx, "diff").objects
    assert huge.lines == ("@@ 10000.0 GB here, more than a workspace takes @@",)
    (project / "workspace/huge.bin").rename(project / "notebooks/huge.csv")
    with pytest.raises(ProjectError, match=r"notebooks/huge.csv has 10000.0 GB.*exclude"):
        push(dbx)


@pytest.mark.parametrize("file", ["notebooks/big.ipynb", "workspace/big.ipynb"])
def test_of_a_notebook_only_its_source_counts(
    dbx: Dbx, project: Path, root: str, file: str
) -> None:
    notebook = json.loads(ipynb("a = 1"))
    notebook["cells"][0]["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": ["x" * 11_000_000]}
    ]
    write(project, file, json.dumps(notebook))
    assert "big" in push(dbx).sent
    write(project, file, ipynb("x" * 11_000_000))
    with pytest.raises(ProjectError, match=r"workspace/big\.\w+ has 11.0 MB; a workspace takes"):
        push(dbx)
    assert remote(dbx, root)["python:big"] == source("a = 1")


def test_a_large_file_goes_there_and_is_compared(dbx: Dbx, project: Path, root: str) -> None:
    write(project, "workspace/big.bin", bytes(range(256)) * 50_000)
    assert push(dbx).sent == ("big.bin", "greet")
    assert push(dbx).sent == ()


def test_the_record_says_who_pushed_what(dbx: Dbx, git_project: Path, root: str) -> None:
    push(dbx)
    record = json.loads(dbx.workspace.fetch(f"{root}/.dbx/push.json"))
    assert record["user"] == dbx.workspace.user()
    assert record["commit"] == dbx.repo.head
    assert record["clean"] is True
    assert list(record["objects"]) == ["greet"]
    assert dbx.workspace.object(f"{root}/.dbx/lock.json") is None


def test_push_this_pushes_the_notebook_one_sits_in(
    dbx: Dbx, project: Path, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, "notebooks/a/train.ipynb", ipynb("a"))
    with pytest.raises(UsageError, match="here is none"):
        push(dbx, "this")
    monkeypatch.setenv("JPY_SESSION_NAME", str(project / "notebooks/a/train.ipynb"))
    inside = Dbx(project)
    assert push(inside, "this").sent == ("a/train",)
    inside.close()
    monkeypatch.chdir(project / "notebooks/a")
    monkeypatch.setenv("JPY_SESSION_NAME", "work/hello/notebooks/a/train.ipynb")
    inside = Dbx(Path.cwd())  # as a kernel does
    assert push(inside, "this").unchanged == 1
    inside.close()


def test_watch_pushes_what_is_saved_until_it_is_stopped(dbx: Dbx, project: Path, root: str) -> None:
    write(project, "notebooks/train.ipynb", ipynb("a = 1"))
    work = verbs.perform(dbx, "push", {"watch": True})
    told: list[str] = []

    def until(words: str) -> None:
        deadline = time.monotonic() + 30
        while not any(words in text for text in told):
            event = next(work)
            if isinstance(event, events.Note):
                told.append(f"{event.symbol} {event.text}")
            assert time.monotonic() < deadline, told

    until("2 sent")
    write(project, "notebooks/train.ipynb", ipynb("a = 2"))
    until("1 sent (train)")
    write(project, "notebooks/train.ipynb", "{")
    until("✗ notebooks/train.ipynb, line 1")
    with dbx.project.lock():
        pass  # other verbs can work in between
    write(project, "notebooks/train.ipynb", ipynb("a = 3"))
    told.clear()
    until("1 sent (train)")
    work.close()
    assert remote(dbx, root)["python:train"] == source("a = 3")


@pytest.fixture
def colleague(dbx: Dbx, git_project: Path, tmp_path: Path) -> Iterator[Dbx]:
    """Another checkout of the same repository, with everything that was pushed so far."""
    push(dbx)
    clone = tmp_path / "clone" / "hello"
    dbx.repo.run("clone", "-q", str(git_project), str(clone))
    other = Dbx(clone)
    assert push(other).sent == ()
    yield other
    other.close()


def commit(dbx: Dbx, message: str) -> None:
    dbx.repo.run("add", "-A")
    dbx.repo.run("commit", "-qm", message)


def test_what_a_colleague_committed_and_pushed_is_no_conflict_once_it_is_merged(
    dbx: Dbx, git_project: Path, root: str, colleague: Dbx
) -> None:
    there = colleague.project.root
    write(there, "workspace/greet.py", source("print('colleague')"))
    write(there, "workspace/new.py", source("new"))
    commit(colleague, "Edit")
    assert push(colleague).sent == ("greet", "new")
    write(git_project, "workspace/greet.py", source("print('before merging')"))
    with pytest.raises(ConflictError, match="edited in the workspace and here"):
        push(dbx)
    dbx.repo.run("checkout", "-q", "--", "workspace")
    dbx.repo.run("pull", "-q", "--ff-only", str(there), "HEAD")
    write(git_project, "workspace/greet.py", source("print('on top of it')"))
    result = push(dbx)
    assert (result.sent, result.removed) == (("greet",), ())
    assert "python:new" in remote(dbx, root)


def test_a_checkout_that_is_behind_does_not_remove_what_is_new(
    dbx: Dbx, git_project: Path, root: str, colleague: Dbx
) -> None:
    there = colleague.project.root
    write(there, "workspace/new.py", source("new"))
    commit(colleague, "New")
    push(colleague)
    write(git_project, "workspace/mine.py", source("mine"))
    result = push(dbx)
    assert (result.sent, result.removed, result.left) == (("mine",), (), ("new",))


def test_a_clone_removes_what_a_later_commit_removed(
    dbx: Dbx, git_project: Path, root: str, colleague: Dbx, tmp_path: Path
) -> None:
    there = colleague.project.root
    write(there, "workspace/new.py", source("new"))
    commit(colleague, "New")
    push(colleague)
    (there / "workspace/new.py").unlink()
    commit(colleague, "Gone")
    clone = tmp_path / "ci" / "hello"
    colleague.repo.run("clone", "-q", str(there), str(clone))
    runner = Dbx(clone)
    assert push(runner).removed == ("new",)
    runner.close()


def test_a_notebook_that_jupytext_has_paired_is_one_notebook(
    dbx: Dbx, project: Path, root: str
) -> None:
    notebook = json.loads(ipynb("a = 1"))
    notebook["metadata"]["jupytext"] = {"formats": "ipynb,py:percent"}
    write(project, "notebooks/train.ipynb", json.dumps(notebook))
    write(project, "notebooks/train.py", "# %%\na = 1\n")
    write(project, "notebooks/train.csv", "a\n")
    assert push(dbx).sent == ("greet", "train", "train.csv")
    assert remote(dbx, root)["python:train"] == source("a = 1")


def test_a_notebook_and_a_script_of_one_name_that_are_no_pair_are_an_error(
    dbx: Dbx, project: Path
) -> None:
    write(project, "notebooks/train.ipynb", ipynb("a = 1"))
    write(project, "notebooks/train.py", "# %%\na = 2\n")
    with pytest.raises(ProjectError, match=r"would both be converted to workspace/train\.py"):
        push(dbx)


def test_a_push_that_is_stopped_gives_its_lock_back(dbx: Dbx, project: Path, root: str) -> None:
    for number in range(50):
        write(project, f"workspace/n{number}.py", source(f"{number}"))
    work = verbs.perform(dbx, "push", {})
    for event in work:
        if isinstance(event, events.Progress) and event.state.startswith("sending"):
            break
    work.close()
    assert dbx.workspace.object(f"{root}/.dbx/lock.json") is None
    with dbx.project.lock():
        pass
    push(dbx)
    assert len(remote(dbx, root)) == 51


def test_an_ipynb_in_workspace_goes_there_as_a_notebook(dbx: Dbx, project: Path, root: str) -> None:
    write(project, "workspace/train.ipynb", ipynb("a = 1"))
    assert push(dbx).sent == ("greet", "train")
    assert remote(dbx, root)["python:train"] == source("a = 1")
    edit_there(dbx, f"{root}/train", "a = 2")
    assert pull(dbx).taken == ("train",)
    assert json.loads((project / "workspace/train.ipynb").read_text())["cells"][0]["source"] == [
        "a = 2"
    ]
    assert push(dbx).sent == ()


def test_names_that_are_no_text_are_left_out(dbx: Dbx, project: Path, root: str) -> None:
    (Path(os.fsdecode(os.fsencode(project) + b"/workspace/\xff.txt"))).write_text("x")
    assert push(dbx).sent == ("greet",)
