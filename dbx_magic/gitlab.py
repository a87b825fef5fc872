"""GitLab: the runs of its pipelines, and what it says of a pipeline file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .forge_host import Host, RefusedError, escaped
from .pipeline_run import PipelineRun, PullRequest, State, StepRun

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

    def complaints(self, texts: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
        """What GitLab would say against its pipeline files; empty where it would run them."""
        del names  # they are Azure's
        ours = {path: text for path, text in texts.items() if path.endswith(".gitlab-ci.yml")}
        return {path: self._complaint(text) for path, text in ours.items()}

    def _complaint(self, text: str) -> str:
        found = self._host.tell("POST", f"{self._path}/ci/lint", {"content": text}, {})
        return "; ".join(found.get("errors") or ()) if not found["valid"] else ""

    def pull_request(self, source: str, target: str) -> PullRequest | None:
        """The open merge request to take one branch into another."""
        query = {"state": "opened", "source_branch": source, "target_branch": target}
        found = self._host.read(f"{self._path}/merge_requests", query)
        return _request(found[0]) if found else None

    def open_pull_request(self, source: str, target: str, title: str, text: str) -> PullRequest:
        """Open a merge request."""
        body = {
            "source_branch": source,
            "target_branch": target,
            "title": title,
            "description": text,
        }
        return _request(self._host.tell("POST", f"{self._path}/merge_requests", body, {}))


def _step(job: Any) -> StepRun:
    state = _STATES.get(job["status"], "queued")
    key = str(job["id"]) if job.get("started_at") else ""
    if state == "failed" and job.get("allow_failure"):
        state = "succeeded"
    return StepRun(job["name"], job["stage"], state, float(job.get("duration") or 0.0), key)


def _request(found: Any) -> PullRequest:
    return PullRequest(f"merge request !{found['iid']}", found["web_url"])
