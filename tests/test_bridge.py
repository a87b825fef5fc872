"""What crosses to Databricks, what stays home, and what is said about the rest."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbx_magic.bridge import come_home, to_workspace
from dbx_magic.notebook import Cell, Language, Notebook


def crossed(*texts: str, language: Language = "python", **metadata: Any) -> list[str]:
    cells = tuple(Cell("code", text, metadata=metadata) for text in texts)
    return [cell.text for cell in to_workspace(Notebook(language, cells)).notebook.cells]


def warnings(*cells: Cell, **about: Any) -> list[str]:
    return list(to_workspace(Notebook(cells=cells, metadata=about), "notebooks/a.ipynb").warnings)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%load_ext dbx_magic", []),
        ("%reload_ext dbx_magic\n%dbx\n", []),
        ("%load_ext dbx_magic\n\nimport os", ["import os"]),
        ("import os\n%dbx push\nx = 1", ["import os\nx = 1"]),
        ("%dbx run train \\\n  -p a=1\nx = 1", ["x = 1"]),
        ("if late:\n    %dbx stop\nx = 1", ["if late:\n    pass\nx = 1"]),
        ("text = '''\n%dbx push\n'''", ["text = '''\n%dbx push\n'''"]),
        ("text = f'''\n%dbx push\n'''\n%dbx push", ["text = f'''\n%dbx push\n'''"]),
        ("# see %dbx push", ["# see %dbx push"]),
        ("%load_ext autoreload", ["%load_ext autoreload"]),
        ("%dbxray", ["%dbxray"]),
        ("!ls\n%dbx push\n%pip list", ["!ls\n%pip list"]),
        ("", [""]),
    ],
)
def test_lines_for_this_computer_stay_home(text: str, expected: list[str]) -> None:
    assert crossed(text) == expected


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("%%dbx\nx = 1", "python", ["x = 1"]),
        ("%%dbx -c small\nx = 1", "python", ["x = 1"]),
        ("%%dbx python\nx = 1", "sql", ["%python\nx = 1"]),
        ("%%dbx\nx = 1", "scala", ["%python\nx = 1"]),
        ("%%dbx sql -o trips\nselect 1", "python", ["%sql\nselect 1"]),
        ("%%dbx sql\nselect 1", "sql", ["select 1"]),
        ("%%dbx sh\nls", "python", ["%sh\nls"]),
        ("%%dbx r\n", "python", []),
        ("%%sql\nselect 1", "python", ["%sql\nselect 1"]),
        ("%%R\nx <- 1", "python", ["%r\nx <- 1"]),
        ("%%fs\nls /", "python", ["%fs\nls /"]),
        ("%%sql duckdb://\nselect 1", "python", ["%%sql duckdb://\nselect 1"]),
        ("%%time\nx = 1", "python", ["%%time\nx = 1"]),
        ("%sql\nselect 1", "python", ["%sql\nselect 1"]),
    ],
)
def test_cell_magics_become_databricks_own(
    text: str, language: Language, expected: list[str]
) -> None:
    assert crossed(text, language=language) == expected


def test_cells_tagged_local_stay_home() -> None:
    assert crossed("plot()", tags=["local", "other"]) == []
    assert crossed("plot()", tags=["other"]) == ["plot()"]
    assert crossed("plot()", tags="local") == ["plot()"]


def test_each_crossed_cell_knows_where_it_comes_from() -> None:
    texts = ("%load_ext dbx_magic", "a", "%dbx", "b")
    cells = tuple(Cell("code", text) for text in texts)
    assert to_workspace(Notebook(cells=cells)).origins == (1, 3)


def test_nothing_else_of_a_cell_changes() -> None:
    cell = Cell("markdown", "%dbx push\n%%dbx sql", title="T", id="a", metadata={"tags": ["x"]})
    assert to_workspace(Notebook(cells=(cell,))).notebook.cells == (cell,)


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (Cell("markdown", "![](attachment:a.png)", attachments={"a.png": {}}), "attached images"),
        (Cell("code", "%%dbx sql -o trips\nselect 1"), "trips travels between"),
        (Cell("code", "found = %dbx clusters"), "takes a value from %dbx"),
        (Cell("code", "%%sql duckdb://\nselect 1"), "no %%sql with arguments"),
        (Cell("code", "%%html\n<b>"), "use displayHTML"),
        (Cell("code", "import m\n%matplotlib widget"), "%matplotlib widget needs Jupyter's page"),
        (Cell("code", "x = 1\npd.read_csv?"), "pd.read_csv? asks Jupyter for help"),
    ],
)
def test_what_databricks_lacks_is_said_and_never_changed(cell: Cell, words: str) -> None:
    [warning] = warnings(Cell("code", "fine = True"), cell)
    assert warning.startswith("notebooks/a.ipynb, cell 2: ")
    assert words in warning


@pytest.mark.parametrize(
    "text", ["x = 'why?'", "%sql\nselect '?'", "%matplotlib inline", "y = x % dbx", "%%time\nx"]
)
def test_nothing_is_said_about_what_works(text: str) -> None:
    assert warnings(Cell("code", text), Cell("markdown", "Really?")) == []


def test_a_language_that_databricks_does_not_run_is_said() -> None:
    assert warnings(language_info={"name": "julia"}) == [
        "notebooks/a.ipynb: Databricks does not run julia; its cells go there as Python."
    ]


@pytest.mark.parametrize(
    ("local", "edited", "expected"),
    [
        ("%dbx pick a\nx = 1", "x = 2", "%dbx pick a\nx = 2"),
        ("x = 1\n%dbx push\ny = 1", "x = 1\nnew = 1\ny = 2", "x = 1\n%dbx push\nnew = 1\ny = 2"),
        ("if a:\n    %dbx stop", "if a or b:\n    pass", "if a or b:\n    %dbx stop"),
        ("%%dbx sql -o t\nselect 1", "%sql\nselect 2", "%%dbx sql -o t\nselect 2"),
        ("%%dbx sql -o t\nselect 1", "%sql select 2", "%%dbx sql -o t\nselect 2"),
        ("%%dbx\nx = 1", "x = 2", "%%dbx\nx = 2"),
        ("%%dbx\nx = 1", "%sql\nselect 1", "%sql\nselect 1"),
        ("%%sql\nselect 1", "%scala\nval x = 1", "%scala\nval x = 1"),
        ("x = 1", "x = 2", "x = 2"),
    ],
)
def test_what_stayed_home_comes_back_around_an_edit(local: str, edited: str, expected: str) -> None:
    assert come_home(edited, Cell("code", local), "python") == expected


lines = st.sampled_from(["x = 1", "y = 2", "", "    z = 3", "%dbx push", "%load_ext dbx_magic"])
plain = st.sampled_from(["x = 1", "y = 2", "w = 4", "", "    z = 3"])


@given(st.lists(lines, max_size=6).map("\n".join), st.lists(plain, min_size=1, max_size=6))
def test_an_edit_crosses_back_as_it_was_made(local: str, edited: list[str]) -> None:
    """Whatever is put back around it, the workspace gets the same text again."""
    text = "\n".join(edited)
    cell = Cell("code", local)
    if crossed(local) == []:
        return
    home = come_home(text, cell, "python")
    assert [line for line in home.split("\n") if line.startswith("%")] == [
        line for line in local.split("\n") if line.startswith("%")
    ]
    assert "".join(crossed(home)).split() == text.split()
