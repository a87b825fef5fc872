"""Performs verbs in processes of their own, forked from this one so that each starts at once.

Reads lines ``VERB FOLDER`` and answers each with the process id of the child that performs it,
then, after one more line, with the child's exit status.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import requests  # noqa: F401 - loaded once, for all children

from dbx_magic import events, verbs
from dbx_magic.dbx import Dbx
from dbx_magic.errors import DbxError


def main() -> None:
    for line in sys.stdin:
        verb, folder = line.rstrip("\n").split(" ", 1)
        child = os.fork()
        if child == 0:
            try:
                events.drive(verbs.perform(Dbx(Path(folder)), verb, {}), lambda _: None)
            except DbxError as error:
                sys.stderr.write(f"{error}\n")
                os._exit(error.exit_code)
            os._exit(0)
        print(child, flush=True)  # noqa: T201
        sys.stdin.readline()
        _, status = os.waitpid(child, 0)
        print(status, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
