"""The panels of clusters, push, commit and history, on the real local workspace."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import MarkdownExporter
from panels import labels, press, settle, spec_with, text, until, words
from place import ipynb, write

from dbx_magic.dbx import Dbx
from dbx_magic.widgets.parts import aligned

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.mark.usefixtures("no_clusters")
class TestPicker:
    def test_from_the_spec_to_a_running_cluster_and_back(self, dbx: Dbx, opened: Any) -> None:
        """Rebuild with its plan, a stale plan refused, events and libraries, stop, start, pick."""
        picker = opened("clusters")
        assert "has no clusters yet" in text(picker)
        press(picker, "Rebuild…")
        settle(picker)
        assert "hello will be created" in text(picker)
        spec_with(dbx, spark_conf={"spark.sql.shuffle.partitions": "4"})
        press(picker, "Apply")
        settle(picker)
        assert "so nothing was done" in text(picker)
        assert dbx.workspace.clusters() == []

        press(picker, "Look again")
        settle(picker)
        press(picker, "Apply")
        until(lambda: "<progress" in text(picker), picker)
        assert "Stop" in labels(picker)
        assert "Rebuild…" not in labels(picker)
        settle(picker)
        until(lambda: "● hello" in text(picker), picker)
        assert "equal to its spec" in text(picker)
        assert "picked, as its spec says" in text(picker)

        press(picker, "Events")
        until(lambda: "machines are being asked for" in text(picker), picker)
        press(picker, "Libraries")
        until(lambda: "no libraries" in text(picker), picker)

        cluster_id = picker.chosen.cluster_id
        press(picker, "Stop cluster")
        settle(picker)
        until(lambda: "○ hello" in text(picker), picker)
        assert dbx.workspace.cluster(cluster_id)["state"] == "TERMINATED"
        assert "Start cluster" in labels(picker)

    def test_stop_ends_the_waiting_and_says_how_to_go_on(self, dbx: Dbx, opened: Any) -> None:
        picker = opened("clusters")
        press(picker, "Rebuild…")
        settle(picker)
        press(picker, "Apply")
        until(dbx.workspace.clusters, picker)
        press(picker, "Stop")
        settle(picker)
        assert "Stopped." in text(picker)
        assert "goes on by itself" in text(picker)

    def test_filter_and_pick(self, dbx: Dbx, opened: Any) -> None:
        """A filter narrows the list; what is picked there is what cells run on."""
        made = {}
        for name in ("ada", "hello"):
            body = json.loads(dbx.project.spec_path.read_text()) | {"cluster_name": name}
            made[name] = dbx.workspace.create_cluster(body)
            dbx.workspace.stop_cluster(made[name])
        picker = opened("clusters")
        until(lambda: len(picker.list.options) == 2, picker)
        picker.filter.value = "no such thing"
        assert "None of 2 clusters fits the filter." in text(picker)
        picker.filter.value = "ADA"
        assert [value for _, value in picker.list.options] == [made["ada"]]
        press(picker, "Pick")
        settle(picker)
        assert dbx.project.picked == made["ada"]
        until(lambda: "Pick" not in labels(picker), picker)

    def test_it_follows_what_others_do_while_it_is_seen(self, dbx: Dbx, opened: Any) -> None:
        """Not before: a panel that nobody sees asks the workspace nothing."""
        picker = opened("clusters")
        picker.box._view_count = 1
        body = json.loads(dbx.project.spec_path.read_text()) | {"cluster_name": "theirs"}
        cluster_id = dbx.workspace.create_cluster(body)
        until(lambda: "theirs" in text(picker), picker)
        dbx.workspace.stop_cluster(cluster_id)
        until(lambda: "○ theirs" in text(picker), picker)
        picker.box._view_count = 0

    def test_the_chosen_one_stays_chosen(self, dbx: Dbx, opened: Any) -> None:
        body = json.loads(dbx.project.spec_path.read_text())
        for name in ("a", "b"):
            cluster_id = dbx.workspace.create_cluster(body | {"cluster_name": name})
            dbx.workspace.stop_cluster(cluster_id)
        picker = opened("clusters")
        until(lambda: len(picker.list.options) == 2, picker)
        picker.choose(cluster_id)
        seen = picker.clusters
        press(picker, "Refresh")
        until(lambda: picker.clusters is not seen, picker)
        assert picker.chosen.name == "b"


class TestPush:
    def test_what_will_be_sent_and_apply(self, dbx: Dbx, opened: Any) -> None:
        push = opened("push")
        assert "+ greet" in text(push)
        until(lambda: 'print("hello")' in text(push), push)
        press(push, "Apply")
        settle(push)
        assert "✓" in text(push)
        assert dbx.workspace.object("/Shared/hello/greet") is not None
        press(push, "Refresh")
        settle(push)
        assert "/Shared/hello is equal" in text(push)
        assert "Apply" not in labels(push)

    def test_a_conflict_is_shown_side_by_side_and_overwritten_only_when_asked_twice(
        self, dbx: Dbx, perform: Any, opened: Any
    ) -> None:
        edited_on_both_sides(dbx, perform)
        push = opened("push")
        until(lambda: "dbx-diff" in text(push), push)
        shown = re.sub("<[^>]*>", "", text(push))
        assert 'print("here")' in shown
        assert 'print("there")' in shown
        assert "Apply" not in labels(push)
        press(push, "Overwrite…")
        settle(push)
        assert "overrides: edited in the workspace and here" in text(push)
        press(push, "Apply")
        settle(push)
        assert "What was overwritten is in" in text(push)
        assert b"here" in dbx.workspace.fetch("/Shared/hello/greet")

    def test_pull_brings_the_other_side_here(self, dbx: Dbx, perform: Any, opened: Any) -> None:
        edited_on_both_sides(dbx, perform)
        push = opened("push")
        press(push, "Pull…")
        settle(push)
        press(push, "Apply")
        settle(push)
        here = (dbx.project.workspace / "greet.py").read_text()
        assert 'print("here")' in here
        assert 'print("there")' in here

    def test_what_is_ticked_while_a_plan_is_made_is_in_the_plan(
        self, dbx: Dbx, perform: Any, opened: Any
    ) -> None:
        perform("push", force=True)
        push = opened("push")
        theirs = b"# Databricks notebook source\n1\n"
        dbx.workspace.put("/Shared/hello/theirs", theirs, "SOURCE", "python")
        press(push, "Refresh")
        push.prune.value = True
        until(lambda: "− theirs" in text(push), push)

    def test_a_plan_that_is_no_longer_true_is_refused(
        self, dbx: Dbx, perform: Any, opened: Any
    ) -> None:
        perform("push", force=True)
        (dbx.project.workspace / "greet.py").write_text("# Databricks notebook source\n1\n")
        push = opened("push")
        (dbx.project.workspace / "more.py").write_text("x = 1\n")
        press(push, "Apply")
        settle(push)
        assert "so nothing was done" in text(push)
        assert dbx.workspace.object("/Shared/hello/more.py") is None
        press(push, "Look again")
        settle(push)
        assert "more.py" in text(push)


def edited_on_both_sides(dbx: Dbx, perform: Any) -> None:
    """Let one cell of a notebook be edited here and in the workspace."""
    perform("push", force=True, prune=True)
    greet = dbx.project.workspace / "greet.py"
    greet.write_text(greet.read_text().replace("hello", "here"))
    edited = b'# Databricks notebook source\nprint("there")\n'
    dbx.workspace.put("/Shared/hello/greet", edited, "SOURCE", "python")


class TestOpening:
    def test_a_panel_is_found_again_with_what_was_typed_into_it(self, opened: Any) -> None:
        """The cell is run again, or the output was cleared: nothing is lost."""
        picker = opened("clusters")
        picker.filter.value = "hel"
        assert opened("clusters") is picker
        assert picker.filter.value == "hel"

    def test_columns_line_up(self) -> None:
        assert [len(line) for line in aligned([("a", "b"), ("long", "c")])] == [7, 7]


@pytest.mark.usefixtures("no_clusters")
class TestInNotebooks:
    """What `%dbx clusters` and `%dbx ui` leave in a notebook that a real kernel runs."""

    @pytest.fixture
    def run(self, dbx: Dbx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
        """Run cells in a kernel in the project's folder; gives the notebook."""
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))

        def run(*cells: str) -> Any:
            sources = ("%load_ext dbx_magic", *cells)
            notebook = nbformat.v4.new_notebook(
                cells=[nbformat.v4.new_code_cell(source) for source in sources]
            )
            folder = {"metadata": {"path": str(dbx.project.root)}}
            NotebookClient(notebook, timeout=120, resources=folder).execute()
            return notebook

        return run

    def test_the_widget_and_its_picture(self, run: Any) -> None:
        """The picture is an output of its own, for where there is no kernel behind the widget."""
        picture, widget = run("%dbx clusters").cells[1].outputs
        assert "has no clusters yet" in picture.data["text/plain"]
        assert "has no clusters yet" in picture.data["text/html"]
        assert VIEW in widget.data
        assert "text/html" not in widget.data

    def test_without_a_front_end_each_is_its_picture(self, run: Any) -> None:
        """As pages show them that have no widgets: markdown here, as on a forge."""
        notebook = run("%dbx clusters", "%dbx ui push", "%dbx ui commit", "%dbx ui history")
        shown, _ = MarkdownExporter().from_notebook_node(notebook)
        shown = re.sub("<[^>]*>", "", shown)
        for picture in ("has no clusters yet", "+ greet", "git init"):
            assert picture in shown
        assert "VBox" not in shown

    def test_what_is_assigned_is_no_panel(self, run: Any) -> None:
        notebook = run("found = %dbx clusters\nlen(found.rows)")
        assert [output.output_type for output in notebook.cells[1].outputs] == ["execute_result"]
        assert notebook.cells[1].outputs[0].data["text/plain"] == "0"

    def test_an_unknown_panel_is_one_line(self, run: Any) -> None:
        with pytest.raises(CellExecutionError, match="There is no panel 'nothing'"):
            run("%dbx ui nothing")


class TestCommit:
    def test_what_changed_message_and_commit(self, git_project: Path, opened: Any) -> None:
        (git_project / "workspace" / "more.py").write_text("x = 1\n")
        commit = opened("commit")
        assert "+ workspace/more.py" in words(commit)
        press(commit, "Commit")
        assert "Say in the message what changed" in words(commit)
        commit.message.value = "Say more"
        press(commit, "Commit")
        settle(commit)
        assert "on main: Say more" in text(commit)
        assert git(git_project, "log", "-1", "--format=%s") == "Say more"
        press(commit, "Refresh")
        settle(commit)
        assert "0 files will be committed" in text(commit)
        assert "Commit" not in labels(commit)

    def test_what_changed_in_a_file_is_shown_when_it_is_chosen(
        self, git_project: Path, perform: Any, opened: Any
    ) -> None:
        """A notebook by cell, code by line; what the commit itself writes says so."""
        write(git_project, "notebooks/train.ipynb", ipynb("a = 1", "b = 2"))
        perform("commit", message="Train")
        write(git_project, "notebooks/train.ipynb", ipynb("a = 1", "b = 3"))
        write(git_project, "tests/test_it.py", "def test_it():\n    pass\n")
        commit = opened("commit")
        assert "dbx-diff" not in text(commit)
        for path, shown in (
            ("notebooks/train.ipynb", ("1 equal cell", "cell 2", "−b = 2", "+b = 3")),
            ("tests/test_it.py", ("+def test_it():",)),
            ("workspace/train.py", ("written from the other files, with the commit",)),
        ):
            commit.list.value = path
            until(lambda: "dbx-diff" in text(commit), commit)
            for words_ in shown:
                assert words_ in words(commit)
        write(git_project, "workspace/new.py", "x = 1\n")
        press(commit, "Refresh")
        settle(commit)
        assert "+ workspace/new.py" in words(commit)
        assert commit.list.value == "workspace/train.py"

    def test_published_to_the_local_remote_the_pipelines_are_followed_to_their_end(
        self, git_project: Path, perform: Any, opened: Any
    ) -> None:
        perform("pipeline", action="azure")
        perform("pipeline", action="local")
        (git_project / "pipelines" / "build-cluster.yml").unlink()  # needs no cluster here
        commit = opened("commit")
        commit.message.value = "Add the pipelines"
        commit.publish.value = True
        press(commit, "Commit")
        until(lambda: commit.doing.verb == "follow", commit)
        settle(commit)
        assert "published to local/main" in words(commit)
        assert "build-workspace #1 of" in words(commit)
        assert "succeeded" in words(commit)

    def test_a_secret_stays_out_and_the_message_stays_in(
        self, git_project: Path, opened: Any
    ) -> None:
        commit = opened("commit")
        commit.message.value = "Half a sentence"
        (git_project / "workspace" / "key.py").write_text(
            f'token = "dapi{"0123456789abcdef" * 2}"\n'
        )
        press(commit, "Refresh")
        settle(commit)
        assert "Nothing was committed, because of 1 secret" in text(commit)
        (git_project / "workspace" / "key.py").unlink()
        assert opened("commit") is commit
        assert commit.message.value == "Half a sentence"
        settle(commit)


@pytest.mark.usefixtures("git_project")
class TestHistory:
    def test_choose_compare_and_go_back(self, dbx: Dbx, perform: Any, opened: Any) -> None:
        perform("commit", message="One worker")
        spec_with(dbx, num_workers=2)
        perform("commit", message="Two workers")
        history = opened("history")
        until(lambda: len(history.list.options) == 3, history)
        assert "Go back…" not in labels(history)
        history.choose(history.history.versions[1].commit)
        press(history, "Compare")
        until(lambda: "num_workers" in text(history), history)
        press(history, "Go back…")
        settle(history)
        assert "pipelines/config.cluster.json" in text(history)
        press(history, "Apply")
        settle(history)
        assert '"num_workers": 1' in dbx.project.spec_path.read_text()
        until(lambda: len(history.list.options) == 4, history)
        assert "Go back to" in text(history)

    def test_only_of_one_thing(self, dbx: Dbx, perform: Any, opened: Any) -> None:
        (dbx.project.workspace / "more.py").write_text("x = 1\n")
        perform("commit", message="Say more")
        history = opened("history")
        history.of.value = "more.py"
        until(lambda: len(history.list.options) == 1, history)
        history.of.value = "nothing of the kind"
        until(lambda: "There was never a notebook or file" in text(history), history)


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
