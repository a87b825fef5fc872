from __future__ import annotations

import pytest

from dbx_magic.errors import ProjectError
from dbx_magic.lockfile import Lock, parse

LOCK = Lock(
    cluster="hello",
    spec="84042adf1063",
    libraries=("pypi b", "pypi a"),
    notebooks={"notebooks/ö.ipynb": "2", "notebooks/a.ipynb": "1"},
    data={"train": "42"},
    models={"hello": "3"},
)


def test_it_reads_what_it_wrote() -> None:
    read = parse(LOCK.render())
    assert read.libraries == ("pypi a", "pypi b")
    assert read.render() == LOCK.render()


def test_order_makes_no_difference() -> None:
    other = Lock(**{**vars(LOCK), "notebooks": dict(reversed(LOCK.notebooks.items()))})
    assert other.render() == LOCK.render()


def test_each_notebook_has_a_line_so_that_git_can_merge() -> None:
    lines = LOCK.render().splitlines()
    assert '    "notebooks/a.ipynb": "1",' in lines
    assert '    "notebooks/ö.ipynb": "2"' in lines


@pytest.mark.parametrize("text", ["", "{}", "[]", "<<<<<<< HEAD", '{"format": 1, "cluster": 3}'])
def test_a_broken_one_says_so(text: str) -> None:
    with pytest.raises(ProjectError, match=r"dbx\.lock cannot be read"):
        parse(text)


def test_a_newer_one_asks_for_a_newer_dbx_magic() -> None:
    with pytest.raises(ProjectError, match="format 9"):
        parse(LOCK.render().replace('"format": 1', '"format": 9'))
