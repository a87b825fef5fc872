"""The Jobs API's runs, 2.0 to 2.2, and beside it the cells of a notebook run as they come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .bell import HOLD_SECONDS
from .call import Call, Operation
from .errors import Refused, invalid
from .jobs import checked_settings
from .pages import run_page
from .paging import page_of
from .run import Run, TaskRun
from .runs import Runs

_VERSIONS = ("2.0", "2.1", "2.2")
_LONGEST_WAIT = 20


class RunCalls:
    """What can be asked of runs over HTTP."""

    def __init__(self, runs: Runs, url: str) -> None:
        self._runs = runs
        self._url = url

    def operations(self) -> list[Operation]:
        """The operations of the API, and ``runs/cells``, which Databricks does not have."""
        posts = {
            "submit": self._submit,
            "cancel": self._cancel,
            "cancel-all": self._cancel_all,
            "delete": self._delete,
            "repair": self._repair,
        }
        gets = {
            "get": self._get,
            "get-output": self._get_output,
            "list": self._list,
            "export": self._export,
            "cells": self._cells,
        }
        return [
            *(Operation("POST", f"/jobs/runs/{name}", do, _VERSIONS) for name, do in posts.items()),
            *(Operation("GET", f"/jobs/runs/{name}", do, _VERSIONS) for name, do in gets.items()),
        ]

    async def _submit(self, call: Call) -> Mapping[str, Any]:
        settings = checked_settings(call.fields)
        if not settings["tasks"]:
            raise invalid("Missing required field: tasks")
        run = self._runs.submit(settings, call.user, call.text("idempotency_token", ""))
        return {"run_id": run.run_id}

    async def _get(self, call: Call) -> Mapping[str, Any]:
        run, task = self._find(call)
        execution = self._runs.executions.get(run.run_id)
        if execution and not (task or run).state.over:
            await execution.bell.wait(HOLD_SECONDS)
        return self._task_details(run, task) if task else run.details(self._url)

    async def _get_output(self, call: Call) -> Mapping[str, Any]:
        run, task = self._find(call)
        task = task or self._only_task(run)
        output = dict(task.output)
        if "notebook_task" in task.task and task.state.result == "SUCCESS":
            output.setdefault("notebook_output", {})
        return {**output, "metadata": self._task_details(run, task)}

    async def _list(self, call: Call) -> Mapping[str, Any]:
        runs = sorted(self._runs.all(), key=lambda run: -run.run_id)
        if job_id := call.whole("job_id", 0):
            runs = [run for run in runs if run.job_id == job_id]
        if run_type := call.text("run_type", ""):
            runs = [run for run in runs if run.run_type == run_type]
        if call.flag("active_only"):
            runs = [run for run in runs if not run.state.over]
        if call.flag("completed_only"):
            runs = [run for run in runs if run.state.over]
        since, until = call.whole("start_time_from", 0), call.whole("start_time_to", 1 << 62)
        runs = [run for run in runs if since <= run.state.start_time <= until]
        found, tokens = page_of(call, runs, size="limit", usual=20, most=1000)
        expand = call.version == "2.0" or call.flag("expand_tasks")
        page: dict[str, Any] = {"has_more": "next_page_token" in tokens, **tokens}
        if found:
            page["runs"] = [run.details(self._url, expand=expand) for run in found]
        return page

    async def _cancel(self, call: Call) -> Mapping[str, Any]:
        run, _ = self._find(call)
        self._runs.cancel(run)
        return {}

    async def _cancel_all(self, call: Call) -> Mapping[str, Any]:
        job_id = call.whole("job_id", 0)
        if not job_id and not call.flag("all_queued_runs"):
            raise invalid("Missing required field: job_id")
        self._runs.cancel_all(job_id or None)
        return {}

    async def _delete(self, call: Call) -> Mapping[str, Any]:
        run, _ = self._find(call)
        self._runs.forget(run)
        return {}

    async def _repair(self, call: Call) -> Mapping[str, Any]:
        run, _ = self._find(call)
        if not run.state.over:
            raise Refused("INVALID_STATE", f"Run {run.run_id} is active; it cannot be repaired.")
        keys = {str(key) for key in call.items("rerun_tasks", [])}
        if unknown := keys - {task.key for task in run.tasks}:
            raise invalid(f"Run {run.run_id} has no task {', '.join(sorted(unknown))}.")
        if call.flag("rerun_all_failed_tasks"):
            keys |= {task.key for task in run.tasks if task.state.result != "SUCCESS"}
        if call.flag("rerun_dependent_tasks") or call.flag("rerun_all_failed_tasks"):
            keys = _with_dependents(run, keys)
        if not keys:
            raise invalid("Nothing to repair: give rerun_tasks or rerun_all_failed_tasks.")
        return {"repair_id": self._runs.repair(run, keys, call.fields)}

    async def _export(self, call: Call) -> Mapping[str, Any]:
        run, task = self._find(call)
        task = task or self._only_task(run)
        notebook = task.task.get("notebook_task")
        if notebook is None:
            raise invalid(f"Run {task.run_id} is not a notebook's run.")
        cells = self._runs.cells(task.run_id)
        path = str(notebook["notebook_path"])
        view = {
            "content": run_page(path, task.key, cells),
            "name": path.rpartition("/")[2],
            "type": "NOTEBOOK",
        }
        return {"views": [view]}

    async def _cells(self, call: Call) -> Mapping[str, Any]:
        run, task = self._find(call)
        task = task or self._only_task(run)
        cursor = max(0, call.whole("cursor", 0))
        wait = call.seconds("wait", _LONGEST_WAIT)
        if going := self._runs.cells_now(task.run_id):
            await going.wait(cursor, wait)
        elif execution := self._runs.executions.get(run.run_id):
            # The cluster still starts: there is nothing to show, but something to wait for.
            await execution.bell.wait(min(wait, HOLD_SECONDS))
        cells = self._runs.cells(task.run_id)
        return {
            "cells": [cell for cell in cells if cell["changed"] > cursor],
            "cursor": max([cursor, *(cell["changed"] for cell in cells)]),
            "state": task.state.details()["state"],
        }

    def _find(self, call: Call) -> tuple[Run, TaskRun | None]:
        return self._runs.find(call.whole("run_id"))

    def _only_task(self, run: Run) -> TaskRun:
        if len(run.tasks) != 1:
            raise invalid(
                "Retrieving the output of runs with multiple tasks is not supported."
                " Please retrieve the output of each individual task run instead."
            )
        return run.tasks[0]

    def _task_details(self, run: Run, task: TaskRun) -> dict[str, Any]:
        whole = run.details(self._url, expand=False)
        page_url = f"{self._url}/#job/{run.job_id}/run/{task.run_id}"
        alone = task.details(page_url)
        return {**whole, **alone, "run_name": run.name, "tasks": [alone]}


def _with_dependents(run: Run, keys: set[str]) -> set[str]:
    while True:
        more = {
            task.key
            for task in run.tasks
            if any(str(need["task_key"]) in keys for need in task.dependencies)
        }
        if more <= keys:
            return keys
        keys = keys | more
