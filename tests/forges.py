"""Git hosts for tests: real HTTP servers that answer as the documented APIs do."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


@dataclass
class Answer:
    content: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: str = ""

    @property
    def data(self) -> tuple[bytes, str]:
        if isinstance(self.content, str):
            return self.content.encode(), self.kind or "text/plain"
        return json.dumps(self.content).encode(), self.kind or "application/json; charset=utf-8"


SIGN_IN = Answer(
    "<html><title>Azure DevOps Services | Sign In</title></html>", 203, {}, "text/html"
)


@contextlib.contextmanager
def serving(
    answer: Callable[[Asked], Answer], repository: tuple[str, Path] | None = None
) -> Iterator[tuple[str, list[Asked]]]:
    """Serve on loopback; gives the address, and all that was asked so far.

    ``repository`` is the path of a bare one and its folder: git can fetch and push there.
    """
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            if repository and parts.path.startswith(f"/{repository[0]}/"):
                self._git(parts.path.removeprefix(f"/{repository[0]}"), parts.query, length)
                return
            body = json.loads(self.rfile.read(length)) if length else None
            query = dict(parse_qsl(parts.query))
            request = Asked(self.command, parts.path, query, dict(self.headers), body)
            asked.append(request)
            given = answer(request)
            data, kind = given.data
            self.send_response(given.status)
            for name, value in {"Content-Type": kind, **given.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _git(self, path: str, query: str, length: int) -> None:
            assert repository
            env = {
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROJECT_ROOT": str(repository[1]),
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "REMOTE_USER": "somebody",  # who may push
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(length),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            }
            done = subprocess.run(
                ["git", "http-backend"],
                env={**os.environ, **env},
                input=self.rfile.read(length),
                capture_output=True,
                check=True,
            )
            head, _, data = done.stdout.partition(b"\r\n\r\n")
            said = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            self.send_response(int(said.pop("Status", "200").split()[0]))
            for name, value in {**said, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = _do  # noqa: N815 - http.server's names

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


NONE = Answer({"message": "Not Found"}, 404)


class Looked:
    """How often the runs were looked at: what a forge shows moves on with each look."""

    def __init__(self) -> None:
        self.looks = 0


class GitHubHost(Looked):
    """`owner/thing` at GitHub: one workflow with a job of three steps."""

    def __init__(self, commit: str, *, conclusion: str = "success") -> None:
        super().__init__()
        self.commit, self.conclusion = commit, conclusion
        self.newer: str = ""  # the commit that has a later run
        self.busy = 0  # so many requests are answered with 429 first
        self.steps = 3
        self.store = ""
        self.branch, self.event = "main", "push"

    def _run(self, number: int, commit: str, status: str, conclusion: str | None) -> Any:
        return {
            "id": 9000 + number,
            "run_number": number,
            "workflow_id": 7,
            "name": "sync-workspace",
            "head_sha": commit,
            "head_branch": self.branch,
            "event": self.event,
            "status": status,
            "conclusion": conclusion,
            "html_url": f"https://example.org/runs/{number}",
        }

    def __call__(self, asked: Asked) -> Answer:
        if self.busy:
            self.busy -= 1
            return Answer({"message": "slow down"}, 429, {"Retry-After": "1"})
        done = self.looks >= 3
        match asked.path.removeprefix("/api/v3/repos/owner/thing/actions").split("/")[1:]:
            case ["runs"]:
                assert asked.query["head_sha"] == self.commit
                assert asked.query["branch"] == self.branch
                self.looks += 1
                if self.looks == 1:  # the push was only just taken
                    return Answer({"total_count": 0, "workflow_runs": []})
                status = (
                    ("completed", self.conclusion) if self.looks >= 3 else ("in_progress", None)
                )
                runs = [self._run(12, self.commit, *status)]
                return Answer({"total_count": 1, "workflow_runs": runs})
            case ["workflows", "7", "runs"]:
                runs = [self._run(13, self.newer, "in_progress", None)] if self.newer else []
                runs = runs or [self._run(12, self.commit, "completed", self.conclusion)]
                return Answer({"total_count": len(runs), "workflow_runs": runs})
            case ["runs", "9012", "jobs"]:
                number = int(asked.query["page"])
                names = [f"Step {n}" for n in range(self.steps)]
                times = {
                    "started_at": "2026-11-24T10:00:00Z",
                    "completed_at": "2026-11-24T10:00:07Z",
                }
                all_jobs = [
                    {
                        "id": 500 + n,
                        "name": f"job-{n}",
                        "status": "completed" if done else "in_progress",
                        "conclusion": self.conclusion if done else None,
                        "steps": [
                            {
                                "name": name,
                                "number": n,
                                "status": "completed" if done or n == 0 else "queued",
                                "conclusion": "success" if n == 0 else self.conclusion,
                                **(times if done or n == 0 else {}),
                            }
                            for n, name in enumerate(names)
                        ],
                    }
                    for n in range(self.jobs)
                ]
                page = all_jobs[(number - 1) * 100 : number * 100]
                return Answer({"total_count": len(all_jobs), "jobs": page})
            case ["jobs", job, "logs"]:
                if not done:
                    return NONE
                return Answer("", 302, {"Location": f"{self.store}/{job}?sig=signed"})
        return NONE

    jobs = 1


class AzureHost(Looked):
    """`organisation/project/_git/thing` at Azure DevOps: two pages of builds, a log that grows."""

    def __init__(self, commit: str, *, result: str = "succeeded") -> None:
        super().__init__()
        self.commit, self.result = commit, result
        self.expired = False
        self.newer = ""
        self.pipelines: list[Any] = []
        self.groups: list[Any] = []
        self.refuses = ""

    def _build(self, number: int, commit: str, status: str, result: str | None) -> Any:
        return {
            "id": number,
            "buildNumber": f"20261124.{number}",
            "definition": {"id": 4, "name": "sync-workspace"},
            "sourceVersion": commit,
            "sourceBranch": "refs/heads/main",
            "status": status,
            "result": result,
            "_links": {"web": {"href": f"https://example.org/builds/{number}"}},
        }

    def __call__(self, asked: Asked) -> Answer:  # noqa: C901 - one case an address
        if self.expired:
            return SIGN_IN
        if asked.query.get("api-version") != "7.1":
            return Answer({"message": "No api-version was supplied"}, 400)
        done = self.looks >= 2
        path = asked.path.removeprefix("/organisation/")
        match [asked.method, *path.removeprefix("project/").removeprefix("_apis/").split("/")]:
            case ["GET", "git", "repositories", "thing"]:
                return Answer({"id": "r-1", "project": {"id": "p-1", "name": "project"}})
            case ["GET", "build", "builds"]:
                assert asked.query["branchName"] == "refs/heads/main"
                if "continuationToken" not in asked.query:
                    others = [self._build(90, self.newer or "f" * 40, "inProgress", None)]
                    return Answer({"value": others}, headers={"x-ms-continuationtoken": "t 2"})
                assert asked.query["continuationToken"] == "t 2"
                self.looks += 1
                status = ("completed", self.result) if self.looks >= 2 else ("inProgress", None)
                return Answer({"value": [self._build(31, self.commit, *status)]})
            case ["GET", "build", "builds", "31", "timeline"]:
                return Answer({"records": self._records(done=done)})
            case ["GET", "build", "builds", "31", "logs", "8"]:
                lines = ["2026-11-24T10:00:00.1234567Z Pushing", "2026-11-24T10:00:01.0000000Z two"]
                if done:
                    lines.append("2026-11-24T10:00:09.0000000Z ##[section]Finishing: Push")
                return Answer({"count": len(lines), "value": lines})
            case ["GET", "build", "builds", "31", "logs", "7"]:
                return Answer({"count": 1, "value": ["2026-11-24T10:00:00.1234567Z Tests pass"]})
            case ["GET", "pipelines"]:
                return Answer({"count": len(self.pipelines), "value": self.pipelines})
            case ["POST", "pipelines"]:
                made = {"id": 40 + len(self.pipelines), **asked.body}
                self.pipelines.append(made)
                return Answer(made)
            case ["POST", "pipelines", _, "preview"]:
                assert asked.body["previewRun"] is True
                if self.refuses and self.refuses in asked.body["yamlOverride"]:
                    return Answer({"message": f"/x.yml (Line: 3): {self.refuses} is odd"}, 400)
                return Answer({"finalYaml": asked.body["yamlOverride"]})
            case ["GET", "distributedtask", "variablegroups"]:
                found = [one for one in self.groups if one["name"] == asked.query["groupName"]]
                return Answer({"count": len(found), "value": found})
            case ["POST", "distributedtask", "variablegroups"]:
                self.groups.append(asked.body)
                return Answer({"id": 1, "name": asked.body["name"]})
        return NONE

    def _records(self, *, done: bool) -> list[Any]:
        def record(name: str, kind: str, parent: str, order: int, **more: Any) -> Any:
            return {
                "id": name,
                "type": kind,
                "name": name,
                "parentId": parent,
                "order": order,
            } | more

        over = {"state": "completed", "result": "succeeded", "startTime": "2026-11-24T10:00:00.1Z"}
        over["finishTime"] = "2026-11-24T10:00:05.1234567Z"
        last = {**over, "result": self.result} if done else {"state": "inProgress"}
        return [
            # In no order, as Azure gives them.
            record("Push", "Task", "deploy", 2, log={"id": 8}, **last),
            record("dev", "Stage", "", 2),
            record("deploy", "Job", "dev-phase", 1),
            record("dev-phase", "Phase", "dev", 1),
            record("Checkpoint", "Checkpoint", "dev", 0),
            record("Test", "Task", "tests-job", 3, log={"id": 7}, **over),
            record("tests", "Stage", "", 1),
            record("tests-job", "Job", "tests", 1),
        ]


class GitLabHost(Looked):
    """`group/sub/thing` at GitLab: two jobs, one of which may fail."""

    def __init__(self, commit: str, *, status: str = "success") -> None:
        super().__init__()
        self.commit, self.status = commit, status
        self.newer = ""
        self.refuses = ""

    def _pipeline(self, number: int, commit: str, status: str) -> Any:
        url = f"https://example.org/pipelines/{number}"
        return {"id": number, "sha": commit, "ref": "main", "status": status, "web_url": url}

    def __call__(self, asked: Asked) -> Answer:
        done = self.looks >= 2
        prefix = "/api/v4/projects/group%2Fsub%2Fthing/"
        match [asked.method, *asked.path.removeprefix(prefix).split("/")]:
            case ["GET", "pipelines"]:
                if "sha" not in asked.query:
                    number, commit = (78, self.newer) if self.newer else (77, self.commit)
                    return Answer([self._pipeline(number, commit, "running")])
                if asked.query["page"] == "1":
                    self.looks += 1
                status = self.status if self.looks >= 2 else "running"
                return Answer([self._pipeline(77, self.commit, status)])
            case ["GET", "pipelines", "77", "jobs"]:
                jobs = [
                    self._job(
                        2, "sync-workspace:dev", "deploy", self.status if done else "running"
                    ),
                    self._job(1, "tests", "test", "success"),
                ]
                return Answer(jobs)
            case ["GET", "jobs", job, "trace"]:
                text = f"\x1b[0KRunning job {job}\nsection_start:1:build\r\x1b[0KBuilding\n"
                is_over = done or job == "1"
                return Answer(text + ("half a line\n" if is_over else "half a li"))
            case ["POST", "ci", "lint"]:
                bad = bool(self.refuses) and self.refuses in asked.body["content"]
                errors = [f"jobs config should contain {self.refuses}"] if bad else []
                return Answer({"valid": not bad, "errors": errors, "warnings": []})
        return NONE

    def _job(self, number: int, name: str, stage: str, status: str) -> Any:
        times = {"started_at": "2026-11-24T10:00:00.000Z", "duration": 4.5}
        return {"id": number, "name": name, "stage": stage, "status": status, **times}
