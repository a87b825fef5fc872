"""Jobs through the unmodified SDK: kept, changed, run now and by the clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InvalidParameterValue, ResourceDoesNotExist
from databricks.sdk.service.compute import ClusterSpec
from databricks.sdk.service.jobs import (
    CronSchedule,
    JobCluster,
    JobParameterDefinition,
    JobSettings,
    NotebookTask,
    PauseStatus,
    QueueSettings,
    Run,
    RunJobTask,
    RunLifeCycleState,
    RunResultState,
    Task,
    TaskDependency,
    TriggerType,
)

Notebook = Callable[..., str]


@pytest.fixture
def create(client: WorkspaceClient) -> Iterator[Callable[..., int]]:
    """Create jobs that are gone after the test."""
    made = []

    def create_job(**settings: Any) -> int:
        made.append(client.jobs.create(**settings).job_id)
        return made[-1]

    yield create_job
    for job_id in made:
        client.jobs.cancel_all_runs(job_id=job_id)
        client.jobs.delete(job_id)


def over(client: WorkspaceClient, run_id: int) -> Run:
    """A run once it is over."""
    deadline = time.monotonic() + 120
    while (run := client.jobs.get_run(run_id)).state.result_state is None:
        assert time.monotonic() < deadline, f"run {run_id} did not end: {run.state}"
    return run


def task(path: str, cluster_id: str | None = None, **more: Any) -> Task:
    """A task that runs a notebook."""
    return Task(
        task_key=more.pop("task_key", "main"),
        existing_cluster_id=cluster_id,
        notebook_task=NotebookTask(notebook_path=path),
        **more,
    )


def test_a_job_is_kept_changed_and_deleted(client: WorkspaceClient) -> None:
    job_id = client.jobs.create(
        name="kept", tasks=[task("/Shared/a", "1"), task("/Shared/b", "1", task_key="second")]
    ).job_id
    job = client.jobs.get(job_id)
    assert [one.task_key for one in job.settings.tasks] == ["main", "second"]
    assert job.creator_user_name.endswith("@local")
    changed = JobSettings(name="changed", tasks=[task("/Shared/c", "1")], max_concurrent_runs=3)
    client.jobs.update(job_id, new_settings=changed, fields_to_remove=["tasks/second"])
    settings = client.jobs.get(job_id).settings
    assert (settings.name, settings.max_concurrent_runs) == ("changed", 3)
    assert [one.notebook_task.notebook_path for one in settings.tasks] == ["/Shared/c"]
    client.jobs.reset(job_id, JobSettings(name="reset", tasks=[task("/Shared/d", "1")]))
    assert client.jobs.get(job_id).settings.max_concurrent_runs == 1
    assert [job.job_id for job in client.jobs.list(name="RESET")] == [job_id]
    client.jobs.delete(job_id)
    with pytest.raises(ResourceDoesNotExist, match=f"Job {job_id} does not exist"):
        client.jobs.get(job_id)


def test_lists_of_jobs_come_in_pages(client: WorkspaceClient, create: Callable[..., int]) -> None:
    ids = [create(name=f"page {n}", tasks=[task("/Shared/a", "1")]) for n in range(5)]
    found = list(client.jobs.list(limit=2))
    assert [job.job_id for job in found if job.settings.name.startswith("page")] == ids[::-1]
    assert not found[0].settings.tasks
    assert next(iter(client.jobs.list(limit=2, expand_tasks=True))).settings.tasks


def test_run_now_with_parameters(
    client: WorkspaceClient,
    cluster_id: str,
    notebook: Notebook,
    create: Callable[..., int],
) -> None:
    path = notebook("said", "dbutils.notebook.exit(dbutils.widgets.get('word'))")
    job_id = create(
        name="say",
        tasks=[task(path, cluster_id)],
        parameters=[JobParameterDefinition(name="word", default="default")],
    )
    said = []
    for given in ({}, {"job_parameters": {"word": "job"}}, {"notebook_params": {"word": "note"}}):
        run = over(client, client.jobs.run_now(job_id, **given).run_id)
        said.append(client.jobs.get_run_output(run.tasks[0].run_id).notebook_output.result)
        assert run.job_id == job_id
    assert said == ["default", "job", "note"]
    assert len(list(client.jobs.list_runs(job_id=job_id))) == 3


def test_more_runs_than_allowed_are_skipped_or_queued(
    client: WorkspaceClient, cluster_id: str, notebook: Notebook, create: Callable[..., int]
) -> None:
    path = notebook("slow", "import time; time.sleep(3)")
    job_id = create(name="one at a time", tasks=[task(path, cluster_id)])
    first = client.jobs.run_now(job_id).run_id
    skipped = client.jobs.get_run(client.jobs.run_now(job_id).run_id)
    assert skipped.state.life_cycle_state == RunLifeCycleState.SKIPPED
    assert skipped.state.result_state == RunResultState.MAXIMUM_CONCURRENT_RUNS_REACHED
    queued = client.jobs.run_now(job_id, queue=QueueSettings(enabled=True)).run_id
    assert client.jobs.get_run(queued).state.life_cycle_state == RunLifeCycleState.QUEUED
    runs = [over(client, first), over(client, queued)]
    assert {run.state.result_state for run in runs} == {RunResultState.SUCCESS}
    assert runs[1].tasks[0].start_time >= runs[0].tasks[0].end_time


def test_a_job_runs_another_on_a_shared_cluster(
    client: WorkspaceClient,
    spec: dict[str, Any],
    notebook: Notebook,
    create: Callable[..., int],
) -> None:
    path = notebook("note", "dbutils.notebook.exit(spark.conf.get('spark.greeting'))")
    shared = JobCluster(
        job_cluster_key="shared",
        new_cluster=ClusterSpec(**spec, spark_conf={"spark.greeting": "hello"}),
    )
    first = task(path, job_cluster_key="shared", task_key="first")
    second = task(path, job_cluster_key="shared", task_key="second")
    second.depends_on = [TaskDependency(task_key="first")]
    inner = create(name="inner", tasks=[first, second], job_clusters=[shared])
    outer = create(
        name="outer", tasks=[Task(task_key="call", run_job_task=RunJobTask(job_id=inner))]
    )
    run = over(client, client.jobs.run_now(outer).run_id)
    assert run.state.result_state == RunResultState.SUCCESS
    called = client.jobs.get_run_output(run.tasks[0].run_id).run_job_output.run_id
    tasks = client.jobs.get_run(called).tasks
    assert len({one.cluster_instance.cluster_id for one in tasks}) == 1
    results = [client.jobs.get_run_output(one.run_id).notebook_output.result for one in tasks]
    assert results == ["hello", "hello"]


def test_a_schedule_runs_the_job(
    client: WorkspaceClient,
    cluster_id: str,
    notebook: Notebook,
    create: Callable[..., int],
    wait_until: Callable[..., Any],
) -> None:
    path = notebook("tick", "print('tick')")
    every_second = CronSchedule(quartz_cron_expression="* * * * * ?", timezone_id="UTC")
    job_id = create(name="tick", tasks=[task(path, cluster_id)], schedule=every_second)
    runs = wait_until(lambda: list(client.jobs.list_runs(job_id=job_id)), "a run")
    assert runs[-1].trigger == TriggerType.PERIODIC
    paused = CronSchedule(
        quartz_cron_expression="* * * * * ?", timezone_id="UTC", pause_status=PauseStatus.PAUSED
    )
    client.jobs.update(job_id, new_settings=JobSettings(schedule=paused))
    client.jobs.cancel_all_runs(job_id=job_id)
    wait_until(lambda: not list(client.jobs.list_runs(job_id=job_id, active_only=True)), "quiet")
    with pytest.raises(InvalidParameterValue, match="no quartz cron expression"):
        client.jobs.create(
            name="bad",
            schedule=CronSchedule(quartz_cron_expression="daily", timezone_id="UTC"),
        )


def test_old_clients_know_one_flat_task(server: Any, create: Callable[..., int]) -> None:
    body = {
        "name": "flat",
        "existing_cluster_id": "0101-000000-nothing0",
        "notebook_task": {"notebook_path": "/Shared/x"},
        "max_retries": 1,
    }
    job_id = server.call("POST", "/api/2.0/jobs/create", json=body).json()["job_id"]
    settings = server.call("GET", f"/api/2.0/jobs/get?job_id={job_id}").json()["settings"]
    assert {name: settings[name] for name in body} == body
    assert "tasks" not in settings
    settings = server.call("GET", f"/api/2.1/jobs/get?job_id={job_id}").json()["settings"]
    assert settings["tasks"][0]["notebook_task"] == body["notebook_task"]
    listed = server.call("GET", "/api/2.0/jobs/list?expand_tasks=false").json()["jobs"]
    assert job_id in {job["job_id"] for job in listed}
    assert server.call("POST", "/api/2.0/jobs/delete", json={"job_id": str(job_id)}).ok
