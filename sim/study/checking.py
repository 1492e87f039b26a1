"""Checking: whether a file can be read and run, and what is in it."""

import math
from collections.abc import Sequence
from pathlib import Path

from pnode.mappers.instance import InstanceError
from pnode.protocol.values import dataclass
from pnode.sim.formats.errors import FormatError
from pnode.sim.formats.ncsim_trace import read_trace
from pnode.sim.formats.opening import read_problem
from pnode.sim.formats.scenarios import NCSIM, read_scenario
from pnode.sim.formats.source import read_text
from pnode.sim.formats.toml import STUDY_KEYS, parse_document
from pnode.sim.schedule.errors import InfeasibleError
from pnode.sim.schedule.result import Result
from pnode.sim.schedule.run import simulate
from pnode.sim.schedule.scenario import Graph, Scenario, ScenarioError
from pnode.sim.schedule.validator import validate

from .definition import read_study
from .study import StudyError


@dataclass(frozen=True, slots=True)
class Checked:
    """What is to be said of a file."""

    path: Path
    good: bool
    what: str
    """What is in it, or what is wrong with it."""


def check(path: Path, mappers: Sequence[str] = ()) -> Checked:
    """Look at a file; if it is a scenario, run it under these mappers as well and look at what comes out."""
    try:
        return Checked(path, good=True, what=_what(path, mappers))
    except (FormatError, StudyError, ScenarioError, InstanceError) as error:
        return Checked(path, good=False, what=str(error))
    except InfeasibleError as error:
        return Checked(path, good=False, what=f"{path}: this cannot happen: {error}")


def check_trace(path: Path, trace: Path) -> Checked:
    """Whether a schedule that somebody else made can happen in the scenario of a file."""
    try:
        scenario = read_scenario(path)
        told = read_trace(trace, scenario)
        moved = math.fsum(transfer.size_bytes for transfer in told.transfers)
        done = {(one.job, one.item, one.task) for one in told.executions if one.kept}
        units = sum(arrival.items * len(arrival.graph.tasks) for arrival in scenario.arrivals)
        complete = len(done) == units
        validate(Result(scenario, "", 0, told.executions, told.transfers, moved, 0, 0, 0, complete))
    except FormatError as error:
        return Checked(trace, good=False, what=str(error))
    except InfeasibleError as error:
        return Checked(trace, good=False, what=f"{trace}: this cannot happen: {error}")
    return Checked(trace, good=True, what=f"possible in {path}, {len(done)} of {units} tasks done")


def _what(path: Path, mappers: Sequence[str]) -> str:
    if path.suffix not in (".toml", *NCSIM):
        graph, network = read_problem(path)
        if network is None:
            return f"a graph of {_size(graph)}"
    elif path.suffix == ".toml" and _is_study(path):
        study = read_study(path).study
        return (
            f"a study of {len(study.cases)} scenarios, {len(study.compared)} mappers and {len(study.seeds)} seeds: "
            f"{len(study)} runs"
        )
    scenario = read_scenario(path)
    for mapper in mappers:
        validate(simulate(scenario, mapper, trace=True))
    judged = f"; possible under {', '.join(mappers)}" if mappers else ""
    return f"a scenario of {_content(scenario)}{judged}"


def _is_study(path: Path) -> bool:
    table = parse_document(str(path), read_text(path)).table()
    return "network" not in table and any(key in table for key in STUDY_KEYS)


def _content(scenario: Scenario) -> str:
    graphs = [arrival.graph for arrival in scenario.arrivals]
    machines = f"{len(scenario.network.machines)} machines"
    if len(graphs) == 1:
        return f"{_size(graphs[0])} on {machines}"
    return f"{len(graphs)} graphs, {sum(len(graph.tasks) for graph in graphs)} tasks on {machines}"


def _size(graph: Graph) -> str:
    return f"{len(graph.tasks)} tasks and {len(graph.edges)} edges"
