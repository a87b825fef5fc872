"""What crosses from a notebook here to the one in the workspace, and what stays home.

``%dbx`` lines, ``%load_ext dbx_magic`` and cells tagged ``local`` are of no use on Databricks.
``%%dbx sql`` is there a cell that begins with ``%sql``. On the way back each returns as it was.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from .errors import ConflictError
from .notebook import LANGUAGES, Cell, Language, Notebook, cell_language, foreign_language

HOME_TAG = "local"
CONFLICT_MARK = "<!-- dbx conflict -->"

_CELL_MAGIC = re.compile(r"\s*%%(dbx|sql|scala|r|R|python|sh|fs)\b([^\n]*)(?:\n|\Z)")
_HOME_LINE = re.compile(r"([ \t]*)%(?:dbx(?:[ \t].*)?|(?:re|un)?load_ext[ \t]+dbx_magic[ \t]*)$")
_ASSIGNED = re.compile(r"^[^\n#=]+=[ \t]*%dbx\b", re.MULTILINE)
_RESULT = re.compile(r"(?:^|\s)-[oi]\s*(\w+)")
# What only Jupyter's own page can show.
_PAGE_MAGIC = re.compile(r"\s*%%(html|javascript|js|svg|latex)\b")
_PAGE_LINE = re.compile(r"^[ \t]*(%matplotlib[ \t]+(?:widget|notebook|ipympl)\b)", re.MULTILINE)
_HELP = re.compile(r"^(?:\?{1,2}[%\w.*]+|[%\w.*]+\?{1,2})[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Crossing:
    """A notebook as the workspace gets it.

    ``origins`` gives for each of its cells the number, from 0, of the local cell it comes from.
    """

    notebook: Notebook
    origins: tuple[int, ...]
    warnings: tuple[str, ...]


def to_workspace(notebook: Notebook, path: str = "") -> Crossing:
    """Leave out what only makes sense here, and say what Databricks will not understand.

    Raises:
        ConflictError: a merge left two versions of a cell, and nobody has chosen one yet.
    """
    where = path or "The notebook"
    cells: list[Cell] = []
    origins: list[int] = []
    warnings: list[str] = []
    if name := foreign_language(notebook):
        warnings.append(f"{where}: Databricks does not run {name}; its cells go there as Python.")
    for index, cell in enumerate(notebook.cells):
        if cell.kind == "markdown" and cell.text.startswith(CONFLICT_MARK):
            raise ConflictError(
                f"{where}, cell {index + 1}: a conflict is not settled yet.",
                "Keep one of the two versions, delete the note between them, then try again.",
            )
        text = _outgoing_text(cell, notebook.language)
        if text is None:
            continue
        warnings += [f"{where}, cell {index + 1}: {warning}" for warning in _warnings(cell, text)]
        cells.append(cell if text is cell.text else cell._replace(text=text))
        origins.append(index)
    return Crossing(notebook._replace(cells=tuple(cells)), tuple(origins), tuple(warnings))


def come_home(text: str, local: Cell, language: Language) -> str:
    """Give text that was edited in the workspace what its local cell had and left home."""
    before = _outgoing_text(local, language)
    if before == text:
        return local.text
    if before is None or before == local.text:
        return text
    if header := _CELL_MAGIC.match(local.text):
        known, _ = cell_language(Cell("code", before), Notebook(language))
        now, body = cell_language(Cell("code", text), Notebook(language))
        if known != now:
            return text
        return local.text[: header.end()].rstrip("\n") + "\n" + body
    return "\n".join(_with_home_lines(local.text.split("\n"), text.split("\n"), language))


def _outgoing_text(cell: Cell, language: Language) -> str | None:
    """Say what of a cell goes to the workspace; ``None`` for nothing."""
    tags = cell.metadata.get("tags") if cell.metadata else None
    if isinstance(tags, list) and HOME_TAG in tags:
        return None
    text = cell.text
    if cell.kind != "code":
        return text
    if "%%" in text and (header := _CELL_MAGIC.match(text)):
        body = text[header.end() :]
        name = _language_of(header[1], header[2])
        if not name:
            return text
        if header[1] == "dbx" and not body.strip():
            return None
        return body if header[1] == "dbx" and name == language else f"%{name}\n{body}"
    if "%dbx" not in text and "dbx_magic" not in text:
        return text
    lines = text.split("\n")
    home = _home_lines(lines, language)
    if not home:
        return text
    kept = [line for _, line in _kept(lines, home)]
    return "\n".join(kept) if any(line.strip() for line in kept) else None


def _language_of(magic: str, rest: str) -> str:
    """Name the language of a cell magic; empty where Databricks has no counterpart."""
    if magic != "dbx":
        return "" if rest.strip() else magic.lower()
    words = rest.split()
    return words[0] if words and words[0] in (*LANGUAGES, "sh") else "python"


def _home_lines(lines: list[str], language: Language) -> set[int]:
    """Find the lines that stay home, with the blank ones that would be left at the cell's ends."""
    home = matching_lines(_HOME_LINE, lines, in_python=language == "python")
    if home:
        for numbers in (range(len(lines)), reversed(range(len(lines)))):
            edge = list(_until_kept(numbers, lines, home))
            if home.intersection(edge):
                home.update(edge)
    return home


def matching_lines(
    pattern: re.Pattern[str], lines: Sequence[str], *, in_python: bool = True
) -> set[int]:
    """Find the lines that begin like this, outside of strings, and those that continue one."""
    found: set[int] = set()
    for number, line in enumerate(lines):
        if pattern.match(line.rstrip("\\")) or (
            number - 1 in found and lines[number - 1].endswith("\\")
        ):
            found.add(number)
    return found - _in_strings(lines, found) if found and in_python else found


def _until_kept(numbers: range | Iterator[int], lines: list[str], home: set[int]) -> Iterator[int]:
    for number in numbers:
        line = lines[number]
        if line.strip() and (number not in home or line[0].isspace()):
            return
        yield number


def _in_strings(lines: Sequence[str], candidates: set[int]) -> set[int]:
    """Find those lines that only look like magics: they are inside a string."""
    plain = [
        re.sub(r"\S.*", "pass", line) if number in candidates else line
        for number, line in enumerate(lines)
    ]
    inside: set[int] = set()
    try:
        for token in tokenize.generate_tokens(io.StringIO("\n".join(plain) + "\n").readline):
            inside.update(range(token.start[0], token.end[0]))  # empty for one on one line
    except (tokenize.TokenError, SyntaxError):
        pass  # what the tokenizer cannot read is no Python: what was found until there counts
    return inside & candidates


def _kept(lines: list[str], home: set[int]) -> Iterator[tuple[int, str]]:
    """Give the lines that cross. An indented one may be all that a block has: ``pass`` crosses."""
    for number, line in enumerate(lines):
        if number not in home:
            yield number, line
        elif (found := _HOME_LINE.match(line.rstrip("\\"))) and found[1]:
            yield number, f"{found[1]}pass"


def _with_home_lines(local: list[str], edited: list[str], language: Language) -> Iterator[str]:
    """Put home lines back where they were in the cell, between lines that have been edited."""
    home = _home_lines(local, language)
    kept = list(_kept(local, home))
    numbers = [number for number, _ in kept]
    matcher = SequenceMatcher(None, [line for _, line in kept], edited, autojunk=False)
    done = 0
    for kind, first, last, start, end in matcher.get_opcodes():
        if kind == "equal":
            for number in numbers[first:last]:
                yield from local[done : number + 1]
                done = number + 1
            continue
        for number in numbers[first:last]:
            yield from (local[other] for other in range(done, number) if other in home)
            done = number + 1
        yield from edited[start:end]
    yield from local[done:]


def _warnings(cell: Cell, text: str) -> Iterator[str]:
    """Say what a cell will not be able to do on Databricks. Nothing of it is changed."""
    if cell.attachments:
        yield "its attached images stay here; the workspace shows only links to files."
    if cell.kind != "code":
        return
    if "%dbx" in cell.text:
        if (found := _CELL_MAGIC.match(cell.text)) and (name := _RESULT.search(found[2])):
            yield f"{name[1]} travels between cluster and computer only when it is run from here."
        if _ASSIGNED.search(text):
            yield "it takes a value from %dbx, which Databricks does not have."
    if text.startswith("%%"):
        if found := _CELL_MAGIC.match(text):
            yield f"Databricks has %{found[1]}, but no %%{found[1]} with arguments."
        elif found := _PAGE_MAGIC.match(text):
            yield f"%%{found[1]} is for Jupyter's page; on Databricks, use displayHTML."
    if "%matplotlib" in text and (found := _PAGE_LINE.search(text)):
        yield f"{found[1]} needs Jupyter's page; Databricks shows still pictures."
    if "?" in text and not text.startswith("%") and (found := _HELP.search(text)):
        yield f"{found[0].strip()} asks Jupyter for help; on Databricks, use help()."
