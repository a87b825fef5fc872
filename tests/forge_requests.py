"""The pull requests of the git hosts for tests, which check what is sent as the real ones do."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from forges import NONE, SIGN_IN, Answer, Asked


class _Requests:
    """The open requests for a bare repository, whose branches must be there."""

    def __init__(self, bare: Path) -> None:
        self.bare = bare
        self.open: list[Any] = []
        self.is_refusing = False  # whoever asks may only read
        self.is_late = False  # somebody else opens the same just before we do
        self.others: Callable[[Asked], Answer] = lambda _: NONE  # what else is asked

    def has(self, branch: str) -> bool:
        ref = f"refs/heads/{branch}"
        shown = ["git", "show-ref", "--verify", "--quiet", ref]
        return subprocess.run(shown, cwd=self.bare, check=False).returncode == 0

    def find(self, **values: str) -> list[Any]:
        return [one for one in self.open if all(one[key] == values[key] for key in values)]

    def add(self, body: Any, number: int = 12) -> Any:
        url = f"https://example.org/{number}"
        made = {**body, "number": number, "iid": number, "pullRequestId": number}
        self.open.append({**made, "html_url": url, "web_url": url})
        return self.open[-1]

    def opening(self, body: Any) -> None:
        if self.is_late:
            self.add(body, 5)


class GitHubRequests(_Requests):
    """`owner/thing` at GitHub."""

    def __call__(self, asked: Asked) -> Answer:
        if asked.path != "/api/v3/repos/owner/thing/pulls":
            return self.others(asked)
        if not asked.headers.get("Authorization", "").startswith("Bearer "):
            return Answer({"message": "Requires authentication"}, 401)
        if asked.method == "GET":
            assert asked.query["state"] == "open"
            owner, _, head = asked.query["head"].partition(":")
            if not head:  # GitHub gives all of them then
                return Answer(self.open)
            return Answer(
                self.find(head=head, base=asked.query["base"]) if owner == "owner" else []
            )
        if self.is_refusing:
            return Answer({"message": "Resource not accessible by personal access token"}, 403)
        self.opening(asked.body)
        head, base = asked.body["head"], asked.body["base"]
        assert asked.body["title"]
        problem = ""
        if not self.has(head) or not self.has(base):
            problem = "head or base is invalid"
        if self.find(head=head, base=base):
            problem = f"A pull request already exists for owner:{head}."
        if problem:
            errors = [{"resource": "PullRequest", "code": "custom", "message": problem}]
            return Answer({"message": "Validation Failed", "errors": errors}, 422)
        return Answer(self.add(asked.body), 201)


class AzureRequests(_Requests):
    """`organisation/project/_git/thing` at Azure DevOps."""

    def __call__(self, asked: Asked) -> Answer:
        if not asked.headers.get("Authorization", "").startswith("Basic "):
            return SIGN_IN
        if asked.query.get("api-version") != "7.1":
            return Answer({"message": "No api-version was supplied"}, 400)
        top = "/organisation/project/_apis/git/repositories/"
        if asked.path == f"{top}thing":
            return Answer({"id": "r-1", "project": {"id": "p-1", "name": "project"}})
        if asked.path != f"{top}r-1/pullrequests":
            return NONE
        if asked.method == "GET":
            names = ("sourceRefName", "targetRefName")
            wanted = {name: asked.query[f"searchCriteria.{name}"] for name in names}
            assert asked.query["searchCriteria.status"] == "active"
            return Answer({"value": self.find(**wanted)})
        if self.is_refusing:
            return Answer({"message": "TF401027: You need PullRequestContribute"}, 403)
        self.opening(asked.body)
        refs = {name: asked.body[name] for name in ("sourceRefName", "targetRefName")}
        if not all(ref.startswith("refs/heads/") for ref in refs.values()):
            return Answer({"message": "TF401398: a ref must begin with refs/heads/"}, 400)
        if not all(self.has(ref.removeprefix("refs/heads/")) for ref in refs.values()):
            return Answer({"message": "TF401398: The branch no longer exists"}, 400)
        if self.find(**refs):
            there = "TF401179: An active pull request for the source and target branch exists"
            return Answer({"message": there}, 409)
        assert len(asked.body["title"]) <= 400
        assert len(asked.body["description"]) <= 4000
        return Answer(self.add(asked.body), 201)


class GitLabRequests(_Requests):
    """`group/sub/thing` at GitLab."""

    def __call__(self, asked: Asked) -> Answer:
        if asked.path != "/api/v4/projects/group%2Fsub%2Fthing/merge_requests":
            return NONE
        if not asked.headers.get("Authorization", "").startswith("Bearer "):
            return Answer({"message": "401 Unauthorized"}, 401)
        names = ("source_branch", "target_branch")
        if asked.method == "GET":
            assert asked.query["state"] == "opened"
            return Answer(self.find(**{name: asked.query[name] for name in names}))
        if self.is_refusing:
            return Answer({"error": "insufficient_scope", "scope": "api"}, 403)
        self.opening(asked.body)
        branches = {name: asked.body[name] for name in names}
        if not asked.body.get("title"):
            return Answer({"error": "title is missing"}, 400)
        missing = [name for name, branch in branches.items() if not self.has(branch)]
        if missing:
            return Answer({"message": {missing[0]: ["does not exist"]}}, 400)
        if self.find(source_branch=branches["source_branch"]):
            there = "Another open merge request already exists for this source branch: !12"
            return Answer({"message": [there]}, 409)
        return Answer(self.add(asked.body), 201)
