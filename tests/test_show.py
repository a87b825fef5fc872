"""Views as text and HTML."""

from __future__ import annotations

import doctest

import pytest

from dbx_magic import view
from dbx_magic.errors import ProjectError
from dbx_magic.show import addressed, bundle, markup, text
from dbx_magic.view import Diff, Line, Table


def test_the_words_for_numbers() -> None:
    assert doctest.testmod(view).failed == 0


def test_text_keeps_long_lines_whole_and_aligns_tables() -> None:
    shown = text(
        [
            Line("x" * 200, "✓", note="note", link="http://127.0.0.1/run"),
            Table((("label", "value"), ("longer label", "● running"))),
            Table((("a", "1"),), ("name", "n")),
            Diff(("--- a", "+new")),
        ]
    )
    assert shown.split("\n") == [
        f"✓ {'x' * 200}   note   http://127.0.0.1/run",
        "label          value",
        "longer label   ● running",
        "name   n",
        "a      1",
        "--- a",
        "+new",
    ]
    assert "\x1b" not in shown


def test_colour_is_only_for_terminals() -> None:
    assert "\x1b[32m✓" in text([Line("done", "✓")], color=True)


@pytest.mark.parametrize(
    "block",
    [
        Line("<script>", "!", note="<script>", link='http://x/"><script>'),
        Table((("<script>", "● <script>"),), ("<script>", "<script>")),
        Diff(("+<script>",)),
    ],
)
def test_html_escapes_everything(block: view.Block) -> None:
    written = markup([block])
    assert "<script>" not in written
    assert "&lt;script&gt;" in written


def test_html_has_no_colours_of_its_own_and_no_foreign_links() -> None:
    written = markup([Line("ok", "✓", link="javascript:alert(1)")])
    assert "#" not in written
    assert "javascript" not in written
    assert "var(--jp-success-color1" in written


def test_an_error_is_one_line_with_its_hint() -> None:
    shown = bundle(ProjectError('line 7: "num_worker" is not a field.', "Did you mean …?"))
    assert shown["text/plain"] == '✗ line 7: "num_worker" is not a field. Did you mean …?'
    assert "Did you mean" in shown["text/html"]


def test_verbs_are_named_as_they_are_called_where_they_are_shown() -> None:
    view = [Line("Make one with `init`.", note="`git init` · `rebuild --fresh`")]
    assert text(addressed(view, "dbx-magic")) == (
        "Make one with `dbx-magic init`.   `git init` · `dbx-magic rebuild --fresh`"
    )
    assert (
        "`%dbx init`" in bundle(ProjectError("No project.", "Make one with `init`."))["text/html"]
    )
