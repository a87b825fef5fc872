"""Where /dbfs, /Volumes and /Workspace are on this machine, for Python code that names them."""

from __future__ import annotations

import builtins
import functools
import glob
import io
import os
import pathlib
import posixpath
import sys
from collections.abc import Callable
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from typing import Any

# With one path each; the ones below have two.
_ONE = (
    "access chdir chmod listdir lstat makedirs mkdir open readlink remove removedirs rmdir scandir "
    "stat statvfs truncate unlink utime"
)
_TWO = "link rename renames replace symlink"


def folders() -> dict[str, str]:
    """The folder behind each of Databricks' roots."""
    dbfs = os.environ["DBX_DBFS"]
    return {
        "/dbfs": dbfs,
        "/Volumes": os.path.join(dbfs, "Volumes"),  # noqa: PTH118 - runs in every worker: light
        "/Workspace": os.environ["DBX_WORKSPACE"],
    }


def real(path: Any) -> Any:
    """The path on this machine; what is not below one of Databricks' roots stays as it is."""
    text = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(text, str) or not text.startswith(("/dbfs", "/Volumes", "/Workspace")):
        return path
    clean = posixpath.normpath(text)
    for root, folder in folders().items():
        if clean == root or clean.startswith(root + "/"):
            return folder + clean[len(root) :]
    return path


def from_uri(uri: str) -> str:
    """The path on this machine of a `dbfs:` or `file:` URI; without a scheme it is `dbfs:`."""
    scheme, colon, rest = uri.partition(":")
    if not colon or "/" in scheme:
        scheme, rest = "dbfs", uri
    path = posixpath.normpath("/" + rest.lstrip("/"))
    if scheme == "file":
        return str(real(path))
    if scheme != "dbfs":
        raise ValueError(f"{uri}: only dbfs: and file: paths can be reached here")
    mapped = real(path)
    return str(mapped) if mapped != path else os.environ["DBX_DBFS"] + path


def patch() -> None:
    """Let the functions of `os`, `open` and `pathlib` know Databricks' roots."""
    for name in _ONE.split():
        setattr(os, name, _with_real(getattr(os, name), 1))
    for name in _TWO.split():
        setattr(os, name, _with_real(getattr(os, name), 2))
    builtins.open = io.open = _with_real(io.open, 1)
    # Some versions of Python keep functions that they took when they were imported.
    keepers = [getattr(pathlib, "_NormalAccessor", None)]
    keepers += [getattr(glob, name, None) for name in ("_Globber", "_StringGlobber")]
    for keeper in filter(None, keepers):
        for name in f"{_ONE} {_TWO}".split():
            if name in vars(keeper):
                function = io.open if name == "open" else getattr(os, name)
                setattr(keeper, name, staticmethod(function))
    sys.path_hooks.insert(0, _import_from)


def _with_real(function: Callable[..., Any], paths: int) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        return function(*map(real, arguments[:paths]), *arguments[paths:], **options)

    return call


def _import_from(path: str) -> FileFinder:
    folder = real(path)
    if folder == path:
        raise ImportError(path)  # for the next hook
    return FileFinder(folder, (SourceFileLoader, SOURCE_SUFFIXES))
