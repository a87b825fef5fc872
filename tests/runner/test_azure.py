from __future__ import annotations

from typing import Any

import pytest
from ruamel.yaml import YAML

from dbx_magic.pipeline_text import render
from dbx_magic.runner.azure import Unsupported, stages_of


def read(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def test_the_generated_pipelines_are_understood() -> None:
    texts = render("azure", ("dev", "prod"), "main", "1")
    stages = stages_of(read(texts["pipelines/build-workspace.yml"]))
    assert [(stage.name, stage.after, stage.groups) for stage in stages] == [
        ("tests", (), ()),
        ("dev", ("tests",), ("databricks_cli_dev",)),
        ("prod", ("dev",), ("databricks_cli_prod",)),
    ]
    push = stages[1].steps[-1]
    assert push.script == "dbx-magic push --target dev"
    assert push.env["DATABRICKS_TOKEN"] == "$(databricks_token)"


def test_steps_alone_and_jobs_alone_are_pipelines_too() -> None:
    [stage] = stages_of(read("steps:\n- script: echo 1\n- bash: echo 2\n  enabled: false\n"))
    assert [step.script for step in stage.steps] == ["echo 1"]
    first, second = stages_of(
        read("jobs:\n- job: a\n  steps: [{script: x}]\n- job: b\n  steps: [{script: y}]\n")
    )
    assert (first.after, second.after) == ((), ("stage",))


def test_variables_of_all_levels() -> None:
    [stage] = stages_of(
        read(
            "variables: {a: 1, b: true}\n"
            "jobs:\n- job: j\n  variables:\n  - group: databricks_cli\n"
            "  - {name: a, value: 2}\n  steps: []\n"
        )
    )
    assert (stage.variables, stage.groups) == ({"a": "2", "b": "true"}, ("databricks_cli",))


def test_a_script_of_the_repository_begins_where_its_task_says() -> None:
    [stage] = stages_of(
        read(
            "steps:\n"
            "- task: ShellScript@2\n  inputs: {scriptPath: pipelines/go.sh, args: 1 2}\n"
            "- task: Bash@3\n  inputs: {filePath: pipelines/go.sh}\n"
        )
    )
    assert [step.folder for step in stage.steps] == ["pipelines", ""]
    assert stage.steps[0].script == 'bash "$BUILD_SOURCESDIRECTORY/pipelines/go.sh" 1 2'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("steps: [{task: AzureCLI@2}]", "the step 'AzureCLI@2' cannot run locally"),
        ("steps: [{template: x.yml}]", "the step 'template' cannot run locally"),
        ("steps: [{script: x, retryCountOnTaskFailure: 3}]", "'retryCountOnTaskFailure'"),
        ("steps: [{script: x, condition: 'eq(1, 1)'}]", "the condition 'eq(1, 1)'"),
        ("steps: [{checkout: git://other}]", "the step 'checkout' cannot run locally"),
        ("jobs: [{job: a, container: x, steps: []}]", "'container' in a job"),
        ("jobs: [{deployment: a, strategy: {rolling: {}}}]", "the strategy of 'a'"),
        ("resources: {}\nsteps: []", "'resources' in the pipeline"),
        ("extends: {template: x}", "'extends' in the pipeline"),
        ("variables: [{template: x.yml}]\nsteps: []", "the variables"),
        ("- a", "a pipeline must be a mapping"),
    ],
)
def test_what_is_not_known_is_refused_by_its_name(text: str, words: str) -> None:
    with pytest.raises(Unsupported) as caught:
        stages_of(read(text))
    assert words in str(caught.value)
