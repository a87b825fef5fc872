"""What a cluster does, in words; how often it is looked at."""

from __future__ import annotations

import statistics
from typing import Any

import pytest

from dbx_magic.cluster_state import end_words, event_words, pause, state_words, usual_start
from dbx_magic.library import failures, library_key, library_name, still_installing


@pytest.mark.parametrize("share", [None, 0.5, 0.9, 1.0, 1.1, 2.0])
def test_a_start_of_five_minutes_takes_few_looks_and_is_seen_at_once(share: float | None) -> None:
    """``share`` is how long it was expected to take, compared with how long it took."""
    late: list[float] = []
    for took in range(270, 330):
        now, looks = 0.0, 1
        while now < took:
            now += pause(now, None if share is None else took * share)
            looks += 1
        late.append((now - took) / took)
        assert looks <= 33  # with a few for libraries and events: 40
    assert statistics.mean(late) < 0.04
    if share == 1.0:
        assert max(late) < 0.02


def event(seconds: float, kind: str) -> dict[str, Any]:
    return {"type": kind, "timestamp": int(seconds * 1000)}


@pytest.mark.parametrize(
    ("events", "usual"),
    [
        ([], None),
        ([event(1, "CREATING")], None),
        ([event(1, "CREATING"), event(201, "RUNNING")], 200.0),
        ([event(1, "CREATING"), event(9, "TERMINATING"), event(99, "RUNNING")], None),
        ([event(1, "CREATING"), event(5, "RUNNING"), event(7, "RUNNING")], 4.0),
        (
            [
                *(event(1, "CREATING"), event(301, "RUNNING"), event(400, "RESTARTING")),
                *(event(500, "RUNNING"), event(900, "STARTING"), event(1100, "RUNNING")),
            ],
            200.0,
        ),
    ],
)
def test_the_usual_start_is_the_median_of_the_earlier_ones(
    events: list[dict[str, Any]], usual: float | None
) -> None:
    assert usual_start(events[::-1]) == usual, "the API gives the newest first"


@pytest.mark.parametrize(
    ("cluster", "words"),
    [
        ({}, "no reason is known"),
        ({"termination_reason": {"code": "INACTIVITY", "type": "SUCCESS"}}, "nobody used it"),
        (
            {
                "termination_reason": {
                    "code": "CLOUD_PROVIDER_LAUNCH_FAILURE",
                    "parameters": {"azure_error_code": "7", "azure_error_message": "No quota."},
                }
            },
            "the cloud gave no machines: No quota.",
        ),
        ({"termination_reason": {"code": "SOLAR_FLARE"}, "state_message": "x"}, "solar flare: x"),
    ],
)
def test_why_a_cluster_ended(cluster: dict[str, Any], words: str) -> None:
    assert end_words(cluster) == words


def test_states_and_events_of_tomorrow_are_words_too() -> None:
    assert state_words({"state": "RUNNING"}) == "running"
    assert state_words({"state": "HIBERNATING"}) == "hibernating"
    assert state_words({}) == "unknown"
    assert event_words({"type": "DRIVER_HEALTHY"}) == "the driver is healthy"
    assert event_words({"type": "NODES_TELEPORTED"}) == "nodes teleported"


class TestLibraries:
    @pytest.mark.parametrize(
        ("library", "name", "key"),
        [
            (
                {"pypi": {"package": "Scikit_Learn[x]>=1"}},
                "pypi Scikit_Learn[x]>=1",
                "pypi scikit-learn",
            ),
            ({"maven": {"coordinates": "a.b:c:1"}}, "maven a.b:c:1", "maven a.b:c"),
            ({"whl": "/Volumes/a/b-1.whl"}, "whl /Volumes/a/b-1.whl", "whl /Volumes/a/b-1.whl"),
            ({"cran": {"package": "dplyr", "repo": "r"}}, "cran dplyr", "cran dplyr"),
        ],
    )
    def test_names(self, library: dict[str, Any], name: str, key: str) -> None:
        assert (library_name(library), library_key(library)) == (name, key)

    def test_what_is_under_way_and_what_failed(self) -> None:
        statuses = [
            {"library": {"whl": status}, "status": status, "messages": ["a", "b"]}
            for status in ("PENDING", "RESOLVING", "INSTALLING", "INSTALLED", "SKIPPED", "FAILED")
        ] + [{"library": {"whl": "new"}, "status": "STATUS_OF_TOMORROW"}]
        assert still_installing(statuses) == [
            "whl PENDING",
            "whl RESOLVING",
            "whl INSTALLING",
            "whl new",
        ]
        assert failures(statuses) == ["whl FAILED: a b"]
