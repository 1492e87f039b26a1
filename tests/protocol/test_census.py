"""Signed statements, heard one by one."""

import dataclasses
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pnode.protocol import roster as roster_module
from pnode.protocol.awareness import Awareness
from pnode.protocol.census import RECORD_BYTES_MAX, Census, MemberChanged, UncertifiedError
from pnode.protocol.codec import encode
from pnode.protocol.errors import RemoteProtocolError
from pnode.protocol.ids import NodeId
from pnode.protocol.membership_settings import MembershipSettings
from pnode.protocol.record import Address
from pnode.protocol.roster import LIFE_CYCLE, Member, Roster, RosterFullError, State
from pnode.protocol.signed import BadSignatureError, Kind, Signed, sign
from pnode.protocol.swim import Alive, Dead, Leave, Left, Suspect, Suspicion, read

from .members import CLUSTER, OUTSIDER, FakeCrypto, FakeVouch, record_of, seed_of, signed_record

NOW = 1000.0
CRYPTO = FakeCrypto()
IDS = {number: NodeId(CRYPTO.public_key(seed_of(number))) for number in range(1, 12)}
RELAY = IDS[2]


def census_of(size: int) -> Census:
    """The census of node 1 in a cluster of so many."""
    roster = Roster(IDS[1], Random(1), 30.0)
    census = Census(
        MembershipSettings(), CRYPTO, seed_of(1), CLUSTER, FakeVouch(), record_of(1), roster, Awareness(8)
    )
    for number in range(2, size + 1):
        census.hear_record(signed_record(CRYPTO, number), RELAY, NOW)
    census.take_changes()
    census.news.take(10**6, 10**3, 1)  # what has been said so far
    return census


def accusation(accuser: int, accused: int, incarnation: int = 1) -> Signed:
    return sign(CRYPTO, seed_of(accuser), Kind.SUSPICION, CLUSTER, Suspicion(IDS[accused], incarnation))


def farewell(number: int, incarnation: int = 1) -> Signed:
    return sign(CRYPTO, seed_of(number), Kind.LEAVE, CLUSTER, Leave(incarnation))


def said(census: Census) -> list[object]:
    """What the census would broadcast now, each once."""
    return [read(data) for data in census.news.take(10**6, 10**3, 1)]


def member_of(census: Census, number: int) -> Member:
    return census.roster.members[IDS[number]]


# ---- records


def test_a_higher_incarnation_wins_whatever_the_state_and_nothing_else_does() -> None:
    census = census_of(6)
    for _ in range(2):
        census.hear_record(signed_record(CRYPTO, 3, incarnation=4), RELAY, NOW)
    census.hear_record(signed_record(CRYPTO, 3, incarnation=3), RELAY, NOW)
    census.hear_record(signed_record(CRYPTO, 3, incarnation=4, boot=9), RELAY, NOW)
    assert member_of(census, 3).record == record_of(3, incarnation=4)
    census.hear_leave(farewell(3, 4), RELAY, NOW)
    census.hear_record(signed_record(CRYPTO, 3, incarnation=5), RELAY, NOW)

    assert [(change.old, change.new) for change in census.take_changes()] == [
        (State.ALIVE, State.ALIVE),
        (State.ALIVE, State.LEFT),
        (State.LEFT, State.ALIVE),
    ]
    assert said(census) == [Alive(signed_record(CRYPTO, 3, incarnation=5))]


def test_what_is_no_news_is_not_verified() -> None:
    census = census_of(3)
    before = CRYPTO.verified
    known = signed_record(CRYPTO, 3)
    census.hear_record(known, RELAY, NOW)
    census.hear_record(Signed(known.author, b"x" * 64, known.body), RELAY, NOW)
    census.hear_suspicion(accusation(2, 3, incarnation=7), RELAY, NOW)
    census.hear_suspicion(accusation(2, 9), RELAY, NOW)
    census.hear_leave(farewell(3, 0), RELAY, NOW)
    census.hear_leave(farewell(9), RELAY, NOW)
    census.hear_dead(Dead(IDS[9], 1, (accusation(2, 9),)), RELAY, NOW)

    assert CRYPTO.verified == before
    assert census.take_changes() == []


def test_a_record_is_refused_if_forged_uncertified_or_too_long() -> None:
    census = census_of(2)
    good = signed_record(CRYPTO, 3)
    with pytest.raises(BadSignatureError):
        census.hear_record(Signed(good.author, b"x" * 64, good.body), RELAY, NOW)
    with pytest.raises(RemoteProtocolError, match="no member"):
        census.hear_record(signed_record(CRYPTO, 3, credential=OUTSIDER), RELAY, NOW)
    padded = sign(CRYPTO, seed_of(3), Kind.RECORD, CLUSTER, good.body + bytes(RECORD_BYTES_MAX))
    with pytest.raises(RemoteProtocolError, match="at most"):
        census.hear_record(padded, RELAY, NOW)

    assert list(census.roster.members) == [IDS[2]]


def test_new_addresses_are_tried_and_measured_anew() -> None:
    census = census_of(3)
    member = member_of(census, 3)
    member.route, member.proven, member.bursts = 5, True, 1
    census.hear_record(signed_record(CRYPTO, 3, incarnation=2), RELAY, NOW)
    assert (member.route, member.proven, member.measured) == (5, True, True)
    moved = dataclasses.replace(record_of(3, incarnation=3), addresses=(Address("10.9.9.9", 1),))
    census.hear_record(sign(CRYPTO, seed_of(3), Kind.RECORD, CLUSTER, moved), RELAY, NOW)

    assert (member.route, member.proven, member.measured) == (0, False, False)


def test_a_full_table_makes_room_for_the_living(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster_module, "MEMBERS_MAX", 2)
    census = census_of(3)
    with pytest.raises(RosterFullError):
        census.hear_record(signed_record(CRYPTO, 4), RELAY, NOW)
    census.hear_leave(farewell(3), RELAY, NOW)
    census.hear_record(signed_record(CRYPTO, 4), RELAY, NOW)

    assert census.take_changes()[1:] == [
        MemberChanged(IDS[3], State.LEFT, None),
        MemberChanged(IDS[4], None, State.ALIVE),
    ]
    assert said(census) == [Alive(signed_record(CRYPTO, 4))]


# ---- suspicions


def test_a_suspicion_counts_under_its_accusers_name_once() -> None:
    census = census_of(6)
    for _ in range(2):
        census.hear_suspicion(accusation(2, 3), RELAY, NOW)
    census.hear_suspicion(accusation(4, 3), RELAY, NOW)

    assert census.take_changes() == [MemberChanged(IDS[3], State.ALIVE, State.SUSPECT)]
    assert said(census) == [Suspect(accusation(2, 3)), Suspect(accusation(4, 3))]
    assert len(census.cases.evidence(IDS[3])) == 2


def test_accusers_beyond_those_that_matter_are_not_kept_or_passed_on() -> None:
    census = census_of(9)
    for accuser in range(4, 10):
        census.hear_suspicion(accusation(accuser, 3), RELAY, NOW)

    assert len(said(census)) == 3


def test_nobody_accuses_himself_or_before_he_is_a_member_or_after_he_left() -> None:
    census = census_of(5)
    census.hear_leave(farewell(4), RELAY, NOW)
    for accuser in (3, 4, 9):
        with pytest.raises(UncertifiedError):
            census.hear_suspicion(accusation(accuser, 3), RELAY, NOW)

    assert member_of(census, 3).state is State.ALIVE


def test_a_record_of_a_higher_incarnation_closes_the_case() -> None:
    census = census_of(6)
    census.hear_suspicion(accusation(2, 3), RELAY, NOW)
    census.hear_record(signed_record(CRYPTO, 3, incarnation=2), RELAY, NOW)
    census.hear_suspicion(accusation(4, 3), RELAY, NOW)

    assert member_of(census, 3).state is State.ALIVE
    assert said(census) == [Alive(signed_record(CRYPTO, 3, incarnation=2))]
    assert census.expire(NOW + 1e6) == []


def test_our_own_failed_probe_is_signed_and_said_once() -> None:
    census = census_of(6)
    census.accuse(member_of(census, 3), NOW)
    census.accuse(member_of(census, 3), NOW + 1)

    assert said(census) == [Suspect(accusation(1, 3))]


def test_our_own_failed_probe_adds_nothing_to_a_full_case() -> None:
    census = census_of(9)
    for accuser in (4, 5, 6):
        census.hear_suspicion(accusation(accuser, 3), RELAY, NOW)
    census.accuse(member_of(census, 3), NOW)

    assert IDS[1] not in {signed.author for signed in census.cases.evidence(IDS[3])}


# ---- verdicts


def test_a_case_that_runs_out_with_a_quorum_is_a_death_with_its_proof() -> None:
    census = census_of(8)
    for accuser in (4, 5, 6):
        census.hear_suspicion(accusation(accuser, 3), RELAY, NOW)

    assert census.expire(NOW + 3.9) == []
    assert member_of(census, 3).state is State.SUSPECT
    assert census.expire(NOW + 4.0) == []
    assert member_of(census, 3).state is State.DEAD
    assert said(census) == [Dead(IDS[3], 1, tuple(accusation(accuser, 3) for accuser in (4, 5, 6)))]


def test_a_case_that_runs_out_without_a_quorum_wants_an_own_look() -> None:
    census = census_of(8)
    census.hear_suspicion(accusation(4, 3), RELAY, NOW)
    member = member_of(census, 3)

    assert census.expire(NOW + 24.0) == [member]
    assert member.state is State.SUSPECT


def test_a_case_against_somebody_we_cannot_reach_ourselves_needs_no_quorum() -> None:
    census = census_of(8)
    census.accuse(member_of(census, 3), NOW)
    member_of(census, 3).unreachable = True
    census.expire(NOW + 24.0)

    assert member_of(census, 3).state is State.DEAD
    assert said(census) == [Suspect(accusation(1, 3))]  # no proof for others: they look themselves


def test_the_own_look_decides() -> None:
    census = census_of(8)
    for number in (3, 4):
        census.hear_suspicion(accusation(5, number), RELAY, NOW)
    cleared, condemned = census.expire(NOW + 24.0)
    census.take_changes()
    census.decide(cleared, answered=True, now=NOW + 24.5)
    census.decide(cleared, answered=False, now=NOW + 24.5)  # too late: nobody suspects it any more
    census.decide(condemned, answered=False, now=NOW + 25.0)

    assert census.take_changes() == [
        MemberChanged(IDS[3], State.SUSPECT, State.ALIVE),
        MemberChanged(IDS[4], State.SUSPECT, State.DEAD),
    ]


def test_who_was_cleared_is_accused_anew_only_by_somebody_else_or_ourselves() -> None:
    census = census_of(8)
    member = member_of(census, 3)
    census.hear_suspicion(accusation(5, 3), RELAY, NOW)
    census.expire(NOW + 24.0)
    census.decide(member, answered=True, now=NOW + 24.5)
    census.hear_suspicion(accusation(5, 3), RELAY, NOW + 30.0)
    assert member_of(census, 3).state is State.ALIVE
    census.accuse(member, NOW + 31.0)
    assert member_of(census, 3).state is State.SUSPECT
    census.expire(NOW + 100.0)
    census.decide(member, answered=True, now=NOW + 100.0)
    census.accuse(member, NOW + 101.0)

    assert member_of(census, 3).state is State.SUSPECT
    assert census.cases.deadline < NOW + 130.0


def test_a_proved_death_is_believed_at_once_and_passed_on() -> None:
    census = census_of(8)
    proof = Dead(IDS[3], 1, tuple(accusation(accuser, 3) for accuser in (4, 5, 6)))
    census.hear_dead(proof, RELAY, NOW)

    assert census.take_changes() == [
        MemberChanged(IDS[3], State.ALIVE, State.SUSPECT),
        MemberChanged(IDS[3], State.SUSPECT, State.DEAD),
    ]
    assert said(census) == [proof]
    census.hear_dead(proof, RELAY, NOW)
    census.hear_suspicion(accusation(7, 3), RELAY, NOW)
    assert census.take_changes() == []


def test_accusations_on_record_count_for_a_proof() -> None:
    census = census_of(8)
    census.accuse(member_of(census, 3), NOW)
    census.hear_suspicion(accusation(4, 3), RELAY, NOW)
    census.hear_dead(Dead(IDS[3], 1, (accusation(4, 3), accusation(5, 3))), RELAY, NOW)

    assert member_of(census, 3).state is State.DEAD


def test_a_death_without_proof_changes_nothing() -> None:
    census = census_of(8)
    signed = accusation(4, 3)
    census.hear_dead(Dead(IDS[3], 1, (signed, accusation(5, 3))), RELAY, NOW)
    census.hear_dead(Dead(IDS[3], 1, (signed, signed, signed)), RELAY, NOW)
    census.hear_dead(Dead(IDS[3], 2, (signed, accusation(5, 3), accusation(6, 3))), RELAY, NOW)
    for third in (
        accusation(6, 2),  # about somebody else
        accusation(6, 3, incarnation=2),
        accusation(9, 3),  # of a stranger
        accusation(3, 3),  # of the accused
        Signed(IDS[6], signed.signature, signed.body),  # forged
    ):
        with pytest.raises(RemoteProtocolError):
            census.hear_dead(Dead(IDS[3], 1, (signed, accusation(5, 3), third)), RELAY, NOW)

    assert member_of(census, 3).state is State.ALIVE
    assert census.take_changes() == []
    assert said(census) == []


def test_a_proof_older_than_our_own_look_is_no_news() -> None:
    census = census_of(8)
    member = member_of(census, 3)
    census.hear_suspicion(accusation(4, 3), RELAY, NOW)
    assert census.expire(NOW + 24.0) == [member]
    for accuser in (5, 6):
        census.hear_suspicion(accusation(accuser, 3), RELAY, NOW + 24.1)
    census.decide(member, answered=True, now=NOW + 24.2)
    census.hear_dead(Dead(IDS[3], 1, tuple(accusation(accuser, 3) for accuser in (4, 5, 6))), RELAY, NOW + 24.3)
    assert member_of(census, 3).state is State.ALIVE
    census.hear_dead(Dead(IDS[3], 1, tuple(accusation(accuser, 3) for accuser in (5, 6, 7))), RELAY, NOW + 24.3)

    assert member_of(census, 3).state is State.DEAD


def test_in_a_cluster_of_three_one_accuser_proves_nothing() -> None:
    census = census_of(3)
    census.hear_dead(Dead(IDS[3], 1, (accusation(2, 3),)), RELAY, NOW)
    assert member_of(census, 3).state is State.ALIVE
    census.hear_suspicion(accusation(2, 3), RELAY, NOW)

    assert census.expire(NOW + 4.0) == [member_of(census, 3)]


# ---- ourselves


def test_we_refute_what_is_said_of_our_present_incarnation() -> None:
    census = census_of(5)
    census.hear_suspicion(accusation(2, 1), RELAY, NOW)
    assert census.record.incarnation == 2
    assert said(census) == [Alive(census.signed)]
    census.hear_dead(Dead(IDS[1], 2, (accusation(3, 1, incarnation=2),)), RELAY, NOW)

    assert census.record == record_of(1, incarnation=3)


def test_an_accusation_that_we_have_refuted_makes_us_repeat_ourselves() -> None:
    census = census_of(5)
    census.hear_suspicion(accusation(2, 1), RELAY, NOW)
    said(census)
    said(census)
    census.hear_suspicion(accusation(3, 1), RELAY, NOW)

    assert census.record.incarnation == 2
    assert Alive(census.signed) in said(census)


def test_lies_about_us_move_us_not() -> None:
    census = census_of(5)
    census.hear_suspicion(accusation(2, 1, incarnation=2**63 - 1), RELAY, NOW)
    for bad in (accusation(9, 1), Signed(IDS[3], accusation(2, 1).signature, accusation(2, 1).body)):
        with pytest.raises(RemoteProtocolError):
            census.hear_suspicion(bad, RELAY, NOW)

    assert census.record.incarnation == 1
    assert said(census) == []


def test_we_rise_above_what_we_said_before_a_restart() -> None:
    census = census_of(3)
    census.hear_record(census.signed, RELAY, NOW)
    census.hear_record(signed_record(CRYPTO, 1, incarnation=0), RELAY, NOW)
    assert census.record.incarnation == 1
    census.hear_record(signed_record(CRYPTO, 1, incarnation=1, boot=77), RELAY, NOW)
    assert census.record == record_of(1, incarnation=2)
    census.hear_record(signed_record(CRYPTO, 1, incarnation=8), RELAY, NOW)
    assert census.record == record_of(1, incarnation=9)
    census.hear_leave(farewell(1, 9), RELAY, NOW)
    assert census.record == record_of(1, incarnation=10)

    forged = Signed(IDS[1], b"x" * 64, encode(record_of(1, incarnation=50)))
    with pytest.raises(BadSignatureError):
        census.hear_record(forged, RELAY, NOW)
    assert census.record.incarnation == 10


# ---- anything, in any order

ACCUSED = st.integers(2, 3)  # few, so that much happens to each
STEPS = st.one_of(
    st.tuples(st.just("record"), st.sampled_from([1, 2, 3]), st.integers(0, 3)),
    st.tuples(st.just("suspicion"), st.integers(1, 7), st.integers(1, 3), st.just(1)),
    st.tuples(st.just("suspicion"), st.integers(4, 6), ACCUSED, st.just(1)),
    st.tuples(st.just("dead"), st.sampled_from([[4, 5, 6], [1, 4, 5], [4, 4], [7]]), ACCUSED, st.integers(1, 2)),
    st.tuples(st.just("leave"), st.integers(1, 3), st.integers(0, 3)),
    st.tuples(st.just("accuse"), ACCUSED, st.booleans()),
    st.tuples(st.just("expire"), st.sampled_from([1.0, 30.0])),
    st.tuples(st.just("decide"), st.booleans()),
    st.tuples(st.just("forget"), ACCUSED),
)


@given(st.lists(STEPS, max_size=30))
@settings(deadline=None)
def test_whatever_is_said_in_whatever_order_states_and_incarnations_only_move_as_they_may(
    steps: list[tuple[Any, ...]],
) -> None:
    census = census_of(6)
    now = NOW
    undecided: list[Member] = []
    for step in steps:
        before = {node: member.incarnation for node, member in census.roster.members.items()}
        with suppress(RemoteProtocolError):
            match step:
                case ("record", number, incarnation):
                    census.hear_record(signed_record(CRYPTO, number, incarnation=incarnation), RELAY, now)
                case ("suspicion", accuser, accused, incarnation):
                    census.hear_suspicion(accusation(accuser, accused, incarnation), RELAY, now)
                case ("dead", accusers, accused, incarnation):
                    evidence = tuple(accusation(accuser, accused, incarnation) for accuser in accusers)
                    census.hear_dead(Dead(IDS[accused], incarnation, evidence), RELAY, now)
                case ("leave", number, incarnation):
                    census.hear_leave(farewell(number, incarnation), RELAY, now)
                case ("accuse", number, unreachable):
                    member = census.roster.members.get(IDS[number])
                    if member is not None and member.present:
                        member.unreachable = unreachable
                        census.accuse(member, now)
                case ("expire", wait_s):
                    now += wait_s
                    undecided += census.expire(now)
                case ("decide", answered):
                    for member in undecided:
                        census.decide(member, answered=answered, now=now)
                    undecided.clear()
                case ("forget", number):
                    undecided = [member for member in undecided if member.node != IDS[number]]
                    census.forget(IDS[number])
        for node, member in census.roster.members.items():
            assert member.incarnation >= before.get(node, 0)
            assert (member.state in (State.SUSPECT, State.DEAD)) <= (census.cases.get(node) is not None)
            assert member.state is not State.LEFT or census.cases.get(node) is None
        for change in census.take_changes():
            assert change.old is None or change.new is None or change.new in LIFE_CYCLE[change.old].values()
    assert census.record.incarnation <= 1 + len(steps) + 4


# ---- leaving


def test_a_leave_is_its_owners_and_of_no_earlier_incarnation() -> None:
    census = census_of(4)
    with pytest.raises(BadSignatureError):
        census.hear_leave(Signed(IDS[3], farewell(2).signature, farewell(2).body), RELAY, NOW)
    census.hear_record(signed_record(CRYPTO, 3, incarnation=3), RELAY, NOW)
    census.hear_leave(farewell(3, 2), RELAY, NOW)
    assert member_of(census, 3).state is State.ALIVE
    said(census)
    census.hear_leave(farewell(3, 3), RELAY, NOW)
    census.hear_leave(farewell(3, 3), RELAY, NOW)

    assert member_of(census, 3).state is State.LEFT
    assert said(census) == [Left(farewell(3, 3))]
    assert member_of(census, 3).leave == farewell(3, 3)


def test_a_leave_that_overtakes_its_record_is_not_undone_by_it() -> None:
    census = census_of(4)
    census.hear_leave(farewell(3, 5), RELAY, NOW)
    census.hear_record(signed_record(CRYPTO, 3, incarnation=5), RELAY, NOW)
    assert member_of(census, 3).state is State.LEFT
    census.hear_record(signed_record(CRYPTO, 3, incarnation=6), RELAY, NOW)

    assert member_of(census, 3).state is State.ALIVE


def test_a_suspect_and_a_dead_member_may_still_leave() -> None:
    census = census_of(8)
    census.hear_suspicion(accusation(2, 3), RELAY, NOW)
    census.hear_leave(farewell(3), RELAY, NOW)
    census.hear_dead(Dead(IDS[4], 1, tuple(accusation(accuser, 4) for accuser in (5, 6, 7))), RELAY, NOW)
    census.hear_leave(farewell(4), RELAY, NOW)

    assert [member_of(census, number).state for number in (3, 4)] == [State.LEFT, State.LEFT]
    assert said(census) == [Left(farewell(3)), Left(farewell(4))]
    assert census.expire(NOW + 1e6) == []


def test_who_has_said_farewell_signs_no_other_record() -> None:
    census = census_of(3)
    before = census.record
    census.leave()
    census.renew(dataclasses.replace(before, speed=3.0))

    assert census.record == before
    assert [type(news) for news in said(census)] == [Left]


def test_our_farewell_replaces_our_record() -> None:
    census = census_of(3)
    census.announce()
    census.leave()

    assert said(census) == [Left(farewell(1))]


def test_the_forgotten_are_not_mentioned_again() -> None:
    census = census_of(5)
    census.hear_record(signed_record(CRYPTO, 3, incarnation=2), RELAY, NOW)
    census.hear_suspicion(accusation(2, 3, incarnation=2), RELAY, NOW)
    census.forget(IDS[3])
    census.forget(IDS[3])

    assert said(census) == []
    assert [change.new for change in census.take_changes()] == [State.ALIVE, State.SUSPECT, None]
    assert census.expire(NOW + 1e6) == []
