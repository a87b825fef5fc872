"""The base: what both sides had in common, kept through kills and damage."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dbx_magic.base import Base, Known, stat_of
from dbx_magic.comparison import Content, content_of
from dbx_magic.errors import ProjectError

NOTEBOOK = content_of(b"# Databricks notebook source\na\n", "python")


def test_it_is_there_after_closing(tmp_path: Path) -> None:
    base = Base(tmp_path / "base.db", "place")
    with base.saving():
        base.keep("a/b", Known(NOTEBOOK, 12), b"text")
    base.close()
    again = Base(tmp_path / "base.db", "place")
    assert again.known() == {"a/b": Known(NOTEBOOK, 12)}
    assert again.text(NOTEBOOK) == b"text"
    again.close()


def test_places_do_not_mix(tmp_path: Path) -> None:
    here, there = Base(tmp_path / "base.db", "here"), Base(tmp_path / "base.db", "there")
    with here.saving():
        here.keep("x", Known(NOTEBOOK))
    assert there.known() == {}
    here.close()
    there.close()


def test_what_is_not_saved_whole_is_not_saved(tmp_path: Path) -> None:
    base = Base(tmp_path / "base.db", "place")

    def interrupted() -> None:
        with base.saving():
            base.keep("x", Known(NOTEBOOK))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert base.known() == {}
    base.close()


def test_what_arrived_is_no_longer_pending(tmp_path: Path) -> None:
    base = Base(tmp_path / "base.db", "place")
    with base.saving():
        base.intend({"x": NOTEBOOK, "y": Content("file", "f")})
        base.keep("x", Known(NOTEBOOK))
    assert base.pending() == {"y": Content("file", "f")}
    base.forget("y")
    assert base.pending() == {}
    base.close()


def test_damage_is_said_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "base.db"
    file.write_bytes(b"this is no database" * 100)
    with pytest.raises(ProjectError, match=r"base\.db cannot be read.*Delete it"):
        Base(file, "place")


def test_a_file_that_was_saved_this_moment_is_looked_at_again(tmp_path: Path) -> None:
    """It may be saved once more within the resolution of its time, with the same size."""
    file = tmp_path / "x"
    file.write_text("1")
    assert stat_of(file.stat()) == ""
    os.utime(file, (1, 1))
    assert stat_of(file.stat()) != ""
