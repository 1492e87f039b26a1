"""Leases of those who follow."""

from pnode.protocol.followers import FOLLOWERS_MAX, LEASE_S, Followers
from pnode.protocol.ids import NodeId
from pnode.protocol.interest import FOLLOWED_MAX, RENEW_S


def node(number: int) -> NodeId:
    return NodeId(number.to_bytes(32, "big"))


def test_a_lease_runs_out_unless_it_is_renewed() -> None:
    followers = Followers()
    followers.add(node(1), 0.0)
    followers.add(node(2), 0.0)
    followers.add(node(1), RENEW_S)

    assert followers.current(LEASE_S - 0.1) == [(node(1), False), (node(2), False)]
    assert followers.current(LEASE_S) == [(node(1), False)]
    assert followers.current(LEASE_S + RENEW_S) == []


def test_there_are_so_many_places_and_those_whose_lease_ran_out_make_room() -> None:
    followers = Followers()
    for number in range(FOLLOWERS_MAX):
        assert followers.add(node(number), float(number == 0))

    assert not followers.add(node(999), 0.0)
    assert followers.add(node(5), 0.5)  # who has a place keeps it
    assert followers.add(node(999), LEASE_S)
    assert [each for each, _ in followers.current(LEASE_S)] == [node(0), node(5), node(999)]


def test_who_has_left_makes_room_at_once() -> None:
    followers = Followers()
    followers.add(node(1), 0.0)
    followers.drop(node(1))
    followers.drop(node(1))

    assert followers.current(0.0) == []


def test_two_questions_may_be_lost_and_everybody_may_be_followed_by_all_whom_it_follows() -> None:
    assert LEASE_S >= 3 * RENEW_S
    assert FOLLOWERS_MAX >= 2 * FOLLOWED_MAX


def test_a_follower_is_told_by_the_way_on_which_it_asked_last() -> None:
    followers = Followers()
    followers.add(node(1), 0.0, by_session=True)
    followers.add(node(2), 0.0)
    followers.add(node(2), 1.0, by_session=True)
    followers.add(node(1), 1.0)

    assert followers.current(2.0) == [(node(1), False), (node(2), True)]
