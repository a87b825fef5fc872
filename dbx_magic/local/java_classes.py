"""Java of our own in a cluster's Spark: what `delta` and `file:` mean here.

Delta's own library comes from Maven, which a laptop may not reach. Until it is installed as a
library of the cluster, delta is written and read as parquet, which is said at the first use.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_DELTA = """
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

_FILES = """
package dbx;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
public class Files extends org.apache.hadoop.fs.RawLocalFileSystem {
  public java.io.File pathToFile(Path path) {
    String text = path.toUri().getPath();
    int end = text.indexOf('/', 1);
    String root = end < 0 ? text : text.substring(0, end);
    String folder = getConf().get("dbx.files." + root);
    return folder == null
        ? super.pathToFile(path) : new java.io.File(folder + text.substring(root.length()));
  }
  public FileStatus getFileStatus(Path path) throws java.io.IOException {
    FileStatus real = super.getFileStatus(path);
    Path asked = path.makeQualified(getUri(), getWorkingDirectory());
    return asked.equals(real.getPath()) ? real : new FileStatus(  // Spark looks for what it asked
        real.getLen(), real.isDirectory(), real.getReplication(), real.getBlockSize(),
        real.getModificationTime(), asked);
  }
  public FileStatus[] listStatus(Path path) throws java.io.IOException {
    FileStatus found = getFileStatus(path);
    return found.isFile() ? new FileStatus[] {found} : super.listStatus(path);
  }
}
"""


def bring_classes(jvm: Any, place: Path, roots: Mapping[str, Path]) -> None:
    """Give Spark a source named delta, and a file system that knows where Databricks' roots are."""
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    for source in (_DELTA, _FILES):
        compiler = jvm.org.codehaus.janino.SimpleCompiler()  # which Spark brings
        compiler.setParentClassLoader(loader)
        compiler.cook(source)
        code = compiler.getBytecodes()
        for name in code.keySet():
            path = place / f"{name.replace('.', '/')}.class"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(code[name])
    loader.addURL(jvm.java.io.File(str(place)).toURI().toURL())

    hadoop = jvm.org.apache.hadoop
    conf = hadoop.conf.Configuration(
        jvm.org.apache.spark.SparkContext.getOrCreate().hadoopConfiguration()
    )
    files = jvm.java.net.URI("file:///")
    hadoop.fs.FileSystem.get(files, conf).close()
    conf.set("fs.file.impl", "dbx.Files")
    for root, folder in roots.items():
        conf.set(f"dbx.files./{root}", str(folder))
    hadoop.fs.FileSystem.get(files, conf)  # Hadoop keeps it, for all that ask from now on
