"""`dbutils`, as far as it makes sense on this machine."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dbx_magic.local.outputs import RESTART, TASK_VALUE

from .fs import Fs

POLL_SECONDS = 0.5


class NotebookExit(BaseException):
    """Ends the notebook with a value; not an Exception, for `except Exception` must let it pass."""

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


class Widgets:
    """The notebook's parameters: what a run was given, else each widget's default."""

    def __init__(self) -> None:
        self.given: dict[str, str] = {}
        self._defaults: dict[str, str] = {}

    def text(self, name: str, defaultValue: str = "", label: str = "") -> None:  # noqa: ARG002, N803
        """A parameter that is any text."""
        self._defaults[name] = str(defaultValue)

    def dropdown(
        self,
        name: str,
        defaultValue: str,  # noqa: N803
        choices: Sequence[str],
        label: str = "",
    ) -> None:
        """A parameter that is one of a few."""
        if str(defaultValue) not in map(str, choices):
            raise ValueError(f"The default of the widget {name!r} is not one of its choices.")
        self.text(name, defaultValue, label)

    def combobox(
        self,
        name: str,
        defaultValue: str,  # noqa: N803
        choices: Sequence[str],  # noqa: ARG002
        label: str = "",
    ) -> None:
        """A parameter that is any text, with proposals."""
        self.text(name, defaultValue, label)

    def multiselect(
        self,
        name: str,
        defaultValue: str,  # noqa: N803
        choices: Sequence[str],
        label: str = "",
    ) -> None:
        """A parameter that is some of a few, with commas between them."""
        self.dropdown(name, defaultValue, choices, label)

    def get(self, name: str) -> str:
        """The value of a parameter."""
        values = self.getAll()
        if name not in values:
            raise ValueError(
                f"InputWidgetNotDefined: No input widget named {name} is defined."
                f' Define it: dbutils.widgets.text("{name}", "default")'
            )
        return values[name]

    getArgument = get  # noqa: N815

    def getAll(self) -> dict[str, str]:  # noqa: N802
        """All parameters and their values."""
        return {**self._defaults, **self.given}

    def remove(self, name: str) -> None:
        """Forget a parameter."""
        self._defaults.pop(name, None)
        self.given.pop(name, None)

    def removeAll(self) -> None:  # noqa: N802
        """Forget all parameters."""
        self._defaults.clear()
        self.given.clear()


class Secrets:
    """The workspace's secrets; in what cells show they are replaced by [REDACTED]."""

    def __init__(self, ask: Callable[..., Any], seen: set[str]) -> None:
        self._ask = ask
        self._seen = seen

    def getBytes(self, scope: str, key: str) -> bytes:  # noqa: N802
        """A secret as it is kept."""
        answer = self._ask("GET", "2.0/secrets/get", {"scope": scope, "key": key})
        value = base64.b64decode(answer["value"])
        if text := value.decode("utf-8", "ignore").strip():
            self._seen.add(text)
        return value

    def get(self, scope: str, key: str) -> str:
        """A secret as text."""
        return self.getBytes(scope, key).decode()

    def list(self, scope: str) -> Sequence[Any]:
        """The keys in a scope."""
        answer = self._ask("GET", "2.0/secrets/list", {"scope": scope})
        return [Values(key=item["key"]) for item in answer.get("secrets", [])]

    def listScopes(self) -> Sequence[Any]:  # noqa: N802
        """The scopes."""
        answer = self._ask("GET", "2.0/secrets/scopes/list", {})
        return [Values(name=item["name"]) for item in answer.get("scopes", [])]


class Values:
    """Named values."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    def __repr__(self) -> str:
        return f"({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


class Notebook:
    """Run other notebooks, and end this one with a value."""

    def __init__(self, ask: Callable[..., Any], about: Mapping[str, Any]) -> None:
        self._ask = ask
        self._about = about

    @property
    def entry_point(self) -> _Entry:
        """Through which some programs ask where they run."""
        return _Entry(self._about)

    def exit(self, value: Any = "") -> None:
        """End the notebook; the value is the run's result."""
        raise NotebookExit(value if isinstance(value, str) else str(value))

    def run(
        self,
        path: str,
        timeout_seconds: int = 0,
        arguments: Mapping[str, Any] | None = None,
    ) -> str:
        """Run a notebook as a job of its own on this cluster; return what it exits with."""
        if not path.startswith("/"):
            path = f"{self._about.get('folder') or ''}/{path}"
        task = {
            "task_key": "run",
            "existing_cluster_id": self._about["cluster_id"],
            "notebook_task": {
                "notebook_path": os.path.normpath(path),
                "base_parameters": {name: str(value) for name, value in (arguments or {}).items()},
            },
            "timeout_seconds": timeout_seconds,
        }
        run_id = self._ask("POST", "2.1/jobs/runs/submit", {"run_name": path, "tasks": [task]})[
            "run_id"
        ]
        try:
            while True:
                run = self._ask("GET", "2.1/jobs/runs/get", {"run_id": run_id})
                if run["state"]["life_cycle_state"] in ("TERMINATED", "SKIPPED", "INTERNAL_ERROR"):
                    break
                time.sleep(POLL_SECONDS)
        except KeyboardInterrupt:
            self._ask("POST", "2.1/jobs/runs/cancel", {"run_id": run_id})
            raise
        task_id = run["tasks"][0]["run_id"]
        output = self._ask("GET", "2.1/jobs/runs/get-output", {"run_id": task_id})
        if run["state"].get("result_state") != "SUCCESS":
            reason = output.get("error") or run["state"].get("state_message") or "it failed"
            raise RuntimeError(f"The notebook {path} did not succeed: {reason}")
        return str(output.get("notebook_output", {}).get("result") or "")


class _Entry:
    """Answers `entry_point.getDbutils().notebook().getContext().clusterId().get()` and the like."""

    def __init__(self, about: Mapping[str, Any]) -> None:
        self._about = about

    def getDbutils(self) -> _Entry:  # noqa: N802
        """Itself: Databricks has several objects in a row here."""
        return self

    notebook = getContext = getDbutils  # noqa: N815

    def apiUrl(self) -> _Some:  # noqa: N802
        """Where the workspace's API is."""
        return _Some(os.environ["DATABRICKS_HOST"])

    def apiToken(self) -> _Some:  # noqa: N802
        """The token for the workspace's API."""
        return _Some(os.environ["DATABRICKS_TOKEN"])

    def clusterId(self) -> _Some:  # noqa: N802
        """The cluster that this runs on."""
        return _Some(self._about["cluster_id"])

    def notebookPath(self) -> _Some:  # noqa: N802
        """The notebook that this runs for, if it is one."""
        return _Some(self._about.get("notebook"))

    def toJson(self) -> str:  # noqa: N802
        """All of that as JSON."""
        tags = {"clusterId": self._about["cluster_id"]}
        context = {"notebook_path": self._about.get("notebook")}
        return json.dumps({"tags": tags, "extraContext": context})

    safeToJson = toJson  # noqa: N815


class _Some:
    """A value as Scala's Option gives it."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def get(self) -> Any:
        """The value."""
        if self._value is None:
            raise ValueError("There is none: this command does not belong to a notebook.")
        return self._value

    def isDefined(self) -> bool:  # noqa: N802
        """Whether there is one."""
        return self._value is not None


class TaskValues:
    """Small values that the tasks of a job run hand on."""

    def __init__(self) -> None:
        self.given: Mapping[str, Mapping[str, Any]] = {}

    def set(self, key: str, value: Any) -> None:
        """Keep a value for the tasks that come after this one."""
        from IPython.display import publish_display_data

        json.dumps(value)  # refuses here, where the user sees it, what cannot travel
        publish_display_data({TASK_VALUE: {"key": key, "value": value}})

    def get(
        self,
        taskKey: str,  # noqa: N803
        key: str,
        default: Any = None,
        debugValue: Any = None,  # noqa: N803
    ) -> Any:
        """The value that a task has set; outside of a job it is `debugValue`."""
        if not self.given and debugValue is not None:
            return debugValue
        values = self.given.get(taskKey, {})
        if key in values:
            return values[key]
        if default is None:
            raise ValueError(f"The task {taskKey!r} has set no value {key!r}.")
        return default


class Jobs:
    """The job that this runs in."""

    def __init__(self) -> None:
        self.taskValues = TaskValues()


class Library:
    """This context's Python."""

    def restartPython(self) -> None:  # noqa: N802
        """Start Python anew: what was installed counts from the start, variables are lost."""
        from IPython.display import publish_display_data

        publish_display_data({RESTART: {}})
        raise NotebookExit("") from None


class DbUtils:
    """`dbutils`."""

    def __init__(self, ask: Callable[..., Any], about: Mapping[str, Any], seen: set[str]) -> None:
        self.fs = Fs()
        self.widgets = Widgets()
        self.secrets = Secrets(ask, seen)
        self.notebook = Notebook(ask, about)
        self.entry_point = self.notebook.entry_point  # MLflow begins with it
        self.jobs = Jobs()
        self.library = Library()

    def help(self) -> None:
        """Say what there is."""
        for name, part in vars(self).items():
            print(f"{name}: {type(part).__doc__}")  # noqa: T201 - it was asked for
