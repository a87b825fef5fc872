"""A context's process, from its start to its end."""

from __future__ import annotations

import json
import os
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipykernel.kernelapp import IPKernelApp

from .attach import attach
from .cells import Cells
from .dbutils import DbUtils
from .shell import Kernel
from .show import display, displayHTML

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_CLUSTER_ID = "spark.databricks.clusterUsageTags.clusterId"


class Driver:
    """What this process has in it."""

    def __init__(self, app: Any, spark: SparkSession) -> None:
        self.spark = spark
        self.shell = app.shell
        self.about: dict[str, Any] = {"cluster_id": spark.conf.get(_CLUSTER_ID, "")}
        self.secrets: set[str] = set()
        self.dbutils = DbUtils(ask, self.about, self.secrets)
        self.cells = Cells(self.shell, spark, self.dbutils, ask)
        names = {
            "spark": spark,
            "sc": spark.sparkContext,
            "sql": spark.sql,
            "table": spark.table,
            "udf": spark.udf,
            "dbutils": self.dbutils,
            "display": display,
            "displayHTML": displayHTML,
            "getArgument": self.dbutils.widgets.get,
        }
        self.shell.push(names, interactive=False)
        # IPython's own `open` would go with functions to Spark's processes, and IPython with it.
        self.shell.user_ns.pop("open", None)
        _offer_modules(self.shell.user_ns, self.dbutils)
        self._kernel = app.kernel
        # Both belong to all contexts of the cluster.
        spark.stop = spark.sparkContext.stop = _keep_running  # type: ignore[method-assign]
        self.shell.events.register("pre_run_cell", self._set_job_group)
        self.shell.events.register("post_run_cell", self._say_news)
        _redact(app.session, self.secrets)

    def _set_job_group(self, _: Any) -> None:
        # The command's id: so its jobs can be cancelled and its progress be seen.
        command_id = self._kernel.get_parent("shell")["header"]["msg_id"]
        self.spark.sparkContext.setJobGroup(command_id, "", interruptOnCancel=True)

    def _say_news(self, _: Any) -> None:
        jvm: Any = self.spark.sparkContext._jvm  # noqa: SLF001 - only Java knows
        if jvm.delta.DefaultSource.isNews():
            print(  # noqa: T201 - beside the first result that it is true for
                "delta is parquet on this cluster: no history, no MERGE, UPDATE or DELETE."
                " The library maven io.delta:delta-spark_2.13 brings the real one.",
                file=sys.stderr,
            )

    def begin(
        self,
        folder: str | None,
        notebook: str | None,
        packages: str,
        arguments: Mapping[str, str],
        task_values: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """Be where the context was asked for, with what it was given."""
        folder = "/" + (folder or "").strip("/").removeprefix("Workspace/")
        self.about.update(folder=folder, notebook=notebook)
        self.cells.folder = folder
        self.cells.packages = Path(packages)
        self.dbutils.widgets.given.update(arguments)
        self.dbutils.jobs.taskValues.given = task_values
        place = Path(os.environ["DBX_WORKSPACE"] + folder)
        os.chdir(place if place.is_dir() else os.environ["DBX_WORKSPACE"])
        sys.path[:0] = [packages, str(place)]
        # The same for the processes in which Spark runs Python functions.
        self.spark.sparkContext.environment["PYTHONPATH"] = os.pathsep.join(sys.path[:2])


def main(connection_file: str, settings: Mapping[str, Any]) -> None:
    """Run the kernel until it is told to end or its parent is gone."""
    # Not the user's own IPython: its start-up files and its history are none of the cluster's.
    os.environ["IPYTHONDIR"] = str(Path(connection_file).parent)
    app: Any = IPKernelApp.instance(kernel_class=Kernel, parent_handle=os.getppid())
    app.config.HistoryManager.enabled = False
    # Names are completed from the objects themselves: at once, and with a DataFrame's columns.
    app.config.IPCompleter.use_jedi = False
    app.initialize(["-f", connection_file])
    Driver(app, attach()).begin(**settings)
    app.start()


def ask(method: str, path: str, fields: Mapping[str, Any]) -> Any:
    """Ask the workspace's API; what it refuses is an error with its words."""
    import requests

    response = requests.request(
        method,
        f"{os.environ['DATABRICKS_HOST']}/api/{path}",
        headers={"Authorization": f"Bearer {os.environ['DATABRICKS_TOKEN']}"},
        params=fields if method == "GET" else None,
        json=None if method == "GET" else fields,
        timeout=60,
    )
    answer = response.json()
    if not response.ok:
        raise RuntimeError(f"{answer.get('error_code')}: {answer.get('message')}")
    return answer


def _keep_running() -> None:
    print("Spark goes on: it is the cluster's.")  # noqa: T201 - where a user expects its end


def _offer_modules(namespace: dict[str, Any], dbutils: DbUtils) -> None:
    """Let modules import what notebooks have: from databricks.sdk.runtime, pyspark.dbutils."""

    class UserNamespaceInitializer:
        @classmethod
        def getOrCreate(cls) -> UserNamespaceInitializer:  # noqa: N802
            return cls()

        def get_namespace_globals(self) -> dict[str, Any]:
            return namespace

    runtime: Any = types.ModuleType("dbruntime")
    runtime.UserNamespaceInitializer = UserNamespaceInitializer
    sys.modules["dbruntime"] = runtime
    classic: Any = types.ModuleType("pyspark.dbutils")
    classic.DBUtils = lambda *_: dbutils
    sys.modules["pyspark.dbutils"] = classic


def _redact(session: Any, secrets: set[str]) -> None:
    """Replace secrets in everything that is shown."""
    send = session.send

    def send_redacted(
        stream: Any, message: Any, content: Any = None, *rest: Any, **more: Any
    ) -> Any:
        if secrets and isinstance(message, dict):
            message["content"] = _redacted(message["content"], secrets)
        elif secrets and content:
            content = _redacted(content, secrets)
        return send(stream, message, content, *rest, **more)

    session.send = send_redacted


def _redacted(content: Any, secrets: set[str]) -> Any:
    text = json.dumps(content, default=str)
    for secret in secrets:
        text = text.replace(json.dumps(secret)[1:-1], "[REDACTED]")
    return json.loads(text)
