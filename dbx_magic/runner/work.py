"""One run of a pipeline: its steps, in a clean checkout of the commit that was pushed."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from dbx_magic import local_process
from dbx_magic.errors import DbxError
from dbx_magic.local_remote import LocalRemote
from dbx_magic.pipeline_run import PipelineRun, State, StepRun
from dbx_magic.repo import Repo

from .azure import Stage, Step, Unsupported, stages_of

_MACRO = re.compile(r"\$\(([\w.]+)\)")
_LOG = "log"  # all steps have one
# A step whose run is killed must not go on: it learns of it by its input, which ends then.
_STEP = """
exec 3<&0 </dev/null
{ read -r -u 3; kill -9 0; } >/dev/null 2>&1 &
exec bash --noprofile --norc "$0" 3<&-
"""
_GROUP = re.compile(r"databricks_cli(_.*)?")


def read_pipeline(repo: Repo, commit: str, path: str) -> Any:
    """Read a pipeline file of a commit.

    Raises:
        Unsupported: it is not valid YAML.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(repo.run("cat-file", "blob", f"{commit}:{path}"))
    except YAMLError as error:
        raise Unsupported(f"{path} is not valid YAML: {str(error).splitlines()[0]}") from None


def run_pipeline(remote: LocalRemote, run: PipelineRun, path: str, echo: TextIO | None) -> None:
    """Run a pipeline to its end; the record says how it went, the log what was said."""
    log = remote.log_path(run.number)
    with remote.turn(run.pipeline), log.open("w", encoding="utf-8") as file:
        _Work(remote, run, _Log(file, echo)).all(path)


class _Log:
    """What a run says, without the values of secrets."""

    def __init__(self, file: TextIO, echo: TextIO | None) -> None:
        self._files = [file, *([echo] if echo else [])]
        self.secrets: set[str] = set()

    def say(self, line: str) -> None:
        for secret in self.secrets:
            line = line.replace(secret, "***")
        for file in self._files:
            file.write(line.rstrip("\n") + "\n")
            file.flush()


class _Work:
    def __init__(self, remote: LocalRemote, run: PipelineRun, log: _Log) -> None:
        self._remote, self._run, self._log = remote, run, log
        self._ended: dict[str, bool] = {}

    def all(self, path: str) -> None:
        self._save(state="running")
        self._log.say(f"{self._run.pipeline} of {self._run.commit[:7]}, by the local runner")
        state: State = "failed"
        try:
            stages = stages_of(read_pipeline(self._remote.repo, self._run.commit, path))
            for stage in stages:
                self._stage(stage)
            state = "succeeded" if all(self._ended.values()) else "failed"
        except (Unsupported, DbxError) as error:
            self._log.say(f"✗ {error}")
            self._save(reason=str(error))
        finally:
            self._save(state=state)
            self._log.say(f"{self._run.pipeline}: {state}")

    def _save(self, **changes: Any) -> None:
        self._run = replace(self._run, **changes)
        self._remote.save(self._run)

    def _stage(self, stage: Stage) -> None:
        if not all(self._ended.get(name, False) for name in stage.after):
            self._log.say(f"○ {stage.name}: left out, because a stage before it failed")
            self._ended[stage.name] = False
            return
        variables = {**self._group(stage), **stage.variables}
        with self._remote.checkout(self._run) as tree, _leash() as leash:
            self._ended[stage.name] = self._steps(stage, variables, tree, leash)
        if stage.environment and self._ended[stage.name]:
            words = f"Deployed to {stage.environment} by {self._run.title}"
            self._remote.repo.mark_deployed(self._run.commit, stage.environment, words)

    def _group(self, stage: Stage) -> dict[str, str]:
        found: dict[str, str] = {}
        for group in stage.groups:
            if not _GROUP.fullmatch(group):
                raise Unsupported(f"the variable group {group!r} is not there locally")
            server = local_process.start()
            found |= {"databricks_host": server.url, "databricks_token": server.token}
            self._log.secrets.add(server.token)
        return found

    def _steps(self, stage: Stage, variables: Mapping[str, str], tree: Path, leash: int) -> bool:
        good = True
        for step in stage.steps:
            if step.when == ("failed()" if good else "succeeded()"):
                continue
            begun = time.monotonic()
            entry = StepRun(step.name, stage.name, log=_LOG)
            before = self._run.steps
            self._save(steps=(*before, entry))
            self._log.say(f"◐ {stage.name}: {step.name}")
            code = self._step(step, variables, tree, leash)
            took = round(time.monotonic() - begun, 1)
            ended: State = "failed" if code else "succeeded"
            self._save(steps=(*before, replace(entry, state=ended, seconds=took)))
            self._log.say(f"{'✗' if code else '✓'} {stage.name}: {step.name}   {took} s")
            good = good and (code == 0 or step.keep_going)
        return good

    def _step(self, step: Step, variables: Mapping[str, str], tree: Path, leash: int) -> int:
        if step.say:
            self._log.say(step.say)
            return 0

        def filled(text: str) -> str:
            return _MACRO.sub(lambda name: variables.get(name[1], name[0]), text)

        env = {**self._environment(variables, tree), **{k: filled(v) for k, v in step.env.items()}}
        # In a file, like Azure: what is on a command line every process can read.
        script = tree.parent / "script.sh"
        script.write_text(filled(step.script), encoding="utf-8")
        with subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-c", _STEP, str(script)],
            cwd=tree / filled(step.folder),
            env=env,
            stdin=leash,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        ) as process:
            try:
                for line in process.stdout or ():
                    self._log.say(line)
                return process.wait()
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def _environment(self, variables: Mapping[str, str], tree: Path) -> dict[str, str]:
        """What Azure hands to a script; secrets only where ``env:`` asks for them."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("GIT_", "DATABRICKS_", "DBX_MAGIC_LOGIN"))
        }
        plain = {
            name.upper().replace(".", "_"): value
            for name, value in variables.items()
            if value not in self._log.secrets
        }
        return {
            **kept,
            **plain,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}",
            "TF_BUILD": "True",
            "BUILD_REASON": "IndividualCI",
            "BUILD_SOURCEVERSION": self._run.commit,
            "BUILD_SOURCEBRANCH": f"refs/heads/{self._run.branch}",
            "BUILD_SOURCEBRANCHNAME": self._run.branch.rpartition("/")[2],
            "BUILD_SOURCESDIRECTORY": str(tree),
            "SYSTEM_DEFAULTWORKINGDIRECTORY": str(tree),
        }


@contextlib.contextmanager
def _leash() -> Iterator[int]:
    """Give an input that ends with this process; what steps left running ends with their stage."""
    theirs, ours = os.pipe()
    try:
        yield theirs
    finally:
        os.close(ours)
        os.close(theirs)
