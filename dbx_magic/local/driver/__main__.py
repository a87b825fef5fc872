"""Start a context's Python process: python -m dbx_magic.local.driver CONNECTION_FILE."""

from __future__ import annotations

import sys

from .start import main

main(sys.argv[1])
