"""A `spark` in the notebook, which runs on a real cluster."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dbx_magic.dbx import Dbx
from dbx_magic.errors import UsageError

Perform = Callable[..., Any]


@pytest.fixture(autouse=True)
def in_a_notebook(dbx: Dbx, on_the_shared_cluster: None) -> None:
    dbx.variables = {}


def test_spark_of_the_notebook_and_of_the_cells_share_tables(dbx: Dbx, perform: Perform) -> None:
    done = perform("spark")
    assert dbx.variables is not None
    spark = dbx.variables["spark"]
    assert (done.cluster, done.version) == ("shared", spark.version)
    perform("exec", code="spark.range(3).write.mode('overwrite').saveAsTable('from_a_cell')")
    assert spark.table("from_a_cell").toPandas()["id"].sum() == 3
    perform("spark")  # again, when it was lost
    assert dbx.variables["spark"].range(2).count() == 2
    assert "token" not in str(done)
    perform("exec", code="spark.sql('drop table from_a_cell')")
    for session in {spark, dbx.variables["spark"]}:
        session.stop()


def test_two_clients_in_one_environment_are_refused(
    perform: Perform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Python sees an environment: by the metadata that an installer leaves."""
    left = tmp_path / "databricks_connect-16.1.0.dist-info"
    left.mkdir()
    (left / "METADATA").write_text("Metadata-Version: 2.1\nName: databricks-connect\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert importlib.metadata.distribution("databricks-connect")
    with pytest.raises(UsageError, match="never share an environment"):
        perform("spark")


def test_outside_of_a_notebook_there_is_none(dbx: Dbx, perform: Perform) -> None:
    dbx.variables = None
    with pytest.raises(UsageError, match="works in a notebook"):
        perform("spark")
