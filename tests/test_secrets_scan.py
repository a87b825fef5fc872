from __future__ import annotations

import json
import time

import pytest

from dbx_magic.secrets_scan import scan

# Put together here, so that no scanner takes this file itself for a leak.
TOKEN = "dapi" + "0123456789abcdef" * 2
SECRETS = [
    ("a Databricks token", TOKEN),
    ("a Databricks token", TOKEN + "-2"),
    ("a Databricks OAuth secret", "dose" + "0123456789abcdef" * 2),
    ("an Azure DevOps token", "A1b2" * 19 + "AZDO" + "x9Yz"),
    ("an Azure client secret", "abc8" + "Q~" + "d" * 34),
    ("an Azure storage key", "AccountKey=" + "Ab+/" * 21 + "Ab=="),
    ("an Azure shared access signature", "?sv=2024&sig=" + "Ab1%2F" * 8 + "%3D"),
    ("an AWS access key", "AKIA" + "ABCDEFGH234567AB"),
    ("an AWS session key", "ASIA" + "ABCDEFGH234567AB"),
    ("a Google API key", "AIza" + "Sy_-4567" * 4 + "abc"),
    ("a GitHub token", "ghp_" + "Aa1" * 12),
    ("a GitHub token", "github_pat_" + "Ab" * 41),
    ("a GitLab token", "glpat-" + "Ab1-_" * 4),
    ("a Slack token", "xoxb-" + "1234567890-abc"),
    ("a Hugging Face token", "hf_" + "aB" * 17),
    ("an OpenAI key", "sk-proj-" + "a" * 20 + "T3BlbkFJ" + "b" * 20),
    ("an Anthropic key", "sk-ant-" + "api03-" + "a" * 80),
    ("a package index token", "pypi-" + "AgE" + "a" * 60),
    ("a private key", "-----BEGIN " + "RSA PRIVATE KEY-----"),
    ("a password in an address", "postgresql://ada:" + "hunter22@db.example.org/x"),
]
HARMLESS = [
    "commit 4f2c1ab9d0e3f5a6b7c8d9e0f1a2b3c4d5e6f7a8",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "token = dbutils.secrets.get('scope', 'key')",
    "dapi" + "0" * 31,
    "postgresql://ada:{{secrets/scope/key}}@db.example.org/x",
    "https://user:$PASSWORD@example.org, https://user:<password>@example.org",
    "https://example.org:8080/a@b",
    "git@github.com:owner/name.git",
    "-----BEGIN PUBLIC KEY-----",
    "a highlight: ghost_writer, sk-learn, hf_model",
]


@pytest.mark.parametrize(("kind", "secret"), SECRETS)
def test_each_kind_is_found_with_its_line_and_never_shown_whole(kind: str, secret: str) -> None:
    [found] = scan("workspace/x.py", f"a = 1\nb = '{secret}'\n".encode())
    assert (found.where, found.kind) == ("workspace/x.py:2", kind)
    assert len(found.start) <= 6
    assert secret not in str(found)


def test_a_short_password_is_not_shown_by_its_first_characters() -> None:
    [found] = scan("x", b"ftp://ada:" + b"abc@host/")
    assert found.start == ""


@pytest.mark.parametrize("text", HARMLESS)
def test_hashes_and_references_to_secrets_are_no_secrets(text: str) -> None:
    assert scan("x.py", text.encode()) == []


def test_a_line_can_be_allowed() -> None:
    text = f"a = '{TOKEN}'  # pragma: allowlist secret\nb = '{TOKEN}'\n"
    assert [item.where for item in scan("x.py", text.encode())] == ["x.py:2"]


def notebook(**cell: object) -> bytes:
    whole = {"cell_type": "code", "source": [], "outputs": [], "metadata": {}, **cell}
    first = {"cell_type": "markdown", "source": "# Title", "metadata": {}}
    return json.dumps({"cells": [first, whole], "metadata": {}, "nbformat": 4}).encode()


HALVES = TOKEN[:20], TOKEN[20:]


@pytest.mark.parametrize(
    ("cell", "where"),
    [
        ({"source": ["x = 1\n", f"t = '{TOKEN}'"]}, "a.ipynb, cell 2, line 2"),
        ({"source": f"t = '{TOKEN}'"}, "a.ipynb, cell 2, line 1"),
        # An editor may break a text anywhere into the list's items.
        ({"source": [*HALVES]}, "a.ipynb, cell 2, line 1"),
        ({"outputs": [{"name": "stdout", "text": ["a\n", TOKEN]}]}, "a.ipynb, cell 2, output line"),
        ({"outputs": [{"data": {"application/json": {TOKEN: 1}}}]}, "a.ipynb, cell 2, output line"),
        ({"metadata": {"tags": [TOKEN]}}, "a.ipynb, cell 2, metadata line"),
    ],
)
def test_a_notebook_is_read_as_its_cells_and_outputs(cell: dict[str, object], where: str) -> None:
    [found] = scan("a.ipynb", notebook(**cell))
    assert found.where.startswith(where)


def test_escapes_of_json_do_not_hide_a_secret() -> None:
    escaped = "".join(f"\\u{ord(char):04x}" for char in TOKEN).encode()
    data = notebook(source="SECRET").replace(b"SECRET", escaped)
    assert [item.kind for item in scan("a.ipynb", data)] == ["a Databricks token"]


@pytest.mark.parametrize("broken", ["{", "[]", '{"cells": 3}', '{"cells": [4]}', "null"])
def test_a_broken_notebook_is_read_as_text(broken: str) -> None:
    data = f"{broken}\n{TOKEN}".encode()
    assert [item.where for item in scan("a.ipynb", data)] == ["a.ipynb:2"]
    assert scan("a.ipynb", broken.encode()) == []


def test_hostile_text_is_scanned_in_linear_time() -> None:
    """No rule goes back over a long line: each of these takes hours when one does."""
    hostile = ["a." * 200_000 + "://", "dapi" * 200_000, "AZDO" + "a" * 500_000, "x://a:" * 50_000]
    started = time.process_time()
    for text in hostile:
        scan("x", text.encode())
    assert time.process_time() - started < 5
