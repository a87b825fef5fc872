"""Two versions of a notebook: which cells differ, and what they are called."""

from __future__ import annotations

from dbx_magic.celldiff import cell_lines
from dbx_magic.notebook import Cell


def code(*texts: str) -> list[Cell]:
    return [Cell("code", text) for text in texts]


def lines(here: list[Cell], there: list[Cell]) -> list[str]:
    return list(cell_lines(here, there))


def test_equal_cells_are_folded_and_an_edited_one_stands_beside_what_it_was() -> None:
    """Also where a new cell has pushed it down."""
    there = code("import x", "a = 1\nb = 2", "show(a)", "show(b)")
    here = code("import x", "new = 0", "a = 1\nb = 3", "show(a)", "show(b)")
    assert lines(here, there) == [
        "@@ 1 equal cell @@",
        "@@ cell 2, new @@",
        "+new = 0",
        "@@ cell 3 @@",
        " a = 1",
        "-b = 2",
        "+b = 3",
        "@@ 2 equal cells @@",
    ]


def test_a_removed_cell_has_the_number_that_it_had() -> None:
    assert lines(code("a"), code("a", "gone")) == [
        "@@ 1 equal cell @@",
        "@@ cell 2, removed @@",
        "-gone",
    ]


def test_a_cell_that_was_text_before_says_so() -> None:
    here, there = [Cell("markdown", "x = 1")], [Cell("code", "x = 1")]
    assert lines(here, there) == ["@@ markdown cell 1, was code @@"]


def test_titles_are_named_and_their_edits_shown() -> None:
    here = [Cell("code", "load()", "Load", show_title=True)]
    there = [Cell("code", "load()", "Read", show_title=True)]
    assert lines(here, there) == [
        "@@ cell 1 “Load” @@",
        "-title: Read",
        "+title: Load",
        " load()",
    ]
