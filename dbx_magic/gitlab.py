"""GitLab: the runs of its pipelines, and what it says of a pipeline file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .forge_host import Host, RefusedError, escaped
from .pipeline_run import PipelineRun, State, StepRun

_STATES: Mapping[str, State] = {
    "running": "running",
    "success": "succeeded",
    "failed": "failed",
    "canceled": "canceled",
    "canceling": "running",
    "skipped": "skipped",
}
# Colours, and the marks of sections that its page folds.
_MARKS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|section_(?:start|end):\d+:[^\r\n]*\r")


class GitLab:
    """A project at GitLab."""

    name = "GitLab"
    pause = 3.0
    delay = 30.0

    def __init__(self, host: Host, path: str) -> None:
        self._host = host
        self._path = f"projects/{escaped(path)}"

    @property
    def is_signed_in(self) -> bool:
        """Whether it is known there who asks."""
        return self._host.is_signed

    def runs(self, commit: str, branch: str) -> list[PipelineRun]:
        """The runs of a commit that was pushed to a branch, oldest first."""
        query = {"sha": commit, "ref": branch}
        found = list(self._host.numbered(f"{self._path}/pipelines", "", query))
        return [self._run(one) for one in sorted(found, key=lambda one: one["id"])]

    def _run(self, found: Any) -> PipelineRun:
        state, reason = _STATES.get(found["status"], "queued"), ""
        if found["status"] == "manual":
            reason = "waits for an approval"
        if state == "canceled" and (later := self._later(found)):
            state = "superseded"
            reason = f"superseded by #{later['id']} of {later['sha'][:7]}"
        path = f"{self._path}/pipelines/{found['id']}/jobs"
        jobs = sorted(self._host.numbered(path, "", {}), key=lambda job: job["id"])
        return PipelineRun(
            found["id"],
            found.get("name") or "pipeline",
            found["sha"],
            found["ref"],
            state,
            reason,
            tuple(_step(job) for job in jobs),
            found["web_url"],
        )

    def _later(self, found: Any) -> Any:
        query = {"ref": found["ref"], "order_by": "id", "sort": "desc", "per_page": 1}
        for newest in self._host.read(f"{self._path}/pipelines", query):
            return newest if newest["id"] > found["id"] else None
        return None

    def log(self, run: PipelineRun, key: str) -> str:
        """What one job said so far."""
        del run  # a job's number is unique
        try:
            text = self._host.read(f"{self._path}/jobs/{key}/trace")
        except RefusedError as refused:
            if refused.status == 404:
                return ""
            raise
        return _MARKS.sub("", text or "").replace("\r\n", "\n")

    def complaint(self, text: str) -> str:
        """What GitLab would say against this text of a pipeline; empty when it would run it."""
        path, body = f"{self._path}/ci/lint", {"content": text}
        found = self._host.tell("POST", path, body, {})
        return "; ".join(found.get("errors") or ()) if not found["valid"] else ""


def _step(job: Any) -> StepRun:
    state = _STATES.get(job["status"], "queued")
    key = str(job["id"]) if job.get("started_at") else ""
    if state == "failed" and job.get("allow_failure"):
        state = "succeeded"
    return StepRun(job["name"], job["stage"], state, float(job.get("duration") or 0.0), key)
