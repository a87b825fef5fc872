"""A job run as the API tells it: its tasks, how far each is and what came of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from .cluster import now

# Life-cycle states after which nothing changes any more.
OVER = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")
TASK_KINDS = (
    "notebook_task",
    "spark_python_task",
    "python_wheel_task",
    "sql_task",
    "condition_task",
    "run_job_task",
)
_STATUS = {"INTERNAL_ERROR": "TERMINATED", "SKIPPED": "TERMINATED", "WAITING_FOR_RETRY": "WAITING"}
_SERVICE_CODES = ("INTERNAL_ERROR", "DRIVER_ERROR", "CLUSTER_ERROR")


@dataclass
class State:
    """How far a run or a task is; the code is the one of ``termination_details``."""

    life_cycle: str = "PENDING"
    result: str = ""
    message: str = ""
    code: str = ""
    start_time: int = 0
    # When it began to do its own work: before that, its cluster started.
    working_since: int = 0
    end_time: int = 0

    @property
    def over(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.life_cycle in OVER

    def end(self, life_cycle: str, result: str, code: str, message: str = "") -> None:
        """It has ended."""
        self.life_cycle, self.result, self.code, self.message = life_cycle, result, code, message
        self.end_time = now()

    def details(self) -> dict[str, Any]:
        """The fields that runs and tasks have in common: ``state``, ``status`` and times."""
        state: dict[str, Any] = {
            "life_cycle_state": self.life_cycle,
            "state_message": self.message,
            "user_cancelled_or_timedout": self.result in ("CANCELED", "TIMEDOUT"),
        }
        status: dict[str, Any] = {"state": _STATUS.get(self.life_cycle, self.life_cycle)}
        if self.over:
            if self.result:
                state["result_state"] = self.result
            kind = "SUCCESS" if self.code == "SUCCESS" else "CLIENT_ERROR"
            if self.code in _SERVICE_CODES:
                kind = "INTERNAL_ERROR"
            status["termination_details"] = {
                "code": self.code,
                "type": kind,
                "message": self.message,
            }
        end = self.end_time or now()
        working = self.working_since or end
        return {
            "state": state,
            "status": status,
            "start_time": self.start_time,
            "end_time": self.end_time,
            "setup_duration": max(0, working - self.start_time) if self.start_time else 0,
            "execution_duration": end - working,
            "cleanup_duration": 0,
            "run_duration": end - self.start_time if self.start_time else 0,
        }


@dataclass
class TaskRun:
    """One attempt at a task."""

    run_id: int
    task: dict[str, Any]
    attempt: int = 0
    state: State = field(default_factory=State)
    cluster_id: str = ""
    output: dict[str, Any] = field(default_factory=dict)
    # What the task left for later ones: dbutils.jobs.taskValues, the outcome of a condition.
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The name of the task within its job."""
        return str(self.task["task_key"])

    @property
    def dependencies(self) -> list[dict[str, Any]]:
        """What has to be over before it."""
        return list(self.task.get("depends_on") or [])

    def details(self, page_url: str) -> dict[str, Any]:
        """As ``tasks`` of a run gives it."""
        details = {
            **self.task,
            **self.state.details(),
            "run_id": self.run_id,
            "run_page_url": page_url,
            "attempt_number": self.attempt,
        }
        if self.cluster_id:
            details["cluster_instance"] = {"cluster_id": self.cluster_id, "spark_context_id": "0"}
        if "condition_task" in self.task and "outcome" in self.values:
            outcome = self.values["outcome"]
            details["condition_task"] = {**self.task["condition_task"], "outcome": outcome}
        return details


@dataclass
class Run:
    """One run of a job, or of what was submitted without one."""

    run_id: int
    job_id: int
    name: str
    run_type: str
    trigger: str
    creator: str
    # The job's settings at the time the run began; later edits are for later runs.
    settings: dict[str, Any]
    parameters: dict[str, Any] = field(default_factory=dict)
    job_parameters: dict[str, str] = field(default_factory=dict)
    number_in_job: int = 1
    state: State = field(default_factory=State)
    tasks: list[TaskRun] = field(default_factory=list)
    # Attempts that were tried again or repaired.
    former: list[TaskRun] = field(default_factory=list)
    repairs: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def load(cls, body: dict[str, Any]) -> Run:
        """A run as the store gave it."""
        known = {item.name for item in fields(cls)}
        run = cls(**{name: value for name, value in body.items() if name in known})
        run.state = State(**body["state"])
        run.tasks = [_load_task(task) for task in body["tasks"]]
        run.former = [_load_task(task) for task in body["former"]]
        return run

    def body(self) -> dict[str, Any]:
        """What the store keeps."""
        return asdict(self)

    def task(self, key: str) -> TaskRun | None:
        """The latest attempt at a task."""
        return next((task for task in self.tasks if task.key == key), None)

    def details(self, url: str, *, expand: bool = True) -> dict[str, Any]:
        """As ``runs/get`` gives it, in the words of all versions of the API."""
        page_url = f"{url}/#job/{self.job_id}/run"
        details = {
            **self.state.details(),
            "job_id": self.job_id,
            "run_id": self.run_id,
            "job_run_id": self.run_id,
            "original_attempt_run_id": self.run_id,
            "number_in_job": self.number_in_job,
            "run_name": self.name,
            "run_type": self.run_type,
            "trigger": self.trigger,
            "creator_user_name": self.creator,
            "run_page_url": f"{page_url}/{self.run_id}",
            "format": "MULTI_TASK" if len(self.tasks) > 1 else "SINGLE_TASK",
        }
        if self.job_parameters:
            details["job_parameters"] = [
                {"name": name, "value": value} for name, value in self.job_parameters.items()
            ]
        if self.parameters:
            details["overriding_parameters"] = self.parameters
        if self.repairs:
            details["repair_history"] = self.repairs
        for name in ("job_clusters", "schedule", "git_source", "timeout_seconds"):
            if self.settings.get(name):
                details[name] = self.settings[name]
        if expand:
            details["tasks"] = [task.details(f"{page_url}/{task.run_id}") for task in self.tasks]
            if len(self.tasks) == 1:
                details |= _flat(self.tasks[0])
        return details


def _flat(task: TaskRun) -> dict[str, Any]:
    """The only task in the fields of API 2.0, which knew no others."""
    cluster_fields = ("existing_cluster_id", "new_cluster", "libraries")
    flat: dict[str, Any] = {
        "task": {kind: task.task[kind] for kind in TASK_KINDS if kind in task.task},
        "cluster_spec": {name: task.task[name] for name in cluster_fields if name in task.task},
        "attempt_number": task.attempt,
    }
    if task.cluster_id:
        flat["cluster_instance"] = {"cluster_id": task.cluster_id, "spark_context_id": "0"}
    return flat


def _load_task(body: dict[str, Any]) -> TaskRun:
    return TaskRun(**{**body, "state": State(**body["state"])})
