"""All benchmarks, one after another, each in a process of its own."""

import subprocess
import sys
from pathlib import Path

for script in sorted(Path(__file__).parent.glob("bench_*.py")):
    print(f"── {script.stem}", flush=True)  # noqa: T201
    subprocess.run([sys.executable, str(script)], check=True)
