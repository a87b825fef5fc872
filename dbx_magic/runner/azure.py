"""An Azure pipeline file as steps to run; what is not known here is refused by its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


class Unsupported(Exception):  # noqa: N818 - it is said as a sentence: "… cannot run locally"
    """A part of a pipeline that this runner does not know."""


@dataclass(frozen=True)
class Step:
    """A command, or (``say``) a line to print instead of one."""

    name: str
    script: str = ""
    say: str = ""
    env: Mapping[str, str] = ()  # type: ignore[assignment]
    folder: str = ""
    keep_going: bool = False
    when: str = "succeeded()"


@dataclass(frozen=True)
class Stage:
    """Steps that run in one checkout; ``after`` names the stages that must have succeeded.

    ``environment`` is what a deployment goes to; empty for a job that deploys nothing.
    """

    name: str
    after: tuple[str, ...]
    steps: tuple[Step, ...]
    groups: tuple[str, ...]
    variables: Mapping[str, str]
    environment: str = ""


_CONDITIONS = ("succeeded()", "always()", "succeededOrFailed()", "failed()")
_TOP = {"name", "trigger", "pr", "pool", "variables", "stages", "jobs", "steps"}
_STAGE = {"stage", "displayName", "dependsOn", "jobs", "variables", "pool"}
_JOB = {"job", "deployment", "displayName", "dependsOn", "pool", "variables", "steps"}
_JOB |= {"strategy", "environment", "timeoutInMinutes"}
_STEP = {"displayName", "name", "env", "workingDirectory", "continueOnError", "condition"}
_STEP |= {"enabled", "timeoutInMinutes", "failOnStderr"}


def stages_of(pipeline: Any) -> list[Stage]:
    """Read a pipeline's stages in their order.

    Raises:
        Unsupported: it has a part that cannot run here; the message names it.
    """
    if not isinstance(pipeline, dict):
        raise Unsupported("a pipeline must be a mapping")
    _known(pipeline, _TOP, "the pipeline")
    if "stages" in pipeline:
        stages = pipeline["stages"]
    else:
        jobs = pipeline.get("jobs") or [{"job": "job", "steps": pipeline.get("steps") or []}]
        stages = [{"stage": "stage", "jobs": jobs}]
    found: list[Stage] = []
    for stage in stages:
        _known(stage, _STAGE, "a stage")
        name = str(stage.get("stage"))
        default = [found[-1].name] if found else []
        after = _texts(stage.get("dependsOn", default))
        for job in stage.get("jobs") or []:
            scopes = (pipeline, stage, job)
            groups, variables = _variables(scope.get("variables") for scope in scopes)
            steps = tuple(_steps(job))
            environment = str(job.get("environment") or "") if "deployment" in job else ""
            found.append(Stage(name, after, steps, groups, variables, environment))
            after = (*after, name)  # the jobs of a stage run one after the other here
    return found


def _known(part: Any, names: set[str], what: str) -> None:
    unknown = sorted(set(part) - names)
    if unknown:
        raise Unsupported(f"{unknown[0]!r} in {what} cannot run locally")


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value if isinstance(value, list) else [value]))


def _variables(scopes: Iterable[Any]) -> tuple[tuple[str, ...], dict[str, str]]:
    groups: list[str] = []
    found: dict[str, str] = {}
    for scope in scopes:
        if isinstance(scope, dict):
            found |= {str(name): _text(value) for name, value in scope.items()}
        for item in scope if isinstance(scope, list) else []:
            match item:
                case {"group": group}:
                    groups.append(str(group))
                case {"name": name, "value": value}:
                    found[str(name)] = _text(value)
                case _:
                    raise Unsupported(f"the variables {item!r} cannot be had locally")
    return tuple(groups), found


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _steps(job: Any) -> Iterable[Step]:
    _known(job, _JOB, "a job")
    match job:
        case {"deployment": _, "strategy": {"runOnce": {"deploy": {"steps": steps}}}}:
            pass
        case {"deployment": name} | {"strategy": name}:
            raise Unsupported(f"the strategy of {job.get('deployment', name)!r} cannot run locally")
        case _:
            steps = job.get("steps") or []
    return [_step(step) for step in steps if _text(step.get("enabled", True)) != "false"]


def _step(step: Any) -> Step:
    match step:
        case {"checkout": "self" | "none"}:
            return Step("Checkout", say="The pushed commit, in a folder of its own.")
        case {"script": script} | {"bash": script}:
            _known(step, _STEP | {"script", "bash"}, "a step")
            return _command(step, str(script), str(script).strip().split("\n")[0])
        case {"task": task}:
            _known(step, _STEP | {"task", "inputs"}, f"the step {task}")
            return _task(step, str(task), step.get("inputs") or {})
    raise Unsupported(f"the step {next(iter(step), '')!r} cannot run locally")


def _task(step: Any, task: str, inputs: Mapping[str, Any]) -> Step:
    match task:
        case "UsePythonVersion@0":
            import platform

            asked = f"Python {inputs.get('versionSpec', '3.x')} was asked for"
            return Step(task, say=f"{asked}; here it is {platform.python_version()}.")
        case "CmdLine@2" | "Bash@3" if "script" in inputs:
            return _command(step, str(inputs["script"]), task, inputs.get("workingDirectory"))
        case "Bash@3" | "ShellScript@2":
            path = str(inputs.get("filePath") or inputs.get("scriptPath") or "")
            arguments = inputs.get("arguments") or inputs.get("args") or ""
            line = f'bash "$BUILD_SOURCESDIRECTORY/{path}" {arguments}'
            # ShellScript@2 begins in the script's own folder, Bash@3 at the top.
            own = path.rpartition("/")[0] if task == "ShellScript@2" else ""
            return _command(step, line, f"{task} {path}", inputs.get("cwd") or own)
    raise Unsupported(f"the step {task!r} cannot run locally")


def _command(step: Any, script: str, name: str, folder: Any = "") -> Step:
    condition = str(step.get("condition") or "succeeded()")
    if condition not in _CONDITIONS:
        raise Unsupported(f"the condition {condition!r} cannot be decided locally")
    return Step(
        str(step.get("displayName") or name),
        script,
        env={str(key): _text(value) for key, value in (step.get("env") or {}).items()},
        folder=str(step.get("workingDirectory") or folder or ""),
        keep_going=_text(step.get("continueOnError", False)) == "true",
        when=condition,
    )
