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
    for step in ("init", "rebuild", "exec", "push", "run penguins", "run islands", "commit"):
        assert step in steps
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
    assert log.stdout == f"{done.commit} dbx-magic demo Weigh the penguins\n"
    there = Dbx(folder)
    assert {item["path"] for item in there.workspace.objects("/Shared/penguins")} >= {
        "/Shared/penguins/penguins",
        "/Shared/penguins/islands",
        "/Shared/penguins/measures.py",
    }
    there.workspace.delete_cluster(str(there.project.picked))
    there.close()
