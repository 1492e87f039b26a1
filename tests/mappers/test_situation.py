import math

import pytest

from pnode.mappers.plan import Plan
from pnode.mappers.situation import Situation, situation_of
from pnode.protocol.dag import Dag
from pnode.protocol.view import Link, Planned, View

from .beliefs import LAN, big_dag, node, peer, star, task, view

PAIR = Dag((task("first", "second", output_bytes=1000), task("second")))


def situation(dag: Dag, beliefs: View, items: int = 1) -> Situation:
    found = situation_of(dag, beliefs, items)
    assert found is not None
    return found


def test_costs_sizes_and_links_are_those_of_the_view() -> None:
    links = {"AB": Link(0.5, 1e3, 1.0)}
    beliefs = view("A", [peer("A"), peer("B", speed=2.0)], links=links, run_s={"first": 4.0, "second": 6.0})

    found = situation(PAIR, beliefs)

    assert found.instance.cost_s == ((4.0, 2.0), (6.0, 3.0))
    assert [(edge.parent, edge.child, edge.size_bytes) for edge in found.instance.edges] == [(0, 1, 1000.0)]
    assert found.instance.transfer_s(0, 1, 1000.0) == 1.5
    assert found.instance.transfer_s(1, 0, 1000.0) == LAN.transfer_s(1000.0)
    assert found.names == ("first", "second")
    assert found.nodes == (node("A"), node("B"))


def test_tasks_keep_the_order_of_the_graph() -> None:
    assert situation(big_dag(), view("A", [peer("A")])).names == tuple(task.name for task in big_dag().tasks)


def test_a_stream_is_one_item_that_is_so_many_times_as_large() -> None:
    found = situation(PAIR, view("A", [peer("A")], run_s={"first": 4.0}), items=3)

    assert found.instance.cost_s == ((12.0,), (3.0,))
    assert found.instance.edges[0].size_bytes == 3000.0


def test_every_core_is_a_node_and_a_peers_cores_reach_each_other_at_once() -> None:
    found = situation(PAIR, view("A", [peer("A", cores=2), peer("B", cores=0)]))

    assert found.nodes == (node("A"), node("A"), node("B"))
    assert found.instance.transfer_s(0, 1, 1000.0) == 0.0
    assert found.instance.transfer_s(1, 2, 1000.0) == LAN.transfer_s(1000.0)


def test_queues_are_as_they_are_believed_to_be() -> None:
    found = situation(
        PAIR, view("A", [peer("A", free_in_s=1.0), peer("B", free_in_s=3.0), peer("C", age_s=math.inf)])
    )

    assert found.free_from_s == (1.0, 3.0, 2.0)


def test_a_task_runs_where_it_fits() -> None:
    dag = Dag((task("wide", cores=2), task("large", memory_bytes=2**40)))

    found = situation(dag, view("A", [peer("A"), peer("B", cores=2)]))

    assert found.instance.cost_s == ((math.inf, 1.0, 1.0), (1.0, 1.0, 1.0))


def test_a_task_runs_where_it_asks_to_if_anybody_bears_the_name() -> None:
    dag = Dag((task("picky", hint=("B", "Z")), task("lost", hint=("Z",))))

    found = situation(dag, view("A", [peer("A"), peer("B")]))

    assert found.instance.cost_s == ((math.inf, 1.0), (1.0, 1.0))


def test_of_too_many_cores_the_fastest_are_planned_on_one_of_each_peer_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pnode.mappers.situation.CELLS_MAX", 8)
    peers = [peer("A", cores=2), peer("B", cores=2, speed=2.0), peer("C", cores=2, speed=3.0)]

    assert situation(PAIR, view("A", peers)).nodes == (node("A"), node("B"), node("C"), node("C"))
    assert situation(star(9), view("A", peers)).nodes == (node("C"),)


def test_nobody_eligible_makes_no_situation() -> None:
    assert situation_of(PAIR, view("A", [])) is None


def test_a_plan_is_told_by_names() -> None:
    found = situation(PAIR, view("A", [peer("A"), peer("B")]))

    planned = found.planned(Plan((1, 0), (0.0, 2.0), (1.0, 3.0), (0, 1)))

    assert planned == {"first": Planned(node("B"), 0.0, 1.0), "second": Planned(node("A"), 2.0, 3.0)}
