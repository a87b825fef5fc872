"""A diff as HTML: what stands beside what, what is marked in it, and that it is escaped."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from dbx_magic.side_by_side import side_by_side
from dbx_magic.view import Diff


class Page(HTMLParser):
    """The texts of the innermost ``div`` elements, with their side and row, and marked words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str]] = []
        self.marked: list[str] = []
        self._tags: list[str] = []
        self.feed(html)
        self.close()
        assert self._tags == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tags.append(tag)
        if tag == "div":
            given = dict(attrs)
            kind = str(given.get("class", "")) + (" hidden" if "hidden" in given else "")
            self.found.append((kind, str(given.get("style", "")), ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._tags.pop() == tag

    def handle_data(self, data: str) -> None:
        kind, style, text = self.found[-1]
        self.found[-1] = (kind, style, text + data)
        if self._tags[-1] in ("del", "ins"):
            self.marked.append(data)

    def rows(self) -> list[tuple[str, str, str]]:
        """The lines, as side, row and text with its sign."""
        return [
            (side[1], re.sub(r"\D", "", style), text)
            for kind, style, text in self.found
            if (side := re.search(r"dbx-(left|right)", kind)) and style and "hidden" not in kind
        ]


def page(*lines: str, before: str = "", after: str = "") -> Page:
    return Page(side_by_side(Diff(lines, before, after)))


def test_an_edited_line_stands_beside_what_it_was() -> None:
    """New lines between have nothing beside them; without columns, all − come before all +."""
    shown = page(
        " def f():",
        "-    limit = 0.5",
        "-    return frame[score > limit]",
        "+    limit = 0.6",
        "+    frame = frame.dropna()",
        "+    return frame[score >= limit]",
    )
    assert shown.rows() == [
        ("left", "1", " def f():"),
        ("left", "1", "−    limit = 0.5"),
        ("left", "2", ""),
        ("left", "3", "−    return frame[score > limit]"),
        ("right", "1", "+    limit = 0.6"),
        ("right", "2", "+    frame = frame.dropna()"),
        ("right", "3", "+    return frame[score >= limit]"),
    ]
    assert shown.marked == ["5", "6", "="]


def test_lines_that_have_little_in_common_are_not_marked() -> None:
    assert page("-import pandas", "+x = 1").marked == []


def test_very_long_lines_are_shown_but_not_compared_word_by_word() -> None:
    line = "a1," * 100_000
    shown = page(f"-{line}1", f"+{line}2", "+more")
    assert shown.marked == []
    assert len(shown.rows()) == 6


def test_cells_are_titled_and_equal_ones_folded() -> None:
    shown = page("@@ 3 equal cells @@", "@@ cell 4 @@", "-a", "+b", "@@ -20,3 +21,3 @@", " c")
    titles = [text for kind, _, text in shown.found if kind in ("dbx-fold", "dbx-title")]
    assert titles == ["⋯ 3 equal cells", "cell 4", "⋯ line 21"]


def test_what_is_only_new_needs_no_second_column() -> None:
    shown = page("@@ -0,0 +1,2 @@", "+a", "+b", before="there", after="here")
    assert shown.rows() == [("right", "1", "+a"), ("right", "2", "+b")]
    assert "dbx-head" not in [kind for kind, _, _ in shown.found]


def test_both_sides_are_named() -> None:
    texts = [text for _, _, text in page("-a", "+b", before="<then>", after="<now>").found]
    assert {"− <then>", "+ <now>"} <= set(texts)


def test_everything_is_escaped() -> None:
    lines = ("@@ cell 1 “<script>” @@", " <script>", "-x <script> y", "+x </script> y")
    written = side_by_side(Diff(lines))
    assert "script>" not in written
    assert Page(written).marked


def test_a_huge_diff_is_cut_with_a_word() -> None:
    shown = page(*(f"+{number}" for number in range(5_000)))
    assert len(shown.rows()) < 1_000
    assert shown.found[-1][2] == "⋯ 4,600 more lines"
