"""Cells that show too much, or what nobody expects: clear, bounded, and the next one works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dbx_magic import verbs
from dbx_magic.dbx import Dbx
from dbx_magic.errors import RemoteError
from dbx_magic.events import Event, Note, Shown, drive
from dbx_magic.output import Display, Stream
from dbx_magic.protocol import event_line

Perform = Callable[..., Any]


pytestmark = pytest.mark.usefixtures("on_the_shared_cluster")


def shown(seen: list[Event]) -> str:
    outputs = [event.output for event in seen if isinstance(event, Shown)]
    return "".join(item.text for item in outputs if isinstance(item, Stream | Display))


def run(perform: Perform, code: str, **arguments: Any) -> str:
    seen: list[Event] = []
    perform("exec", seen, code=code, **arguments)
    for event in seen:
        assert event_line(event).encode()  # what goes to JupyterLab
    return shown(seen)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("print('\\x1b[31mred\\x1b[0m')", "\x1b[31mred\x1b[0m\n"),
        ("print('\\0\\a\\b\\x85\\u2028')", "\0\a\b\x85\u2028\n"),
        ("%sh\nprintf '\\377\\376'", "\ufffd\ufffd"),
        ("print('')", "\n"),
        ("", ""),
        ("# nothing", ""),
    ],
    ids=["ansi", "control", "binary", "empty line", "nothing", "comment"],
)
def test_whatever_is_printed_comes(perform: Perform, code: str, expected: str) -> None:
    assert run(perform, code) == expected


@pytest.mark.parametrize(
    "code", ["def", "(", "\x00", "raise BaseException('odd')", "raise SystemExit(3)", "%nonsense"]
)
def test_garbage_is_an_error_of_the_cell(perform: Perform, code: str) -> None:
    with pytest.raises(RemoteError):
        run(perform, code)
    assert run(perform, "40 + 2") == "42"


def test_100_megabytes_are_cut_with_a_word_on_how_to_get_them(perform: Perform) -> None:
    text = run(perform, "for _ in range(100):\n    print('x' * 1_000_000)")
    assert 5_000_000 < len(text) < 20_000_000
    assert "dropped" in text
    assert "write it to a file" in text
    assert run(perform, "40 + 2") == "42"


def test_output_without_an_end_is_bounded_and_stops_when_it_is_left(
    dbx: Dbx, perform: Perform
) -> None:
    work = verbs.perform(dbx, "exec", {"code": "while True:\n    print('again ' * 1000)"})
    seen: list[Event] = []
    while "dropped" not in shown(seen[-3:]):
        seen.append(next(work))
    work.close()
    assert len(shown(seen)) < 20_000_000
    assert run(perform, "40 + 2") == "42"


@pytest.fixture
def other(project: Path, shared_cluster: str) -> Iterator[Dbx]:
    """The same project as another kernel has it."""
    dbx = Dbx(project)
    yield dbx
    dbx.close()


def test_two_kernels_on_one_cluster_do_not_meet(dbx: Dbx, perform: Perform, other: Dbx) -> None:
    slow = "mine = 'first'\nprint('begun', flush=True)\nimport time\ntime.sleep(100)"
    work = verbs.perform(dbx, "exec", {"code": slow})
    while not isinstance(next(work), Shown):
        pass
    # The other's cell neither waits for this one nor sees its variables.
    seen: list[Event] = []
    drive(verbs.perform(other, "exec", {"code": "'mine' in globals()"}), seen.append)
    assert shown(seen) == "False"
    other.close()
    work.close()
    assert run(perform, "print(mine)") == "first\n"


def test_a_cluster_that_stopped_by_itself_is_started_for_the_next_cell(
    dbx: Dbx, perform: Perform, shared_cluster: str
) -> None:
    run(perform, "kept = 1")
    dbx.workspace.stop_cluster(shared_cluster)
    while dbx.workspace.cluster(shared_cluster)["state"] != "TERMINATED":  # held until it changes
        pass
    seen: list[Event] = []
    perform("exec", seen, code="'kept' in globals()")
    assert shown(seen) == "False"
    notes = " ".join(event.text for event in seen if isinstance(event, Note))
    assert "it is being started" in notes
    assert "variables on shared are gone" in notes
