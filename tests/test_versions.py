from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dbx_magic import lockfile
from dbx_magic.dbx import Dbx
from dbx_magic.errors import ConflictError, DbxError, GitError, ProjectError, UsageError
from dbx_magic.events import Event, Planned, drive
from dbx_magic.verbs import perform
from dbx_magic.versions import uncommitted

# Put together here, so that no scanner takes this file itself for a leak.
TOKEN = "dapi" + "0123456789abcdef" * 2
OUTPUT = [{"output_type": "stream", "name": "stdout", "text": ["secret\n"]}]


class Here:
    """The project in its repository, and the user beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, verb: str, seen: list[Event] | None = None, /, **arguments: Any) -> Any:
        """Perform a verb as a new process would."""
        work = perform(Dbx(self.folder), verb, arguments)
        return drive(work, (lambda _: None) if seen is None else seen.append)

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.folder, check=True, capture_output=True)
        return done.stdout.decode(errors="replace").removesuffix("\n")

    def write(self, path: str, text: str) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def hook(self, name: str, script: str, folder: str = ".git/hooks") -> None:
        self.write(f"{folder}/{name}", f"#!/bin/sh\n{script}\n")
        (self.folder / folder / name).chmod(0o755)

    @property
    def state(self) -> tuple[str, str, str, str]:
        """All that a refused commit must leave as it was."""
        return (
            self.git("rev-parse", "HEAD"),
            self.git("status", "--porcelain=v2", "-uall"),
            self.git("ls-files", "--stage"),
            self.git("for-each-ref"),
        )


@pytest.fixture
def here(git_project: Path) -> Here:
    return Here(git_project)


def notebook(source: str = "print(1)", outputs: list[Any] | None = None) -> str:
    cell = {
        "cell_type": "code",
        "execution_count": 1 if outputs else None,
        "id": "a",
        "metadata": {},
        "outputs": outputs or [],
        "source": [source],
    }
    content = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def test_a_commit_holds_the_projects_files_and_nothing_else(here: Here) -> None:
    here.write("notebooks/train.ipynb", notebook())
    here.write("workspace/lib/a.py", "a = 1\n")
    here.write("workspace/greet.py", "print('hi')\n")
    here.write("README.md", "not ours\n")
    here.write(".gitignore", "*.log\n")
    here.write("workspace/x.log", "ignored\n")
    done = here("commit", message="Train\n\nwith care")
    assert done.commit == here.git("rev-parse", "HEAD")
    assert [(file.symbol, file.path) for file in done.files] == [
        ("+", ".gitignore"),
        ("+", "dbx.lock"),
        ("+", "notebooks/train.ipynb"),
        ("~", "workspace/greet.py"),
        ("+", "workspace/lib/a.py"),
        ("+", "workspace/train.py"),
    ]
    assert here.git("show", "--name-only", "--format=", "HEAD").split("\n") == [
        file.path for file in done.files
    ]
    assert here.git("status", "--porcelain", "-uall") == "?? README.md"
    assert here.git("log", "-1", "--format=%s") == "Train"
    trailer = here.git("log", "-1", "--format=%(trailers:key=Dbx-Cluster,valueonly)").strip()
    assert trailer == f"hello {done.spec}"


def test_a_notebook_is_committed_converted_and_the_sources_are_on_disk(here: Here) -> None:
    here.write("notebooks/train.ipynb", notebook())
    here("commit", message="m")
    assert here.git("show", "HEAD:workspace/train.py").endswith("print(1)")
    assert (here.folder / "workspace/train.py").read_text().endswith("print(1)\n")
    (here.folder / "notebooks/train.ipynb").unlink()
    here("commit", message="m")
    assert here.git("ls-tree", "-r", "--name-only", "HEAD", "workspace") == "workspace/greet.py"
    assert not (here.folder / "workspace/train.py").exists()


def test_outputs_stay_on_disk_and_out_of_git(here: Here) -> None:
    here.write("notebooks/train.ipynb", notebook(outputs=OUTPUT))
    here("commit", message="m")
    assert here.git("show", "HEAD:notebooks/train.ipynb") + "\n" == notebook()
    assert (here.folder / "notebooks/train.ipynb").read_text() == notebook(outputs=OUTPUT)
    here.write("notebooks/train.ipynb", notebook(outputs=[*OUTPUT, *OUTPUT]))
    assert here("commit", message="m").files == ()


def test_outputs_are_kept_when_the_project_says_so(here: Here) -> None:
    here.write("dbx.toml", 'project = "hello"\noutputs = "keep"\n')
    here.write("notebooks/train.ipynb", notebook(outputs=OUTPUT))
    here("commit", message="m")
    assert "secret" in here.git("show", "HEAD:notebooks/train.ipynb")


def test_pipelines_are_part_of_a_version_wherever_their_forge_wants_them(here: Here) -> None:
    for forge in ("azure", "github", "gitlab"):
        here("pipeline", action=forge)
    here.write(".github/workflows/other.yml", "")
    here("commit", message="m")
    assert here.git("status", "--porcelain", "-uall") == "?? .github/workflows/other.yml"


def test_an_unchanged_project_makes_no_commit_and_says_so(here: Here) -> None:
    first = here("commit", message="one")
    before = here.state
    again = here("commit", message="two")
    assert (again.commit, again.files) == (first.commit, ())
    assert again.view()[0].text == "nothing to commit"
    assert here.state == before


def test_the_lock_says_what_is_in_the_commit_on_every_machine_alike(here: Here) -> None:
    here.write("notebooks/train.ipynb", notebook(outputs=OUTPUT))
    here("commit", message="m")
    text = here.git("show", "HEAD:dbx.lock") + "\n"
    lock = lockfile.parse(text)
    assert lock.notebooks == {
        "notebooks/train.ipynb": here.git("rev-parse", "HEAD:notebooks/train.ipynb")
    }
    assert set(lock.workspace) == {"workspace/greet.py", "workspace/train.py"}
    assert lock.cluster == "hello"
    assert (here.folder / "dbx.lock").read_text() == text


def test_the_lock_carries_what_training_recorded(here: Here) -> None:
    here.write("dbx.lock", lockfile.Lock(models={"m": "3"}, data={"d": "42"}).render())
    here("commit", message="m")
    assert lockfile.parse(here.git("show", "HEAD:dbx.lock")).models == {"m": "3"}
    assert "Dbx-Model: m 3\nDbx-Data: d 42" in here.git("log", "-1", "--format=%b")


def test_what_is_staged_stays_staged(here: Here) -> None:
    here.write("README.md", "one\n")
    here.git("add", "README.md")
    here.write("README.md", "two\n")
    here.write("other.txt", "x\n")
    here.git("add", "-N", "other.txt")
    before = here.git("status", "--porcelain=v2")
    here.write("workspace/greet.py", "print('staged')\n")
    here.git("add", "workspace/greet.py")
    here.write("workspace/greet.py", "print('later')\n")
    here("commit", message="m")
    assert here.git("show", "HEAD:workspace/greet.py") == "print('later')"
    assert here.git("status", "--porcelain=v2") == before


def test_an_edit_within_the_second_of_the_last_commit_is_seen(here: Here) -> None:
    here.git("config", "core.trustctime", "false")
    file, index = here.folder / "workspace/greet.py", here.folder / ".git/index"
    text = file.read_text()
    second = 1_700_000_000_000_000_000
    for path in (file, index):
        os.utime(path, ns=(second, second))
    here.git("update-index", "--refresh")
    os.utime(index, ns=(second, second))
    file.write_text(text.replace("hello", "HELLO"))
    os.utime(file, ns=(second, second))
    here("commit", message="m")
    assert "HELLO" in here.git("show", "HEAD:workspace/greet.py")


def test_the_first_commit_of_a_repository(project: Path) -> None:
    here = Here(project)
    here.git("init", "-q")
    here.write("README.md", "")
    here.git("add", "README.md")
    here("commit", message="First")
    assert here.git("rev-list", "--count", "HEAD") == "1"
    assert here.git("status", "--porcelain") == "A  README.md"


def test_a_project_in_a_subfolder_commits_only_itself(tmp_path: Path, project: Path) -> None:
    here = Here(project)
    outside = Here(tmp_path)
    outside.git("init", "-q")
    outside.write("workspace/not-ours.py", "")
    here.write("notebooks/train.ipynb", notebook(outputs=OUTPUT))
    here("commit", message="m")
    assert "hello/workspace/train.py" in outside.git("ls-files").split("\n")
    assert outside.git("status", "--porcelain", "-uno") == " M hello/notebooks/train.ipynb"
    assert outside.git("status", "--porcelain", "workspace") == "?? workspace/"


def test_a_dry_run_shows_the_plan_and_changes_nothing(here: Here) -> None:
    here.write("notebooks/train.ipynb", notebook())
    before = here.state
    seen: list[Event] = []
    here("commit", seen, message="m", dry_run=True)
    [planned] = seen
    assert isinstance(planned, Planned)
    assert [change.subject for change in planned.plan.changes] == [
        "notebooks/train.ipynb",
        "workspace/train.py",
    ]
    assert here.state == before
    assert not (here.folder / "workspace/train.py").exists()
    here.write("notebooks/train.ipynb", notebook("print(2)"))
    with pytest.raises(ConflictError, match="changed since this plan"):
        here("commit", message="m", expect=planned.plan.fingerprint)
    here.write("notebooks/train.ipynb", notebook())
    here("commit", message="m", expect=planned.plan.fingerprint)


@pytest.mark.parametrize("folder", [".git/hooks", "my hooks"])
@pytest.mark.parametrize("name", ["pre-commit", "commit-msg"])
def test_a_hook_that_says_no_changes_nothing(here: Here, folder: str, name: str) -> None:
    if folder != ".git/hooks":
        here.git("config", "core.hooksPath", folder)
    here.hook(name, "echo 'line too long' >&2; exit 1", folder)
    here.write("README.md", "staged\n")
    here.git("add", "README.md")
    here.write("notebooks/train.ipynb", notebook())
    before = here.state
    with pytest.raises(GitError, match=r"line too long"):
        here("commit", message="m")
    assert here.state == before
    assert not (here.folder / "dbx.lock").exists()
    assert not (here.folder / "workspace/train.py").exists()


def test_a_hook_that_rewrites_files_is_followed(here: Here) -> None:
    here.hook("pre-commit", "echo '# checked' >> workspace/greet.py; git add workspace/greet.py")
    here.write("workspace/greet.py", "print(2)\n")
    here("commit", message="m")
    assert here.git("show", "HEAD:workspace/greet.py") == "print(2)\n# checked"
    assert here.git("status", "--porcelain") == ""


def test_a_hook_that_amends_is_followed(here: Here) -> None:
    here.hook(
        "post-commit",
        "test -f .git/done && exit; touch .git/done; git commit -q --amend -m Amended",
    )
    here.write("workspace/greet.py", "print(2)\n")
    done = here("commit", message="m")
    assert here.git("log", "-1", "--format=%H %s") == f"{done.commit} Amended"
    assert here.git("status", "--porcelain") == ""


def test_a_secret_that_a_hook_brings_in_is_refused_as_well(here: Here) -> None:
    here.hook("pre-commit", f"echo 't={TOKEN}' >> workspace/x.py; git add workspace/x.py")
    head = here.git("rev-parse", "HEAD")
    here.write("workspace/greet.py", "print(2)\n")
    with pytest.raises(GitError, match=r"workspace/x\.py:1: a Databricks token"):
        here("commit", message="m")
    assert here.git("rev-parse", "HEAD") == head
    assert here.git("status", "--porcelain", "-uno") == " M workspace/greet.py"


def test_a_commit_that_came_in_between_stands(here: Here) -> None:
    here.hook(
        "pre-commit",
        'test -n "$INNER" && exit; unset GIT_INDEX_FILE; export INNER=1\n'
        "git commit -q --allow-empty -m Theirs",
    )
    here.write("workspace/greet.py", "print(2)\n")
    with pytest.raises(DbxError):
        here("commit", message="m")
    assert here.git("log", "-1", "--format=%s") == "Theirs"
    assert here.git("status", "--porcelain") == " M workspace/greet.py"


def test_a_filter_of_the_users_is_applied(here: Here) -> None:
    here.git("config", "filter.upper.clean", "tr a-z A-Z")
    here.git("config", "filter.upper.smudge", "tr A-Z a-z")
    here.write(".gitattributes", "workspace/*.py filter=upper\n*.sql text eol=lf\n")
    here.write("workspace/greet.py", "hello\n")
    (here.folder / "workspace/q.sql").write_bytes(b"select 1\r\n")
    here.write("notebooks/train.ipynb", notebook())
    here("commit", message="m")
    assert here.git("show", "HEAD:workspace/greet.py") == "HELLO"
    assert here.git("show", "HEAD:workspace/train.py").endswith("PRINT(1)")
    assert here.git("cat-file", "blob", "HEAD:workspace/q.sql") == "select 1"
    assert here.git("status", "--porcelain") == "?? .gitattributes"


def test_a_commit_is_signed_as_git_would(here: Here, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", str(key)], check=True)
    public = key.with_suffix(".pub").read_text()
    (tmp_path / "signers").write_text(f"ada@example.org {public}")
    here.git("config", "gpg.format", "ssh")
    here.git("config", "user.signingKey", str(key))
    here.git("config", "gpg.ssh.allowedSignersFile", str(tmp_path / "signers"))
    here.git("config", "commit.gpgSign", "true")
    here("commit", message="m")
    assert here.git("log", "-1", "--format=%G? %GS") == "G ada@example.org"
    here.git("config", "user.signingKey", str(tmp_path / "lost"))
    here.write("workspace/greet.py", "print(2)\n")
    before = here.state
    with pytest.raises(GitError, match=r"lost"):
        here("commit", message="m")
    assert here.state == before


def test_links_modes_submodules_and_odd_names_survive(here: Here, tmp_path: Path) -> None:
    library = Here(tmp_path / "library")
    library.folder.mkdir()
    library.git("init", "-q")
    library.git("commit", "-q", "--allow-empty", "-m", "x")
    allow = ("-c", "protocol.file.allow=always")
    here.git(*allow, "submodule", "add", "-q", str(library.folder), "workspace/lib")
    here.write("workspace/run me.sh", "#!/bin/sh\n")
    (here.folder / "workspace/run me.sh").chmod(0o755)
    (here.folder / "workspace/link").symlink_to("greet.py")
    here.write("workspace/ü\n\t'\".py", "")
    here("commit", message="m")
    entries = filter(None, here.git("ls-tree", "-rz", "HEAD", "workspace").split("\0"))
    modes = {path: head.split()[0] for head, _, path in (line.partition("\t") for line in entries)}
    assert modes["workspace/lib"] == "160000"
    assert modes["workspace/run me.sh"] == "100755"
    assert modes["workspace/link"] == "120000"
    assert modes["workspace/ü\n\t'\".py"] == "100644"
    assert here.git("status", "--porcelain") == "A  .gitmodules"
    here.git("rm", "-qr", "--cached", "workspace/link")
    (here.folder / "workspace/link").unlink()
    here.write("workspace/link/inner.py", "")
    here("commit", message="a folder where a link was")
    assert here.git("ls-files", "workspace/link") == "workspace/link/inner.py"


def test_a_repository_inside_the_project_is_not_passed_over(here: Here) -> None:
    here.git("init", "-q", "workspace/inner")
    here.write("workspace/inner/a.py", "")
    subprocess.run(["git", "add", "a.py"], cwd=here.folder / "workspace/inner", check=True)
    subprocess.run(["git", "commit", "-qm", "x"], cwd=here.folder / "workspace/inner", check=True)
    with pytest.raises(GitError, match=r"workspace/inner/ is a git repository of its own"):
        here("commit", message="m")


def test_a_linked_worktree_commits_to_its_own_branch(here: Here, tmp_path: Path) -> None:
    here.git("worktree", "add", "-q", "-b", "second", str(tmp_path / "second"))
    second = Here(tmp_path / "second")
    second.write("workspace/greet.py", "print(2)\n")
    before = here.state[:3]
    assert second("commit", message="m").branch == "second"
    assert second.git("status", "--porcelain") == ""
    assert here.state[:3] == before


PLACES: list[tuple[str, str, str]] = [
    ("workspace/x.py", f"t = '{TOKEN}'\n", r"workspace/x\.py:1: a Databricks token"),
    ("notebooks/n.ipynb", notebook(f"t = '{TOKEN}'"), r"notebooks/n\.ipynb, cell 1, line 1"),
    ("dbx.toml", f'project = "hello"  # {TOKEN}\n', r"dbx\.toml:1"),
    (
        "pipelines/config.cluster.json",
        json.dumps(
            {
                "spark_version": "16.4.x-scala2.12",
                "node_type_id": "x",
                "num_workers": 1,
                "spark_env_vars": {"T": TOKEN},
            }
        ),
        "holds a secret",
    ),
]


@pytest.mark.parametrize(("path", "text", "message"), PLACES)
def test_a_secret_gets_nowhere(here: Here, path: str, text: str, message: str) -> None:
    before = here.state
    here.write(path, text)
    seen: list[Event] = []
    with pytest.raises(DbxError, match=message) as caught:
        here("commit", seen, message="m")
    assert TOKEN not in f"{caught.value}{seen}"
    (here.folder / path).unlink()
    here.git("checkout", "-q", "--", ".")
    assert here.state == before
    everything = here.git("cat-file", "--batch-all-objects", "--batch", "--unordered")
    assert TOKEN not in everything


def test_a_secret_in_the_message_is_refused(here: Here) -> None:
    with pytest.raises(GitError, match="the message:1") as caught:
        here("commit", message=f"Use {TOKEN}")
    assert TOKEN not in str(caught.value)


def test_a_token_in_an_output_is_stripped_or_refused(here: Here) -> None:
    printed = [{"output_type": "stream", "name": "stdout", "text": [TOKEN]}]
    here.write("notebooks/n.ipynb", notebook(outputs=printed))
    here("commit", message="m")
    assert TOKEN not in here.git("cat-file", "--batch-all-objects", "--batch", "--unordered")
    here.write("dbx.toml", 'project = "hello"\noutputs = "keep"\n')
    with pytest.raises(GitError, match=r"n\.ipynb, cell 1, output line"):
        here("commit", message="m")


def test_what_is_not_committed(here: Here) -> None:
    assert uncommitted(Dbx(here.folder)) == ()
    here.write("notebooks/train.ipynb", notebook())
    here.write("README.md", "not the project's\n")
    assert uncommitted(Dbx(here.folder)) == ("notebooks/train.ipynb",)
    here("commit", message="m")
    here.write("notebooks/train.ipynb", notebook(outputs=OUTPUT))
    assert uncommitted(Dbx(here.folder)) == ()
    here.write("notebooks/train.ipynb", notebook("print(2)", OUTPUT))
    (here.folder / "workspace/greet.py").unlink()
    assert uncommitted(Dbx(here.folder)) == ("notebooks/train.ipynb", "workspace/greet.py")


def test_what_tools_leave_is_never_committed(here: Here) -> None:
    """Not even in a project that has no .gitignore."""
    here.write("notebooks/.ipynb_checkpoints/train-checkpoint.ipynb", notebook())
    here.write("workspace/__pycache__/greet.cpython-312.pyc", "x")
    here.write("tests/.DS_Store", "x")
    assert uncommitted(Dbx(here.folder)) == ()
    assert [file.path for file in here("commit", message="m").files] == ["dbx.lock"]
    assert here("commit", message="m").files == ()


def test_refusals(here: Here) -> None:
    with pytest.raises(UsageError, match="needs a message"):
        here("commit", message=" ")
    here.write("notebooks/broken.ipynb", "{")
    with pytest.raises(ProjectError, match=r"broken\.ipynb"):
        here("commit", message="m")
    (here.folder / "notebooks/broken.ipynb").unlink()
    here.write("dbx.lock", "<<<<<<<")
    with pytest.raises(ProjectError, match=r"dbx\.lock cannot be read"):
        here("commit", message="m")


KILLER = """
import os, sys
from pathlib import Path
from dbx_magic import verbs, versions, events
from dbx_magic.dbx import Dbx

def commit(folder):
    work = verbs.perform(Dbx(Path(folder)), "commit", {"message": "m"})
    return events.drive(work, lambda event: None)

for folder in sys.argv[1:]:
    os.environ["PATH"] = f"{folder}.bin:{os.environ['PATH']}"
    child = os.fork()
    if not child:
        commit(folder)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    os.environ["PATH"] = os.environ["PATH"].partition(":")[2]
"""
# A git that, called for the n-th time, kills its caller: before it does its work, or after.
KILLING_GIT = """#!/bin/sh
echo >> {folder}.calls
if [ $(wc -l < {folder}.calls) -eq {number} ]; then
  {before}
  {git} "$@"
  kill -9 $PPID
  exit
fi
exec {git} "$@"
"""


def test_killed_at_any_step_the_repository_is_as_before_or_fully_after(
    here: Here, tmp_path: Path
) -> None:
    here.write("README.md", "staged\n")
    here.git("add", "README.md")
    here.write("notebooks/train.ipynb", notebook())
    here.write("workspace/greet.py", "print(2)\n")
    untouched = here.state
    real = shutil.which("git")
    folders = []
    # Before each call of git that can change something, and from the commit on after it as well.
    moments = [(number, "kill -9 $PPID; exit") for number in range(7, 36)]
    moments += [(number, ":") for number in range(22, 36)]
    for number, before in sorted(moments):
        folder = tmp_path / f"killed{len(folders)}"
        shutil.copytree(here.folder, folder, symlinks=True)
        shim = Path(f"{folder}.bin/git")
        shim.parent.mkdir()
        shim.write_text(KILLING_GIT.format(folder=folder, number=number, before=before, git=real))
        shim.chmod(0o755)
        folders.append(folder)
    done = subprocess.run(
        [sys.executable, "-c", KILLER, *map(str, folders)],
        capture_output=True,
        text=True,
        check=True,
    )
    codes = [int(code) for code in done.stdout.split()]
    steps = codes.index(0)
    assert steps > 25
    assert codes == [-9] * steps + [0] * (len(codes) - steps)
    complete = Here(folders[-1])
    for folder in folders[:steps]:
        killed = Here(folder)
        moved = killed.git("rev-parse", "HEAD") != untouched[0]
        assert moved or killed.state == untouched, folder
        assert killed.git("fsck", "--no-dangling") == ""
        assert (folder / "workspace/greet.py").read_text() == "print(2)\n"
        again = killed("commit", message="m")
        assert (again.files == ()) == moved
        assert killed.git("rev-parse", "HEAD^") == untouched[0]
        assert killed.git("rev-parse", "HEAD^{tree}") == complete.git("rev-parse", "HEAD^{tree}")
        assert killed.git("status", "--porcelain", "-uall") == "A  README.md"


def test_two_thousand_files(here: Here) -> None:
    for number in range(2000):
        here.write(f"workspace/m{number // 100}/f{number}.py", f"x = {number}\n")
    here.git("add", "workspace")
    here.git("commit", "-qm", "All of it")
    for number in range(1, 2000, 400):
        here.write(f"workspace/m{number // 100}/f{number}.py", "x = -1\n")
    started = os.times()
    done = here("commit", message="m")
    ended = os.times()
    assert len(done.files) == 6
    # What it takes of the machine, not of the clock: other tests may run beside.
    assert sum(ended[:4]) - sum(started[:4]) < 0.5
