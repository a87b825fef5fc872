"""What goes over the wire between Jupyter's server and its pages."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from dbx_magic.clusters import Cluster
from dbx_magic.errors import ProjectError
from dbx_magic.events import Note, Planned, Progress, Shown
from dbx_magic.output import Stream
from dbx_magic.plan import Change, Plan
from dbx_magic.protocol import error_line, event_line, result_line, typescript
from dbx_magic.track import Tracked

TYPESCRIPT = Path(__file__).parents[1] / "labextension" / "src" / "protocol.ts"


def test_the_browser_knows_the_same_verbs() -> None:
    assert TYPESCRIPT.read_text() == typescript(), "Run `make protocol`."


def test_events() -> None:
    plan: Plan[str] = Plan(
        "hello will be edited", ("edit",), (Change("~", "num_workers", "1", "3"),)
    )
    told = [
        json.loads(event_line(event))
        for event in (
            Note("Started", "✓"),
            Progress("hello", "starting", elapsed=2.0),
            Planned(plan),
            Shown(Stream("stdout", "42\n")),
        )
    ]
    assert [line["event"] for line in told] == ["Note", "Progress", "Planned", "Shown"]
    assert told[0]["text"] == "Started"
    assert told[1]["elapsed"] == 2.0
    assert told[2]["plan"]["fingerprint"] == plan.fingerprint
    assert told[2]["plan"]["changes"][0]["after"] == "3"
    assert (told[3]["kind"], told[3]["text"]) == ("Stream", "42\n")


def test_the_last_line() -> None:
    cluster = Cluster("hello", "1124-1", "RUNNING", "is picked")
    assert json.loads(result_line(cluster))["result"] == {
        "type": "Cluster",
        "view": [{"text": "hello  is picked", "symbol": "●", "note": "", "link": "", "indent": 0}],
        "name": "hello",
        "cluster_id": "1124-1",
        "state": "RUNNING",
        "what": "is picked",
        "note": "",
    }
    assert json.loads(error_line(ProjectError("no spec", "make one"))) == {
        "error": {"type": "ProjectError", "message": "no spec", "hint": "make one"}
    }


def test_a_number_that_is_none_is_null() -> None:
    line = result_line(Tracked("r", "m", "1", "", False, {}, {}, {"loss": math.nan, "auc": 1.0}))
    assert json.loads(line, parse_constant=pytest.fail)["result"]["metrics"] == {
        "loss": None,
        "auc": 1.0,
    }
