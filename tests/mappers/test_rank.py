import pytest

from pnode.mappers.rank import SAMPLE_MAX, rank_order, upward_ranks
from pnode.protocol.dag import Dag
from pnode.protocol.ids import NodeId
from pnode.protocol.view import Link, View

from .beliefs import FREE, LAN, alone, big_dag, node, peer, task, view


def test_ranks_are_mean_run_times_and_mean_transfers_along_the_longest_way() -> None:
    dag = Dag((task("a", "b", "c", output_bytes=1000), task("b"), task("c")))
    links = {"AB": Link(0.1, 1000.0, 1.0), "BA": Link(0.3, 500.0, 1.0)}
    beliefs = view("A", [peer("A"), peer("B", speed=2.0)], links=links, run_s={"a": 2.0, "b": 4.0, "c": 8.0})

    ranks = upward_ranks(dag, beliefs)

    # Means: 0.75 of the time on speed 1; latency 0.2 s; 1.5 ms a byte.
    assert ranks == pytest.approx({"b": 3.0, "c": 6.0, "a": 1.5 + 0.2 + 1.5 + 6.0})


def test_the_more_urgent_task_goes_first_whatever_the_order_of_the_file() -> None:
    dag = Dag((task("root", "short", "long"), task("short"), task("long")))

    order = rank_order(dag, upward_ranks(dag, view("A", [peer("A")], run_s={"short": 1.0, "long": 2.0})))

    assert order == ("root", "long", "short")


def test_when_nothing_costs_anything_a_parent_still_comes_before_its_child() -> None:
    order = rank_order(big_dag(), upward_ranks(big_dag(), view("A", [peer("A")], run_s={"A": 0.0})))

    assert order == big_dag().order


def test_a_view_without_peers_ranks_nothing_higher() -> None:
    assert upward_ranks(alone(), view("A", [])) == {"only": 0.0}


def test_means_look_at_no_more_than_a_sample_of_the_cluster() -> None:
    peers = [peer(chr(0x21 + place)) for place in range(90)]
    asked: list[tuple[NodeId, NodeId]] = []

    def link(source: NodeId, target: NodeId) -> Link:
        asked.append((source, target))
        return FREE if source == target else LAN

    upward_ranks(alone(), View(node("A"), tuple(peers), link, lambda task, where: 1.0))

    assert len(asked) == SAMPLE_MAX * (SAMPLE_MAX - 1)
