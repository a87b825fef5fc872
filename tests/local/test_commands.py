"""Commands through the unmodified SDK, and the stream of events beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.compute import (
    CommandStatus,
    CommandStatusResponse,
    ContextStatus,
    Language,
    ResultType,
)


@pytest.fixture
def context_id(client: WorkspaceClient, cluster_id: str) -> Iterator[str]:
    """A Python context of the test's own."""
    context = client.command_execution.create_and_wait(
        cluster_id=cluster_id, language=Language.PYTHON
    )
    assert context.status == ContextStatus.RUNNING
    yield context.id
    client.command_execution.destroy(cluster_id, context.id)


@pytest.fixture
def run(
    client: WorkspaceClient, cluster_id: str, context_id: str
) -> Callable[..., CommandStatusResponse]:
    """Run code in the test's context to its end."""

    def execute(code: str, language: Language = Language.PYTHON) -> CommandStatusResponse:
        return client.command_execution.execute_and_wait(
            cluster_id=cluster_id, context_id=context_id, language=language, command=code
        )

    return execute


def test_values_live_on_between_commands(run: Callable[..., CommandStatusResponse]) -> None:
    assert run("x = 20").status == CommandStatus.FINISHED
    assert run("print('juhu'); x + 1").results.data == "juhu\n21"


def test_results_have_the_types_of_the_api(run: Callable[..., CommandStatusResponse]) -> None:
    table = run("select 1 as n, 'a' as word", Language.SQL).results
    assert table.result_type == ResultType.TABLE
    assert table.data == [[1, "a"]]
    assert [column["name"] for column in table.schema] == ["n", "word"]
    failed = run("print('before')\n1/0").results
    assert failed.result_type == ResultType.ERROR
    assert "ZeroDivisionError" in failed.summary
    assert "division by zero" in failed.cause


def test_numbers_that_json_does_not_have(run: Callable[..., CommandStatusResponse]) -> None:
    table = run("select double('NaN') as n, double('Infinity') as i", Language.SQL).results
    assert [str(value).lower()[:3] for value in table.data[0]] == ["nan", "inf"]


def test_a_command_is_cancelled(
    client: WorkspaceClient,
    cluster_id: str,
    context_id: str,
    run: Callable[..., CommandStatusResponse],
) -> None:
    waiting = client.command_execution.execute(
        cluster_id=cluster_id,
        context_id=context_id,
        language=Language.PYTHON,
        command="import time\nwhile True: time.sleep(0.1)",
    )
    ended = client.command_execution.cancel_and_wait(
        cluster_id=cluster_id, context_id=context_id, command_id=waiting.command_id
    )
    assert ended.status == CommandStatus.CANCELLED
    told = client.command_execution.command_status(
        cluster_id=cluster_id, context_id=context_id, command_id=waiting.command_id
    )
    assert told.status == CommandStatus.CANCELLED
    context = client.command_execution.context_status(cluster_id=cluster_id, context_id=context_id)
    assert context.status == ContextStatus.RUNNING
    assert run("'alive'").results.data == "'alive'"


def test_events_come_while_the_command_runs(
    server: Any, client: WorkspaceClient, cluster_id: str, context_id: str
) -> None:
    waiting = client.command_execution.execute(
        cluster_id=cluster_id,
        context_id=context_id,
        language=Language.PYTHON,
        command="import time\nprint('first', flush=True)\ntime.sleep(2)\nprint('second')",
    )
    query = {"clusterId": cluster_id, "contextId": context_id, "commandId": waiting.command_id}
    cursor, seen, status = 0, [], "Running"
    while status in ("Queued", "Running"):
        answer = server.call(
            "GET", "/api/1.2/commands/events", params={**query, "cursor": cursor, "wait": 10}
        )
        assert "events" in answer.headers["x-dbx-magic"].split()
        told = answer.json()
        cursor, status = told["cursor"], told["status"]
        text = "".join(event.get("text", "") for event in told["events"])
        if text:
            seen.append((text, status))
    assert seen[0] == ("first\n", "Running")
    assert "".join(text for text, _ in seen) == "first\nsecond\n"
    assert status == "Finished"


@pytest.mark.parametrize(
    ("path", "change", "words"),
    [
        ("contexts/create", {"clusterId": "0101-000000-nothing0"}, "Cluster not found"),
        ("contexts/create", {"language": "cobol"}, "Unsupported language"),
        ("commands/execute", {"contextId": "nothing"}, "Context not found"),
        ("commands/execute", {"contextId": None}, "missing contextId"),
        ("commands/cancel", {"commandId": "nothing"}, "Command not found"),
    ],
)
def test_refusals_have_the_form_of_this_api(
    server: Any, cluster_id: str, context_id: str, path: str, change: dict[str, Any], words: str
) -> None:
    body = {"clusterId": cluster_id, "contextId": context_id, "language": "python", "command": "1"}
    answer = server.call("POST", f"/api/1.2/{path}", json={**body, **change})
    assert answer.status_code in (400, 404)
    assert words in answer.json()["error"]
    assert "error_code" not in answer.json()


def test_a_cluster_that_starts_takes_commands_when_it_runs(
    server: Any, client: WorkspaceClient, spec: dict[str, Any]
) -> None:
    cluster_id = client.clusters.create(cluster_name="pending", **spec).cluster_id
    body = {"clusterId": cluster_id, "language": "python"}
    answer = server.call("POST", "/api/1.2/contexts/create", json=body)
    assert "ClusterNotReadyException" in answer.json()["error"]
    # The SDK knows this name and tries again until the cluster is there.
    assert client.command_execution.create(cluster_id=cluster_id, language=Language.PYTHON)
    client.clusters.permanent_delete(cluster_id)
