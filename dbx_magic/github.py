"""GitHub: the runs of its workflows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit

from .forge_host import Host, RefusedError, escaped
from .pipeline_run import PipelineRun, State, StepRun

_CONCLUSIONS: Mapping[str, State] = {
    "success": "succeeded",
    "neutral": "succeeded",
    "skipped": "skipped",
    "cancelled": "canceled",
    "stale": "canceled",
}


class GitHub:
    """A repository at GitHub."""

    name = "GitHub"
    pause = 4.0
    delay = 30.0

    def __init__(self, host: Host, path: str) -> None:
        self._host = host
        self._actions = f"repos/{escaped(*path.split('/'))}/actions"

    def runs(self, commit: str, branch: str) -> list[PipelineRun]:
        """The runs of a commit that was pushed to a branch, oldest first."""
        query = {"head_sha": commit, "branch": branch, "event": "push"}
        found = list(self._host.numbered(f"{self._actions}/runs", "workflow_runs", query))
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
        lines = (text or "").removeprefix("\ufeff").splitlines()
        return "".join(f"{_without_time(line)}\n" for line in lines)

    def _elsewhere(self, location: str) -> Any:
        """Read a log from where GitHub keeps it; the token stays here."""
        parts = urlsplit(location)
        store = Host(f"{parts.scheme}://{parts.netloc}", "github", dict, signed=False)
        try:
            return store.read(f"{parts.path.lstrip('/')}?{parts.query}")
        finally:
            store.close()


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
    return [StepRun(one["name"], job["name"], _state(one), _seconds(one), key) for one in steps]


def _seconds(found: Any) -> float:
    begun, ended = (_time(found.get(name)) for name in ("started_at", "completed_at"))
    if begun is None:
        return 0.0
    return max(0.0, ((ended or datetime.now(timezone.utc)) - begun).total_seconds())


def _time(text: Any) -> datetime | None:
    # Python before 3.11 does not take a Z.
    return datetime.fromisoformat(str(text).replace("Z", "+00:00")) if text else None


def _without_time(line: str) -> str:
    """Leave out the time that GitHub puts before each line."""
    first, _, rest = line.partition(" ")
    return rest if len(first) == 28 and first.endswith("Z") else line
