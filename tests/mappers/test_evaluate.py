"""Evaluation: the cases of scheduling.md 10.2 as graphs, the planners' own forecasts, and a slow execution."""

import math
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.mappers.contention import Contention
from pnode.mappers.evaluate import evaluate
from pnode.mappers.execution import Execution, PlanError, over, without_contention
from pnode.mappers.flows import Flows, flows_of
from pnode.mappers.heft import heft
from pnode.mappers.instance import Edge, Instance, InstanceError, related, uniform
from pnode.mappers.layered import layered
from pnode.mappers.plan import Plan
from pnode.mappers.planners import YARDSTICKS
from pnode.mappers.shared_links import over_shared_links
from pnode.mappers.shuffled import shuffled

from .instances import some_instance
from .slow_execution import SlowExecution, wiring_of
from .traffic import Rates, free_rates, link_rates, max_min_rates

MODELS: dict[Contention, Rates] = {
    Contention.NONE: free_rates,
    Contention.LINK: link_rates,
    Contention.NIC: max_min_rates,
}
SHARED = (Contention.LINK, Contention.NIC)

MB = 1_000_000
RATE = 100 * MB
A, B = 0, 1

SEEDS = st.integers(0, 2**32 - 1)


def on(*nodes: int, order: Sequence[int] | None = None) -> Plan:
    """A plan that runs the tasks in this order; their own, unless given."""
    turns = tuple(range(len(nodes)) if order is None else order)
    starts = tuple(float(turns.index(task)) for task in range(len(nodes)))
    return Plan(nodes, starts, tuple(start + 1.0 for start in starts), turns)


def pair(costs: Sequence[float], edges: Sequence[tuple[int, int, float]], latency_s: float = 0.0) -> Instance:
    """Two equal nodes, 100 MB/s apart; edges in MB."""
    ways = tuple(Edge(parent, child, size * MB) for parent, child, size in edges)
    return Instance(related(costs, [1.0, 1.0]), ways, uniform(2, latency_s), uniform(2, 1 / RATE))


# By hand.


@pytest.mark.parametrize("contention", Contention)
def test_a_transfer_takes_the_latency_and_its_bytes(contention: Contention) -> None:
    """Case 1 of scheduling.md 10.2, and ncsim's answer."""
    instance = Instance(
        related([100.0, 200.0], [100.0, 50.0]), (Edge(0, 1, 50 * MB),), uniform(2, 0.001), uniform(2, 1 / RATE)
    )

    outcome = evaluate(instance, on(A, B), contention)

    assert outcome.finish_s == pytest.approx((1.0, 5.501), abs=1e-9)


@pytest.mark.parametrize(
    ("contention", "makespan_s"), [(Contention.NONE, 4.0), (Contention.LINK, 5.0), (Contention.NIC, 5.0)]
)
def test_two_inputs_share_the_way_to_the_children(contention: Contention, makespan_s: float) -> None:
    """Case 2: sent one after the other they would do with 4."""
    instance = pair([1.0, 1.0, 1.0], [(0, 1, 100), (0, 2, 100)])

    outcome = evaluate(instance, on(A, B, B), contention, up=[RATE] * 2, down=[RATE] * 2)

    assert outcome.makespan_s == pytest.approx(makespan_s, abs=1e-9)
    assert outcome.start_s[1:] == pytest.approx((makespan_s - 2, makespan_s - 1), abs=1e-9)


@pytest.mark.parametrize("contention", SHARED)
def test_outputs_that_leave_one_after_the_other_keep_the_link_busy(contention: Contention) -> None:
    """ncsim's answer (jupiter.md 7.2): 200 MB from 0.01 s on, then a task of 0.01 s."""
    instance = pair([0.01, 0.01, 0.01], [(0, 2, 100), (1, 2, 100)])

    outcome = evaluate(instance, on(A, A, B), contention, up=[RATE] * 2, down=[RATE] * 2)

    assert outcome.finish_s == pytest.approx((0.01, 0.02, 2.02), abs=1e-9)


@pytest.mark.parametrize("contention", SHARED)
def test_who_sends_later_slows_who_has_begun(contention: Contention) -> None:
    """Case 3: 100 MB from 0, 20 MB from 0.5."""
    instance = pair([0.0, 0.5, 0.0, 0.0], [(0, 2, 100), (1, 3, 20)])

    outcome = evaluate(instance, on(A, A, B, B, order=(0, 1, 3, 2)), contention, up=[RATE] * 2, down=[RATE] * 2)

    assert outcome.finish_s == pytest.approx((0.0, 0.5, 1.2, 0.9), abs=1e-9)


@pytest.mark.parametrize("contention", Contention)
def test_opposite_ways_are_two_links(contention: Contention) -> None:
    """Case 4, full duplex."""
    instance = pair([0.0, 0.0, 0.0, 0.0], [(0, 2, 100), (1, 3, 100)])

    outcome = evaluate(instance, on(A, B, B, A), contention, up=[RATE] * 2, down=[RATE] * 2)

    assert outcome.finish_s == pytest.approx((0.0, 0.0, 1.0, 1.0), abs=1e-9)


def apart(nodes: int, edges: Sequence[tuple[int, int, float]]) -> Instance:
    """Senders and receivers that take no time, all nodes 100 MB/s apart; edges in MB."""
    ways = tuple(Edge(parent, child, size * MB) for parent, child, size in edges)
    tasks = 2 * len(edges)
    return Instance(related([0.0] * tasks, [1.0] * nodes), ways, uniform(nodes, 0.0), uniform(nodes, 1 / RATE))


def test_cards_share_by_max_min_not_equally() -> None:
    """Case 5: A to B, C and D, and E to D."""
    instance = apart(5, [(0, 4, 100), (1, 5, 100), (2, 6, 100), (3, 7, 100)])

    outcome = evaluate(instance, on(0, 0, 0, 4, 1, 2, 3, 3), Contention.NIC, up=[RATE] * 5, down=[RATE] * 5)

    # The last two run on D in the order of the plan, so the one from E waits for that from A.
    assert outcome.finish_s[4:] == pytest.approx((3.0, 3.0, 3.0, 3.0), abs=1e-9)
    assert evaluate(
        instance,
        on(0, 0, 0, 4, 1, 2, 3, 3, order=(0, 1, 2, 3, 4, 5, 7, 6)),
        Contention.NIC,
        up=[RATE] * 5,
        down=[RATE] * 5,
    ).finish_s[4:] == pytest.approx((3.0, 3.0, 3.0, 1.5), abs=1e-9)


def test_cards_give_on_what_is_released() -> None:
    """Case 6: A to B, A to C (50 MB), D to C."""
    instance = apart(4, [(0, 3, 100), (1, 4, 50), (2, 5, 100)])

    outcome = evaluate(instance, on(0, 0, 3, 1, 2, 2), Contention.NIC, up=[RATE] * 4, down=[RATE] * 4)

    assert outcome.finish_s[3:] == pytest.approx((1.5, 1.0, 1.5), abs=1e-9)


# Single truths.


def test_nobody_overtakes_in_strict_order() -> None:
    instance = pair([1.0, 1.0, 5.0], [(0, 1, 300)])

    outcome = evaluate(instance, on(A, B, B))

    assert outcome.start_s == (0.0, 4.0, 5.0)


@pytest.mark.parametrize("contention", Contention)
def test_a_node_may_be_busy_at_first(contention: Contention) -> None:
    instance = pair([1.0, 1.0, 1.0], [(0, 2, 100)])

    outcome = evaluate(instance, on(A, B, B), contention, free_from_s=(2.0, 0.5))

    assert outcome.start_s == (2.0, 0.5, 4.0)


@pytest.mark.parametrize("contention", Contention)
def test_what_tasks_really_take_may_differ_from_the_plan(contention: Contention) -> None:
    instance = pair([1.0, 1.0], [(0, 1, 100)])

    outcome = evaluate(instance, on(A, B), contention, taken_s=[3.0, 0.5])

    assert outcome.finish_s == (3.0, 4.5)


def test_a_quadratic_term_counts_without_contention_and_has_no_meaning_with_it() -> None:
    instance = replace(pair([1.0, 1.0], [(0, 1, 100)]), seconds_per_byte2=uniform(2, 1e-16))

    assert evaluate(instance, on(A, B)).start_s[1] == pytest.approx(1 + 1 + 1)
    for contention in SHARED:
        with pytest.raises(InstanceError, match="quadratic"):
            evaluate(instance, on(A, B), contention)


# What cannot be carried out.


def test_a_plan_of_another_instance_is_refused() -> None:
    instance = pair([1.0, 1.0], [])

    with pytest.raises(PlanError, match=r"nodes \[0, 1\] for 3 tasks, the instance 2 nodes and 2 tasks"):
        evaluate(instance, on(A, B, A))
    with pytest.raises(PlanError, match=r"nodes \[0, 2\] for 2 tasks"):
        evaluate(instance, on(A, 2))


@pytest.mark.parametrize("contention", Contention)
def test_a_node_that_cannot_run_the_task_is_named(contention: Contention) -> None:
    instance = replace(pair([1.0, 1.0], []), cost_s=((1.0, 1.0), (1.0, math.inf)))

    with pytest.raises(PlanError, match="task 1 is planned on node 1, which cannot run it"):
        evaluate(instance, on(A, B), contention)


@pytest.mark.parametrize("contention", Contention)
@pytest.mark.parametrize(("latency_s", "seconds_per_byte"), [(math.inf, 0.0), (math.inf, 1.0), (0.0, math.inf)])
@pytest.mark.parametrize("size", [0.0, 100.0])
def test_nodes_that_cannot_talk_are_named(
    contention: Contention, latency_s: float, seconds_per_byte: float, size: float
) -> None:
    linked = pair([1.0, 1.0, 1.0], [(0, 1, size), (1, 2, size)])
    instance = replace(linked, latency_s=uniform(2, latency_s), seconds_per_byte=uniform(2, seconds_per_byte))

    with pytest.raises(PlanError, match=r"task 1 never has its inputs: not all of nodes \[0\] reach node 1"):
        evaluate(instance, on(A, B, B), contention)


@pytest.mark.parametrize("contention", Contention)
def test_an_order_that_contradicts_the_edges_is_refused(contention: Contention) -> None:
    instance = pair([1.0, 1.0, 1.0, 1.0], [(0, 1, 0), (2, 3, 0)])

    with pytest.raises(PlanError, match="contradicts the edges: task 1 waits for task 0, and that for it"):
        evaluate(instance, on(A, B, B, A, order=(3, 0, 1, 2)), contention)


# Against forecasts and a slow execution.


@pytest.mark.parametrize("name", YARDSTICKS)
@given(seed=SEEDS, whole=st.booleans())
def test_planners_foresee_what_comes_of_their_plans_without_contention(name: str, seed: int, whole: bool) -> None:
    instance = some_instance(seed, whole=whole)
    plan = YARDSTICKS[name](instance)

    outcome = evaluate(instance, plan)

    assert all(
        real <= planned + 1e-9 * plan.makespan_s for real, planned in zip(outcome.start_s, plan.start_s, strict=True)
    )
    assert outcome.makespan_s == pytest.approx(plan.makespan_s, rel=1e-9)


def drawn(seed: int) -> tuple[Instance, Plan]:
    """A small odd instance with small whole numbers, and where its tasks go."""
    instance = replace(some_instance(seed, tasks_max=9, nodes_max=4, whole=True), seconds_per_byte2=None)
    return instance, shuffled(instance, Random(seed))


@pytest.mark.parametrize("contention", Contention)
@given(seed=SEEDS)
def test_every_finish_is_that_of_a_slow_execution(contention: Contention, seed: int) -> None:
    instance, plan = drawn(seed)
    card = 0.5 + seed % 3
    expected = SlowExecution(instance, plan, wiring_of(instance, up=card, down=2 * card), MODELS[contention]).run()

    outcome = evaluate(instance, plan, contention, up=[card] * instance.nodes, down=[2 * card] * instance.nodes)

    assert outcome.finish_s == pytest.approx([float(finish) for finish in expected], rel=1e-9, abs=1e-9)


@given(seed=SEEDS)
def test_the_machine_and_the_loop_for_links_agree(seed: int) -> None:
    instance, plan = drawn(seed)
    flows: Flows[int] = flows_of(Contention.LINK, instance.latency_s, instance.seconds_per_byte)

    by_machine = over(execution_of(instance, plan), flows)
    by_loop = over_shared_links(execution_of(instance, plan))

    assert by_loop.finish_s == pytest.approx(by_machine.finish_s, rel=1e-12)
    assert by_loop.start_s == pytest.approx(by_machine.start_s, rel=1e-12)


@given(seed=SEEDS)
def test_the_machine_and_the_pass_without_contention_agree(seed: int) -> None:
    instance, plan = drawn(seed)
    flows: Flows[int] = flows_of(Contention.NONE, instance.latency_s, instance.seconds_per_byte)

    by_machine = over(execution_of(instance, plan), flows)
    by_pass = without_contention(execution_of(instance, plan))

    assert by_pass.finish_s == pytest.approx(by_machine.finish_s, rel=1e-12)


def execution_of(instance: Instance, plan: Plan) -> Execution:
    taken_s = [row[node] for row, node in zip(instance.cost_s, plan.node, strict=True)]
    return Execution(instance, plan, taken_s, [0.0] * instance.nodes)


def test_models_order_a_crowded_graph_as_they_must() -> None:
    """Sharing can only delay; what nobody shares is the same in all models; twice gives the same."""
    instance = layered(Random(7), tasks=300, nodes=8, ccr=2.0, alpha=1.0, degree=3, heterogeneity=0.5)
    plan = heft(instance)
    roomy = [1e9] * 8

    free, link, nic = (evaluate(instance, plan, contention, up=roomy, down=roomy) for contention in Contention)

    assert free.makespan_s == pytest.approx(plan.makespan_s)
    assert nic.finish_s == pytest.approx(free.finish_s)
    assert all(late >= early * (1 - 1e-9) for late, early in zip(link.finish_s, free.finish_s, strict=True))
    assert link.makespan_s > 1.1 * free.makespan_s
    for contention in Contention:
        narrow = [1.0] * 8
        assert evaluate(instance, plan, contention, up=narrow, down=narrow) == evaluate(
            instance, plan, contention, up=narrow, down=narrow
        )
