"""Following the runs of a commit at Azure DevOps, GitHub and GitLab: real sockets, real git."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from forges import Answer, Asked, AzureHost, GitHubHost, GitLabHost, serving

from dbx_magic.dbx import Dbx
from dbx_magic.errors import PipelineError
from dbx_magic.events import Event, Note, Progress, Shown, drive
from dbx_magic.follow import Followed
from dbx_magic.forge_host import Place, headers_of, place_of
from dbx_magic.output import Stream
from dbx_magic.repo import Repo
from dbx_magic.verbs import perform

TOKEN = "not-a-token-of-anybody-4711"


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.removesuffix("\n")


class Here:
    """A project whose commit is published to a forge, as far as git here knows."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self.commit = git(folder, "rev-parse", "HEAD")
        self.seen: list[Event] = []
        self.asked: list[Asked] = []

    def at(self, kind: str, path: str, host: Any) -> None:
        """Let the remote be at a forge of this kind."""
        address, self.asked = self._stack.enter_context(serving(host))
        git(self.folder, "remote", "add", "origin", f"{address}/{path}")
        git(self.folder, "config", "remote.origin.forge", kind)
        git(self.folder, "update-ref", "refs/remotes/origin/main", self.commit)

    def follow(self, **arguments: Any) -> Followed:
        work = perform(Dbx(self.folder), "follow", arguments)
        done = drive(work, self.seen.append)
        assert isinstance(done, Followed)
        return done

    @property
    def logs(self) -> str:
        outputs = [event.output for event in self.seen if isinstance(event, Shown)]
        return "".join(output.text for output in outputs if isinstance(output, Stream))

    @property
    def notes(self) -> list[str]:
        notes = [event for event in self.seen if isinstance(event, Note)]
        return [f"{note.symbol} {note.text.partition('   ')[0]}" for note in notes]


@pytest.fixture
def here(git_project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    for name in ("GH_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN", "AZURE_DEVOPS_EXT_PAT"):
        monkeypatch.delenv(name, raising=False)
    with ExitStack() as stack:
        yield Here(git_project, stack)


@pytest.fixture
def store() -> Iterator[tuple[str, list[Asked]]]:
    """Where GitHub keeps logs: another host, which must not see the token."""
    line = "2026-11-24T10:00:00.1234567Z"
    with serving(lambda _: Answer(f"\ufeff{line} Pushing\n{line} Failed: no room\n")) as up:
        yield up


def test_github_is_followed_to_its_end(
    here: Here, store: tuple[str, list[Asked]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GH_TOKEN", TOKEN)
    host = GitHubHost(here.commit)
    host.store, host.busy, host.jobs = store[0], 1, 101
    here.at("github", "owner/thing.git", host)
    done = here.follow(logs=True)
    [run] = done.runs
    assert (run.title, run.state, done.exit_code) == ("sync-workspace #12", "succeeded", 0)
    assert run.link == "https://example.org/runs/12"
    assert len(run.steps) == 303  # two pages of jobs
    assert run.steps[0].seconds == 7.0
    assert here.notes[0] == "✓ sync-workspace #12 · job-0: Step 0"
    assert any(isinstance(event, Progress) and "waiting for" in event.state for event in here.seen)
    assert here.logs.startswith("Pushing\nFailed: no room\n")
    asked = [one for one in here.asked if one.path.startswith("/api/")]  # git asks as well
    assert all(one.headers["Authorization"] == f"Bearer {TOKEN}" for one in asked)
    assert all("Authorization" not in one.headers for one in store[1])
    assert store[1][0].query == {"sig": "signed"}
    assert TOKEN not in f"{done}{here.seen}"


def test_what_fails_shows_its_end_and_gives_an_exit_code(
    here: Here, store: tuple[str, list[Asked]]
) -> None:
    host = GitHubHost(here.commit, conclusion="failure")
    host.store = store[0]
    here.at("github", "owner/thing", host)
    done = here.follow()
    assert (done.runs[0].state, done.exit_code) == ("failed", 7)
    assert done.ends[0].endswith("Failed: no room")
    assert here.logs == ""
    assert here.notes == [
        "✓ sync-workspace #12 · job-0: Step 0",
        "✗ sync-workspace #12 · job-0: Step 1",
        "✗ sync-workspace #12 · job-0: Step 2",
    ]
    assert all("Authorization" not in one.headers for one in here.asked)  # nobody signed in


@pytest.mark.parametrize(
    ("kind", "path", "host", "reason"),
    [
        ("github", "owner/thing", lambda commit: GitHubHost(commit, conclusion="cancelled"), "#13"),
        (
            "azure",
            "organisation/project/_git/thing",
            lambda commit: AzureHost(commit, result="canceled"),
            "#90",
        ),
        ("gitlab", "group/sub/thing", lambda commit: GitLabHost(commit, status="canceled"), "#78"),
    ],
)
def test_a_run_that_gave_way_to_a_later_one_says_so(
    here: Here, kind: str, path: str, host: Any, reason: str
) -> None:
    forge = host(here.commit)
    forge.newer = "abcdef0" + "1" * 33
    here.at(kind, path, forge)
    done = here.follow()
    assert (done.runs[0].state, done.exit_code) == ("superseded", 7)
    assert done.runs[0].reason == f"superseded by {reason} of abcdef0"


def test_azure_is_followed_to_its_end(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_DEVOPS_EXT_PAT", TOKEN)
    here.at("azure", "organisation/project/_git/thing", AzureHost(here.commit))
    done = here.follow(logs=True)
    [run] = done.runs
    assert (run.number, run.state, run.branch) == (31, "succeeded", "main")
    assert [(step.stage, step.name, step.state) for step in run.steps] == [
        ("tests", "Test", "succeeded"),
        ("dev", "Push", "succeeded"),
    ]
    # A log that grows is shown once, line by line, without Azure's times.
    assert here.logs == "Tests pass\nPushing\ntwo\n##[section]Finishing: Push\n"
    assert here.asked[0].headers["Authorization"].startswith("Basic ")
    assert TOKEN not in f"{done}{here.seen}{[one.path for one in here.asked]}"


def test_an_expired_token_of_azure_is_told_as_such(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = AzureHost(here.commit)
    host.expired = True
    here.at("azure", "organisation/project/_git/thing", host)
    with pytest.raises(PipelineError, match=r"wants a token.*AZURE_DEVOPS_EXT_PAT"):
        here.follow()
    monkeypatch.setenv("AZURE_DEVOPS_EXT_PAT", TOKEN)
    with pytest.raises(PipelineError, match="may have expired") as caught:
        here.follow()
    assert TOKEN not in str(caught.value)


def test_a_redirect_to_a_sign_in_page_is_not_followed(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_DEVOPS_EXT_PAT", TOKEN)
    elsewhere = Answer("", 302, {"Location": "https://example.org/_signin"})
    here.at("azure", "organisation/project/_git/thing", lambda _: elsewhere)
    with pytest.raises(PipelineError, match="may have expired"):
        here.follow()
    assert len(here.asked) == 1


def test_gitlab_is_followed_to_its_end(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITLAB_TOKEN", TOKEN)
    here.at("gitlab", "group/sub/thing.git", GitLabHost(here.commit))
    done = here.follow(logs=True)
    assert [(step.stage, step.name) for step in done.runs[0].steps] == [
        ("test", "tests"),
        ("deploy", "sync-workspace:dev"),
    ]
    assert done.runs[0].steps[1].seconds == 4.5
    # Half a line waits for its rest; colours and marks of sections are left out.
    assert sorted(here.logs.splitlines()) == sorted(
        2 * ["Building", "half a line"] + ["Running job 1", "Running job 2"]
    )


@pytest.mark.parametrize(
    ("kind", "path", "host"),
    [
        ("azure", "organisation/project/_git/thing", AzureHost),
        ("gitlab", "group/sub/thing", GitLabHost),
    ],
)
def test_what_a_forge_has_deployed_is_marked_at_the_remote_once(
    here: Here, tmp_path: Path, kind: str, path: str, host: Any
) -> None:
    with (here.folder / "dbx.toml").open("a") as file:
        file.write("[targets.dev]\n[targets.prod]\n")
    here.at(kind, path, host(here.commit))
    bare = tmp_path / "remote.git"
    git(tmp_path, "init", "-q", "--bare", str(bare))
    git(here.folder, "config", "remote.origin.pushurl", str(bare))
    here.follow()
    subject = git(bare, "for-each-ref", "--format=%(refname) %(contents:subject)")
    assert subject.startswith("refs/tags/dbx/dev/1 Deployed to dev by ")
    assert len(subject.splitlines()) == 1  # nothing is said of prod
    here.follow()
    assert git(bare, "tag", "--list") == git(here.folder, "tag", "--list") == "dbx/dev/1"
    [version] = drive(perform(Dbx(here.folder), "history", {}), lambda _: None).versions
    assert version.where == ("dev/1",)


def test_a_mark_that_the_remote_does_not_take_is_not_kept(here: Here) -> None:
    with (here.folder / "dbx.toml").open("a") as file:
        file.write("[targets.dev]\n")
    here.at("azure", "organisation/project/_git/thing", AzureHost(here.commit))
    assert here.follow().exit_code == 0
    assert git(here.folder, "tag", "--list") == ""
    assert any("The tag dbx/dev/1 was not taken at origin" in note for note in here.notes)


def test_what_is_refused_is_told_with_what_to_do(here: Here) -> None:
    no = Answer({"message": "Not Found"}, 404)
    here.at("github", "owner/thing", lambda _: no)
    with pytest.raises(PipelineError, match=r"only for those who sign in.*GH_TOKEN.*Actions"):
        here.follow()


def test_what_is_not_published_is_not_waited_for(here: Here) -> None:
    host = GitHubHost(here.commit)
    here.at("github", "owner/thing", host)
    git(here.folder, "commit", "-q", "--allow-empty", "-m", "not there yet")
    host.commit = git(here.folder, "rev-parse", "HEAD")
    with pytest.raises(PipelineError, match=r"is not at origin/main yet.*publish"):
        here.follow()


def test_stopping_ends_it_at_once(here: Here) -> None:
    here.at("gitlab", "group/sub/thing", GitLabHost(here.commit, status="running"))
    work = perform(Dbx(here.folder), "follow", {})
    next(event for event in work if isinstance(event, Progress))
    work.close()
    with pytest.raises(StopIteration):
        next(work)


@pytest.mark.parametrize(
    ("url", "kind", "place"),
    [
        ("https://github.com/o/r.git", "", Place("github", "https://github.com", "o/r", True)),
        ("git@github.com:o/r.git", "", Place("github", "https://github.com", "o/r", True)),
        ("ssh://git@github.com:22/o/r", "", Place("github", "https://github.com", "o/r", True)),
        ("git@gitlab.com:g/s/r.git", "", Place("gitlab", "https://gitlab.com", "g/s/r", True)),
        # A name is only a guess: no token of the environment goes there.
        ("git@gitlab.corp:g/r", "", Place("gitlab", "https://gitlab.corp", "g/r", False)),
        ("git@git.corp:g/r", "gitlab", Place("gitlab", "https://git.corp", "g/r", True)),
        (
            "https://git.corp:84/g/r",
            "github",
            Place("github", "https://git.corp:84", "g/r", True),
        ),
        (
            "https://me@dev.azure.com/org/My%20Project/_git/repo",
            "",
            Place("azure", "https://dev.azure.com/org", "My Project/repo", True),
        ),
        (
            "https://dev.azure.com/org/_git/repo",
            "",
            Place("azure", "https://dev.azure.com/org", "repo/repo", True),
        ),
        (
            "git@ssh.dev.azure.com:v3/org/project/repo",
            "",
            Place("azure", "https://dev.azure.com/org", "project/repo", True),
        ),
        (
            "https://org.visualstudio.com/DefaultCollection/project/_git/repo",
            "",
            Place("azure", "https://org.visualstudio.com/DefaultCollection", "project/repo", True),
        ),
        ("https://example.org/o/r", "", None),
        ("/somewhere/else.git", "", None),
        ("../else", "github", None),
    ],
)
def test_where_a_remote_is(url: str, kind: str, place: Place | None) -> None:
    assert place_of(url, kind) == place


def test_no_token_goes_where_it_does_not_belong(
    git_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITLAB_TOKEN", TOKEN)
    git(git_project, "remote", "add", "origin", "https://gitlab.corp/g/r")
    repo = Repo(git_project)
    guessed = place_of("https://gitlab.corp/g/r")
    assert guessed is not None
    assert headers_of(repo, "origin", guessed) == {}
    plain = place_of("http://git.corp/g/r", "gitlab")
    assert plain is not None
    with pytest.raises(PipelineError, match="not encrypted") as caught:
        headers_of(repo, "origin", plain)
    assert TOKEN not in str(caught.value)


def test_what_git_signs_in_with_will_do(git_project: Path, tmp_path: Path) -> None:
    git(git_project, "remote", "add", "origin", "https://github.com/o/r")
    place = place_of("https://github.com/o/r")
    assert place is not None
    repo = Repo(git_project)
    assert headers_of(repo, "origin", place) == {}
    script = tmp_path / "helper"
    script.write_text(f'#!/bin/sh\ngrep -q host=github.com && echo "password={TOKEN}"\n')
    script.chmod(0o755)
    git(git_project, "config", "credential.helper", str(script))
    git(git_project, "config", "credential.username", "me")
    assert headers_of(repo, "origin", place) == {"Authorization": f"Bearer {TOKEN}"}
