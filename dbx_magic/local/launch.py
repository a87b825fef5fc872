"""What belongs to a cluster's start and end beside Spark: init scripts and delivered logs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cluster import Cluster
from .disk import real_file
from .errors import Refused, invalid
from .home import Home

if TYPE_CHECKING:
    from .environment import Environment

_SCRIPT_SECONDS = 20 * 60
_PIP = '#!/bin/sh\nexec "$DBX_UV" pip "$@"\n'


@dataclass(frozen=True)
class InitScript:
    """A script that runs before Spark starts: where it says it is, and its text."""

    destination: str
    text: bytes


def init_scripts(cluster: Cluster, home: Home) -> list[InitScript]:
    """The scripts in a cluster's spec; StartFailed tells which of them cannot be had."""
    from .compute import StartFailed

    scripts = []
    for entry in cluster.record.spec.get("init_scripts") or []:
        kind, where = next(iter(entry.items()))
        destination = str((where or {}).get("destination", ""))
        try:
            if kind not in ("workspace", "dbfs", "volumes"):
                raise invalid(f"the local workspace has no files of the kind {kind}")
            file = real_file(home, destination)
            scripts.append(InitScript(destination, file.read_bytes()))
        except (OSError, Refused) as problem:
            words = problem.message if isinstance(problem, Refused) else problem.strerror
            raise StartFailed(
                "INIT_SCRIPT_FAILURE", f"Init script {destination} cannot be read: {words}"
            ) from None
    return scripts


async def run_init_scripts(
    scripts: Sequence[InitScript], cluster: Cluster, environment: Environment, folder: Path
) -> dict[str, Any]:
    """Run the scripts one after another in the cluster's environment; what to tell in its events.

    StartFailed has the last words of the one that failed.
    """
    from .compute import StartFailed

    await environment.create()
    logs = folder / "logs" / "init_scripts"
    logs.mkdir(parents=True, exist_ok=True)
    variables = _variables(cluster, environment, folder)
    told = []
    for number, script in enumerate(scripts):
        file = logs / f"{number}_{Path(script.destination).name}"
        file.write_bytes(script.text)
        began = time.monotonic()
        code = await _run(file, variables, folder)
        if code:
            said = file.with_suffix(".stderr.log").read_text("utf-8", "replace").strip()
            words = f": {said.splitlines()[-1]}" if said else ""
            raise StartFailed(
                "INIT_SCRIPT_FAILURE",
                f"Init script {script.destination} exited with {code}{words}",
            )
        told.append(
            {
                "workspace": {"destination": script.destination},
                "status": "SUCCEEDED",
                "execution_duration_seconds": round(time.monotonic() - began),
            }
        )
    return {"cluster": told}


def _variables(cluster: Cluster, environment: Environment, folder: Path) -> Mapping[str, str]:
    variables = environment.variables()
    # The environment is uv's, without a pip of its own; scripts call it by that name.
    shims = folder / "bin"
    shims.mkdir(exist_ok=True)
    (shims / "pip").write_text(_PIP)
    (shims / "pip").chmod(0o755)
    spec = cluster.record.spec
    return {
        **os.environ,
        **variables,
        **{name: str(value) for name, value in (spec.get("spark_env_vars") or {}).items()},
        "PATH": f"{shims}{os.pathsep}{variables['PATH']}",
        "UV_OVERRIDE": str(environment.folder / "overrides.txt"),
        "UV_CONSTRAINT": str(environment.folder / "constraints.txt"),
        "DB_CLUSTER_ID": cluster.cluster_id,
        "DB_CLUSTER_NAME": cluster.name,
        "DB_IS_DRIVER": "TRUE",
    }


async def _run(script: Path, variables: Mapping[str, str], folder: Path) -> int:
    out, err = script.with_suffix(".stdout.log"), script.with_suffix(".stderr.log")
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            "bash",
            str(script),
            cwd=folder,
            env=variables,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        try:
            return await asyncio.wait_for(process.wait(), _SCRIPT_SECONDS)
        except asyncio.TimeoutError:
            stderr.write(f"It took longer than {_SCRIPT_SECONDS} s.\n".encode())
            return -1
        finally:
            # Whatever it started in the background goes with it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def deliver_logs(cluster: Cluster, folder: Path, home: Home) -> None:
    """Copy the driver's logs to where ``cluster_log_conf`` wants them, below the cluster's id."""
    conf = cluster.record.spec.get("cluster_log_conf") or {}
    destination = next(
        (str(conf[kind].get("destination", "")) for kind in ("dbfs", "volumes") if conf.get(kind)),
        "",
    )
    logs = folder / "logs"
    with contextlib.suppress(Refused):
        if destination and logs.is_dir():
            target = real_file(home, destination) / cluster.cluster_id
            await asyncio.to_thread(_copy_logs, logs, target)


def _copy_logs(logs: Path, target: Path) -> None:
    for entry in logs.iterdir():
        with contextlib.suppress(OSError):  # a log that is moved meanwhile comes the next time
            if entry.is_file():
                (target / "driver").mkdir(parents=True, exist_ok=True)
                shutil.copyfile(entry, target / "driver" / entry.name)
            elif entry.name == "init_scripts":
                shutil.copytree(entry, target / "init_scripts", dirs_exist_ok=True)
