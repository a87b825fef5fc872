"""A cluster's own packages: installed for real, from wheels that the tests make."""

from __future__ import annotations

import asyncio
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dbx_magic.local.environment import Environment, InstallFailed

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def environment(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> Environment:
    """An environment for all tests here."""
    folder = tmp_path_factory.mktemp("environment")
    made = Environment(folder / "cluster", folder / "cache")
    await made.create()
    return made


@pytest.fixture
def wheel(tmp_path: Path) -> Callable[..., str]:
    """Make a wheel of one module, and give its path."""

    def make(name: str, version: str, code: str, *needs: str) -> str:
        path = tmp_path / f"{name}-{version}-py3-none-any.whl"
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        metadata += "".join(f"Requires-Dist: {need}\n" for need in needs)
        info = f"{name}-{version}.dist-info"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"{name}.py", code)
            archive.writestr(f"{info}/METADATA", metadata)
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", "")
        return str(path)

    return make


async def python(environment: Environment, code: str) -> str:
    """What code prints in the environment."""
    process = await asyncio.create_subprocess_exec(
        environment.python, "-c", code, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0
    return printed.decode().strip()


async def test_it_has_what_the_workspace_has(environment: Environment) -> None:
    code = "import sys, pyspark, dbx_magic; print(pyspark.__file__); print(sys.prefix)"
    spark, prefix = (await python(environment, code)).splitlines()
    assert spark.startswith(sys.prefix)
    assert prefix == str(environment.folder)


async def test_a_wheel_is_installed_and_uninstalled(
    environment: Environment, wheel: Callable[..., str]
) -> None:
    library = {"whl": wheel("one", "1.0", "N = 1")}
    before = environment.state()
    await environment.install(library)
    assert environment.state() != before
    assert await python(environment, "import one; print(one.N)") == "1"
    await environment.uninstall(library)
    found = "import importlib.util; print(importlib.util.find_spec('one'))"
    assert await python(environment, found) == "None"
    await environment.uninstall(library)  # once more is no error


async def test_what_is_installed_hides_what_the_workspace_brings(
    environment: Environment, wheel: Callable[..., str]
) -> None:
    library = {"whl": wheel("humanize", "99.0", "HERE = 'ours'")}
    await environment.install(library)
    await environment.install({"whl": wheel("pathspec", "99.0", "HERE = 'ours'")})
    assert await python(environment, "import pathspec; print(pathspec.HERE)") == "ours"
    await environment.uninstall({"pypi": {"package": "pathspec==99.0"}})
    assert await python(environment, "import pathspec; print(pathspec.__version__[0])") != "9"


async def test_a_library_that_wants_spark_gets_the_clusters(
    environment: Environment, wheel: Callable[..., str]
) -> None:
    wanting = wheel("wanting", "1.0", "import pyspark", "pyspark>=99", "databricks-connect")
    await environment.install({"whl": wanting})
    assert not list(environment.folder.glob("lib/*/site-packages/pyspark*"))
    assert "4.0" in await python(environment, "import wanting, pyspark; print(pyspark.__version__)")


async def test_a_requirements_file_is_installed(
    environment: Environment, wheel: Callable[..., str], tmp_path: Path
) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"# ours\n{wheel('listed', '2.0', 'N = 2')}\n")
    await environment.install({"requirements": str(requirements)})
    assert await python(environment, "import listed; print(listed.N)") == "2"


async def test_an_egg_is_importable(environment: Environment, tmp_path: Path) -> None:
    egg = tmp_path / "old-1.0-py3.egg"
    with zipfile.ZipFile(egg, "w") as archive:
        archive.writestr("old.py", "N = 3")
    await environment.install({"egg": str(egg)})
    assert await python(environment, "import old; print(old.N)") == "3"
    await environment.uninstall({"egg": str(egg)})


@pytest.mark.parametrize(
    ("library", "reason"),
    [
        ({"whl": "/nowhere/a-1.0-py3-none-any.whl"}, "/nowhere/a-1.0-py3-none-any.whl"),
        ({"requirements": "/nowhere/r.txt"}, "/nowhere/r.txt"),
        ({"jar": "/nowhere/x.jar"}, "/nowhere/x.jar: No such file or directory"),
        ({"maven": {"coordinates": "only:two"}}, "group:artifact:version"),
        ({"pypi": {"package": "not a requirement"}}, "not a requirement"),
        ({"apt": "x"}, "no library that can be installed"),
    ],
)
async def test_a_failure_has_the_reason_in_a_line(
    environment: Environment, library: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InstallFailed) as failed:
        await environment.install(library)
    assert reason in failed.value.message
    assert "\n" not in failed.value.message
    assert len(failed.value.message) <= 700


async def test_without_r_a_cran_package_fails_by_name(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InstallFailed, match="dplyr needs R, and there is no R on this machine"):
        await environment.install({"cran": {"package": "dplyr"}})


async def test_two_versions_that_exclude_each_other_are_named(
    environment: Environment, wheel: Callable[..., str]
) -> None:
    wheel("base", "1.0", "")
    needing = wheel("needing", "1.0", "", "base==2.0")
    library = {"pypi": {"package": f"needing @ file://{needing}", "repo": "file:///nowhere"}}
    with pytest.raises(InstallFailed) as failed:
        await environment.install(library)
    assert "base" in failed.value.message


async def test_a_running_cluster_uses_what_is_installed(
    cluster: Any, wheel: Callable[..., str], tmp_path: Path
) -> None:
    installed = cluster.compute._environment
    context_id = await cluster.context()
    await installed.install({"whl": wheel("later", "1.0", "N = 4")})
    later = await cluster.run(context_id, "import later; later.N")
    assert later.results["data"] == "4"
    fresh = await cluster.context()
    code = "import pathspec; sc.parallelize([1], 1).map(lambda n: __import__('later').N).first()"
    assert (await cluster.run(fresh, code)).results["data"] == "4"
    jar = tmp_path / "words.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        archive.writestr("words.txt", "found")
    await installed.install({"jar": str(jar)})
    loader = "spark._jvm.java.lang.Thread.currentThread().getContextClassLoader()"
    code = f"{loader}.getResource('words.txt').toString()"
    assert "words.jar" in (await cluster.run(fresh, code)).results["data"]
    for ended in (context_id, fresh):
        await cluster.compute.destroy_context(ended)


async def test_pip_in_a_cell_is_for_that_context_alone(
    cluster: Any, wheel: Callable[..., str]
) -> None:
    mine, other = await cluster.context(), await cluster.context()
    command = await cluster.run(mine, f"%pip install {wheel('private', '1.0', 'N = 5')}")
    assert "private" in command.results["data"]
    assert (await cluster.run(mine, "import private; private.N")).results["data"] == "5"
    in_spark = "sc.parallelize([1], 1).map(lambda n: __import__('private').N).first()"
    assert (await cluster.run(mine, in_spark)).results["data"] == "5"
    assert (await cluster.run(other, "import private")).results["resultType"] == "error"
    # Another version counts after a restart, and the context says so.
    command = await cluster.run(mine, f"%pip install {wheel('private', '2.0', 'N = 6')}")
    assert "restartPython" in command.results["data"]
    await cluster.run(mine, "dbutils.library.restartPython()")
    assert (await cluster.run(mine, "import private; private.N")).results["data"] == "6"
    command = await cluster.run(mine, "%pip uninstall -y private")
    assert (await cluster.run(mine, "%pip install /nowhere/x.whl")).results["resultType"] == "error"
    for ended in (mine, other):
        await cluster.compute.destroy_context(ended)
