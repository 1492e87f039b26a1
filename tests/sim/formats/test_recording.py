"""Recordings: what a live node wrote becomes a graph per item on the nodes that were there."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnode.mappers.instance import Edge
from pnode.sim.formats.recording import Ran, parse_recording
from pnode.sim.schedule.scenario import Vertex

from .recordings import recording, text
from .samples import accepts_or_refuses, mutated, refusal

Break = Callable[[dict[str, Any]], object]


def test_a_recording_of_one_item_is_its_graph() -> None:
    read = parse_recording("run.json", text(items=1))

    [arrival] = read.scenario.arrivals
    assert (read.job, read.mapper, arrival.origin) == ("k3vq", "wave-greedy", 0)
    assert arrival.graph.tasks == (Vertex("split", 1.0), Vertex("left", 2.0), Vertex("right", 2.0))
    assert arrival.graph.edges == (Edge(0, 1, 1000.0), Edge(0, 2, 1000.0))
    assert read.ran == (Ran(0, 0.1, 1.1), Ran(0, 1.2, 3.2), Ran(1, 1.4, 2.4))
    assert read.makespan_s == 3.2


def test_costs_are_told_for_a_core_of_speed_one() -> None:
    read = parse_recording("run.json", text(items=1))

    right = read.scenario.arrivals[0].graph.tasks[2]
    assert right.cost_s == 2.0  # one second on a core of speed 2


def test_every_item_is_a_copy_of_the_graph() -> None:
    read = parse_recording("run.json", text(items=2))

    graph = read.scenario.arrivals[0].graph
    assert [task.name for task in graph.tasks] == [
        "split[0]", "left[0]", "right[0]", "split[1]", "left[1]", "right[1]",
    ]  # fmt: skip
    assert [(edge.parent, edge.child) for edge in graph.edges] == [(0, 1), (0, 2), (3, 4), (3, 5)]


def test_nodes_of_the_same_name_are_told_apart() -> None:
    machines = parse_recording("run.json", text()).scenario.network.machines

    assert [machine.name for machine in machines] == ["host n1", "host n2"]


@pytest.mark.parametrize(
    ("damage", "where", "reason"),
    [
        (lambda it: it.update(version=2), "", "version 1"),
        (lambda it: it.update(format="pnode"), "", "'pnode-recording'"),
        (lambda it: it.pop("nodes"), "", "there is no `nodes`"),
        (lambda it: it["nodes"].append(it["nodes"][0]), "nodes", "same id"),
        (lambda it: it["nodes"][0].update(speed=0), "nodes[0].speed", "found 0"),
        (lambda it: it["links"].pop(), "links", "1 links are missing"),
        (lambda it: it["links"].append(it["links"][0]), "links[2]", "second link"),
        (lambda it: it["links"][0].update(target="n9"), "links[0].target", "one of the nodes"),
        (lambda it: it["links"][0].update(latency_s=-1.0), "links[0].latency_s", "found -1.0"),
        (lambda it: it["attempts"].pop(), "tasks[2]", "no attempt at right[1] has finished"),
        (lambda it: it["attempts"][1].update(ended_s=0.0), "attempts[1]", "before it started"),
        (lambda it: it["attempts"][1].update(node="n9"), "attempts[1].node", "one of the nodes"),
        (lambda it: it["edges"][0].update(child="split"), "edges[0]", "waits for itself"),
        (lambda it: it["edges"][0].update(parent="nobody"), "edges[0]", "there is no task"),
        (lambda it: it.update(origin="n9"), "origin", "one of the nodes"),
    ],
)
def test_a_damaged_recording_is_refused_with_the_place(damage: Break, where: str, reason: str) -> None:
    document = recording()
    damage(document)

    error = refusal(lambda: parse_recording("run.json", json.dumps(document)))

    assert error.where == where
    assert reason in error.reason


@given(st.data())
def test_no_document_does_anything_but_be_read_or_refused(source: st.DataObject) -> None:
    document = source.draw(mutated(recording()))

    accepts_or_refuses(lambda: parse_recording("run.json", json.dumps(document)))


@given(st.text())
def test_no_text_does(content: str) -> None:
    accepts_or_refuses(lambda: parse_recording("run.json", content))
