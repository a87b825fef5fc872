"""Commits that the branch does not take: a branch and the request for it, at each forge."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from forge_requests import AzureRequests, GitHubRequests, GitLabRequests
from forges import Answer, Asked, GitHubHost, serving

from dbx_magic.dbx import Dbx
from dbx_magic.errors import PipelineError
from dbx_magic.events import Event, Note, drive
from dbx_magic.repo import Repo
from dbx_magic.review import request_link
from dbx_magic.show import text
from dbx_magic.verbs import perform

TOKEN = "not-a-token-of-anybody-4711"
PROTECTED = """#!/bin/sh
test "$1" != refs/heads/main || { echo "main is protected" >&2; exit 1; }
"""
# Kind, variable of the token, path of the repository, and the forge.
FORGES = [
    ("github", "GH_TOKEN", "owner/thing", GitHubRequests),
    ("azure", "AZURE_DEVOPS_EXT_PAT", "organisation/project/_git/thing", AzureRequests),
    ("gitlab", "GITLAB_TOKEN", "group/sub/thing", GitLabRequests),
]


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.removesuffix("\n")


class Here:
    """A project with its remote at a forge, whose main branch is protected."""

    def __init__(self, folder: Path, kind: str, variable: str, forge: Any, bare: Path) -> None:
        self.folder, self.kind, self.variable = folder, kind, variable
        self.forge, self.bare = forge, bare
        self.asked: list[Asked] = []
        self.seen: list[Event] = []

    def do(self, verb: str, **arguments: Any) -> Any:
        return drive(perform(Dbx(self.folder), verb, arguments), self.seen.append)

    def edit(self, text: str, message: str) -> str:
        (self.folder / "workspace/greet.py").write_text(text)
        return str(self.do("commit", message=message).commit)

    def tip(self, branch: str) -> str:
        return git(self.bare, "rev-parse", f"refs/heads/{branch}")

    @property
    def notes(self) -> str:
        return " ".join(event.text for event in self.seen if isinstance(event, Note))


at_each = pytest.mark.parametrize("here", FORGES, ids=[kind for kind, *_ in FORGES], indirect=True)
at_github = pytest.mark.parametrize("here", FORGES[:1], indirect=True)


@pytest.fixture
def here(
    request: pytest.FixtureRequest,
    git_project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Here]:
    kind, variable, path, forge = request.param
    for _, other, _, _ in FORGES:
        monkeypatch.delenv(other, raising=False)
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    bare = tmp_path / "remote.git"
    git(git_project, "clone", "-q", "--bare", ".", str(bare))
    hook = bare / "hooks/update"
    hook.write_text(PROTECTED)
    hook.chmod(0o755)
    there = Here(git_project, kind, variable, forge(bare), bare)
    with ExitStack() as stack:
        address, there.asked = stack.enter_context(serving(there.forge, (path, bare)))
        git(git_project, "remote", "add", "origin", f"{address}/{path}")
        git(git_project, "config", "remote.origin.forge", kind)
        yield there


@at_each
def test_the_request_is_opened_once_and_gets_the_commits_that_follow(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(here.variable, TOKEN)
    first = here.edit("print(1)\n", "Greet once")
    second = here.edit("print(2)\n", "Greet twice")
    done = here.do("publish")
    assert done.review.branch == f"dbx/ada/{second[:7]}"
    assert here.tip(done.review.branch) == second
    [opened] = here.forge.open
    assert "Greet twice" in opened["title"]
    words = [line.text for line in done.view()]
    name = "Merge request !12" if here.kind == "gitlab" else "Pull request #12"
    assert words[2] == f"{name} into main is open"
    assert done.review.link.endswith("12")
    told = opened.get("body") or opened.get("description")
    assert told == "- Greet once\n- Greet twice"

    again = here.do("publish")
    assert again.review.was_open
    assert text(again.view()).count("is open already, and has them") == 1

    third = here.edit("print(3)\n", "Greet thrice")
    more = here.do("publish")
    assert (more.review.branch, more.review.was_open) == (done.review.branch, True)
    assert here.tip(done.review.branch) == third
    assert here.forge.open == [opened]
    branches = git(here.bare, "for-each-ref", "--format=%(refname:short)", "refs/heads/dbx")
    assert branches == done.review.branch
    assert first in git(here.bare, "rev-list", done.review.branch)
    assert TOKEN not in f"{here.seen}{done}{[one.path for one in here.asked]}"


@at_github
def test_after_the_merge_the_next_commits_get_a_request_of_their_own(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(here.variable, TOKEN)
    here.edit("print(1)\n", "Greet once")
    first = here.do("publish").review.branch
    here.forge.open.clear()
    git(here.bare, "update-ref", "refs/heads/main", here.tip(first))
    assert here.do("publish").commits == ()
    second = here.edit("print(2)\n", "Greet twice")
    done = here.do("publish")
    assert done.review.branch == f"dbx/ada/{second[:7]}"
    assert not done.review.was_open


@at_github
def test_nothing_is_asked_where_nobody_is_signed_in(here: Here) -> None:
    here.edit("print(1)\n", "Greet once")
    done = here.do("publish")
    assert here.asked == []
    assert done.review.request == ""
    last = done.view()[-1]
    assert last.text == "Open a pull request into main"
    assert "dbx%2Fada%2F" in last.link
    assert here.notes == ""


@at_each
def test_a_forge_that_refuses_leaves_the_commits_there_and_a_link(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(here.variable, TOKEN)
    here.forge.is_refusing = True
    commit = here.edit("print(1)\n", "Greet once")
    done = here.do("publish")
    assert here.tip(done.review.branch) == commit
    assert done.review.request == ""
    assert done.view()[-1].link
    assert "The request into main was not opened: " in here.notes
    assert here.variable in here.notes
    assert TOKEN not in here.notes


@at_each
def test_a_request_that_somebody_opened_in_between_is_found(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(here.variable, TOKEN)
    here.forge.is_late = True
    here.edit("print(1)\n", "Greet once")
    done = here.do("publish")
    assert (done.review.request[-1], done.review.was_open) == ("5", True)
    assert len(here.forge.open) == 1


@at_github
def test_what_waits_for_its_review_is_followed_there(here: Here) -> None:
    """Runs that the request has started, if there are any; the others wait for the merge."""
    commit = here.edit("print(1)\n", "Greet once")
    branch = here.do("publish").review.branch
    runs = GitHubHost(commit)
    here.forge.others = lambda _: Answer({"workflow_runs": []})
    with pytest.raises(PipelineError, match=f"waits in {branch} to get into origin/main.*merged"):
        here.do("follow")
    runs.looks, runs.branch, runs.event = 1, branch, "pull_request"
    here.forge.others = runs
    [run] = here.do("follow").runs
    assert (run.state, run.branch) == ("succeeded", branch)
    runs.event = "schedule"
    with pytest.raises(PipelineError, match="waits in"):
        here.do("follow")


QUOTED = "dbx%2Fa%2F1"


@pytest.mark.parametrize(
    ("url", "link"),
    [
        (
            "https://github.com/o/r.git",
            f"https://github.com/o/r/compare/main...{QUOTED}?expand=1",
        ),
        ("git@github.com:o/r.git", f"https://github.com/o/r/compare/main...{QUOTED}?expand=1"),
        (
            "ssh://git@gitlab.com/g/s/r.git",
            (
                f"https://gitlab.com/g/s/r/-/merge_requests/new?merge_request%5Bsource_branch%5D={QUOTED}"
                "&merge_request%5Btarget_branch%5D=main"
            ),
        ),
        (
            "https://me@dev.azure.com/o/p/_git/r",
            f"https://dev.azure.com/o/p/_git/r/pullrequestcreate?sourceRef={QUOTED}&targetRef=main",
        ),
        (
            "git@ssh.dev.azure.com:v3/o/p/r",
            f"https://dev.azure.com/o/p/_git/r/pullrequestcreate?sourceRef={QUOTED}&targetRef=main",
        ),
        (
            "https://me@dev.azure.com/o/My%20Project/_git/r",
            (
                "https://dev.azure.com/o/My%20Project/_git/r/pullrequestcreate"
                f"?sourceRef={QUOTED}&targetRef=main"
            ),
        ),
        (
            "git@gitlab.corp:g/r.git",
            (
                f"https://gitlab.corp/g/r/-/merge_requests/new?merge_request%5Bsource_branch%5D={QUOTED}"
                "&merge_request%5Btarget_branch%5D=main"
            ),
        ),
        ("/somewhere/r.git", ""),
        ("https://git.example.org/r.git", ""),
    ],
)
def test_where_to_open_the_pull_request(git_project: Path, url: str, link: str) -> None:
    git(git_project, "remote", "add", "origin", url)
    assert request_link(Repo(git_project), "origin", "dbx/a/1", "main") == link
