"""Reaching: whether others can dial a node, as it finds out, and what follows if they cannot."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import TypeVar

import pytest

from pnode.protocol.cut_off import CUT_OFF_S
from pnode.protocol.effects import Dial, Disconnect, Knock, Meet, Send
from pnode.protocol.events import Knocked
from pnode.protocol.frames import Frames
from pnode.protocol.ids import NodeId
from pnode.protocol.knocking import KNOCKS_MAX, PATIENCE_S, WAITING_MAX
from pnode.protocol.membership import Membership
from pnode.protocol.reaching import (
    ACCUSED_AGAIN_S,
    AGAIN_S,
    AGAIN_S_MAX,
    ANSWER_S,
    ASKED_MAX,
    DIALS_MAX,
    DOUBTED_MAX,
    DRAWN_MAX,
    FRAMES,
    FRESH_S,
    HIDDEN_AGAIN_S,
    KEPT_MAX,
    NEXT,
    REDIAL_S,
    SUMMONS_BURST,
    TURN_S,
    UNKNOWN_AGAIN_S,
    Finding,
    Reach,
    Reaching,
    Summon,
    Tried,
    TryMe,
)
from pnode.protocol.record import RELAYS_MAX
from pnode.protocol.roster import State
from pnode.protocol.signed import Kind, sign

from .members import CLUSTER, START, Network, record_of, seed_of

T = TypeVar("T")

READ = Frames(FRAMES)


class One:
    """A member that believes in others, and what it does about being reached."""

    def __init__(self, size: int, *sessions: int) -> None:
        self.network = Network()
        self.membership: Membership = self.network.alone(size).membership
        self.sessions: dict[NodeId, NodeId | None] = {self.id(number): None for number in sessions}
        self.reaching = Reaching(self.membership, self.sessions, Random(1))
        self.now = START

    def id(self, number: int) -> NodeId:
        return self.network.id_of(number)

    def ids(self, numbers: Iterable[int]) -> list[NodeId]:
        return [self.id(number) for number in numbers]

    def hides(self, number: int, *relays: int) -> None:
        """Somebody's record names relays from now on."""
        named = tuple(self.id(relay)[:8] for relay in relays)
        record = replace(record_of(number, incarnation=2), relays=named)
        self.membership.learn(sign(self.network.crypto, seed_of(number), Kind.RECORD, CLUSTER, record), self.now)

    def hears_nothing_of(self, number: int) -> None:
        """A session is opened, and then no probe is answered."""
        self.reaching.session_opened(self.id(number), self.now)
        member = self.membership.members[self.id(number)]
        member.route, member.proven = member.route + 3, False
        self.now += FRESH_S

    def after(self, seconds: float) -> list[object]:
        """What it does in that time; membership's own words left out."""
        done: list[object] = []
        end = self.now + seconds
        while self.reaching.deadline <= end:
            self.now = max(self.now, self.reaching.deadline)
            done += self.reaching.tick(self.now)
        self.now = end
        return [
            each for each in done if isinstance(each, Dial) or (isinstance(each, Send) and each.payload[1] in FRAMES)
        ]

    def asks(self) -> list[tuple[NodeId, int]]:
        """Begin the next round; whom it asks, and the nonce."""
        self.now = max(self.now, self.reaching.deadline)
        sent = [each for each in self.reaching.tick(self.now) if isinstance(each, Send) and each.payload[1] in FRAMES]
        return [(each.peer, READ.decode(each.payload).nonce) for each in sent]

    def learn(self, *reached: bool) -> None:
        """A round in which those who are asked answer this."""
        self.reaching.met(self.now)
        for (peer, nonce), answer in zip(self.asks(), reached, strict=True):
            self.reaching.message(peer, Tried(nonce, answer), self.now)


def of(kind: type[T], done: Iterable[object]) -> list[T]:
    return [each for each in done if isinstance(each, kind)]


def test_every_state_knows_every_finding() -> None:
    assert all(NEXT[state].keys() == set(Finding) for state in Reach)
    assert all(NEXT[state][Finding.SILENCE] is state for state in Reach)


def test_nobody_is_asked_while_nobody_is_there() -> None:
    one = One(1)

    assert one.reaching.deadline == float("inf")
    one.reaching.met(one.now)
    assert one.asks() == []
    assert one.reaching.deadline == float("inf")


def test_who_has_heard_nothing_yet_goes_on_asking_those_with_whom_there_is_a_session() -> None:
    one = One(12, 5)
    one.reaching.met(one.now)
    one.asks()

    one.after(ANSWER_S)

    assert [peer for peer, _ in one.asks()] == [one.id(5)]


def test_three_are_asked_first_those_with_whom_there_is_a_session() -> None:
    one = One(12, 5)
    one.reaching.met(one.now)

    assert [peer for peer, _ in one.asks()] == [one.id(5)]
    one = One(12)
    one.reaching.met(one.now)
    assert len({peer for peer, _ in one.asks()}) == ASKED_MAX


def test_of_a_crowd_of_hidden_members_three_that_can_be_dialled_are_found_all_the_same() -> None:
    one = One(6 * DRAWN_MAX)
    openly = {7, 2 * DRAWN_MAX, 5 * DRAWN_MAX}
    for number in set(range(2, 6 * DRAWN_MAX + 1)) - openly:
        one.hides(number, 7)
    one.reaching.met(one.now)

    for _ in range(10):
        assert {peer for peer, _ in one.asks()} == {one.id(number) for number in openly}
        one.after(ANSWER_S)


@pytest.mark.parametrize(
    ("reached", "state"),
    [
        ((True, True, True), Reach.OPEN),
        ((True, False, True), Reach.OPEN),
        ((False, True, False), Reach.HIDDEN),
        ((False, False, False), Reach.HIDDEN),
    ],
)
def test_most_are_believed_so_that_one_that_lies_is_outvoted(reached: tuple[bool, ...], state: Reach) -> None:
    one = One(8)

    one.learn(*reached)

    assert one.reaching.state is state
    assert sorted(one.reaching.testimony.values()) == sorted(reached)


def test_whoever_has_only_one_to_ask_believes_it() -> None:
    one = One(2)

    one.learn(False)

    assert one.reaching.state is Reach.HIDDEN


def test_silence_changes_nothing_and_it_asks_again() -> None:
    one = One(4)
    one.reaching.met(one.now)
    assert len(one.asks()) == 3

    assert one.after(ANSWER_S) == []
    assert one.reaching.state is Reach.UNKNOWN
    assert one.reaching.deadline == pytest.approx(one.now + UNKNOWN_AGAIN_S), "others do not wait to accuse it"
    assert len(one.asks()) == 3


def test_those_who_answered_count_when_the_others_are_silent() -> None:
    one = One(4)
    one.reaching.met(one.now)
    (peer, nonce), *_ = one.asks()
    one.reaching.message(peer, Tried(nonce, reached=False), one.now)

    before = one.reaching.state
    one.after(ANSWER_S)

    assert (before, one.reaching.state) == (Reach.UNKNOWN, Reach.HIDDEN)


def test_who_was_not_asked_or_answers_something_else_is_not_heard() -> None:
    one = One(9)
    one.reaching.met(one.now)
    asked = one.asks()
    stranger = next(node for node in one.ids(range(2, 10)) if node not in dict(asked))

    for peer, nonce in asked:
        one.reaching.message(peer, Tried(nonce + 1, reached=False), one.now)
        one.reaching.message(stranger, Tried(nonce, reached=False), one.now)

    one.after(ANSWER_S)
    assert one.reaching.testimony == {}


def test_an_open_node_asks_more_and_more_rarely() -> None:
    one = One(4)
    pauses = []
    for _ in range(9):
        one.learn(True, True, True)
        pauses.append(one.reaching.deadline - one.now)

    assert pauses[:3] == pytest.approx([AGAIN_S, 2 * AGAIN_S, 4 * AGAIN_S])
    assert pauses[-1] == pytest.approx(AGAIN_S_MAX)


def test_an_accusation_is_a_reason_to_ask_but_not_all_the_time() -> None:
    one = One(4)
    one.learn(True, True, True)
    one.membership.update_record(one.membership.record, one.now)  # as a refutation does

    one.reaching.look(one.now)
    assert one.reaching.deadline == pytest.approx(one.now + ACCUSED_AGAIN_S)
    one.reaching.look(one.now)
    assert one.reaching.deadline == pytest.approx(one.now + ACCUSED_AGAIN_S)


def test_a_hidden_node_dials_everybody_it_can_a_few_at_a_time() -> None:
    one = One(8, 2)
    one.hides(3, 2)
    one.learn(False)

    first = of(Dial, one.after(0.0))
    assert len(first) == DIALS_MAX
    later = of(Dial, one.after(TURN_S))
    dialled = [dial.peer for dial in first + later]
    assert sorted(peer for peer in dialled if peer) == sorted(one.ids((4, 5, 6, 7, 8)))
    assert all(dial.addresses == one.membership.members[dial.peer].record.addresses for dial in first if dial.peer)


def test_whom_it_cannot_reach_it_dials_more_and_more_rarely() -> None:
    one = One(3, 2)
    one.learn(False)
    times = []
    for _ in range(round(HIDDEN_AGAIN_S)):
        times += [one.now for _ in of(Dial, one.after(TURN_S))]

    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps[:4] == pytest.approx([REDIAL_S, 2 * REDIAL_S, 4 * REDIAL_S, 8 * REDIAL_S], abs=TURN_S)


def test_a_session_through_a_relay_is_no_substitute_for_a_direct_one() -> None:
    one = One(3, 2)
    one.sessions[one.id(3)] = one.id(2)
    one.learn(False, False)

    assert [dial.peer for dial in of(Dial, one.after(0.0))] == [one.id(3)]
    assert one.membership.record.relays == (one.id(2)[:8],)


def test_in_a_crowd_it_keeps_one_neighbourhood() -> None:
    one = One(KEPT_MAX + 40)
    one.learn(False, False, False)
    dialled: dict[NodeId | None, None] = {}
    for _ in range(60):
        for dial in of(Dial, one.after(TURN_S)):
            dialled[dial.peer] = None
            if dial.peer is not None:
                one.sessions[dial.peer] = None

    assert len(dialled) == KEPT_MAX
    assert len(one.reaching._redial) <= KEPT_MAX


def test_it_names_up_to_three_with_whom_it_has_a_session_and_stays_with_them() -> None:
    one = One(8, 2, 3, 4, 5)
    one.hides(5, 2)
    one.learn(False, False, False)
    one.after(0.0)

    named = one.membership.record.relays
    assert sorted(named) == sorted(node[:8] for node in one.ids((2, 3, 4)))
    one.sessions[one.id(6)] = None
    one.after(10 * TURN_S)
    assert one.membership.record.relays == named
    lost = one.membership.by_short(named[0])
    assert lost is not None
    del one.sessions[lost]
    one.after(2 * TURN_S)
    assert one.membership.record.relays == (*named[1:], one.id(6)[:8])
    assert len(one.membership.record.relays) == RELAYS_MAX


def test_without_any_session_it_goes_on_naming_those_who_may_come_back() -> None:
    one = One(3, 2)
    one.learn(False)
    one.after(0.0)
    one.sessions.clear()

    one.after(10 * TURN_S)

    assert one.membership.record.relays == (one.id(2)[:8],)


@pytest.mark.parametrize("reached", [True, False])
def test_whoever_had_nobody_to_ask_for_a_while_asks_when_somebody_is_there_again(reached: bool) -> None:
    one = One(3, 2)
    one.learn(reached)
    for number in (2, 3):
        one.membership.expel(one.id(number), one.now)
    one.sessions.clear()
    one.after(AGAIN_S + HIDDEN_AGAIN_S)
    record = replace(record_of(4, incarnation=1))
    one.membership.learn(sign(one.network.crypto, seed_of(4), Kind.RECORD, CLUSTER, record), one.now)

    one.reaching.met(one.now)
    one.reaching.met(one.now)

    assert one.reaching.deadline <= one.now
    assert [peer for peer, _ in one.asks()] == [one.id(4)]


def test_a_relay_that_is_merely_suspect_stays_named() -> None:
    one = One(6, 2, 3, 4)
    one.learn(False, False, False)
    one.after(0.0)
    before = one.membership.record
    suspect = one.membership.members[one.id(2)]
    suspect.state = State.SUSPECT
    one.membership._roster._alive = None

    one.sessions[one.id(5)] = None
    one.after(5 * TURN_S)

    assert one.membership.record == before
    suspect.state = State.DEAD
    one.after(2 * TURN_S)
    assert one.id(2)[:8] not in one.membership.record.relays
    assert one.id(5)[:8] in one.membership.record.relays


def test_who_can_be_dialled_again_takes_its_relays_back() -> None:
    one = One(3, 2, 3)
    one.learn(False, False)
    one.after(0.0)
    before = len(one.membership.record.relays)

    one.now += HIDDEN_AGAIN_S
    one.learn(True, True)

    assert (before, len(one.membership.record.relays)) == (2, 0)
    assert of(Dial, one.after(5 * TURN_S)) == []


def test_relays_of_a_member_are_those_that_can_be_dialled() -> None:
    one = One(6)
    one.hides(2, 1, 3, 4)
    one.hides(4, 3)

    assert one.reaching.relays_of(one.id(2)) == (one.id(3),)
    assert one.reaching.relays_of(one.id(5)) == ()
    assert one.reaching.relays_of(one.id(77)) == ()


def test_sessions_through_a_suspect_are_given_up() -> None:
    one = One(6)
    one.sessions.update({one.id(2): one.id(3), one.id(4): one.id(3), one.id(5): one.id(6), one.id(3): None})

    over = of(Disconnect, one.reaching.left(one.id(3)))

    assert [each.peer for each in over] == [one.id(2), one.id(4)]


def test_a_relay_that_passes_nothing_on_is_left_and_is_the_last_choice_then() -> None:
    one = One(6)
    one.hides(2, 3, 4)
    first, second = one.reaching.relays_of(one.id(2))
    one.sessions[one.id(2)] = first
    one.hears_nothing_of(2)

    over = of(Disconnect, one.reaching.look(one.now))

    assert [each.peer for each in over] == [one.id(2)]
    assert one.reaching.relays_of(one.id(2)) == (second, first)


def test_a_relay_is_not_to_blame_for_a_session_that_is_new_or_was_silent_before() -> None:
    one = One(6)
    one.hides(2, 3, 4)
    ways = one.reaching.relays_of(one.id(2))
    one.sessions[one.id(2)] = ways[0]
    member = one.membership.members[one.id(2)]
    member.route, member.proven = member.route + 3, False
    one.reaching.session_opened(one.id(2), one.now)
    one.now += FRESH_S
    assert one.reaching.look(one.now) == []

    one.reaching.session_opened(one.id(2), one.now)
    member.route += 3
    assert one.reaching.look(one.now) == []
    assert one.reaching.relays_of(one.id(2)) == ways


def test_relays_in_doubt_do_not_fill_the_memory() -> None:
    one = One(DOUBTED_MAX + 20)
    for number in range(3, DOUBTED_MAX + 15):
        one.sessions[one.id(2)] = one.id(number)
        one.hears_nothing_of(2)
        one.reaching.look(one.now)

    assert len(one.reaching._doubted) == DOUBTED_MAX


def test_who_asks_is_dialled_at_the_addresses_of_its_record_and_told() -> None:
    one = One(3)

    (knock,) = of(Knock, one.reaching.message(one.id(2), TryMe(7), one.now))
    assert knock == Knock(one.id(2), one.membership.members[one.id(2)].record.addresses, 7)
    assert one.reaching.message(one.id(2), TryMe(8), one.now) == []
    (told,) = of(Send, one.reaching.knocked(Knocked(one.id(2), 7, reached=True), one.now))
    assert (told.peer, READ.decode(told.payload)) == (one.id(2), Tried(7, reached=True))


def test_nobody_can_have_us_dial_all_the_time_or_everybody_at_once() -> None:
    one = One(KNOCKS_MAX + 9)
    asking = one.ids(range(2, KNOCKS_MAX + 9))
    knocks = [knock for node in asking for knock in one.reaching.message(node, TryMe(1), one.now)]
    assert len(knocks) == KNOCKS_MAX

    one = One(3)
    answered = 0
    for nonce in range(100):
        knocked = one.reaching.message(one.id(2), TryMe(nonce), one.now)
        answered += len(knocked)
        if knocked:
            one.reaching.knocked(Knocked(one.id(2), nonce, reached=False), one.now)
        one.now += 0.1
    assert answered <= 7


def test_of_a_crowd_everybody_is_dialled_in_turn_as_long_as_it_waits() -> None:
    one = One(KNOCKS_MAX + WAITING_MAX + 9)
    asking = one.ids(range(2, KNOCKS_MAX + WAITING_MAX + 9))
    under_way = [knock.peer for node in asking for knock in of(Knock, one.reaching.message(node, TryMe(1), one.now))]
    dialled: list[NodeId] = []
    one.now += PATIENCE_S
    while under_way:
        dialled.append(under_way.pop(0))
        under_way += [each.peer for each in of(Knock, one.reaching.knocked(Knocked(dialled[-1], 1, False), one.now))]

    assert dialled == asking[: KNOCKS_MAX + WAITING_MAX]


def test_whose_turn_comes_too_late_is_not_dialled() -> None:
    one = One(KNOCKS_MAX + 9)
    for node in one.ids(range(2, KNOCKS_MAX + 9)):
        one.reaching.message(node, TryMe(1), one.now)

    one.now += PATIENCE_S + 0.1
    assert of(Knock, one.reaching.knocked(Knocked(one.id(2), 1, reached=False), one.now)) == []


def test_strangers_are_not_dialled() -> None:
    one = One(3)

    assert one.reaching.message(one.id(9), TryMe(7), one.now) == []


def test_who_is_asked_for_small_files_comes_for_each_new_stream() -> None:
    one = One(4)
    came = 0
    for _ in range(400):  # seven a second for a minute
        came += len(one.reaching.message(one.id(2), Summon(b"t" * 16, one.id(2)), one.now))
        one.now += 1 / 7

    assert came == 400


def test_who_is_summoned_comes_but_not_to_a_flood() -> None:
    one = One(4)
    caller = one.id(3)

    assert one.reaching.message(one.id(2), Summon(b"t" * 16, caller), one.now) == [Meet(one.id(2), b"t" * 16, caller)]
    more = [one.reaching.message(one.id(2), Summon(b"t" * 16, caller), one.now) for _ in range(2 * SUMMONS_BURST)]
    assert sum(map(len, more)) == SUMMONS_BURST - 1


def test_who_was_not_reached_by_any_way_is_passed_over_more_and_more_rarely_tried() -> None:
    one = One(6)
    one.hides(2, 3)
    far = one.id(2)
    pauses = []
    for _ in range(4):
        one.reaching.dial_failed(far, one.now)
        began = one.now
        while one.reaching.is_cut_off(far, one.now):
            one.now += 1.0
        pauses.append(one.now - began)

    assert pauses == pytest.approx([CUT_OFF_S, 2 * CUT_OFF_S, 4 * CUT_OFF_S, 8 * CUT_OFF_S])
    assert list(one.membership.ways.cut_off) == [far], "gossip passes it over all the while"


def test_a_session_ends_being_cut_off() -> None:
    one = One(6)
    one.hides(2, 3)
    one.reaching.dial_failed(one.id(2), one.now)

    one.sessions[one.id(2)] = one.id(3)
    one.reaching.session_opened(one.id(2), one.now)

    assert not one.reaching.is_cut_off(one.id(2), one.now)
    assert one.membership.ways.cut_off == {}


def test_who_can_be_dialled_or_is_forgotten_is_not_cut_off() -> None:
    one = One(6)
    one.hides(2, 3)
    one.reaching.dial_failed(one.id(2), one.now)
    one.reaching.dial_failed(one.id(4), one.now)
    cut_off = list(one.membership.ways.cut_off)

    one.membership.expel(one.id(2), one.now)
    one.reaching.look(one.now)

    assert cut_off == [one.id(2)]
    assert one.membership.ways.cut_off == {}


def test_a_relay_knows_how_many_depend_on_it() -> None:
    one = One(6)
    for number in (2, 3):
        one.hides(number, 1, 4)

    one.reaching.look(one.now)

    assert one.membership.ways.clients == 2

    one.hides(5, 1)
    one.reaching.met(one.now)
    one.reaching.look(one.now)

    assert one.membership.ways.clients == 3
