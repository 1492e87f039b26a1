"""Scenarios: one from any file that has a graph and a network, whatever its format."""

from pathlib import Path

from pnode.sim.schedule.scenario import Arrival, Scenario, ScenarioError, instance_of

from .errors import FormatError
from .ncsim import read_ncsim
from .opening import read_problem
from .source import Place
from .toml import read_toml

NCSIM = (".yaml", ".yml")


def read_scenario(path: Place) -> Scenario:
    """Our own files (`.toml`) and ncsim's (`.yaml`) are told by their suffix, all others by what is in them.

    A graph that comes with a network is submitted once, on the first machine. Raises FormatError, also where a task
    cannot run anywhere.
    """
    suffix = Path(path).suffix.lower()
    try:
        if suffix == ".toml":
            scenario = read_toml(path)
        elif suffix in NCSIM:
            scenario = read_ncsim(path)
        else:
            scenario = _submitted(path)
        for arrival in scenario.arrivals:
            instance_of(arrival.graph, scenario.network)
    except ScenarioError as error:
        raise FormatError(str(path), "", str(error)) from None
    return scenario


def _submitted(path: Place) -> Scenario:
    graph, network = read_problem(path)
    if network is None:
        raise FormatError(
            str(path),
            "",
            "there is a graph in it and no network; expected both, or a scenario in TOML that names it",
        )
    return Scenario(graph.name, network, (Arrival(graph),))
