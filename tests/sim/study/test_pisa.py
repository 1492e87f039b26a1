"""PISA: instances stay within their bounds, what is found is really that bad, and a seed finds it again."""

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from pnode.mappers.instance import InstanceError
from pnode.sim.schedule.run import simulate
from pnode.sim.schedule.scenario import instance_of
from pnode.sim.schedule.strategies import NAMES
from pnode.sim.study import pisa
from pnode.sim.study.pisa import (
    MOVES,
    RANDOM,
    SIZES,
    STEP,
    WEIGHTS,
    Annealing,
    Point,
    climb,
    makespan_s,
    moved,
    start,
)

QUICK = Annealing(restarts=2, steps_max=60)


def walk(seed: int, steps: int) -> list[Point]:
    """A start and what becomes of it."""
    rng = Random(seed)
    points = [start(rng)]
    for _ in range(steps):
        points.append(moved(points[-1], rng))
    return points


def weights(point: Point) -> list[float]:
    return [*point.costs, *point.speeds, *(size for _, size in point.edges), *(width for _, width in point.links)]


def test_a_start_is_a_chain_of_published_size() -> None:
    for seed in range(50):
        point = start(Random(seed))

        assert SIZES[0] <= len(point.costs) <= SIZES[1]
        assert SIZES[0] <= len(point.speeds) <= SIZES[1]
        assert [pair for pair, _ in point.edges] == [(task, task + 1) for task in range(len(point.costs) - 1)]


def test_weights_stay_within_bounds_however_far_one_walks() -> None:
    for seed in range(5):
        for point in walk(seed, 300):
            assert all(WEIGHTS[0] <= weight <= WEIGHTS[1] for weight in weights(point))
            assert len(dict(point.edges)) == len(point.edges)


def test_every_point_is_a_scenario_that_runs() -> None:
    for seed in range(5):
        for point in walk(seed, 60):
            scenario = pisa.scenario_of(point, "x")
            try:
                instance = instance_of(scenario.arrivals[0].graph, scenario.network)
            except InstanceError as error:  # a cycle would be one
                pytest.fail(str(error))
            assert instance.tasks == len(point.costs)


@pytest.mark.parametrize("move", MOVES)
def test_a_move_changes_one_thing_by_one_step(move: pisa.Move) -> None:
    point = walk(3, 40)[-1]
    other = move(point, Random(1))

    assert other is not None
    fields = [name for name in ("costs", "speeds", "edges", "links") if getattr(point, name) != getattr(other, name)]
    assert len(fields) == 1
    if len(weights(other)) == len(weights(point)):
        changed = [abs(a - b) for a, b in zip(weights(point), weights(other), strict=True) if a != b]
        assert len(changed) == 1
        assert changed[0] <= STEP


def test_where_there_is_nothing_to_move_another_move_is_taken() -> None:
    point = replace(start(Random(0)), edges=())
    full = replace(point, edges=tuple(((a, b), 0.5) for b in range(len(point.costs)) for a in range(b)))

    assert all(moved(point, Random(seed)) != point for seed in range(30))
    assert all(moved(replace(full, edges=tuple(sorted(full.edges))), Random(seed)) != full for seed in range(30))


def test_what_is_found_is_as_bad_as_is_said() -> None:
    found = pisa.search("fastest", "heft", Random(0), QUICK)

    alone = simulate(found.scenario, "fastest").makespan_s / simulate(found.scenario, "heft").makespan_s
    assert found.ratio == pytest.approx(alone, rel=1e-12)
    assert found.ratio > 1.2


def test_the_search_finds_worse_than_where_it_began() -> None:
    begun = max(
        makespan_s(scenario, "fastest", 1) / makespan_s(scenario, "heft", 1)
        for scenario in (pisa.scenario_of(start(Random(seed)), "x") for seed in range(20))
    )

    assert pisa.search("fastest", "heft", Random(0), QUICK).ratio > begun


def test_a_climb_keeps_the_best_it_came_by_and_goes_down_when_it_is_hot() -> None:
    seen: list[float] = []

    def energy(point: Point) -> float:
        seen.append(sum(point.costs))
        return seen[-1]

    _, hot = climb(start(Random(1)), energy, Random(1), Annealing(steps_max=200))
    assert hot == max(seen)
    assert any(later < earlier for earlier, later in pairwise(seen))

    seen.clear()
    _, frozen = climb(start(Random(1)), energy, Random(1), Annealing(steps_max=200, hot=1e-9, cold=1e-10))
    assert frozen == max(seen)


def test_the_published_cooling_takes_458_or_459_steps() -> None:
    assert Annealing().steps in (458, 459)
    assert Annealing(steps_max=10).steps == 10


def test_a_seed_finds_the_same_again_in_any_number_of_processes() -> None:
    mappers = ("fastest", "heft", "wave-random")
    told: list[tuple[int, int]] = []
    quick = Annealing(restarts=1, steps_max=15)

    alone = pisa.search_all(mappers, 5, quick, 1, lambda done, of: told.append((done, of)))

    assert [(one.target, one.base) for one in alone[:2]] == [("heft", "fastest"), ("wave-random", "fastest")]
    assert told == [(done, 6) for done in range(1, 7)]
    assert pisa.search_all(mappers, 5, quick, 2) == alone
    assert pisa.search_all(mappers, 6, quick, 1) != alone


def test_mappers_that_throw_dice_are_known() -> None:
    scenarios = [pisa.scenario_of(point, "x") for seed in range(4) for point in walk(seed, 20)[::5]]

    thrown = {
        name
        for name in NAMES
        if any(len({simulate(scenario, name, seed).makespan_s for seed in range(4)}) > 1 for scenario in scenarios)
    }

    assert thrown == set(RANDOM)


def test_of_a_mapper_that_throws_dice_the_mean_counts() -> None:
    scenario = pisa.scenario_of(start(Random(2)), "x")
    draws = [simulate(scenario, "wave-random", seed).makespan_s for seed in range(4)]

    assert makespan_s(scenario, "wave-random", 4) == pytest.approx(sum(draws) / 4)
    assert len(set(draws)) > 1
