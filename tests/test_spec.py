"""Reading the cluster spec: what it means, and where exactly it is wrong."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbx_magic.errors import ProjectError
from dbx_magic.json_places import Document
from dbx_magic.project import Project
from dbx_magic.spec import ClusterSpec, parse_spec, schema

WHERE = "pipelines/config.cluster.json"
# The shape that the pipelines of years ago used, old keys and all.
SEED = """{
    "num_workers": 1,
    "cluster_name": "CLUSTER_NAME",
    "spark_version": "6.0.x-scala2.11",
    "spark_conf": {"spark.sql.execution.arrow.enabled": true},
    "node_type_id": "Standard_DS3_v2",
    "ssh_public_keys": [],
    "custom_tags": {},
    "cluster_log_conf": {"dbfs": {"destination": "dbfs:/cluster_logs/CLUSTER_NAME"}},
    "spark_env_vars": {"PYSPARK_PYTHON": "/databricks/python3/bin/python3"},
    "autotermination_minutes": 120,
    "enable_elastic_disk": false,
    "cluster_source": "UI",
    "init_scripts": []
}
"""


def parse(text: str, **options: Any) -> ClusterSpec:
    return parse_spec(text, "hello", where=WHERE, **options)


def with_field(field: str) -> str:
    """A spec that is right but for its line 5."""
    return (
        '{\n  "spark_version": "16.4.x-scala2.12",\n  "node_type_id": "Standard_DS3_v2",\n'
        f'  "autotermination_minutes": 60,\n  {field}\n}}\n'
    )


def test_the_seeds_spec_works_unchanged() -> None:
    spec = parse(SEED)
    assert spec.name == spec.body["cluster_name"] == "hello"
    assert spec.body["cluster_log_conf"]["dbfs"]["destination"] == "dbfs:/cluster_logs/hello"
    assert spec.body["spark_conf"] == {"spark.sql.execution.arrow.enabled": "true"}
    assert "cluster_source" not in spec.body, "what only the workspace tells is not sent"
    assert spec.libraries is None, "it says nothing of libraries: they are left alone"
    assert spec.unknown == ()


@pytest.mark.parametrize(
    ("field", "place", "words"),
    [
        ('"num_worker": 1', "line 5, column 3", 'Did you mean "num_workers"?'),
        ('"num_workers": "1"', "line 5, column 3", 'must be a whole number, not "1"'),
        ('"num_workers": true', "line 5, column 3", "must be a whole number, not true"),
        ('"num_workers": -1', "line 5, column 3", "must be at least 0, not -1"),
        ('"num_workers": 1, "autotermination_minutes": 9', "line 5, column 21", "twice"),
        ('"num_workers": 1,', "line 6, column 1", "Take away the comma"),
        ('"num_workers": 1 // few', "line 5, column 20", "JSON has no comments"),
        ('"num_workers": 1 "kind": ""', "line 5, column 20", "A comma is missing"),
        ("'num_workers': 1", "line 5, column 3", "double quotes"),
        ('"runtime_engine": "photon", "num_workers": 1', "line 5, column 3", '"PHOTON"?'),
        ('"autoscale": {"min_workers": 1}', "line 5, column 3", 'no "max_workers"'),
        ('"autoscale": {"min_workers": 3, "max_workers": 2}', "line 5, column 3", "more than"),
        ('"libraries": [{"pypi": {"pakage": "x"}}]', "line 5, column 27", '"package"?'),
        ('"libraries": [{}], "num_workers": 1', "line 5, column 17", "exactly one of: pypi"),
        (
            '"libraries": [{"pypi": {"package": "x"}, "whl": "y"}], "num_workers": 1',
            "line 5",
            "one",
        ),
        ('"spark_conf": {"spark.a.b": []}, "num_workers": 1', "line 5, column 18", "spark.a.b"),
        ('"init_scripts": [{"dbfs": {"to": "x"}}]', "line 5, column 30", "destination"),
        ('"azure_attributes": {"availability": "SPOT"}, "num_workers": 1', "line 5", "SPOT_AZURE"),
        ('"spark_version": ""', "line 5, column 3", "twice"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_what_to_do(
    field: str, place: str, words: str
) -> None:
    with pytest.raises(ProjectError) as caught:
        parse(with_field(field))
    assert str(caught.value).startswith(f"{WHERE}, {place}")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (with_field('"num_workers": 1, "autoscale": {"min_workers": 1, "max_workers": 2}'), "both"),
        (with_field('"kind": "CLASSIC_PREVIEW"'), "how many workers"),
        ('{"spark_version": "16.4.x-scala2.12", "num_workers": 1}', "which machines"),
        ('{"node_type_id": "m", "num_workers": 1}', 'no "spark_version"'),
        ("[]", "must hold one JSON object"),
        ("", "line 1, column 1"),
    ],
)
def test_what_no_cluster_can_be_is_refused(text: str, words: str) -> None:
    with pytest.raises(ProjectError, match=words):
        parse(text)


@pytest.mark.parametrize(
    "field",
    [
        '"spark_env_vars": {"DB_PASSWORD": "hunter22"}',
        '"spark_conf": {"spark.hadoop.fs.azure.account.key.a.dfs.core.windows.net": "c2VjcmV0=="}',
        '"spark_conf": {"fs.azure.account.oauth2.client.secret.a.dfs.core.windows.net": "x~y"}',
        '"spark_conf": {"spark.hadoop.fs.s3a.access.key": "AKIAIOSFODNN7EXAMPLE"}',
        '"custom_tags": {"note": "dapi' + "0123456789abcdef" * 2 + '"}',
        '"libraries": [{"pypi": {"package": "x", "repo": "https://me:hunter2@host/simple"}}]',
        '"docker_image": {"url": "r/i", "basic_auth": {"username": "me", "password": "hunter2"}}',
    ],
)
def test_a_secret_in_plain_text_is_refused_and_not_repeated(field: str) -> None:
    with pytest.raises(ProjectError, match=r"line 5.* holds a secret") as caught:
        parse(with_field(field + ', "num_workers": 1'))
    assert "{{secrets/SCOPE/KEY}}" in caught.value.hint
    secret = json.loads("{" + field + "}")
    while not isinstance(secret, str):
        secret = (list(secret.values()) if isinstance(secret, dict) else secret)[-1]
    assert secret not in str(caught.value)


@pytest.mark.parametrize(
    "field",
    [
        '"spark_env_vars": {"DB_PASSWORD": "{{secrets/a/b}}", "TOKEN": "$OTHER"}',
        '"spark_conf": {"fs.azure.account.auth.type.a": "OAuth"}',
        '"spark_conf": {"fs.azure.account.oauth2.client.endpoint.a": "https://login/oauth2/token"}',
        '"spark_conf": {"fs.azure.sas.token.provider.type": "org.x.FixedSASTokenProvider"}',
        '"spark_conf": {"spark.authenticate.secret.enabled": "true"}',
    ],
)
def test_what_is_about_a_secret_is_none(field: str) -> None:
    parse(with_field(field + ', "num_workers": 1'))


def test_a_field_that_databricks_added_later_is_sent_as_it_is() -> None:
    spec = parse(with_field('"quantum_entanglement": {"pairs": 4}, "num_workers": 1'))
    assert spec.body["quantum_entanglement"] == {"pairs": 4}
    assert spec.unknown == (f'{WHERE}, line 5, column 3: "quantum_entanglement"',)


def test_overrides_of_the_target_win_and_one_size_replaces_the_other() -> None:
    spec = parse(
        SEED,
        target="prod",
        overrides={
            "autoscale": {"min_workers": 2, "max_workers": 8},
            "spark_conf": {"spark.sql.shuffle.partitions": 64},
        },
    )
    assert "num_workers" not in spec.body
    assert spec.body["autoscale"] == {"min_workers": 2, "max_workers": 8}
    assert spec.body["spark_conf"] == {
        "spark.sql.execution.arrow.enabled": "true",
        "spark.sql.shuffle.partitions": "64",
    }


def test_a_mistake_in_an_override_is_named_where_it_was_made() -> None:
    with pytest.raises(ProjectError, match=r'^dbx.toml, \[targets.prod.spec\]: "num_worker"'):
        parse(SEED, target="prod", overrides={"num_worker": 2})


def test_fingerprints_tell_what_changed() -> None:
    """Layout and order mean nothing; size and libraries are not part of the configuration."""
    spec = parse(with_field('"num_workers": 1'))
    same = parse(json.dumps(json.loads(with_field('"num_workers": 1')), sort_keys=True, indent=1))
    bigger = parse(with_field('"num_workers": 2'))
    with_library = parse(with_field('"num_workers": 1, "libraries": [{"whl": "/a.whl"}]'))
    other = parse(with_field('"num_workers": 1, "policy_id": "p"'))
    assert spec.fingerprint == same.fingerprint
    assert len({item.fingerprint for item in (spec, bigger, with_library, other)}) == 4
    assert spec.configuration == bigger.configuration == with_library.configuration
    assert spec.configuration != other.configuration


def test_the_schema_is_one_and_knows_every_field_of_databricks_own_sdk() -> None:
    """Databricks' SDK for Python is written from the API's description."""
    import jsonschema
    from databricks.sdk.service import compute

    jsonschema.Draft7Validator.check_schema(schema())
    known = schema()["properties"]
    fields = {item.name for item in dataclasses.fields(compute.ClusterSpec)}
    assert fields <= {name for name, rules in known.items() if not rules.get("readOnly")}
    libraries = {item.name for item in dataclasses.fields(compute.Library)}
    assert libraries == set(known["libraries"]["items"]["properties"])
    scripts = {item.name for item in dataclasses.fields(compute.InitScriptInfo)}
    assert scripts == set(known["init_scripts"]["items"]["properties"])
    modes = {mode.value for mode in compute.DataSecurityMode}
    assert modes <= set(known["data_security_mode"]["enum"])


def test_what_get_tells_of_a_cluster_can_be_pasted_as_a_spec() -> None:
    from databricks.sdk.service import compute

    told = {item.name for item in dataclasses.fields(compute.ClusterDetails)}
    assert told <= set(schema()["properties"])


class TestProject:
    def test_the_name_and_the_overrides_come_from_the_target(self, project: Path) -> None:
        (project / "dbx.toml").write_text(
            'cluster = "hello"\n[targets.prod]\nprofile = "p"\ncluster = "hello-prod"\n'
            "[targets.prod.spec]\nnum_workers = 9\n"
        )
        spec = Project(project, "prod").cluster_spec()
        assert (spec.name, spec.body["num_workers"]) == ("hello-prod", 9)

    def test_a_name_that_contradicts_dbx_toml_is_refused(self, project: Path) -> None:
        path = project / "pipelines" / "config.cluster.json"
        path.write_text(path.read_text().replace("CLUSTER_NAME", "other"))
        with pytest.raises(ProjectError, match=r"line 2.*'other', but dbx.toml names it 'hello'"):
            Project(project).cluster_spec()
        (project / "dbx.toml").unlink()
        assert Project(project).cluster_spec().name == "other"

    def test_a_byte_order_mark_is_no_error_and_other_bytes_are_one(self, project: Path) -> None:
        path = project / "pipelines" / "config.cluster.json"
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
        assert Project(project).cluster_spec().name == "hello"
        path.write_bytes("ä".encode("latin-1"))
        with pytest.raises(ProjectError, match="not UTF-8"):
            Project(project).cluster_spec()

    def test_no_spec_is_a_clear_error(self, project: Path) -> None:
        (project / "pipelines" / "config.cluster.json").unlink()
        with pytest.raises(ProjectError, match="no cluster spec"):
            Project(project).cluster_spec()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), VALUES, max_size=4), st.sampled_from([None, 0, 2, "\t"]))
def test_every_value_of_any_json_is_found_where_it_stands(value: Any, indent: Any) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    lines = text.split("\n")
    document = Document(text, "x")

    def check(part: Any, path: tuple[str | int, ...]) -> None:
        items = part.items() if isinstance(part, dict) else enumerate(part)
        for name, inner in items:
            _, line, column = document.place((*path, name)).split(", ")
            here = lines[int(line.split()[1]) - 1][int(column.split()[1]) - 1 :]
            shown = name if isinstance(part, dict) else inner
            start = json.dumps(shown, ensure_ascii=False, indent=indent).split("\n")[0]
            assert here.startswith(start)
            if isinstance(inner, dict | list):
                check(inner, (*path, name))

    check(value, ())


FIELDS = st.sampled_from(sorted(schema()["properties"])) | st.text(max_size=5)


@given(st.dictionaries(FIELDS, VALUES, max_size=6))
def test_whatever_a_file_holds_it_is_read_or_refused_in_words(fields: dict[str, Any]) -> None:
    text = json.dumps({"spark_version": "x", "node_type_id": "m", "num_workers": 1} | fields)
    with contextlib.suppress(ProjectError):
        assert parse(text).name
