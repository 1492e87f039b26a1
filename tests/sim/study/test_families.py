"""Families: the same members every time, of the sizes that were asked for."""

from pathlib import Path
from random import Random

import pytest

from pnode.mappers.networks import communication_ratio
from pnode.sim.schedule.scenario import instance_of
from pnode.sim.study.case import Family
from pnode.sim.study.conditions import Condition
from pnode.sim.study.families import NETWORKS, bundle, family_a, family_b, traces

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no recorded traces at {DATA}")


def test_a_member_is_drawn_alike_every_time_and_unlike_the_others() -> None:
    first, second = family_a(Condition.IID50, tasks_max=30, count=2)

    assert first.scenario(0) == first.scenario(0)
    assert first.scenario(0).network != second.scenario(0).network


def test_conditions_meet_the_same_graphs_and_networks() -> None:
    [calm] = family_a(Condition.PERFECT, tasks_max=30, count=1)
    [slow] = family_a(Condition.SLOW, tasks_max=30, count=1)

    assert calm.scenario(0).network == slow.scenario(0).network
    assert calm.scenario(0).arrivals == slow.scenario(0).arrivals


def test_set_a_can_be_kept_to_small_graphs() -> None:
    families = family_a(Condition.PERFECT, tasks_max=100)

    assert len(families) == 100
    assert max(len(family.scenario(0).arrivals[0].graph.tasks) for family in families[:20]) <= 100


def test_a_bundle_is_chains_between_a_fork_and_a_join() -> None:
    graph = bundle(3, 2, Random(0))

    assert len(graph.tasks) == 8
    assert [(edge.parent, edge.child) for edge in graph.edges] == [
        (0, 1), (1, 2), (2, 7), (0, 3), (3, 4), (4, 7), (0, 5), (5, 6), (6, 7),
    ]  # fmt: skip


def test_bundles_stand_in_for_traces_on_the_same_networks() -> None:
    families = family_b(Condition.PERFECT, None, tasks_max=50)

    for family, (nodes, ccr) in zip(families[:: len(families) // 3], NETWORKS, strict=True):
        check_network(family, nodes, ccr)


@needs_data
def test_set_b_is_every_trace_but_the_greeting_on_each_network() -> None:
    families = family_b(Condition.PERFECT, DATA)

    assert len(families) == 40 * 3
    assert not any("helloworld" in family.name for family in families)
    for family, (nodes, ccr) in zip(families[::40], NETWORKS, strict=True):
        check_network(family, nodes, ccr)


@needs_data
def test_large_traces_can_be_left_out() -> None:
    assert all("montage-chameleon-dss-125d" not in path.name for path in traces(DATA, 130))


def check_network(family: Family, nodes: int, ccr: float) -> None:
    scenario = family.scenario(0)

    assert len(scenario.network.machines) == nodes
    instance = instance_of(scenario.arrivals[0].graph, scenario.network)
    assert communication_ratio(instance) == pytest.approx(ccr)
