"""``python -m dbx_magic`` is ``dbx-magic``."""

import sys

from .cli import main

sys.exit(main())
