"""Job runs through the unmodified SDK: notebooks, programs, order, failure, cancelling, repair."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InvalidParameterValue, ResourceDoesNotExist
from databricks.sdk.errors.platform import InvalidState
from databricks.sdk.service.compute import ClusterSpec, Library, State
from databricks.sdk.service.jobs import (
    ConditionTask,
    ConditionTaskOp,
    NotebookTask,
    PythonWheelTask,
    Run,
    RunIf,
    RunLifeCycleState,
    RunResultState,
    SparkPythonTask,
    SqlTask,
    SqlTaskFile,
    SubmitTask,
    TaskDependency,
)
from databricks.sdk.service.workspace import ImportFormat

Notebook = Callable[..., str]
SUCCESS = RunResultState.SUCCESS


def submit(client: WorkspaceClient, *tasks: SubmitTask, **settings: Any) -> Run:
    """Submit tasks and wait until the run is over, however it ends."""
    run_id = client.jobs.submit(run_name="test", tasks=list(tasks), **settings).run_id
    return over(client, run_id)


def over(client: WorkspaceClient, run_id: int) -> Run:
    """A run once it is over."""
    deadline = time.monotonic() + 120
    while True:
        run = client.jobs.get_run(run_id)
        if run.state.life_cycle_state.value in ("TERMINATED", "SKIPPED", "INTERNAL_ERROR"):
            return run
        assert time.monotonic() < deadline, f"run {run_id} did not end: {run.state}"


def results(run: Run) -> dict[str, str]:
    """How each task ended."""
    return {task.task_key: task.state.result_state.value for task in run.tasks}


def task(key: str, path: str, cluster_id: str, *after: str, **more: Any) -> SubmitTask:
    """A task that runs a notebook after others."""
    parameters = more.pop("parameters", None)
    return SubmitTask(
        task_key=key,
        existing_cluster_id=cluster_id,
        notebook_task=NotebookTask(notebook_path=path, base_parameters=parameters),
        depends_on=[TaskDependency(task_key=name) for name in after],
        **more,
    )


def test_a_notebook_gets_parameters_and_gives_a_result(
    client: WorkspaceClient, cluster_id: str, notebook: Notebook
) -> None:
    path = notebook(
        "double",
        "# MAGIC %md\n# MAGIC # Doubling",
        "n = int(dbutils.widgets.get('n'))\nprint('n is', n)",
        "# MAGIC %sql\n# MAGIC select 1 as one",
        "dbutils.notebook.exit(str(n * 2))",
        "raise RuntimeError('never reached')",
    )
    run = submit(client, task("a", path, cluster_id, parameters={"n": "21"}))
    assert (run.state.life_cycle_state, run.state.result_state) == (
        RunLifeCycleState.TERMINATED,
        SUCCESS,
    )
    (only,) = run.tasks
    assert only.run_id != run.run_id
    assert run.run_page_url
    assert only.cluster_instance.cluster_id == cluster_id
    assert run.status.termination_details.code.value == "SUCCESS"
    output = client.jobs.get_run_output(only.run_id)
    assert output.notebook_output.result == "42"
    assert output.notebook_output.truncated is False
    assert output.metadata.run_id == only.run_id
    assert client.jobs.get_run_output(run.run_id).notebook_output.result == "42"
    (view,) = client.jobs.export_run(only.run_id).views
    assert (view.name, view.type.value) == ("double", "NOTEBOOK")
    assert "n is 21" in view.content
    told: Any = client.api_client.do(
        "GET", "/api/2.2/jobs/runs/cells", query={"run_id": only.run_id}
    )
    assert [cell["status"] for cell in told["cells"]] == ["Finished"] * 4 + ["Skipped"]
    assert [cell["language"] for cell in told["cells"]][:3] == ["markdown", "python", "sql"]


def test_an_error_names_its_cell(
    client: WorkspaceClient, cluster_id: str, notebook: Notebook
) -> None:
    path = notebook("fails", "x = 1", "# DBTITLE 1,The divide\n1 / 0", "print('not reached')")
    run = submit(client, task("a", path, cluster_id))
    assert run.state.result_state == RunResultState.FAILED
    output = client.jobs.get_run_output(run.tasks[0].run_id)
    assert output.error == "ZeroDivisionError: division by zero"
    assert output.error_trace.startswith(f"Cell 2 (The divide) of {path}\n")
    assert "Workload failed" in run.tasks[0].state.state_message
    assert run.tasks[0].status.termination_details.code.value == "RUN_EXECUTION_ERROR"


def test_cells_are_told_as_they_run(
    server: Any, client: WorkspaceClient, cluster_id: str, notebook: Notebook
) -> None:
    path = notebook("slow", "print('<first>')", "import time; time.sleep(2)", "print('last')")
    run_id = client.jobs.submit(tasks=[task("a", path, cluster_id)]).run_id
    cursor, seen = 0, []
    while not seen or seen[-1] != ["Finished"] * 3:
        query = {"run_id": run_id, "cursor": cursor, "wait": 10}
        told = server.call("GET", "/api/2.2/jobs/runs/cells", params=query).json()
        assert told["cursor"] >= cursor
        cursor = told["cursor"]
        state = seen[-1] if seen else ["Waiting"] * 3
        for cell in told["cells"]:
            state = [*state[: cell["index"]], cell["status"], *state[cell["index"] + 1 :]]
        seen.append(state)
    assert ["Finished", "Running", "Waiting"] in seen
    over(client, run_id)
    (page,) = client.jobs.export_run(client.jobs.get_run(run_id).tasks[0].run_id).views
    assert "&lt;first&gt;" in page.content
    assert "<first>" not in page.content


def test_a_run_gets_a_cluster_made_for_it(
    client: WorkspaceClient, spec: dict[str, Any], notebook: Notebook, wait_until: Any
) -> None:
    path = notebook("where", "dbutils.notebook.exit(str(spark.range(10).count()))")
    made = SubmitTask(
        task_key="a",
        new_cluster=ClusterSpec(**spec),
        notebook_task=NotebookTask(notebook_path=path),
    )
    run = submit(client, made)
    assert client.jobs.get_run_output(run.tasks[0].run_id).notebook_output.result == "10"
    made_id = run.tasks[0].cluster_instance.cluster_id
    wait_until(lambda: client.clusters.get(made_id).state == State.TERMINATED, "terminating")
    assert client.clusters.get(made_id).termination_reason.code.value == "JOB_FINISHED"
    assert client.clusters.get(made_id).cluster_source.value == "JOB"


def test_tasks_run_in_their_order_and_hand_on_values(
    client: WorkspaceClient, cluster_id: str, notebook: Notebook
) -> None:
    first = notebook("first", "dbutils.jobs.taskValues.set('n', 5)")
    second = notebook(
        "second",
        "n = dbutils.jobs.taskValues.get('first', 'n')\n"
        "dbutils.notebook.exit(f\"{n + 1} {dbutils.widgets.get('given')}\")",
    )
    decide = SubmitTask(
        task_key="enough",
        condition_task=ConditionTask(
            op=ConditionTaskOp.GREATER_THAN, left="{{tasks.first.values.n}}", right="3"
        ),
        depends_on=[TaskDependency(task_key="first")],
    )
    yes = task("second", second, cluster_id, parameters={"given": "{{tasks.first.values.n}}"})
    yes.depends_on = [TaskDependency(task_key="enough", outcome="true")]
    no = task("other", second, cluster_id)
    no.depends_on = [TaskDependency(task_key="enough", outcome="false")]
    run = submit(client, task("first", first, cluster_id), decide, yes, no)
    assert results(run) == {
        "first": "SUCCESS",
        "enough": "SUCCESS",
        "second": "SUCCESS",
        "other": "EXCLUDED",
    }
    assert run.state.result_state == SUCCESS
    by_key = {one.task_key: one for one in run.tasks}
    assert client.jobs.get_run_output(by_key["second"].run_id).notebook_output.result == "6 5"
    with pytest.raises(InvalidParameterValue, match="multiple tasks is not supported"):
        client.jobs.get_run_output(run.run_id)


def test_what_depends_on_a_failure_and_its_repair(
    client: WorkspaceClient, cluster_id: str, notebook: Notebook
) -> None:
    good, bad = notebook("good", "print('good')"), notebook("bad", "raise ValueError('no')")
    run = submit(
        client,
        task("bad", bad, cluster_id),
        task("after", good, cluster_id, "bad"),
        task("anyway", good, cluster_id, "bad", run_if=RunIf.ALL_DONE),
    )
    assert results(run) == {"bad": "FAILED", "after": "UPSTREAM_FAILED", "anyway": "SUCCESS"}
    assert run.state.result_state == RunResultState.FAILED
    notebook("bad", "print('mended')")
    client.jobs.repair_run(run.run_id, rerun_all_failed_tasks=True)
    repaired = over(client, run.run_id)
    assert set(results(repaired).values()) == {"SUCCESS"}
    assert repaired.state.result_state == SUCCESS
    assert [item.type.value for item in repaired.repair_history] == ["ORIGINAL", "REPAIR"]
    former = {one.task_key: one.run_id for one in run.tasks}
    assert former["bad"] not in {one.run_id for one in repaired.tasks}
    assert "ValueError" in client.jobs.get_run_output(former["bad"]).error


def test_a_run_is_cancelled(
    client: WorkspaceClient, cluster_id: str, notebook: Notebook, wait_until: Any
) -> None:
    path = notebook("endless", "import time\nwhile True: time.sleep(0.1)")
    run_id = client.jobs.submit(tasks=[task("a", path, cluster_id)]).run_id
    wait_until(
        lambda: (
            client.jobs.get_run(run_id).tasks[0].state.life_cycle_state == RunLifeCycleState.RUNNING
        ),
        "running",
    )
    assert run_id in {run.run_id for run in client.jobs.list_runs(active_only=True)}
    with pytest.raises(InvalidState, match="is active"):
        client.jobs.delete_run(run_id)
    run = client.jobs.cancel_run_and_wait(run_id)
    assert run.state.result_state == RunResultState.CANCELED
    assert run.state.user_cancelled_or_timedout
    assert run_id in {run.run_id for run in client.jobs.list_runs(completed_only=True)}
    client.jobs.delete_run(run_id)
    with pytest.raises(ResourceDoesNotExist, match=f"Run {run_id} does not exist"):
        client.jobs.get_run(run_id)


def test_a_run_whose_cluster_ends_says_so(
    client: WorkspaceClient, spec: dict[str, Any], notebook: Notebook, wait_until: Any
) -> None:
    made = client.clusters.create_and_wait(cluster_name="short", **spec).cluster_id
    path = notebook("endless", "import time\nwhile True: time.sleep(0.1)")
    run_id = client.jobs.submit(tasks=[task("a", path, made)]).run_id
    query = {"run_id": run_id, "wait": 5}

    def running() -> bool:
        told: Any = client.api_client.do("GET", "/api/2.2/jobs/runs/cells", query=query)
        return [cell["status"] for cell in told["cells"]] == ["Running"]

    wait_until(running, "running")
    client.clusters.permanent_delete(made)
    run = over(client, run_id)
    assert run.state.result_state == RunResultState.FAILED
    assert run.tasks[0].status.termination_details.code.value == "CLUSTER_ERROR"


def test_a_run_starts_a_cluster_that_is_stopped(
    client: WorkspaceClient, spec: dict[str, Any], notebook: Notebook
) -> None:
    path = notebook("here", "dbutils.notebook.exit('here')")
    stopped = client.clusters.create(cluster_name="stopped", **spec).cluster_id
    client.clusters.delete(stopped)
    run = submit(client, task("a", path, stopped))
    assert run.state.result_state == SUCCESS
    client.clusters.permanent_delete(stopped)
    broken = client.clusters.create(
        cluster_name="broken", spark_conf={"spark.master": "nowhere"}, **spec
    ).cluster_id
    run = submit(client, task("a", path, broken))
    assert run.state.life_cycle_state == RunLifeCycleState.INTERNAL_ERROR
    assert "Cluster did not start" in run.tasks[0].state.state_message
    client.clusters.permanent_delete(broken)


def test_timeouts_and_retries(client: WorkspaceClient, cluster_id: str, notebook: Notebook) -> None:
    endless = notebook("endless", "import time\nwhile True: time.sleep(0.1)")
    run = submit(client, task("a", endless, cluster_id, timeout_seconds=2))
    assert run.state.result_state == RunResultState.TIMEDOUT
    flaky = notebook(
        "flaky",
        "import pathlib\nmark = pathlib.Path('/dbfs/flaky')\n"
        "tried = mark.exists()\nmark.write_text('')",
        "assert tried, 'the first time'",
    )
    run = submit(client, task("a", flaky, cluster_id, max_retries=2))
    assert run.state.result_state == SUCCESS
    assert run.tasks[0].attempt_number == 1


def test_programs_wheels_and_sql_files(
    client: WorkspaceClient, cluster_id: str, folder: str
) -> None:
    program = b"import sys\nprint('program', sys.argv[1:])\n"
    client.workspace.upload(f"{folder}/program.py", program, format=ImportFormat.AUTO)
    client.dbfs.upload(
        "/programs/fails.py", io.BytesIO(b"import sys\nsys.exit(3)\n"), overwrite=True
    )
    client.workspace.upload(
        f"{folder}/query.sql", b"select {{n}} + 1 as more", format=ImportFormat.AUTO
    )
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as archive:
        info = "shouting-1.0.dist-info"
        archive.writestr("shouting.py", "import sys\ndef main(): print('wheel', sys.argv[1:])\n")
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: shouting\nVersion: 1.0\n"
        )
        archive.writestr(f"{info}/entry_points.txt", "[console_scripts]\nshout = shouting:main\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    wheel.seek(0)
    client.dbfs.upload("/programs/shouting-1.0-py3-none-any.whl", wheel, overwrite=True)
    run = submit(
        client,
        SubmitTask(
            task_key="program",
            existing_cluster_id=cluster_id,
            spark_python_task=SparkPythonTask(
                python_file=f"{folder}/program.py", parameters=["one", "{{job.run_id}}"]
            ),
        ),
        SubmitTask(
            task_key="fails",
            existing_cluster_id=cluster_id,
            spark_python_task=SparkPythonTask(python_file="dbfs:/programs/fails.py"),
        ),
        SubmitTask(
            task_key="wheel",
            existing_cluster_id=cluster_id,
            libraries=[Library(whl="dbfs:/programs/shouting-1.0-py3-none-any.whl")],
            python_wheel_task=PythonWheelTask(
                package_name="shouting", entry_point="shout", named_parameters={"loud": "yes"}
            ),
        ),
        SubmitTask(
            task_key="query",
            existing_cluster_id=cluster_id,
            sql_task=SqlTask(
                warehouse_id="local",
                file=SqlTaskFile(path=f"{folder}/query.sql"),
                parameters={"n": "41"},
            ),
        ),
    )
    assert results(run) == {
        "program": "SUCCESS",
        "fails": "FAILED",
        "wheel": "SUCCESS",
        "query": "SUCCESS",
    }
    outputs = {one.task_key: client.jobs.get_run_output(one.run_id) for one in run.tasks}
    assert outputs["program"].logs == f"program ['one', '{run.run_id}']\n"
    assert outputs["wheel"].logs == "wheel ['--loud=yes']\n"
    assert "exit code 3" in outputs["fails"].error
    assert outputs["query"].logs == "[[42]]"


def test_submitting_twice_with_one_token_runs_once(
    client: WorkspaceClient, cluster_id: str, notebook: Notebook
) -> None:
    path = notebook("once", "print('once')")
    first = client.jobs.submit(tasks=[task("a", path, cluster_id)], idempotency_token="only")
    second = client.jobs.submit(tasks=[task("a", path, cluster_id)], idempotency_token="only")
    assert first.run_id == second.run_id
    assert over(client, first.run_id).state.result_state == SUCCESS


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        ([], "tasks"),
        ([{"task_key": "a"}], "exactly one of"),
        ([{"task_key": "a b", "notebook_task": {"notebook_path": "/x"}}], "Task key"),
        ([{"task_key": "a", "spark_jar_task": {}}], "does not run a spark_jar_task"),
        ([{"task_key": "a", "for_each_task": {}}], "does not run a for_each_task"),
        ([{"task_key": "a", "notebook_task": {}}], "notebook_path"),
        (
            [
                {
                    "task_key": "a",
                    "notebook_task": {"notebook_path": "/x"},
                    "depends_on": [{"task_key": "b"}],
                }
            ],
            "no task of the job",
        ),
        (
            [
                {
                    "task_key": name,
                    "notebook_task": {"notebook_path": "/x"},
                    "depends_on": [{"task_key": other}],
                }
                for name, other in (("a", "b"), ("b", "a"))
            ],
            "circle",
        ),
        (
            [
                {
                    "task_key": "a",
                    "notebook_task": {"notebook_path": "/x"},
                    "new_cluster": {"spark_version": "banana"},
                }
            ],
            "Invalid spark version",
        ),
    ],
)
def test_runs_that_are_refused(client: WorkspaceClient, tasks: list[Any], words: str) -> None:
    with pytest.raises(InvalidParameterValue, match=words):
        client.api_client.do("POST", "/api/2.2/jobs/runs/submit", body={"tasks": tasks})


def test_a_run_from_git_is_refused_with_another_way(client: WorkspaceClient) -> None:
    task = {"task_key": "a", "notebook_task": {"notebook_path": "/x", "source": "GIT"}}
    body = {"tasks": [task], "git_source": {"git_url": "https://example.org/x.git"}}
    with pytest.raises(InvalidParameterValue, match="git_source; clone it with the Repos API"):
        client.api_client.do("POST", "/api/2.2/jobs/runs/submit", body=body)


def test_what_cannot_be_found(client: WorkspaceClient, cluster_id: str) -> None:
    run = submit(client, task("a", "/Shared/nowhere", cluster_id))
    assert run.state.life_cycle_state == RunLifeCycleState.INTERNAL_ERROR
    assert 'Unable to access the notebook "/Shared/nowhere"' in run.tasks[0].state.state_message
    run = submit(client, task("a", "/Shared/nowhere", "0101-000000-nothing0"))
    assert "Cluster 0101-000000-nothing0 does not exist" in run.tasks[0].state.state_message


def test_a_notebook_in_a_clone_is_named_without_its_suffix(
    client: WorkspaceClient, cluster_id: str, folder: str
) -> None:
    source = b"-- Databricks notebook source\nselect 1"
    client.workspace.upload(f"{folder}/query.sql", source, format=ImportFormat.RAW)
    run = submit(client, task("a", f"{folder}/query", cluster_id))
    assert run.state.result_state == SUCCESS


def test_old_clients_submit_one_flat_task(
    server: Any, client: WorkspaceClient, cluster_id: str, notebook: Notebook
) -> None:
    body = {
        "run_name": "flat",
        "existing_cluster_id": cluster_id,
        "notebook_task": {
            "notebook_path": notebook("flat", "dbutils.notebook.exit('flat')"),
            "base_parameters": {},
        },
    }
    run_id = server.call("POST", "/api/2.0/jobs/runs/submit", json=body).json()["run_id"]
    over(client, run_id)
    got = server.call("GET", "/api/2.0/jobs/runs/get", params={"run_id": str(run_id)}).json()
    assert got["task"]["notebook_task"] == body["notebook_task"]
    assert got["cluster_spec"] == {"existing_cluster_id": cluster_id}
    assert got["state"]["result_state"] == "SUCCESS"
    output = server.call("GET", "/api/2.0/jobs/runs/get-output", params={"run_id": run_id}).json()
    assert output["notebook_output"]["result"] == "flat"
