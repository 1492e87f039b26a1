"""Chance: one generator per concern, and factors as the scenario describes them."""

from dataclasses import replace
from statistics import fmean

import pytest

from pnode.sim.schedule.draws import TaskFactors, node_factors
from pnode.sim.schedule.scenario import Arrival, Durations, Spread

from . import worlds

GRAPH = worlds.graph(dict.fromkeys("stuvwxyz", 1.0), {})
MANY = worlds.graph({chr(0x4E00 + number): 1.0 for number in range(4000)}, {})


def factors(durations: Durations, seed: int = 0, number: int = 0) -> list[float]:
    return TaskFactors(durations, number, Arrival(GRAPH), seed).item()


def test_exact_durations_are_the_profiled_ones() -> None:
    assert factors(Durations()) == [1.0] * 8


@pytest.mark.parametrize("width", [0.3, 0.5])
def test_uniform_factors_lie_in_their_width_about_one(width: float) -> None:
    drawn = TaskFactors(Durations(Spread.UNIFORM, width), 0, Arrival(MANY), 0).item()

    assert 1 - width <= min(drawn) < 1 - 0.98 * width
    assert 1 + width >= max(drawn) > 1 + 0.98 * width
    assert fmean(drawn) == pytest.approx(1.0, abs=0.02)


def test_lognormal_factors_have_mean_one() -> None:
    drawn = TaskFactors(Durations(Spread.LOGNORMAL, 0.8), 0, Arrival(MANY), 0).item()

    assert fmean(drawn) == pytest.approx(1.0, abs=0.06)
    assert sorted(drawn)[2000] == pytest.approx(0.726, abs=0.04)  # exp(-0.32)


def test_seeds_jobs_and_items_differ() -> None:
    durations = Durations(Spread.UNIFORM, 0.5)
    stream = TaskFactors(durations, 0, Arrival(GRAPH, items=2), 0)

    drawn = [factors(durations), factors(durations, seed=1), factors(durations, number=1)]

    assert stream.item() == drawn[0]
    assert len({tuple(row) for row in (*drawn, stream.item())}) == 4


def test_a_traced_task_has_its_factor_and_the_others_keep_theirs() -> None:
    durations = Durations(Spread.UNIFORM, 0.5)

    plain = factors(durations)
    traced = factors(replace(durations, factors=((("u", 3.0),),)))

    assert traced == [*plain[:2], 3.0, *plain[3:]]


def test_nodes_have_factors_of_their_own() -> None:
    world = worlds.scenario(worlds.network(*worlds.machines(3)), GRAPH, durations=Durations(node_width=0.5))

    drawn = node_factors(world, 0)

    assert len(dict.fromkeys(drawn)) == 3
    assert all(0.5 <= factor <= 1.5 for factor in drawn)
    assert node_factors(world, 0) == drawn != node_factors(world, 1)
    assert factors(Durations(Spread.UNIFORM, 0.5, node_width=0.5)) == factors(Durations(Spread.UNIFORM, 0.5))


def test_real_durations_are_cost_times_both_factors() -> None:
    durations = Durations(Spread.UNIFORM, 0.5, node_width=0.5)
    world = worlds.scenario(worlds.network(*worlds.machines(2)), worlds.graph({"x": 4.0}, {}), durations=durations)
    [task] = TaskFactors(durations, 0, world.arrivals[0], 5).item()

    result = worlds.run(world, worlds.at(1), seed=5)

    assert result.makespan_s == 4.0 * task * node_factors(world, 5)[1]
