"""What machines believe of each other, and how old that is."""

import math
from functools import partial

import pytest

from pnode.protocol.view import View
from pnode.sim.schedule.policy import Strategy
from pnode.sim.schedule.scenario import Arrival, Disruption, Fate, Gossip, Graph, Machine, Scenario, Vertex
from pnode.sim.schedule.spec import Spec
from pnode.sim.schedule.units import Job
from pnode.sim.schedule.views import Views, node_of
from pnode.sim.schedule.world import World

from . import worlds
from .policies import AllToA


class Looking(AllToA):
    """Looks at certain instants, as certain machines."""

    def __init__(self, world: World, looks: list[tuple[float, int]]) -> None:
        super().__init__(world)
        self.views = Views(world)
        self.seen: list[View] = []
        self.since: list[float] = []
        self.looks = looks

    def arrived(self, job: Job, item: int) -> None:
        super().arrived(job, item)
        for at_s, me in self.looks:
            self.world.at(at_s, partial(self.look, me))

    def look(self, me: int) -> None:
        job = self.world.jobs[0]
        self.seen.append(self.views.view(me, job.items[0][0], Spec(job, self.views.numbers).run_s))
        self.since.append(self.views.seen_s(me))


def looked(scenario: Scenario, *looks: tuple[float, int]) -> Looking:
    made: list[Looking] = []

    def make(world: World) -> Looking:
        made.append(Looking(world, list(looks)))
        return made[0]

    worlds.run(scenario, Strategy("looking", make))
    return made[0]


def queues(view: View) -> list[float]:
    return [peer.free_in_s for peer in view.peers]


THREE = worlds.graph({"x": 4.0, "y": 2.0, "z": 1.0}, {})
TWO_MACHINES = worlds.network(*worlds.machines(2))


def test_a_fresh_view_shows_queues_as_they_are() -> None:
    seen = looked(worlds.scenario(TWO_MACHINES, THREE), (0.5, 1), (5.0, 1), (9.0, 1)).seen

    assert [queues(view) for view in seen] == [[6.5, 0.0], [2.0, 0.0], [0.0, 0.0]]
    assert [peer.age_s for peer in seen[0].peers] == [0.0, 0.0]


def test_what_is_overdue_is_believed_to_take_a_tenth_more() -> None:
    slow = worlds.scenario(
        TWO_MACHINES, worlds.graph({"x": 4.0}, {}), disruptions=[Disruption(0.0, 0, Fate.SPEED, 0.5)]
    )

    assert queues(looked(slow, (6.0, 1)).seen[0]) == pytest.approx([0.4, 0.0])


def test_several_cores_share_what_waits() -> None:
    wide = worlds.graph({"x": 4.0, "y": 2.0, "z": 1.0, "w": 3.0}, {}, w=Vertex("w", 3.0, cores=2))
    world = worlds.scenario(worlds.network(Machine("a", cores=2), Machine("b")), wide)

    [view] = looked(world, (0.0, 0)).seen

    # x on one core until 4; y and z on the other until 3; then both until 7.
    assert queues(view)[0] == 7.0


def test_others_are_seen_as_they_were_at_the_latest_refresh() -> None:
    world = worlds.scenario(TWO_MACHINES, THREE, gossip=Gossip(period_s=3.0, delay_s=0.5))
    instants = [0.25 * quarter for quarter in range(32)]

    policy = looked(world, *((at_s, 1) for at_s in instants))

    ages = [at_s - since_s for at_s, since_s in zip(instants, policy.since, strict=True)]
    assert all(0.5 <= age_s < 3.5 for age_s in ages)
    assert max(ages) - min(ages) > 2.0
    assert len(dict.fromkeys(policy.since)) in (3, 4)
    for at_s, since_s, view in zip(instants, policy.since, policy.seen, strict=True):
        there, here = view.peers
        assert (there.age_s, here.age_s) == (at_s - since_s, 0.0)
        # Before it began the machine was idle; since then it is busy until 7, whenever one looks.
        assert there.free_in_s == pytest.approx(max(0.0, 7.0 - at_s) if since_s >= 0 else 0.0)


def test_every_machine_has_a_phase_of_its_own() -> None:
    net = worlds.network(*worlds.machines(4))
    policy = looked(worlds.scenario(net, THREE, gossip=Gossip(period_s=3.0)), *((5.0, me) for me in range(4)))

    assert len(dict.fromkeys(policy.since)) == 4


def test_a_machine_knows_itself_as_it_is() -> None:
    world = worlds.scenario(TWO_MACHINES, THREE, gossip=Gossip(period_s=1000.0, delay_s=10.0))

    here, there = looked(world, (1.0, 0), (1.0, 1)).seen

    assert queues(here) == [6.0, 0.0]
    assert queues(there) == [0.0, 0.0]


def test_peers_are_those_that_can_run_the_task_and_are_not_known_to_be_dead() -> None:
    graph = worlds.graph({"x": 1.0}, {}, x=Vertex("x", 1.0, costs_s=(1.0, math.inf, 1.0)))
    world = worlds.scenario(
        worlds.network(*worlds.machines(3)),
        graph,
        disruptions=[Disruption(2.0, 2, Fate.FAIL), Disruption(9.0, 2, Fate.RECOVER)],
        gossip=Gossip(detection_s=3.0),
    )

    seen = looked(world, (1.0, 0), (4.0, 0), (6.0, 0), (10.0, 0)).seen

    assert ["".join(peer.name for peer in view.peers) for view in seen] == ["ac", "ac", "a", "ac"]


def test_of_a_machine_that_fell_silent_the_last_figures_count() -> None:
    world = worlds.scenario(
        TWO_MACHINES, THREE, disruptions=[Disruption(1.0, 0, Fate.FAIL)], gossip=Gossip(detection_s=50.0)
    )

    result = looked(world, (3.0, 1)).seen

    assert queues(result[0]) == [4.0, 0.0]


def test_links_and_run_times_are_those_of_the_scenario() -> None:
    net = worlds.network(
        Machine("a"), Machine("b", speed=2.0), bandwidth=10.0, latency_s=0.5, links={"ba": 0.0, "aa": 1.0}
    )
    [view] = looked(worlds.scenario(net, THREE), (0.0, 0)).seen
    a, b = node_of(0), node_of(1)

    assert view.me == a
    assert view.link(a, b).transfer_s(5.0) == 1.0
    assert view.link(a, a).transfer_s(5.0) == 0.0
    assert 1e20 < view.link(b, a).transfer_s(5.0) < math.inf
    assert (view.run_s("x", a), view.run_s("x", b)) == (4.0, 2.0)


def test_node_ids_sort_as_machines_do() -> None:
    ids = [node_of(number) for number in range(300)]

    assert ids == sorted(ids)
    assert all(len(one) == 32 for one in ids)


def test_other_load_is_drawn_once_per_run() -> None:
    net = worlds.network(*worlds.machines(40))
    one, two = looked(worlds.scenario(net, THREE), (0.0, 0), (5.0, 3)).seen

    percents = [(peer.cpu_percent, peer.memory_percent) for peer in one.peers]

    assert percents == [(peer.cpu_percent, peer.memory_percent) for peer in two.peers]
    assert all(0.0 <= cpu <= 30.0 and 10.0 <= memory <= 60.0 for cpu, memory in percents if cpu and memory)
    assert len(dict.fromkeys(percents)) == 40


def test_memory_is_told_in_whole_bytes() -> None:
    net = worlds.network(Machine("a", memory_bytes=10.6), Machine("b"))
    graph = Graph("g", (Vertex("x", 1.0),), ())

    [view] = looked(worlds.scenario(net, Arrival(graph)), (0.0, 0)).seen

    assert [peer.memory_bytes for peer in view.peers] == [11, 2**62]
