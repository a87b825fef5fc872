"""The doing of one job run: its tasks in their order, each on its cluster, to the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from .bell import Bell
from .cells import Cell, Cells
from .cluster import Cluster, now
from .clusters import checked_spec
from .errors import Refused
from .home import Home
from .libraries import add_libraries, checked_libraries
from .lifecycle import Lifecycle, reason
from .offers import RUNTIMES
from .references import resolved
from .run import Run, TaskRun
from .tasks import Stage, TaskFailed, decide, perform
from .tree import Tree

_log = logging.getLogger("dbx_magic.local")
_GOOD = ("SUCCESS", "EXCLUDED", "DISABLED")
# What runs a task that names no cluster, as serverless compute does on Databricks.
_SERVERLESS = {
    "spark_version": next(iter(RUNTIMES)),
    "node_type_id": "Standard_DS3_v2",
    "num_workers": 0,
}


@dataclass(frozen=True)
class Surroundings:
    """What a run works with."""

    lifecycle: Lifecycle
    tree: Tree
    home: Home
    save: Callable[[Run], None]
    next_run_id: Callable[[], int]
    # Runs another job and gives its run when that is over.
    run_job: Callable[[dict[str, Any], Run], Awaitable[Run]]


class Execution:
    """One run that goes on; ``bell`` rings at each change of its state."""

    def __init__(self, run: Run, around: Surroundings) -> None:
        self.run = run
        self.bell = Bell()
        self.cells: dict[int, Cells] = {}
        self._around = around
        self._clusters: dict[str, Cluster] = {}
        self._stop_message = ""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Set out."""
        self.run.state.life_cycle = "RUNNING"
        self.run.state.start_time = self.run.state.start_time or now()
        self._task = asyncio.create_task(self._go())
        self._changed()

    def cancel(self, message: str = "") -> None:
        """Stop at the next moment; ``ended`` tells when that is done."""
        if self._task and not self._task.done() and self.run.state.life_cycle != "TERMINATING":
            self._stop_message = message
            self.run.state.life_cycle = "TERMINATING"
            self._task.cancel()
            self._changed()

    async def ended(self) -> None:
        """Wait until the run is over."""
        if self._task:
            await asyncio.wait([self._task])

    def _changed(self) -> None:
        self._around.save(self.run)
        self.bell.ring()

    async def _go(self) -> None:
        state = self.run.state
        seconds = int(self.run.settings.get("timeout_seconds") or 0)
        try:
            await asyncio.wait_for(self._all_tasks(), seconds or None)
            self._conclude()
        except asyncio.TimeoutError:
            self._cut_short("TIMEDOUT", "CANCELED", f"The run took longer than {seconds} s.")
        except asyncio.CancelledError:
            if self._stop_message:
                self._cut_short("CANCELED", "CANCELED", self._stop_message)
            else:
                self._cut_short("CANCELED", "USER_CANCELED", "Run cancelled.")
        except Exception as problem:  # noqa: BLE001 - the run must end whatever happens
            _log.exception("Run %s", self.run.run_id)
            state.end("INTERNAL_ERROR", "FAILED", "INTERNAL_ERROR", str(problem))
        finally:
            for cluster in self._clusters.values():
                self._finish_with(cluster)
            self._changed()

    async def _all_tasks(self) -> None:
        doing: dict[asyncio.Task[None], str] = {}
        try:
            while True:
                self._settle_blocked()
                for task in self.run.tasks:
                    if task.state.life_cycle == "PENDING" and task.key not in doing.values():
                        doing[asyncio.create_task(self._attempts(task))] = task.key
                if not doing:
                    return
                done, _ = await asyncio.wait(doing, return_when=asyncio.FIRST_COMPLETED)
                for ended in done:
                    del doing[ended]
                    ended.result()
        finally:
            for going in doing:
                going.cancel()
            await asyncio.gather(*doing, return_exceptions=True)

    def _settle_blocked(self) -> None:
        """Let go the tasks whose turn it is, and end those whose turn will never come."""
        moved = True
        while moved:
            moved = False
            for task in self.run.tasks:
                if task.state.life_cycle == "BLOCKED" and self._dependencies_over(task):
                    moved = True
                    self._unblock(task)
        self._changed()

    def _dependencies_over(self, task: TaskRun) -> bool:
        before = (self.run.task(str(needed["task_key"])) for needed in task.dependencies)
        return all(other is None or other.state.over for other in before)

    def _unblock(self, task: TaskRun) -> None:
        if task.task.get("disabled"):
            task.state.end("SKIPPED", "DISABLED", "DISABLED", "The task is disabled.")
            return
        results = []
        for needed in task.dependencies:
            other = self.run.task(str(needed["task_key"]))
            result = other.state.result if other else "SUCCESS"
            wanted = needed.get("outcome")
            if other and wanted and result == "SUCCESS" and other.values.get("outcome") != wanted:
                result = "EXCLUDED"
            results.append(result)
        verdict = _verdict(str(task.task.get("run_if") or "ALL_SUCCESS"), results)
        if verdict == "RUN":
            task.state.life_cycle = "PENDING"
        elif verdict == "EXCLUDED":
            task.state.end("SKIPPED", "EXCLUDED", "SKIPPED", "Its conditions were not met.")
        else:
            message = "A task that it depends on failed."
            task.state.end("TERMINATED", "UPSTREAM_FAILED", "SKIPPED", message)

    async def _attempts(self, task: TaskRun) -> None:
        retries = int(task.task.get("max_retries") or 0)
        pause = int(task.task.get("min_retry_interval_millis") or 0) / 1000
        while True:
            await self._attempt(task)
            timed_out = task.state.result == "TIMEDOUT"
            if task.state.result == "SUCCESS" or (
                timed_out and not task.task.get("retry_on_timeout")
            ):
                return
            if 0 <= retries <= task.attempt:
                return
            task = self.try_again(task)
            task.state.life_cycle = "WAITING_FOR_RETRY"
            self._changed()
            await asyncio.sleep(pause)

    def try_again(self, task: TaskRun) -> TaskRun:
        """Put a new attempt in the place of a task's last one."""
        again = TaskRun(self._around.next_run_id(), task.task, task.attempt + 1)
        self.run.former.append(task)
        self.run.tasks[self.run.tasks.index(task)] = again
        return again

    async def _attempt(self, task: TaskRun) -> None:
        state = task.state
        state.life_cycle, state.start_time = "PENDING", now()
        self._changed()
        seconds = int(task.task.get("timeout_seconds") or 0)
        try:
            await asyncio.wait_for(self._work(task), seconds or None)
            state.end("TERMINATED", "SUCCESS", "SUCCESS")
        except asyncio.TimeoutError:
            message = f"The task took longer than {seconds} s."
            state.end("TERMINATED", "TIMEDOUT", "CANCELED", message)
        except TaskFailed as failed:
            task.output["error"] = failed.message
            if failed.trace:
                task.output["error_trace"] = failed.trace
            if failed.code == "RUN_EXECUTION_ERROR":
                message = "Workload failed, see run output for details"
                state.end("TERMINATED", "FAILED", failed.code, message)
            else:
                state.end("INTERNAL_ERROR", "FAILED", failed.code, failed.message)
        except Exception as problem:  # noqa: BLE001 - the run must end whatever happens
            _log.exception("Task %s of run %s", task.key, self.run.run_id)
            state.end("INTERNAL_ERROR", "FAILED", "INTERNAL_ERROR", str(problem))
        finally:
            self._changed()

    async def _work(self, task: TaskRun) -> None:
        match task.task:
            case {"condition_task": dict(spec)}:
                self._begin(task)
                task.values["outcome"] = str(decide(spec, self.run, task)).lower()
            case {"run_job_task": dict(spec)}:
                self._begin(task)
                given = resolved(spec, self.run, task)
                inner = await self._around.run_job(given, self.run)
                task.output["run_job_output"] = {"run_id": inner.run_id}
                if inner.state.result != "SUCCESS":
                    raise TaskFailed("RUN_EXECUTION_ERROR", f"Run {inner.run_id} failed.")
            case _:
                await self._on_cluster(task)

    async def _on_cluster(self, task: TaskRun) -> None:
        cluster, own = self._cluster(task)
        task.cluster_id = cluster.cluster_id
        try:
            await self._ready(cluster, task)
            self._begin(task)
            await self._perform(task, cluster)
        finally:
            if own:
                self._finish_with(cluster)

    async def _perform(self, task: TaskRun, cluster: Cluster) -> None:
        compute = cluster.compute
        if compute is None:
            raise TaskFailed("CLUSTER_ERROR", f"Cluster {cluster.cluster_id} was terminated.")

        def show_cells(cells: list[Cell]) -> Cells:
            file = self._around.home.runs / f"{task.run_id}.jsonl"
            self.cells[task.run_id] = Cells(cells, file)
            self._changed()
            return self.cells[task.run_id]

        around = self._around
        stage = Stage(self.run, task, compute, around.tree, around.home, show_cells)
        try:
            await perform(stage)
        except TaskFailed as failed:
            if cluster.compute is compute:
                raise
            # The code stopped because its cluster did, not for a reason of its own.
            why = cluster.record.state_message or failed.message
            raise TaskFailed("CLUSTER_ERROR", f"The cluster ended: {why}") from None

    def _begin(self, task: TaskRun) -> None:
        task.state.life_cycle, task.state.working_since = "RUNNING", now()
        self.run.state.working_since = self.run.state.working_since or now()
        self._changed()

    def _cluster(self, task: TaskRun) -> tuple[Cluster, bool]:
        """The cluster for a task, and whether it is the task's own."""
        lifecycle = self._around.lifecycle
        try:
            if cluster_id := task.task.get("existing_cluster_id"):
                return lifecycle.get(str(cluster_id)), False
            if spec := task.task.get("new_cluster"):
                return self._new_cluster(task.key, spec), True
            key = str(task.task.get("job_cluster_key") or "serverless")
            if key not in self._clusters:
                shared = {
                    job_cluster["job_cluster_key"]: job_cluster["new_cluster"]
                    for job_cluster in self.run.settings.get("job_clusters") or []
                }
                self._clusters[key] = self._new_cluster(key, shared.get(key, _SERVERLESS))
            return self._clusters[key], False
        except Refused as refused:
            raise TaskFailed("INVALID_CLUSTER_REQUEST", refused.message) from None

    def _new_cluster(self, key: str, spec: dict[str, Any]) -> Cluster:
        name = f"job-{self.run.job_id}-run-{self.run.run_id}-{key}"
        checked = checked_spec({**spec, "cluster_name": name, "autotermination_minutes": 0})
        return self._around.lifecycle.create(checked, self.run.creator, "JOB")

    async def _ready(self, cluster: Cluster, task: TaskRun) -> None:
        """Wait until a cluster runs and has the task's libraries."""
        lifecycle = self._around.lifecycle
        libraries = checked_libraries(list(task.task.get("libraries") or []))
        if libraries:
            add_libraries(cluster, libraries)
            lifecycle.save(cluster)
        # A cluster that was made for this run is starting already; it gets no second try.
        may_start = cluster.record.source != "JOB"
        while cluster.record.state not in ("RUNNING", "RESIZING"):
            if cluster.record.state == "TERMINATED" and may_start:
                lifecycle.start(cluster, self.run.creator)
                may_start = False
            elif cluster.record.state == "TERMINATED":
                why = cluster.record.state_message or "it was terminated"
                raise TaskFailed("CLUSTER_ERROR", f"Cluster did not start: {why}")
            await cluster.bell.wait()
        lifecycle.install_pending(cluster)
        for library in cluster.record.libraries:
            while library.status in ("PENDING", "RESOLVING", "INSTALLING"):
                if cluster.record.state not in ("RUNNING", "RESIZING"):
                    raise TaskFailed("CLUSTER_ERROR", "The cluster was terminated.")
                await cluster.bell.wait()
            if library.status == "FAILED" and library.library in libraries:
                words = " ".join(library.messages)
                raise TaskFailed(
                    "LIBRARY_INSTALLATION_ERROR",
                    f"Library installation failed for {library.library}: {words}",
                )

    def _finish_with(self, cluster: Cluster) -> None:
        self._around.lifecycle.terminate(cluster, reason("JOB_FINISHED", "SUCCESS"))

    def _conclude(self) -> None:
        tasks = self.run.tasks
        needed = {str(need["task_key"]) for task in tasks for need in task.dependencies}
        leaves = [task for task in tasks if task.key not in needed]
        failed = [task for task in tasks if task.state.result not in _GOOD]
        if not failed:
            self.run.state.end("TERMINATED", "SUCCESS", "SUCCESS")
        elif all(task.state.result in _GOOD for task in leaves):
            message = f"Task {failed[0].key} failed; what did not depend on it succeeded."
            self.run.state.end(
                "TERMINATED", "SUCCESS_WITH_FAILURES", "SUCCESS_WITH_FAILURES", message
            )
        else:
            first = next(
                (task for task in failed if task.state.result != "UPSTREAM_FAILED"), failed[0]
            )
            life_cycle = first.state.life_cycle
            result = "TIMEDOUT" if first.state.result == "TIMEDOUT" else "FAILED"
            message = f"Task {first.key} failed with message: {first.state.message}."
            self.run.state.end(life_cycle, result, first.state.code, message)

    def _cut_short(self, result: str, code: str, message: str) -> None:
        for task in self.run.tasks:
            if not task.state.over:
                task.state.end("TERMINATED", result, code, message)
        self.run.state.end("TERMINATED", result, code, message)


def _verdict(run_if: str, results: list[str]) -> str:
    """Whether a task runs after these results: RUN, EXCLUDED or UPSTREAM_FAILED."""
    counted = [result for result in results if result != "EXCLUDED"]
    good = [result for result in counted if result in ("SUCCESS", "DISABLED")]
    bad = len(counted) - len(good)
    if results and not counted and run_if != "ALL_DONE":
        return "EXCLUDED"
    match run_if:
        case "ALL_DONE":
            return "RUN"
        case "NONE_FAILED":
            return "UPSTREAM_FAILED" if bad else "RUN"
        case "AT_LEAST_ONE_SUCCESS":
            return "RUN" if good or not counted else "UPSTREAM_FAILED"
        case "AT_LEAST_ONE_FAILED":
            return "RUN" if bad else "EXCLUDED"
        case "ALL_FAILED":
            return "RUN" if bad and not good else "EXCLUDED"
    if bad:
        return "UPSTREAM_FAILED"
    return "RUN" if len(counted) == len(results) else "EXCLUDED"
