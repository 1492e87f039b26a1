"""What a mapper is asked in a running cluster."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from pnode.mappers.catalogue import by_name
from pnode.protocol.dag import Dag
from pnode.protocol.view import Choice, Phase, Planned, Question, View
from pnode.sim.cluster import Cluster, make_cluster
from pnode.sim.host import Host

from ..protocol.ledgers import task
from .test_cluster import finish, spec

JOIN = Dag(
    (
        task("short", "last", output_bytes=50, expected_s=1.0),
        task("long", "last", output_bytes=50, expected_s=4.0),
        task("last", inputs_per_call=2, expected_s=2.0),
    )
)


@dataclass(frozen=True, slots=True)
class Listener:
    """Another mapper's answers, with a list of what it was asked and what was true then."""

    name: str = "wave-greedy"
    heard: list[tuple[Question, dict[str, Phase]]] = field(default_factory=list)

    def choose(self, question: Question, view: View, rng: Random) -> Choice:
        phases = {name: progress.phase for name, progress in question.progress.items()}
        self.heard.append((question, phases))
        return by_name(self.name).choose(question, view, rng)


def listen(cluster: Cluster, listener: Listener) -> None:
    """At every host."""
    for host in cluster.hosts:
        put_in_place(host, listener)


def put_in_place(host: Host, listener: Listener) -> None:
    assert host.peer.jobs is not None
    host.peer.jobs.desk.mappers[listener.name] = listener


@dataclass(frozen=True, slots=True)
class Planning(Listener):
    """Plans all tasks in a row on the first node, and says where it did."""

    views: list[View] = field(default_factory=list)

    def plan(self, dag: Dag, view: View, rng: Random, items: int = 1) -> Mapping[str, Planned]:
        self.views.append(view)
        node = view.peers[0].node
        return {name: Planned(node, float(at), float(at + 1)) for at, name in enumerate(dag.order)}


def test_a_mapper_is_told_how_far_the_other_tasks_are_and_how_urgent_each_is() -> None:
    cluster = make_cluster(3, 1)
    listener = Listener()
    listen(cluster, listener)
    origin = cluster.hosts[0]

    job = cluster.submit(origin, spec(JOIN))
    finish(cluster, origin, job)

    asked = {question.task: phases for question, phases in listener.heard}
    assert asked["long"] == {}
    assert asked["short"] == {"long": Phase.BOUND}
    assert asked["last"] == {"short": Phase.RUNNING, "long": Phase.RUNNING}
    for question, _ in listener.heard:
        assert question.ranks["long"] > question.ranks["short"] > question.ranks["last"] > 0
        assert not question.plan


def test_the_plan_of_the_origin_is_in_everybodys_question_with_its_age() -> None:
    cluster = make_cluster(3, 1)
    listener = Planning()
    listen(cluster, listener)
    origin = cluster.hosts[0]

    job = cluster.submit(origin, spec(JOIN))
    finish(cluster, origin, job)

    [view] = listener.views
    assert view.me == origin.id
    assert len(view.peers) == 3
    ages = {question.task: question.plan_age_s for question, _ in listener.heard}
    for question, _ in listener.heard:
        assert question.plan["last"] == Planned(view.peers[0].node, 2.0, 3.0)
        assert list(question.plan) == ["short", "long", "last"]
    assert ages["long"] < 0.1
    assert ages["last"] >= ages["long"]
