"""Whether a workspace offers what a spec asks for, and a policy allows it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dbx_magic.errors import ProjectError
from dbx_magic.offered import check_node_types, check_policy, check_runtime, offers_of
from dbx_magic.spec import ClusterSpec

BODY = {
    "spark_version": "16.4.x-scala2.12",
    "node_type_id": "Standard_DS3_v2",
    "autotermination_minutes": 60,
    "autoscale": {"min_workers": 1, "max_workers": 8},
    "spark_conf": {"spark.databricks.cluster.profile": "serverless"},
    "custom_tags": {"team": "a"},
    "init_scripts": [{"dbfs": {"destination": "dbfs:/a.sh"}}, {"s3": {"destination": "s3://b"}}],
    "enable_elastic_disk": True,
    "policy_id": "p-1",
}
SPEC = ClusterSpec("hello", BODY, places={"autoscale": "the.json, line 4, column 3"})
VERSIONS = [
    {"key": "17.3.x-scala2.13", "name": "17.3 LTS (includes Apache Spark 4.0.0)"},
    {"key": "17.3.x-cpu-ml-scala2.13", "name": "17.3 LTS ML"},
    {"key": "18.0.x-scala2.13", "name": "18.0"},
]


def with_rules(**rules: Any) -> list[dict[str, Any]]:
    named = {path.replace("__", "."): rule for path, rule in rules.items()}
    return [{"policy_id": "p-1", "name": "Small", "definition": json.dumps(named)}]


def test_what_there_is_the_newest_and_the_smallest_first() -> None:
    large = {"node_type_id": "large", "num_cores": 16.0, "memory_mb": 57344}
    small = {"node_type_id": "small", "num_cores": 4.0, "memory_mb": 14336}
    gone = {"node_type_id": "gone", "num_cores": 2.0, "memory_mb": 7168, "is_deprecated": True}
    found = offers_of(VERSIONS, [large, small, gone], with_rules())
    assert [(one.field, one.value, one.about) for one in found.offered] == [
        ("spark_version", "18.0.x-scala2.13", "18.0"),
        ("spark_version", "17.3.x-scala2.13", "17.3 LTS (includes Apache Spark 4.0.0)"),
        ("spark_version", "17.3.x-cpu-ml-scala2.13", "17.3 LTS ML"),
        ("node_type_id", "small", "4 cores, 14 GB"),
        ("node_type_id", "large", "16 cores, 56 GB"),
        ("policy_id", "p-1", "Small"),
    ]


def test_runtimes() -> None:
    with pytest.raises(ProjectError) as caught:
        check_runtime(SPEC, VERSIONS)
    assert caught.value.hint == "Offered: 17.3.x-scala2.13.", "the one that lasts"
    check_runtime(ClusterSpec("hello", {"spark_version": "18.0.x-scala2.13"}), VERSIONS)
    check_runtime(ClusterSpec("hello", {"spark_version": "custom:ours"}), VERSIONS)


def test_node_types() -> None:
    offered = [{"node_type_id": "Standard_DS3_v2"}, {"node_type_id": "Standard_D4ds_v5"}]
    check_node_types(SPEC, offered)
    driver = ClusterSpec("hello", {**BODY, "driver_node_type_id": "Standard_D4ds_v4"})
    with pytest.raises(ProjectError, match=r"Standard_D4ds_v4 .* Did you mean Standard_D4ds_v5"):
        check_node_types(driver, offered)


class TestPolicies:
    def test_one_that_is_not_there(self) -> None:
        with pytest.raises(ProjectError, match=r"no policy p-1 for you. It has: p-2 \(Big\)"):
            check_policy(SPEC, [{"policy_id": "p-2", "name": "Big"}])

    @pytest.mark.parametrize(
        ("path", "rule"),
        [
            ("autotermination_minutes", {"type": "range", "minValue": 10, "maxValue": 60}),
            ("autotermination_minutes", {"type": "range", "maxValue": 90}),
            ("autotermination_minutes", {"type": "fixed", "value": "60"}),
            ("node_type_id", {"type": "allowlist", "values": ["Standard_DS3_v2", "x"]}),
            ("node_type_id", {"type": "regex", "pattern": "Standard_DS[0-9]_v2"}),
            ("node_type_id", {"type": "blocklist", "values": ["Standard_DS5_v2"]}),
            ("enable_elastic_disk", {"type": "fixed", "value": "true"}),
            ("instance_pool_id", {"type": "forbidden", "hidden": True}),
            ("custom_tags__cost center", {"type": "fixed", "value": "42"}),
            ("spark_conf__spark.databricks.cluster.profile", {"type": "unlimited"}),
            ("cluster_type", {"type": "fixed", "value": "all-purpose"}),
            ("dbus_per_hour", {"type": "range", "maxValue": 10}),
            ("autoscale__max_workers", {"type": "a_rule_of_tomorrow"}),
        ],
    )
    def test_what_it_allows(self, path: str, rule: dict[str, Any]) -> None:
        check_policy(SPEC, with_rules(**{path: rule}))

    @pytest.mark.parametrize(
        ("path", "rule", "words"),
        [
            ("autoscale__max_workers", {"type": "range", "maxValue": 4}, "wants at most 4 as"),
            ("autoscale", {"type": "forbidden"}, "forbids"),
            ("node_type_id", {"type": "allowlist", "values": ["x", "y"]}, "allows only x, y as"),
            ("node_type_id", {"type": "blocklist", "values": ["Standard_DS3_v2"]}, "forbids this"),
            (
                "node_type_id",
                {"type": "regex", "pattern": "i3.*"},
                "allows only what matches i3.* as",
            ),
            ("enable_elastic_disk", {"type": "fixed", "value": False}, "wants false as"),
            ("init_scripts__*__s3__destination", {"type": "forbidden"}, "forbids"),
            ("init_scripts__0__dbfs__destination", {"type": "forbidden"}, "forbids"),
            (
                "spark_conf__spark.databricks.cluster.profile",
                {"type": "fixed", "value": "singleNode"},
                'wants "singleNode" as',
            ),
        ],
    )
    def test_what_it_does_not(self, path: str, rule: dict[str, Any], words: str) -> None:
        with pytest.raises(ProjectError) as caught:
            check_policy(SPEC, with_rules(**{path: rule}))
        assert f"the policy 'Small' {words}" in caught.value.message
        assert path.replace("__", ".") in caught.value.message

    def test_the_place_is_told(self) -> None:
        rules = with_rules(autoscale__max_workers={"type": "range", "maxValue": 4})
        with pytest.raises(ProjectError, match=r"^the.json, line 4, column 3: .*which is 8\."):
            check_policy(SPEC, rules)
