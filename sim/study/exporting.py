"""Exporting: a scenario, or what another format can say of it, as a file for other tools."""

from collections.abc import Callable
from pathlib import Path

from pnode.sim.formats.ncsim import write_ncsim
from pnode.sim.formats.tgff import tgff_of, write_tgff
from pnode.sim.formats.toml_writing import write_toml
from pnode.sim.formats.wfformat import write_wfformat
from pnode.sim.schedule.scenario import Graph, Scenario, ScenarioError

from .output import SuffixError


def export_to(scenario: Scenario, path: Path) -> None:
    """Write a file in the format that its suffix asks for. Raises SuffixError, ScenarioError, FormatError."""
    write = WRITERS.get(path.suffix)
    if write is None:
        raise SuffixError(f"{path} ends in {path.suffix!r}, expected one of {', '.join(WRITERS)}")
    write(scenario, path)


def _tgff(scenario: Scenario, path: Path) -> None:
    write_tgff(path, tgff_of(_only_graph(scenario), scenario.network))


def _wfformat(scenario: Scenario, path: Path) -> None:
    write_wfformat(path, _only_graph(scenario))


def _only_graph(scenario: Scenario) -> Graph:
    if len(scenario.arrivals) > 1:
        raise ScenarioError(
            f"scenario {scenario.name!r} has {len(scenario.arrivals)} graphs, the format has place for one"
        )
    return scenario.arrivals[0].graph


WRITERS: dict[str, Callable[[Scenario, Path], None]] = {
    ".tgff": _tgff,
    ".json": _wfformat,
    ".yaml": lambda scenario, path: write_ncsim(path, scenario),
    ".toml": lambda scenario, path: write_toml(path, scenario),
}
"""By suffix."""
