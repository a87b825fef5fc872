"""What remote code shows, from the API's results and from the local workspace's events."""

from __future__ import annotations

import pytest

from dbx_magic.output import (
    Clear,
    Display,
    Failure,
    Stream,
    from_event,
    from_results,
)
from dbx_magic.table import TABLE

TABLE_RESULT = {
    "columns": [{"name": "zip", "type": "string"}, {"name": "n", "type": "long"}],
    "rows": [["10001", 7], ["<b>", None]],
    "truncated": False,
}


@pytest.mark.parametrize(
    "kind", ["text", "TEXT", "RESULT_TYPE_TEXT"], ids=["API 1.2", "upper case", "with a prefix"]
)
def test_text(kind: str) -> None:
    results = {"resultType": kind, "data": "Out[12]: 42"}
    assert from_results(results) == [Stream("stdout", "42\n")]


def test_no_text_is_no_output() -> None:
    assert from_results({"resultType": "text", "data": ""}) == []
    assert from_results({}) == []


def test_error_is_plain_words_with_its_traceback() -> None:
    results = {
        "resultType": "error",
        "summary": '<span class="ansi-red-fg">ValueError</span>: a &lt; b',
        "cause": "Traceback\n\x1b[31mValueError\x1b[0m: a < b",
    }
    assert from_results(results) == [
        Failure("ValueError", "a < b", ("Traceback", "\x1b[31mValueError\x1b[0m: a < b"))
    ]


def test_error_without_summary_takes_the_last_line() -> None:
    (failure,) = from_results({"resultType": "error", "cause": "Traceback\nKeyError: 'x'\n"})
    assert isinstance(failure, Failure)
    assert failure.sentence == "KeyError: 'x'"


def test_table() -> None:
    results = {
        "resultType": "table",
        "schema": [{"name": "n", "type": '"long"', "metadata": "{}"}],
        "data": [[1], [2]],
        "truncated": True,
    }
    (shown,) = from_results(results)
    assert isinstance(shown, Display)
    assert shown.data[TABLE]["columns"] == [{"name": "n", "type": "long"}]
    assert "cut off by the server" in shown.text


def test_images() -> None:
    results = {"resultType": "images", "fileNames": ["data:image/png;base64,aGk=", "/plots/x.png"]}
    first, second = from_results(results)
    assert isinstance(first, Display)
    assert isinstance(second, Display)
    assert first.data["image/png"] == "aGk="
    assert second.text == "[image /plots/x.png]"


def test_events_become_outputs() -> None:
    assert from_event({"type": "stream", "name": "stderr", "text": "x"}) == Stream("stderr", "x")
    assert from_event({"type": "progress", "jobs": 1}) is None
    error = {"type": "error", "ename": "E", "evalue": "v", "traceback": ["t"]}
    assert from_event(error) == Failure("E", "v", ("t",))
    assert from_event({"type": "clear_output", "wait": True}) == Clear(wait=True)
    update = {
        "type": "update_display_data",
        "data": {"text/plain": "x"},
        "transient": {"display_id": "7"},
    }
    assert from_event(update) == Display({"text/plain": "x"}, display_id="7", updates=True)
    table = from_event({"type": "display_data", "data": {TABLE: TABLE_RESULT}})
    assert isinstance(table, Display)
    assert set(table.data) == {TABLE, "text/html", "text/plain"}
