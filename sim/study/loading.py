"""Loading: a scenario from any file that has a graph and a network."""

from pathlib import Path

from pnode.sim.formats.errors import FormatError
from pnode.sim.formats.ncsim import read_ncsim
from pnode.sim.formats.opening import read_problem
from pnode.sim.formats.toml import read_toml
from pnode.sim.schedule.scenario import Arrival, Graph, Network, Scenario, ScenarioError, instance_of

NCSIM = (".yaml", ".yml")
"""Its scenarios are YAML."""


def read_scenario(path: Path) -> Scenario:
    """Our own files say everything; of others the graph is submitted once, on the first machine.

    Raises FormatError.
    """
    if path.suffix == ".toml":
        return checked(path, read_toml(path))
    if path.suffix in NCSIM:
        return checked(path, read_ncsim(path))
    graph, network = read_problem(path)
    if network is None:
        raise FormatError(
            str(path), "", "there is a graph in it and no network; 'pnode sim import' makes a scenario of it"
        )
    return submitted(path, graph, network)


def submitted(path: Path, graph: Graph, network: Network) -> Scenario:
    """The graph of a file on a network. Raises FormatError."""
    try:
        return checked(path, Scenario(graph.name, network, (Arrival(graph),)))
    except ScenarioError as error:
        raise FormatError(str(path), "", str(error)) from None


def checked(path: Path, scenario: Scenario) -> Scenario:
    """A scenario of which every graph can be run. Raises FormatError."""
    try:
        for arrival in scenario.arrivals:
            instance_of(arrival.graph, scenario.network)
    except ScenarioError as error:
        raise FormatError(str(path), "", str(error)) from None
    return scenario
