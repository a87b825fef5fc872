"""Dynamic values in the parameters of tasks."""

from __future__ import annotations

from typing import Any

import pytest

from dbx_magic.local.references import resolved
from dbx_magic.local.run import Run, State, TaskRun


@pytest.fixture
def run() -> Run:
    """A run of three tasks, begun at the start of 2026."""
    before = TaskRun(11, {"task_key": "load"}, values={"rows": 5, "name": "trips", "a.b": [1]})
    before.state = State("TERMINATED", "SUCCESS")
    task = TaskRun(12, {"task_key": "train"}, attempt=1)
    run = Run(10, 3, "nightly", "JOB_RUN", "PERIODIC", "ada@example.org", {})
    run.job_parameters = {"day": "monday"}
    run.state.start_time = 1_767_225_600_000
    run.tasks = [before, task]
    return run


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{{job.parameters.day}}", "monday"),
        ("{{ job.id }}/{{job.run_id}}/{{task.run_id}}", "3/10/12"),
        ("{{job_id}}-{{run_id}}-{{parent_run_id}}", "3-12-10"),
        ("{{tasks.load.values.rows}} of {{tasks.load.values.name}}", "5 of trips"),
        ("{{tasks.load.values.a.b}}", "[1]"),
        ("{{tasks.load.result_state}}", "success"),
        ("{{tasks.load.run_id}}", "11"),
        ("{{job.start_time.iso_date}} {{start_date}}", "2026-01-01 2026-01-01"),
        ("{{task.name}} {{task.execution_count}}", "train 2"),
        ("{{job.trigger.type}}", "periodic"),
        ({"a": ["{{job.name}}", 1, None]}, {"a": ["nightly", 1, None]}),
        # What is not known is left as it was written.
        (
            "{{tasks.nothing.values.x}} {{secrets.x}} {{",
            "{{tasks.nothing.values.x}} {{secrets.x}} {{",
        ),
        ("{{tasks.load.values.other}}", "{{tasks.load.values.other}}"),
    ],
)
def test_references_are_replaced(run: Run, value: Any, expected: Any) -> None:
    assert resolved(value, run, run.tasks[1]) == expected
