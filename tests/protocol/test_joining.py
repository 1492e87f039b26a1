"""Joining: several members are asked at once, and what a stranger may have done on its way in."""

import pytest

from pnode.protocol.codec import pack
from pnode.protocol.effects import Disconnect, Effect, Notify, Save, Send
from pnode.protocol.events import DialFailed, Event, Received, SessionClosed, SessionOpened
from pnode.protocol.frames import Frames
from pnode.protocol.joining import FRAMES as JOINING_FRAMES
from pnode.protocol.joining import (
    GREETINGS_BURST,
    GREETINGS_PER_S,
    Admitted,
    Introduction,
    JoinRequest,
    Refused,
    Stage,
)
from pnode.protocol.lineage import PATH_MAX
from pnode.protocol.record import Address
from pnode.sim.cluster import Cluster, make_cluster
from pnode.sim.host import Host

FRAMES = Frames(JOINING_FRAMES)


@pytest.fixture
def pair() -> Cluster:
    return make_cluster(2, 1)


def asking(pair: Cluster) -> Host:
    """A newcomer that has asked both members."""
    host = pair.add(seeds=())
    for member in pair.hosts[:2]:
        host.peer.handle(SessionOpened(member.id, b"", member.address), host.now)
    assert host.peer.joining.stage is Stage.ASKING
    return host


def admission(member: Host, host: Host) -> Event:
    """What a member answers to a newcomer."""
    request = FRAMES.encode(JoinRequest(host.peer.joining.credential, host.now))
    for effect in member.peer.handle(Received(host.id, request), member.now):
        if isinstance(effect, Send) and isinstance(FRAMES.decode(effect.payload), Admitted):
            return Received(member.id, effect.payload)
    raise AssertionError("it was not admitted")


def cut(effects: list[Effect]) -> bool:
    """Whether somebody is hung up on."""
    return any(isinstance(effect, Disconnect) for effect in effects)


def test_an_admission_counts_though_somebody_else_could_not_help(pair: Cluster) -> None:
    host, (one, other, *_) = asking(pair), pair.hosts

    host.peer.handle(Received(other.id, FRAMES.encode(Refused("ask another", final=False))), host.now)
    assert host.peer.joining.stage is Stage.ASKING
    effects = host.peer.handle(admission(one, host), host.now)

    assert host.peer.is_member
    assert Save("credential", host.id, host.peer.joining.credential) in effects


def test_an_admission_counts_though_the_session_with_somebody_else_is_over(pair: Cluster) -> None:
    host, (one, other, *_) = asking(pair), pair.hosts

    host.peer.handle(SessionClosed(other.id, "reset", orderly=False), host.now)
    host.peer.handle(admission(one, host), host.now)

    assert host.peer.is_member


def test_who_has_been_turned_away_by_all_that_it_asked_is_apart(pair: Cluster) -> None:
    host, (one, other, *_) = asking(pair), pair.hosts
    refused = FRAMES.encode(Refused("ask another", final=False))

    host.peer.handle(Received(other.id, refused), host.now)
    host.peer.handle(SessionClosed(other.id, "it cannot admit this node", orderly=True), host.now)
    effects = host.peer.handle(Received(one.id, refused), host.now)

    assert effects == [Notify("joining", b""), Disconnect(one.id, "it cannot admit this node")]
    assert host.peer.joining.stage is Stage.APART


def test_who_asks_all_the_time_is_hung_up_on_and_others_are_not(pair: Cluster) -> None:
    host, other, member = pair.add(seeds=()), pair.add(seeds=()), pair.hosts[0]
    request = FRAMES.encode(JoinRequest(host.peer.joining.credential, host.now))
    introduction = FRAMES.encode(Introduction(tuple(member.peer.trust.path(member.id))))

    for _ in range(GREETINGS_BURST):
        assert not cut(member.peer.handle(Received(host.id, request), member.now))

    assert cut(member.peer.handle(Received(host.id, request), member.now))
    assert cut(member.peer.handle(Received(host.id, introduction), member.now))
    admission(member, other)
    assert not cut(member.peer.handle(Received(host.id, request), member.now + 1 / GREETINGS_PER_S))


def test_a_stranger_introduces_itself_by_one_path_only(pair: Cluster) -> None:
    host, member = pair.add(seeds=()), pair.hosts[0]
    shown = (host.id, host.peer.joining.credential)

    longest = member.peer.handle(Received(host.id, FRAMES.encode(Introduction((shown,) * PATH_MAX))), member.now)
    too_long = pack([40, [[shown] * (PATH_MAX + 1)]])

    assert longest == []
    assert cut(member.peer.handle(Received(host.id, too_long), member.now))


def test_what_a_member_cannot_dial_is_not_kept_for_ever(pair: Cluster) -> None:
    host, other = pair.hosts
    before = len(host.peer.joining.dial_failures)

    for port in range(1, 1000):
        host.peer.handle(DialFailed((Address("10.9.9.9", port),), other.id, "refused"), host.now)

    assert len(host.peer.joining.dial_failures) == before
