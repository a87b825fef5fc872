"""Notebooks from one format to another, as a person or pre-commit asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from place import ipynb, perform, source, write

from dbx_magic import events, verbs
from dbx_magic.convert import Checked
from dbx_magic.dbx import Dbx
from dbx_magic.errors import ProjectError, UsageError
from dbx_magic.exchange import Sources
from dbx_magic.output import Stream


@pytest.fixture
def offline(project: Path, monkeypatch: pytest.MonkeyPatch) -> Dbx:
    """The project, with no workspace: converting needs none."""
    monkeypatch.chdir(project)
    return Dbx(project)


def test_the_project_is_converted(offline: Dbx, project: Path) -> None:
    write(project, "notebooks/a/train.ipynb", ipynb("a = 1"))
    write(
        project,
        "notebooks/report.md",
        "---\njupyter:\n  kernelspec:\n    display_name: Python 3\n    name: python3\n---\n# T\n",
    )
    write(project, "notebooks/helper.py", "x = 1\n")
    write(project, "notebooks/.gitignore", "*.tmp\n")
    result = perform(offline, "convert")
    assert result.written == ("workspace/a/train.py", "workspace/helper.py", "workspace/report.py")
    assert (project / "workspace/a/train.py").read_text() == source("a = 1")
    assert (project / "workspace/helper.py").read_text() == "x = 1\n"
    assert "# MAGIC # T" in (project / "workspace/report.py").read_text()
    assert perform(offline, "convert").unchanged == 3


def test_check_writes_nothing_and_says_what_would_change(offline: Dbx, project: Path) -> None:
    write(project, "notebooks/train.ipynb", ipynb("a = 1"))
    perform(offline, "convert")
    fine = perform(offline, "convert", check=True)
    assert isinstance(fine, Checked)
    assert (fine.exit_code, fine.stale) == (0, ())
    write(project, "notebooks/train.ipynb", ipynb("a = 2"))
    stale = perform(offline, "convert", check=True)
    assert stale.exit_code == 1
    assert {"-a = 1", "+a = 2"} <= set(stale.stale[0].lines)
    assert (project / "workspace/train.py").read_text() == source("a = 1")


def test_a_fresh_clone_passes_the_check(git_project: Path) -> None:
    """What was committed together is known to belong together, without any state."""
    write(git_project, "notebooks/train.ipynb", ipynb("a = 1"))
    dbx = Dbx(git_project)
    perform(dbx, "convert")
    dbx.repo.run("add", "-A")
    dbx.repo.run("commit", "-qm", "both")
    for path in (git_project / ".dbx/state").iterdir():
        path.unlink()
    assert perform(dbx, "convert", check=True).exit_code == 0
    write(git_project, "notebooks/train.ipynb", ipynb("a = 2"))
    assert perform(dbx, "convert").written == ("workspace/train.py",)


def test_a_folder_goes_into_another_with_its_folders(offline: Dbx, project: Path) -> None:
    write(project, "in/x/one.ipynb", ipynb("1"))
    write(project, "in/two.ipynb", ipynb("select 2", language="sql"))
    write(project, "in/notes.txt", "no notebook")
    result = perform(offline, "convert", paths=("in",), into="out")
    assert isinstance(result, Sources)
    assert result.written == ("out/two.sql", "out/x/one.py")
    back = perform(offline, "convert", paths=("out",), to="ipynb", into="back")
    assert back.written == ("back/two.ipynb", "back/x/one.ipynb")


@pytest.mark.parametrize(
    ("form", "name", "words"),
    [
        ("py:percent", "train.py", "# %%\na = 1"),
        ("md", "train.md", "```python\na = 1\n```"),
        ("Rmd", "train.Rmd", "```{python}\na = 1\n```"),
    ],
)
def test_any_format_of_jupytext(
    offline: Dbx, project: Path, form: str, name: str, words: str
) -> None:
    write(project, "train.ipynb", ipynb("a = 1"))
    assert perform(offline, "convert", paths=("train.ipynb",), to=form).written == (name,)
    assert words in (project / name).read_text()


def test_the_result_can_be_printed(offline: Dbx, project: Path) -> None:
    write(project, "train.ipynb", ipynb("a = 1"))
    seen: list[events.Event] = []
    work = verbs.perform(offline, "convert", {"paths": ("train.ipynb",), "stdout": True})
    result = events.drive(work, seen.append)
    assert seen == [events.Shown(Stream("stdout", source("a = 1")))]
    assert result.view() == []
    assert not (project / "train.py").exists()


def test_a_file_with_other_content_is_overwritten_only_by_force(
    offline: Dbx, project: Path
) -> None:
    write(project, "train.ipynb", ipynb("a = 1"))
    write(project, "train.py", "mine = True\n")
    with pytest.raises(ProjectError, match=r"train.py is there, with other content"):
        perform(offline, "convert", paths=("train.ipynb",))
    assert (project / "train.py").read_text() == "mine = True\n"
    perform(offline, "convert", paths=("train.ipynb",), force=True)
    assert (project / "train.py").read_text() == source("a = 1")


def test_problems_are_named_and_the_others_are_converted(offline: Dbx, project: Path) -> None:
    write(project, "in/bad.ipynb", "{")
    write(project, "in/folder.ipynb/x.txt", "")
    write(project, "in/latin.py", b"# Databricks notebook source\n# \xe9\n")
    write(project, "in/fine.ipynb", ipynb("1"))
    with pytest.raises(ProjectError) as caught:
        perform(offline, "convert", paths=("in",), into="out")
    assert "in/bad.ipynb, line 1" in str(caught.value)
    assert "in/latin.py is not UTF-8" in str(caught.value)
    assert [path.name for path in (project / "out").iterdir()] == ["fine.py"]


@pytest.mark.parametrize(
    ("paths", "options", "words"),
    [
        (("none.ipynb",), {}, "none.ipynb is not there"),
        (("dbx.toml",), {}, "dbx.toml is no notebook"),
        (("a.ipynb",), {"to": "py:percnt"}, "'py:percnt' is not a format.*'py:percent'"),
    ],
)
def test_wrong_words_are_explained(
    offline: Dbx, paths: tuple[str, ...], options: dict[str, str], words: str
) -> None:
    with pytest.raises((UsageError, ProjectError), match=words):
        perform(offline, "convert", paths=paths, **options)


def test_converting_files_leaves_nothing_else_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is no project does not become one."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "train.ipynb", ipynb("a = 1"))
    perform(Dbx(tmp_path), "convert", paths=("train.ipynb",))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["train.ipynb", "train.py"]


def test_sources_become_notebooks_of_the_project(offline: Dbx, project: Path) -> None:
    assert perform(offline, "convert", to="ipynb").written == ("notebooks/greet.ipynb",)
    assert perform(offline, "convert").unchanged == 1


def test_a_folder_where_a_file_has_to_be_is_named(offline: Dbx, project: Path) -> None:
    write(project, "notebooks/train.ipynb", ipynb("a = 1"))
    (project / "workspace/train.py").mkdir(parents=True)
    with pytest.raises(
        ProjectError, match=r"workspace/train\.py cannot be written: Is a directory"
    ):
        perform(offline, "convert")
