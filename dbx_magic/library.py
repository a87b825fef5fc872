"""One library of a cluster: what it is called, what it is the same as, how far it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

INSTALLED = ("INSTALLED", "RESTORED", "SKIPPED")
LEAVING = "UNINSTALL_ON_RESTART"
FAILED = "FAILED"


def library_name(library: Mapping[str, Any]) -> str:
    """A library as people write it: ``pypi googlemaps==4.10.0``, ``whl /Volumes/a/b.whl``."""
    kind, value = next(iter(library.items()))
    if isinstance(value, Mapping):
        return f"{kind} {value.get('package') or value.get('coordinates')}"
    return f"{kind} {value}"


def library_key(library: Mapping[str, Any]) -> str:
    """What two versions of one library share: ``pypi scikit-learn``, ``maven org.x:y``."""
    kind, _, value = library_name(library).partition(" ")
    match kind:
        case "pypi":
            name = re.split(r"[\s\[<>=!~;@]", value, maxsplit=1)[0]
            return f"pypi {re.sub(r'[-_.]+', '-', name).lower()}"
        case "maven":
            return f"maven {value.rpartition(':')[0]}"
    return f"{kind} {value}"


def still_installing(statuses: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names of the libraries that are not done; a status never seen before counts as not done."""
    done = (*INSTALLED, LEAVING, FAILED)
    return [library_name(item["library"]) for item in statuses if item.get("status") not in done]


def failures(statuses: Iterable[Mapping[str, Any]]) -> list[str]:
    """One sentence for each library that failed: its name and what the installer said."""
    return [
        f"{library_name(item['library'])}: {' '.join(item.get('messages') or ['no message'])}"
        for item in statuses
        if item.get("status") == FAILED
    ]
