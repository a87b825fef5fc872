from __future__ import annotations

import json
from typing import Any

import pytest

from dbx_magic.strip import without_outputs

CELL: dict[str, Any] = {
    "cell_type": "code",
    "execution_count": None,
    "id": "a",
    "metadata": {"tags": ["keep"]},
    "outputs": [],
    "source": ["print('né')\n", "1"],
}


def notebook(cell: dict[str, Any], **metadata: object) -> dict[str, Any]:
    markdown = {"cell_type": "markdown", "id": "m", "metadata": {}, "source": ["# T"]}
    return {
        "cells": [markdown, {**CELL, **cell}],
        "metadata": metadata,
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def written(content: dict[str, Any], indent: int | str = 1) -> bytes:
    return (json.dumps(content, indent=indent, ensure_ascii=False) + "\n").encode()


CLEAN = written(notebook({}))


@pytest.mark.parametrize(
    "left_behind",
    [
        {"outputs": [{"output_type": "stream", "name": "stdout", "text": ["1\n"]}]},
        {"execution_count": 7},
        {"metadata": {"tags": ["keep"], "execution": {"iopub.execute_input": "2026"}}},
        {"metadata": {"tags": ["keep"], "ExecuteTime": {"end_time": "2026"}}},
    ],
)
def test_what_a_run_left_behind_goes_and_nothing_else(left_behind: dict[str, Any]) -> None:
    assert without_outputs(written(notebook(left_behind))) == CLEAN


def test_widget_states_go() -> None:
    assert without_outputs(written(notebook({}, widgets={"state": {"x": 1}}))) == CLEAN


@pytest.mark.parametrize("indent", [1, 2, 4, "\t"])
def test_indentation_stays_as_it_is(indent: int | str) -> None:
    dirty = written(notebook({"execution_count": 1}), indent)
    assert without_outputs(dirty) == written(notebook({}), indent)


@pytest.mark.parametrize(
    "data",
    [
        CLEAN,
        CLEAN.rstrip(),
        CLEAN.replace(b"\n", b"\r\n"),
        b"",
        b"{",
        b"[1]",
        b'{"cells": 1}',
        b"\xff\xfe",
        b"version https://git-lfs.github.com/spec/v1\n",
        b"[" * 100_000,
    ],
)
def test_the_rest_is_given_back_byte_for_byte(data: bytes) -> None:
    assert without_outputs(data) == data


def test_it_is_idempotent_and_survives_half_a_surrogate_pair() -> None:
    dirty = written(notebook({"execution_count": 1})).replace(b"print", b"\\ud83d")
    once = without_outputs(dirty)
    assert json.loads(once)["cells"][1]["source"][0].startswith("\ud83d")
    assert without_outputs(once) == once
