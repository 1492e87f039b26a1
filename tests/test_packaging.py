"""What is installed: `pnode.*` and nothing else, from a wheel that was built from the sdist."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from .borders import MAY_IMPORT, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

IMPORT_EACH = """
import os, sys, traceback
import click, msgpack, nacl.bindings, numpy, psutil, rich.console, trio  # loaded once, for all the children
failed = []
for name in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        try:
            __import__(name)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        failed.append(name)
sys.exit(f"cannot be imported alone: {', '.join(failed)}" if failed else 0)
"""
"""Imports each module in a process in which no other module of ours was imported before it."""


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist and the wheel built from it, out of a copy so that nothing is left behind in the tree."""
    place = tmp_path_factory.mktemp("packaging")
    tree = place / "tree"
    tree.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    for package in [*MAY_IMPORT, "tests", "examples"]:
        shutil.copytree(ROOT / package, tree / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "stray.py").write_text("a module in the root that nobody may install\n")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(place / "dist"), str(tree)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return place / "dist"


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    [path] = dist.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel; the libraries it needs are those of the environment that runs the tests.

    They are named in a .pth file, whose own .pth files are not read: the editable pnode of the tests stays outside.
    """
    place = tmp_path_factory.mktemp("installed")
    venv.create(place, with_pip=False, symlinks=True)
    python = place / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--disable-pip-version-check", str(wheel)], check=True)
    [site] = (place / "lib").glob("python*/site-packages")
    (site / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return place


def run(installed: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A program of the environment, away from the source tree and without the settings of the environment's user."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(installed)}
    command = [str(installed / "bin" / program), *arguments]
    return subprocess.run(command, cwd=installed, env=environment, capture_output=True, text=True, timeout=300)


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        [path] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return Parser().parsestr(archive.read(path).decode())


def module_names() -> list[str]:
    """Every module of the tree, by the name it is installed under."""
    paths = [path.relative_to(ROOT) for package in MAY_IMPORT for path in sorted((ROOT / package).rglob("*.py"))]
    dotted = [".".join(("pnode", *path.with_suffix("").parts)) for path in paths]
    return [name.removesuffix(".__init__") for name in dotted]


def test_nothing_but_pnode_reaches_site_packages(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in names(wheel)}
    packages = {name.split("/")[1] for name in names(wheel) if name.startswith("pnode/")}

    assert tops == {"pnode", f"pnode-{PROJECT['version']}.dist-info"}
    assert packages == set(MAY_IMPORT)


def test_every_module_of_the_tree_is_in_the_wheel(wheel: Path) -> None:
    modules = {name for name in names(wheel) if name.startswith("pnode/") and name.endswith(".py")}
    in_tree = {f"pnode/{path.relative_to(ROOT)}" for package in MAY_IMPORT for path in (ROOT / package).rglob("*.py")}

    assert modules == in_tree


def test_every_package_says_that_it_is_typed(wheel: Path) -> None:
    for package in MAY_IMPORT:
        assert f"pnode/{package}/py.typed" in names(wheel)


def test_the_licence_comes_along(wheel: Path, dist: Path) -> None:
    [sdist] = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        sources = archive.getnames()

    assert metadata(wheel)["License-Expression"] == "Apache-2.0"
    assert any(name.endswith("/licenses/LICENSE") for name in names(wheel))
    assert any(name.endswith("/LICENSE") for name in sources)
    assert (ROOT / "LICENSE").read_text().strip().startswith("Apache License")


def test_versions_agree(wheel: Path, installed: Path) -> None:
    asked = run(installed, "pnode", "--version")

    assert metadata(wheel)["Version"] == PROJECT["version"]
    assert asked.returncode == 0, asked.stderr
    assert PROJECT["version"] in asked.stdout


def test_the_command_starts_from_the_installed_package(installed: Path) -> None:
    where = run(installed, "python", "-c", "import pnode.node.cli; print(pnode.node.cli.__file__)")
    helped = run(installed, "pnode", "--help")

    assert where.returncode == 0, where.stderr
    assert Path(where.stdout.strip()).is_relative_to(installed)
    assert helped.returncode == 0, helped.stderr
    assert helped.stderr == ""
    for verb in ("start", "stop", "demo", "submit", "jobs", "pull"):
        assert verb in helped.stdout


def test_the_simulator_is_found_in_the_installed_package(installed: Path) -> None:
    helped = run(installed, "pnode", "--help")
    scenario = ROOT / "examples" / "studies" / "two-sites.toml"
    ran = run(installed, "pnode", "sim", "run", str(scenario), "--mapper", "wave-plan", "--gantt", "run.html")

    assert "\n  sim " in helped.stdout
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("two sites, wave-plan, seed 0\n")
    assert "<svg" in (installed / "run.html").read_text()


def test_every_module_can_be_imported_first(installed: Path) -> None:
    ended = run(installed, "python", "-W", "error", "-c", IMPORT_EACH, *module_names())

    assert ended.returncode == 0, ended.stderr


def test_a_module_in_the_root_is_not_swept_up(installed: Path) -> None:
    ended = run(installed, "python", "-c", "import pnode.stray")

    assert ended.returncode == 1
    assert "ModuleNotFoundError" in ended.stderr
