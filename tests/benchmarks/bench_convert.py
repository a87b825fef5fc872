"""Conversion beside jupytext and nbconvert, in one process: milliseconds per 40-cell notebook.

Run it with ``python -m tests.benchmarks.bench_convert`` or as a script.
"""

# ruff: noqa: T201

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable

from dbx_magic.formats import incoming, outgoing
from dbx_magic.notebook import Cell, Notebook, new_metadata, parse_ipynb, render_ipynb
from dbx_magic.source import parse_source, render_source

CELLS = 40
PROSE = """## Step {0}

What the gauges say is compared with what they said **last year**, station by station:

* stations that are gone are left out,
* stations that are new begin with an empty history."""
CODE = """# step {0}
window = Window.partitionBy("station").orderBy("measured_at")
levels_{0} = (
    spark.table("river.levels")
    .where(F.col("measured_at") >= F.lit(since))
    .withColumn("change", F.col("level") - F.lag("level").over(window))
    .groupBy("station", F.window("measured_at", "1 day"))
    .agg(F.avg("level").alias("level"), F.max("change").alias("steepest"))
)

display(levels_{0}.orderBy("station").limit(100))"""
QUERY = "%sql\nselect station, max(level) as highest\nfrom levels_{0}\ngroup by station\norder by 2"


def example() -> Notebook:
    """A notebook of 40 cells: a third prose, a few queries, the rest code, without outputs."""
    cells = []
    for number in range(CELLS):
        if number % 3 == 0:
            cells.append(Cell("markdown", PROSE.format(number)))
        else:
            text = QUERY if number % 5 == 0 else CODE
            cells.append(Cell("code", text.format(number)))
    return Notebook(cells=tuple(cells), metadata=new_metadata("python"))


def best(work: Callable[[], object], times: int) -> float:
    """The fastest of 25 rounds, in milliseconds a call: what the machine can do undisturbed."""
    rounds = []
    for _ in range(25):
        start = time.perf_counter()
        for _ in range(times):
            work()
        rounds.append((time.perf_counter() - start) / times * 1000)
    return min(rounds)


def main() -> None:
    """Measure and print."""
    import jupytext
    import nbconvert
    import nbformat

    ipynb = render_ipynb(example())
    data = ipynb.encode()
    source = render_source(example())
    node = nbformat.reads(ipynb, as_version=4)
    exporter = nbconvert.PythonExporter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jupytext cannot keep one key of the metadata, and says so
        percent = jupytext.writes(node, "py:percent")
        ours = {
            "ipynb → source": best(lambda: render_source(parse_ipynb(data)), 10),
            "source → ipynb": best(lambda: render_ipynb(parse_source(source)), 10),
        }
        theirs = {
            "ipynb → source": {
                "jupytext py:percent": best(
                    lambda: jupytext.writes(jupytext.reads(ipynb, "ipynb"), "py:percent"), 1
                ),
                "nbconvert script": best(
                    lambda: exporter.from_notebook_node(nbformat.reads(ipynb, as_version=4)), 1
                ),
            },
            "source → ipynb": {
                "jupytext py:percent": best(
                    lambda: jupytext.writes(jupytext.reads(percent, "py:percent"), "ipynb"), 1
                )
            },
        }
        rest = {
            "json.loads alone": best(lambda: json.loads(data), 10),
            "push: as the workspace gets it": best(lambda: outgoing("a.ipynb", data), 10),
            "pull: merge of three versions": best(
                lambda: incoming("a.ipynb", data, source.encode(), source.encode() + b"x = 1\n"), 5
            ),
        }
    print(f"{CELLS} cells, {len(data) / 1024:.1f} KB as .ipynb, ms per notebook (best of 25)")
    for way, ms in ours.items():
        print(f"{way:32}{ms:8.3f}  dbx_magic")
        for name, other in theirs[way].items():
            print(f"{'':32}{other:8.3f}  {name} (× {other / ms:.0f})")
    for name, ms in rest.items():
        print(f"{name:32}{ms:8.3f}")


if __name__ == "__main__":
    main()
