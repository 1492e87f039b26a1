"""Whom a node follows."""

import math
from itertools import pairwise
from random import Random

import pytest

from pnode.protocol.ids import NodeId
from pnode.protocol.interest import ASK_AGAIN_S, FAR_MAX, FOLLOWED_MAX, NEARER, RENEW_S, RIDE_S, SILENT_MAX, Interest
from pnode.protocol.roster import Happening, Member, Roster
from pnode.protocol.signed import Signed

from .members import record_of

NOW = 1000.0


def node(number: int) -> NodeId:
    return NodeId(number.to_bytes(4, "big") * 8)


class Crowd:
    """A node and those whom it has met, with what is nearest first."""

    def __init__(self, size: int) -> None:
        self.roster = Roster(node(0), Random(1), 30.0)
        self.interest = Interest(self.roster, Random(2))
        for number in range(1, size):
            self.meet(number)

    def meet(self, number: int, *, boot: int = 1) -> bool:
        record = record_of(number, boot=boot)
        member = self.roster.members.get(node(number))
        if member is None:
            member = Member(node(number), record, Signed(node(number), b"s" * 64, b""), 1, NOW)
            self.roster.add(member)
        member.record = record
        return self.interest.met(member, NOW)

    def turn(self, number: int, *happenings: Happening) -> None:
        for happening in happenings:
            self.roster.turn(self.roster.members[node(number)], happening, NOW)

    @property
    def followed(self) -> list[int]:
        return [number for number in range(1, len(self.roster.members) + 1) if node(number) in self.interest]


DIE = (Happening.ACCUSED, Happening.CONDEMNED)


def test_a_small_cluster_is_followed_as_a_whole() -> None:
    crowd = Crowd(FOLLOWED_MAX + 1)
    assert crowd.interest.is_everybody
    assert crowd.interest.take_newly() == [node(number) for number in range(1, FOLLOWED_MAX + 1)]
    assert crowd.interest.exchange(NOW) == []
    crowd.turn(5, Happening.ACCUSED)
    assert crowd.interest.suspected(node(5), NOW) == []

    assert len(crowd.followed) == FOLLOWED_MAX
    assert crowd.interest.take_newly() == []


def test_in_a_crowd_those_are_followed_who_are_nearest_and_some_who_were_drawn() -> None:
    crowd = Crowd(400)
    assert not crowd.interest.is_everybody
    for turn in range(3):
        crowd.interest.exchange(NOW + turn)
        for number in range(1, 400):
            crowd.interest.measured(node(number), 0.001 * NEARER ** (-number), NOW + turn)

    near = FOLLOWED_MAX - FAR_MAX
    drawn = [number for number in crowd.followed if node(number) in crowd.interest._far]
    assert len(crowd.followed) == FOLLOWED_MAX
    assert len(drawn) == FAR_MAX
    assert max(drawn) > FOLLOWED_MAX
    assert max(number for number in crowd.followed if number not in drawn) <= near + FAR_MAX + 1


def test_who_is_only_a_little_nearer_takes_nobodys_place() -> None:
    crowd = Crowd(FOLLOWED_MAX + 3)
    for number in range(1, FOLLOWED_MAX + 1):
        crowd.interest.measured(node(number), 0.010, NOW)
    newcomer = node(FOLLOWED_MAX + 1)

    assert crowd.interest.measured(newcomer, 0.0081, NOW) == []
    assert newcomer not in crowd.interest
    (left,) = crowd.interest.measured(newcomer, 0.0079, NOW)
    assert newcomer in crowd.interest
    assert left not in crowd.interest


@pytest.mark.parametrize("seed", range(10))
def test_whatever_has_happened_the_farthest_of_those_who_were_not_drawn_gives_way(seed: int) -> None:
    crowd, rng = Crowd(200), Random(seed)
    interest, rtts_s, gave_way = crowd.interest, dict[NodeId, float](), 0
    for _ in range(3000):
        number = rng.randrange(1, 200)
        near = [other for other in map(node, crowd.followed) if other not in interest._far]
        farthest_s = max(rtts_s.get(other, math.inf) for other in near)
        match rng.randrange(30):
            case 0:
                interest.exchange(NOW)
            case 1:
                interest.gone(node(number), NOW)
                rtts_s.pop(node(number), None)
            case 2:
                interest.refused(node(number), 0.0, NOW)
            case _:
                told_s = rng.uniform(0.001, 0.1)
                left = interest.measured(node(number), told_s, NOW)
                rtts_s[node(number)] = min(told_s, (told_s + rtts_s.get(node(number), told_s)) / 2)
                gave_way += len(left)
                assert [rtts_s.get(other, math.inf) for other in left] == [farthest_s] * len(left)

    assert gave_way > 50


def test_one_of_the_drawn_is_exchanged_at_a_time_the_oldest_first() -> None:
    crowd = Crowd(400)
    crowd.interest.exchange(NOW)
    before = list(crowd.interest._far)
    left = crowd.interest.exchange(NOW + 30.0)

    assert left == before[:1]
    assert list(crowd.interest._far)[:-1] == before[1:]
    assert len(crowd.followed) == FOLLOWED_MAX


@pytest.mark.parametrize("way", ["suspected", "gone", "refused"])
def test_the_place_of_who_is_of_no_use_is_given_away_at_once(way: str) -> None:
    crowd = Crowd(400)
    crowd.interest.take_newly()
    if way == "refused":
        left = crowd.interest.refused(node(7), 300.0, NOW)
    else:
        crowd.turn(7, *(DIE if way == "gone" else DIE[:1]))
        left = getattr(crowd.interest, way)(node(7), NOW)

    assert left == [node(7)]
    assert len(crowd.followed) == FOLLOWED_MAX
    assert len(crowd.interest.take_newly()) == 1
    assert crowd.interest.gone(node(7), NOW) == []


def test_who_has_no_place_for_us_is_left_alone_for_as_long_as_it_says() -> None:
    crowd = Crowd(3)
    crowd.interest.refused(node(1), 300.0, NOW)

    crowd.interest.measured(node(1), 0.001, NOW + 299.0)
    assert crowd.followed == [2]
    crowd.interest.measured(node(1), 0.001, NOW + 301.0)
    assert crowd.followed == [1, 2]
    assert crowd.interest.refused(node(9), 300.0, NOW) == []


def test_when_a_crowd_becomes_small_everybody_is_followed() -> None:
    crowd = Crowd(FOLLOWED_MAX + 3)
    for number in (1, 2):
        crowd.turn(number, *DIE)
        crowd.interest.gone(node(number), NOW)

    assert crowd.followed == list(range(3, FOLLOWED_MAX + 3))


def test_round_trips_of_those_who_are_gone_or_unknown_change_nothing() -> None:
    crowd = Crowd(3)
    crowd.turn(1, *DIE)
    crowd.interest.gone(node(1), NOW)

    assert crowd.interest.measured(node(1), 0.001, NOW) == []
    assert crowd.interest.measured(node(77), 0.001, NOW) == []
    assert crowd.followed == [2]


def test_nobody_is_asked_before_the_set_is_opened_and_then_all_are() -> None:
    crowd = Crowd(3)
    assert crowd.interest.deadline == float("inf")
    assert not crowd.interest.rides(node(1), NOW)
    crowd.interest.open(NOW)
    crowd.interest.open(NOW + 1.0)
    assert crowd.interest.deadline == NOW
    crowd.meet(3)

    assert crowd.interest.due(NOW) == [node(1), node(2), node(3)]


def test_who_does_not_answer_is_asked_ever_more_seldom_and_who_does_once_a_minute() -> None:
    crowd = Crowd(2)
    crowd.interest.open(NOW)
    asked: list[float] = []
    while len(asked) < 9:
        asked.append(crowd.interest.deadline - NOW)
        crowd.interest.due(crowd.interest.deadline)
    pauses_s = [after - before for before, after in pairwise(asked)]

    assert pauses_s == [min(ASK_AGAIN_S * 2**step, RENEW_S) for step in range(8)]
    crowd = Crowd(2)
    crowd.interest.open(NOW)
    crowd.interest.due(NOW)
    crowd.interest.told(node(1))
    crowd.interest.told(node(1))
    assert crowd.interest.has_told(node(1))
    assert crowd.interest.deadline == NOW + RENEW_S


def test_a_question_rides_along_in_the_second_half_of_a_minute() -> None:
    crowd = Crowd(2)
    crowd.interest.open(NOW)
    crowd.interest.due(NOW)
    crowd.interest.told(node(1))

    assert not crowd.interest.rides(node(1), NOW + RIDE_S - 0.1)
    assert crowd.interest.rides(node(1), NOW + RIDE_S)
    assert crowd.interest.deadline == NOW + RIDE_S + RENEW_S
    assert not crowd.interest.rides(node(5), NOW)


def test_a_new_process_of_somebody_is_asked_anew() -> None:
    crowd = Crowd(2)
    crowd.interest.open(NOW)
    crowd.interest.due(NOW)
    crowd.interest.told(node(1))
    assert not crowd.meet(1)
    assert crowd.meet(1, boot=2)

    assert not crowd.interest.has_told(node(1))
    assert crowd.interest.due(NOW) == [node(1)]


def test_who_tells_something_before_it_was_asked_is_asked_all_the_same_and_nobody_was_late() -> None:
    crowd = Crowd(2)
    crowd.interest.open(NOW)
    crowd.interest.told(node(1))  # our lease is from before we were restarted

    assert crowd.interest.deadline == NOW
    assert crowd.interest.due(NOW) == [node(1)]
    assert crowd.interest.deadline == NOW + RENEW_S


def test_who_refused_us_once_is_followed_again_when_it_may_be_and_there_is_a_place() -> None:
    crowd = Crowd(3)
    crowd.interest.refused(node(1), 300.0, NOW)

    assert crowd.interest.exchange(NOW + 299.0) == []
    assert crowd.followed == [2]
    assert crowd.interest.exchange(NOW + 301.0) == []
    assert crowd.followed == [1, 2]


def test_who_says_that_it_may_be_asked_again_at_once_is_not() -> None:
    crowd = Crowd(2)
    crowd.interest.open(NOW)
    crowd.interest.due(NOW)
    crowd.interest.refused(node(1), 0.0, NOW)

    assert crowd.followed == []
    crowd.interest.exchange(NOW + RENEW_S)
    assert crowd.followed == [1]


def test_never_are_more_drawn_than_there_are_places_for_those() -> None:
    crowd = Crowd(FOLLOWED_MAX + 10)
    crowd.interest.exchange(NOW)
    for number in crowd.followed[: 2 * FAR_MAX]:
        crowd.interest.refused(node(number), 1.0, NOW)
    for turn in range(3):
        crowd.interest.exchange(NOW + 30.0 * (turn + 1))

    assert len(crowd.interest._far) <= FAR_MAX
    assert len(crowd.followed) == FOLLOWED_MAX


def test_who_is_not_heard_by_datagram_is_asked_over_a_session() -> None:
    crowd = Crowd(2)
    crowd.interest.open(NOW)
    asked_so = []
    for _ in range(SILENT_MAX + 1):
        asked_so.append(crowd.interest.wants_session(node(1)))
        crowd.interest.due(crowd.interest.deadline)
    crowd.interest.told(node(1), by_session=True)

    assert asked_so == [False] * SILENT_MAX + [True]
    assert crowd.interest.wants_session(node(1))
    crowd.roster.members[node(1)].proven = True  # its answers to our pings come
    assert not crowd.interest.wants_session(node(1))
    crowd.roster.members[node(1)].proven = False
    crowd.interest.told(node(1))
    assert not crowd.interest.wants_session(node(1))
    assert not crowd.interest.wants_session(node(9))
