"""Whole clusters of membership machines on a virtual clock."""

import dataclasses
import statistics
from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pnode.protocol.codec import encode
from pnode.protocol.datagram import OVERHEAD_BYTES
from pnode.protocol.detector import LAG_S
from pnode.protocol.effects import Send, SendDatagram
from pnode.protocol.errors import LocalProtocolError
from pnode.protocol.ids import NodeId
from pnode.protocol.links import LinksHeard
from pnode.protocol.load import LoadHeard
from pnode.protocol.membership import MemberChanged
from pnode.protocol.membership_settings import MembershipSettings
from pnode.protocol.newcomers import TRIES_MAX
from pnode.protocol.piggyback import DATAGRAMS_BURST
from pnode.protocol.record import Address
from pnode.protocol.roster import State
from pnode.protocol.signed import Kind, Signed, sign
from pnode.protocol.suspicion import suspicion_min_s
from pnode.protocol.swim import (
    PACKET_BYTES_MAX,
    Ack,
    Aged,
    Alive,
    Dead,
    Leave,
    Left,
    LoadDelta,
    LoadNews,
    Message,
    Nack,
    Ping,
    PingRequest,
    PushPull,
    Suspect,
    Suspicion,
    read,
    seal,
    spell,
    unseal,
)
from pnode.protocol.view import LinkFigure

from .members import CLUSTER, OUTSIDER, SEAL_BYTES, Host, Network, record_of, seed_of, signed_record


def everybody_sees(hosts: list[Host], state: State) -> bool:
    return all(one.sees(other) is state for one in hosts for other in hosts if one is not other)


def said(effect: Send | SendDatagram) -> Iterator[Message]:
    """The messages in what was sent."""
    if isinstance(effect, SendDatagram):
        yield from map(read, unseal(effect.payload))
    else:
        yield read(effect.payload)


def deaths(hosts: list[Host]) -> list[MemberChanged]:
    return [change for host in hosts for _, change in host.changes if change.new is State.DEAD]


def accusation(network: Network, accuser: int, accused: Host, incarnation: int) -> Signed:
    body = Suspicion(accused.node, incarnation)
    return sign(network.crypto, seed_of(accuser), Kind.SUSPICION, CLUSTER, body)


def incarnation_of(host: Host) -> int:
    return host.membership.record.incarnation


# ---- joining


@pytest.mark.parametrize("size", [2, 16])
def test_all_who_join_through_one_seed_know_each_other_within_two_seconds(size: int) -> None:
    network = Network(seed=1)
    hosts = [network.add(number) for number in range(1, size + 1)]
    for host in hosts[1:]:
        network.join(host, hosts[0])

    assert network.run_until(lambda: everybody_sees(hosts, State.ALIVE), 2.0)


def test_who_joins_a_standing_cluster_is_known_to_all_within_two_seconds() -> None:
    network = Network(seed=2, loss=0.05)
    hosts = network.cluster(16, settle_s=20)
    late = network.add(17)
    network.join(late, hosts[7])

    assert network.run_until(lambda: everybody_sees([*hosts, late], State.ALIVE), 2.0)


def test_every_delay_is_measured_within_five_seconds_of_joining() -> None:
    network = Network(seed=3)
    hosts = [network.add(number) for number in range(1, 17)]
    for host in hosts[1:]:
        network.join(host, hosts[0])
    network.run(5.0)

    for host in hosts:
        measured = {trip.peer: trip.rtt_s for _, trip in host.round_trips}
        assert len(measured) == 15
        assert all(0.0006 <= rtt_s <= 0.002 for rtt_s in measured.values())


def test_two_clusters_that_meet_become_one_within_two_push_pulls() -> None:
    network = Network(seed=4)
    ours = network.cluster(5)
    theirs = [network.add(number) for number in range(11, 16)]
    for host in theirs[1:]:
        network.join(host, theirs[0])
    network.run(3.0)
    network.join(ours[2], theirs[3])

    assert network.run_until(lambda: everybody_sees(ours + theirs, State.ALIVE), 60.0)


def test_whoever_is_not_certified_never_enters_a_table() -> None:
    network = Network(seed=5)
    hosts = network.cluster(4)
    stranger = network.add(99, credential=OUTSIDER)
    network.join(stranger, hosts[0])
    network.run(5.0)

    assert all(host.sees(stranger) is None for host in hosts)


# ---- failing


def times_s(observers: list[Host], subject: Host, state: State, since: float) -> list[float]:
    """When each of them last took somebody for that."""
    whens = [host.when(subject, state) for host in observers]
    assert None not in whens
    return [when - since for when in whens if when is not None]


@pytest.mark.parametrize("size", [2, 3, 4, 8, 16])
def test_a_crash_is_suspected_soon_and_a_death_in_the_time_of_the_formula(size: int) -> None:
    suspected_s, died_s = [], []
    for seed in range(5):
        network = Network(seed=seed)
        hosts = network.cluster(size, settle_s=10)
        victim, others, crashed_at = hosts[-1], hosts[:-1], network.now
        network.crash(victim)
        network.run(40.0)
        suspected_s.append(statistics.median(times_s(others, victim, State.SUSPECT, crashed_at)))
        died_s.append(times_s(others, victim, State.DEAD, crashed_at))
        assert everybody_sees(others, State.ALIVE) or size == 2

    least_s = suspicion_min_s(4, size, 1.0)
    # A round over the ring takes a second per member; others notice sooner.
    assert statistics.median(suspected_s) <= max(2.5, 1.0 + size / 4)
    assert min(map(min, died_s)) >= least_s
    assert statistics.median(map(max, died_s)) <= least_s + 2.0 + min(size, 4)


def test_crashes_in_a_cluster_of_sixteen_are_suspected_by_all_within_two_seconds_at_the_median() -> None:
    times_s = []
    for seed in range(5):
        network = Network(seed=seed)
        hosts = network.cluster(16)
        victim, crashed_at = hosts[5], network.now
        network.crash(victim)
        network.run(8.0)
        times_s += [(host.when(victim, State.SUSPECT) or 99) - crashed_at for host in hosts if host is not victim]

    assert statistics.median(times_s) <= 2.5
    assert max(times_s) < 6.0


def test_a_broken_session_is_a_suspicion_at_once() -> None:
    network = Network(seed=6)
    hosts = network.cluster(8)
    crashed_at = network.now
    network.crash(hosts[3], silent=False)
    network.run(0.5)

    accuser = hosts[0]  # all had joined through it
    at = accuser.when(hosts[3], State.SUSPECT)
    assert at is not None
    assert at - crashed_at < 0.25
    assert accuser.dials == [hosts[3].node]


def refused(network: Network, host: Host, by: Host, *addresses: Address) -> None:
    """A host could not open a session, since nobody listens there."""
    network.do(host, host.membership.session_lost(by.node, network.now, addresses or record_of(by.number).addresses))


@pytest.mark.parametrize("size", [2, 3, 5, 8])
def test_who_is_gone_from_where_it_answered_is_dead_in_a_second(size: int) -> None:
    network = Network(seed=6)
    victim, *others = network.cluster(size, settle_s=20.0)
    crashed_at = network.now
    network.crash(victim)
    for host in others:
        refused(network, host, victim)
    network.run(1.0)

    assert max(times_s(others, victim, State.DEAD, crashed_at)) < 0.8


def test_a_refusal_where_nobody_has_ever_answered_proves_nothing() -> None:
    network = Network(seed=6)
    victim, host = network.cluster(2, settle_s=20.0)
    network.crash(victim)
    refused(network, host, victim, Address("192.0.2.77", 7946))
    network.run(3.0)

    assert host.sees(victim) is State.SUSPECT


def test_a_refusal_says_nothing_against_a_member_that_answers() -> None:
    network = Network(seed=6)
    host, other, *_ = network.cluster(3, settle_s=20.0)
    refused(network, host, other)
    network.run(3.0)

    assert host.when(other, State.SUSPECT) is None


def test_a_refusal_says_nothing_against_a_member_that_has_objected_since() -> None:
    """It is alive, but neither we nor whom we ask can hear it now: its objection comes another way."""
    network = Network(seed=6)
    host, other, *rest = network.cluster(3, settle_s=20.0)
    network.cut = lambda one, two: other.node in (one.node, two.node)
    refused(network, host, other)
    network.run(0.3)
    network.cut = lambda one, two: {one.node, two.node} == {host.node, other.node}
    renewed = other.membership.record
    network.do(other, other.membership.update_record(renewed, network.now))
    network.run(0.35)
    network.cut = lambda one, two: other.node in (one.node, two.node)
    network.run(1.0)

    assert rest[0].sees(other) is not State.DEAD
    assert host.when(other, State.DEAD) is None


def test_a_refusal_says_nothing_against_a_member_that_others_can_hear() -> None:
    network = Network(seed=6)
    host, other, *_ = network.cluster(4, settle_s=20.0)
    network.cut = lambda one, two: {one.node, two.node} == {host.node, other.node}
    refused(network, host, other)
    network.run(5.0)

    assert host.when(other, State.DEAD) is None


def test_a_broken_session_to_a_healthy_member_means_nothing() -> None:
    network = Network(seed=7)
    one, other, *_ = network.cluster(3)
    network.do(one, one.membership.session_lost(other.node, network.now))
    network.run(3.0)

    assert one.when(other, State.SUSPECT) is None
    assert one.membership.session_lost(NodeId(b"?" * 32), network.now) == []


@pytest.mark.parametrize(("loss", "minutes"), [(0.05, 2), (0.25, 2)])
def test_lost_datagrams_kill_nobody(loss: float, minutes: int) -> None:
    network = Network(seed=8, loss=loss)
    hosts = network.cluster(10)
    network.run(60.0 * minutes)

    assert deaths(hosts) == []
    assert everybody_sees(hosts, State.ALIVE)


def test_a_network_that_drops_every_datagram_kills_nobody() -> None:
    network = Network(seed=9)
    hosts = network.cluster(4)
    network.loss = 1.0
    network.run(60.0)

    assert deaths(hosts) == []


def test_a_one_way_link_kills_nobody() -> None:
    network = Network(seed=10)
    hosts = network.cluster(6)
    network.reachable = lambda address: True
    deaf, mute = hosts[1], hosts[2]
    network.cut = lambda one, other: {one, other} == {deaf, mute}
    network.run(60.0)

    assert deaths(hosts) == []


# ---- stalling


def test_a_short_stall_kills_nobody_and_blames_nobody_else() -> None:
    network = Network(seed=11)
    hosts = network.cluster(8, settle_s=10)
    slow = hosts[2]
    network.stall(slow, 3.0)
    network.run(20.0)

    assert deaths(hosts) == []
    assert all(slow.when(other, State.SUSPECT) is None for other in hosts if other is not slow)
    assert everybody_sees(hosts, State.ALIVE)


def test_a_long_stall_is_a_death_that_ends_when_the_stall_does() -> None:
    network = Network(seed=12)
    hosts = network.cluster(8, settle_s=10)
    slow, others = hosts[2], [host for host in hosts if host is not hosts[2]]
    network.stall(slow, 20.0)
    network.run(19.0)
    assert all(host.sees(slow) is State.DEAD for host in others)
    network.run(3.0)

    assert all(host.sees(slow) is State.ALIVE for host in others)
    assert all(slow.when(other, State.SUSPECT) is None for other in others)


def test_a_late_event_loop_is_counted_once_per_probe_interval_and_forgiven() -> None:
    network = Network(seed=13)
    (host,) = network.cluster(1)
    machine = host.membership
    machine.loop_lag(LAG_S, network.now)
    assert machine.awareness == 0
    machine.loop_lag(LAG_S * 2, network.now)
    machine.loop_lag(LAG_S * 2, network.now + 0.5)

    assert machine.awareness == 1


def test_a_slow_observer_probes_less_often() -> None:
    network = Network(seed=14)
    one, *_ = network.cluster(3)
    pings: list[float] = []
    network.tap = lambda host, effect: pings.extend(
        network.now for message in said(effect) if host is one and isinstance(message, Ping) and message.index == 0
    )
    for second in range(3):
        one.membership.loop_lag(1.0, network.now + second)
    network.run(20.0)

    assert pings[1] - pings[0] == pytest.approx(4.0)
    assert pings[-1] - pings[-2] == pytest.approx(1.0)
    assert one.membership.awareness == 0


# ---- refuting


def test_a_refuted_suspicion_is_forgotten() -> None:
    network = Network(seed=15)
    hosts = network.cluster(8)
    accused, before = hosts[4], incarnation_of(hosts[4])
    lie = Suspect(accusation(network, 2, accused, before))
    network.do(hosts[0], hosts[0].membership.message(hosts[1].node, lie, network.now))
    assert hosts[0].sees(accused) is State.SUSPECT
    network.run(3.0)

    assert everybody_sees(hosts, State.ALIVE)
    assert incarnation_of(accused) == before + 1
    assert all(
        host.membership.members[accused.node].incarnation == before + 1 for host in hosts if host is not accused
    )
    network.run(30.0)
    assert deaths(hosts) == []


def test_three_accusers_shorten_the_time_to_answer() -> None:
    died_after_s = []
    for accusers in (1, 3):
        network = Network(seed=16)
        hosts = network.cluster(16)
        judge, accused = hosts[0], hosts[9]
        network.crash(accused)
        network.isolate(judge)
        for number in range(2, 2 + accusers):
            lie = Suspect(accusation(network, number, accused, 1))
            network.do(judge, judge.membership.message(hosts[1].node, lie, network.now))
        began = network.now
        network.run_until(partial(judge.calls_dead, accused), 60.0)
        died_after_s.append(network.now - began)

    assert died_after_s[0] > 2.5 * died_after_s[1]  # the judge's own accusation makes it two
    assert died_after_s[1] == pytest.approx(suspicion_min_s(4, 16, 1.0), abs=0.01)


def test_who_answers_our_own_look_is_not_dead_however_long_it_does_not_refute() -> None:
    network = Network(seed=45)
    host = network.alone(8)
    machine = host.membership

    def answer(_: Host, effect: Send | SendDatagram) -> None:
        """Everybody answers pings, and says nothing else."""
        acks = [spell(Ack(ping.nonce, ping.index)) for ping in said(effect) if isinstance(ping, Ping)]
        if acks:
            later = network.now + 0.001
            network.at(later, lambda: network.do(host, machine.datagram(effect.peer, seal(acks), later)))

    network.tap = answer
    accused = network.id_of(3)
    body = Suspicion(accused, 1)
    lie = Suspect(sign(network.crypto, seed_of(4), Kind.SUSPICION, CLUSTER, body))
    network.do(host, machine.message(network.id_of(4), lie, network.now))
    network.run(60.0)

    assert [change.new for _, change in host.changes if change.node == accused] == [
        State.ALIVE,
        State.SUSPECT,
        State.ALIVE,
    ]


def test_links_reach_everybody() -> None:
    network = Network(seed=46)
    hosts = network.cluster(4)
    for host in hosts:
        row = tuple(LinkFigure(other.node, 0.001 * host.number, 1e8, 0.5) for other in hosts if other is not host)
        network.do(host, host.membership.set_links(row, network.now))
    network.run(3.0)

    for host in hosts:
        rows = {heard.links.node: heard.links for _, heard in host.heard if isinstance(heard, LinksHeard)}
        assert sorted(rows) == sorted(other.node for other in hosts if other is not host)
        assert all(figure.bandwidth_bytes_per_s == 1e8 for links in rows.values() for figure in links.figures)
    late = network.add(5)
    network.do(late, late.membership.set_load(1, 1, 1, 0, 0.0, 0.0, network.now))
    network.join(late, hosts[0])
    network.run(3.0)
    assert len([heard for _, heard in late.heard if isinstance(heard, LinksHeard)]) == 4


def test_loads_come_over_sessions_where_no_datagram_does() -> None:
    network = Network()
    hosts = network.cluster(4)
    network.reachable = lambda address: False
    network.run(10.0)
    for second in range(90):
        for host in hosts:
            network.do(host, host.membership.set_load(1, 1, second, 0, 0.0, 0.0, network.now))
        network.run(1.0)
    ages_s = [
        network.now - load.measured_at
        for host in hosts
        for other in hosts
        if host is not other and (load := host.membership.load_of(other.node)) is not None
    ]

    assert everybody_sees(hosts, State.ALIVE)
    assert len(ages_s) == 12
    assert max(ages_s) <= 2.0


def test_who_tells_early_makes_nobody_doubt_its_own_event_loop() -> None:
    network = Network()
    one, other = network.cluster(2)
    for host in (one, other):
        network.do(host, host.membership.set_load(1, 1, 0, 0, 0.0, 0.0, network.now))
    network.run(2.0)
    network.crash(other)
    other = network.add(2, incarnation=2, boot=2)
    network.do(other, other.membership.set_load(1, 1, 0, 0, 0.0, 0.0, network.now))
    network.do(other, other.membership.learn(one.membership.signed_record, network.now))
    news = LoadNews((Aged(encode(LoadDelta(one.node[:8], 1, 9, 1, 1, 1, 1, 1, 1)), 0),))
    network.do(other, other.membership.datagram(one.node, seal([spell(news)]), network.now))

    network.do(other, other.membership.tick(network.now))
    assert other.membership.load_of(one.node) is not None
    assert other.membership.awareness == 0


# ---- lying


def test_a_member_that_lies_about_others_changes_nobodys_view() -> None:
    network = Network(seed=17)
    hosts = network.cluster(10)
    liar, target = hosts[3], hosts[7]
    record = target.membership.record
    forged_record = sign(
        network.crypto,
        seed_of(liar.number),
        Kind.RECORD,
        CLUSTER,
        dataclasses.replace(record, incarnation=9, name="x"),
    )
    stolen = Signed(target.node, forged_record.signature, forged_record.body)
    by_liar = accusation(network, liar.number, target, record.incarnation)
    in_others_names = tuple(
        Signed(host.node, by_liar.signature, by_liar.body) for host in hosts if host not in (liar, target)
    )
    farewell = sign(network.crypto, seed_of(liar.number), Kind.LEAVE, CLUSTER, Leave(record.incarnation + 1))
    lies: list[Message] = [
        Alive(stolen),
        Left(Signed(target.node, farewell.signature, farewell.body)),
        by_one := Dead(target.node, record.incarnation, (by_liar,)),
        by_one_many_times := Dead(target.node, record.incarnation, (by_liar,) * 4),
        Dead(target.node, record.incarnation, in_others_names[:3]),
        *(Suspect(forged) for forged in in_others_names),
        Suspect(accusation(network, liar.number, target, record.incarnation + 5)),
        Suspect(accusation(network, target.number, target, record.incarnation)),
    ]
    honest = [host for host in hosts if host is not liar]
    for second in range(20):
        for host in honest:
            lie = lies[second % len(lies)]
            if host is target and lie in (by_one, by_one_many_times):
                continue  # an accusation that the liar may make, and the target would refute
            if host is not target:
                network.do(host, host.membership.datagram(liar.node, seal([spell(lie)]), network.now))
            network.do(host, host.membership.message(liar.node, lie, network.now))
        network.run(0.5)

    assert all(
        change.new is State.ALIVE for host in honest for _, change in host.changes if change.node == target.node
    )
    assert incarnation_of(target) == record.incarnation
    assert sum(host.membership.refused for host in honest) > 100


def test_one_liar_who_accuses_under_its_own_name_costs_a_refutation_and_no_death() -> None:
    network = Network(seed=18)
    hosts = network.cluster(6)
    liar, target = hosts[1], hosts[2]
    for _ in range(30):
        lie = Suspect(accusation(network, liar.number, target, incarnation_of(target)))
        for host in hosts:
            network.do(host, host.membership.message(liar.node, lie, network.now))
        network.run(1.0)

    assert deaths(hosts) == []
    assert incarnation_of(target) > 20


def test_a_peer_is_listened_to_no_more_than_so_often() -> None:
    network = Network(seed=19)
    one, other = network.cluster(2)
    payload = seal([spell(Nack(1))])
    for _ in range(DATAGRAMS_BURST):
        one.membership.datagram(other.node, payload, network.now)
    before = one.membership.refused
    one.membership.datagram(other.node, payload, network.now)

    assert one.membership.refused == before + 1


def test_statements_beyond_the_budget_of_a_peer_are_not_verified() -> None:
    network = Network(seed=20)
    one, other, accused = network.cluster(3)
    forged = Suspect(Signed(other.node, b"x" * 64, accusation(network, 2, accused, 1).body))
    before = network.crypto.verified
    for _ in range(6000):
        one.membership.message(other.node, forged, network.now)

    assert network.crypto.verified - before <= 4096


# ---- leaving and coming back


def test_who_leaves_is_left_everywhere_and_suspected_by_nobody() -> None:
    network = Network(seed=21)
    hosts = network.cluster(8)
    leaver, others = hosts[3], [host for host in hosts if host is not hosts[3]]
    network.do(leaver, leaver.membership.leave(network.now))
    assert leaver.sees(leaver) is State.LEFT
    network.run(1.0)
    assert all(host.sees(leaver) is State.LEFT for host in others)
    network.crash(leaver, silent=False)
    network.run(60.0)

    assert all(host.when(leaver, State.SUSPECT) is None for host in others)
    assert everybody_sees(others, State.ALIVE)


def test_who_leaves_answers_no_suspicion_and_accuses_nobody() -> None:
    network = Network(seed=22)
    leaver, other, third = network.cluster(3)
    network.do(leaver, leaver.membership.leave(network.now))
    before = incarnation_of(leaver)
    network.crash(third)
    lie = Suspect(accusation(network, other.number, leaver, before))
    network.do(leaver, leaver.membership.message(other.node, lie, network.now))
    network.do(leaver, leaver.membership.session_lost(third.node, network.now))
    network.run(10.0)

    assert incarnation_of(leaver) == before
    assert leaver.when(third, State.SUSPECT) is None


def test_the_left_and_the_dead_are_forgotten_after_a_day() -> None:
    network = Network(seed=23, settings=dataclasses.replace(MembershipSettings(), tombstone_s=100.0))
    one, leaver, mortal, fourth = network.cluster(4)
    network.do(leaver, leaver.membership.leave(network.now))
    network.crash(mortal)
    network.run(90.0)
    assert (one.sees(leaver), one.sees(mortal)) == (State.LEFT, State.DEAD)
    network.crash(leaver)
    network.run(60.0)

    assert (one.sees(leaver), one.sees(mortal)) == (None, None)
    assert [change.new for _, change in one.changes if change.node == leaver.node][-1] is None
    assert one.sees(fourth) is State.ALIVE
    assert one.membership.by_short(leaver.node[:8]) is None


@pytest.mark.parametrize("silence_s", [1.0, 30.0])
def test_a_node_that_restarts_with_a_lower_incarnation_rises_above_its_past(silence_s: float) -> None:
    network = Network(seed=24)
    hosts = network.cluster(5)
    network.do(hosts[4], hosts[4].membership.update_record(record_of(5), network.now))
    network.do(hosts[4], hosts[4].membership.update_record(record_of(5), network.now))
    network.run(3.0)
    network.crash(hosts[4])
    network.run(silence_s)
    again = network.add(5, boot=2)
    network.join(again, hosts[1])
    network.run(3.0)

    everybody = [*hosts[:4], again]
    assert everybody_sees(everybody, State.ALIVE)
    assert all(host.membership.record_of(again.node) == again.membership.record for host in everybody)
    assert again.membership.record.boot == 2
    assert incarnation_of(again) > 3


def test_a_node_that_left_may_come_back() -> None:
    network = Network(seed=25)
    hosts = network.cluster(4)
    network.do(hosts[3], hosts[3].membership.leave(network.now))
    network.run(2.0)
    network.crash(hosts[3])
    again = network.add(4, boot=2)
    network.join(again, hosts[0])

    assert network.run_until(lambda: everybody_sees([*hosts[:3], again], State.ALIVE), 3.0)


def test_who_is_expelled_is_gone_until_vouched_for_again() -> None:
    network = Network(seed=26)
    one, other, bad = network.cluster(3)
    network.vouch.revoked.append(bad.node)
    for host in (one, other):
        network.do(host, host.membership.expel(bad.node, network.now))
        assert host.membership.expel(bad.node, network.now) == []
    network.run(60.0)

    assert one.sees(bad) is None
    assert other.sees(bad) is None
    assert one.membership.record_of(bad.node) is None


# ---- partition


@pytest.mark.parametrize("size", [8, 3])
def test_both_sides_of_a_partition_go_on_and_become_one_again(size: int) -> None:
    network = Network(seed=27)
    hosts = network.cluster(size, settle_s=10)
    left, right = hosts[: size // 2], hosts[size // 2 :]
    network.split(left)
    network.run(60.0)
    for one in left:
        assert all(one.sees(other) is State.DEAD for other in right)
    for one in right:
        assert all(one.sees(other) is State.DEAD for other in left)
    assert everybody_sees(left, State.ALIVE)
    assert everybody_sees(right, State.ALIVE)
    network.heal()

    assert network.run_until(lambda: everybody_sees(hosts, State.ALIVE), 2 * network.settings.reconnect_interval_s)
    network.run(20.0)
    assert everybody_sees(hosts, State.ALIVE)


# ---- what is said, and how much


def test_no_datagram_is_longer_than_a_packet_and_no_answer_longer_than_its_question() -> None:
    network = Network(seed=28)
    questions: dict[int, int] = {}
    longest = 0

    def listen(host: Host, effect: Send | SendDatagram) -> None:
        nonlocal longest
        if isinstance(effect, SendDatagram):
            longest = max(longest, len(effect.payload))
            for message in said(effect):
                if isinstance(message, Ping):
                    questions[hash((message.nonce, message.index))] = len(effect.payload)
                if isinstance(message, Ack):
                    assert len(effect.payload) <= questions[hash((message.nonce, message.index))]

    network.tap = listen
    network.cluster(8, settle_s=20)

    assert 700 < longest <= PACKET_BYTES_MAX


@pytest.mark.parametrize("size", [4, 16, 32])
def test_membership_costs_each_node_at_most_300_bytes_per_second(size: int) -> None:
    """Headers of IP and UDP apart, and soon after the start, when much is still being measured."""
    network = Network(seed=29)
    hosts = network.cluster(size, settle_s=30)
    sent = [(host.bytes_sent, host.datagrams_sent) for host in hosts]
    network.run(60.0)
    bytes_sent = sum(host.bytes_sent - before for host, (before, _) in zip(hosts, sent, strict=True))
    datagrams = sum(host.datagrams_sent - before for host, (_, before) in zip(hosts, sent, strict=True))

    assert (bytes_sent - (SEAL_BYTES - OVERHEAD_BYTES) * datagrams) / size / 60 <= 300


def test_a_lone_node_says_nothing() -> None:
    network = Network(seed=30)
    (host,) = network.cluster(1, settle_s=300)

    assert (host.datagrams_sent, host.frames_sent) == (0, 0)
    assert host.membership.alive() == []


def test_a_record_too_long_for_a_datagram_travels_over_sessions() -> None:
    network = Network(seed=31)
    hosts = network.cluster(8)
    labels = tuple((f"label{number}", "v" * 200) for number in range(16))
    network.do(
        hosts[2], hosts[2].membership.update_record(dataclasses.replace(record_of(3), labels=labels), network.now)
    )
    network.run(3.0)

    for host in hosts:
        record = host.membership.record_of(hosts[2].node)
        assert record is not None
        assert record.labels == labels
    network.do(hosts[2], hosts[2].membership.update_record(record_of(3), network.now))
    network.run(3.0)
    assert all(host.membership.record_of(hosts[2].node).labels == () for host in hosts)  # type: ignore[union-attr]


def test_a_changed_record_is_reported_and_known_to_all() -> None:
    network = Network(seed=32)
    hosts = network.cluster(6)
    network.do(hosts[1], hosts[1].membership.update_record(dataclasses.replace(record_of(2), speed=2.5), network.now))
    network.run(2.0)

    for host in hosts:
        record = host.membership.record_of(hosts[1].node)
        assert record is not None
        assert record.speed == 2.5
        if host is not hosts[1]:
            assert MemberChanged(hosts[1].node, State.ALIVE, State.ALIVE) in [change for _, change in host.changes]


def test_of_several_addresses_the_one_that_answers_is_found_and_kept() -> None:
    network = Network(seed=33)
    one, other = network.add(1), network.add(2)
    dead_ends = tuple(Address(f"172.17.0.{number}", 7946) for number in range(1, 6))
    good = record_of(2).addresses
    network.reachable = lambda address: address not in dead_ends
    network.do(
        other,
        other.membership.update_record(dataclasses.replace(record_of(2), addresses=dead_ends + good), network.now),
    )
    network.join(other, one)
    network.run(4.0)

    member = one.membership.members[other.node]
    assert member.measured
    assert member.address == good[0]
    targets = set()
    network.tap = lambda host, effect: targets.add(effect.address) if isinstance(effect, SendDatagram) else None
    network.run(4.0)
    assert targets == {good[0], record_of(1).addresses[0]}


def test_who_never_answers_a_datagram_is_measured_no_more_after_some_tries() -> None:
    network = Network(seed=34, loss=1.0)
    one, other = network.add(1), network.add(2)
    network.join(other, one)
    bursts: list[float] = []
    network.tap = lambda host, effect: bursts.extend(
        network.now
        for message in said(effect)
        if host is one and isinstance(effect, SendDatagram) and isinstance(message, Ping) and message.index == 0
    )
    network.run(20.0)
    early = len(bursts)
    network.run(20.0)

    assert TRIES_MAX <= early - 20 <= TRIES_MAX + 1
    assert len(bursts) - early <= 21  # the regular checks
    assert one.sees(other) is State.ALIVE


# ---- the edges of the interface


def test_garbage_is_dropped() -> None:
    network = Network(seed=35)
    one, other = network.cluster(2)
    assert one.membership.datagram(other.node, b"garbage", network.now) == []
    assert one.membership.datagram(other.node, b"", network.now) == []
    assert one.membership.datagram(NodeId(b"?" * 32), seal([spell(Ping(1, 0))]), network.now) == []
    assert one.membership.datagram(other.node, seal([b"?", spell(Nack(3))]), network.now) == []
    assert one.membership.datagram(other.node, bytes(PACKET_BYTES_MAX + 1), network.now) == []

    assert one.membership.refused == 5


@given(st.binary(max_size=1400))
@settings(max_examples=100, deadline=None)
def test_no_bytes_in_a_datagram_raise_anything(payload: bytes) -> None:
    network = Network(seed=36)
    one, other = network.cluster(2, settle_s=0.1)
    one.membership.datagram(other.node, payload, network.now)
    one.membership.datagram(other.node, seal([payload[:PACKET_BYTES_MAX] or b"?"]), network.now)

    assert one.sees(other) is State.ALIVE


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_no_byte_changed_in_a_true_message_raises_or_kills(data: st.DataObject) -> None:
    network = Network(seed=37)
    one, other, third = network.cluster(3, settle_s=0.5)
    signed = accusation(network, 2, third, 1)
    record = sign(network.crypto, seed_of(2), Kind.RECORD, CLUSTER, record_of(2, incarnation=5))
    farewell = sign(network.crypto, seed_of(2), Kind.LEAVE, CLUSTER, Leave(7))
    messages: list[Message] = [
        Alive(record), Suspect(signed), Left(farewell), Dead(third.node, 1, (signed,)),
        Ping(1, 2), Ack(1, 2), PingRequest(5, third.node),
    ]  # fmt: skip
    payload = bytearray(seal([spell(data.draw(st.sampled_from(messages)))]))
    at = data.draw(st.integers(0, len(payload) - 1))
    payload[at] ^= data.draw(st.integers(1, 255))
    one.membership.datagram(other.node, bytes(payload), network.now)

    assert one.sees(other) is State.ALIVE
    record_here = one.membership.record_of(other.node)
    assert record_here is not None
    assert record_here.incarnation == 1


def test_a_push_pull_in_a_datagram_is_refused() -> None:
    network = Network(seed=38)
    one, other = network.cluster(2)
    frames: list[Send] = []
    network.tap = lambda host, effect: frames.append(effect) if isinstance(effect, Send) else None
    network.do(one, one.membership.join(other.node, network.now))
    message = read(frames[0].payload)
    assert isinstance(message, PushPull)
    small = dataclasses.replace(message, entries=message.entries[:1])
    before = one.membership.refused
    one.membership.datagram(other.node, seal([spell(small)]), network.now)

    assert one.membership.refused == before + 1


def test_a_ping_over_a_session_is_answered_there() -> None:
    network = Network(seed=39)
    one, other = network.cluster(2)

    assert one.membership.message(other.node, Ping(77, 1), network.now) == [Send(other.node, spell(Ack(77, 1)))]


def test_requests_for_help_about_strangers_are_not_followed() -> None:
    network = Network(seed=40)
    one, other, third = network.cluster(3)
    nobody = NodeId(b"?" * 32)
    assert one.membership.message(other.node, PingRequest(5, nobody), network.now) == []
    assert one.membership.message(nobody, PingRequest(5, third.node), network.now) == []

    pings = one.membership.message(other.node, PingRequest(5, third.node), network.now)
    assert [ping.peer for ping in pings if isinstance(ping, SendDatagram)] == [third.node] * 3


def test_records_from_a_snapshot_are_believed_if_they_are_signed_and_certified() -> None:
    network = Network(seed=41)
    (one,) = network.cluster(1)
    good = signed_record(network.crypto, 2)
    (change,) = one.membership.learn(good, network.now)
    assert change == MemberChanged(NodeId(good.author), None, State.ALIVE)
    forged = signed_record(network.crypto, 3)
    assert one.membership.learn(dataclasses.replace(forged, signature=b"x" * 64), network.now) == []
    assert one.membership.learn(signed_record(network.crypto, 4, credential=OUTSIDER), network.now) == []
    assert one.membership.learn(good, network.now) == []

    assert list(one.membership.members) == [good.author]
    assert one.membership.refused == 2


def test_the_machine_answers_about_itself_and_about_strangers() -> None:
    network = Network(seed=42)
    one, other = network.cluster(2)
    machine, nobody = one.membership, NodeId(b"?" * 32)

    assert machine.state_of(one.node) is State.ALIVE
    assert machine.record_of(one.node) == machine.record
    assert machine.state_of(nobody) is None
    assert machine.record_of(nobody) is None
    assert machine.load_of(other.node) is None
    assert machine.by_short(other.node[:8]) == other.node
    assert machine.by_short(b"????????") is None
    assert machine.alive() == [other.node]
    assert machine.signed_record.author == one.node
    with pytest.raises(TypeError):
        machine.members[nobody] = machine.members[other.node]  # type: ignore[index]


def test_loads_reach_everybody_every_second() -> None:
    network = Network(seed=43)
    hosts = network.cluster(8)

    def sample(host: Host) -> None:
        network.do(host, host.membership.set_load(10.0 * host.number, 50, host.number, 2, 1.5, 0.001, network.now))
        network.at(network.now + 1.0, lambda: sample(host))

    for host in hosts:
        sample(host)
    network.run(20.0)

    for one in hosts:
        for other in hosts:
            load = one.membership.load_of(other.node)
            assert load is not None
            assert load.running == other.number
            assert network.now - load.measured_at < 3.0
        heard = [load for _, load in one.heard if isinstance(load, LoadHeard) and load.load.node == hosts[-1].node]
        assert one is hosts[-1] or 15 <= len(heard) <= 21


def test_the_fast_profile_is_faster_and_the_wan_profile_is_patient() -> None:
    died_after_s = {}
    for name, profile in (("fast", MembershipSettings.fast()), ("wan", MembershipSettings.wan())):
        network = Network(seed=44, settings=profile)
        hosts = network.cluster(8, settle_s=10)
        victim, crashed_at = hosts[3], network.now
        network.crash(victim)
        network.run_until(partial(hosts[0].calls_dead, victim), 120.0)
        died_after_s[name] = network.now - crashed_at

    assert 1.5 < died_after_s["fast"] < 5.0
    assert 30.0 < died_after_s["wan"] < 70.0


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(LocalProtocolError, match="probe_timeout_s < probe_interval_s"):
        MembershipSettings(probe_timeout_s=1.0)
