"""A notebook as git gets it: without what running it left behind."""

from __future__ import annotations

import json
import re
from typing import Any

_INDENT = re.compile(rb"\s*\{\r?\n([ \t]+)")
# Times of the last execution, as Jupyter and its extensions keep them with a cell.
_TRACES = ("execution", "ExecuteTime")


def without_outputs(data: bytes) -> bytes:
    """Empty a .ipynb of outputs, counts, execution times and widget states.

    The rest keeps its order and indentation; a notebook with none of these, and anything that is
    no notebook, is given back byte for byte.
    """
    try:
        notebook = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        return data
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        return data
    # Not a generator: every cell must be visited.
    found = [_strip_cell(cell) for cell in notebook["cells"] if isinstance(cell, dict)]
    metadata = notebook.get("metadata")
    if isinstance(metadata, dict):
        found.append(metadata.pop("widgets", None) is not None)
    if not any(found):
        return data
    indent = _INDENT.match(data)
    width = indent[1].decode() if indent else 1
    try:
        written = json.dumps(notebook, ensure_ascii=False, indent=width).encode()
    except UnicodeEncodeError:  # half a surrogate pair, which only an escape can hold
        written = json.dumps(notebook, indent=width).encode()
    return written + (b"\n" if data.endswith(b"\n") else b"")


def _strip_cell(cell: dict[str, Any]) -> bool:
    found = False
    if cell.get("outputs"):
        cell["outputs"] = []
        found = True
    if cell.get("execution_count") is not None:
        cell["execution_count"] = None
        found = True
    metadata = cell.get("metadata")
    if isinstance(metadata, dict):
        for name in _TRACES:
            found = metadata.pop(name, None) is not None or found
    return found
