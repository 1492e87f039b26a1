"""What a mapper is asked in a running cluster."""

from dataclasses import dataclass, field
from random import Random

from pnode.mappers.catalogue import by_name
from pnode.protocol.dag import Dag
from pnode.protocol.view import Choice, Phase, Question, View
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


def listen(cluster: Cluster) -> Listener:
    """At every host."""
    listener = Listener()
    for host in cluster.hosts:
        put_in_place(host, listener)
    return listener


def put_in_place(host: Host, listener: Listener) -> None:
    assert host.peer.jobs is not None
    host.peer.jobs.desk.mappers[listener.name] = listener


def test_a_mapper_is_told_how_far_the_other_tasks_are_and_how_urgent_each_is() -> None:
    cluster = make_cluster(3, 1)
    listener = listen(cluster)
    origin = cluster.hosts[0]

    job = cluster.submit(origin, spec(JOIN))
    finish(cluster, origin, job)

    asked = {question.task: phases for question, phases in listener.heard}
    assert asked["short"] == {}
    assert asked["long"] == {"short": Phase.BOUND}
    assert asked["last"] == {"short": Phase.RUNNING, "long": Phase.RUNNING}
    for question, _ in listener.heard:
        assert question.ranks["long"] > question.ranks["short"] > question.ranks["last"] > 0
        assert not question.plan
