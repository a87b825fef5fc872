"""Whole notebooks on the cluster, as job runs."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .cluster_state import cluster_called, picked_cluster, started
from .dbx import Dbx
from .errors import NotFoundError, ProjectError, RemoteError
from .events import Progress, Shown, Work
from .output import Display, Output, Stream, from_event
from .view import Line, View, duration
from .workspace import Json

_ENDED = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")


@dataclass(frozen=True)
class Ran:
    """A notebook that ran to its end; ``value`` is what ``dbutils.notebook.exit`` gave."""

    notebook: str
    run_id: int
    value: str
    seconds: float
    link: str

    def view(self) -> View:
        """One line; the value was shown by the cell that gave it."""
        line = f"{self.notebook}   run {self.run_id}, in {duration(self.seconds)}"
        return [Line(line, "✓", link=self.link)]


def run(
    dbx: Dbx, notebook: str, *, parameter: Mapping[str, str] | None = None, cluster: str = ""
) -> Work[Ran]:
    """Run a whole notebook on the cluster as a job run, and show the outputs of its cells.

    Args:
        notebook: A notebook of this project (`train`, `notebooks/train.ipynb`) as it was pushed,
            or any other by its path in the workspace.
        parameter: A widget's value, `name=value`; may be given more than once.
        cluster: Another cluster than the picked one, by name or id.

    Raises:
        NotFoundError: the workspace has no such notebook.
        RemoteError: a cell raised; the message names it.
    """
    path = _remote_path(dbx, notebook)
    if dbx.workspace.object(path) is None:
        raise NotFoundError(f"There is no notebook {path} in the workspace.", "Put it there: push")
    there = cluster_called(dbx, cluster) if cluster else picked_cluster(dbx)
    there = yield from started(dbx, there)
    begin = time.monotonic()
    run_id = dbx.workspace.submit(
        {
            "run_name": path,
            "idempotency_token": uuid.uuid4().hex,
            "tasks": [
                {
                    "task_key": "notebook",
                    "existing_cluster_id": there["cluster_id"],
                    "notebook_task": {
                        "notebook_path": path,
                        "base_parameters": dict(parameter or {}),
                    },
                }
            ],
        }
    )
    ended = False
    try:
        state = yield from _follow(dbx, run_id, path)
        ended = True
    finally:
        if not ended:
            dbx.workspace.cancel_run(run_id)
    task_id = int(state["tasks"][0]["run_id"]) if state.get("tasks") else run_id
    output = dbx.workspace.run_output(task_id)
    link = str(state.get("run_page_url", ""))
    if state["state"].get("result_state") != "SUCCESS":
        raise _failed(path, run_id, state, output, link)
    value = str(output.get("notebook_output", {}).get("result") or "")
    if value and not dbx.workspace.streams:
        yield Shown(Stream("stdout", f"Notebook exited: {value}\n"))
    return Ran(path, run_id, value, time.monotonic() - begin, link)


def _remote_path(dbx: Dbx, notebook: str) -> str:
    if notebook.startswith("/") and not Path(notebook).exists():
        return notebook
    project = dbx.project
    files = [(start / notebook).resolve() for start in (dbx.here, project.root)]
    given = next((file for file in files if file.is_file()), None)
    if given is None:
        return f"{project.target.root}/{notebook.removeprefix('./')}"
    for folder in (project.notebooks.resolve(), project.workspace.resolve()):
        if folder in given.parents:
            return f"{project.target.root}/{given.relative_to(folder).with_suffix('').as_posix()}"
    raise ProjectError(
        f"{notebook} is not in {project.notebooks.name}/ or {project.workspace.name}/.",
        "Only what is there is pushed; move it, or give its path in the workspace.",
    )


def _follow(dbx: Dbx, run_id: int, path: str) -> Work[Json]:
    begin = time.monotonic()
    cursor, told = 0, Counter[int]()
    while True:
        state = dbx.workspace.run(run_id)
        ended = state["state"].get("life_cycle_state") in _ENDED
        if dbx.workspace.streams:
            answer = dbx.workspace.run_cells(run_id, cursor, wait=0 if ended else 0.9)
            cursor = int(answer["cursor"])
            for cell in answer["cells"]:
                # A cell that changed comes with all of its events, those told already included.
                for output in _outputs(cell["events"][told[cell["index"]] :]):
                    yield Shown(output)
                told[cell["index"]] = len(cell["events"])
        if ended:
            return state
        elapsed = time.monotonic() - begin
        yield Progress(path, state["state"].get("life_cycle_state", "").lower(), elapsed)
        if not dbx.workspace.streams:
            time.sleep(min(1.0, max(0.2, 0.1 * elapsed)))


def _outputs(events: Sequence[Mapping[str, Any]]) -> list[Output]:
    # The error of a failed cell is told once, at the end.
    found = [from_event(event) for event in events]
    return [item for item in found if isinstance(item, Stream | Display)]


def _failed(
    path: str, run_id: int, state: Mapping[str, Any], output: Mapping[str, Any], link: str
) -> RemoteError:
    why = output.get("error") or state["state"].get("state_message") or "no reason was given"
    return RemoteError(
        f"{path} failed (run {run_id}): {why}",
        f"See {link}" if link else "",
        traceback=str(output.get("error_trace") or "").splitlines(),
    )
