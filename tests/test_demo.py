"""The demo goes the whole way, from an empty folder, on a machine where git knows nobody."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dbx_magic import local_process, verbs
from dbx_magic.dbx import Dbx
from dbx_magic.events import Event, Note, Shown, drive
from dbx_magic.output import Display, Stream


def test_the_demo(
    tmp_path: Path, local: local_process.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    (Path.home() / ".gitconfig").unlink()
    seen: list[Event] = []
    done = drive(verbs.perform(Dbx(tmp_path), "demo", {}), seen.append)

    folder = tmp_path / "penguins"
    assert done.folder == str(folder)
    steps = [event.text.split("   ")[0] for event in seen if isinstance(event, Note)]
    for step in ("init", "rebuild", "exec", "push", "run penguins", "run islands"):
        assert step in steps
    # The first version starts both pipelines, a change below workspace/ and the way back only one.
    assert [step.strip() for step in steps if "by the local runner" in step or "○" in step] == [
        "◐ build-cluster: run 1 begins, by the local runner",
        "◐ build-workspace: run 2 begins, by the local runner",
        "○ build-cluster: no changed path matches",
        "◐ build-workspace: run 3 begins, by the local runner",
        "○ build-cluster: no changed path matches",
        "◐ build-workspace: run 4 begins, by the local runner",
    ]
    assert [step for step in steps if "Test" in step] == [
        f"build-workspace #{number} · tests: Test" for number in (2, 3, 4)
    ]
    shown = "".join(
        event.output.text
        for event in seen
        if isinstance(event, Shown) and isinstance(event.output, Stream | Display)
    )
    assert "Chinstrap" in shown
    assert "The heaviest on Biscoe: Gentoo, 5092 g on average" in shown
    assert '"heaviest": "Gentoo"' in shown

    log = subprocess.run(
        ["git", "log", "--format=%h %an %s"], cwd=folder, capture_output=True, text=True, check=True
    )
    back, change, first = log.stdout.splitlines()
    assert first == f"{done.commit} dbx-magic demo Weigh the penguins"
    assert change.endswith("dbx-magic demo Show large islands first")
    assert f"dbx-magic demo Go back to {done.commit}" in back
    assert [version.where for version in done.versions.versions] == [
        ("local/3",),
        ("local/2",),
        ("local/1",),
    ]
    there = Dbx(folder)
    assert {item["path"] for item in there.workspace.objects("/Shared/penguins")} >= {
        "/Shared/penguins/penguins",
        "/Shared/penguins/islands",
        "/Shared/penguins/measures.py",
    }
    # What is deployed is the first version again, and the workspace says which commit did it.
    assert b"order by all" in there.workspace.fetch("/Shared/penguins/islands")
    status = drive(verbs.perform(there, "status", {}), lambda _: None)
    assert (status.deployed.commit, status.deployed.behind) == (back[:7], 0)
    assert (status.notebooks.differ, status.cluster.differs) == ((), ())
    there.workspace.delete_cluster(str(there.project.picked))
    there.close()
