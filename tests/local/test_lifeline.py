"""A program that must not outlive the one that started it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

LIFELINE = [sys.executable, "-m", "dbx_magic.local.lifeline"]


def test_the_exit_code_is_the_programs() -> None:
    command = [*LIFELINE, "bash", "-c", "exit 7"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.wait(timeout=30) == 7


def test_all_ends_when_its_starter_does(wait_until: Callable[..., Any], tmp_path: Path) -> None:
    inner = f"sleep 600 & echo $$ $! > {tmp_path}/made; mv {tmp_path}/made {tmp_path}/pids; wait"
    starter = (
        "import subprocess, sys, time\n"
        "subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)\n"
        "time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", starter, *LIFELINE, "bash", "-c", inner])
    wait_until((tmp_path / "pids").exists, "the start")
    pids = (tmp_path / "pids").read_text().split()
    assert all(alive(pid) for pid in pids)
    process.kill()
    process.wait()
    wait_until(lambda: not any(map(alive, pids)), "the end of what it had started")


def alive(pid: str) -> bool:
    """Whether a process still runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
