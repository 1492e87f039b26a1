"""Planning at a node: a planner gets in its thread what the node believes, and nothing of it changes on the way."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

import pytest
import trio

from pnode.mappers.catalogue import by_name
from pnode.node import planning
from pnode.node.planning import with_plan, written_down
from pnode.protocol.dag import Dag
from pnode.protocol.ids import NodeId
from pnode.protocol.view import Choice, Link, PeerView, Planned, Question, View

from ..protocol.ledgers import NODES, job_spec, task

SPEC = job_spec(task("first", "last"), task("last"))


@dataclass
class Planner:
    """Puts every task where it runs fastest, and remembers where it was asked."""

    name: str = "planner"
    threads: list[int] = field(default_factory=list)

    def choose(self, question: Question, view: View, rng: Random) -> Choice:
        raise AssertionError("nobody asks")

    def plan(self, dag: Dag, view: View, rng: Random, items: int = 1) -> Mapping[str, Planned]:
        self.threads.append(threading.get_ident())
        nodes = [peer.node for peer in view.peers]
        best = {name: min(nodes, key=lambda node: view.run_s(name, node)) for name in dag.order}
        return {name: Planned(node, 0.0, view.run_s(name, node)) for name, node in best.items()}


def a_view(asked: list[int]) -> View:
    """The later a node stands in the list the faster it is, and the farther from the others."""

    def link(source: NodeId, target: NodeId) -> Link:
        asked.append(threading.get_ident())
        return Link(float(NODES.index(target)), 1e6, 1.0)

    def run_s(name: str, node: NodeId) -> float:
        asked.append(threading.get_ident())
        return 10.0 - NODES.index(node)

    peers = tuple(PeerView(node, "n", 1, 1.0, 0.0, 0.0, 0.0, 0.0, 2**30) for node in NODES[1:3])
    return View(NODES[0], peers, link, run_s)


def test_the_plan_is_made_in_a_thread_and_all_beliefs_are_looked_up_outside_of_it() -> None:
    planner, asked = Planner(), list[int]()

    made = trio.run(with_plan, planner, SPEC, a_view(asked), Random(0))

    assert [part.node for part in made.plan] == [NODES[2], NODES[2]]
    assert [part.finish_s for part in made.plan] == [8.0, 8.0]
    assert set(asked) == {threading.get_ident()}
    assert threading.get_ident() not in planner.threads


def test_a_mapper_that_does_not_plan_costs_no_look() -> None:
    asked = list[int]()

    assert trio.run(with_plan, by_name("wave-greedy"), SPEC, a_view(asked), Random(0)) == SPEC
    assert asked == []


def test_a_view_that_was_written_down_gives_the_same_answers() -> None:
    view = a_view([])

    frozen = trio.run(written_down, SPEC.dag, view)

    assert (frozen.me, frozen.peers) == (view.me, view.peers)
    for source in NODES[:3]:
        for target in NODES[:3]:
            assert frozen.link(source, target) == view.link(source, target)
    assert frozen.run_s("last", NODES[2]) == view.run_s("last", NODES[2])


def test_others_get_a_turn_while_a_view_is_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "LOOKUPS_PER_TURN", 1)
    turns = 0

    async def main() -> None:
        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            await written_down(SPEC.dag, a_view([]))
            nursery.cancel_scope.cancel()

    trio.run(main)

    assert turns > 5
