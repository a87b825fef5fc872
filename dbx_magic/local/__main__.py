"""Serve the local workspace in the foreground: ``python -m dbx_magic.local``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C; exit code 5 with one line when it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m dbx_magic.local", description=__doc__)
    parser.add_argument("--home", type=Path, default=None, help="data folder")
    parser.add_argument("--port", type=int, default=None, help="0: any; default: 7070 if free")
    options = parser.parse_args(arguments)
    try:
        from .serve import CannotStart, serve
    except ModuleNotFoundError as problem:
        print(f"{problem.name} is not installed: pip install 'dbx-magic[local]'", file=sys.stderr)  # noqa: T201
        return 5
    try:
        serve(options.home or _default_home(), options.port)
    except CannotStart as problem:
        print(problem, file=sys.stderr)  # noqa: T201
        return 5
    return 0


def _default_home() -> Path:
    chosen = os.environ.get("DBX_MAGIC_HOME")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("dbx-magic")) / "local"


if __name__ == "__main__":
    sys.exit(main())
