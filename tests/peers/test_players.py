"""Players tell the figures of their workload; those of peers know nothing of pnode."""

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from .contestant import CONTESTANTS, HERE, Contestant, Kind
from .family import Family, adopting
from .turn import Patience, Turn
from .workload import WORKLOADS

SHARE = 0.01
"""Of every workload: enough to see whether it works."""

PROGRAMS = ("make", "xargs", "cp")

FLOORS = [(each, game) for each in CONTESTANTS if each.kind is Kind.FLOOR for game in each.commands]

MODULES = sorted((HERE / "players").glob("*.py"))


@pytest.fixture
def family() -> Iterator[Family]:
    with adopting() as found:
        yield found
        found.end()


@pytest.mark.skipif(not psutil.LINUX, reason="daemons are adopted by a call of Linux")
@pytest.mark.parametrize(("floor", "game"), FLOORS, ids=lambda value: getattr(value, "name", value))
def test_a_floor_tells_figures_of_its_workload_and_no_others(family: Family, floor: Contestant, game: str) -> None:
    program = floor.name.split()[0]
    if program in PROGRAMS and not shutil.which(program):
        pytest.skip(f"there is no {program} on this machine")

    played = Turn(family, floor.commands[game], floor.search, Patience(deadline_s=30.0)).play(SHARE)

    [workload] = [each for each in WORKLOADS if each.key == game]
    assert not played.reason
    assert set() < played.figures.keys() <= {figure.key for figure in workload.figures}
    assert all(value > 0 for value in played.figures.values())


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_a_player_of_peers_knows_nothing_of_the_project_but_the_players(module: Path) -> None:
    found = list(ast.walk(ast.parse(module.read_text())))

    names = {alias.name.split(".")[0] for node in found if isinstance(node, ast.Import) for alias in node.names}
    froms = [node for node in found if isinstance(node, ast.ImportFrom)]
    assert {node.level for node in froms} <= {0, 1}
    assert not {"pnode", "tests"} & (names | {str(node.module).split(".")[0] for node in froms if not node.level})


def test_every_contestant_plays_workloads_that_there_are() -> None:
    keys = {each.key for each in WORKLOADS}

    assert all(each.commands.keys() <= keys for each in CONTESTANTS)
    assert keys == {key for each in CONTESTANTS if each.kind is Kind.OURS for key in each.commands}
