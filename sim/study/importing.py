"""Importing: a scenario made of somebody else's file, with a network of the user's choice where it has none."""

import math
from pathlib import Path
from random import Random

from pnode.mappers.networks import communication_ratio, symmetric
from pnode.protocol.values import dataclass, replace
from pnode.sim.formats.ccr import scaled
from pnode.sim.formats.errors import FormatError
from pnode.sim.formats.opening import read_network, read_problem
from pnode.sim.formats.scenarios import NCSIM, read_scenario
from pnode.sim.schedule.scenario import Arrival, Machine, Network, Scenario, ScenarioError, instance_of

from .families import SPEEDS


@dataclass(frozen=True, slots=True)
class Wanted:
    """The network that somebody asks for."""

    file: Path | None = None
    """Has it."""
    nodes: int | None = None
    """Draw one of so many."""
    ccr: float | None = None
    seed: int = 0


def imported(path: Path, wanted: Wanted) -> Scenario:
    """The graph of a file on the network that is wanted, or else the file's; a scenario whole. Raises FormatError."""
    if path.suffix in SCENARIOS:
        return _rescaled(path, wanted)
    graph, network = read_problem(path)
    if wanted.file:
        has_all = wanted.file.suffix in SCENARIOS
        network = read_scenario(wanted.file).network if has_all else read_network(wanted.file)
    elif wanted.nodes:
        network = drawn(wanted.nodes, Random(f"network/{wanted.seed}"))  # noqa: S311 - repeatable, not secret
    if network is None:
        raise FormatError(str(path), "", "there is a graph in it and no network, expected --nodes or --network")
    try:
        instance = instance_of(graph, network)
        ccr = wanted.ccr
        if ccr is None and wanted.nodes and 0 < communication_ratio(instance) < math.inf:
            ccr = DRAWN_CCR
        if ccr is not None:
            network = scaled(network, [graph], ccr)
        return Scenario(graph.name, network, (Arrival(graph),))
    except ScenarioError as error:
        raise FormatError(str(path), "", str(error)) from None


DRAWN_CCR = 1.0
"""Of a drawn network, unless another is wanted; where nothing is sent, as in the Standard Task Graph Set, links stay
as they are drawn."""


SCENARIOS = (".toml", *NCSIM)
"""Files that say more than a graph and a network."""


def _rescaled(path: Path, wanted: Wanted) -> Scenario:
    """All that the file says, in another ratio if one is wanted; what it says of machines forbids others."""
    if wanted.file or wanted.nodes:
        raise FormatError(str(path), "", "it has a network that the rest of it refers to, expected no other for it")
    scenario = read_scenario(path)
    if wanted.ccr is None:
        return scenario
    try:
        graphs = [arrival.graph for arrival in scenario.arrivals]
        return replace(scenario, network=scaled(scenario.network, graphs, wanted.ccr))
    except ScenarioError as error:
        raise FormatError(str(path), "", str(error)) from None


def drawn(nodes: int, rng: Random) -> Network:
    """Machines and links with speeds as in set B, before scaling (scheduling.md 2.3)."""
    machines = tuple(Machine(f"node{number + 1}", rng.uniform(*SPEEDS)) for number in range(nodes))
    latency = tuple(tuple(0.0 for _ in machines) for _ in machines)
    return Network(machines, latency, symmetric(nodes, lambda: rng.uniform(*SPEEDS)))
