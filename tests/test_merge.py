"""Pull by cell: each side's edits come through, and what both edited is kept twice."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbx_magic.bridge import CONFLICT_MARK, to_workspace
from dbx_magic.errors import ConflictError
from dbx_magic.merge import Conflict, Merged, merge
from dbx_magic.notebook import Cell, Notebook, parse_ipynb, render_ipynb
from dbx_magic.source import parse_source, render_source

TEXTS = (
    "",
    "import pandas as pd",
    "threshold = 0.5\nmodel = fit(trips, threshold)",
    "threshold = 0.6\nmodel = fit(trips, threshold)",
    "%sql\nselect count(*) from trips",
    "display(trips.limit(10))",
    "display(trips.limit(20))",
    "# Title\n\nWhat this notebook is for",
)


def noted(text: str, number: int) -> Cell:
    """A cell of a notebook that people work with: id, tags, outputs."""
    output = {"output_type": "stream", "name": "stdout", "text": [f"output {number}\n"]}
    return Cell(
        "code", text, metadata={"tags": [f"tag{number}"]}, outputs=[output], id=f"cell-{number}"
    )


def local_notebook(*texts: str) -> Notebook:
    return Notebook(cells=tuple(noted(text, number) for number, text in enumerate(texts)))


def pushed(notebook: Notebook) -> Notebook:
    """What the workspace has after a push."""
    return parse_source(render_source(to_workspace(notebook).notebook))


def remote_notebook(*texts: str) -> Notebook:
    return pushed(local_notebook(*texts))


def texts_of(merged: Merged) -> list[str]:
    return [cell.text for cell in merged.notebook.cells]


lists = st.lists(st.sampled_from(TEXTS), max_size=7)


@st.composite
def edits(draw: st.DrawFn, texts: list[str]) -> list[str]:
    """The same cells after somebody has worked on them."""
    result = list(texts)
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(result)))
        match draw(st.sampled_from(["insert", "delete", "replace"])):
            case "insert":
                result.insert(place, draw(st.sampled_from(TEXTS)))
            case "delete":
                del result[place : place + 1]
            case _ if place < len(result):
                result[place] = draw(st.sampled_from(TEXTS))
    return result


@given(lists, st.data())
def test_nothing_new_in_the_workspace_leaves_the_notebook_as_it_is(
    texts: list[str], data: st.DataObject
) -> None:
    base = remote_notebook(*texts)
    local = local_notebook(*data.draw(edits(texts)))
    assert merge(base, local, base) == Merged(local, ())


@given(lists, st.data())
def test_an_unedited_notebook_becomes_what_the_workspace_has(
    texts: list[str], data: st.DataObject
) -> None:
    local = local_notebook(*texts)
    remote = remote_notebook(*data.draw(edits(texts)))
    merged = merge(pushed(local), local, remote)
    assert merged.conflicts == ()
    assert render_source(to_workspace(merged.notebook).notebook) == render_source(remote)


@given(lists, st.data())
def test_no_edit_of_either_side_is_lost(texts: list[str], data: st.DataObject) -> None:
    base = remote_notebook(*texts)
    here, there = data.draw(edits(texts)), data.draw(edits(texts))
    merged = merge(base, local_notebook(*here), remote_notebook(*there))
    found = Counter(texts_of(merged))
    for text, count in (Counter(here) - Counter(texts)).items():
        assert found[text] >= count
    for text in Counter(there) - Counter(texts):
        assert text in found  # once, where both sides added it
    assert len([text for text in found if text.startswith(CONFLICT_MARK)]) <= len(merged.conflicts)
    for conflict in merged.conflicts:
        shown = merged.notebook.cells[conflict.cell - 1].text
        assert shown == conflict.here or (conflict.here is None and CONFLICT_MARK in shown)


@given(lists, st.data())
def test_merging_twice_brings_nothing_new(texts: list[str], data: st.DataObject) -> None:
    base, remote = remote_notebook(*texts), remote_notebook(*data.draw(edits(texts)))
    merged = merge(base, local_notebook(*data.draw(edits(texts))), remote)
    if not merged.conflicts:
        assert merge(remote, merged.notebook, remote) == merged


def test_edits_of_different_cells_come_together() -> None:
    base = remote_notebook("a = 1", "b = 1", "c = 1")
    merged = merge(
        base, local_notebook("a = 2", "b = 1", "c = 1"), remote_notebook("a = 1", "b = 2", "c = 1")
    )
    assert texts_of(merged) == ["a = 2", "b = 2", "c = 1"]
    first, second, third = merged.notebook.cells
    assert first == noted("a = 2", 0)
    assert third == noted("c = 1", 2)
    assert (second.id, second.metadata) == ("cell-1", {"tags": ["tag1"]})
    assert second.outputs == ()  # of another text than the one that is there now


def test_a_cell_edited_on_both_sides_is_kept_twice_with_a_note() -> None:
    base = remote_notebook("import os", "threshold = 0.5")
    merged = merge(
        base,
        local_notebook("import os", "threshold = 0.6"),
        remote_notebook("import os", "threshold = 0.55"),
    )
    assert merged.conflicts == (Conflict(2, "threshold = 0.6", "threshold = 0.55"),)
    _, mine, note, theirs = texts_of(merged)
    assert (mine, theirs) == ("threshold = 0.6", "threshold = 0.55")
    assert note.startswith(CONFLICT_MARK)
    assert "below in the workspace" in note


def test_a_conflict_has_to_be_settled_before_the_next_push_or_pull() -> None:
    base, remote = remote_notebook("a = 1"), remote_notebook("a = 3")
    merged = merge(base, local_notebook("a = 2"), remote).notebook
    with pytest.raises(ConflictError, match=r"train\.ipynb, cell 2: a conflict is not settled"):
        to_workspace(merged, "train.ipynb")
    with pytest.raises(ConflictError, match="cell 2"):
        merge(remote, merged, remote)
    settled = merged._replace(cells=merged.cells[2:])
    assert render_source(to_workspace(settled).notebook) == render_source(remote)


@pytest.mark.parametrize(
    ("here", "there", "words"),
    [
        (["a = 1"], ["a = 1", "b = 3"], "edited in the workspace and deleted here"),
        (["a = 1", "b = 2"], ["a = 1"], "edited here and deleted in the workspace"),
    ],
)
def test_a_deleted_cell_that_the_other_side_edited_stays(
    here: list[str], there: list[str], words: str
) -> None:
    merged = merge(
        remote_notebook("a = 1", "b = 1"), local_notebook(*here), remote_notebook(*there)
    )
    [conflict] = merged.conflicts
    assert (conflict.here, conflict.there).count(None) == 1
    assert [text for text in texts_of(merged) if "b = " in text]
    assert words in "".join(texts_of(merged))


def test_the_same_edit_on_both_sides_is_no_conflict() -> None:
    merged = merge(
        remote_notebook("a = 1"), local_notebook("a = 2", "new"), remote_notebook("a = 2", "new")
    )
    assert merged == Merged(local_notebook("a = 2", "new"), ())


def test_without_a_base_what_is_equal_stays_and_what_differs_is_kept_twice() -> None:
    local = local_notebook("import os", "threshold = 0.6", "mine")
    merged = merge(None, local, remote_notebook("import os", "threshold = 0.5", "mine", "theirs"))
    assert [text for text in texts_of(merged) if CONFLICT_MARK not in text] == [
        "import os",
        "threshold = 0.6",
        "threshold = 0.5",
        "mine",
        "theirs",
    ]
    assert [conflict.cell for conflict in merged.conflicts] == [2]


def test_what_stays_home_survives_an_edit_in_the_workspace() -> None:
    cells = [
        Cell("code", "%load_ext dbx_magic"),
        Cell("code", "%dbx pick small\nimport os"),
        Cell("code", "%%dbx sql -o trips\nselect 1"),
        Cell("code", "trips.plot()", metadata={"tags": ["local"]}),
    ]
    local = Notebook(cells=tuple(cells))
    base = pushed(local)
    assert [cell.text for cell in base.cells] == ["import os", "%sql\nselect 1"]
    remote = remote_notebook("import os, sys", "%sql\nselect 2", "print(1)")
    assert texts_of(merge(base, local, remote)) == [
        "%load_ext dbx_magic",
        "%dbx pick small\nimport os, sys",
        "%%dbx sql -o trips\nselect 2",
        "trips.plot()",
        "print(1)",
    ]


def test_a_title_edited_in_the_workspace_keeps_the_outputs() -> None:
    local = local_notebook("a = 1")
    remote = Notebook(cells=(Cell("code", "a = 1", title="First", show_title=True),))
    [cell] = merge(pushed(local), local, pushed(remote)).notebook.cells
    assert (cell.title, cell.outputs) == ("First", local.cells[0].outputs)


def test_what_databricks_flips_between_exports_is_no_edit() -> None:
    text = "# Databricks notebook source\n# MAGIC %md\n# MAGIC a\n# MAGIC{}\n# MAGIC b{}"
    old, new = parse_source(text.format(" ", "")), parse_source(text.format("", "\n"))
    assert merge(old, old, new) == Merged(old, ())


def test_layout_of_the_workspace_is_taken_over() -> None:
    old = parse_source(
        "# Databricks notebook source\n# MAGIC %md Title\n\n# COMMAND ----------\n\na"
    )
    new = parse_source(
        "# Databricks notebook source\n# /// script\n# [tool.databricks.environment]\n# ///\n"
        "# MAGIC %md   Title\n\n# COMMAND ----------\n\n\na"
    )
    assert render_source(merge(old, old, new).notebook) == render_source(new)


def test_attachments_ids_and_unknown_metadata_survive_in_the_file() -> None:
    cell = Cell(
        "markdown",
        "![plot](attachment:plot.png)",
        metadata={"mine": {"b": 1, "a": [2]}},
        attachments={"plot.png": {"image/png": "iVBORw0KGgo="}},
        id="with-picture",
    )
    local = parse_ipynb(render_ipynb(Notebook(cells=(cell, noted("a = 1", 1)))))
    remote = pushed(local._replace(cells=(cell, Cell("code", "a = 2"))))
    again = parse_ipynb(render_ipynb(merge(pushed(local), local, remote).notebook))
    assert again.cells[0] == local.cells[0]
    assert again.cells[1].text == "a = 2"
