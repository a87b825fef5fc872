"""Pipeline files: what is written is what the forges take, and mistakes in them are found."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from forges import AzureHost, GitLabHost, serving

from dbx_magic.auth import find_login
from dbx_magic.dbx import Dbx
from dbx_magic.errors import ConflictError, GitError, PipelineError, ProjectError, UsageError
from dbx_magic.events import Event, Note, Planned, drive
from dbx_magic.pipeline_check import Problem, find_problems
from dbx_magic.pipeline_text import FILES, render
from dbx_magic.verbs import perform

FORGES = list(FILES)


def do(folder: Path, action: str, seen: list[Event] | None = None, /, **arguments: Any) -> Any:
    work = perform(Dbx(folder), "pipeline", {"action": action, **arguments})
    return drive(work, (lambda _: None) if seen is None else seen.append)


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def add_targets(folder: Path, *names: str) -> None:
    with (folder / "dbx.toml").open("a") as file:
        for name in names:
            file.write(f'[targets."{name}"]\nroot = "/Shared/{name}"\n')


TARGETS = [("local",), ("dev", "test-eu", "prod")]


@pytest.mark.parametrize("targets", TARGETS)
@pytest.mark.parametrize("forge", FORGES)
def test_every_target_is_there_and_versions_are_pinned(
    forge: Any, targets: tuple[str, ...]
) -> None:
    for text in render(forge, targets, "release/1.x", "1.2.3").values():
        assert '"release/1.x"' in text
        assert "dbx-magic[databricks]==1.2.3" in text
        assert "__" not in text
        for target in targets:
            assert f"--target {target}\n" in text


def test_what_is_written_is_what_the_forges_take() -> None:
    texts = {
        path.replace(".yml", f"-{len(targets)}.yml"): text
        for forge in FILES
        for targets in TARGETS
        for path, text in render(forge, targets, "release/1.x", "1.2.3").items()
    }
    assert len(texts) == 10
    assert find_problems(texts) == []


@pytest.mark.parametrize(
    ("forge", "kind"),
    [("azure", "azure-devops-oidc"), ("github", "github-oidc"), ("gitlab", "env-oidc")],
)
def test_the_forge_can_vouch_for_a_pipeline_without_any_token(forge: Any, kind: str) -> None:
    texts = render(forge, ("dev", "prod"), "main", "0.1.0", marks={"oidc", "code"})
    assert find_problems(texts) == []
    for text in texts.values():
        assert f"DATABRICKS_AUTH_TYPE: {kind}\n" in text
        assert "DATABRICKS_CLIENT_ID" in text
        assert "databricks_token" not in text.lower()
        assert "#oidc" not in text
    plain = "".join(render(forge, ("dev",), "main", "0.1.0").values())
    assert "oidc" not in plain
    assert "#token" not in plain


@pytest.mark.parametrize("forge", FORGES)
def test_what_dbx_toml_demands_of_data_is_validated_after_each_push(
    git_project: Path, forge: Any
) -> None:
    def written() -> str:
        do(git_project, forge)
        texts = {path: (git_project / path).read_text() for path in FILES[forge].values()}
        assert find_problems(texts) == []
        return "".join(texts.values())

    assert "validate" not in written()
    with (git_project / "dbx.toml").open("a") as file:
        file.write('[data.birds]\nsource = "birds"\n')
    text = written()
    push = text.index("dbx-magic push --target local")
    assert 0 < text.index("dbx-magic validate --target local\n") - push < 100
    assert not re.search(r"#(code|model)$", text, re.MULTILINE)


def test_targets_follow_each_other_after_the_tests() -> None:
    text = render("azure", ("dev", "prod-eu"), "main", "1")["pipelines/build-workspace.yml"]
    order = [line.strip() for line in text.split("\n") if "- stage" in line or "dependsOn" in line]
    assert order == [
        "- stage: tests",
        "- stage: dev",
        "dependsOn: [tests]",
        "- stage: prod_eu",
        "dependsOn: [dev]",
    ]
    assert "group: databricks_cli_prod-eu" in text


MUTATIONS: list[tuple[Any, str, str, str]] = [
    ("azure", "branches:", "branch:", "branch"),
    ("azure", "UsePythonVersion@0", "UsePythonVersion@9", ""),
    ("azure", "versionSpec:", "versionspec:", ""),
    ("azure", "displayName: Push\n", "displayname: Push\n", "displayname"),
    ("azure", "- script: dbx-magic push", "- scripts: dbx-magic push", "scripts"),
    ("azure", "- group:", "- groop:", ""),
    ("azure", "trigger:", "triger:", "triger"),
    ("azure", "dependsOn: [tests]", "dependsOn: [test]", "waits for 'test'"),
    ("azure", "steps:\n", "steps\n", "not valid YAML"),
    ("azure", "dbx-magic push", "TOKEN=$(databricks_token) dbx-magic push", "on a command line"),
    ("github", "branches:", "branch:", "branch"),
    ("github", "runs-on:", "run-on:", ""),
    ("github", "needs: [tests]", "needs: [test]", "waits for 'test'"),
    ("github", "contents: read", "content: read", "content"),
    (
        "github",
        "run: dbx-magic",
        "run: T=${{ secrets.DATABRICKS_TOKEN }} dbx-magic",
        "command line",
    ),
    ("gitlab", "script:", "scripts:", "scripts"),
    ("gitlab", "needs: [tests]", "needs: [test]", "waits for 'test'"),
    ("gitlab", "rules:\n    - changes", "rule:\n    - changes", "rule"),
]


def mutated(number: int) -> tuple[str, str]:
    """The pipeline with one mistake, in a place of its own."""
    forge, before, after, _ = MUTATIONS[number]
    path = list(FILES[forge].values())[-1]
    text = render(forge, ("dev",), "main", "1")[path]
    assert before in text
    return path.replace(".yml", f"{number}.yml"), text.replace(before, after, 1)


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    """What is found in all of them together."""
    return find_problems(dict(mutated(number) for number in range(len(MUTATIONS))))


@pytest.mark.parametrize("number", range(len(MUTATIONS)))
def test_mistakes_are_found_with_their_line(problems: list[Problem], number: int) -> None:
    path, _ = mutated(number)
    mine = [problem for problem in problems if problem.where.startswith(f"{path}:")]
    assert any(MUTATIONS[number][3] in problem.what for problem in mine), mine
    assert all(len(problem.what) < 400 for problem in mine)


def test_the_line_is_the_mistakes_own() -> None:
    path = "pipelines/build-workspace.yml"
    text = render("azure", ("dev",), "main", "1")[path].replace(
        "dependsOn: [tests]", "dependsOn: x"
    )
    [problem] = [item for item in find_problems({path: text}) if "waits" in item.what]
    line = text.split("\n").index("    dependsOn: x") + 1
    assert problem.where == f"{path}:{line}"


def test_a_token_in_a_pipeline_is_found_and_not_shown() -> None:
    token = "dapi" + "0123456789abcdef" * 2
    path = "pipelines/build-cluster.yml"
    text = render("azure", ("dev",), "main", "1")[path].replace("$(databricks_token)", token)
    [problem] = find_problems({path: text})
    assert "a Databricks token" in problem.what
    assert token not in str(problem)


@pytest.mark.parametrize("forge", FORGES)
def test_the_verb_writes_them_for_the_targets_of_the_project(git_project: Path, forge: Any) -> None:
    add_targets(git_project, "dev", "prod")
    done = do(git_project, forge)
    assert done.targets == ("dev", "prod")
    assert done.written == tuple(FILES[forge].values())
    assert "dev and prod" in done.next or "databricks_cli_dev and databricks_cli_prod" in done.next
    checked = do(git_project, "check")
    assert (checked.files, checked.problems) == (done.written, ())
    again = do(git_project, forge)
    assert (again.written, again.unchanged) == ((), done.written)


def test_a_new_target_is_added_to_files_that_nobody_edited(git_project: Path) -> None:
    do(git_project, "azure")
    add_targets(git_project, "dev")
    assert len(do(git_project, "azure").written) == 2
    assert "--target dev" in (git_project / "pipelines/build-cluster.yml").read_text()


def test_edits_are_never_overwritten_unless_that_is_meant(git_project: Path) -> None:
    do(git_project, "azure")
    for name in ("one", "two"):  # none of them is meant
        git(git_project, "remote", "add", name, "https://gitlab.com/a/b")
    assert do(git_project, "check").problems == ()
    file = git_project / "pipelines/build-cluster.yml"
    file.write_text(file.read_text().replace("ubuntu-latest", "ubuntu-24.04"))
    edited = file.read_text()
    add_targets(git_project, "dev")
    seen: list[Event] = []
    do(git_project, "azure", seen, dry_run=True)
    [planned] = seen
    assert isinstance(planned, Planned)
    assert len(planned.plan.steps) == 2
    with pytest.raises(ConflictError, match=r"pipelines/build-cluster\.yml was edited"):
        do(git_project, "azure")
    assert file.read_text() == edited
    do(git_project, "azure", force=True)
    assert "ubuntu-latest" in file.read_text()


def test_somebody_elses_pipeline_counts_as_edited(git_project: Path) -> None:
    (git_project / ".gitlab-ci.yml").write_text("job:\n  script: make\n")
    with pytest.raises(ConflictError, match=r"gitlab-ci\.yml was edited"):
        do(git_project, "gitlab")


def test_check_says_what_is_wrong_and_fails(git_project: Path) -> None:
    with pytest.raises(PipelineError, match="no pipeline yet"):
        do(git_project, "check")
    do(git_project, "azure")
    file = git_project / "pipelines/build-cluster.yml"
    file.write_text(file.read_text().replace("trigger:", "triger:"))
    checked = do(git_project, "check")
    assert checked.exit_code == 7
    assert "triger" in checked.view()[0].text


def test_refusals(git_project: Path, project: Path, tmp_path: Path) -> None:
    add_targets(git_project, "a b")
    with pytest.raises(ProjectError, match="'a b'"):
        do(git_project, "azure")
    outer = tmp_path / "outer"
    outer.mkdir()
    (outer / "dbx.toml").write_text("")
    with pytest.raises(GitError, match="not in a git repository"):
        do(outer, "azure")


@pytest.fixture
def inner(project: Path, tmp_path: Path) -> Path:
    """The project in a folder of its repository."""
    (tmp_path / "teams").mkdir()
    git(tmp_path, "init", "-q")
    folder = tmp_path / "teams" / "hello"
    project.rename(folder)
    return folder


def test_a_project_below_the_top_has_its_pipelines_there(inner: Path, tmp_path: Path) -> None:
    add_targets(inner, "dev", "prod")
    for forge in FORGES:
        written = do(inner, forge)
        assert do(inner, forge).written == ()
        assert all((tmp_path / path).is_file() for path in written.written)
    checked = do(inner, "check")
    assert checked.problems == ()
    assert checked.files == (
        "teams/hello/pipelines/build-cluster.yml",
        "teams/hello/pipelines/build-workspace.yml",
        ".github/workflows/teams-hello-create-cluster.yml",
        ".github/workflows/teams-hello-sync-workspace.yml",
        "teams/hello/.gitlab-ci.yml",
    )
    azure = (inner / "pipelines/build-workspace.yml").read_text()
    assert "- teams/hello/workspace/**\n" in azure
    assert "- teams/hello/pipelines/build-workspace.yml\n" in azure
    assert azure.count("workingDirectory: teams/hello\n") == 3  # the tests, and two targets
    github = (tmp_path / ".github/workflows/teams-hello-sync-workspace.yml").read_text()
    assert 'working-directory: "teams/hello"' in github
    assert "- .github/workflows/teams-hello-sync-workspace.yml\n" in github
    gitlab = (inner / ".gitlab-ci.yml").read_text()
    assert '- cd "teams/hello"\n' in gitlab
    assert '"teams/hello/workspace/**/*"' in gitlab
    assert "commit them with git" in do(inner, "github").next
    assert "include: [{local: teams/hello/.gitlab-ci.yml}]" in do(inner, "gitlab").next


TOKEN = "dapi" + "0123456789abcdef" * 2


@pytest.fixture
def at_azure(git_project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureHost]:
    """The project's remote at Azure DevOps, and a target that its pipelines can reach."""
    monkeypatch.setenv("AZURE_DEVOPS_EXT_PAT", "not-a-token-of-anybody")
    (Path.home() / ".databrickscfg").write_text(
        f"[dev]\nhost = https://dev.dbx.test\ntoken = {TOKEN}\n"
    )
    add_targets(git_project, "dev")
    host = AzureHost("")
    with serving(host) as (address, _):
        git(git_project, "remote", "add", "origin", f"{address}/organisation/project/_git/thing")
        git(git_project, "config", "remote.origin.forge", "azure")
        yield host


def test_what_azure_lacks_is_made_there_once(git_project: Path, at_azure: AzureHost) -> None:
    with pytest.raises(PipelineError, match=r"no pipelines/build-cluster.yml.*pipeline azure"):
        do(git_project, "register")
    do(git_project, "azure")
    seen: list[Event] = []
    planned = do(git_project, "register", seen, dry_run=True)
    assert (at_azure.pipelines, at_azure.groups) == ([], [])
    [plan] = [event.plan for event in seen if isinstance(event, Planned)]
    assert [change.subject for change in plan.changes] == [
        "variable group databricks_cli",
        "pipeline create-cluster",
        "pipeline sync-workspace",
    ]
    with pytest.raises(ConflictError):
        do(git_project, "register", expect="something else")
    done = do(git_project, "register", seen, expect=plan.fingerprint)
    assert len(done.made) == 3
    assert planned.made == done.made
    [group] = at_azure.groups
    assert group["variables"] == {
        "databricks_host": {"value": "https://dev.dbx.test", "isSecret": False},
        "databricks_token": {"value": TOKEN, "isSecret": True},
    }
    assert group["variableGroupProjectReferences"][0]["projectReference"]["id"] == "p-1"
    assert [one["configuration"]["path"] for one in at_azure.pipelines] == [
        "/pipelines/build-cluster.yml",
        "/pipelines/build-workspace.yml",
    ]
    assert at_azure.pipelines[0]["configuration"]["repository"] == {
        "id": "r-1",
        "type": "azureReposGit",
    }
    assert TOKEN not in f"{seen}{done}{plan}"
    again = do(git_project, "register")
    assert (again.made, len(again.kept)) == ((), 3)
    assert len(at_azure.pipelines) == 2


def test_with_oidc_no_token_is_handed_over(git_project: Path, at_azure: AzureHost) -> None:
    do(git_project, "azure", oidc=True)
    done = do(git_project, "register")
    assert at_azure.groups[0]["variables"] == {
        "databricks_host": {"value": "https://dev.dbx.test", "isSecret": False},
        "databricks_client_id": {"value": "", "isSecret": False},
    }
    assert done.left == ("databricks_client_id of databricks_cli",)


def test_the_local_workspace_is_no_place_for_a_pipeline_of_azure(
    git_project: Path, at_azure: AzureHost
) -> None:
    file = git_project / "dbx.toml"
    file.write_text(file.read_text().partition('[targets."dev"]')[0])
    do(git_project, "azure")
    with pytest.raises(ProjectError, match="no pipeline at Azure DevOps can reach"):
        do(git_project, "register")
    assert at_azure.groups == []


def test_azure_itself_is_asked_when_it_can_be(git_project: Path, at_azure: AzureHost) -> None:
    do(git_project, "azure")
    seen: list[Event] = []
    assert do(git_project, "check", seen).problems == ()
    assert "create-cluster is not there yet" in str(seen)
    do(git_project, "register")
    seen.clear()
    assert do(git_project, "check", seen).problems == ()
    assert not [event for event in seen if isinstance(event, Note)]
    at_azure.refuses = "sync-workspace"  # as no schema can know
    checked = do(git_project, "check")
    assert checked.exit_code == 7
    assert checked.problems == (
        Problem(
            "pipelines/build-workspace.yml",
            "/x.yml (Line: 3): sync-workspace is odd",
            "Azure DevOps itself says so.",
        ),
    )
    at_azure.expired = True
    assert do(git_project, "check", seen).problems == ()
    assert "Not checked by Azure DevOps itself" in str(seen)


def test_gitlab_itself_is_asked_when_it_can_be(
    git_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITLAB_TOKEN", "not-a-token-of-anybody")
    do(git_project, "gitlab")
    host = GitLabHost("")
    with serving(host) as (address, _):
        git(git_project, "remote", "add", "origin", f"{address}/group/sub/thing.git")
        git(git_project, "config", "remote.origin.forge", "gitlab")
        assert do(git_project, "check").problems == ()
        host.refuses = "sync-workspace"
        [problem] = do(git_project, "check").problems
        assert problem.what == "jobs config should contain sync-workspace"
        do(git_project, "azure")
        add_targets(git_project, "dev")
        with pytest.raises(PipelineError, match="nothing has to be registered"):
            do(git_project, "register")


def test_a_pipeline_signs_in_with_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBX_MAGIC_LOGIN", "environment")
    with pytest.raises(UsageError, match="DATABRICKS_HOST is not set"):
        find_login("dev")
    monkeypatch.setenv("DATABRICKS_HOST", "https://dbx.test")
    monkeypatch.setenv("DATABRICKS_TOKEN", "$(databricks_token)")
    with pytest.raises(UsageError, match="DATABRICKS_TOKEN is not set"):
        find_login("dev")
    monkeypatch.setenv("DATABRICKS_TOKEN", "t")
    login = find_login("dev")
    assert login is not None
    assert (login.host, login.headers()) == ("https://dbx.test", {"Authorization": "Bearer t"})
