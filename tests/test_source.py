"""Databricks source and notebooks are the same thing: every text comes back byte for byte."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbx_magic.errors import ProjectError
from dbx_magic.notebook import LANGUAGES, Cell, Kind, Language, Notebook, parse_ipynb, render_ipynb
from dbx_magic.source import is_source, parse_source, render_source

CORPUS = Path(__file__).parent / "corpus"
COMMENTS: dict[Language, str] = {"python": "#", "sql": "--", "scala": "//", "r": "#"}
# What stands in each file: c(ode), m(arkdown) and r(aw) cells.
CELLS = {
    "analysis.r": "mcc",
    "blank_after_header.py": "mc",
    "blank_lines.py": "ccccc",
    "blank_magic_bare.py": "mcc",
    "blank_magic_bare_no_end.py": "mcc",
    "blank_magic_mixed.py": "mmm",
    "blank_magic_spaced.py": "mcc",
    "blank_magic_spaced_no_end.py": "mcc",
    "bom.py": "cm",
    "bom_crlf.r": "cc",
    "carriage_returns.py": "cm",
    "crlf.py": "mc",
    "crlf_no_end.sql": "cc",
    "empty_cells.py": "ccccc",
    "empty_first.py": "cc",
    "empty_last_cut.py": "cc",
    "empty_last_cut_no_end.py": "cc",
    "empty_last_no_end.py": "cc",
    "environment.py": "cc",
    "environment.sql": "c",
    "environment_alone.py": "",
    "environment_cell.py": "cc",
    "environment_titled.py": "m",
    "environment_unfinished.py": "cc",
    "escaped.py": "ccccc",
    "exported.scala": "mcc",
    "header_line.py": "",
    "header_only.py": "",
    "header_with_words.py": "c",
    "magic_without_percent.py": "cccc",
    "magics.py": "cccccccccccccc",
    "markdown_heads.py": "mmmmmmmc",
    "mixed_line_ends.py": "ccm",
    "mixed_magic.py": "cccm",
    "nearly_separators.py": "cm",
    "one_empty_cell.py": "c",
    "percent_without_magic.py": "cccc",
    "plain.py": "ccc",
    "query.sql": "mccc",
    "raw_cells.py": "rrrm",
    "stream.scala": "mccc",
    "tight_separators.py": "ccccm",
    "titles.py": "ccmcccccc",
    "unusual_characters.py": "cmc",
}


def read(name: str) -> Notebook:
    return parse_source((CORPUS / name).read_bytes().decode(), name)


def there_and_back(notebook: Notebook) -> Notebook:
    return parse_ipynb(render_ipynb(notebook))


# --- what people's files look like ---------------------------------------------------------------


def test_the_corpus_is_whole() -> None:
    assert {path.name for path in CORPUS.iterdir()} - {".gitattributes"} == CELLS.keys()


@pytest.mark.parametrize("name", CELLS)
def test_a_file_is_read_as_its_cells_and_written_byte_for_byte(name: str) -> None:
    text = (CORPUS / name).read_bytes().decode()
    notebook = parse_source(text, name)
    assert "".join(cell.kind[0] for cell in notebook.cells) == CELLS[name]
    assert render_source(notebook) == text
    assert render_source(there_and_back(notebook)) == text


@pytest.mark.parametrize("name", [name for name in CELLS if len(CELLS[name]) > 1])
def test_a_file_keeps_its_bytes_when_another_cell_is_edited(name: str) -> None:
    """Editing one cell in Jupyter shows up as that one cell in a diff."""
    notebook = read(name)
    edited = notebook.cells[-1]._replace(kind="code", text="edited = True", title="")
    changed = notebook._replace(cells=(*notebook.cells[:-1], edited))
    kept = parse_source(render_source(changed), name)
    assert kept.cells[:-1] == notebook.cells[:-1]
    assert kept.cells[-1].text == "edited = True"


def test_titles_and_their_flag() -> None:
    said = [(cell.title, cell.show_title, cell.text) for cell in read("titles.py").cells]
    assert said[:4] == [
        ("Read the gauges", True, "read()"),
        ("hidden, with commas, two", False, "x = 1"),
        ("  spaces around  ", True, "titled text"),
        ("“Ünïcode” & <tags> 'quoted'", True, "y = 2"),
    ]
    assert said[4][0] == said[5][0] == said[6][0] == ""
    assert [text for _, _, text in said[7:]] == ["", ""]


def test_markdown_loses_its_head_and_nothing_else() -> None:
    assert [cell.text for cell in read("markdown_heads.py").cells] == [
        "# Water levels",
        "## Inline heading",
        "spaces after the head",
        "<b>bold</b> in a sandbox",
        "",
        "```python\nprint('a fence')\n```\n one space in front",
        "the head has a space in front",
        "%mdx is no markdown",
    ]


def test_blank_magic_lines_are_empty_lines_in_each_dialect() -> None:
    for name in CELLS:
        if name.startswith("blank_magic_") and "mixed" not in name:
            first, _, last = read(name).cells
            assert first.text == "Above\n\nbelow\n"
            assert last.text == "%sql\n\nselect 1"
    assert [cell.text for cell in read("blank_magic_mixed.py").cells][2] == " \none space above"


def test_the_environment_block_is_no_cell() -> None:
    notebook = read("environment.py")
    assert notebook.cells[0].text == "import tides"
    assert 'environment_version = "5"' in notebook.layout["environment"]
    moved = notebook._replace(cells=notebook.cells[::-1])
    text = render_source(moved)
    assert text.startswith("# Databricks notebook source\n# /// script\n")
    assert [cell.text for cell in parse_source(text).cells] == ["x = 1", "import tides"]


def test_an_escaped_cell_is_read_without_its_escape() -> None:
    assert [cell.text.partition("\n")[0] for cell in read("escaped.py").cells] == [
        "text = '''",
        "# DBTITLE 1,no title",
        "# MAGIC %md",
        "# /// script",
        "%python",  # nothing to escape: written by a person, so it stays
    ]


def test_raw_cells_come_back_raw_with_their_format() -> None:
    first, second, third, fourth = read("raw_cells.py").cells
    assert (first.kind, first.text) == ("raw", "kept as it is")
    assert second.metadata["raw_mimetype"] == "text/restructuredtext"
    assert (third.text, fourth.kind) == ("", "markdown")


@pytest.mark.parametrize(
    ("name", "language"),
    [("a.py", "python"), ("a.r", "r"), ("a.R", "r"), ("a.sql", "sql"), ("a.scala", "scala")],
)
def test_the_first_line_says_the_language(name: str, language: Language) -> None:
    """R and Python share a comment sign: only there the file's name decides."""
    text = f"{COMMENTS[language]} Databricks notebook source\n"
    assert is_source(text, name) == is_source(text.encode(), name) == language
    assert parse_source(text, name).language == language
    assert is_source("\ufeff" + text, name) == is_source(("\ufeff" + text).encode(), name)


@pytest.mark.parametrize(
    "text", ["", "import os\n", "\n# Databricks notebook source", "# databricks"]
)
def test_other_text_is_no_notebook(text: str) -> None:
    assert is_source(text) is None
    assert is_source(text.encode()) is None
    with pytest.raises(ProjectError, match=r"train\.py is not a Databricks source notebook"):
        parse_source(text, "train.py")


def test_a_layout_that_no_longer_fits_is_dropped() -> None:
    notebook = read("tight_separators.py")
    swapped = notebook._replace(cells=notebook.cells[::-1])
    again = parse_source(render_source(swapped))
    assert [cell.text for cell in again.cells] == [cell.text for cell in swapped.cells]
    foreign = Notebook(
        "sql", (Cell("code", "x", layout={"source": "\n\n-- COMMAND ----------\n\n"}),)
    )
    assert [cell.text for cell in parse_source(render_source(foreign)).cells] == ["x"]


# --- and what they could look like ---------------------------------------------------------------

FRAGMENTS = [
    "\n", "\n", "\n\n", "\r\n", "\r", " ", "\t", "  ", "x", "é", "🌊", "\u2028", "\x0c", "\x85",
    "# COMMAND ----------", "\n\n# COMMAND ----------\n\n", "# COMMAND -----------", "# MAGIC",
    "# MAGIC ", "# MAGIC %md\n", "%md", "%md ", "%md-sandbox", "%sql", "%python\n", "%run ./x",
    "# DBTITLE 1,", "# DBTITLE 0,", "# DBTITLE 2,t", "# /// script", "# ///", "# y", "!ls",
    "<!-- jupyter:raw -->", "<!-- jupyter:raw text/html -->", "# Databricks notebook source",
]  # fmt: skip
SEPARATORS = [f"{comment} COMMAND ----------" for comment in ("#", "--", "//")]


def in_language(text: str, language: Language) -> str:
    """The same fragments, with the comment sign of another language."""
    return re.sub("^#|(?<=\n)#", COMMENTS[language], text)


texts = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=5), max_size=25).map("".join)
languages = st.sampled_from(LANGUAGES)
kinds: st.SearchStrategy[Kind] = st.sampled_from(["code", "markdown", "raw"])


@st.composite
def notebooks(draw: st.DrawFn) -> Notebook:
    language = draw(languages)
    cells = [
        Cell(
            draw(kinds),
            in_language(draw(texts), language),
            draw(st.just("") | st.text(max_size=12)),
            show_title=draw(st.booleans()),
        )
        for _ in range(draw(st.integers(0, 4)))
    ]
    block = f"{COMMENTS[language]} /// script\n{COMMENTS[language]} ///"
    layout = {
        "bom": "\ufeff",
        "newline": "\r\n",
        "header": " exported at noon",
        "environment": block,
        "blank": " ",
        "end": "",
    }
    kept = draw(st.sets(st.sampled_from(sorted(layout))))
    return Notebook(language, tuple(cells), {key: layout[key] for key in kept})


def name_of(notebook: Notebook) -> str:
    return "a.r" if notebook.language == "r" else "a"


def natively(cell: Cell, language: Language) -> tuple[str, str, str, bool]:
    """What a cell is for Databricks, which has no other way to say these three things."""
    kind, text = cell.kind, cell.text
    if kind == "code" and (head := re.match(r"\s*%md(-sandbox)?([ \t\r]*\n|[ \t]+|\Z)", text)):
        kind, text = "markdown", text[head.end() :]
    if kind == "markdown" and (mark := re.match(r"<!-- jupyter:raw( \S+)? -->(\n|\Z)", text)):
        kind, text = "raw", text[mark.end() :]
    own, sign = f"%{language}\n", COMMENTS[language]
    marks = rf"(?:[^\S\n]*\n)*{sign} (?:DBTITLE [01],|MAGIC(?: |\r?$)|/// script\r?$)"
    rest = text.removeprefix(own)
    if kind == "code" and rest != text:
        is_separated = re.search(rf"(?m)^{sign} COMMAND ----------\r?$", rest)
        if is_separated or re.match(marks, rest, re.MULTILINE):
            text = rest
    return kind, text, re.sub("\r\n|\r|\n", " ", cell.title), cell.show_title and cell.title != ""


@given(languages, texts, st.sampled_from(["", "\ufeff"]))
def test_p1_any_source_comes_back_byte_for_byte(language: Language, body: str, bom: str) -> None:
    text = in_language(f"{bom}# Databricks notebook source{body}", language).replace(
        "\ufeff# D", f"\ufeff{COMMENTS[language]} D"
    )
    notebook = parse_source(text, "a.r" if language == "r" else "a")
    assert notebook.language == language
    assert render_source(notebook) == text
    assert render_source(there_and_back(notebook)) == text


@given(notebooks())
def test_p2_every_cell_survives_a_visit_to_databricks(notebook: Notebook) -> None:
    language = notebook.language
    back = parse_source(render_source(there_and_back(notebook)), name_of(notebook))
    assert [natively(cell, language) for cell in back.cells] == [
        natively(cell, language) for cell in notebook.cells
    ]


def test_a_second_environment_block_is_the_first_cell() -> None:
    text = "# Databricks notebook source\n" + "# /// script\n# ///\n" * 2 + "x = 1\n"
    notebook = parse_source(text)
    assert notebook.cells[0].text == "# /// script\n# ///\nx = 1"
    assert render_source(notebook) == text


@pytest.mark.parametrize(
    "layout",
    [{"environment": "x"}, {"environment": "# ///"}, {"header": "\n\n# COMMAND ----------"}],
)
def test_a_layout_that_is_no_layout_does_no_harm(layout: dict[str, str]) -> None:
    notebook = Notebook(cells=(Cell("code", "x = 1"),), layout=layout)
    assert render_source(notebook) == "# Databricks notebook source\nx = 1\n"


@given(notebooks())
def test_p3_writing_is_settled_after_once(notebook: Notebook) -> None:
    text = render_source(notebook)
    assert render_source(parse_source(text, name_of(notebook))) == text


@given(notebooks())
def test_p4_and_p8_databricks_sees_as_many_cells(notebook: Notebook) -> None:
    """Whoever splits at the separators, and knows nothing else, finds the same number of cells."""
    text = render_source(notebook).replace("\r\n", "\n")
    lines = [line for line in re.split("\r?\n", text) if line in SEPARATORS]
    own = f"{COMMENTS[notebook.language]} COMMAND ----------"
    assert lines.count(own) == max(len(notebook.cells) - 1, 0)


@given(
    st.lists(st.sampled_from(["a", "%md\nb", "%sql\n\nc"]), max_size=5),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([" ", ""]),
    st.sampled_from(["\n", ""]),
)
def test_p6_an_edited_notebook_keeps_its_dialect(
    cells: list[str], newline: str, blank: str, end: str
) -> None:
    marked = [
        "\n".join(f"# MAGIC {line}".rstrip() + blank * (not line) for line in text.split("\n"))
        if text.startswith("%")
        else text
        for text in ["%sql\n\nselect 1", *cells]
    ]
    text = "# Databricks notebook source\n" + "\n\n# COMMAND ----------\n\n".join(marked) + end
    notebook = parse_source(text.replace("\n", newline))
    added = notebook._replace(cells=(*notebook.cells, Cell("code", "%sql\n\nselect 2")))
    grown = "\n\n".join([text.removesuffix("\n"), "# COMMAND ----------", "# MAGIC %sql"])
    grown += f"\n# MAGIC{blank}\n# MAGIC select 2{end}"
    assert render_source(added) == grown.replace("\n", newline)


@given(title=st.text(), shown=st.booleans())
def test_p9_a_title_is_one_line_and_otherwise_as_it_was(title: str, *, shown: bool) -> None:
    text = render_source(Notebook(cells=(Cell("code", "x", title=title, show_title=shown),)))
    [cell] = parse_source(text).cells
    assert cell.title == re.sub("\r\n|\r|\n", " ", title)
    assert cell.show_title == (shown and title != "")
