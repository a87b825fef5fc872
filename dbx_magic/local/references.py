"""Dynamic values in the parameters of tasks: ``{{job.run_id}}``, ``{{tasks.a.values.n}}`` …"""

from __future__ import annotations

import json
import re
import time
from typing import Any

from .run import Run, TaskRun

_REFERENCE = re.compile(r"\{\{\s*([\w.\-]+)\s*\}\}")


def resolved(value: Any, run: Run, task: TaskRun) -> Any:
    """The value with every reference in it replaced; one that is not known stays as it is."""
    if isinstance(value, str):
        return _REFERENCE.sub(lambda found: _text(found[1], run, task, found[0]), value)
    if isinstance(value, dict):
        return {name: resolved(item, run, task) for name, item in value.items()}
    if isinstance(value, list):
        return [resolved(item, run, task) for item in value]
    return value


def _text(name: str, run: Run, task: TaskRun, unknown: str) -> str:
    match name.split("."):
        case ["job", "parameters", *rest] if ".".join(rest) in run.job_parameters:
            return run.job_parameters[".".join(rest)]
        case ["tasks", key, "values", *rest]:
            other = run.task(key)
            if other and ".".join(rest) in other.values:
                value = other.values[".".join(rest)]
                return value if isinstance(value, str) else json.dumps(value)
        case ["tasks", key, "result_state"]:
            other = run.task(key)
            return other.state.result.lower() if other else unknown
        case ["tasks", key, "run_id"]:
            other = run.task(key)
            return str(other.run_id) if other else unknown
    started = time.gmtime(run.state.start_time / 1000)
    known = {
        "job.id": run.job_id,
        "job_id": run.job_id,
        "job.name": run.name,
        "job.run_id": run.run_id,
        "parent_run_id": run.run_id,
        "job.trigger.type": run.trigger.lower(),
        "job.start_time.iso_date": time.strftime("%Y-%m-%d", started),
        "job.start_time.iso_datetime": time.strftime("%Y-%m-%dT%H:%M:%S", started),
        "job.start_time.timestamp_ms": run.state.start_time,
        "job.start_time.year": started.tm_year,
        "job.start_time.month": started.tm_mon,
        "job.start_time.day": started.tm_mday,
        "start_date": time.strftime("%Y-%m-%d", started),
        "start_time": run.state.start_time,
        "task.name": task.key,
        "task_key": task.key,
        "task.run_id": task.run_id,
        "run_id": task.run_id,
        "task.execution_count": task.attempt + 1,
        "task_retry_count": task.attempt,
    }
    return str(known[name]) if name in known else unknown
