# Databricks notebook source
# MAGIC %md
# MAGIC # Python cells, one for each thing that a cell can show

# COMMAND ----------

1 + 1

# COMMAND ----------

print("hello")

# COMMAND ----------

x = 42

# COMMAND ----------

x

# COMMAND ----------

print(x)
x * 2

# COMMAND ----------

"text with 'quotes' and \"more\""

# COMMAND ----------

None

# COMMAND ----------

[1, 2, 3]

# COMMAND ----------

{"a": 1, "b": [1, 2], "c": {"d": None}}

# COMMAND ----------

print("several", "words", sep=", ", end="!\n")

# COMMAND ----------

for i in range(5):
    print(i, i ** 2)

# COMMAND ----------

import sys
print("to stderr", file=sys.stderr)

# COMMAND ----------

import sys
print("out", flush=True)
print("err", file=sys.stderr, flush=True)
print("out again", flush=True)

# COMMAND ----------

def greet(name: str) -> str:
    """Say hello."""
    return f"Hello, {name}!"

greet("world")

# COMMAND ----------

class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y
    def __repr__(self):
        return f"Point({self.x}, {self.y})"

Point(1, 2)

# COMMAND ----------

class Html:
    def _repr_html_(self):
        return "<b>bold</b>"
    def __repr__(self):
        return "bold"

Html()

# COMMAND ----------

class Both:
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": "plain", "text/markdown": "**marked**", "application/json": {"a": 1}}

Both()

# COMMAND ----------

class Latex:
    def _repr_latex_(self):
        return "$x^2$"
    def __repr__(self):
        return "x squared"

Latex()

# COMMAND ----------

from IPython.display import display as show, HTML, Markdown, JSON, SVG, Javascript
show(HTML("<i>italic</i>"))

# COMMAND ----------

show(Markdown("## A title"))

# COMMAND ----------

show(JSON({"a": [1, 2, 3]}))

# COMMAND ----------

show(SVG("<svg xmlns='http://www.w3.org/2000/svg' width='10' height='10'><rect width='10' height='10'/></svg>"))

# COMMAND ----------

show("first")
show("second")
"third"

# COMMAND ----------

from IPython.display import Image
import base64
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
Image(PIXEL)

# COMMAND ----------

show(Image(PIXEL, width=100, height=50))

# COMMAND ----------

displayHTML("<h3>From displayHTML</h3><p>&lt;escaped&gt;</p>")

# COMMAND ----------

displayHTML("<script>1 < 2 && 3 > 2</script><p>after</p>")

# COMMAND ----------

raise ValueError("something is wrong")

# COMMAND ----------

def inner():
    return 1 / 0

def outer():
    return inner()

outer()

# COMMAND ----------

try:
    {}["missing"]
except KeyError as error:
    raise RuntimeError("no key") from error

# COMMAND ----------

assert x == 43, f"x is {x}"

# COMMAND ----------

undefined_name

# COMMAND ----------

this is not python

# COMMAND ----------

def broken(:
    pass

# COMMAND ----------

if True:
print("indent")

# COMMAND ----------

"a" + 1

# COMMAND ----------

import not_a_module_at_all

# COMMAND ----------

open("/no/such/file")

# COMMAND ----------

print("before the error")
raise KeyError("after some output")

# COMMAND ----------

import asyncio
await asyncio.sleep(0)
"awaited"

# COMMAND ----------

async def compute(n):
    await asyncio.sleep(0)
    return n * 2

await asyncio.gather(*(compute(n) for n in range(4)))

# COMMAND ----------

_ = 3
lines = !echo shell
lines

# COMMAND ----------

!echo from a shell

# COMMAND ----------

!echo $x {x + 1}

# COMMAND ----------

!exit 3

# COMMAND ----------

# MAGIC %%bash
# MAGIC echo one
# MAGIC echo two

# COMMAND ----------

# MAGIC %sh touch /tmp/dbx_remote_cells.txt

# COMMAND ----------

# MAGIC %%writefile /tmp/dbx_remote_cells.txt
# MAGIC written
# MAGIC by a magic

# COMMAND ----------

print(open("/tmp/dbx_remote_cells.txt").read())

# COMMAND ----------

# MAGIC %%capture caught
# MAGIC print("not shown")

# COMMAND ----------

caught.stdout

# COMMAND ----------

# MAGIC %%python3 -c "print('another python')"

# COMMAND ----------

# MAGIC %who_ls int

# COMMAND ----------

# MAGIC %env DBX_REMOTE_CELL=1

# COMMAND ----------

import os
os.environ["DBX_REMOTE_CELL"]

# COMMAND ----------

# MAGIC %no_such_magic

# COMMAND ----------

# MAGIC %%no_such_cell_magic
# MAGIC text

# COMMAND ----------

len?

# COMMAND ----------

greet?

# COMMAND ----------

?greet

# COMMAND ----------

# MAGIC %pdoc greet

# COMMAND ----------

x = 1; y = 2; x + y;

# COMMAND ----------

a, b = b, a = 1, 2
a, b

# COMMAND ----------

print("\x1b[31mred\x1b[0m and \x1b[1;32mbold green\x1b[0m")

# COMMAND ----------

print("progress 1\rprogress 2\rprogress 3")

# COMMAND ----------

print("tab\tbell\x07 null\x00 end")

# COMMAND ----------

print("unicode: é 漢字 😀 ‮right to left‬")

# COMMAND ----------

print("<b>not html</b> & not an entity &amp;")

# COMMAND ----------

"\ud800 half a character".encode("utf-8", "surrogatepass")

# COMMAND ----------

bytes(range(32))

# COMMAND ----------

print("x" * 20000)

# COMMAND ----------

for i in range(2000):
    print("line", i)

# COMMAND ----------

import warnings
warnings.warn("careful")

# COMMAND ----------

import logging
logging.getLogger("cell").warning("logged")

# COMMAND ----------

from pprint import pprint
pprint({"long": list(range(30)), "nested": {"a": {"b": {"c": 1}}}})

# COMMAND ----------

import json
print(json.dumps({"b": 1, "a": [True, None]}, indent=2, sort_keys=True))

# COMMAND ----------

from collections import Counter, OrderedDict, defaultdict, namedtuple
Counter("mississippi").most_common(2)

# COMMAND ----------

Row2 = namedtuple("Row2", "a b")
Row2(1, b="two")

# COMMAND ----------

import datetime as dt
dt.date(2024, 2, 29), dt.datetime(2024, 1, 2, 3, 4, 5), dt.timedelta(days=1, seconds=2)

# COMMAND ----------

import decimal, fractions
decimal.Decimal("1.10"), fractions.Fraction(1, 3)

# COMMAND ----------

import re
re.findall(r"\d+", "a1b22c333")

# COMMAND ----------

from dataclasses import dataclass

@dataclass
class Passenger:
    name: str
    age: int = 0

Passenger("Ada", 36)

# COMMAND ----------

from enum import Enum

class Colour(Enum):
    RED = 1

Colour.RED

# COMMAND ----------

sum(n for n in range(1000) if n % 3 == 0)

# COMMAND ----------

sorted({"b", "a", "c"}, reverse=True)

# COMMAND ----------

import random
random.seed(7)
[random.randint(0, 9) for _ in range(10)]

# COMMAND ----------

import math
round(math.pi, 4), math.inf, math.nan

# COMMAND ----------

with open("/tmp/dbx_remote_cells.csv", "w") as file:
    file.write("a,b\n1,2\n3,4\n")

# COMMAND ----------

import csv
with open("/tmp/dbx_remote_cells.csv") as file:
    for row in csv.DictReader(file):
        print(row)

# COMMAND ----------

globals()["dynamic"] = "made"
dynamic

# COMMAND ----------

del dynamic
"dynamic" in globals()

# COMMAND ----------

lambda_value = (lambda n: n + 1)(41)
lambda_value

# COMMAND ----------

match lambda_value:
    case 42:
        print("the answer")
    case _:
        print("no")

# COMMAND ----------

f"{x!r:>5} {3.14159:.2f} {1_000_000:,}"

# COMMAND ----------

print(*[f"{n:>3}" for n in range(3)], sep="|")

# COMMAND ----------

from IPython.display import clear_output
print("gone")
clear_output()
print("stays")

# COMMAND ----------

handle = show("being updated", display_id=True)
handle.update("updated")

# COMMAND ----------

from IPython.display import display as show2, Pretty
show2(Pretty("pretty"), {"text/plain": "raw", "text/html": "<u>raw</u>"}, raw=False)

# COMMAND ----------

get_ipython().run_cell("print('a cell in a cell')")
None

# COMMAND ----------

exec("print('executed')")

# COMMAND ----------

eval("1 + 2")
