"""Addresses at which members may be: when they are dialled."""

import math

import pytest

from pnode.protocol.candidates import (
    PAUSE_S,
    PAUSE_S_MAX,
    UNMET_PAUSE_S,
    UNMET_PER_TURN,
    UNMET_S_MAX,
    Candidates,
)
from pnode.protocol.record import Address
from pnode.sim.cluster import make_cluster

NOWHERE = Address("10.9.9.9", 4440)
MANY = tuple(Address("10.9.9.9", port) for port in range(1, 2 * UNMET_PER_TURN))


def test_candidates_are_dialled_with_growing_pauses() -> None:
    candidates, now, pauses = Candidates(), 0.0, []
    candidates.add((NOWHERE,), now)
    for _ in range(8):
        assert candidates.due(now) == (NOWHERE,)
        assert candidates.due(now) == ()
        pauses.append(candidates.deadline - now)
        now = candidates.deadline

    assert pauses == [min(PAUSE_S * 2**n, PAUSE_S_MAX) for n in range(8)]
    candidates.drop((NOWHERE,))
    assert candidates.deadline == math.inf


def test_no_more_candidates_are_kept_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pnode.protocol.candidates.CANDIDATES_MAX", 1)
    candidates = Candidates()

    candidates.add((NOWHERE, Address("10.9.9.8", 1)), 0.0)

    assert list(candidates.known) == [NOWHERE]


def test_an_announced_address_makes_room_for_a_later_one_when_nobody_was_met_there_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pnode.protocol.candidates.CANDIDATES_MAX", 3)
    candidates, (met, old, older, late, *_) = Candidates(), MANY
    candidates.add((NOWHERE,), 0.0)
    candidates.add((met, older), 0.0, announced=True)
    candidates.reached(met)

    candidates.add((late,), PAUSE_S_MAX - 1.0, announced=True)
    assert list(candidates.known) == [NOWHERE, met, older]

    candidates.add((late, old), PAUSE_S_MAX, announced=True)
    assert list(candidates.known) == [NOWHERE, met, late]


def test_an_announced_address_gives_way_to_one_that_somebody_has_named_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pnode.protocol.candidates.CANDIDATES_MAX", 1)
    candidates = Candidates()
    candidates.add(MANY, 0.0, announced=True)

    candidates.add((NOWHERE,), 0.0)

    assert list(candidates.known) == [NOWHERE]


def test_those_where_nobody_was_met_are_dialled_a_few_at_a_time_and_in_turn() -> None:
    candidates = Candidates()
    candidates.add((NOWHERE, *MANY), 0.0)
    assert candidates.unmet_deadline == UNMET_PAUSE_S

    first = candidates.unmet(lambda: (NOWHERE,), UNMET_PAUSE_S)
    assert candidates.unmet_deadline == 2 * UNMET_PAUSE_S
    second = candidates.unmet(lambda: (NOWHERE,), 2 * UNMET_PAUSE_S)

    assert len(first) == len(second) == UNMET_PER_TURN
    assert {*first, *second} == {*MANY}


def test_after_a_day_nobody_is_looked_for_any_more() -> None:
    candidates = Candidates()
    candidates.add((NOWHERE,), 0.0)

    assert candidates.unmet(tuple, UNMET_S_MAX - 1.0) == (NOWHERE,)
    assert candidates.unmet(tuple, UNMET_S_MAX) == ()
    assert candidates.unmet_deadline == math.inf
    candidates.add(MANY, UNMET_S_MAX)
    assert candidates.unmet_deadline == UNMET_S_MAX + UNMET_PAUSE_S


def test_two_parts_that_began_apart_find_each_other() -> None:
    """All machines start again while the network is broken: neither part has the other in its table of members."""
    cluster = make_cluster(4, 1)
    one, two = cluster.hosts[:2], cluster.hosts[2:]
    for host in cluster.hosts:
        host.crash()
    for here in one:
        for there in two:
            cluster.network.cut(here.number, there.number)
            cluster.network.cut(there.number, here.number)
    for host in cluster.hosts:
        cluster.restart(host)
    cluster.engine.run_for(PAUSE_S_MAX)
    assert [len(host.peer.membership.members) for host in cluster.hosts if host.peer.membership] == [1, 1, 1, 1]

    cluster.network.heal_everything()

    assert cluster.engine.run_until(cluster.everyone_knows_everyone, 2 * UNMET_PAUSE_S)
