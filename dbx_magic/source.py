"""Databricks' source format: a notebook as a .py, .sql, .scala or .r file with marked comments.

What is read is written back byte for byte: a cell that Databricks would write differently keeps
its odd text in its layout until it is edited.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .errors import ProjectError
from .notebook import COMMENTS, Cell, Language, Notebook, new_metadata

_HEADER = re.compile(r"(\ufeff?)(#|//|--) Databricks notebook source([^\n]*)")
_BLANK_LINES = r"(?:[^\S\n]*\n)*"
_MD = re.compile(r"\s*%md(?:-sandbox)?(?:[ \t\r]*\n|[ \t]+|\Z)")
_RAW = re.compile(r"<!-- jupyter:raw(?: (\S+))? -->(?:\n|\Z)")
_PERCENT = re.compile(r"\s*%")


class _Grammar:
    """What marks a cell, in the comments of one language."""

    def __init__(self, comment: str) -> None:
        c = re.escape(comment)
        self.header = f"{comment} Databricks notebook source"
        self.separator = f"{comment} COMMAND ----------"
        self.magic = f"{comment} MAGIC"
        self.title = f"{comment} DBTITLE "
        # A "\r" stays with what follows, for files that mix line ends.
        self.separators = re.compile(rf"\n{c} COMMAND ----------(?=\r?\n)")
        self.environment = re.compile(
            rf"\n({c} /// script\r?\n(?:{c}(?: .*)?\n)*?{c} ///\r?)(?=\n|\Z)"
        )
        self.first_title = re.compile(rf"{_BLANK_LINES}{c} DBTITLE ([01]),(.*)(?:\n|\Z)")
        self.first_magic = re.compile(rf"{_BLANK_LINES}{c} MAGIC(?: |\r?$)", re.MULTILINE)
        self.first_mark = re.compile(
            rf"{_BLANK_LINES}{c} (?:DBTITLE [01],|MAGIC(?: |\r?$)|/// script\r?$)", re.MULTILINE
        )

    def misreads(self, text: str) -> bool:
        """Tell whether plain code would be read as more than the code of one cell."""
        if self.separator in text and self.separators.search(f"\n{text}\n"):
            return True
        return self.first_mark.match(text) is not None


_OF_LANGUAGE: Mapping[Language, _Grammar] = {
    language: _Grammar(comment) for language, comment in COMMENTS.items()
}
_OF_COMMENT: Mapping[str, Language] = {"#": "python", "//": "scala", "--": "sql"}


def is_source(text: str | bytes, path: str = "") -> Language | None:
    """Return the language of a Databricks source notebook; ``path`` tells R from Python."""
    start = text[:64]
    if isinstance(start, bytes):
        start = start.decode("utf-8", "replace")
    header = _HEADER.match(start)
    return _language(header, path) if header else None


def parse_source(text: str, path: str = "", language: str = "") -> Notebook:
    """Read a Databricks source notebook; ``path`` names it in errors.

    Python and R begin with the same line. It is R when ``language`` or the path's suffix says so.

    Raises:
        ProjectError: the first line is another.
    """
    layout: dict[str, str] = {}
    # Only a file that has no other line end is a CRLF file: else "\r" is content.
    if "\r\n" in text and text.count("\r\n") == text.count("\n"):
        layout["newline"] = "\r\n"
        text = text.replace("\r\n", "\n")
    header = _HEADER.match(text)
    if not header:
        raise ProjectError(
            f"{path or 'This text'} is not a Databricks source notebook.",
            'Its first line has to be "# Databricks notebook source".',
        )
    found = _language(header, f"x.{language}" if language else path)
    grammar = _OF_LANGUAGE[found]
    if header[1]:
        layout["bom"] = header[1]
    if header[3]:
        layout["header"] = header[3]
    rest = text[header.end() :]
    if _is_ended(rest, grammar):
        rest = rest[:-1]
    else:
        layout["end"] = ""
    if block := grammar.environment.match(rest):
        layout["environment"] = block[1]
        rest = rest[block.end() :]
    cells: tuple[Cell, ...] = ()
    if rest:
        # The newlines that the file's ends lack make every cell look alike.
        body = f"\n{rest}\n\n"
        spaced = body.count(f"{grammar.magic} \n")
        if spaced and spaced > body.count(f"{grammar.magic}\n"):
            layout["blank"] = " "
        blank = layout.get("blank", "")
        segments = grammar.separators.split(body[:-1])
        cells = tuple([_read_segment(f"{text}\n", found, blank) for text in segments])
    return Notebook(found, cells, layout, new_metadata(found))


def render_source(notebook: Notebook) -> str:
    """Write a notebook in Databricks' source format, in the layout that it was read in."""
    language, layout = notebook.language, notebook.layout
    grammar = _OF_LANGUAGE[language]
    blank = layout.get("blank", "")
    head = grammar.header + layout.get("header", "").partition("\n")[0]
    environment = grammar.environment.fullmatch("\n" + layout.get("environment", ""))
    if environment:
        head += environment[0]
    segments = []
    last = len(notebook.cells) - 1
    for number, cell in enumerate(notebook.cells):
        odd = cell.layout.get("source")
        if odd and _fits(odd, cell, language, first=number == 0, last=number == last):
            segments.append(odd)
        else:
            segments.append(f"\n\n{_cell_source(cell, language, blank)}\n\n")
    if segments and not environment and grammar.environment.match(segments[0][1:]):
        segments[0] = f"\n\n{_cell_source(notebook.cells[0], language, blank)}\n\n"
    text = head + grammar.separator.join(segments)[1:-2]
    # A last blank line that is content would be taken for the end of the file.
    if layout.get("end") != "" or _is_ended(text, grammar):
        text += "\n"
    if layout.get("newline") == "\r\n":
        text = text.replace("\n", "\r\n")
    return layout.get("bom", "") + text


def _language(header: re.Match[str], path: str) -> Language:
    language = _OF_COMMENT[header[2]]
    return "r" if language == "python" and path.lower().endswith(".r") else language


def _is_ended(text: str, grammar: _Grammar) -> bool:
    """Tell whether a final newline ends the file; after a last separator it may be its gap."""
    return text.endswith("\n") and not text.endswith(f"\n{grammar.separator}\n\n")


def _read_segment(segment: str, language: Language, blank: str) -> Cell:
    """Read what stands between two separators, and keep its text where ours would differ."""
    cell = _read_cell(segment, language)
    if f"\n\n{_cell_source(cell, language, blank)}\n\n" == segment:
        return cell
    return cell._replace(layout={"source": segment})


def _read_cell(segment: str, language: Language) -> Cell:
    grammar = _OF_LANGUAGE[language]
    text = _without_gaps(segment)
    title, shown = "", False
    if grammar.title in text and (found := grammar.first_title.match(text)):
        title, shown = found[2], found[1] == "1"
        text = text[found.end() :]
    if not (text.startswith(grammar.magic) or text[:1].isspace()) or not (
        grammar.first_magic.match(text)
    ):
        return Cell("code", text, title, shown)
    text = _without_magic(text, grammar.magic)
    if found := _MD.match(text):
        head, text = text[: found.end()], text[found.end() :]
        layout = {} if head == "%md\n" else {"head": head}
        if text.startswith("<!--") and (found := _RAW.match(text)):
            metadata = {"raw_mimetype": found[1]} if found[1] else {}
            return Cell("raw", text[found.end() :], title, shown, layout, metadata)
        return Cell("markdown", text, title, shown, layout)
    own = f"%{language}\n"
    if text.startswith(own) and grammar.misreads(text[len(own) :]):
        text = text[len(own) :]
    return Cell("code", text, title, shown)


def _without_gaps(segment: str) -> str:
    """Cut the line end and the blank line after one separator and before the next."""
    if len(segment) > 3 and segment.startswith("\n\n") and segment.endswith("\n\n"):
        return segment[2:-2]
    lines = segment.split("\n")[1:-1]
    if lines and not lines[0].strip("\r"):
        del lines[0]
    if lines and not lines[-1].strip("\r"):
        del lines[-1]
    return "\n".join(lines)


def _without_magic(text: str, magic: str) -> str:
    spaced, size = magic + " ", len(magic)
    if text.startswith(spaced) and text.count("\n") == text.count(f"\n{spaced}"):
        return text[size + 1 :].replace(f"\n{spaced}", "\n")
    lines = text.split("\n")
    while not lines[-1].strip():
        lines.pop()
    while not lines[0].strip():
        del lines[0]
    return "\n".join(
        [
            line[size + 1 :]
            if line.startswith(spaced)
            else line[size:]
            if line.rstrip("\r") == magic
            else line
            for line in lines
        ]
    )


def _fits(odd: str, cell: Cell, language: Language, *, first: bool, last: bool) -> bool:
    """Tell whether text that was kept for a cell still says what the cell says, where it is now."""
    grammar = _OF_LANGUAGE[language]
    if not odd.startswith(("\n\n",) if first else ("\n", "\r\n")):
        return False
    if not odd.endswith("\n\n" if last else "\n"):
        return False
    if grammar.separators.search(f"\n{odd}"):
        return False
    return _read_cell(odd, language)[:4] == cell[:4]  # kind, text, title and its flag


def _cell_source(cell: Cell, language: Language, blank: str) -> str:
    """Write one cell as Databricks does."""
    grammar = _OF_LANGUAGE[language]
    text, magic = cell.text, True
    if cell.kind == "code":
        if not _PERCENT.match(text):
            magic = grammar.misreads(text)
            if magic:
                # Says the same on Databricks, and cannot be taken for a marker.
                text = f"%{language}\n{text}"
    else:
        if cell.kind == "raw":
            text = f"{_raw_marker(cell)}\n{text}"
        head = cell.layout.get("head", "%md\n")
        if head != "%md\n":
            found = _MD.match(head + text)
            if not found or found.end() != len(head):
                head = "%md-sandbox\n" if "%md-sandbox" in head else "%md\n"
        text = head + text
    if magic:
        line, empty = grammar.magic + " ", grammar.magic + blank
        text = "\n".join([line + part if part else empty for part in text.split("\n")])
    if not cell.title:
        return text
    title = cell.title.replace("\r\n", " ").replace("\n", " ").replace("\r", " ")
    return f"{grammar.title}{int(cell.show_title)},{title}\n{text}"


def _raw_marker(cell: Cell) -> str:
    form = cell.metadata.get("raw_mimetype") or cell.metadata.get("format")
    suffix = f" {form}" if isinstance(form, str) and not re.search(r"\s", form) else ""
    return f"<!-- jupyter:raw{suffix} -->"
