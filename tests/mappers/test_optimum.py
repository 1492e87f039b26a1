import math
from collections.abc import Callable
from random import Random

import pytest

from pnode.mappers import optimum as module
from pnode.mappers.disjunctive import Program, Solution
from pnode.mappers.draft import StrandedError
from pnode.mappers.heft import heft
from pnode.mappers.instance import Edge, Instance, uniform
from pnode.mappers.optimum import LIMIT_S, TOLERANCE, Optimum, carried_out, optimum
from pnode.mappers.plan import lower_bound_s
from pnode.mappers.planners import YARDSTICKS

from .golden import golden
from .instances import ARABNEJAD, TOPCUOGLU, faults, some_instance

PATIENCE_S = 600.0
"""Where a proof is expected, a busy machine must not stop it."""


def small(seed: int) -> Instance:
    """4 or 5 tasks on 2 or 3 nodes."""
    rng = Random(seed)
    while True:
        instance = some_instance(rng.getrandbits(32), tasks_max=5, nodes_max=3, whole=rng.random() < 0.5)
        if instance.tasks >= 4 and instance.nodes >= 2:
            return instance


def by_brute_force(instance: Instance) -> float:
    """The smallest makespan over every order in which tasks can be placed, and every node for each."""
    nodes = range(instance.nodes)
    best = math.inf

    def go_on(node: dict[int, int], finish: dict[int, float], free: tuple[float, ...]) -> None:
        nonlocal best
        if max(free) >= best:
            return
        if len(node) == instance.tasks:
            best = max(free)
        for task in range(instance.tasks):
            if task in node or any(parent not in node for parent, _ in instance.parents[task]):
                continue
            for target in nodes:
                inputs = [
                    finish[parent] + instance.transfer_s(node[parent], target, size)
                    for parent, size in instance.parents[task]
                ]
                end = max(free[target], *inputs, 0.0) + instance.cost_s[task][target]
                go_on(
                    node | {task: target},
                    finish | {task: end},
                    tuple(end if at == target else free[at] for at in nodes),
                )

    go_on({}, {}, (0.0,) * instance.nodes)
    return best


@pytest.mark.parametrize("decade", range(10))
def test_it_equals_brute_force(decade: int) -> None:
    for seed in range(20 * decade, 20 * decade + 20):
        instance = small(seed)
        found = optimum(instance, limit_s=PATIENCE_S)
        true = by_brute_force(instance)

        assert found.proved, seed
        assert found.plan.makespan_s == pytest.approx(true, rel=2 * TOLERANCE), seed
        assert found.lower_bound_s <= true * (1 + TOLERANCE), seed
        assert faults(instance, found.plan) == [], seed


@pytest.mark.parametrize("seed", range(40))
def test_it_is_never_above_any_other_mapper(seed: int) -> None:
    instance = some_instance(seed, tasks_max=8, nodes_max=4)

    found = optimum(instance, limit_s=1.0)

    assert all(found.plan.makespan_s <= planner(instance).makespan_s for planner in YARDSTICKS.values())
    assert lower_bound_s(instance) <= found.lower_bound_s <= found.plan.makespan_s
    assert faults(instance, found.plan) == []


@pytest.mark.parametrize(
    ("example", "makespan"),
    [(lambda: TOPCUOGLU, 73.0), (lambda: ARABNEJAD, 113.0), (golden, 1591.0)],
    ids=["heft", "peft", "tgff"],
)
def test_the_classic_examples(example: Callable[[], Instance], makespan: float) -> None:
    instance = example()
    found = optimum(instance, limit_s=PATIENCE_S)

    assert found.proved
    assert found.plan.makespan_s == pytest.approx(makespan)
    assert faults(instance, found.plan) == []


def test_without_time_the_best_known_plan_and_a_bound_are_left() -> None:
    found = optimum(TOPCUOGLU, limit_s=0.0)

    assert found.plan.makespan_s == min(planner(TOPCUOGLU).makespan_s for planner in YARDSTICKS.values())
    assert found.lower_bound_s >= lower_bound_s(TOPCUOGLU)
    assert not found.proved


def test_a_graph_that_is_too_large_is_not_even_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ENTRIES_MAX", 500)
    monkeypatch.setattr(module, "Program", None)

    found = optimum(TOPCUOGLU)

    assert found == Optimum(found.plan, lower_bound_s(TOPCUOGLU))


def test_a_plan_that_meets_the_bound_is_not_looked_beyond(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Program", None)
    chain = Instance(((1.0, 2.0), (1.0, 2.0)), (Edge(0, 1, 1.0),), uniform(2, 0.0), uniform(2, 1.0))

    assert optimum(chain) == Optimum(heft(chain), 2.0)
    assert optimum(chain).proved


def test_a_plan_from_outside_is_not_lost() -> None:
    best = optimum(TOPCUOGLU, limit_s=PATIENCE_S).plan

    assert optimum(TOPCUOGLU, limit_s=0.0, warm=best).plan == best


def test_a_worse_schedule_than_the_known_one_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    serial = (0.0, 14.0, 27.0, 38.0, 51.0, 63.0, 76.0, 83.0, 88.0, 106.0)
    monkeypatch.setattr(Program, "solve", lambda program, limit_s: Solution(50.0, (0,) * 10, serial))

    found = optimum(TOPCUOGLU)

    assert found.plan.makespan_s == 76.0
    assert found.lower_bound_s == 50.0


def stranding(ways: int) -> Instance:
    """Children run on node 3 only, which can be reached from node 2 only, which is slow for their parents."""
    parents = [(1.0, 1.0, 9.0, math.inf)] * ways
    children = [(math.inf, math.inf, math.inf, 1.0)] * ways
    apart = tuple(
        tuple(math.inf if target == 3 and source != 2 else 0.0 for target in range(4)) for source in range(4)
    )
    edges = tuple(Edge(at, ways + at, 0.0) for at in range(ways))
    return Instance((*parents, *children), edges, uniform(4, 0.0), apart)


def test_it_finds_a_way_where_all_others_are_stranded() -> None:
    instance = stranding(3)
    for planner in YARDSTICKS.values():
        with pytest.raises(StrandedError):
            planner(instance)

    found = optimum(instance, limit_s=PATIENCE_S)

    assert found.proved
    assert found.plan.makespan_s == pytest.approx(28.0)
    assert faults(instance, found.plan) == []


def test_where_there_is_no_way_it_says_so() -> None:
    nowhere = Instance(((1.0, math.inf), (math.inf, 1.0)), (Edge(0, 1, 1.0),), uniform(2, 0.0), uniform(2, math.inf))

    with pytest.raises(StrandedError, match=f"no schedule was found within {LIMIT_S} s"):
        optimum(nowhere)
    with pytest.raises(StrandedError, match="no schedule was found within 0"):
        optimum(stranding(3), limit_s=0.0)


def test_what_takes_no_time_goes_before_what_starts_at_the_same_moment() -> None:
    # The second takes no time and can go first; whoever put it behind the first would delay its child.
    rows = ((5.0, 9.0), (0.0, 9.0), (9.0, 5.0))
    instance = Instance(rows, (Edge(1, 2, 0.0),), uniform(2, 0.0), uniform(2, 0.0))
    nearly = Solution(5.0, (0, 0, 1), (0.0, 1e-7, 1e-7))

    plan = carried_out(instance, nearly)

    assert plan.makespan_s == 5.0
    assert plan.queues(2) == ((1, 0), (2,))


def test_a_task_that_fits_nowhere_within_the_horizon_ends_the_search_before_it_begins() -> None:
    assert Program(TOPCUOGLU, 40.0).solve(0.0) == Solution(math.inf)
