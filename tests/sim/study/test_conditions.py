"""Conditions: what is changed in a scenario, and that nothing else is."""

from dataclasses import replace
from random import Random

import pytest

from pnode.mappers.contention import Contention
from pnode.mappers.heft import heft
from pnode.mappers.instance import Edge, Instance, related, uniform
from pnode.mappers.layered import layered
from pnode.sim.schedule.scenario import Fate, Gossip, Graph, Machine, Network, Vertex, instance_of
from pnode.sim.study.conditions import Condition, scenario_of, tenants, under

INSTANCE = Instance(
    related([4.0, 2.0, 6.0], [1.0, 2.0]), (Edge(0, 1, 3.0), Edge(0, 2, 0.0)), uniform(2, 0.5), uniform(2, 0.25)
)


def test_an_instance_keeps_every_number_as_a_scenario() -> None:
    scenario = scenario_of(INSTANCE, "small")

    again = instance_of(scenario.arrivals[0].graph, scenario.network)
    assert again.cost_s == INSTANCE.cost_s
    assert again.edges == INSTANCE.edges
    assert (again.latency == INSTANCE.latency).all()
    assert (again.inverse == INSTANCE.inverse).all()


def test_nothing_happens_under_perfect_conditions() -> None:
    scenario = scenario_of(INSTANCE, "small")

    assert under(Condition.PERFECT, scenario, Random(0)) == scenario


@pytest.mark.parametrize(
    "condition", [one for one in Condition if one not in (Condition.PERFECT, Condition.CONTENTION)]
)
def test_views_are_a_mean_task_old_wherever_something_is_uncertain(condition: Condition) -> None:
    troubled = under(condition, scenario_of(INSTANCE, "small"), Random(0))

    assert troubled.gossip.period_s == pytest.approx(3.0)  # mean costs 3, 1.5 and 4.5
    assert troubled.contention is Contention.NONE


def test_contention_changes_the_links_only() -> None:
    scenario = scenario_of(INSTANCE, "small")

    assert under(Condition.CONTENTION, scenario, Random(0)) == replace(scenario, contention=Contention.LINK)


def test_a_quarter_of_the_machines_slows_down_at_three_tenths_of_the_plan() -> None:
    instance = layered(Random(3), 40, 8, 1.0, 1.0, 2, 0.5)

    troubled = under(Condition.SLOW, scenario_of(instance, "layers"), Random(5))

    assert len({one.machine for one in troubled.disruptions}) == 2
    for one in troubled.disruptions:
        assert (one.fate, one.factor) == (Fate.SPEED, 0.25)
        assert one.at_s == pytest.approx(0.3 * heft(instance).makespan_s)


def test_the_machine_with_most_planned_work_is_lost_and_missed_two_mean_tasks_later() -> None:
    troubled = under(Condition.LOSS, scenario_of(INSTANCE, "small"), Random(0))

    [loss] = troubled.disruptions
    assert (loss.fate, loss.machine) == (Fate.FAIL, 1)  # everything is on the fast one
    assert troubled.gossip.detection_s == pytest.approx(6.0)


def test_tenants_come_in_order_at_the_stated_load() -> None:
    graph = Graph("one", (Vertex("t", 7.0),), ())
    network = scenario_of(INSTANCE, "small").network

    scenario = tenants([graph] * 20, network, 3.0, Random(1))

    instants = [arrival.at_s for arrival in scenario.arrivals]
    assert instants == sorted(instants)
    assert instants[-1] <= 20 * 7.0 / 2 / 0.7
    assert {arrival.origin for arrival in scenario.arrivals} == {0, 1}
    assert scenario.gossip == Gossip(21.0)


def test_the_load_is_all_work_over_all_speed_however_unlike_machines_are() -> None:
    graph = Graph("one", (Vertex("t", 7.0),), ())
    machines = (Machine("slow", 0.25), Machine("fast", 1.75), Machine("wide", 1.0, cores=2))
    network = Network(machines, uniform(3, 0.0), uniform(3, 1.0))

    scenario = tenants([graph] * 500, network, 3.0, Random(1))

    speed = 0.25 + 1.75 + 2 * 1.0
    assert 500 * 7.0 / speed / scenario.arrivals[-1].at_s == pytest.approx(0.7, rel=0.02)
