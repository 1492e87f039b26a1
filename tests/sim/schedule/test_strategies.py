"""Names, and what they stand for."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pnode.mappers.catalogue import MAPPERS, UnknownMapperError
from pnode.mappers.heft import heft
from pnode.mappers.instance import Instance, uniform
from pnode.mappers.plan import Plan
from pnode.mappers.planners import PLANNERS
from pnode.mappers.wave_greedy import WaveGreedy
from pnode.sim.schedule.policy import Strategy
from pnode.sim.schedule.run import simulate
from pnode.sim.schedule.scenario import (
    Arrival,
    Disruption,
    Durations,
    Fate,
    Gossip,
    Handoff,
    Machine,
    Scenario,
    Spread,
)
from pnode.sim.schedule.static import by_core
from pnode.sim.schedule.strategies import NAMES, strategy_of

from . import worlds
from .policies import AllToA

ROOT = Path(__file__).parents[3]


def busy() -> Scenario:
    """Something of everything that might depend on an order."""
    graph = worlds.graph(
        {name: 1.0 + place % 3 for place, name in enumerate("stuvwxyz")},
        {"st": 50.0, "su": 80.0, "sv": 20.0, "tx": 50.0, "ux": 10.0, "vy": 0.0, "xz": 5.0, "yz": 5.0},
    )
    return worlds.scenario(
        worlds.network(*worlds.machines(4), latency_s=0.125),
        Arrival(graph),
        Arrival(graph, at_s=1.0, origin=2, items=2, period_s=1.0),
        durations=Durations(Spread.LOGNORMAL, 0.5, 0.25),
        disruptions=[
            Disruption(2.0, 1, Fate.FAIL),
            Disruption(3.0, 3, Fate.SPEED, 0.25),
            Disruption(30.0, 1, Fate.RECOVER),
        ],
        gossip=Gossip(1.0, 0.25, 0.5),
        handoff=Handoff(1.0, free=False),
    )


def test_every_mapper_and_every_planner_has_its_name() -> None:
    assert set(MAPPERS) | set(PLANNERS) | {"random", "circe-static", "circe-event", "circe-push"} <= set(NAMES)
    assert all(strategy_of(name).name == name for name in NAMES)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UnknownMapperError, match="no mapper 'wave-gredy'; known are wave-plan"):
        strategy_of("wave-gredy")


def test_mappers_planners_and_strategies_come_as_they_are() -> None:
    own = Strategy("own", AllToA)

    assert strategy_of(own) is own
    assert strategy_of(WaveGreedy()).name == "wave-greedy"
    assert strategy_of(heft).name == "heft"


def test_the_classics_run_tasks_in_the_order_of_their_inputs() -> None:
    # y is ready from the beginning, z from the end of x on, and z is more urgent.
    graph = worlds.graph({"x": 3.0, "y": 1.0, "z": 9.0}, {"xz": 0.0})
    world = worlds.scenario(worlds.network(*worlds.machines(1)), graph)

    classic = worlds.times(worlds.run(world, "wave-random-classic"))
    ours = worlds.times(worlds.run(world, "wave-random"))

    assert classic["y"] == (3.0, 4.0)
    assert ours["y"] == (12.0, 13.0)


def test_random_is_another_mapping_for_every_seed() -> None:
    names = "stuvwxyz"
    world = worlds.scenario(worlds.network(*worlds.machines(4)), worlds.graph(dict.fromkeys(names, 1.0), {}))

    mapped = [worlds.where(simulate(world, "random", seed)) for seed in (0, 0, 1)]

    assert mapped[0] == mapped[1] != mapped[2]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "optimal"])  # which searches as long as it may
def test_the_same_arguments_give_an_equal_result(name: str) -> None:
    scenario = busy()

    result = worlds.run(scenario, name, 1)

    assert result == worlds.run(busy(), name, 1)
    assert result.complete


SCRIPT = """
import json, sys
from tests.sim.schedule import worlds
from tests.sim.schedule.test_strategies import busy
from pnode.sim.schedule.run import simulate
names = json.loads(sys.argv[1])
print(json.dumps([repr(simulate(busy(), name, 2, trace=True)) for name in names]))
"""


def test_a_result_does_not_depend_on_how_strings_are_hashed() -> None:
    names = ["wave-greedy", "wave-plan", "wave-hint", "wave-random", "wave-greedy-classic", "circe-event", "heft"]

    told = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", SCRIPT, json.dumps(names)],
                env={**os.environ, "PYTHONHASHSEED": seed},
                cwd=ROOT,
                capture_output=True,
                check=True,
            ).stdout
        )
        for seed in ("1", "2")
    ]

    assert told[0] == told[1] == [repr(simulate(busy(), name, 2, trace=True)) for name in names]


@pytest.mark.parametrize("name", ["heft", "min-min", "circe-static"])
def test_a_static_mapper_knows_that_a_machine_has_several_cores(name: str) -> None:
    wide = worlds.network(Machine("a", cores=2), Machine("b", 0.6))
    world = worlds.scenario(wide, worlds.graph({"x": 4.0, "y": 4.0}, {}))

    result = worlds.run(world, name)

    assert worlds.where(result) == "aa"
    assert result.makespan_s == 4.0


def test_of_a_machine_with_very_many_cores_as_many_are_planned_as_there_are_tasks() -> None:
    instance = Instance(((4.0, 9.0), (4.0, 9.0)), (), uniform(2, 0.0), uniform(2, 0.0))
    seen: list[int] = []

    def looking(wide: Instance) -> Plan:
        seen.append(wide.nodes)
        return heft(wide)

    assert by_core(looking, instance, [65_535, 1]).node == (0, 0)
    assert seen == [3]


def test_a_planner_of_somebody_else_sees_machines() -> None:
    wide = worlds.network(Machine("a", cores=2), Machine("b"))
    world = worlds.scenario(wide, worlds.graph({"x": 1.0, "y": 1.0}, {}))

    assert worlds.where(worlds.run(world, worlds.at(1, 0))) == "ba"
