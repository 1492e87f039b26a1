"""Whole nodes at three sites find out how far apart all of them are, though each measures its own ways only."""

from random import Random
from statistics import median

import pytest

from pnode.profilers.profile import Basis, DelayBelief
from pnode.protocol import roster
from pnode.sim.cluster import Cluster
from pnode.sim.engine import Engine
from pnode.sim.network import LinkModel, Network

from ..profilers.phantom import Truth, sites

NODES = 15
JITTER = 0.1
"""Mean of an exponential delay, as a share of each way's."""


def three_sites(seed: int) -> tuple[Cluster, Truth]:
    engine = Engine(seed)
    network, truth = Network(engine, LinkModel()), sites(NODES, Random(seed))
    for source, row in enumerate(truth):
        for target, rtt_s in enumerate(row):
            network.links[source, target] = LinkModel(latency_s=rtt_s / 2, jitter_s=JITTER * rtt_s / 2)
    cluster = Cluster(engine, network)
    for _ in range(NODES):
        cluster.add()
    assert engine.run_until(cluster.everyone_knows_everyone, 60.0)
    return cluster, truth


def beliefs(cluster: Cluster, truth: Truth) -> list[tuple[DelayBelief, float]]:
    """What every node believes of the ways between all others, and the relative error of it."""
    found = []
    for host in cluster.hosts:
        for one in cluster.hosts:
            for other in cluster.hosts:
                if len({host.number, one.number, other.number}) == 3:
                    belief = host.peer.profile.delay(one.id, other.id, host.now)  # type: ignore[attr-defined]
                    usual_s = truth[one.number][other.number] * (1.0 + JITTER)
                    found.append((belief, abs(belief.rtt_s / usual_s - 1.0)))
    return found


def test_nodes_of_a_large_cluster_know_the_delays_between_others_to_a_fifth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster, "DIRECT_MAX", NODES - 1)
    cluster, truth = three_sites(1)

    cluster.engine.run_until(lambda: False, 60.0)

    found = beliefs(cluster, truth)
    estimated = [error for belief, error in found if belief.basis is Basis.ESTIMATED]
    assert len(estimated) > 0.95 * len(found)
    assert median(estimated) <= 0.20
    print(f"median relative error of delays between others: {median(estimated):.3f}")


def test_nodes_of_a_small_cluster_hear_the_delays_between_others_from_them() -> None:
    cluster, truth = three_sites(2)

    cluster.engine.run_until(lambda: False, 60.0)

    found = beliefs(cluster, truth)
    assert {belief.basis for belief, _ in found} == {Basis.HEARD}
    assert median(error for _, error in found) <= 0.10
