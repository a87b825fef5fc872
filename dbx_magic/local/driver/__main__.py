"""Start the process from which contexts are forked: python -m dbx_magic.local.driver."""

from __future__ import annotations

from .nursery import main

main()
