"""Whole nodes in a cluster that is too large to know how busy everybody is: who is a candidate for a task."""

from dataclasses import replace

import pytest

from pnode.mappers.load import queues_s
from pnode.protocol import interest
from pnode.protocol.dag import Dag
from pnode.protocol.jobstate import Phase
from pnode.protocol.neighbours import Neighbours
from pnode.protocol.view import PeerView
from pnode.sim.cluster import Cluster
from pnode.sim.engine import Engine
from pnode.sim.host import Host
from pnode.sim.network import LinkModel, Network

from ..protocol.ledgers import task
from .test_cluster import finish, fork_join, spec

NODES = 12
FOLLOWED = 4
BIG = 16
"""Cores that only one node has."""


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setattr(interest, "FOLLOWED_MAX", FOLLOWED)
    monkeypatch.setattr(interest, "FAR_MAX", 1)
    engine = Engine(1)
    cluster = Cluster(engine, Network(engine, LinkModel()))
    for number in range(NODES):
        cluster.add(cores=BIG if number == NODES - 1 else 2)
    assert engine.run_until(cluster.everyone_knows_everyone, 60.0)
    engine.run_for(15.0)
    return cluster


def neighbours_of(host: Host) -> Neighbours:
    assert host.peer.neighbours is not None
    return host.peer.neighbours


def candidates(host: Host, dag: Dag) -> list[PeerView]:
    return list(neighbours_of(host).view_of("test", dag, dag.tasks[0], host.now).peers)


def a_stranger_to(host: Host, cluster: Cluster) -> Host:
    """Somebody small whom the host does not follow."""
    membership = neighbours_of(host).membership
    return next(other for other in cluster.hosts[:-1] if other is not host and not membership.follows(other.id))


def test_everybody_follows_so_many_others_and_knows_how_busy_they_are(crowd: Cluster) -> None:
    for host in crowd.hosts:
        membership = neighbours_of(host).membership
        followed = [node for node in membership.alive() if membership.follows(node)]
        loads = [membership.load_of(node) for node in membership.alive()]

        assert len(followed) == FOLLOWED
        assert len([load for load in loads if load is not None]) == FOLLOWED
        assert len(membership.alive()) == NODES - 1


def test_the_candidates_are_this_node_and_those_whom_it_follows(crowd: Cluster) -> None:
    host = crowd.hosts[0]
    followed = neighbours_of(host).membership.follows
    dag = Dag((task("only"),))

    peers = candidates(host, dag)

    assert len(peers) == FOLLOWED + 1
    assert all(peer.node == host.id or followed(peer.node) for peer in peers)
    assert max(peer.age_s for peer in peers) < 60.0


def test_who_is_named_by_the_hint_or_has_a_part_in_the_job_is_a_candidate_too(crowd: Cluster) -> None:
    host = crowd.hosts[0]
    stranger = a_stranger_to(host, crowd)
    dag = Dag((replace(task("only"), hint=(crowd.name_of(stranger.id),)),))

    hinted = candidates(host, dag)
    plain = Dag((task("only"),))
    involved = neighbours_of(host).view_of("test", plain, plain.tasks[0], host.now, {stranger.id: None}).peers
    all_of_it = neighbours_of(host).view_of("test", dag, None, host.now).peers

    for peers in (hinted, involved, all_of_it):
        assert len(peers) == FOLLOWED + 2
        assert stranger.id in [peer.node for peer in peers]
        assert [peer.node for peer in peers] == sorted(peer.node for peer in peers)


def test_whoever_else_can_is_a_candidate_for_what_none_of_the_followed_can_run(crowd: Cluster) -> None:
    big = crowd.hosts[-1]
    host = next(
        each for each in crowd.hosts if each is not big and not neighbours_of(each).membership.follows(big.id)
    )

    peers = candidates(host, Dag((replace(task("only"), cores=BIG),)))

    assert [peer.node for peer in peers] == [big.id]


def test_who_is_not_followed_never_looks_idle(crowd: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    host = crowd.hosts[0]
    stranger = a_stranger_to(host, crowd)
    neighbours = neighbours_of(host)
    dag = Dag((replace(task("only"), hint=(crowd.name_of(stranger.id),)),))
    usual = Neighbours._peer
    monkeypatch.setattr(Neighbours, "_peer", lambda *args: replace(usual(*args), free_in_s=7.0, age_s=0.0))
    neighbours.changed()

    peers = candidates(host, dag)

    (unknown,) = [peer for peer in peers if peer.node == stranger.id]
    assert (unknown.free_in_s, unknown.age_s, unknown.cpu_percent) == (7.0, float("inf"), None)
    assert queues_s(peers)[stranger.id] == 7.0


@pytest.mark.parametrize("mapper", ["wave-greedy", "wave-hint", "wave-greedy-classic", "wave-random-classic"])
def test_jobs_come_through_in_a_crowd(crowd: Cluster, mapper: str) -> None:
    origin = crowd.hosts[3]

    job = crowd.submit(origin, spec(fork_join(8), mapper=mapper))

    assert finish(crowd, origin, job) is Phase.DONE
