"""What the project has: which files are met, what is left out, what they are in the workspace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from place import ipynb, source, write

from dbx_magic.base import Base
from dbx_magic.comparison import FOLDER
from dbx_magic.errors import ProjectError
from dbx_magic.events import drive
from dbx_magic.project import Project
from dbx_magic.tree import Entry, File, Walk, scan, split_suffix


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Base]:
    base = Base(tmp_path / "base.db", "")
    yield base
    base.close()


def met(root: Path) -> list[str]:
    walk = Walk(Project(root))
    return [file.path for file in walk.files("workspace") if isinstance(file, File)]


def entries(root: Path, base: Base) -> dict[str, Entry]:
    project = Project(root)
    return drive(scan(project, base, {}, Walk(project)), lambda _: None)


def test_the_nearest_rule_and_the_last_line_decide(tmp_path: Path) -> None:
    write(tmp_path, ".gitignore", "*.log\nbuild/\n/workspace/top.txt\n")
    write(tmp_path, "workspace/a/.gitignore", "!keep.log\n*.tmp\n")
    for path in ("x.log", "top.txt", "a/keep.log", "a/x.log", "a/x.tmp", "a/top.txt", "build/y"):
        write(tmp_path, f"workspace/{path}", "")
    assert met(tmp_path) == [
        "workspace/a/.gitignore",
        "workspace/a/keep.log",
        "workspace/a/top.txt",
    ]


def test_rules_of_the_repository_above_count(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    write(tmp_path, ".gitignore", "*.log\n/project/workspace/secret.txt\n")
    for path in ("x.log", "secret.txt", "fine.txt"):
        write(tmp_path, f"project/workspace/{path}", "")
    assert met(tmp_path / "project") == ["workspace/fine.txt"]


def test_excludes_have_the_last_word(tmp_path: Path) -> None:
    write(tmp_path, "dbx.toml", 'exclude = ["*.parquet", "!x.log"]\n')
    write(tmp_path, ".gitignore", "*.log\n")
    for path in ("a.parquet", "x.log", "y.log"):
        write(tmp_path, f"workspace/{path}", "")
    assert met(tmp_path) == ["workspace/x.log"]


@pytest.mark.parametrize(
    "path", ["a/x.tmp", "build/deep/y.txt", "x.log", "__pycache__/a.py", "a/.ipynb_checkpoints/b"]
)
def test_a_path_that_is_not_there_is_judged_alike(tmp_path: Path, path: str) -> None:
    write(tmp_path, ".gitignore", "*.log\nbuild/\n")
    write(tmp_path, "workspace/a/.gitignore", "*.tmp\n")
    walk = Walk(Project(tmp_path))
    assert walk.ignores(f"workspace/{path}")
    assert not walk.ignores("workspace/a/fine.txt")
    write(tmp_path, f"workspace/{path}", "")
    assert f"workspace/{path}" not in met(tmp_path)


def test_notebooks_lose_their_suffix_and_files_keep_theirs(tmp_path: Path, base: Base) -> None:
    write(tmp_path, "workspace/a/train.py", source("a"))
    write(tmp_path, "workspace/a/tools.py", "x = 1\n")
    write(tmp_path, "workspace/q.SQL", "-- Databricks notebook source\nselect 1\n")
    write(tmp_path, "workspace/r.R", source("1"))
    write(tmp_path, "workspace/n.ipynb", ipynb("a"))
    found = entries(tmp_path, base)
    assert {path: (one.content.kind, one.content.language) for path, one in found.items()} == {
        "a": ("folder", ""),
        "a/train": ("notebook", "python"),
        "a/tools.py": ("file", ""),
        "q": ("notebook", "sql"),
        "r": ("notebook", "r"),
        "n": ("notebook", "python"),
    }
    assert found["a"].content == FOLDER


def test_what_was_seen_before_is_seen_anew_when_it_is_saved(tmp_path: Path, base: Base) -> None:
    write(tmp_path, "workspace/a.txt", "1")
    first = entries(tmp_path, base)
    write(tmp_path, "workspace/a.txt", "2")
    assert entries(tmp_path, base)["a.txt"].content != first["a.txt"].content


def test_a_file_that_is_to_come_counts_as_if_it_were_there(tmp_path: Path, base: Base) -> None:
    write(tmp_path, "workspace/old.py", source("old"))
    project = Project(tmp_path)
    overlay = {"workspace/new/train.py": source("a").encode(), "workspace/old.py": None}
    found = drive(scan(project, base, overlay, Walk(project)), lambda _: None)
    assert set(found) == {"new", "new/train"}


def test_two_files_of_one_object_are_an_error_naming_both(tmp_path: Path, base: Base) -> None:
    write(tmp_path, "workspace/x.py", source("a"))
    write(tmp_path, "workspace/x", "a file")
    with pytest.raises(ProjectError, match=r"workspace/x and workspace/x\.py would both be x"):
        entries(tmp_path, base)


def test_what_a_killed_process_left_is_no_file_of_the_project(tmp_path: Path) -> None:
    write(tmp_path, "workspace/.train.py.0123abcd.dbx-part", "half")
    walk = Walk(Project(tmp_path))
    assert list(walk.files("workspace")) == []
    assert [path.name for path in walk.leftovers] == [".train.py.0123abcd.dbx-part"]


def test_suffixes() -> None:
    assert split_suffix("a.b/train.py") == ("a.b/train", ".py")
    assert split_suffix("a.b/.env") == ("a.b/.env", "")
    assert split_suffix("a.b/Makefile") == ("a.b/Makefile", "")
