"""From the clusters that are there to the one that should be: which steps, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbx_magic.drift import TAG, differences, told_body
from dbx_magic.rebuild_plan import (
    NEW,
    Create,
    Delete,
    Edit,
    Install,
    Resize,
    Restart,
    Run,
    Seen,
    Step,
    Uninstall,
    plan_rebuild,
)
from dbx_magic.spec import ClusterSpec

BODY = {
    "cluster_name": "hello",
    "spark_version": "16.4.x-scala2.12",
    "node_type_id": "Standard_DS3_v2",
    "num_workers": 1,
    "autotermination_minutes": 60,
    "spark_conf": {"spark.a": "1"},
    "init_scripts": [],
    "enable_elastic_disk": False,
}
PENGUINS = {"pypi": {"package": "palmerpenguins==0.1.4"}}
HUMANIZE = {"pypi": {"package": "humanize==4.12.1"}}
HUMANIZE_NEW = {"pypi": {"package": "Humanize==4.12.2"}}
SPEC = ClusterSpec("hello", BODY)
TAGS = {TAG: SPEC.configuration}


Status = tuple[Mapping[str, Any], str]


def seen(*statuses: Status, cluster_id: str = "c-1", **changes: Any) -> Seen:
    """A cluster equal to ``SPEC``, as a workspace tells it: more fields than anybody asked for."""
    cluster = {
        **BODY,
        "cluster_id": cluster_id,
        "state": "RUNNING",
        "driver_node_type_id": "Standard_DS3_v2",
        "custom_tags": TAGS,
        "azure_attributes": {"availability": "ON_DEMAND_AZURE", "first_on_demand": 1},
        "creator_user_name": "ada@example.org",
        "start_time": 1000,
        "a_field_of_tomorrow": [1],
        **changes,
    }
    cluster.setdefault("spec", {key: cluster[key] for key in BODY})
    libraries = ({"library": library, "status": status} for library, status in statuses)
    return Seen(cluster, tuple(libraries))


def kinds(steps: tuple[Step, ...]) -> str:
    return " ".join(type(step).__name__ for step in steps)


def spec(*libraries: Mapping[str, Any], **changes: Any) -> ClusterSpec:
    body = {key: value for key, value in {**BODY, **changes}.items() if value is not None}
    return ClusterSpec("hello", body, libraries or None)


SMALL = {"num_workers": None, "autoscale": {"min_workers": 1, "max_workers": 4}}
OLDER = "15.4.x-scala2.12"

CASES: list[tuple[str, ClusterSpec, list[Seen], dict[str, Any], str, str]] = [
    ("nothing there", SPEC, [], {}, "Create Run", "will be created"),
    ("equal", SPEC, [seen()], {}, "", "is running, equal to its spec"),
    ("stopped", SPEC, [seen(state="TERMINATED")], {}, "Run", "will be started"),
    ("starting", SPEC, [seen(state="PENDING")], {}, "Run", "will be waited for"),
    ("stopping", SPEC, [seen(state="TERMINATING")], {}, "Run", "will be started"),
    ("a state never seen", SPEC, [seen(state="HIBERNATING")], {}, "Run", "will be started"),
    ("broken for good", SPEC, [seen(state="ERROR")], {}, "Create Run Delete", "anew"),
    ("size", spec(num_workers=3), [seen()], {}, "Resize Run", "running cells go on"),
    ("to autoscale", spec(**SMALL), [seen()], {}, "Resize Run", "running cells go on"),
    (
        "from autoscale, which tells its workers of the moment",
        SPEC,
        [seen(autoscale={"min_workers": 1, "max_workers": 4})],
        {},
        "Resize Run",
        "running cells go on",
    ),
    (
        "size of a stopped one",
        spec(num_workers=3),
        [seen(state="TERMINATED")],
        {},
        "Edit Run",
        "edited and started",
    ),
    ("runtime", spec(spark_version=OLDER), [seen()], {}, "Edit Run", "edited and restarted"),
    (
        "runtime and size are one edit",
        spec(spark_version=OLDER, num_workers=3),
        [seen()],
        {},
        "Edit Run",
        "edited and restarted",
    ),
    ("library", spec(HUMANIZE), [seen()], {}, "Install Run", "gets libraries"),
    (
        "library there",
        spec(HUMANIZE),
        [seen((HUMANIZE, "INSTALLED"))],
        {},
        "",
        "is running, equal to its spec",
    ),
    (
        "library under way",
        spec(HUMANIZE),
        [seen((HUMANIZE, "RESOLVING"))],
        {},
        "Run",
        "will be waited for",
    ),
    (
        "library failed before",
        spec(HUMANIZE),
        [seen((HUMANIZE, "FAILED"))],
        {},
        "Install Run",
        "gets libraries",
    ),
    (
        "library of another version",
        spec(HUMANIZE_NEW),
        [seen((HUMANIZE, "INSTALLED"))],
        {},
        "Uninstall Restart Install Run",
        "will be restarted",
    ),
    (
        "library too many",
        ClusterSpec("hello", BODY, ()),
        [seen((HUMANIZE, "INSTALLED"))],
        {},
        "Uninstall Restart Run",
        "will be restarted",
    ),
    (
        "library too many on a stopped one goes without a restart",
        ClusterSpec("hello", BODY, ()),
        [seen((HUMANIZE, "PENDING"), state="TERMINATED")],
        {},
        "Uninstall Run",
        "will be started",
    ),
    (
        "killed between uninstall and restart",
        ClusterSpec("hello", BODY, ()),
        [seen((HUMANIZE, "UNINSTALL_ON_RESTART"))],
        {},
        "Restart Run",
        "will be restarted",
    ),
    (
        "libraries that the spec says nothing of stay",
        SPEC,
        [seen((HUMANIZE, "INSTALLED"), (PENGUINS, "FAILED"))],
        {},
        "",
        "is running, equal to its spec",
    ),
    (
        "edit and upgrade share one restart",
        spec(HUMANIZE_NEW, spark_version=OLDER),
        [seen((HUMANIZE, "INSTALLED"))],
        {},
        "Uninstall Edit Install Run",
        "edited and restarted",
    ),
    (
        "two of the name: the equal one stays",
        SPEC,
        [seen(cluster_id="c-2", spark_version=OLDER, start_time=9000), seen(state="PENDING")],
        {},
        "Run Delete",
        "will be waited for",
    ),
    (
        "two of the name, without waiting: neither is deleted",
        SPEC,
        [seen(cluster_id="c-2", state="TERMINATED"), seen()],
        {"wait": False},
        "",
        "is running, equal to its spec",
    ),
    ("fresh", SPEC, [seen()], {"fresh": True}, "Create Run Delete", "then the old one deleted"),
    (
        "fresh with a library",
        spec(HUMANIZE),
        [seen()],
        {"fresh": True},
        "Create Install Run Delete",
        "then the old one deleted",
    ),
    (
        "delete first",
        SPEC,
        [seen()],
        {"delete_first": True},
        "Delete Create Run",
        "after the old one was deleted",
    ),
]


@pytest.mark.parametrize(
    ("wanted", "there", "options", "steps", "title"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_the_steps_and_what_they_cost(
    wanted: ClusterSpec, there: list[Seen], options: dict[str, Any], steps: str, title: str
) -> None:
    plan = plan_rebuild(wanted, there, tags={TAG: wanted.configuration}, **options)
    assert kinds(plan.steps) == steps
    assert plan.title.startswith("hello ")
    assert title in plan.title


def test_steps_carry_what_the_api_takes() -> None:
    wanted = spec(HUMANIZE, spark_version=OLDER, custom_tags={"team": "a"})
    tags = {TAG: wanted.configuration, "dbx_project": "hello"}
    body = {**wanted.body, "custom_tags": {"team": "a", **tags}}
    made = plan_rebuild(wanted, [], tags=tags)
    assert made.steps == (Create(body), Install(NEW, (HUMANIZE,)), Run(NEW))
    edited = plan_rebuild(wanted, [seen()], tags=tags)
    assert edited.steps == (
        Edit("c-1", {"cluster_id": "c-1", **body}),
        Install("c-1", (HUMANIZE,)),
        Run("c-1"),
    )
    sized = plan_rebuild(spec(**SMALL), [seen()], tags=TAGS)
    assert sized.steps[0] == Resize("c-1", {"autoscale": {"min_workers": 1, "max_workers": 4}})
    upgraded = plan_rebuild(spec(HUMANIZE_NEW), [seen((HUMANIZE, "INSTALLED"))], tags=TAGS)
    assert upgraded.steps[:3] == (
        Uninstall("c-1", (HUMANIZE,)),
        Restart("c-1"),
        Install("c-1", (HUMANIZE_NEW,)),
    )
    duplicates = plan_rebuild(SPEC, [seen(), seen(cluster_id="c-2", state="TERMINATED")], tags=TAGS)
    assert duplicates.steps == (Delete("c-2"),)


def test_changes_say_what_was_what_will_be_and_what_it_costs() -> None:
    wanted = spec(HUMANIZE_NEW, PENGUINS, spark_version=OLDER, num_workers=3)
    plan = plan_rebuild(wanted, [seen((HUMANIZE, "INSTALLED"))], tags={})
    told = [(c.symbol, c.subject, c.before, c.after, c.reason) for c in plan.changes]
    assert told == [
        ("~", "spark_version", "16.4.x-scala2.12", OLDER, "needs a restart"),
        ("~", "num_workers", "1", "3", "needs no restart"),
        ("~", "library", "pypi humanize==4.12.1", "pypi Humanize==4.12.2", "needs a restart"),
        ("+", "library", "", "pypi palmerpenguins==0.1.4", ""),
    ]


def test_equal_plans_have_equal_fingerprints() -> None:
    one = plan_rebuild(SPEC, [], tags=TAGS)
    assert (
        one.fingerprint == plan_rebuild(replace(SPEC, places={"x": "y"}), [], tags=TAGS).fingerprint
    )
    assert one.fingerprint != plan_rebuild(spec(num_workers=2), [], tags=TAGS).fingerprint


class TestDifferences:
    @pytest.mark.parametrize(
        ("name", "value", "cluster"),
        [
            ("what the workspace filled in", {}, {"data_security_mode": "SINGLE_USER"}),
            ("empty and absent", {"custom_tags": {}, "ssh_public_keys": []}, {}),
            ("a tag of ours", {"custom_tags": {"a": "b"}}, {"custom_tags": {**TAGS, "a": "b"}}),
            (
                "what the workspace adds deep down",
                {"azure_attributes": {"first_on_demand": 1}},
                {"azure_attributes": {"first_on_demand": 1, "availability": "X"}},
            ),
            (
                "what the workspace made of what it was told",
                {"enable_elastic_disk": False},
                {"enable_elastic_disk": True, "spec": {"enable_elastic_disk": False}},
            ),
            (
                "what the workspace adds to each item of a list",
                {"init_scripts": [{"s3": {"destination": "s3://a"}}]},
                {"init_scripts": [{"s3": {"destination": "s3://a", "region": "eu"}}]},
            ),
            (
                "fewer workers at the moment than it may have",
                {"num_workers": None, "autoscale": {"min_workers": 1, "max_workers": 4}},
                {"num_workers": 1, "autoscale": {"min_workers": 1, "max_workers": 4}},
            ),
        ],
    )
    def test_none(self, name: str, value: dict[str, Any], cluster: dict[str, Any]) -> None:
        assert differences(spec(**value), seen(**cluster).cluster) == [], name

    def test_a_setting_of_spark(self) -> None:
        wanted = spec(spark_conf={"spark.a": "2", "spark.b": "3"})
        found = [item.change("") for item in differences(wanted, seen().cluster)]
        assert [(c.symbol, c.subject, c.before, c.after) for c in found] == [
            ("~", "spark_conf.spark.a", "1", "2"),
            ("+", "spark_conf.spark.b", "", "3"),
        ]

    def test_what_an_earlier_spec_said_goes(self) -> None:
        """The tag tells that the cluster was made from another spec."""
        wanted = spec(spark_conf=None, custom_tags=None)
        was = {**BODY, "policy_id": "p", "custom_tags": {"team": "a", TAG: "other"}}
        cluster = seen(custom_tags={"team": "a", TAG: "other"}, spec=was).cluster
        found = [item.change("") for item in differences(wanted, cluster)]
        assert {(c.symbol, c.subject, c.before) for c in found} == {
            ("−", "spark_conf.spark.a", "1"),
            ("−", "policy_id", "p"),
            ("−", "custom_tags.team", "a"),
        }

    def test_a_cluster_made_of_the_file_as_it_stands_is_equal(self) -> None:
        """Databricks' old command line sends all of it, schema and libraries included."""
        told = {**BODY, "$schema": "cluster.schema.json", "libraries": [HUMANIZE]}
        assert differences(SPEC, seen(custom_tags={}, **told, spec=told).cluster) == []

    def test_what_the_workspace_says_it_was_told_is_no_endless_drift(self) -> None:
        """A policy may put words into our mouth; after one edit with our tag they stand."""
        cluster = seen(spec={**BODY, "policy_id": "p"}).cluster
        assert differences(SPEC, cluster) == []


def test_the_configuration_of_a_cluster_is_a_spec_again() -> None:
    """What is put back after an edit that did not start."""
    cluster = seen(num_workers=5).cluster
    assert told_body(cluster) == {**BODY, "num_workers": 5}
    pooled = {**cluster, "spec": {**BODY, "instance_pool_id": "pool"}}
    assert "node_type_id" not in told_body(pooled)
    unknowing = {key: value for key, value in cluster.items() if key != "spec"}
    assert told_body(unknowing)["azure_attributes"]["first_on_demand"] == 1
    assert not {"state", "cluster_id", "start_time"} & set(told_body(unknowing))


TEXT = st.sampled_from(["", "a", "b"])
BODIES = st.fixed_dictionaries(
    {"cluster_name": st.just("hello"), "spark_version": st.sampled_from(["15.4", "16.4"])},
    optional={
        "node_type_id": TEXT,
        "driver_node_type_id": TEXT,
        "autotermination_minutes": st.sampled_from([0, 60]),
        "enable_elastic_disk": st.booleans(),
        "spark_conf": st.dictionaries(TEXT, TEXT),
        "custom_tags": st.dictionaries(TEXT, TEXT),
        "azure_attributes": st.dictionaries(TEXT, TEXT | st.integers(0, 2)),
        "init_scripts": st.lists(st.fixed_dictionaries({"dbfs": st.dictionaries(TEXT, TEXT)})),
    },
)
SIZES = st.sampled_from(
    [{"num_workers": 0}, {"num_workers": 3}, {"autoscale": {"min_workers": 1, "max_workers": 2}}]
)
STATES = st.sampled_from(["RUNNING", "TERMINATED", "PENDING", "RESTARTING", "TERMINATING"])
STATUSES = st.lists(
    st.tuples(
        st.sampled_from([HUMANIZE, HUMANIZE_NEW, PENGUINS]),
        st.sampled_from(["INSTALLED", "FAILED", "PENDING", "UNINSTALL_ON_RESTART"]),
    ),
    unique_by=lambda item: str(item[0]),
)
WANTED = st.none() | st.lists(st.sampled_from([HUMANIZE_NEW, PENGUINS]), unique_by=str).map(tuple)


def applied(there: Seen, steps: tuple[Step, ...]) -> Seen:
    """What a workspace makes of a cluster by these steps, as its documentation says."""
    cluster = dict(there.cluster)
    libraries = {str(item["library"]): dict(item) for item in there.libraries}
    restarted = cluster["state"] != "RUNNING"
    for step in steps:
        match step:
            case Edit():
                told = {key: value for key, value in step.body.items() if key != "cluster_id"}
                cluster = {"cluster_id": step.cluster_id, "filled_in": 1, **told, "spec": told}
                restarted = True
            case Resize():
                kept = {k: v for k, v in cluster.items() if k not in ("num_workers", "autoscale")}
                cluster = {**kept, **step.size}
            case Restart():
                restarted = True
            case Uninstall():
                for item in step.libraries:
                    libraries[str(item)]["status"] = "UNINSTALL_ON_RESTART"
            case Install():
                for item in step.libraries:
                    libraries[str(item)] = {"library": item, "status": "INSTALLED"}
    if restarted:
        libraries = {k: v for k, v in libraries.items() if v["status"] != "UNINSTALL_ON_RESTART"}
    ready = [
        item if item["status"] != "PENDING" else {**item, "status": "INSTALLED"}
        for item in libraries.values()
    ]
    return Seen({**cluster, "state": "RUNNING"}, tuple(ready))


@given(
    st.builds(dict.__or__, BODIES, SIZES),
    st.builds(dict.__or__, BODIES, SIZES),
    STATES,
    STATUSES,
    WANTED,
)
def test_after_a_rebuild_there_is_nothing_left_to_do(
    told: dict[str, Any],
    body: dict[str, Any],
    state: str,
    statuses: list[tuple[Mapping[str, Any], str]],
    wanted: tuple[Mapping[str, Any], ...] | None,
) -> None:
    there = Seen(
        {"cluster_id": "c-1", "state": state, **told, "spec": told},
        tuple({"library": library, "status": status} for library, status in statuses),
    )
    spec = ClusterSpec("hello", body, wanted)
    tags = {TAG: spec.configuration}
    after = applied(there, plan_rebuild(spec, [there], tags=tags).steps)
    again = plan_rebuild(spec, [after], tags=tags)
    assert again.steps == ()
    assert again.changes == ()
