"""A context's process from its start until somebody asks for it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ipykernel.kernelapp import IPKernelApp


def main(connection_file: str) -> None:
    """Run the kernel until it is told to end or its parent is gone."""
    from .attach import attach

    app = IPKernelApp.instance()
    app.initialize(["-f", connection_file, "--no-secure", "--colors=Linux"][:2])
    spark = attach()
    shell = app.shell
    shell.push({"spark": spark, "sc": spark.sparkContext, "sql": spark.sql}, interactive=False)

    def set_job_group(*_: Any) -> None:
        parent = app.kernel.get_parent("shell")
        spark.sparkContext.setJobGroup(parent["header"]["msg_id"], "", interruptOnCancel=True)

    shell.events.register("pre_execute", set_job_group)
    app.start()


def begin(
    folder: str | None,
    arguments: Mapping[str, str],
    task_values: Mapping[str, Mapping[str, Any]],
) -> None:
    """Turn a warm process into the context that somebody asked for."""
    place = Path(os.environ["DBX_WORKSPACE"], (folder or "/").lstrip("/"))
    if place.is_dir():
        os.chdir(place)
        sys.path.insert(0, str(place))
