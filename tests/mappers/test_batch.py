import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.mappers.batch import max_min, min_min, sufferage
from pnode.mappers.draft import StrandedError
from pnode.mappers.instance import Edge, Instance, uniform
from pnode.mappers.plan import Planner

from .instances import some_instance

THREE = Instance(((2.0, 4.0), (3.0, 1.0), (6.0, 6.0)), (), uniform(2, 0.0), uniform(2, 0.0))


def by_the_book(
    instance: Instance, urgency: Callable[[list[float]], float], *, rounds: bool
) -> list[tuple[int, int]]:
    """(task, node) as placed, all reckoned anew at every step; `urgency` from a task's finishes, smallest first."""
    placed: dict[int, tuple[int, float]] = {}
    free = [0.0] * instance.nodes
    pool: list[int] = []

    def ready(task: int, node: int) -> float:
        inputs = [(*placed[parent], size) for parent, size in instance.parents[task]]
        return max((at + instance.transfer_s(source, node, size) for source, at, size in inputs), default=0.0)

    def finishes(task: int) -> list[float]:
        return [max(ready(task, node), free[node]) + seconds for node, seconds in enumerate(instance.cost_s[task])]

    waiting = [task for task in instance.order if not instance.parents[task]]
    chosen = []
    while waiting or pool:
        if not (rounds and pool):
            pool, waiting = pool + waiting, []
        task = min(pool, key=lambda task: urgency(sorted(finishes(task))))
        pool.remove(task)
        node = finishes(task).index(min(finishes(task)))
        free[node] = min(finishes(task))
        placed[task] = (node, free[node])
        chosen.append((task, node))
        for child, _ in instance.children[task]:
            if all(parent in placed for parent, _ in instance.parents[child]):
                waiting.append(child)
    return chosen


def test_min_min_takes_the_shortest_first() -> None:
    plan = min_min(THREE)

    assert plan.order == (1, 0, 2)
    assert plan.node == (0, 1, 1)
    assert plan.finish_s == (2.0, 1.0, 7.0)


def test_max_min_takes_the_longest_first() -> None:
    plan = max_min(THREE)

    assert plan.order == (2, 0, 1)
    assert plan.node == (1, 1, 0)
    assert plan.finish_s == (4.0, 5.0, 6.0)


def test_sufferage_takes_the_one_that_would_lose_most() -> None:
    instance = Instance(((5.0, 5.5), (5.0, 9.0), (1.0, 1.2)), (), uniform(2, 0.0), uniform(2, 0.0))

    plan = sufferage(instance)

    # The second would lose 4 s; then the first loses 4.5 s and the third 4.8 s on node 0.
    assert plan.order == (1, 2, 0)
    assert plan.node == (1, 0, 1)


@pytest.mark.parametrize(("rule", "order"), [(min_min, (0, 1, 2)), (max_min, (1, 0, 2)), (sufferage, (0, 1, 2))])
def test_only_sufferage_looks_at_fresh_tasks_at_once(rule: Planner, order: tuple[int, ...]) -> None:
    # The third task is the child of the first, and can run on one node only.
    instance = Instance(
        ((1.0, math.inf), (5.0, 5.5), (1.0, math.inf)), (Edge(0, 2, 0.0),), uniform(2, 0.0), uniform(2, 0.0)
    )

    expected = (0, 2, 1) if rule is sufferage else order
    assert rule(instance).order == expected


@pytest.mark.parametrize("rule", [min_min, max_min, sufferage])
def test_on_a_single_node_there_is_nothing_to_choose_but_the_order(rule: Planner) -> None:
    assert rule(Instance(((2.0,), (1.0,)), (), uniform(1, 0.0), uniform(1, 0.0))).makespan_s == 3.0


@pytest.mark.parametrize("rule", [min_min, max_min, sufferage])
def test_who_can_go_nowhere_is_named(rule: Planner) -> None:
    rows = ((1.0, math.inf), (math.inf, 1.0), (1.0, 1.0))

    with pytest.raises(StrandedError, match="task 1 can run on no node"):
        rule(Instance(rows, (Edge(0, 1, 0.0), Edge(0, 2, 0.0)), uniform(2, 0.0), uniform(2, math.inf)))


@pytest.mark.parametrize(
    ("rule", "urgency", "rounds"),
    [
        (min_min, lambda finishes: finishes[0], True),
        (max_min, lambda finishes: -finishes[0], True),
        (sufferage, lambda finishes: finishes[0] - finishes[1] if len(finishes) > 1 else 0.0, False),
    ],
)
@given(seed=st.integers(0, 2**32))
def test_the_rules_are_those_of_the_book(
    rule: Planner, urgency: Callable[[list[float]], float], rounds: bool, seed: int
) -> None:
    instance = some_instance(seed, whole=True)  # in whole numbers sums agree exactly, whatever their order

    plan = rule(instance)

    assert [(task, plan.node[task]) for task in plan.order] == by_the_book(instance, urgency, rounds=rounds)
