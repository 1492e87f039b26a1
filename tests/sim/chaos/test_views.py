"""Views that were equal may be in doubt for a moment, and no more."""

import pytest

from pnode.protocol.roster import Happening, Member
from pnode.sim.chaos.views import REFUTED_S_MAX, differences, doubts
from pnode.sim.cluster import Cluster, make_cluster


@pytest.fixture
def cluster() -> Cluster:
    return make_cluster(4, seed=1)


def seen(cluster: Cluster, observer: int, other: int) -> Member:
    membership = cluster.hosts[observer].peer.membership
    assert membership is not None
    return membership.members[cluster.hosts[other].id]


def turn(cluster: Cluster, observer: int, other: int, happening: Happening) -> None:
    membership = cluster.hosts[observer].peer.membership
    assert membership is not None
    membership._roster.turn(seen(cluster, observer, other), happening, cluster.hosts[observer].now)


def test_nothing_is_wrong_when_everybody_sees_everybody(cluster: Cluster) -> None:
    assert differences(cluster.hosts) == ""
    assert list(doubts(cluster.hosts)) == []


def test_a_suspicion_of_late_is_no_doubt_though_views_differ(cluster: Cluster) -> None:
    turn(cluster, 0, 2, Happening.ACCUSED)

    assert differences(cluster.hosts) == "n0 lacks n2 and has 0 too many"
    assert list(doubts(cluster.hosts)) == []


def test_a_suspicion_that_nobody_refutes_is_caught(cluster: Cluster) -> None:
    turn(cluster, 0, 2, Happening.ACCUSED)
    seen(cluster, 0, 2).since -= REFUTED_S_MAX + 1.0

    assert list(doubts(cluster.hosts)) == ["n0 suspects n2 for 46 s"]


def test_a_death_is_caught(cluster: Cluster) -> None:
    turn(cluster, 0, 2, Happening.ACCUSED)
    turn(cluster, 0, 2, Happening.CONDEMNED)

    assert list(doubts(cluster.hosts)) == ["n0 lacks n2"]


def test_a_ghost_is_caught(cluster: Cluster) -> None:
    assert list(doubts(cluster.hosts[:3])) == [f"n{observer} counts n3 among the living" for observer in range(3)]
