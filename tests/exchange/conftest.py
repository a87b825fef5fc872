"""Each test of push and pull has a folder of its own in the workspace."""

from __future__ import annotations

import re

import pytest

from dbx_magic.dbx import Dbx


@pytest.fixture
def dbx(dbx: Dbx, request: pytest.FixtureRequest) -> Dbx:
    """Each test pushes to a folder of its own."""
    settings = dbx.project.root / "dbx.toml"
    name = re.sub(r"\W+", "-", request.node.name)
    settings.write_text(settings.read_text() + f'root = "/Shared/{name}"\n')
    dbx.refresh(dbx.project.root)
    return dbx


@pytest.fixture
def root(dbx: Dbx) -> str:
    return dbx.project.target.root
