"""Lets `delta` be written and read without Delta: as parquet, which is said at the first use.

Delta's own Java library comes from Maven, which a laptop may not reach. Where it is installed as a
library of the cluster, Spark finds that one first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

_SOURCE = """
package delta;
public class DefaultSource
    extends org.apache.spark.sql.execution.datasources.parquet.ParquetFileFormat {
  private static boolean used, told;
  public DefaultSource() { used = true; }
  public static synchronized boolean isNews() {
    boolean news = used && !told;
    told |= news;
    return news;
  }
}
"""


def offer_delta(jvm: Any, folder: Path) -> None:
    """Give Spark a source of that name, compiled by the compiler that Spark brings."""
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    compiler = jvm.org.codehaus.janino.SimpleCompiler()
    compiler.setParentClassLoader(loader)
    compiler.cook(_SOURCE)
    code = compiler.getBytecodes()
    for name in code.keySet():
        path = folder / f"{name.replace('.', '/')}.class"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(code[name])
    loader.addURL(jvm.java.io.File(str(folder)).toURI().toURL())
