"""A diff as HTML: before and after beside each other, and below each other where it is narrow."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from html import escape
from itertools import zip_longest

from .view import Diff, counted

# A notebook keeps what it shows, and a browser has to draw it.
_MOST = 400
_PLACE = re.compile(r"-\d+(?:,\d+)? \+(\d+)(?:,\d+)?")
_WORD = re.compile(r"\w+|\s+|.")
# So much of their text two lines share when one is taken for an edited version of the other.
_ALIKE = 0.5
# To compare them takes the square of their number and of their length.
_FEW, _LONG = 40, 500

STYLE = """<style>
.dbx-diff { container-type: inline-size; width: 100%; box-sizing: border-box; margin: .3em 0 1em;
  border: 1px solid var(--edge); line-height: 1.45;
  font-family: var(--jp-code-font-family, monospace); font-size: var(--jp-code-font-size, 13px);
  --edge: color-mix(in srgb, currentColor 25%, transparent);
  --old: var(--jp-error-color1, red); --new: var(--jp-success-color1, green); }
.dbx-diff > * { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); }
.dbx-diff > .dbx-one { grid-template-columns: minmax(0, 1fr); }
.dbx-diff > * > * { padding: 0 .6em 0 1.6em; text-indent: -1.2em; min-height: 1.45em;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.dbx-diff .dbx-right { grid-column: 2; border-left: 1px solid var(--edge); }
.dbx-diff > .dbx-one > .dbx-right { grid-column: 1; border-left: 0; }
.dbx-diff .dbx-left { grid-column: 1; }
.dbx-diff .dbx-right[hidden] { display: block; }
.dbx-diff .dbx-sign { display: inline-block; width: 1.2em; text-indent: 0; user-select: none; }
.dbx-diff .dbx-old { background: color-mix(in srgb, var(--old) 14%, transparent); }
.dbx-diff .dbx-new { background: color-mix(in srgb, var(--new) 14%, transparent); }
.dbx-diff .dbx-none { background: color-mix(in srgb, currentColor 4%, transparent); }
.dbx-diff del, .dbx-diff ins { text-decoration: none; border-radius: 2px; }
.dbx-diff del { background: color-mix(in srgb, var(--old) 34%, transparent); }
.dbx-diff ins { background: color-mix(in srgb, var(--new) 34%, transparent); }
.dbx-diff > .dbx-title { display: block; padding: .15em .6em; font-weight: 600;
  font-family: var(--jp-ui-font-family, sans-serif);
  background: color-mix(in srgb, currentColor 8%, transparent); }
.dbx-diff > .dbx-fold { display: block; padding: .1em .6em; opacity: .65;
  font-family: var(--jp-ui-font-family, sans-serif); }
.dbx-diff > .dbx-head { font-family: var(--jp-ui-font-family, sans-serif); }
@container (max-width: 42em) {
  .dbx-diff > .dbx-run { display: block; }
  .dbx-diff > .dbx-head { display: flex; flex-wrap: wrap; }
  .dbx-diff .dbx-right { border-left: 0; }
  .dbx-diff .dbx-right[hidden], .dbx-diff .dbx-none { display: none; }
}
</style>"""


def side_by_side(diff: Diff) -> str:
    """Write a diff as HTML, every text in it escaped; it needs ``STYLE`` somewhere beside it."""
    lines = diff.lines[:_MOST]
    signs = {line[:1] for line in lines}
    # What is only new, or only gone, has nothing to stand beside.
    one = "" if {"-", "+"} <= signs or " " in signs else " dbx-one"
    parts = [_head(diff, one), *(_part(run, one) for run in _runs(lines))]
    if left := len(diff.lines) - len(lines):
        parts.append(_fold(f"{counted(left, 'more line')}"))
    return f'<div class="dbx-diff">{"".join(parts)}</div>'


def _head(diff: Diff, one: str) -> str:
    if not (diff.before and diff.after) or one:
        return ""
    left, right = f"− {escape(diff.before)}", f"+ {escape(diff.after)}"
    return f'<div class="dbx-head"><div>{left}</div><div class="dbx-right">{right}</div></div>'


def _runs(lines: Iterable[str]) -> Iterator[list[str]]:
    """Split lines into headings, equal lines, and those that were edited at one place."""
    run: list[str] = []
    for line in lines:
        before, sign = run[-1][:1] if run else "", line[:1]
        if run and (sign != before or sign == "@") and (before, sign) != ("-", "+"):
            yield run
            run = []
        run.append(line)
    if run:
        yield run


def _part(run: Sequence[str], one: str) -> str:
    match run[0][:1]:
        case "@":
            return _heading(run[0].strip("@ "))
        case "-" | "+":
            old = [line[1:] for line in run if line[:1] == "-"]
            new = [line[1:] for line in run if line[:1] == "+"]
            rows = list(_rows(old, new))
            # The browser puts them into rows; where it is narrow, they stay in this order.
            cells = [_cell("old", number, a, b) for number, (a, b) in enumerate(rows, 1)]
            cells += [_cell("new", number, b, a) for number, (a, b) in enumerate(rows, 1)]
            if one:
                cells = [cell for cell in cells if "dbx-none" not in cell]
            return f'<div class="dbx-run{one}">{"".join(cells)}</div>'
        case _:
            cells = [_same(number, line[1:]) for number, line in enumerate(run, 1)]
            return f'<div class="dbx-run">{"".join(cells)}</div>'


def _heading(words: str) -> str:
    if place := _PLACE.fullmatch(words):
        return _fold(f"line {place[1]}") if int(place[1]) > 1 else ""
    if "equal cell" in words:
        return _fold(words)
    return f'<div class="dbx-title">{escape(words)}</div>'


def _fold(words: str) -> str:
    return f'<div class="dbx-fold">⋯ {escape(words)}</div>'


def _same(row: int, text: str) -> str:
    body = f'style="grid-row:{row}"><span class="dbx-sign"> </span>{escape(text)}</div>'
    return f'<div class="dbx-left" {body}<div class="dbx-right" hidden aria-hidden="true" {body}'


def _cell(side: str, row: int, text: str | None, other: str | None) -> str:
    place = f'dbx-{"left" if side == "old" else "right"}" style="grid-row:{row}"'
    if text is None:
        return f'<div class="dbx-none {place}></div>'
    sign, tag = ("−", "del") if side == "old" else ("+", "ins")
    body = _marked(text, other, tag) if other is not None else escape(text)
    return f'<div class="dbx-{side} {place}><span class="dbx-sign">{sign}</span>{body}</div>'


def _marked(text: str, other: str, tag: str) -> str:
    """Mark the words of a line that the other version of it does not have."""
    if max(len(text), len(other)) > _LONG:
        return escape(text)
    words, others = _WORD.findall(text), _WORD.findall(other)
    matcher = SequenceMatcher(None, words, others, autojunk=False)
    if matcher.ratio() < _ALIKE:
        return escape(text)
    return "".join(
        piece if kind == "equal" else f"<{tag}>{piece}</{tag}>"
        for kind, i, end, _, _ in matcher.get_opcodes()
        if (piece := escape("".join(words[i:end])))
    )


def _rows(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[str | None, str | None]]:
    """Put edited lines beside what they were."""
    if len(old) == len(new) or max(len(old), len(new)) > _FEW:
        yield from zip_longest(old, new)
        return
    done = 0
    for line in old:
        likeness = [_likeness(line, other) for other in new[done:]]
        if max(likeness, default=0.0) < _ALIKE:
            yield line, None
            continue
        index = done + likeness.index(max(likeness))
        yield from ((None, added) for added in new[done:index])
        yield line, new[index]
        done = index + 1
    yield from ((None, added) for added in new[done:])


def _likeness(line: str, other: str) -> float:
    if max(len(line), len(other)) > _LONG:
        return 0.0
    return SequenceMatcher(None, line, other).ratio()
