"""Commits that a branch does not take: a branch of their own, and the request to take them in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

from .errors import PipelineError
from .events import Note, Work
from .exchange import asked
from .forge import forge_place, open_host
from .forge_host import RefusedError, escaped
from .pipeline_run import PullRequest
from .repo import Repo

_FOLDER = "dbx"
_COMPARE = {
    "github": "{web}/{path}/compare/{target}...{source}?expand=1",
    "gitlab": "{web}/{path}/-/merge_requests/new"
    "?merge_request%5Bsource_branch%5D={source}&merge_request%5Btarget_branch%5D={target}",
    "azure": "{web}/{project}/_git/{repository}/pullrequestcreate"
    "?sourceRef={source}&targetRef={target}",
}
# What all forges take.
_TITLE, _TEXT = 250, 4000
_THERE_ALREADY = (409, 422)


@dataclass(frozen=True)
class Review:
    """The branch that waits for a review; ``request`` is empty when somebody has to open it.

    ``link`` is the request, or where to open it; ``was_open`` says that it was open before.
    """

    branch: str
    request: str = ""
    link: str = ""
    was_open: bool = False


def branch_for(repo: Repo, commit: str, onto: str | None, listed: str) -> str:
    """Name the branch for the review of a commit: one that waits and that it goes on, else its own.

    ``listed`` are the branches of the remote, as ``git ls-remote`` gives them, and ``onto`` is the
    commit of the one that it is to get into.
    """
    prefix = f"{_FOLDER}/{_who(repo)}/"

    def is_part(tip: str, of: str | None) -> bool:
        return bool(of) and repo.run("merge-base", tip, str(of), check=False) == tip

    for line in listed.splitlines():
        tip, _, ref = line.partition("\t")
        name = ref.removeprefix("refs/heads/")
        if name.startswith(prefix) and is_part(tip, commit) and not is_part(tip, onto):
            return name
    return f"{prefix}{commit[:7]}"


def waiting_branch(repo: Repo, commit: str, remote: str) -> str:
    """The branch of a remote in which a commit waits for its review, as far as git here knows."""
    refs = f"refs/remotes/{remote}/{_FOLDER}/"
    listed = repo.run("for-each-ref", "--format=%(refname)", f"--contains={commit}", refs)
    return listed.partition("\n")[0].removeprefix(f"refs/remotes/{remote}/")


def request_review(
    repo: Repo, remote: str, source: str, target: str, commits: tuple[str, ...]
) -> Work[Review]:
    """Open the request for a branch at its forge, or find the open one.

    Where nobody is signed in, or the forge refuses, there is a link to open it in a browser.
    """
    link = request_link(repo, remote, source, target)
    work = partial(_requested, repo, remote, source, target, commits)
    try:
        found = yield from asked("the forge", work)
    except PipelineError as error:
        yield Note(f"The request into {target} was not opened: {error}", "!")
        found = None
    if found is None:
        return Review(source, link=link)
    request, was_open = found
    return Review(source, request.name, request.link, was_open)


def _requested(
    repo: Repo, remote: str, source: str, target: str, commits: tuple[str, ...]
) -> tuple[PullRequest, bool] | None:
    host = open_host(repo, remote)
    if host is None:
        return None
    there = host.pull_request(source, target)
    if there:
        return there, True
    subjects = [line.partition(" ")[2] for line in commits]
    text = "\n".join(f"- {subject}" for subject in reversed(subjects))[:_TEXT]
    try:
        return host.open_pull_request(source, target, subjects[0][:_TITLE], text), False
    except RefusedError as refused:
        # Somebody may have opened it in between.
        there = host.pull_request(source, target) if refused.status in _THERE_ALREADY else None
        if there is None:
            raise
        return there, True


def _who(repo: Repo) -> str:
    email = repo.run("config", "--get", "user.email", check=False)
    return re.sub(r"[^\w.-]+", "-", email.partition("@")[0]).strip("-.") or "me"


def request_link(repo: Repo, remote: str, source: str, target: str) -> str:
    """Where to open the request in a browser; empty when the host is not a known one."""
    place = forge_place(repo, remote)
    if place is None:
        return ""
    path = escaped(*place.path.split("/"))
    project, _, repository = path.partition("/")
    return _COMPARE[place.kind].format(
        web=place.web,
        path=path,
        project=project,
        repository=repository,
        source=quote(source, safe=""),
        target=quote(target, safe=""),
    )
