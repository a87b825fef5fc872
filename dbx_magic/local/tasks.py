"""How a task of a job runs on its cluster, kind by kind."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbx_magic.errors import ProjectError
from dbx_magic.notebook import EXTENSIONS, cell_language
from dbx_magic.source import parse_source

from .cells import Cell, Cells
from .disk import real_file
from .errors import Refused
from .home import Home
from .references import resolved
from .run import Run, TaskRun
from .tree import Tree, clean_path, parent_of

if TYPE_CHECKING:
    from .compute import Command, Compute

_RESULT_LIMIT = 5 * 1024 * 1024
_FOLLOW_SECONDS = 60.0

_RUN_FILE = """\
import runpy, sys
sys.argv = {arguments!r}
sys.path.insert(0, {folder!r})
try:
    runpy.run_path({file!r}, run_name="__main__")
except SystemExit as end:
    if end.code not in (None, 0):
        raise RuntimeError(f"The program ended with exit code {{end.code}}.") from None
"""

_RUN_WHEEL = """\
import importlib, importlib.metadata, sys
sys.argv = {arguments!r}
_points = [
    point
    for point in importlib.metadata.distribution({package!r}).entry_points
    if point.name == {entry!r}
]
try:
    if _points:
        _points[0].load()()
    else:
        getattr(importlib.import_module({package!r}.replace("-", "_")), {entry!r})()
except SystemExit as end:
    if end.code not in (None, 0):
        raise RuntimeError(f"The program ended with exit code {{end.code}}.") from None
"""

_COMPARE: dict[str, Callable[[str, str], bool]] = {
    "EQUAL_TO": lambda left, right: left == right,
    "NOT_EQUAL": lambda left, right: left != right,
    "GREATER_THAN": lambda left, right: float(left) > float(right),
    "GREATER_THAN_OR_EQUAL": lambda left, right: float(left) >= float(right),
    "LESS_THAN": lambda left, right: float(left) < float(right),
    "LESS_THAN_OR_EQUAL": lambda left, right: float(left) <= float(right),
}


class TaskFailed(Exception):  # noqa: N818 - the user's code failed, not ours
    """Why a task did not succeed: a termination code, the error and where it was raised."""

    def __init__(self, code: str, message: str, trace: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.trace = trace


@dataclass(frozen=True)
class Stage:
    """What a task needs to run."""

    run: Run
    task: TaskRun
    compute: Compute
    tree: Tree
    home: Home
    show_cells: Callable[[list[Cell]], Cells]

    @property
    def task_values(self) -> dict[str, dict[str, Any]]:
        """What the tasks before it left."""
        return {task.key: task.values for task in self.run.tasks if task.values}

    def parameters(self, given: Mapping[str, Any] | None, overriding: str) -> dict[str, str]:
        """The named parameters: the task's own, the job's, those of this run; the last wins."""
        merged = {
            **(given or {}),
            **self.run.job_parameters,
            **(self.run.parameters.get(overriding) or {}),
        }
        return {name: str(value) for name, value in resolved(merged, self.run, self.task).items()}

    def arguments(self, given: Sequence[Any] | None, overriding: str) -> list[str]:
        """The parameters of a program, in their order."""
        chosen = self.run.parameters.get(overriding) or given or []
        return [str(value) for value in resolved(list(chosen), self.run, self.task)]


async def perform(stage: Stage) -> None:
    """Run a task that needs a cluster; its outcome is in ``task.output`` and ``task.values``."""
    match stage.task.task:
        case {"notebook_task": dict(spec)}:
            await _notebook(stage, spec)
        case {"spark_python_task": dict(spec)}:
            await _python_file(stage, spec)
        case {"python_wheel_task": dict(spec)}:
            await _wheel(stage, spec)
        case {"sql_task": dict(spec)}:
            await _sql_file(stage, spec)


def decide(spec: Mapping[str, Any], run: Run, task: TaskRun) -> bool:
    """The outcome of a condition task."""
    left, right = (str(resolved(spec.get(side, ""), run, task)) for side in ("left", "right"))
    operator = str(spec.get("op", ""))
    try:
        return _COMPARE[operator](left, right)
    except KeyError:
        raise TaskFailed(
            "INVALID_RUN_CONFIGURATION", f"Unknown operator {operator!r} in a condition."
        ) from None
    except ValueError:
        raise TaskFailed(
            "RUN_EXECUTION_ERROR", f"{left!r} and {right!r} cannot be compared as numbers."
        ) from None


async def _notebook(stage: Stage, spec: dict[str, Any]) -> None:
    path = clean_path(str(spec.get("notebook_path", "")))
    found = stage.tree.notebook(path)
    if found is None:
        raise TaskFailed(
            "RESOURCE_NOT_FOUND",
            f'Unable to access the notebook "{path}". Either it does not exist, or the identity'
            " used to run this job lacks the required permissions.",
        )
    language, text = found
    try:
        notebook = parse_source(text, path + EXTENSIONS[language])
    except ProjectError as problem:
        raise TaskFailed("RUN_EXECUTION_ERROR", str(problem)) from None
    cells = stage.show_cells(
        [
            Cell(
                number,
                cell.title,
                cell.text,
                cell_language(cell, notebook)[0] if cell.kind == "code" else "markdown",
            )
            for number, cell in enumerate(notebook.cells)
        ]
    )
    parameters = stage.parameters(spec.get("base_parameters"), "notebook_params")
    try:
        async with _context(stage, "python", path, parameters) as context_id:
            for cell in cells.all:
                if cell.language == "markdown" or not cell.source.strip():
                    cell.status = "Finished"
                    cells.changed(cell)
                elif await _cell(stage, context_id, language, cells, cell):
                    break
    except TaskFailed as failed:
        for failing in [cell for cell in cells.all if cell.status == "Failed"]:
            title = f" ({failing.title})" if failing.title else ""
            failed.trace = f"Cell {failing.index + 1}{title} of {path}\n\n{failed.trace}"
        raise
    finally:
        cells.end()


async def _cell(stage: Stage, context_id: str, language: str, cells: Cells, cell: Cell) -> bool:
    """Run one cell; true when it ended the notebook by ``dbutils.notebook.exit``."""

    def show(events: list[dict[str, Any]]) -> None:
        cell.events = events
        cells.changed(cell)

    cell.status = "Running"
    show([])
    try:
        command = await _follow(stage, context_id, language, cell.source, show)
    except TaskFailed:
        cell.status = "Failed"
        cells.changed(cell)
        raise
    except BaseException:
        cell.status = "Cancelled"
        cells.changed(cell)
        raise
    cell.status = "Finished"
    cells.changed(cell)
    if command.exit_value is None:
        return False
    result = command.exit_value
    stage.task.output["notebook_output"] = {
        "result": result[:_RESULT_LIMIT],
        "truncated": len(result) > _RESULT_LIMIT,
    }
    return True


async def _python_file(stage: Stage, spec: dict[str, Any]) -> None:
    file = _file(stage, str(spec.get("python_file", "")))
    code = _RUN_FILE.format(
        arguments=[str(file), *stage.arguments(spec.get("parameters"), "python_params")],
        folder=str(file.parent),
        file=str(file),
    )
    await _program(stage, "python", code)


async def _wheel(stage: Stage, spec: dict[str, Any]) -> None:
    package = str(spec.get("package_name", ""))
    named = stage.parameters(spec.get("named_parameters"), "python_named_params")
    arguments = stage.arguments(spec.get("parameters"), "python_params")
    arguments += [f"--{name}={value}" for name, value in named.items()]
    code = _RUN_WHEEL.format(
        arguments=[package, *arguments], package=package, entry=str(spec.get("entry_point", ""))
    )
    await _program(stage, "python", code)


async def _sql_file(stage: Stage, spec: dict[str, Any]) -> None:
    path = str((spec.get("file") or {}).get("path", ""))
    if not path:
        raise TaskFailed(
            "INVALID_RUN_CONFIGURATION", "The local workspace runs SQL tasks of the kind 'file'."
        )
    text = _file(stage, path).read_text(encoding="utf-8")
    for name, value in stage.parameters(spec.get("parameters"), "sql_params").items():
        text = text.replace(f"{{{{{name}}}}}", value)
    command = await _program(stage, "sql", text)
    results = command.results or {}
    stage.task.output["sql_output"] = {
        "query_output": {"query_text": text, "output_link": "", "warehouse_id": "local"}
    }
    if results.get("resultType") == "table":
        stage.task.output["logs"] = json.dumps(results["data"])


async def _program(stage: Stage, language: str, code: str) -> Command:
    printed: list[dict[str, Any]] = []
    try:
        async with _context(stage, language, None, {}) as context_id:
            return await _follow(
                stage, context_id, language, code, lambda new: printed.extend(new[len(printed) :])
            )
    finally:
        logs = "".join(event.get("text", "") for event in printed if event["type"] == "stream")
        stage.task.output |= {
            "logs": logs[-_RESULT_LIMIT:],
            "logs_truncated": len(logs) > _RESULT_LIMIT,
        }


@contextlib.asynccontextmanager
async def _context(
    stage: Stage, language: str, notebook: str | None, arguments: Mapping[str, str]
) -> AsyncIterator[str]:
    context_id = await stage.compute.create_context(
        language,
        parent_of(notebook) if notebook else None,
        notebook=notebook,
        arguments=arguments,
        task_values=stage.task_values,
    )
    try:
        yield context_id
    finally:
        await stage.compute.destroy_context(context_id)


async def _follow(
    stage: Stage,
    context_id: str,
    language: str,
    code: str,
    show: Callable[[list[dict[str, Any]]], None],
) -> Command:
    """Run code to its end, showing its events as they come; an error in it is raised here."""
    compute = stage.compute
    command_id = compute.execute(context_id, language, code)
    seen = 0
    try:
        while True:
            command = await compute.wait_command(context_id, command_id, seen, _FOLLOW_SECONDS)
            if len(command.events) > seen:
                seen = len(command.events)
                show(command.events)
            if command.done:
                break
    except BaseException:
        await compute.cancel(context_id, command_id)
        raise
    for event in command.events:
        match event:
            case {"data": {"application/vnd.dbx.task-value+json": {"key": key, "value": value}}}:
                stage.task.values[str(key)] = value
            case {"type": "error", "ename": name, "evalue": value, "traceback": trace}:
                error = f"{name}: {value}" if value else str(name)
                raise TaskFailed("RUN_EXECUTION_ERROR", error, "\n".join(trace))
    return command


def _file(stage: Stage, path: str) -> Path:
    """The file that a task names, in the workspace or in DBFS."""
    try:
        file = real_file(stage.home, path)
    except Refused as refused:
        raise TaskFailed("INVALID_RUN_CONFIGURATION", refused.message) from None
    if not file.is_file():
        raise TaskFailed("RESOURCE_NOT_FOUND", f"There is no file {path}.")
    return file
