"""The job runs of the workspace: begun, followed, cancelled, repaired, remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from .bell import Bell
from .cells import Cells, read_cells
from .cluster import now
from .errors import Refused, invalid
from .execution import Execution, Surroundings
from .home import Home
from .lifecycle import Lifecycle
from .run import Run, State, TaskRun
from .store import Store
from .tree import Tree

_KEPT = 60 * 24 * 3600 * 1000
_PARAMETERS = (
    "jar_params",
    "notebook_params",
    "python_params",
    "python_named_params",
    "spark_submit_params",
    "sql_params",
)


class Runs:
    """All runs; those that go on are in ``executions``, all are in the store."""

    def __init__(self, store: Store, lifecycle: Lifecycle, tree: Tree, home: Home) -> None:
        self._store = store
        self._home = home
        self.jobs_changed = Bell()
        self.executions: dict[int, Execution] = {}
        self._stopping = False
        self._parents = {
            int(key): int(body["run_id"]) for key, body in store.all("task_run").items()
        }
        self._around = Surroundings(lifecycle, tree, home, self._save, self.next_id, self._run_job)
        for run in self.all():
            if not run.state.over:
                _interrupted(run)
                self._save(run)
            elif run.state.end_time < now() - _KEPT:
                self.forget(run)

    def next_id(self) -> int:
        """An id for a job, a run or a task's run."""
        return 1000 + self._store.next_number("run")

    def job(self, job_id: int) -> dict[str, Any]:
        """The job with this id, in the words by which clients know that there is none."""
        job = self._store.get("job", job_id)
        if job is None:
            raise invalid(f"Job {job_id} does not exist.")
        return job

    def all(self) -> list[Run]:
        """Every run that is remembered."""
        bodies = self._store.all("run")
        return [
            self.executions[int(key)].run if int(key) in self.executions else Run.load(body)
            for key, body in bodies.items()
        ]

    def find(self, run_id: int) -> tuple[Run, TaskRun | None]:
        """The run with this id, or the run and its task when the id is a task's."""
        parent = self._parents.get(run_id, run_id)
        execution = self.executions.get(parent)
        body = None if execution else self._store.get("run", parent)
        if execution is None and body is None:
            raise invalid(f"Run {run_id} does not exist.")
        run = execution.run if execution else Run.load(body or {})
        attempts = [*run.tasks, *run.former]
        return run, next((task for task in attempts if task.run_id == run_id), None)

    def submit(self, settings: dict[str, Any], user: str, token: str) -> Run:
        """Begin a run without a job."""
        if known := self._known(token):
            return known
        run = self._new_run(self.next_id(), settings, "SUBMIT_RUN", "ONE_TIME", user)
        self._remember(token, run)
        self._begin(run)
        return run

    def run_now(
        self, job: Mapping[str, Any], request: Mapping[str, Any], user: str, trigger: str
    ) -> Run:
        """Begin a run of a job, or note that it has as many as it may."""
        token = str(request.get("idempotency_token") or "")
        if known := self._known(token):
            return known
        settings = job["settings"]
        run = self._new_run(int(job["job_id"]), settings, "JOB_RUN", trigger, user)
        run.parameters = {name: request[name] for name in _PARAMETERS if request.get(name)}
        given = request.get("job_parameters") or {}
        defaults = {str(p["name"]): p.get("default", "") for p in settings.get("parameters") or []}
        run.job_parameters = {name: str(value) for name, value in {**defaults, **given}.items()}
        if only := request.get("only"):
            for task in run.tasks:
                if task.key not in only:
                    task.state.end("SKIPPED", "EXCLUDED", "SKIPPED", "Not asked for.")
        self._remember(token, run)
        if len(self._active(run.job_id)) < int(settings.get("max_concurrent_runs") or 1):
            self._begin(run)
        elif (request.get("queue") or settings.get("queue") or {}).get("enabled"):
            run.state.life_cycle = "QUEUED"
            self.executions[run.run_id] = Execution(run, self._around)
        else:
            message = "The job has as many runs as it may have at the same time."
            code = "MAX_CONCURRENT_RUNS_EXCEEDED"
            run.state.end("SKIPPED", "MAXIMUM_CONCURRENT_RUNS_REACHED", code, message)
        self._save(run)
        return run

    def repair(self, run: Run, keys: Iterable[str], request: Mapping[str, Any]) -> int:
        """Run some tasks of a run again, and what depends on them; the id of the repair."""
        execution = Execution(run, self._around)
        repair_id = self.next_id()
        if not run.repairs:
            run.repairs.append(_repair("ORIGINAL", run.run_id, run))
        run.parameters |= {name: request[name] for name in _PARAMETERS if request.get(name)}
        run.job_parameters |= request.get("job_parameters") or {}
        for key in keys:
            task = run.task(key)
            if task is not None:
                execution.try_again(task).state.life_cycle = "BLOCKED"
        run.repairs.append(_repair("REPAIR", repair_id, run))
        run.state = State(start_time=run.state.start_time)
        self._start(execution)
        return repair_id

    def cancel(self, run: Run) -> None:
        """Stop a run; one that is over stays as it is."""
        execution = self.executions.get(run.run_id)
        if execution and run.state.life_cycle == "QUEUED":
            run.state.end("TERMINATED", "CANCELED", "USER_CANCELED", "Run cancelled.")
            self._over(execution)
        elif execution:
            execution.cancel()

    def cancel_all(self, job_id: int | None) -> None:
        """Stop the runs of a job, or of all."""
        for execution in list(self.executions.values()):
            if job_id in (None, execution.run.job_id):
                self.cancel(execution.run)

    def forget(self, run: Run) -> None:
        """Delete a run that is over, and its outputs."""
        if not run.state.over:
            raise Refused("INVALID_STATE", f"Run {run.run_id} is active; cancel it first.")
        self._store.delete("run", run.run_id)
        for task in [*run.tasks, *run.former]:
            self._store.delete("task_run", task.run_id)
            self._parents.pop(task.run_id, None)
            (self._home.runs / f"{task.run_id}.jsonl").unlink(missing_ok=True)

    def cells_now(self, run_id: int) -> Cells | None:
        """The cells of a notebook task that is being run."""
        execution = self.executions.get(self._parents.get(run_id, run_id))
        return execution.cells.get(run_id) if execution else None

    def cells(self, run_id: int) -> list[dict[str, Any]]:
        """The cells of a notebook task, as far as they have come."""
        going = self.cells_now(run_id)
        return going.told() if going else read_cells(self._home.runs / f"{run_id}.jsonl")

    async def stop(self) -> None:
        """Stop all runs, because the server ends."""
        self._stopping = True
        message = "The local workspace was stopped."
        for execution in list(self.executions.values()):
            if execution.run.state.life_cycle == "QUEUED":
                execution.run.state.end("TERMINATED", "CANCELED", "CANCELED", message)
                self._over(execution)
            else:
                execution.cancel(message)
        await asyncio.gather(*(execution.ended() for execution in self.executions.values()))

    def _new_run(
        self, job_id: int, settings: dict[str, Any], run_type: str, trigger: str, user: str
    ) -> Run:
        run = Run(self.next_id(), job_id, settings["name"], run_type, trigger, user, settings)
        run.number_in_job = run.run_id
        run.state.start_time = now()
        run.tasks = [
            TaskRun(self.next_id(), task, state=State("BLOCKED")) for task in settings["tasks"]
        ]
        return run

    def _begin(self, run: Run) -> None:
        if not run.tasks:
            run.state.end("TERMINATED", "SUCCESS", "SUCCESS", "The job has no tasks.")
            self._save(run)
            return
        self._start(Execution(run, self._around))

    def _start(self, execution: Execution) -> None:
        self.executions[execution.run.run_id] = execution
        execution.start()
        watcher = asyncio.ensure_future(execution.ended())
        watcher.add_done_callback(lambda _: self._over(execution))

    def _over(self, execution: Execution) -> None:
        run = execution.run
        if run.repairs:
            run.repairs[-1] |= {"end_time": now(), "state": run.state.details()["state"]}
        self._save(run)
        execution.bell.ring()
        self.executions.pop(run.run_id, None)
        if self._stopping:
            return
        for waiting in list(self.executions.values()):
            limit = int(run.settings.get("max_concurrent_runs") or 1)
            queued = waiting.run.state.life_cycle == "QUEUED" and waiting.run.job_id == run.job_id
            if queued and len(self._active(run.job_id)) < limit:
                self._start(waiting)

    def _active(self, job_id: int) -> list[Run]:
        return [
            execution.run
            for execution in self.executions.values()
            if execution.run.job_id == job_id and execution.run.state.life_cycle != "QUEUED"
        ]

    async def _run_job(self, spec: dict[str, Any], parent: Run) -> Run:
        job = self.job(int(spec.get("job_id") or 0))
        run = self.run_now(job, spec, parent.creator, "RUN_JOB_TASK")
        execution = self.executions.get(run.run_id)
        try:
            while not run.state.over and execution:
                await execution.bell.wait()
        except asyncio.CancelledError:
            self.cancel(run)
            raise
        return run

    def _known(self, token: str) -> Run | None:
        known = self._store.get("run_token", token) if token else None
        body = known and self._store.get("run", known["run_id"])
        return Run.load(body) if body else None

    def _remember(self, token: str, run: Run) -> None:
        if token:
            self._store.put("run_token", token, {"run_id": run.run_id})

    def _save(self, run: Run) -> None:
        for task in run.tasks:
            if task.run_id not in self._parents:
                self._parents[task.run_id] = run.run_id
                self._store.put("task_run", task.run_id, {"run_id": run.run_id})
        self._store.put("run", run.run_id, run.body())


def _interrupted(run: Run) -> None:
    message = "The local workspace was killed while it ran."
    for state in [*(task.state for task in run.tasks), run.state]:
        if not state.over:
            state.end("INTERNAL_ERROR", "FAILED", "INTERNAL_ERROR", message)


def _repair(kind: str, repair_id: int, run: Run) -> dict[str, Any]:
    return {
        "id": repair_id,
        "type": kind,
        "start_time": run.state.start_time if kind == "ORIGINAL" else now(),
        "end_time": run.state.end_time if kind == "ORIGINAL" else 0,
        "state": run.state.details()["state"],
        "task_run_ids": [task.run_id for task in run.tasks],
    }
