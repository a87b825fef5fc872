"""The Jobs API's jobs, 2.0 to 2.2: what is to be run, and when."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from .call import Call, Operation
from .cluster import now
from .clusters import checked_spec
from .errors import invalid
from .libraries import checked_libraries
from .paging import page_of
from .run import TASK_KINDS
from .runs import Runs
from .schedules import check_schedule
from .store import Store

_VERSIONS = ("2.0", "2.1", "2.2")
_KEY = re.compile(r"[\w\-]{1,100}")
# What stands beside the task in API 2.0, which knew one task per job.
_FLAT = (
    *TASK_KINDS,
    "existing_cluster_id",
    "new_cluster",
    "libraries",
    "max_retries",
    "min_retry_interval_millis",
    "retry_on_timeout",
)


class Jobs:
    """What can be asked of jobs over HTTP."""

    def __init__(self, store: Store, runs: Runs) -> None:
        self._store = store
        self._runs = runs

    def operations(self) -> list[Operation]:
        """The operations of the API."""
        return [
            Operation("POST", "/jobs/create", self._create, _VERSIONS),
            Operation("POST", "/jobs/reset", self._reset, _VERSIONS),
            Operation("POST", "/jobs/update", self._update, _VERSIONS),
            Operation("POST", "/jobs/delete", self._delete, _VERSIONS),
            Operation("POST", "/jobs/run-now", self._run_now, _VERSIONS),
            Operation("GET", "/jobs/get", self._get, _VERSIONS),
            Operation("GET", "/jobs/list", self._list, _VERSIONS),
        ]

    async def _create(self, call: Call) -> Mapping[str, Any]:
        settings = checked_settings(call.fields)
        job_id = self._runs.next_id()
        job = {
            "job_id": job_id,
            "creator_user_name": call.user,
            "run_as_user_name": call.user,
            "created_time": now(),
            "settings": settings,
        }
        self._store.put("job", job_id, job)
        self._runs.jobs_changed.ring()
        return {"job_id": job_id}

    async def _reset(self, call: Call) -> Mapping[str, Any]:
        job = self._runs.job(call.whole("job_id"))
        self._put(job, checked_settings(call.mapping("new_settings")))
        return {}

    async def _update(self, call: Call) -> Mapping[str, Any]:
        job = self._runs.job(call.whole("job_id"))
        settings = dict(job["settings"])
        for field in call.items("fields_to_remove", []):
            _remove(settings, str(field))
        changes = call.mapping("new_settings", {})
        if any(name in changes for name in _FLAT):
            changes = checked_settings({**changes, "name": changes.get("name", settings["name"])})
        for name, key in (("tasks", "task_key"), ("job_clusters", "job_cluster_key")):
            if name in changes and name in settings and len(settings[name]) > 1:
                changed = {item[key]: item for item in changes[name]}
                kept = [changed.pop(item[key], item) for item in settings[name]]
                changes = {**changes, name: [*kept, *changed.values()]}
        self._put(job, checked_settings({**settings, **changes}))
        return {}

    async def _delete(self, call: Call) -> Mapping[str, Any]:
        job = self._runs.job(call.whole("job_id"))
        self._store.delete("job", job["job_id"])
        self._runs.jobs_changed.ring()
        return {}

    async def _run_now(self, call: Call) -> Mapping[str, Any]:
        job = self._runs.job(call.whole("job_id"))
        run = self._runs.run_now(job, call.fields, call.user, "ONE_TIME")
        return {"run_id": run.run_id, "number_in_job": run.number_in_job}

    async def _get(self, call: Call) -> Mapping[str, Any]:
        return _details(self._runs.job(call.whole("job_id")), call.version)

    async def _list(self, call: Call) -> Mapping[str, Any]:
        jobs = sorted(self._store.all("job").values(), key=lambda job: -int(job["job_id"]))
        if name := call.text("name", ""):
            jobs = [job for job in jobs if job["settings"]["name"].lower() == name.lower()]
        if call.version == "2.0":
            return {"jobs": [_details(job, "2.0") for job in jobs]} if jobs else {}
        found, tokens = page_of(call, jobs, size="limit", usual=20, most=100)
        page: dict[str, Any] = {"has_more": "next_page_token" in tokens, **tokens}
        if found:
            expand = call.flag("expand_tasks")
            page["jobs"] = [_details(job, call.version, expand=expand) for job in found]
        return page

    def _put(self, job: dict[str, Any], settings: dict[str, Any]) -> None:
        self._store.put("job", job["job_id"], {**job, "settings": settings})
        self._runs.jobs_changed.ring()


def checked_settings(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The settings in a request, if they can be run; always with ``tasks``."""
    settings = {k: v for k, v in fields.items() if k not in _FLAT and k != "job_id"}
    settings["name"] = str(fields.get("name") or fields.get("run_name") or "Untitled")
    tasks = fields.get("tasks")
    flat = {name: fields[name] for name in _FLAT if name in fields}
    if tasks is None:
        tasks = [{"task_key": "main", **flat}] if flat else []
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise invalid("Field tasks must be a list of tasks.")
    if settings.get("git_source"):
        raise invalid(
            "The local workspace does not run from git_source; clone it with the Repos API and"
            " give the notebook's path there."
        )
    shared = {}
    for job_cluster in settings.get("job_clusters") or []:
        shared[job_cluster.get("job_cluster_key")] = checked_spec(
            job_cluster.get("new_cluster") or {}
        )
    settings["tasks"] = [_checked_task(task, set(shared)) for task in tasks]
    settings["format"] = "MULTI_TASK" if len(tasks) > 1 else "SINGLE_TASK"
    settings.setdefault("max_concurrent_runs", 1)
    settings.setdefault("timeout_seconds", 0)
    _check_order(settings["tasks"])
    check_schedule(settings)
    return settings


def _checked_task(task: dict[str, Any], shared: set[Any]) -> dict[str, Any]:
    key = str(task.get("task_key") or "")
    if not _KEY.fullmatch(key):
        raise invalid(f"Task key {key!r} must be 1 to 100 letters, digits, '-' or '_'.")
    kinds = [name for name in task if name.endswith("_task")]
    if len(kinds) != 1:
        raise invalid(f"Task {key} must have exactly one of: {', '.join(TASK_KINDS)}.")
    if kinds[0] not in TASK_KINDS:
        raise invalid(
            f"Task {key}: the local workspace does not run a {kinds[0]}. It runs:"
            f" {', '.join(TASK_KINDS)}."
        )
    if not isinstance(task[kinds[0]], dict):
        raise invalid(f"Task {key}: {kinds[0]} must be an object.")
    if kinds[0] == "notebook_task" and not task[kinds[0]].get("notebook_path"):
        raise invalid(f"Task {key}: missing required field notebook_task.notebook_path")
    if task.get("new_cluster"):
        checked_spec(task["new_cluster"])
    if task.get("job_cluster_key") and task["job_cluster_key"] not in shared:
        raise invalid(f"Task {key}: there is no job cluster {task['job_cluster_key']}.")
    checked_libraries(list(task.get("libraries") or []))
    return {**task, "task_key": key}


def _check_order(tasks: list[dict[str, Any]]) -> None:
    keys = [task["task_key"] for task in tasks]
    for key in keys:
        if keys.count(key) > 1:
            raise invalid(f"Task key {key} is there twice.")
    before = {
        task["task_key"]: [need.get("task_key") for need in task.get("depends_on") or []]
        for task in tasks
    }
    for key, needs in before.items():
        for need in needs:
            if need not in before:
                raise invalid(f"Task {key} depends on {need}, which is no task of the job.")
    left = dict(before)
    while left:
        free = [key for key, needs in left.items() if not any(need in left for need in needs)]
        if not free:
            raise invalid(f"Tasks depend on each other in a circle: {', '.join(left)}.")
        for key in free:
            del left[key]


def _details(job: dict[str, Any], version: str, *, expand: bool = True) -> dict[str, Any]:
    settings = dict(job["settings"])
    tasks = settings["tasks"]
    if version == "2.0":
        del settings["tasks"]
        if len(tasks) == 1:
            settings |= {name: tasks[0][name] for name in _FLAT if name in tasks[0]}
    elif not expand:
        settings = {k: v for k, v in settings.items() if k not in ("tasks", "job_clusters")}
    return {**job, "settings": settings}


def _remove(settings: dict[str, Any], field: str) -> None:
    name, _, key = field.partition("/")
    if not key:
        settings.pop(name, None)
    elif isinstance(settings.get(name), list):
        settings[name] = [item for item in settings[name] if key not in json.dumps(item)]
