"""Whole notebooks on the cluster, as job runs."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from .cluster_state import cluster_meant, started
from .comparison import content_of
from .dbx import Dbx
from .errors import DbxError, NotFoundError, ProjectError, RemoteError, UsageError
from .events import Note, Progress, Shown, Work
from .exchange import this_notebook
from .formats import outgoing
from .output import Display, Output, Stream, from_event
from .view import Line, Table, View, counted, duration
from .workspace import Json

_MOST_RUNS = 100
_ENDED = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")


@dataclass(frozen=True)
class Ran:
    """A notebook that ran to its end; ``value`` is what ``dbutils.notebook.exit`` gave."""

    notebook: str
    run_id: int
    value: str
    seconds: float
    link: str
    job_id: int = 0

    def view(self) -> View:
        """One line; the value was shown by the cell that gave it."""
        job = f" of job {self.job_id}" if self.job_id else ""
        line = f"{self.notebook}   run {self.run_id}{job}, in {duration(self.seconds)}"
        return [Line(line, "✓", link=self.link)]


@dataclass(frozen=True)
class Tried:
    """One run of several: its parameters, and its value or why it failed."""

    parameters: Mapping[str, str]
    run_id: int
    value: str
    error: str
    seconds: float
    link: str

    @property
    def row(self) -> tuple[str, ...]:
        """Its row in the table of all."""
        said = self.error or self.value
        symbol = "✗" if self.error else "✓"
        took = duration(self.seconds)
        return f"{symbol} {self.run_id}", *self.parameters.values(), said, took


@dataclass(frozen=True)
class Matrix:
    """A notebook that was run with every combination of some values."""

    notebook: str
    runs: tuple[Tried, ...]
    seconds: float

    @property
    def exit_code(self) -> int:
        """As if one had been run that failed, when at least one did."""
        return RemoteError.exit_code if any(run.error for run in self.runs) else 0

    def view(self) -> View:
        """A row for each."""
        failed = sum(bool(run.error) for run in self.runs)
        told = f", {failed} of them failed" if failed else ""
        head = f"{self.notebook}   {counted(len(self.runs), 'run')}{told}"
        names = tuple(self.runs[0].parameters)
        return [
            Line(head, "✗" if failed else "✓", f"in {duration(self.seconds)}"),
            Table(tuple(run.row for run in self.runs), ("run", *names, "value", "took")),
        ]


def run(
    dbx: Dbx,
    notebook: str,
    *,
    parameter: Mapping[str, str] | None = None,
    matrix: Mapping[str, str] | None = None,
    as_job: bool = False,
    cluster: str = "",
) -> Work[Ran | Matrix]:
    """Run a whole notebook on the cluster as a job run, and show the outputs of its cells.

    Args:
        notebook: A notebook of this project (`train`, `notebooks/train.ipynb`, or `this`, the one
            you are in) as it was pushed, or any other by its path in the workspace.
        parameter: A widget's value, `name=value`; may be given more than once.
        matrix: A widget's values, `name=a,b,c`: a run for each, several at once; given more than
            once, a run for each combination.
        as_job: Make it a job of the workspace, or update the one of its name, and run that.
        cluster: Another cluster than the picked one, by name or id.

    Raises:
        NotFoundError: the workspace has no such notebook.
        RemoteError: a cell raised; the message names it.
    """
    path, file = _meant(dbx, this_notebook(dbx) if notebook == "this" else notebook)
    if dbx.workspace.object(path) is None:
        raise NotFoundError(
            f"There is no notebook {path} in the workspace.", "Put it there with `push`."
        )
    if file is not None and _is_other(dbx, file, path):
        yield Note(f"{file.name} differs from {path}, which is what runs; `push` sends it.", "!")
    there = yield from started(dbx, cluster_meant(dbx, cluster))
    begin = time.monotonic()
    tries = _combinations(parameter or {}, matrix or {})
    task = {
        "task_key": "notebook",
        "existing_cluster_id": there["cluster_id"],
        "notebook_task": {"notebook_path": path},
    }
    job_id = _job(dbx, path, task, len(tries)) if as_job else 0
    run_ids: list[int] = []
    ended: set[int] = set()
    try:
        run_ids.extend(_begin(dbx, path, task, values, job_id) for values in tries)
        if not matrix:
            return (yield from _single(dbx, path, run_ids[0], job_id, ended))
        done = yield from _all(dbx, path, dict(zip(run_ids, tries, strict=True)), ended)
        return Matrix(path, done, time.monotonic() - begin)
    finally:
        for run_id in run_ids:
            if run_id not in ended:
                dbx.workspace.cancel_run(run_id)


def _combinations(parameter: Mapping[str, str], matrix: Mapping[str, str]) -> list[dict[str, str]]:
    """The parameters of each run.

    >>> _combinations({"a": "1"}, {"b": "2,3"})
    [{'a': '1', 'b': '2'}, {'a': '1', 'b': '3'}]
    """
    if both := parameter.keys() & matrix.keys():
        raise UsageError(f"{', '.join(both)} is given with -p and with --matrix.", "Take one.")
    choices = [[value.strip() for value in values.split(",")] for values in matrix.values()]
    combined = [
        {**parameter, **dict(zip(matrix, values, strict=True))} for values in product(*choices)
    ]
    if len(combined) > _MOST_RUNS:
        raise UsageError(
            f"These are {len(combined):,} runs; at most {_MOST_RUNS} are begun at once.",
            "Give --matrix fewer values.",
        )
    return combined


def _job(dbx: Dbx, path: str, task: Json, at_once: int) -> int:
    """The job of the notebook's name, running this task; what else it is set to stays as it is."""
    root = dbx.project.target.root
    name = f"{dbx.project.settings.project}/{path.removeprefix(root).strip('/')}"
    found = dbx.workspace.jobs(name)
    if len(found) > 1:
        ids = ", ".join(str(job["job_id"]) for job in found)
        raise UsageError(f"There are {len(found)} jobs named {name}: {ids}.", "Delete all but one.")
    settings: Json = {"tasks": [task], "max_concurrent_runs": at_once, "queue": {"enabled": True}}
    if found:
        dbx.workspace.update_job(int(found[0]["job_id"]), settings)
        return int(found[0]["job_id"])
    return dbx.workspace.create_job({"name": name, **settings})


def _begin(dbx: Dbx, path: str, task: Json, values: Mapping[str, str], job_id: int) -> int:
    token = {"idempotency_token": uuid.uuid4().hex}
    if job_id:
        return dbx.workspace.run_job({"job_id": job_id, "notebook_params": values, **token})
    notebook = {**task["notebook_task"], "base_parameters": values}
    tasks = [{**task, "notebook_task": notebook}]
    return dbx.workspace.submit({"run_name": path, "tasks": tasks, **token})


def _single(dbx: Dbx, path: str, run_id: int, job_id: int, ended: set[int]) -> Work[Ran]:
    begin = time.monotonic()
    state, failed_cell = yield from _follow(dbx, run_id, path)
    ended.add(run_id)
    output, link = _output(dbx, run_id, state), str(state.get("run_page_url", ""))
    if state["state"].get("result_state") != "SUCCESS":
        raise RemoteError(
            f"{path} failed{failed_cell} (run {run_id}): {_why(state, output)}",
            f"See {link}" if link else "",
            traceback=str(output.get("error_trace") or "").splitlines(),
        )
    value = _value(output)
    if value and not dbx.workspace.streams:
        yield Shown(Stream("stdout", f"Notebook exited: {value}\n"))
    return Ran(path, run_id, value, time.monotonic() - begin, link, job_id)


def _all(
    dbx: Dbx, path: str, tries: Mapping[int, Mapping[str, str]], ended: set[int]
) -> Work[tuple[Tried, ...]]:
    """Follow several runs to their ends; each is told as it ends, what they show is not."""
    begin = time.monotonic()
    done: dict[int, Tried] = {}
    while len(done) < len(tries):
        for run_id in tries.keys() - done.keys():
            state = dbx.workspace.run(run_id)
            elapsed = time.monotonic() - begin
            if state["state"].get("life_cycle_state") in _ENDED:
                ended.add(run_id)
                one = done[run_id] = _tried(dbx, run_id, tries[run_id], state, elapsed)
                words = ", ".join(f"{name}={value}" for name, value in one.parameters.items())
                yield Note(
                    f"{words}: {one.error or one.value or 'done'}", "✗" if one.error else "✓"
                )
            yield Progress(path, "running", elapsed, None, len(done), len(tries), "runs")
        if not dbx.is_local:
            time.sleep(_pause(time.monotonic() - begin))
    return tuple(done[run_id] for run_id in tries)


def _tried(dbx: Dbx, run_id: int, values: Mapping[str, str], state: Json, seconds: float) -> Tried:
    output, link = _output(dbx, run_id, state), str(state.get("run_page_url", ""))
    good = state["state"].get("result_state") == "SUCCESS"
    error = "" if good else _why(state, output)
    return Tried(values, run_id, _value(output), error, seconds, link)


def _output(dbx: Dbx, run_id: int, state: Json) -> Json:
    tasks = state.get("tasks")
    return dbx.workspace.run_output(int(tasks[0]["run_id"]) if tasks else run_id)


def _value(output: Mapping[str, Any]) -> str:
    return str(output.get("notebook_output", {}).get("result") or "")


def _why(state: Mapping[str, Any], output: Mapping[str, Any]) -> str:
    return str(output.get("error") or state["state"].get("state_message") or "no reason was given")


def _pause(elapsed: float) -> float:
    return min(1.0, max(0.2, 0.1 * elapsed))


def _meant(dbx: Dbx, notebook: str) -> tuple[str, Path | None]:
    """The path in the workspace of what is to run, and its file when it was named by one."""
    if notebook.startswith("/") and not Path(notebook).exists():
        return notebook, None
    project = dbx.project
    files = [(start / notebook).resolve() for start in (dbx.here, project.root)]
    given = next((file for file in files if file.is_file()), None)
    if given is None:
        return f"{project.target.root}/{notebook.removeprefix('./')}", None
    for folder in (project.notebooks.resolve(), project.workspace.resolve()):
        if folder in given.parents:
            name = given.relative_to(folder).with_suffix("").as_posix()
            return f"{project.target.root}/{name}", given
    raise ProjectError(
        f"{notebook} is not in {project.notebooks.name}/ or {project.workspace.name}/.",
        "Only what is there is pushed; move it, or give its path in the workspace.",
    )


def _is_other(dbx: Dbx, file: Path, path: str) -> bool:
    """Whether the workspace has another notebook there than this file would become."""
    with contextlib.suppress(DbxError):  # what is wrong with the file, a push will say
        mine = outgoing(file.name, file.read_bytes())
        if mine is not None:
            theirs = content_of(dbx.workspace.fetch(path), mine.language)
            return content_of(mine.text, mine.language) != theirs
    return False


def _follow(dbx: Dbx, run_id: int, path: str) -> Work[tuple[Json, str]]:
    """Show what the cells of a run show; give its last state, and the cell that failed."""
    begin = time.monotonic()
    cursor, told, failed = 0, Counter[int](), ""
    while True:
        ended = not dbx.workspace.streams
        if dbx.workspace.streams:
            answer = dbx.workspace.run_cells(run_id, cursor, wait=0.9)
            cursor, life = int(answer["cursor"]), answer["state"].get("life_cycle_state", "")
            ended = life in _ENDED
            for cell in answer["cells"]:
                # A cell that changed comes with all of its events, those told already included.
                for output in _outputs(cell["events"][told[cell["index"]] :]):
                    yield Shown(output)
                told[cell["index"]] = len(cell["events"])
                if cell["status"] == "Failed":
                    title = f" ({cell['title']})" if cell["title"] else ""
                    failed = f" in cell {cell['index'] + 1}{title}"
        if ended:
            state = dbx.workspace.run(run_id)
            life = state["state"].get("life_cycle_state", "")
            if life in _ENDED:
                return state, failed
        elapsed = time.monotonic() - begin
        yield Progress(path, life.lower(), elapsed)
        if not dbx.workspace.streams:
            time.sleep(_pause(elapsed))


def _outputs(events: Sequence[Mapping[str, Any]]) -> list[Output]:
    # The error of a failed cell is told once, at the end; and one cell must not clear the others'.
    found = [from_event(event) for event in events]
    return [item for item in found if isinstance(item, Stream | Display)]
