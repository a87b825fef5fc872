"""What is made to be seen in a browser: a notebook run as one page, and a word of welcome."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from typing import Any

_PAGE = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font-family: sans-serif; margin: 2em auto; max-width: 60em; }}
pre {{ background: #f6f6f6; color: #111; padding: .6em; overflow-x: auto; }}
pre.error {{ background: #fdecea; }}
iframe {{ border: 0; width: 100%; height: 20em; }}
</style></head><body><h1>{title}</h1><p>{subtitle}</p>
{cells}
</body></html>
"""
WELCOME = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>dbx-magic</title></head><body>
<p>The local workspace is up. It has no pages of its own: <code>%dbx</code> in a notebook,
<code>dbx-magic</code> in a terminal and every Databricks client that is given this address and its
token show what is in it.</p></body></html>
"""
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def run_page(path: str, task_key: str, cells: Iterable[Mapping[str, Any]]) -> str:
    """The page for a notebook's run."""
    shown = "\n".join(_cell(cell) for cell in sorted(cells, key=lambda cell: int(cell["index"])))
    return _PAGE.format(title=html.escape(path), subtitle=html.escape(task_key), cells=shown)


def _cell(cell: Mapping[str, Any]) -> str:
    title = f"<h3>{html.escape(str(cell['title']))}</h3>" if cell["title"] else ""
    source = f"<pre>{html.escape(str(cell['source']))}</pre>"
    return title + source + "".join(_output(event) for event in cell["events"])


def _output(event: Mapping[str, Any]) -> str:
    match event:
        case {"type": "stream", "text": str(text)}:
            return f"<pre>{html.escape(_ANSI.sub('', text))}</pre>"
        case {"type": "error", "traceback": list(trace)}:
            return f'<pre class="error">{html.escape(_ANSI.sub("", chr(10).join(trace)))}</pre>'
        case {"data": {"text/html": str(page)}}:
            # Programs of the notebook may run there, but they do not see the page around them.
            return f'<iframe sandbox="allow-scripts" srcdoc="{html.escape(page)}"></iframe>'
        case {"data": {"image/png": str(image)}}:
            return f'<img src="data:image/png;base64,{html.escape(image)}">'
        case {"data": {"text/plain": str(text)}}:
            return f"<pre>{html.escape(text)}</pre>"
    return ""
