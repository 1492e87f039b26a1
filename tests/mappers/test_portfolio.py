import math
from dataclasses import replace
from itertools import count
from random import Random
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pnode.mappers.contention import Contention
from pnode.mappers.draft import StrandedError
from pnode.mappers.evaluate import evaluate
from pnode.mappers.heft import heft
from pnode.mappers.instance import Edge, Instance, uniform
from pnode.mappers.layered import layered
from pnode.mappers.portfolio import Portfolio, portfolio

from .instances import faults, some_instance

FREE = ["heft", "peft", "cpop", "heft, ranks perturbed", "heft, ranks perturbed"]
CROWDED = [
    "heft",
    "heft, transfers x 1.5",
    "heft, transfers x 2",
    "heft, transfers x 3",
    "heft, transfers x 5",
    "heft, transfers x 8",
    "cpop",
    "peft",
    "peft, transfers x 3",
    "fastest",
    "heft, transfers and ranks drawn",
    "heft, transfers and ranks drawn",
]


def names(found: Portfolio) -> list[str]:
    return [candidate.name for candidate in found.candidates]


def graph(seed: int = 1, ccr: float = 1.0) -> Instance:
    return layered(Random(seed), 40, 6, ccr, 1.0, 3, 0.75)


def test_candidates_are_those_of_the_reference() -> None:
    assert names(portfolio(graph(), Random(0), candidates=len(FREE))) == FREE
    assert names(portfolio(graph(), Random(0), contention=Contention.LINK, candidates=len(CROWDED))) == CROWDED


@pytest.mark.parametrize("contention", Contention)
@settings(max_examples=30)  # of a dozen plans each
@given(seed=st.integers(0, 2**32 - 1))
def test_the_best_is_never_worse_than_heft(contention: Contention, seed: int) -> None:
    instance = replace(some_instance(seed, tasks_max=8), seconds_per_byte2=None)
    cards = [1.0] * instance.nodes

    found = portfolio(instance, Random(seed), contention=contention, candidates=12, up=cards, down=cards)

    heft_s = evaluate(instance, heft(instance), contention, up=cards, down=cards).makespan_s
    assert found.candidates[0].makespan_s == heft_s
    assert found.best.makespan_s == min(candidate.makespan_s for candidate in found.candidates) <= heft_s


@pytest.mark.parametrize("contention", Contention)
@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), whole=st.booleans())
def test_a_candidate_carried_out_again_does_what_it_says(contention: Contention, seed: int, whole: bool) -> None:
    instance = replace(some_instance(seed, tasks_max=8, whole=whole), seconds_per_byte2=None)

    found = portfolio(instance, Random(seed), contention=contention, candidates=12)

    for candidate in found.candidates:
        outcome = evaluate(instance, candidate.plan, contention)
        assert (outcome.start_s, outcome.finish_s) == (candidate.plan.start_s, candidate.plan.finish_s)
        assert faults(instance, candidate.plan) == []


def test_drawn_plans_differ_and_pay() -> None:
    """Medians over a few graphs, well within what scheduling.md 5.1 and 5.8 have measured."""
    for contention, ccr, ratio in [(Contention.NONE, 1.0, 0.99), (Contention.LINK, 2.0, 0.9)]:
        found = [portfolio(graph(seed, ccr), Random(seed), contention=contention, candidates=20) for seed in range(9)]

        assert median(one.best.makespan_s / one.candidates[0].makespan_s for one in found) < ratio
        assert all(len(dict.fromkeys(candidate.makespan_s for candidate in one.candidates)) > 10 for one in found)


def test_the_same_generator_finds_the_same() -> None:
    found = portfolio(graph(), Random(1), contention=Contention.LINK, candidates=15)

    assert portfolio(graph(), Random(1), contention=Contention.LINK, candidates=15) == found
    assert portfolio(graph(), Random(2), contention=Contention.LINK, candidates=15) != found


def test_no_candidate_is_begun_when_the_time_is_up() -> None:
    ticks = count()

    found = portfolio(graph(), Random(1), clock=lambda: float(next(ticks)), budget_s=3.0)

    assert names(found) == FREE[:3]


def test_heft_is_made_however_short_the_time() -> None:
    ticks = count()

    assert names(portfolio(graph(), Random(1), clock=lambda: float(next(ticks)), budget_s=0.0)) == ["heft"]
    assert names(portfolio(graph(), Random(1), candidates=0)) == ["heft"]


def test_nodes_may_be_busy_at_first() -> None:
    busy = (5.0, 0.0, 7.0, 0.0, 0.0, 100.0)

    found = portfolio(graph(), Random(1), free_from_s=busy)

    for candidate in found.candidates:
        starts = zip(candidate.plan.node, candidate.plan.start_s, strict=True)
        assert all(start >= busy[node] for node, start in starts)
    assert found.candidates[0].makespan_s == heft(graph(), free_from_s=busy).makespan_s


def two_islands(*, first_s: tuple[float, float]) -> Instance:
    """Two nodes that cannot talk. The first task, which takes so long on each, has a child that runs on node 0 only;
    two others run on node 1 only."""
    cost_s = (first_s, (1.0, math.inf), (math.inf, 1.0), (math.inf, 1.0))
    return Instance(cost_s, (Edge(0, 1, 1.0),), uniform(2, math.inf), uniform(2, math.inf))


def test_a_mapper_that_finds_no_way_is_left_out() -> None:
    """The node that can run most is a trap for those who think of nothing else."""
    found = portfolio(two_islands(first_s=(1.0, 2.0)), Random(1), contention=Contention.LINK, candidates=12)

    assert "heft" in names(found)
    assert [name for name in CROWDED if name not in names(found)] == ["fastest"]


def test_when_heft_finds_no_way_there_is_no_portfolio() -> None:
    with pytest.raises(StrandedError, match="task 1"):
        portfolio(two_islands(first_s=(2.0, 1.0)), Random(1))
