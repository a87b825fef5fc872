"""What runs inside a context's Python process, and makes it a Databricks notebook's driver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def begin(settings: Mapping[str, Any]) -> None:
    """Turn a warm process into the context that somebody asked for."""
    from .start import begin

    begin(**settings)
