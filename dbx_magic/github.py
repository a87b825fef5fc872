"""GitHub: the runs of its workflows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from .forge_host import Host, RefusedError, escaped, seconds, without_times
from .pipeline_run import PipelineRun, PullRequest, State, StepRun

_CONCLUSIONS: Mapping[str, State] = {
    "success": "succeeded",
    "neutral": "succeeded",
    "skipped": "skipped",
    "cancelled": "canceled",
    "stale": "canceled",
}
# Others begin by the clock, or by hand.
_EVENTS = ("push", "pull_request")


class GitHub:
    """A repository at GitHub."""

    name = "GitHub"
    pause = 4.0
    delay = 30.0

    def __init__(self, host: Host, path: str) -> None:
        self._host = host
        self._owner = path.partition("/")[0]
        self._path = f"repos/{escaped(*path.split('/'))}"
        self._actions = f"{self._path}/actions"

    def runs(self, commit: str, branch: str) -> list[PipelineRun]:
        """The runs of a commit that was pushed to a branch, oldest first."""
        query = {"head_sha": commit, "branch": branch}
        listed = self._host.numbered(f"{self._actions}/runs", "workflow_runs", query)
        found = [one for one in listed if one["event"] in _EVENTS]
        return [self._run(one) for one in sorted(found, key=lambda one: one["id"])]

    def _run(self, found: Any) -> PipelineRun:
        state, reason = _state(found), ""
        if found.get("status") == "waiting":
            reason = "waits for an approval"
        if state == "canceled" and (later := self._later(found)):
            state = "superseded"
            reason = f"superseded by #{later['run_number']} of {later['head_sha'][:7]}"
        jobs = f"{self._actions}/runs/{found['id']}/jobs"
        steps = [step for job in self._host.numbered(jobs, "jobs", {}) for step in _steps(job)]
        return PipelineRun(
            found["run_number"],
            found["name"],
            found["head_sha"],
            found["head_branch"],
            state,
            reason,
            tuple(steps),
            found["html_url"],
        )

    def _later(self, found: Any) -> Any:
        path = f"{self._actions}/workflows/{found['workflow_id']}/runs"
        query = {"branch": found["head_branch"], "per_page": 1}
        for newest in self._host.read(path, query)["workflow_runs"]:
            return newest if newest["run_number"] > found["run_number"] else None
        return None

    def log(self, run: PipelineRun, key: str) -> str:
        """What the steps of one job said; GitHub tells it when the job is over."""
        del run  # a job's number is unique
        try:
            text = self._host.read(f"{self._actions}/jobs/{key}/logs")
        except RefusedError as refused:
            if refused.status == 404:
                return ""
            if not refused.location:
                raise
            text = self._elsewhere(refused.location)
        return without_times((text or "").removeprefix("\ufeff").splitlines())

    def _elsewhere(self, location: str) -> Any:
        """Read a log from where GitHub keeps it; the token stays here."""
        parts = urlsplit(location)
        store = Host(f"{parts.scheme}://{parts.netloc}", "github", dict, signed=False)
        try:
            return store.read(f"{parts.path.lstrip('/')}?{parts.query}")
        finally:
            store.close()

    def complaints(self, texts: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
        """Nothing: GitHub tells of workflows only what becomes of them."""
        del texts, names
        return {}

    def pull_request(self, source: str, target: str) -> PullRequest | None:
        """The open pull request to take one branch into another."""
        query = {"state": "open", "head": f"{self._owner}:{source}", "base": target}
        found = self._host.read(f"{self._path}/pulls", query)
        return _request(found[0]) if found else None

    def open_pull_request(self, source: str, target: str, title: str, text: str) -> PullRequest:
        """Open a pull request."""
        body = {"title": title, "head": source, "base": target, "body": text}
        return _request(self._host.tell("POST", f"{self._path}/pulls", body, {}))


def _state(found: Any) -> State:
    match found.get("status"):
        case "completed":
            return _CONCLUSIONS.get(str(found.get("conclusion")), "failed")
        case "in_progress":
            return "running"
    return "queued"


def _steps(job: Any) -> list[StepRun]:
    # The log is the whole job's, and there is none before the job is over.
    key = str(job["id"]) if job.get("status") == "completed" else ""
    steps = job.get("steps") or [job]
    return [
        StepRun(
            one["name"],
            job["name"],
            _state(one),
            seconds(one.get("started_at"), one.get("completed_at")),
            key,
        )
        for one in steps
    ]


def _request(found: Any) -> PullRequest:
    return PullRequest(f"pull request #{found['number']}", found["html_url"])
