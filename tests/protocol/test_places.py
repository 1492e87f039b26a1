"""Coordinates between members: in whose pings, answers and rows they travel, and what they cost."""

import pytest

from pnode.protocol import roster
from pnode.protocol.codec import decode
from pnode.protocol.coordinate import Coordinate, pack_coordinate
from pnode.protocol.effects import Send, SendDatagram
from pnode.protocol.links import CROWD_LINKS_MAX, LINKS_PERIOD_S, Links, LinksHeard
from pnode.protocol.probe import BURST_S
from pnode.protocol.swim import Ack, LinkRow, Ping, read, unseal
from pnode.protocol.view import LinkFigure

from .members import START, Host, Network


def place(x_s: float, *, height_s: float = 0.001) -> bytes:
    return pack_coordinate(Coordinate((x_s, *[0.0] * 7), height_s, 0.0, 0.1))


def settled(size: int) -> tuple[Network, list[Host]]:
    """Members that know where they stand: each a hundredth of a second from the next."""
    network = Network()
    hosts = [network.add(number) for number in range(1, size + 1)]
    for host in hosts:
        host.membership.set_place(place(host.number * 0.01))
    for host in hosts[1:]:
        network.join(host, hosts[0])
    network.run(5.0)
    return network, hosts


def test_members_of_a_large_cluster_learn_where_those_stand_whom_they_probe_and_who_probe_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(roster, "DIRECT_MAX", 3)

    _, hosts = settled(4)

    places = {host.node: place(host.number * 0.01) for host in hosts}
    for host in hosts:
        told = {trip.peer: trip.place for _, trip in host.round_trips if trip.place}
        assert told == {node: where for node, where in places.items() if node != host.node}
        assert {located.peer: located.place for _, located in host.located} == told


def test_members_of_a_small_cluster_show_nobody_where_they_stand() -> None:
    _, hosts = settled(4)

    assert [trip for host in hosts for _, trip in host.round_trips if trip.place] == []
    assert [host.located for host in hosts] == [[]] * 4


def test_an_answer_with_a_place_is_no_longer_than_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster, "DIRECT_MAX", 3)
    asked: dict[tuple[int, int], int] = {}
    answered = 0

    def look(_: Host, effect: Send | SendDatagram) -> None:
        nonlocal answered
        if not isinstance(effect, SendDatagram):
            return
        for message in map(read, unseal(effect.payload)):
            if isinstance(message, Ping):
                asked[message.nonce, message.index] = len(effect.payload)
            if isinstance(message, Ack):
                answered += bool(message.place)
                assert len(effect.payload) <= asked[message.nonce, message.index]

    network, _ = settled(4)
    network.tap = look
    network.run(2 * BURST_S)

    assert answered > 10


@pytest.mark.parametrize("shown", [b"", b"x", place(0.02)[:-1]])
def test_who_shows_no_whole_place_is_shown_none(monkeypatch: pytest.MonkeyPatch, shown: bytes) -> None:
    monkeypatch.setattr(roster, "DIRECT_MAX", 3)
    _, (one, other, *_) = settled(4)
    member = one.membership.members[other.node]

    sent = one.membership._piggyback.acks(member, [Ping(7, 0, shown)], 1300)

    [ack] = [message for message in map(read, unseal(sent.payload)) if isinstance(message, Ack)]
    assert ack == Ack(7, 0)


def test_a_row_in_a_large_cluster_says_where_its_node_stands_and_names_only_bandwidths(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(roster, "DIRECT_MAX", 3)
    network, (one, other, *_) = settled(4)
    figures = tuple(
        LinkFigure(node, 0.01, bandwidth, 0.5) for node, bandwidth in ((other.node, 1e6), (network.id_of(3), 0.0))
    )

    network.do(other, other.membership.set_load(1, 1, 1, 0, 0.0, 0.0, network.now))
    network.do(one, one.membership.set_links(figures, network.now))
    network.run(2.0)

    [links] = [heard.links for _, heard in other.heard if isinstance(heard, LinksHeard)]
    assert links.place == place(0.01)
    assert links.figures == (figures[0],)


def test_a_row_in_a_crowd_is_short_however_many_links_are_known() -> None:
    _, (one, *_) = settled(1)
    figures = [LinkFigure(bytes([number]) * 32, 0.01, 1e6, 0.5) for number in range(1, 65)]  # type: ignore[arg-type]

    row = Links(one.node, 1, tuple(figures[:CROWD_LINKS_MAX]), START, place(0.01)).row(1)

    assert len(decode(LinkRow, row).cells) == CROWD_LINKS_MAX
    assert len(row) < 400


def test_a_row_is_said_again_when_its_node_has_moved_by_a_fifth_and_not_for_its_noise() -> None:
    _, (one, *_) = settled(1)
    said = Links(one.node, 1, (), START, place(0.010))

    def worth(where: bytes) -> bool:
        return Links(one.node, 2, (), START + LINKS_PERIOD_S, where).worth_saying(said)

    assert worth(place(0.014))
    assert worth(place(0.010, height_s=0.01))
    assert worth(b"")
    assert not worth(place(0.0115))
