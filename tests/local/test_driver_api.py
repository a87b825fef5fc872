"""What cells reach through the workspace's API: secrets, and other notebooks as runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service import workspace
from databricks.sdk.service.compute import Language, Results
from databricks.sdk.service.workspace import ImportFormat


@pytest.fixture
def cell(client: WorkspaceClient, cluster_id: str) -> Iterator[Callable[[str], Results]]:
    """Run a cell on a cluster of the whole local workspace."""
    context = client.command_execution.create_and_wait(
        cluster_id=cluster_id, language=Language.PYTHON
    )

    def cell(code: str) -> Results:
        done = client.command_execution.execute_and_wait(
            cluster_id=cluster_id, context_id=context.id, language=Language.PYTHON, command=code
        )
        assert done.results is not None
        return done.results

    yield cell
    client.command_execution.destroy(cluster_id, context.id)


def test_secrets_are_read_and_never_shown(client: WorkspaceClient, cell: Any) -> None:
    if "driver" not in [scope.name for scope in client.secrets.list_scopes()]:
        client.secrets.create_scope("driver")
    client.secrets.put_secret("driver", "password", string_value='s3cr"et')
    cell("word = dbutils.secrets.get('driver', 'password')")
    shown = cell("print('it is', word)\nword + '!'")
    assert 's3cr"et' not in str(shown.data)
    assert str(shown.data).count("[REDACTED]") == 2
    assert cell("len(word)").data == "7"
    assert "[REDACTED]" in str(cell("raise ValueError(word)").summary)
    assert cell("[s.key for s in dbutils.secrets.list('driver')]").data == "['password']"
    assert "does not exist" in str(cell("dbutils.secrets.get('driver', 'none')").summary)


def test_a_notebook_runs_another_one_and_gets_its_value(
    cell: Any, notebook: Callable[..., str], folder: str
) -> None:
    path = notebook(
        "child",
        "dbutils.widgets.text('n', '0')",
        "dbutils.notebook.exit(str(int(dbutils.widgets.get('n')) * 2))",
    )
    assert cell(f"dbutils.notebook.run({path!r}, 60, {{'n': 21}})").data == "'42'"
    broken = notebook("broken", "1 / 0")
    summary = str(cell(f"dbutils.notebook.run({broken!r}, 60)").summary)
    assert "did not succeed" in summary
    assert "ZeroDivisionError" in summary


def test_run_knows_r_from_python_and_the_notebooks_of_a_clone(
    client: WorkspaceClient, cell: Any, folder: str
) -> None:
    source = b"# Databricks notebook source\nx <- 6 * 7\ncat(x)"
    client.workspace.upload(
        f"{folder}/r", source, format=ImportFormat.SOURCE, language=workspace.Language.R
    )
    shown = cell(f"%run {folder}/r")
    assert shown.data == "42" or "there is no R on this machine" in shown.summary
    client.workspace.upload(
        f"{folder}/cloned.sql", b"-- Databricks notebook source\nselect 7", format=ImportFormat.RAW
    )
    assert cell(f"%run {folder}/cloned").data == [[7]]
