"""One prober, spoken to by hand."""

from dataclasses import replace
from random import Random

import pytest

from pnode.protocol.awareness import Awareness
from pnode.protocol.ids import NodeId
from pnode.protocol.membership_settings import MembershipSettings
from pnode.protocol.probe import (
    BURST_S,
    BURST_TURN,
    BURSTS_FIRST,
    FIRST_CHECKS,
    HELP_MAX,
    HELP_PER_PEER_MAX,
    Answered,
    Finding,
    Prober,
    Purpose,
    RoundTrip,
    Tell,
    Unanswered,
)
from pnode.protocol.record import Address
from pnode.protocol.roster import DIRECT_MAX, Member, Roster, State
from pnode.protocol.signed import Signed
from pnode.protocol.swim import PINGS, Ack, IndirectAck, Nack, Ping, PingRequest

from .members import record_of

NOW = 1000.0


def node(number: int) -> NodeId:
    return NodeId(number.to_bytes(4, "big") * 8)


class Bench:
    """A prober among so many members."""

    def __init__(self, size: int = 8) -> None:
        self.roster = Roster(node(1), Random(1), 30.0)
        self.members = [
            Member(node(number), record_of(number), Signed(node(number), b"s" * 64, b""), 1, NOW)
            for number in range(2, size + 1)
        ]
        for member in self.members:
            self.roster.add(member)
        self.awareness = Awareness(8)
        self.prober = Prober(MembershipSettings(), self.roster, self.awareness, Random(2))


def about(member: Member, rtt_s: float) -> RoundTrip:
    return RoundTrip(member.node, pytest.approx(rtt_s))  # type: ignore[arg-type]  # equal to a float is all it must be


def nonce_of(findings: list[Finding]) -> int:
    (first, *_) = [finding.message for finding in findings if isinstance(finding, Tell)]
    assert isinstance(first, Ping)
    return first.nonce


def test_a_burst_is_three_pings_and_its_least_round_trip_is_reported() -> None:
    bench = Bench()
    member = bench.members[0]
    findings = bench.prober.start(member, Purpose.CHECK, NOW)
    nonce = nonce_of(findings)
    assert findings == [Tell(member.node, Ping(nonce, index), member.address) for index in range(3)]

    assert bench.prober.ack(member.node, Ack(nonce, 1), NOW + 0.003, by_session=False) == [
        Answered(member, Purpose.CHECK)
    ]
    assert bench.prober.ack(member.node, Ack(nonce, 1), NOW + 0.003, by_session=False) == []
    assert bench.prober.ack(member.node, Ack(nonce, 0), NOW + 0.004, by_session=False) == []
    assert bench.prober.ack(member.node, Ack(nonce, 2), NOW + 0.005, by_session=False) == [about(member, 0.003)]
    assert member.measured
    assert bench.prober.deadline == float("inf")
    assert bench.prober.ack(member.node, Ack(nonce, 2), NOW + 0.006, by_session=False) == []


def test_a_burst_with_losses_is_reported_when_its_time_is_up() -> None:
    bench = Bench()
    member = bench.members[0]
    nonce = nonce_of(bench.prober.start(member, Purpose.CHECK, NOW))
    bench.prober.ack(member.node, Ack(nonce, 2), NOW + 0.1, by_session=False)

    assert bench.prober.deadline == NOW + 0.5
    assert bench.prober.tick(NOW + 0.5) == [about(member, 0.1)]


def well_known(bench: Bench) -> Member:
    """A member that has answered as many bursts as measure it."""
    member = bench.members[0]
    member.proven, member.bursts, member.checks = True, BURSTS_FIRST, BURSTS_FIRST + 1
    return member


@pytest.mark.parametrize(
    ("period_s", "expected"),
    [
        (BURST_S, [3, 3, 3, 3, 1, 1, 1, 3, 1, 1, 1, 3]),
        (BURST_S / BURST_TURN, [3, 3, 3, 1, 1, 1, 1, 3, 1, 1, 1, 3]),
        (BURST_S / BURST_TURN / 2, [3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 3]),
    ],
)
def test_a_well_known_member_is_checked_with_one_ping_three_times_out_of_four_or_for_a_minute(
    period_s: float, expected: list[int]
) -> None:
    bench = Bench()
    member = bench.members[0]
    pings = []
    for turn in range(12):
        now = NOW + turn * period_s
        findings = bench.prober.start(member, Purpose.CHECK, now)
        pings.append(len(findings))
        for index in range(len(findings)):
            bench.prober.ack(member.node, Ack(nonce_of(findings), index), now, by_session=False)
        assert bench.prober.deadline == float("inf")

    assert pings == expected


def test_of_many_who_were_never_measured_some_are_checked_with_a_burst_after_the_first() -> None:
    bench = Bench(FIRST_CHECKS + 2 * BURST_TURN + 1)
    pings = [len(bench.prober.start(member, Purpose.CHECK, NOW)) for member in bench.members]

    assert pings == [3] * FIRST_CHECKS + [3, *[1] * (BURST_TURN - 1)] * 2


def test_where_nobody_knows_which_address_is_good_all_are_tried_at_once() -> None:
    bench = Bench()
    addresses = tuple(Address(f"10.0.0.{number}", 7946) for number in range(1, 4))
    bench.prober._first_checks = FIRST_CHECKS
    for member in bench.members[:4]:
        member.record = replace(member.record, addresses=addresses)
        findings = bench.prober.start(member, Purpose.CHECK, NOW)

        assert [finding.address for finding in findings if isinstance(finding, Tell)] == list(addresses)


def test_the_answer_to_one_ping_is_an_answer_and_no_measurement() -> None:
    bench = Bench()
    member = well_known(bench)
    findings = bench.prober.start(member, Purpose.CHECK, NOW)
    assert findings == [Tell(member.node, Ping(nonce_of(findings), 0), member.address)]

    answered = bench.prober.ack(member.node, Ack(nonce_of(findings), 0), NOW + 0.003, by_session=False)
    assert answered == [Answered(member, Purpose.CHECK)]
    assert bench.prober.tick(NOW + 9.0) == []


def test_one_ping_without_an_answer_is_followed_by_the_rest_of_the_burst_and_then_by_what_follows_a_burst() -> None:
    bench = Bench()
    member = well_known(bench)
    nonce = nonce_of(bench.prober.start(member, Purpose.CHECK, NOW))
    assert bench.prober.deadline == NOW + 0.2
    assert bench.prober.tick(NOW + 0.2) == [Tell(member.node, Ping(nonce, index), member.address) for index in (1, 2)]

    assert bench.prober.deadline == NOW + 0.5
    assert len(asked(bench.prober.tick(NOW + 0.5))) == 3
    assert not member.proven
    assert bench.prober.tick(NOW + 1.0) == [Unanswered(member, Purpose.CHECK)]


@pytest.mark.parametrize("index", range(3))
def test_any_ping_of_the_second_wave_may_be_answered(index: int) -> None:
    bench = Bench()
    member = well_known(bench)
    nonce = nonce_of(bench.prober.start(member, Purpose.CHECK, NOW))
    bench.prober.tick(NOW + 0.2)

    answered = bench.prober.ack(member.node, Ack(nonce, index), NOW + 0.3, by_session=False)
    assert answered == [Answered(member, Purpose.CHECK)]
    assert bench.prober.tick(NOW + 0.5) == []
    assert member.proven


@pytest.mark.parametrize("purpose", [purpose for purpose in Purpose if purpose is not Purpose.CHECK])
def test_only_regular_checks_make_do_with_one_ping(purpose: Purpose) -> None:
    bench = Bench()
    pings = [tell for tell in bench.prober.start(well_known(bench), purpose, NOW) if isinstance(tell, Tell)]

    assert len([tell for tell in pings if tell.address is not None and isinstance(tell.message, Ping)]) == 3


def test_the_pings_of_a_well_known_member_do_for_checks_of_it_but_not_for_bursts() -> None:
    bench = Bench()
    member = well_known(bench)
    member.checks = 0

    spared = [bench.prober.spares(member, Ping(number, 0), NOW) for number in range(5)]
    burst = bench.prober.start(member, Purpose.CHECK, NOW)

    assert spared == [True, True, True, False, False]
    assert len(burst) == PINGS


@pytest.mark.parametrize("state", [State.SUSPECT, State.DEAD])
def test_nobody_is_spared_who_is_in_doubt(state: State) -> None:
    bench = Bench()
    member = well_known(bench)
    member.checks = 0
    assert bench.prober.spares(member, Ping(1, 0), NOW)

    assert not bench.prober.spares(member, Ping(1, 1), NOW), "the rest of a burst is no further sign"
    member.proven = False
    assert not bench.prober.spares(member, Ping(1, 0), NOW), "it may not hear us"
    member.proven, member.bursts = True, BURSTS_FIRST - 1
    assert not bench.prober.spares(member, Ping(1, 0), NOW), "its distance is not known"
    member.bursts, member.state = BURSTS_FIRST, state
    assert not bench.prober.spares(member, Ping(1, 0), NOW)


def test_nobody_answers_for_another() -> None:
    bench = Bench()
    nonce = nonce_of(bench.prober.start(bench.members[0], Purpose.CHECK, NOW))

    assert bench.prober.ack(bench.members[1].node, Ack(nonce, 0), NOW, by_session=False) == []
    assert bench.prober.ack(bench.members[0].node, Ack(nonce + 1, 0), NOW, by_session=False) == []
    assert bench.prober.indirect_ack(bench.members[1].node, nonce) == []


def asked(findings: list[Finding]) -> list[NodeId]:
    return [tell.peer for tell in findings if isinstance(tell, Tell) and isinstance(tell.message, PingRequest)]


def test_after_silence_others_are_asked_and_the_session_is_tried() -> None:
    bench = Bench()
    member = bench.members[0]
    nonce = nonce_of(bench.prober.start(member, Purpose.CHECK, NOW))
    findings = bench.prober.tick(NOW + 0.5)

    helpers = asked(findings)
    assert len(set(helpers)) == 3
    assert member.node not in helpers
    assert findings[-1] == Tell(member.node, Ping(nonce, 0), None)
    assert bench.prober.tick(NOW + 0.99) == []
    assert bench.prober.tick(NOW + 1.0) == [Unanswered(member, Purpose.CHECK)]
    assert bench.prober.deadline == float("inf")


@pytest.mark.parametrize("way", ["session", "helper", "late"])
def test_an_answer_by_whatever_way_ends_a_check(way: str) -> None:
    bench = Bench()
    member = bench.members[0]
    bench.awareness.add(3)
    nonce = nonce_of(bench.prober.start(member, Purpose.CHECK, NOW))
    (helper, *_) = asked(bench.prober.tick(NOW + 0.5))
    answers = {
        "session": lambda: bench.prober.ack(member.node, Ack(nonce, 0), NOW + 0.6, by_session=True),
        "helper": lambda: bench.prober.indirect_ack(helper, nonce),
        "late": lambda: bench.prober.ack(member.node, Ack(nonce, 0), NOW + 0.6, by_session=False),
    }
    findings = answers[way]()

    assert findings[0] == Answered(member, Purpose.CHECK)
    assert findings[1:] == ([about(member, 0.6)] if way == "late" else [])
    assert member.measured is (way == "late")
    assert bench.awareness.score == 2
    assert bench.prober.tick(NOW + 9.0) == []


@pytest.mark.parametrize(("nacks", "score"), [(0, 3), (2, 1), (3, 0)])
def test_missing_nacks_make_a_node_doubt_itself(nacks: int, score: int) -> None:
    bench = Bench()
    nonce = nonce_of(bench.prober.start(bench.members[0], Purpose.CHECK, NOW))
    helpers = asked(bench.prober.tick(NOW + 0.5))
    for helper in helpers[:nacks]:
        bench.prober.nack(helper, nonce)
        bench.prober.nack(helper, nonce)
    bench.prober.nack(bench.members[0].node, nonce)
    bench.prober.nack(helpers[0], nonce + 1)
    bench.prober.tick(NOW + 1.0)

    assert bench.awareness.score == score


def test_a_failed_check_without_anybody_to_ask_makes_a_node_doubt_itself() -> None:
    bench = Bench(size=2)
    bench.prober.start(bench.members[0], Purpose.CHECK, NOW)
    assert asked(bench.prober.tick(NOW + 0.5)) == []
    bench.prober.tick(NOW + 1.0)

    assert bench.awareness.score == 1


def test_who_doubts_itself_gives_others_more_time_but_not_for_a_verdict() -> None:
    bench = Bench()
    bench.awareness.add(2)
    bench.prober.start(bench.members[0], Purpose.CHECK, NOW)
    bench.prober.start(bench.members[1], Purpose.VERDICT, NOW)
    bench.prober.tick(NOW + 0.5)

    assert bench.prober.tick(NOW + 1.0) == [Unanswered(bench.members[1], Purpose.VERDICT)]
    assert bench.prober.deadline == NOW + 3.0
    assert bench.awareness.score == 2


@pytest.mark.parametrize(
    ("purpose", "silence_s"), [(Purpose.QUICK, 0.2), (Purpose.MEASURE, 0.5), (Purpose.RECONNECT, 0.5)]
)
def test_other_probes_end_after_their_burst(purpose: Purpose, silence_s: float) -> None:
    bench = Bench()
    findings = bench.prober.start(bench.members[0], purpose, NOW)
    sessions = [tell for tell in findings if isinstance(tell, Tell) and tell.address is None]
    assert len(sessions) == (purpose is Purpose.RECONNECT)

    assert bench.prober.deadline == pytest.approx(NOW + silence_s)
    assert bench.prober.tick(NOW + silence_s) == [Unanswered(bench.members[0], purpose)]
    assert bench.awareness.score == 0


def test_after_a_refusal_others_are_asked_at_once_and_have_their_own_time() -> None:
    bench = Bench()
    findings = bench.prober.start(bench.members[0], Purpose.REFUSED, NOW)

    assert len(asked(findings)) == 3
    assert [tell for tell in findings if isinstance(tell, Tell) and tell.address is None] == []
    assert bench.prober.tick(NOW + 0.6) == []
    assert bench.prober.tick(NOW + 0.7) == [Unanswered(bench.members[0], Purpose.REFUSED)]
    assert bench.awareness.score == 0


def test_after_a_refusal_the_answer_that_somebody_else_got_is_one() -> None:
    bench = Bench()
    findings = bench.prober.start(bench.members[0], Purpose.REFUSED, NOW)

    found = bench.prober.indirect_ack(asked(findings)[0], nonce_of(findings))

    assert found == [Answered(bench.members[0], Purpose.REFUSED)]
    assert bench.prober.deadline == float("inf")


def test_after_a_refusal_in_a_cluster_of_two_nobody_else_is_waited_for() -> None:
    bench = Bench(size=2)
    bench.prober.start(bench.members[0], Purpose.REFUSED, NOW)

    assert bench.prober.tick(NOW + 0.2) == [Unanswered(bench.members[0], Purpose.REFUSED)]


def test_one_probe_at_a_time_for_a_purpose() -> None:
    bench = Bench()
    assert bench.prober.start(bench.members[0], Purpose.CHECK, NOW) != []
    assert bench.prober.start(bench.members[0], Purpose.CHECK, NOW) == []
    assert bench.prober.start(bench.members[0], Purpose.QUICK, NOW) != []
    assert bench.prober.start(bench.members[1], Purpose.CHECK, NOW) != []


def test_help_is_given_and_its_end_reported_to_whoever_asked() -> None:
    bench = Bench()
    requester, lively, mute = bench.members[:3]
    nonce = nonce_of(bench.prober.help(requester, PingRequest(71, lively.node), lively, NOW))
    bench.prober.help(requester, PingRequest(72, mute.node), mute, NOW)

    assert bench.prober.ack(lively.node, Ack(nonce, 0), NOW + 0.1, by_session=False) == [
        Tell(requester.node, IndirectAck(71), requester.address)
    ]
    assert bench.prober.tick(NOW + 0.5) == [
        about(lively, 0.1),
        Tell(requester.node, Nack(72), requester.address),
    ]
    assert bench.prober.deadline == float("inf")


def test_help_is_bounded_for_each_peer_and_for_all() -> None:
    bench = Bench(size=200)
    given = [
        bench.prober.help(requester, PingRequest(1, target.node), target, NOW) != []
        for requester in bench.members[:30]
        for target in bench.members[100:110]
    ]

    assert given[:10] == [True] * HELP_PER_PEER_MAX + [False] * (10 - HELP_PER_PEER_MAX)
    assert sum(given) == HELP_MAX


def test_help_about_one_target_is_given_once_at_a_time() -> None:
    bench = Bench()
    requester, target = bench.members[:2]
    assert bench.prober.help(requester, PingRequest(1, target.node), target, NOW) != []
    assert bench.prober.help(requester, PingRequest(2, target.node), target, NOW) == []


def test_time_in_which_we_did_not_listen_does_not_count() -> None:
    bench = Bench()
    member = bench.members[0]
    nonce = nonce_of(bench.prober.start(member, Purpose.CHECK, NOW))
    bench.prober.postpone(5.0)

    assert bench.prober.tick(NOW + 5.4) == []
    assert Answered(member, Purpose.CHECK) in bench.prober.ack(
        member.node, Ack(nonce, 0), NOW + 5.4, by_session=False
    )


PLACE, OTHER = b"p" * 32, b"q" * 32


def test_the_first_ping_of_a_burst_shows_where_we_stand_in_a_large_cluster_and_the_answer_is_passed_on() -> None:
    bench = Bench(DIRECT_MAX + 1)
    bench.roster.place = PLACE
    member = bench.members[0]
    findings = bench.prober.start(member, Purpose.CHECK, NOW)
    nonce = nonce_of(findings)
    messages = [finding.message for finding in findings if isinstance(finding, Tell)]
    assert messages == [Ping(nonce, 0, PLACE), Ping(nonce, 1), Ping(nonce, 2)]

    bench.prober.ack(member.node, Ack(nonce, 0, OTHER), NOW + 0.004, by_session=False)
    bench.prober.ack(member.node, Ack(nonce, 2), NOW + 0.003, by_session=False)

    [found] = bench.prober.ack(member.node, Ack(nonce, 1), NOW + 0.005, by_session=False)
    assert isinstance(found, RoundTrip)
    assert found.place == OTHER


def test_a_small_cluster_and_a_single_ping_show_no_place() -> None:
    small, large = Bench(DIRECT_MAX), Bench(DIRECT_MAX + 1)
    small.roster.place = large.roster.place = PLACE
    first = small.prober.start(small.members[0], Purpose.CHECK, NOW)
    single = large.prober.start(well_known(large), Purpose.CHECK, NOW)

    shown = [finding.message for finding in (*first, *single) if isinstance(finding, Tell)]
    assert [message.place for message in shown if isinstance(message, Ping)] == [b""] * 4


def test_of_who_can_only_dial_out_its_relays_are_asked_first() -> None:
    bench = Bench(20)
    target, *others = bench.members
    relays = others[7:9]
    target.record = replace(target.record, relays=(target.node[:8], *(relay.node[:8] for relay in relays)))

    findings = bench.prober.start(target, Purpose.REFUSED, NOW)

    asked = [each.peer for each in findings if isinstance(each, Tell) and isinstance(each.message, PingRequest)]
    assert asked[:2] == [relay.node for relay in relays]
    assert len(set(asked)) == MembershipSettings().indirect_probes
    assert target.node not in asked
