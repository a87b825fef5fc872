from __future__ import annotations

from typing import Any

import pytest

from dbx_magic.runner.triggers import why_not

BOTH = {
    "branches": {"include": ["main", "release/*"], "exclude": ["release/old*"]},
    "paths": {"include": ["workspace/**", "dbx.toml"], "exclude": ["workspace/docs"]},
}


@pytest.mark.parametrize(
    ("trigger", "branch", "paths", "reason"),
    [
        (None, "any", ["x"], ""),
        ("none", "main", ["x"], "it has no trigger"),
        (["main"], "main", ["x"], ""),
        (["main"], "feature", ["x"], "branch feature is not included"),
        (["*"], "a/b/c", ["x"], ""),
        (["feature/*"], "feature/a/b", ["x"], ""),
        (["ma?n"], "main", ["x"], ""),
        (["Main"], "main", ["x"], "branch main is not included"),
        (["refs/heads/main"], "main", ["x"], ""),
        (BOTH, "main", ["workspace/a.py"], ""),
        (BOTH, "main", ["workspace/deep/a.py", "README.md"], ""),
        (BOTH, "release/2", ["dbx.toml"], ""),
        (BOTH, "release/old1", ["dbx.toml"], "branch release/old1 is not included"),
        (BOTH, "main", ["workspace/docs/a.md"], "no changed path matches"),
        (BOTH, "main", ["workspace/docs/a.md", "dbx.toml"], ""),
        (BOTH, "main", ["Workspace/a.py"], "no changed path matches"),
        (BOTH, "main", ["dbx.toml.bak"], "no changed path matches"),
        ({"paths": ["src"]}, "main", ["src/a/b.py"], ""),
        ({"paths": ["src"]}, "main", ["srcs/a.py"], "no changed path matches"),
        ({"paths": ["src/*.py"]}, "main", ["src/a.py"], ""),
        ({"paths": ["src/*.py"]}, "main", ["src/a/b.py"], "no changed path matches"),
        ({"paths": {"exclude": ["docs"]}}, "main", ["docs/a.md"], "no changed path matches"),
        ({"paths": {"exclude": ["docs"]}}, "main", ["docs/a.md", "a"], ""),
        ({"paths": {"include": ["a"]}}, "main", [], "no changed path matches"),
    ],
)
def test_a_push_starts_a_pipeline_or_there_is_a_reason(
    trigger: Any, branch: str, paths: list[str], reason: str
) -> None:
    assert why_not(trigger, branch, paths) == reason
