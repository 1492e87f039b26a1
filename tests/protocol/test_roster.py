"""The life cycle as a table, and the ring."""

import dataclasses
from collections import Counter
from random import Random

import pytest

from pnode.protocol import roster as roster_module
from pnode.protocol.ids import NodeId
from pnode.protocol.record import Address
from pnode.protocol.roster import LIFE_CYCLE, Happening, Member, Roster, RosterFullError, State
from pnode.protocol.signed import Signed

from .members import record_of


def member(number: int, now: float = 0.0) -> Member:
    node = NodeId(number.to_bytes(8, "big") * 4)
    return Member(node, record_of(number), Signed(node, b"s" * 64, b""), 1, now)


def roster_of(size: int, seed: int = 1) -> tuple[Roster, list[Member]]:
    roster = Roster(NodeId(b"m" * 32), Random(seed), 30.0)
    members = [member(number) for number in range(1, size + 1)]
    for one in members:
        roster.add(one)
    return roster, members


PATHS: dict[State, list[Happening]] = {
    State.ALIVE: [],
    State.SUSPECT: [Happening.ACCUSED],
    State.DEAD: [Happening.ACCUSED, Happening.CONDEMNED],
    State.LEFT: [Happening.DEPARTED],
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("happening", Happening)
def test_a_member_lives_as_the_table_says(state: State, happening: Happening) -> None:
    roster, (one, _) = roster_of(2)
    for step in PATHS[state]:
        roster.turn(one, step, 1.0)
    assert one.state is state
    if happening not in LIFE_CYCLE[state]:
        with pytest.raises(KeyError):
            roster.turn(one, happening, 2.0)
        return
    old = roster.turn(one, happening, 2.0)

    assert old is state
    assert one.state is LIFE_CYCLE[state][happening]
    assert one.since == (2.0 if one.state is not state else float(bool(PATHS[state])))
    assert (one in roster.present) is one.present is (one.state in (State.ALIVE, State.SUSPECT))
    assert roster.size == 2 + one.present


def test_only_a_record_brings_the_gone_back_and_only_a_suspect_dies() -> None:
    for state in (State.DEAD, State.LEFT):
        back = [happening for happening, new in LIFE_CYCLE[state].items() if new in (State.ALIVE, State.SUSPECT)]
        assert back == [Happening.RENEWED]

    assert [state for state, row in LIFE_CYCLE.items() if State.DEAD in row.values()] == [State.SUSPECT]


def test_everybody_is_probed_once_per_round_and_each_round_has_its_own_order() -> None:
    roster, members = roster_of(10)
    rounds = [[roster.next_to_probe() for _ in range(10)] for _ in range(4)]

    for order in rounds[1:]:
        assert Counter(one.node for one in order if one) == Counter(one.node for one in members)
    assert rounds[1] != rounds[2] != rounds[3]


def test_a_lone_node_probes_nobody() -> None:
    roster, _ = roster_of(0)

    assert roster.next_to_probe() is None
    assert roster.next_listeners(3, 0.0) == []
    assert roster.size == 1


def test_coming_and_going_makes_nobody_be_skipped() -> None:
    roster, members = roster_of(10)
    first = [roster.next_to_probe() for _ in range(15)][10:]  # in the middle of a round
    gone = first[2]
    assert gone is not None
    roster.remove(gone.node)
    roster.add(member(77))
    rest: list[NodeId] = []
    while (one := roster.next_to_probe()) and one not in first and len(rest) < 10:
        rest.append(one.node)
    expected = {one.node for one in members} - {one.node for one in first if one}

    assert expected <= set(rest)
    assert set(rest) <= expected | {member(77).node}


def test_the_lately_dead_still_listen_for_a_while() -> None:
    roster, members = roster_of(3)
    for at, one in ((10.0, members[0]), (20.0, members[1])):
        roster.turn(one, Happening.ACCUSED, at)
        roster.turn(one, Happening.CONDEMNED, at)

    assert {one.node for one in roster.next_listeners(9, 39.9)} == {one.node for one in members}
    assert {one.node for one in roster.next_listeners(9, 40.0)} == {one.node for one in members[1:]}
    assert {one.node for one in roster.next_listeners(9, 50.0)} == {members[2].node}


def test_listeners_take_turns() -> None:
    roster, members = roster_of(7)
    heard = Counter(one.node for _ in range(7) for one in roster.next_listeners(3, 0.0))

    assert heard == Counter({one.node: 3 for one in members})


def test_picks_are_distinct_and_avoid_whom_they_should() -> None:
    roster, members = roster_of(5)
    for _ in range(50):
        picked = roster.pick(4, avoid=members[0].node)
        assert len({one.node for one in picked}) == 4
        assert members[0] not in picked

    assert len(roster.pick(9)) == 5


def test_those_to_whom_there_is_no_way_are_passed_over() -> None:
    roster, members = roster_of(5)
    roster.ways.cut_off = {members[0].node: None}

    assert set(roster.pick(9)) == set(roster.next_listeners(9, 0.0)) == set(members[1:])
    assert members[0] in {roster.next_to_probe() for _ in members}, "it is looked after all the same"


def test_the_dead_and_the_long_gone_are_found() -> None:
    roster, members = roster_of(4)
    roster.turn(members[0], Happening.DEPARTED, 5.0)
    roster.turn(members[1], Happening.ACCUSED, 6.0)
    roster.turn(members[1], Happening.CONDEMNED, 7.0)

    assert roster.pick_dead(3) == [members[1]]
    assert roster.gone_since(4.0) == []
    assert roster.gone_since(5.0) == [members[0]]
    assert roster.gone_since(7.0) == members[:2]


def test_a_full_table_forgets_the_longest_gone_or_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster_module, "MEMBERS_MAX", 3)
    roster, members = roster_of(3)
    with pytest.raises(RosterFullError):
        roster.add(member(4))
    roster.turn(members[1], Happening.DEPARTED, 5.0)
    roster.turn(members[2], Happening.DEPARTED, 4.0)

    assert roster.add(member(4)) is members[2]
    assert sorted(roster.members) == sorted([members[0].node, members[1].node, member(4).node])


def test_members_are_found_by_the_first_bytes_of_their_key() -> None:
    roster, members = roster_of(2)
    twin = member(1)
    twin.node = NodeId(members[0].node[:8] + b"t" * 24)
    roster.add(twin)
    assert roster.by_short(twin.node[:8]) == members[0].node  # who came first keeps it
    roster.remove(twin.node)
    assert roster.by_short(members[0].node[:8]) == members[0].node
    roster.remove(members[0].node)

    assert roster.by_short(members[0].node[:8]) is None


def test_addresses_are_tried_in_turn_until_one_is_proven() -> None:
    one = member(1)
    addresses = tuple(Address(f"10.0.0.{number}", 1) for number in range(4))
    one.record = dataclasses.replace(one.record, addresses=addresses)
    assert [one.address_after(step) for step in range(3)] == list(addresses[:3])
    one.route, one.proven = 6, True

    assert [one.address_after(step) for step in range(3)] == [addresses[2]] * 3
    assert one.address == addresses[2]
