"""Drafts: what no format checks by itself, and the bounds on what a file can make us hold."""

import math

import pytest

from pnode.sim.formats import graph_draft, network_draft
from pnode.sim.formats.errors import whole_file
from pnode.sim.formats.graph_draft import GraphDraft
from pnode.sim.formats.network_draft import NetworkDraft
from pnode.sim.schedule.scenario import Machine, Vertex

from .samples import refusal

BLAME = whole_file("x")


def graph(*tasks: str) -> GraphDraft:
    draft = GraphDraft("g")
    for task in tasks:
        draft.task(Vertex(task, 1.0), BLAME)
    return draft


def network(*names: str) -> NetworkDraft:
    draft = NetworkDraft()
    for name in names:
        draft.machine(Machine(name), BLAME)
    return draft


@pytest.mark.parametrize(
    ("vertex", "reason"),
    [
        (Vertex("", 1.0), "a task is called '', expected a name of 1 to 512 printable characters"),
        (Vertex("a\n", 1.0), "a task is called 'a\\n', expected a name"),
        (Vertex("a" * 513, 1.0), "expected a name of 1 to 512"),
        (Vertex("a", math.nan), "task a costs nan, expected a number from 0 to 1e+30"),
        (Vertex("a", 1.0, (1.0, -1.0)), "task a costs -1.0"),
        (Vertex("b", 1.0), "a second task is called b"),
    ],
)
def test_a_task_that_cannot_be_is_refused(vertex: Vertex, reason: str) -> None:
    assert reason in refusal(lambda: graph("b").task(vertex, BLAME)).reason


@pytest.mark.parametrize("size", [-1.0, math.inf, math.nan, 1e31])
def test_an_edge_of_no_size_that_can_be_is_refused(size: float) -> None:
    reason = refusal(lambda: graph("a", "b").edge("a", "b", size, BLAME)).reason

    assert f"the edge from a to b has the size {size}, expected a number from 0 to 1e+30" in reason


def test_graphs_have_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_draft, "TASKS_MAX", 3)
    monkeypatch.setattr(graph_draft, "EDGES_MAX", 2)
    draft = graph("a", "b", "c")
    draft.edge("a", "b", 0.0, BLAME)
    draft.edge("a", "c", 0.0, BLAME)

    assert "more than 3 tasks" in refusal(lambda: draft.task(Vertex("d", 1.0), BLAME)).reason
    assert "more than 2 edges" in refusal(lambda: draft.edge("b", "c", 0.0, BLAME)).reason
    assert len(draft.graph(BLAME).edges) == 2


def test_edges_stand_in_the_order_of_the_tasks() -> None:
    draft = graph("a", "b", "c")
    for parent, child in (("b", "c"), ("a", "c"), ("a", "b")):
        draft.edge(parent, child, 0.0, BLAME)

    assert [(edge.parent, edge.child) for edge in draft.graph(BLAME).edges] == [(0, 1), (0, 2), (1, 2)]


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        (Machine("a\t"), "a machine is called 'a\\t', expected a name"),
        (Machine("m"), "a second machine is called m"),
        (Machine("n", 1e-31), "machine n has the speed 1e-31, expected a number from 1e-30 to 1e+30"),
    ],
)
def test_a_machine_that_cannot_be_is_refused(machine: Machine, reason: str) -> None:
    assert reason in refusal(lambda: network("m").machine(machine, BLAME)).reason


@pytest.mark.parametrize(
    ("latency_s", "rate", "reason"),
    [
        (math.inf, 1.0, "the link from m to n has the latency inf"),
        (math.nan, 1.0, "the link from m to n has the latency nan"),
        (0.0, 0.0, "the link from m to n has the bandwidth 0.0"),
        (0.0, math.nan, "the link from m to n has the bandwidth nan"),
    ],
)
def test_a_link_that_cannot_be_is_refused(latency_s: float, rate: float, reason: str) -> None:
    assert reason in refusal(lambda: network("m", "n").link("m", "n", latency_s, rate, BLAME)).reason


def test_networks_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_draft, "MACHINES_MAX", 1)

    assert "more than 1 machines" in refusal(lambda: network("m", "n")).reason


def test_a_pair_without_a_link_is_refused_unless_the_format_says_what_it_means() -> None:
    draft = network("m", "n")
    draft.link("m", "n", 0.5, math.inf, BLAME)

    assert "there is no link from n to m" in refusal(lambda: draft.network(BLAME)).reason
    partial = draft.network(BLAME, partial=True)
    assert partial.bandwidth_bytes_per_s == ((math.inf, math.inf), (0.0, math.inf))
    assert partial.latency_s == ((0.0, 0.5), (0.0, 0.0))
