"""Lets tests import what stands in workspace/, as notebooks do."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "workspace"))
