"""Planning: the origin's plan gets into the specification, or does not, but never spoils it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random

import pytest

from pnode.protocol import planning
from pnode.protocol.codec import encode
from pnode.protocol.dag import Dag
from pnode.protocol.jobspec import PlannedTask
from pnode.protocol.planning import planned
from pnode.protocol.view import Choice, Link, PeerView, Planned, Question, View

from .ledgers import NODES, job_spec, task


class Plain:
    """A mapper that plans nothing."""

    name = "plain"

    def choose(self, question: Question, view: View, rng: Random) -> Choice:
        raise AssertionError("nobody asks")


@dataclass
class InARow(Plain):
    """Everything on the first node, one task after the other, a second each; not `left_out`."""

    left_out: str = ""

    def plan(self, dag: Dag, view: View, rng: Random, items: int = 1) -> Mapping[str, Planned]:
        node = view.peers[0].node
        turns = {name: float(items * at) for at, name in enumerate(dag.order)}
        return {
            name: Planned(node, start_s, start_s + items) for name, start_s in turns.items() if name != self.left_out
        }


def a_view(count: int = 2) -> View:
    peers = tuple(PeerView(node, "n", 1, 1.0, 0.0, 0.0, 0.0, 0.0, 2**30) for node in NODES[:count])
    return View(NODES[0], peers, lambda source, target: Link(0.0, 1e9, 1.0), lambda name, node: 1.0)


# The child stands first in the file, but is planned last.
SPEC = job_spec(task("last"), task("first", "last"))


def test_a_planner_has_its_plan_put_into_the_specification_in_the_order_of_the_file() -> None:
    made = planned(InARow(), SPEC, a_view(), Random(0))

    assert made.plan == (PlannedTask(NODES[0], 1.0, 2.0), PlannedTask(NODES[0], 0.0, 1.0))
    assert replace(made, plan=()) == SPEC


def test_a_stream_is_planned_with_all_its_items() -> None:
    made = planned(InARow(), job_spec(task("first", "last"), task("last"), items=3), a_view(), Random(0))

    assert [part.finish_s for part in made.plan] == [3.0, 6.0]


def test_a_mapper_that_does_not_plan_leaves_the_specification_alone() -> None:
    assert planned(Plain(), SPEC, a_view(), Random(0)) == SPEC


def test_nothing_is_planned_where_nobody_computes() -> None:
    assert planned(InARow(), SPEC, a_view(0), Random(0)) == SPEC


def test_a_plan_without_some_task_is_none() -> None:
    assert planned(InARow("last"), SPEC, a_view(), Random(0)) == SPEC


def test_a_job_too_large_to_be_planned_goes_without_a_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "PAIRS_MAX", 4)

    assert planned(InARow(), SPEC, a_view(2), Random(0)).plan
    assert planned(InARow(), SPEC, a_view(3), Random(0)) == SPEC


def test_a_plan_never_makes_a_specification_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "SPEC_BYTES_MAX", len(encode(SPEC)) + 1)

    assert planned(InARow(), SPEC, a_view(), Random(0)) == SPEC
