"""Tables of `display`, as text and as HTML."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from dbx_magic.table import table_html, table_text

SMALL = {
    "columns": [{"name": "zip", "type": "string"}, {"name": "n", "type": "long"}],
    "rows": [["10001", 7], ["<b>", None]],
    "truncated": False,
}


def embedded(written: str) -> Any:
    """What the script finds in the HTML."""
    found = re.search(r'<script type="application/json">(.*?)</script>', written)
    assert found
    return json.loads(found[1])


def test_text_aligns_and_counts() -> None:
    assert table_text(SMALL).split("\n") == [
        "zip       n",
        "─────  ────",
        "10001     7",
        "<b>    null",
        "2 rows",
    ]


def test_values_are_written_as_json_has_them() -> None:
    rows = [[True, [1, None], {"k": {"x": 1}}, 1.0, "text", 9007199254740993]]
    table = {"columns": [{"name": "x", "type": "?"}] * 6, "rows": rows}
    for value in ("true", "[1, null]", '{"k": {"x": 1}}', "1.0", "text", "9007199254740993"):
        assert value in table_text(table)


def test_long_values_and_many_rows_are_cut_and_said() -> None:
    table = {"columns": [{"name": "x", "type": "string"}], "rows": [["y" * 100]] * 50}
    shown = table_text(table)
    assert "…" in shown
    assert "50 rows, 20 shown" in shown


def test_html_escapes_every_value() -> None:
    names = [{"name": "</script><script>alert(1)", "type": '"><i>'}]
    written = table_html({"columns": names, "rows": [["</script><b>"], ["\u2028<!--"]]})
    assert "<b>" not in written
    assert "<i>" not in written
    assert "&lt;/script&gt;&lt;b&gt;" in written
    assert written.count("<script") == written.count("</script>") == 2
    data = embedded(written)
    assert data["rows"] == [["</script><b>"], ["\u2028<!--"]]
    assert data["columns"][0]["name"] == "</script><script>alert(1)"


def test_without_scripts_the_first_rows_stand_there_and_all_are_counted() -> None:
    table = {"columns": [{"name": "n", "type": "int"}], "rows": [[n] for n in range(1500)]}
    written = table_html(table)
    assert written.count("<tr>") == 1 + 100
    assert "1,500 rows, 100 shown" in written
    assert len(embedded(written)["rows"]) == 1500


def test_what_was_cut_off_says_how_to_get_the_rest() -> None:
    written = table_html({**SMALL, "truncated": True})
    assert "2 rows, cut off by the server; %%dbx -o NAME brings all of them here" in written
    assert "cut off by the server" in table_text({**SMALL, "truncated": True})


@pytest.mark.parametrize("rows", [[], [["only", 1]]])
def test_a_row_or_none_needs_no_controls(rows: list[Any]) -> None:
    assert "<script" not in table_html({**SMALL, "rows": rows})


@pytest.mark.parametrize(
    ("kind", "number"),
    [("bigint", True), ("decimal(5,2)", True), ("string", False), ("array<int>", False)],
)
def test_types_say_what_is_a_number(kind: str, number: bool) -> None:
    table = {"columns": [{"name": "x", "type": kind}], "rows": [["1.10"], ["2"]]}
    assert embedded(table_html(table))["columns"][0]["number"] is number


def test_the_same_table_is_the_same_html() -> None:
    assert table_html(SMALL) == table_html(SMALL)
