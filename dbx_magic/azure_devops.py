"""Azure DevOps: the runs of its pipelines, and setting them up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from .errors import PipelineError
from .forge_host import Host, RefusedError, escaped, seconds, without_times
from .pipeline_run import PipelineRun, PullRequest, State, StepRun

_VERSION = {"api-version": "7.1"}
_PAGES = 5
_RESULTS: Mapping[str, State] = {
    "succeeded": "succeeded",
    "succeededWithIssues": "succeeded",
    "partiallySucceeded": "succeeded",
    "failed": "failed",
    "canceled": "canceled",
    "abandoned": "canceled",
    "skipped": "skipped",
}


class AzureDevOps:
    """The project that a repository at Azure DevOps belongs to."""

    name = "Azure DevOps"
    pause = 3.0
    delay = 30.0

    def __init__(self, host: Host, path: str) -> None:
        self._host = host
        self.project, _, self._repository_name = path.partition("/")
        self._apis = f"{escaped(self.project)}/_apis"

    def runs(self, commit: str, branch: str) -> list[PipelineRun]:
        """The runs of a commit that was pushed to a branch, oldest first."""
        builds: list[Any] = []
        newest: dict[int, Any] = {}
        for page in self._builds(branch):
            for build in page:
                newest.setdefault(build["definition"]["id"], build)
            mine = [build for build in page if build.get("sourceVersion") == commit]
            builds += mine
            if builds and not mine:
                break
        return [self._run(build, newest) for build in sorted(builds, key=lambda one: one["id"])]

    def _builds(self, branch: str) -> Iterator[list[Any]]:
        """Builds of a branch, newest first; Azure cannot look for those of a commit."""
        query = {
            **_VERSION,
            "repositoryId": self.repository["id"],
            "repositoryType": "TfsGit",
            "branchName": f"refs/heads/{branch}",
            "queryOrder": "queueTimeDescending",
            "$top": 100,
        }
        for _ in range(_PAGES):
            page = self._host.page(f"{self._apis}/build/builds", query)
            yield page.content["value"]
            token = page.headers.get("x-ms-continuationtoken")
            if not token:
                return
            query["continuationToken"] = token

    @cached_property
    def repository(self) -> Any:
        """What Azure says of the repository: its id, and its project's."""
        path = f"{self._apis}/git/repositories/{escaped(self._repository_name)}"
        return self._host.read(path, _VERSION)

    def _run(self, build: Any, newest: Mapping[int, Any]) -> PipelineRun:
        state, reason = _state(build.get("status"), build.get("result")), ""
        later = newest[build["definition"]["id"]]
        if state == "canceled" and later["id"] > build["id"]:
            state = "superseded"
            reason = f"superseded by #{later['id']} of {later['sourceVersion'][:7]}"
        steps, waits = self._steps(build["id"]) if state != "queued" else ((), "")
        return PipelineRun(
            build["id"],
            build["definition"]["name"],
            build["sourceVersion"],
            build["sourceBranch"].removeprefix("refs/heads/"),
            state,
            reason or waits or (_issue(build.get("validationResults")) if not steps else ""),
            steps,
            build.get("_links", {}).get("web", {}).get("href", ""),
        )

    def _steps(self, number: int) -> tuple[tuple[StepRun, ...], str]:
        timeline = self._host.read(f"{self._apis}/build/builds/{number}/timeline", _VERSION)
        records = (timeline or {}).get("records") or []
        by_id = {record["id"]: record for record in records}
        waits = any(
            record["type"] == "Checkpoint.Approval" and record.get("state") != "completed"
            for record in records
        )
        tasks = [record for record in records if record["type"] == "Task"]
        tasks.sort(key=lambda record: _place(record, by_id))
        steps = tuple(_step(record, by_id) for record in tasks)
        return steps, "waits for an approval" if waits else ""

    def log(self, run: PipelineRun, key: str) -> str:
        """What one task said so far."""
        path = f"{self._apis}/build/builds/{run.number}/logs/{key}"
        content = self._host.read(path, _VERSION)
        lines = content["value"] if isinstance(content, dict) else (content or "").splitlines()
        return without_times(lines)

    def pull_request(self, source: str, target: str) -> PullRequest | None:
        """The open pull request to take one branch into another."""
        branches = {
            "searchCriteria.sourceRefName": f"refs/heads/{source}",
            "searchCriteria.targetRefName": f"refs/heads/{target}",
        }
        query = {**_VERSION, "searchCriteria.status": "active", **branches}
        found = self._host.read(self._pull_requests, query)["value"]
        return self._request(found[0]) if found else None

    def open_pull_request(self, source: str, target: str, title: str, text: str) -> PullRequest:
        """Open a pull request."""
        body = {
            "sourceRefName": f"refs/heads/{source}",
            "targetRefName": f"refs/heads/{target}",
            "title": title,
            "description": text,
        }
        return self._request(self._host.tell("POST", self._pull_requests, body, _VERSION))

    @property
    def _pull_requests(self) -> str:
        return f"{self._apis}/git/repositories/{self.repository['id']}/pullrequests"

    def _request(self, found: Any) -> PullRequest:
        number = found["pullRequestId"]
        place = f"{escaped(self.project)}/_git/{escaped(self._repository_name)}"
        return PullRequest(
            f"pull request #{number}", f"{self._host.host}/{place}/pullrequest/{number}"
        )

    def pipelines(self) -> dict[str, int]:
        """The pipelines of the project: the number of each, by its name."""
        query: dict[str, Any] = dict(_VERSION)
        found: dict[str, int] = {}
        while True:
            page = self._host.page(f"{self._apis}/pipelines", query)
            found |= {item["name"]: int(item["id"]) for item in page.content["value"]}
            token = page.headers.get("x-ms-continuationtoken")
            if not token:
                return found
            query["continuationToken"] = token

    def create_pipeline(self, name: str, path: str) -> int:
        """Make a pipeline of a file in the repository, and give its number."""
        repository = {"id": self.repository["id"], "type": "azureReposGit"}
        configuration = {"type": "yaml", "path": f"/{path}", "repository": repository}
        body = {"name": name, "folder": "\\", "configuration": configuration}
        made = self._host.tell("POST", f"{self._apis}/pipelines", body, _VERSION)
        return int(made["id"])

    def has_group(self, name: str) -> bool:
        """Whether the project has a variable group of this name."""
        query = {**_VERSION, "groupName": name}
        found = self._host.read(f"{self._apis}/distributedtask/variablegroups", query)
        return any(item["name"] == name for item in found["value"])

    def create_group(self, name: str, plain: Mapping[str, str], secret: Mapping[str, str]) -> None:
        """Make a variable group; nobody can read its secrets again."""
        project = self.repository["project"]
        variables = {key: {"value": value, "isSecret": False} for key, value in plain.items()} | {
            key: {"value": value, "isSecret": True} for key, value in secret.items()
        }
        body = {
            "name": name,
            "type": "Vsts",
            "description": "Where dbx-magic's pipelines deploy to.",
            "variables": variables,
            "variableGroupProjectReferences": [
                {"name": name, "projectReference": {"id": project["id"], "name": project["name"]}}
            ],
        }
        self._host.tell("POST", "_apis/distributedtask/variablegroups", body, _VERSION)

    def complaints(self, texts: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
        """What Azure would say against the files of its pipelines; empty where it would run them.

        Raises:
            PipelineError: one of them is not registered yet.
        """
        numbers = self.pipelines()
        ours = {path: names[path] for path in texts if path in names}
        for name in ours.values():
            if name not in numbers:
                raise PipelineError(f"{name} is not there yet.", "`pipeline register`")
        return {path: self._complaint(numbers[name], texts[path]) for path, name in ours.items()}

    def _complaint(self, number: int, text: str) -> str:
        body = {"previewRun": True, "yamlOverride": text}
        try:
            self._host.tell("POST", f"{self._apis}/pipelines/{number}/preview", body, _VERSION)
        except RefusedError as refused:
            if refused.status != 400:
                raise
            return refused.message.partition("400: ")[2]
        return ""


def _state(status: Any, result: Any) -> State:
    match status:
        case "completed":
            return _RESULTS.get(str(result), "failed")
        case "inProgress" | "cancelling":
            return "running"
    return "queued"


def _place(record: Any, by_id: Mapping[str, Any]) -> tuple[int, ...]:
    """Where a record stands: the order of its stage, of its job, and its own."""
    orders: list[int] = []
    while record:
        orders.insert(0, record.get("order") or 0)
        record = by_id.get(record.get("parentId"))
    return tuple(orders)


def _step(record: Any, by_id: Mapping[str, Any]) -> StepRun:
    stage, above = "", record
    while above := by_id.get(above.get("parentId")):
        if above["type"] == "Stage":
            stage = above["name"]
    state: State = "queued"
    match record.get("state"):
        case "completed":
            state = _RESULTS.get(str(record.get("result")), "failed")
        case "inProgress":
            state = "running"
    log = record.get("log") or {}
    key = str(log.get("id") or "")
    took = seconds(record.get("startTime"), record.get("finishTime"))
    return StepRun(record["name"], stage, state, took, key)


def _issue(found: Any) -> str:
    return "; ".join(str(item.get("message", "")) for item in found or ())
