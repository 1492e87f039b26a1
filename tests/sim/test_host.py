"""What a simulated host makes of pauses, slowness, crashes and broken lines."""

from random import Random

import pytest

from pnode.protocol.effects import Dial
from pnode.protocol.roster import State
from pnode.sim.cluster import Cluster, make_cluster
from pnode.sim.disk import Disk
from pnode.sim.engine import Engine
from pnode.sim.host import Host
from pnode.sim.sessions import BREAK_S, KEEPALIVE_S, KEEPALIVES
from pnode.sim.window import WINDOW_BITS, Windows

from ..protocol.ledgers import NODES

NEWER = b"\x92\xcc\xfa\x90"
"""A message of a kind that only a newer version knows: nobody minds it."""


def state_at(host: Host, other: Host) -> State | None:
    assert host.peer.membership is not None
    return host.peer.membership.state_of(other.id)


def talk(cluster: Cluster, one: Host, other: Host, payload: bytes = NEWER) -> None:
    """Have a session, and say something that nobody understands."""
    one.sessions.send(other.id, payload)
    cluster.engine.run_for(1.0)


def test_a_short_pause_is_no_death_and_a_long_one_is_over_when_it_is() -> None:
    cluster = make_cluster(4, 1)
    sleeper, other = cluster.hosts[1], cluster.hosts[2]

    sleeper.pause()
    cluster.engine.run_for(2.0)
    sleeper.resume()
    cluster.engine.run_for(5.0)
    assert state_at(other, sleeper) is State.ALIVE

    sleeper.pause()
    cluster.engine.run_for(30.0)
    assert state_at(other, sleeper) is State.DEAD
    sleeper.resume()

    assert cluster.engine.run_until(cluster.everyone_knows_everyone, 20.0)
    assert sleeper.peer.membership is not None
    assert sleeper.peer.membership.awareness > 0


def test_a_very_slow_host_still_takes_part() -> None:
    cluster = make_cluster(4, 1)
    cluster.hosts[1].slowness = 20.0

    cluster.engine.run_for(20.0)

    assert cluster.everyone_knows_everyone()
    assert cluster.hosts[1].up


def test_a_clock_that_drifts_moves_on_from_where_it_is() -> None:
    cluster = make_cluster(2, 1)
    host = cluster.hosts[1]

    host.set_drift(0.1)
    cluster.engine.run_for(10.0)
    assert abs(host.now - cluster.engine.now - 1.0) < 1e-3
    host.set_drift(0.0)
    cluster.engine.run_for(10.0)

    assert abs(host.now - cluster.engine.now - 1.0) < 1e-3


def test_a_machine_that_goes_off_without_a_word_leaves_its_sessions_half_open() -> None:
    cluster = make_cluster(2, 1)
    one, other = cluster.hosts
    talk(cluster, one, other)

    other.crash(silently=True)
    cluster.engine.run_for(1.0)
    assert other.id in one.pipes
    cluster.engine.run_for(KEEPALIVE_S * (KEEPALIVES + 1))

    assert other.id not in one.pipes


def test_a_process_that_dies_closes_its_sessions_at_once() -> None:
    cluster = make_cluster(2, 1)
    one, other = cluster.hosts
    talk(cluster, one, other)

    other.crash()
    cluster.engine.run_for(0.1)

    assert other.id not in one.pipes


def test_a_process_that_dies_is_known_to_be_dead_since_its_machine_says_so() -> None:
    cluster = make_cluster(3, 1)
    one, other, third = cluster.hosts
    cluster.engine.run_for(20.0)
    talk(cluster, one, other)
    talk(cluster, third, other)

    other.crash()
    cluster.engine.run_for(1.0)

    assert [state_at(host, other) for host in (one, third)] == [State.DEAD, State.DEAD]


@pytest.mark.parametrize("how", ["power", "pause", "cut"])
def test_a_machine_that_says_nothing_is_given_time(how: str) -> None:
    cluster = make_cluster(3, 1)
    one, other, _ = cluster.hosts
    cluster.engine.run_for(20.0)
    talk(cluster, one, other)

    if how == "power":
        other.crash(silently=True)
    elif how == "pause":
        other.pause()
    else:
        for host in cluster.hosts:
            cluster.network.cut(host.number, other.number)
            cluster.network.cut(other.number, host.number)
    one.perform([Dial((other.address,), other.id)])
    cluster.engine.run_for(3.0)

    assert state_at(one, other) in (State.ALIVE, State.SUSPECT)


@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize("off_s", [0.05, 0.15, 0.3, 0.5, 0.65])
def test_a_process_that_is_restarted_at_once_is_not_taken_for_dead_for_the_end_of_the_one_before(
    size: int, off_s: float
) -> None:
    cluster = make_cluster(size, 1)
    one, other, *_ = cluster.hosts
    cluster.engine.run_for(20.0)
    for host in cluster.hosts:
        if host is not other:
            talk(cluster, host, other)
    other.crash()
    cluster.engine.run_for(off_s)
    cluster.restart(other)
    seen: list[State | None] = []
    for _ in range(200):
        cluster.engine.run_for(0.01)
        membership = one.peer.membership
        assert membership is not None
        if membership.members[other.id].record.boot == other.peer.facts.boot:
            seen.append(state_at(one, other))

    assert seen
    assert State.DEAD not in seen


def test_a_process_that_was_taken_for_dead_is_back_as_soon_as_it_runs() -> None:
    cluster = make_cluster(3, 1)
    one, other, _ = cluster.hosts
    cluster.engine.run_for(20.0)
    talk(cluster, one, other)

    other.crash()
    cluster.engine.run_for(2.0)
    cluster.restart(other)
    cluster.engine.run_for(5.0)

    assert state_at(one, other) is State.ALIVE


def test_what_is_said_over_a_cut_line_arrives_if_it_heals_in_time() -> None:
    cluster = make_cluster(2, 1)
    one, other = cluster.hosts
    talk(cluster, one, other)
    heard: list[bytes] = []
    cluster.network.cut(one.number, other.number)
    one.sessions.send(other.id, NEWER)
    pipe = one.pipes[other.id]

    cluster.engine.run_for(BREAK_S / 2)
    heard += pipe.waiting
    cluster.network.heal(one.number, other.number)
    cluster.engine.run_for(10.0)

    assert NEWER in heard
    assert pipe.waiting == []
    assert one.pipes[other.id] is pipe


def test_a_line_that_is_cut_for_long_breaks_the_session() -> None:
    cluster = make_cluster(2, 1)
    one, other = cluster.hosts
    talk(cluster, one, other)
    pipe = one.pipes[other.id]
    cluster.network.cut(other.number, one.number)  # it hears us, we do not hear that it does

    one.sessions.send(other.id, NEWER)
    cluster.engine.run_for(BREAK_S + 10.0)

    assert one.pipes.get(other.id) is not pipe


def test_a_disk_that_loses_its_power_keeps_a_prefix_of_what_it_was_told() -> None:
    kept = []
    for seed in range(20):
        disk = Disk(Engine(1))
        for number in range(5):
            disk.put("table", b"%d" % number, b"row")
        disk.lose_power(Random(seed))
        kept.append([key for key, _ in disk.rows("table")])

    assert all(rows == [b"%d" % number for number in range(len(rows))] for rows in kept)
    assert {0, 5} <= {len(rows) for rows in kept}


def test_a_backup_is_what_was_safe_when_it_was_made() -> None:
    engine = Engine(1)
    disk = Disk(engine)
    disk.put("table", b"old", b"row")
    engine.run_for(1.0)
    disk.put("table", b"unsafe", b"row")
    backup = disk.backup()
    engine.run_for(1.0)

    disk.restore(backup)

    assert disk.rows("table") == [(b"old", b"row")]
    assert not disk.has("table", b"unsafe")


def test_a_datagram_is_fresh_once() -> None:
    windows, node = Windows(), NODES[0]

    assert [windows.take(node, 1, counter) for counter in (1, 3, 2, 3, 2)] == [True, True, True, False, False]
    assert windows.take(node, 1, 2 + WINDOW_BITS + 5)
    assert not windows.take(node, 1, 4)
    assert windows.take(node, 2, 1)
    assert not windows.take(node, 1, 5000)
    windows.clear()
    assert windows.take(node, 1, 1)
