"""The editor of the cluster spec: form, JSON, file and live cluster."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from panels import labels, press, settle, spec_with, until, words

from dbx_magic.dbx import Dbx
from dbx_magic.json_places import Document

SPEC_TEXT = """{
  "cluster_name": "CLUSTER_NAME",
  "spark_version":  "16.4.x-scala2.12",
  "node_type_id": "Standard_DS3_v2",

  "num_workers": 1,
  "zz_new_field": {"from": [2027]}
}
"""


class TestSpec:
    @pytest.fixture
    def editor(self, dbx: Dbx, opened: Any) -> Any:
        dbx.project.spec_path.write_text(SPEC_TEXT)
        editor = opened("spec")
        settle(editor)
        return editor

    def field(self, editor: Any, label: str) -> Any:
        return next(item for item in editor.fields if item.control.description == label)

    def test_the_form_writes_one_value_and_leaves_the_rest_as_it_stands(
        self, dbx: Dbx, editor: Any
    ) -> None:
        self.field(editor, "Workers").control.value = "3"
        press(editor, "Save")
        saved = dbx.project.spec_path.read_text()
        assert saved == SPEC_TEXT.replace('"num_workers": 1', '"num_workers": 3')
        assert dbx.project.cluster_spec().body["num_workers"] == 3

    def test_each_field_of_the_form_and_back(self, dbx: Dbx, editor: Any) -> None:
        typed = {
            "Runtime": "15.4.x-scala2.12",
            "Machines": "Standard_DS4_v2",
            "Driver": "Standard_DS5_v2",
            "Workers": "2-8",
            "Stops after minutes": "30",
            "Spark settings": "spark.a 1\nspark.b x y",
            "Libraries": "pypi humanize==4.12.1\nmaven org.x:y:1\nwhl /Volumes/a/b.whl",
        }
        for label, value in typed.items():
            self.field(editor, label).control.value = value
        press(editor, "Save")
        spec = dbx.project.cluster_spec()
        assert spec.body["autoscale"] == {"min_workers": 2, "max_workers": 8}
        assert "num_workers" not in spec.body
        assert spec.body["spark_conf"] == {"spark.a": "1", "spark.b": "x y"}
        assert spec.libraries == (
            {"pypi": {"package": "humanize==4.12.1"}},
            {"maven": {"coordinates": "org.x:y:1"}},
            {"whl": "/Volumes/a/b.whl"},
        )
        assert spec.body["zz_new_field"] == {"from": [2027]}
        editor.reload()
        for label, value in typed.items():
            assert self.field(editor, label).control.value == value

    def test_a_library_keeps_what_its_line_does_not_say(self, dbx: Dbx, editor: Any) -> None:
        full = {"maven": {"coordinates": "org.x:y:1", "exclusions": ["a:b"]}}
        spec_with(dbx, libraries=[full])
        editor.reload()
        libraries = self.field(editor, "Libraries").control
        libraries.value += "\npypi humanize"
        press(editor, "Save")
        assert dbx.project.cluster_spec().libraries == (full, {"pypi": {"package": "humanize"}})

    def test_json_typed_by_hand_fills_the_form(self, editor: Any) -> None:
        editor.text.value = SPEC_TEXT.replace('"num_workers": 1', '"num_workers": 7')
        assert self.field(editor, "Workers").control.value == "7"

    @pytest.mark.parametrize(
        ("label", "value", "says"),
        [
            ("Workers", "many", "must be a whole number"),
            ("Machines", "Standard_DS3_v3", "Did you mean Standard_DS3_v2?"),
            ("Runtime", "16.5.x-scala2.12", "is not offered by this workspace"),
            ("Stops after minutes", "soon", "must be a whole number"),
        ],
    )
    def test_what_is_wrong_stands_below_its_field(
        self, editor: Any, label: str, value: str, says: str
    ) -> None:
        self.field(editor, label).control.value = value
        assert says in self.field(editor, label).problem.value
        assert "line" in self.field(editor, label).problem.value
        assert "Rebuild…" not in labels(editor)

    def test_what_is_no_json_is_kept_while_it_is_typed(self, dbx: Dbx, editor: Any) -> None:
        editor.text.value = '{"num_workers": 1,'
        assert "line 1" in words(editor)
        assert "Save" not in labels(editor)
        self.field(editor, "Workers").control.value = "5"
        assert editor.text.value == '{"num_workers": 1,'
        assert dbx.project.spec_path.read_text() == SPEC_TEXT

    @pytest.mark.usefixtures("no_clusters")
    def test_what_a_rebuild_would_do_to_the_live_cluster(self, dbx: Dbx, editor: Any) -> None:
        assert "hello will be created" in words(editor)
        cluster_id = dbx.workspace.create_cluster(
            json.loads(SPEC_TEXT) | {"cluster_name": "hello", "num_workers": 2}
        )
        dbx.workspace.stop_cluster(cluster_id)
        editor.look()
        until(lambda: "num_workers   2 → 1" in words(editor), editor)
        self.field(editor, "Workers").control.value = "4"
        assert "num_workers   2 → 4" in words(editor)
        press(editor, "Save")
        press(editor, "Rebuild…")
        settle(editor)
        assert "hello will be edited and started" in words(editor)
        assert "Apply" in labels(editor)

    def test_what_somebody_else_wrote_meanwhile_is_not_overwritten(
        self, dbx: Dbx, editor: Any
    ) -> None:
        theirs = SPEC_TEXT.replace('"num_workers": 1', '"num_workers": 9')
        self.field(editor, "Workers").control.value = "3"
        dbx.project.spec_path.write_text(theirs)
        press(editor, "Save")
        assert "so nothing was saved" in words(editor)
        assert dbx.project.spec_path.read_text() == theirs
        press(editor, "Overwrite")
        assert '"num_workers": 3' in dbx.project.spec_path.read_text()

    def test_edits_survive_that_the_cell_is_run_again(self, editor: Any, opened: Any) -> None:
        self.field(editor, "Workers").control.value = "3"
        assert opened("spec") is editor
        assert self.field(editor, "Workers").control.value == "3"

    def test_line_ends_and_byte_order_mark_stay(self, dbx: Dbx, editor: Any) -> None:
        windows = b"\xef\xbb\xbf" + SPEC_TEXT.replace("\n", "\r\n").encode()
        dbx.project.spec_path.write_bytes(windows)
        editor.reload()
        self.field(editor, "Workers").control.value = "3"
        press(editor, "Save")
        expected = windows.replace(b'"num_workers": 1', b'"num_workers": 3')
        assert dbx.project.spec_path.read_bytes() == expected


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text(), VALUES, max_size=5),
    st.text(),
    VALUES,
    st.sampled_from([None, 1, 2, "\t"]),
)
def test_any_field_of_any_object_can_be_set_and_taken_away(
    before: dict[str, Any], name: str, value: Any, indent: Any
) -> None:
    """All other fields keep their value and their order."""
    text = Document(json.dumps(before, indent=indent), "f").with_field(name, value)
    rest = [(key, item) for key, item in before.items() if key != name]
    after = Document(text, "f").value
    assert [(key, item) for key, item in after.items() if key != name] == rest
    assert after.get(name) == value
