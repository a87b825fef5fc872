"""Commits on their way to the remote: what is new there and here, and bringing them together.

Neither the user's index nor the files on disk take part in it: commits that have to be put on top
of others are rebased in a work tree of their own.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from . import lockfile
from .crew import Crew
from .draft import scratch
from .errors import ConflictError, GitError
from .events import Planned, Progress, Work
from .exchange import ticking
from .local_remote import LocalRemote
from .plan import Change, Plan
from .project import SPEC
from .repo import Answer, Repo
from .review import Review, branch_for, request_review
from .view import Line, View, counted

ResultT = TypeVar("ResultT")
_EMPTY = lockfile.Lock().render()
_TRIES = 4
_SHOWN = 12
_QUIET = ("-c", f"core.hooksPath={os.devnull}", "-c", "rebase.updateRefs=false")


@dataclass(frozen=True)
class Published:
    """What went to the remote; ``commit`` has a new id when it was put on top of ``theirs``.

    ``review`` is set when the remote does not take commits on ``branch`` itself; ``said`` is what
    the remote had to say.
    """

    remote: str
    branch: str
    commit: str
    commits: tuple[str, ...]
    theirs: int = 0
    review: Review | None = None
    said: str = ""
    dry_run: bool = False

    def view(self) -> View:
        """One line; two more when there is something left to do."""
        to = f"{self.remote}/{self.branch}"
        if self.dry_run:
            return []
        said = [Line(line, indent=1) for line in self.said.split("\n") if line]
        if not self.commits:
            return [Line("nothing to publish", "✓", note=f"{to} is at {self.commit[:7]}"), *said]
        commits = counted(len(self.commits), "commit")
        if self.review:
            return [
                Line(f"{commits} published to {self.remote}/{self.review.branch}", "✓"),
                *([Line(f"{to} takes no commits: {self.said}", indent=1)] if self.said else []),
                Line(self._review_words(self.review), link=self.review.link, indent=1),
            ]
        lines = [Line(f"{commits} published to {to}, now at {self.commit[:7]}", "✓")]
        if self.theirs:
            words = f"on top of {counted(self.theirs, 'commit')} of others, which are not here yet"
            # Not `git pull`: that would put ours on top once more, and merge the lock by lines.
            note = f"`git switch -C {self.branch} {to}` brings them"
            lines.append(Line(words, note=note, indent=1))
        return [*lines, *said]

    def _review_words(self, review: Review) -> str:
        if not review.request:
            return f"Open a pull request into {self.branch}"
        already = " already, and has them" if review.was_open else ""
        request = review.request[0].upper() + review.request[1:]
        return f"{request} into {self.branch} is open{already}"


@dataclass(frozen=True)
class Destination:
    """Where the commits of a branch go."""

    remote: str
    branch: str

    def __str__(self) -> str:
        return f"{self.remote}/{self.branch}"


@dataclass(frozen=True)
class Ahead:
    """What a branch has that its destination does not, and the other way round.

    ``tip`` is the destination's commit, ``None`` when there is no such branch yet.
    """

    head: str
    tip: str | None
    commits: tuple[str, ...]
    theirs: int


def destination(repo: Repo, branch: str) -> Destination:
    """Find out where a branch is published to, as ``git push`` would.

    Raises:
        GitError: there is no remote, or more than one and none of them is meant.
    """
    remotes = repo.run("remote").split()
    for key in (f"branch.{branch}.pushRemote", "remote.pushDefault", f"branch.{branch}.remote"):
        remote = repo.run("config", "--get", key, check=False)
        if remote and remote != ".":
            break
    else:
        if not remotes:
            raise GitError(
                "There is no remote to publish to.", "Add one: `git remote add origin URL`"
            )
        if len(remotes) > 1 and "origin" not in remotes:
            raise GitError(
                f"There are {len(remotes)} remotes to publish to: {', '.join(remotes)}.",
                f"Say which: `git config branch.{branch}.remote {remotes[0]}`",
            )
        remote = remotes[0] if len(remotes) == 1 else "origin"
    merge = repo.run("config", "--get", f"branch.{branch}.merge", check=False)
    tracked = repo.run("config", "--get", f"branch.{branch}.remote", check=False) == remote
    return Destination(remote, merge.removeprefix("refs/heads/") if merge and tracked else branch)


def look(repo: Repo, head: str, to: Destination) -> Generator[float, None, Ahead]:
    """Ask the remote where the branch is, and get what is new there."""
    ref = f"refs/heads/{to.branch}"
    answer = yield from repo.ask("ls-remote", "--", to.remote, ref)
    listed = _reached(answer, to).text
    tip = listed.partition("\t")[0] or None
    if tip and repo.run("cat-file", "-t", tip, check=False) != "commit":
        # A ref of our own keeps it, whatever the user's configuration fetches.
        fetched = f"+{ref}:refs/dbx/published"
        answer = yield from repo.ask("fetch", "--quiet", "--no-tags", "--", to.remote, fetched)
        _reached(answer, to)
        tip = repo.run("rev-parse", "refs/dbx/published")
        repo.run("update-ref", "-d", "refs/dbx/published")
    mine = missing(repo, head, tip)
    theirs = repo.run("rev-list", "--count", f"{head}..{tip}") if tip else "0"
    return Ahead(head, tip, mine, int(theirs))


def missing(repo: Repo, head: str, tip: str | None) -> tuple[str, ...]:
    """Name the commits that the remote's branch does not have in any form, newest first."""
    listed = repo.run("log", "--format=%h %s", head, *([f"^{tip}"] if tip else []))
    # Those that were put on top of others' commits before are there; only their lock differs.
    same = (
        "--cherry-mark",
        "--right-only",
        f"{tip}...{head}",
        "--",
        ".",
        f":(exclude){lockfile.NAME}",
    )
    marked = repo.run("log", "--format=%m%h %s", *same) if tip else ""
    there = {line[1:] for line in marked.split("\n") if line.startswith("=")}
    return tuple(line for line in listed.split("\n") if line and line not in there)


def _reached(answer: Answer, to: Destination) -> Answer:
    if answer.code:
        raise GitError(
            f"{to.remote} cannot be reached: {answer.words}",
            f"See that `git fetch {to.remote}` works in a terminal: it can ask for a password.",
        )
    return answer


def push(repo: Repo, commit: str, to: Destination) -> Generator[float, None, Answer]:
    """Push one commit to one branch, never by force; the remote takes it whole or not at all."""
    refs = f"{commit}:refs/heads/{to.branch}"
    return (yield from repo.ask("push", "--porcelain", "--", to.remote, refs))


def follow(repo: Repo, branch: str, to: Destination) -> None:
    """Make the branch track what it was published to, unless it tracks something already."""
    if not repo.run("config", "--get", f"branch.{branch}.remote", check=False):
        repo.run("branch", "--quiet", f"--set-upstream-to={to}", branch, check=False)


def rebase(repo: Repo, ahead: Ahead, to: Destination, cluster: str) -> Generator[float, None, str]:
    """Put the commits on top of what is new at the remote, and give the last one's new id.

    ``dbx.lock`` is not merged by its lines but made anew; ``cluster`` is the project's.

    Raises:
        ConflictError: the same lines were changed on both sides.
    """
    onto = ahead.tip or ahead.head
    with scratch(repo, "publish") as folder:
        # Git must forget the work trees that were in the folders of killed processes.
        repo.run("worktree", "prune")
        tree = folder / "tree"
        no_downloads = {"GIT_LFS_SKIP_SMUDGE": "1"}
        add = ("worktree", "add", "--quiet", "--detach", str(tree), ahead.head)
        repo.run(*_QUIET, *add, env=no_downloads)
        there, project = Repo(tree), Repo(tree / repo.prefix)
        try:
            how = ("rebase", "--rebase-merges", "--empty=drop", onto)
            answer = yield from there.ask(*_QUIET, *how, env=no_downloads)
            while answer.code:
                conflicts = there.conflicts()
                if not conflicts:
                    answer.checked("rebase")
                if conflicts != [repo.prefix + lockfile.NAME]:
                    raise ConflictError(
                        f"{', '.join(conflicts)}: changed here and in {to}. Nothing was published.",
                        "Bring them together with `git pull`, or publish to a branch of its own "
                        "with `publish --branch`.",
                    )
                text = _locked_anew(project, cluster)
                (project.folder / lockfile.NAME).write_text(text, encoding="utf-8")
                project.run("add", "--", lockfile.NAME)
                left = project.run("diff", "--cached", "--name-only", "HEAD")
                go_on = "--continue" if left else "--skip"
                answer = yield from there.ask(*_QUIET, "rebase", go_on, env=no_downloads)
            return str(there.head)
        finally:
            repo.run("worktree", "remove", "--force", str(tree), check=False)


def _locked_anew(there: Repo, cluster: str) -> str:
    """Make ``dbx.lock`` where both sides changed it; ours tells what training recorded."""
    theirs, ours = (
        lockfile.parse(there.run("show", f":{stage}:./{lockfile.NAME}", check=False) or _EMPTY)
        for stage in (2, 3)
    )
    both = replace(ours, data={**theirs.data, **ours.data}, models={**theirs.models, **ours.models})
    blobs = {path: blob for path, (_, blob) in there.staged().items()}
    spec = there.folder / SPEC
    text = spec.read_text(encoding="utf-8-sig") if spec.exists() else None
    return lockfile.renewed(both, blobs, text, cluster, str(SPEC)).render()


@dataclass(frozen=True)
class Push:
    """Publish a commit, on top of what is at the remote already."""

    commit: str
    remote: str
    branch: str
    onto: str


def publish_branch(
    repo: Repo,
    cluster: str,
    *,
    to_branch: bool = False,
    dry_run: bool = False,
    expect: str = "",
) -> Work[Published]:
    """Publish what is checked out; ``cluster`` is the project's, for ``dbx.lock``.

    Raises:
        GitError: there is no commit or no remote, it cannot be reached, or it refuses.
        ConflictError: the same lines were changed at the remote, or the plan is not the expected.
    """
    head, branch = _head(repo)
    to = destination(repo, branch)
    tried, said = None, ""
    for _ in range(_TRIES):
        ahead = yield from waiting(look(repo, head, to), to.remote, "looking for what is new")
        if tried is None:
            plan = _plan_push(ahead, to)
            if dry_run:
                yield Planned(plan)
            plan.must_be(expect)
        done = Published(to.remote, to.branch, head, ahead.commits, ahead.theirs, dry_run=dry_run)
        if dry_run:
            return done
        if not ahead.commits:
            tip = ahead.tip or head
            left = yield from _gone_on(repo, to, tip)
            return replace(done, commit=tip, theirs=0, said=left)
        if to_branch or (tried and tried.tip == ahead.tip):
            # The remote did not move, so it was not that: it refuses.
            return (yield from _for_review(repo, to, ahead, said))
        tried, commit = ahead, head
        if ahead.theirs:
            rebasing = rebase(repo, ahead, to, cluster)
            commit = yield from waiting(rebasing, str(to), "putting ours on top of theirs")
        if commit == ahead.tip:
            return replace(done, commit=commit, commits=(), theirs=0)
        answer = yield from waiting(push(repo, commit, to), str(to), "publishing")
        if not answer.code:
            follow(repo, branch, to)
            return replace(done, commit=commit, said="\n".join(_remote_words(answer)))
        said = _refusal(answer)
    raise ConflictError(
        f"{to} moved {_TRIES} times while this was being published.", "Nothing is lost. Try again."
    )


def _gone_on(repo: Repo, to: Destination, commit: str) -> Work[str]:
    """Begin again what was killed here; a forge has means of its own for that."""
    local = LocalRemote.of(repo, to.remote)
    if local is None:
        return ""
    with Crew() as crew:
        work = crew.start(partial(local.go_on, commit, to.branch))
        return (yield from ticking(crew.wait(work), "looking for what was killed", to.remote))


def _for_review(repo: Repo, to: Destination, ahead: Ahead, said: str) -> Work[Published]:
    done = Published(to.remote, to.branch, ahead.head, ahead.commits, said=said)
    listing = repo.ask("ls-remote", "--heads", "--", to.remote, "refs/heads/dbx/*")
    listed = yield from waiting(listing, to.remote, "looking for a branch that waits")
    branch = branch_for(repo, ahead.head, ahead.tip, _reached(listed, to).text)
    review = Destination(to.remote, branch)
    answer = yield from waiting(push(repo, ahead.head, review), str(review), "publishing")
    if answer.code:
        raise GitError(f"{to.remote} refuses these commits: {said or _refusal(answer)}")
    asking = request_review(repo, to.remote, branch, to.branch, ahead.commits)
    return replace(done, review=(yield from asking))


def _refusal(answer: Answer) -> str:
    """What the remote said in refusing: its own words, or git's for it.

    Raises:
        GitError: it was not the remote that refused, but a hook here, or the way there.
    """
    git = [line.split("\t")[-1] for line in answer.text.splitlines() if line.startswith("!")]
    if not git:
        answer.checked("push")
    return " ".join(_remote_words(answer)) or " ".join(git)


def _remote_words(answer: Answer) -> list[str]:
    lines = [line.strip() for line in answer.words.splitlines() if line.startswith("remote:")]
    return [words for line in lines if (words := line.removeprefix("remote:").strip())]


def _head(repo: Repo) -> tuple[str, str]:
    repo.must_exist()
    head, branch = repo.head, repo.branch
    if head is None:
        raise GitError("There is no commit to publish yet.", "Make one: `commit -m …`")
    if branch is None:
        raise GitError("HEAD is detached: it is on no branch.", "Switch to one: `git switch main`")
    return head, branch


def _plan_push(ahead: Ahead, to: Destination) -> Plan[Push]:
    if not ahead.commits:
        return Plan(f"{to} has all commits", ())
    why = f"on top of {counted(ahead.theirs, 'commit')} of others" if ahead.theirs else ""
    changes = tuple(Change("+", line, reason=why) for line in ahead.commits[:_SHOWN])
    title = f"{counted(len(ahead.commits), 'commit')} will be published to {to}"
    step = Push(ahead.head, to.remote, to.branch, ahead.tip or "")
    return Plan(title, (step,), changes, "publish")


def waiting(work: Generator[float, None, ResultT], subject: str, state: str) -> Work[ResultT]:
    """Tell how long a call of git takes, and give its answer."""
    with contextlib.closing(work):
        while True:
            try:
                elapsed = next(work)
            except StopIteration as end:
                result: ResultT = end.value
                return result
            yield Progress(subject, state, elapsed)
