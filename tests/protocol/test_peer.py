"""The peer: what it does with events from outside, in a cluster and on its way into one."""

from dataclasses import replace

import pytest

from pnode.protocol.codec import pack
from pnode.protocol.effects import Dial, Disconnect, Notify, Reply, Save, Send
from pnode.protocol.events import (
    DatagramReceived,
    DialFailed,
    Discovered,
    Fetched,
    FindJobs,
    LoadSampled,
    Moved,
    Received,
    SessionClosed,
    SessionOpened,
    SpeedMeasured,
)
from pnode.protocol.frames import Frames
from pnode.protocol.ids import NodeId, digest_of
from pnode.protocol.jobmessages import FRAMES as JOB_FRAMES
from pnode.protocol.jobmessages import JobsWanted
from pnode.protocol.jobspec import FileRef
from pnode.protocol.joining import (
    CLOCK_TOLERANCE_S,
    WAY_IN,
    Admitted,
    Introduction,
    JoinRequest,
    Refused,
    Stage,
    Step,
)
from pnode.protocol.joining import FRAMES as JOINING_FRAMES
from pnode.protocol.peer import UPKEEP_S
from pnode.protocol.reaching import Reach
from pnode.protocol.record import Address, Role
from pnode.sim.cluster import Cluster, make_cluster
from pnode.sim.engine import Engine
from pnode.sim.host import Host
from pnode.sim.network import LinkModel, Network

FRAMES = Frames(JOINING_FRAMES, JOB_FRAMES)
NOWHERE = Address("10.9.9.9", 4440)
STRANGER = NodeId(b"s" * 32)


@pytest.fixture
def pair() -> Cluster:
    return make_cluster(2, 1)


def newcomer(pair: Cluster) -> Host:
    """A third host, invited and switched on, with nobody to dial."""
    return pair.add(seeds=())


def words(effects: list[object]) -> list[object]:
    """The decoded messages among effects."""
    return [FRAMES.decode(effect.payload) for effect in effects if isinstance(effect, Send)]


def test_the_way_in_as_a_table() -> None:
    assert set(WAY_IN) == set(Stage)
    assert {stage for stage, row in WAY_IN.items() if not row} == {Stage.MEMBER}
    assert WAY_IN[Stage.ASKING] == {
        Step.MET: Stage.ASKING,
        Step.LOST: Stage.APART,
        Step.ADMITTED: Stage.MEMBER,
    }


def test_a_founder_is_a_member_at_once_and_alone() -> None:
    cluster = Cluster(Engine(1), Network(Engine(1), LinkModel()))

    host = cluster.add()

    assert host.peer.is_member
    assert host.peer.membership is not None
    assert host.peer.membership.alive() == []
    assert host.peer.addresses_of(STRANGER) == ()
    assert host.peer.by_short(b"\0" * 8) is None


def test_requests_before_membership_are_refused(pair: Cluster) -> None:
    host = newcomer(pair)

    [reply] = host.peer.handle(FindJobs(7), host.now)

    assert reply == Reply(7, b"", "this node is not a member of a cluster yet")
    assert (host.peer.jobs, host.peer.neighbours, host.peer.membership) == (None, None, None)


def test_what_nobody_waits_for_any_more_is_ignored(pair: Cluster) -> None:
    host = newcomer(pair)
    file = FileRef("f", 1, digest_of(b"x"))

    for event in (DatagramReceived(STRANGER, b"x"), LoadSampled(1.0, 1.0, 0.0), Fetched(file, None, 0, 0.0)):
        assert host.peer.handle(event, host.now) == []


def test_a_speed_that_is_known_late_is_told_and_counts_from_then_on(pair: Cluster) -> None:
    host, other = pair.hosts
    assert host.peer.membership is not None
    assert other.peer.membership is not None
    before = host.peer.membership.record

    host.deliver(SpeedMeasured(2.5))
    pair.engine.run_for(5.0)

    heard = other.peer.membership.record_of(host.id)
    assert heard == replace(before, speed=2.5, incarnation=before.incarnation + 1)
    assert host.peer.jobs is not None
    assert host.peer.jobs.desk.place.speed == 2.5


def test_a_speed_that_is_known_before_the_cluster_is_what_a_newcomer_says_of_itself(pair: Cluster) -> None:
    host = newcomer(pair)

    assert host.peer.handle(SpeedMeasured(2.5), host.now) == []
    assert host.peer.facts.speed == 2.5


def test_a_node_that_has_moved_says_so_and_is_dialled_there(pair: Cluster) -> None:
    host, other = pair.hosts
    assert host.peer.membership is not None
    pair.engine.run_for(10.0)
    before = host.peer.membership.record
    pair.move(host)
    pair.engine.run_for(5.0)

    there = Address("10.1.0.2", 4440)
    assert host.peer.facts.addresses == (there,)
    assert other.peer.membership is not None
    assert other.peer.membership.record_of(host.id) == replace(
        before, addresses=(there,), incarnation=before.incarnation + 1
    )
    host.sessions.reset(other.id)
    pair.engine.run_for(1.0)
    assert host.id in other.pipes
    assert host.peer.reaching is not None
    assert host.peer.reaching.state is Reach.OPEN
    assert host.peer.reaching.testimony == {other.id: True}


def test_a_node_that_has_not_moved_says_nothing(pair: Cluster) -> None:
    host = pair.hosts[0]
    assert host.peer.membership is not None
    before = host.peer.membership.record

    assert host.peer.handle(Moved(host.peer.facts.addresses), host.now) == []
    assert host.peer.membership.record == before


def test_a_newcomer_that_moves_says_where_it_is_when_it_is_admitted(pair: Cluster) -> None:
    host = newcomer(pair)
    there = Address("10.9.9.9", 4440)

    assert host.peer.handle(Moved((there,)), host.now) == []
    assert host.peer.facts.addresses == (there,)
    assert host.peer.handle(Discovered((there,)), host.now) == []


def test_garbage_costs_the_session_and_nothing_else(pair: Cluster) -> None:
    host, other = pair.hosts

    [effect] = host.peer.handle(Received(other.id, b"\xc1\xff garbage"), host.now)

    assert isinstance(effect, Disconnect)
    assert effect.peer == other.id


def test_a_kind_of_a_newer_version_is_ignored(pair: Cluster) -> None:
    host, other = pair.hosts

    assert host.peer.handle(Received(other.id, pack([999, [1, 2]])), host.now) == []


def test_a_stranger_is_not_answered_about_jobs(pair: Cluster) -> None:
    host = pair.hosts[0]

    assert host.peer.handle(Received(STRANGER, FRAMES.encode(JobsWanted(1))), host.now) == []


def test_a_newcomer_asks_whoever_it_meets_to_be_admitted(pair: Cluster) -> None:
    host, member = newcomer(pair), pair.hosts[0]

    effects = host.peer.handle(SessionOpened(member.id, b"", member.address), host.now)

    assert words(list(effects)) == [JoinRequest(host.peer.joining.credential, host.now)]
    assert host.peer.joining.stage is Stage.ASKING


def test_a_newcomer_whose_session_breaks_is_apart_again(pair: Cluster) -> None:
    host, member = newcomer(pair), pair.hosts[0]
    host.peer.handle(SessionOpened(member.id, b"", member.address), host.now)

    host.peer.handle(SessionClosed(member.id, "reset", orderly=False), host.now)

    assert host.peer.joining.stage is Stage.APART


def test_admission_makes_a_member_that_keeps_its_credential(pair: Cluster) -> None:
    host, member = newcomer(pair), pair.hosts[0]
    request = JoinRequest(host.peer.joining.credential, host.now)
    host.peer.handle(SessionOpened(member.id, b"", member.address), host.now)

    [admitted, *_] = words(list(member.peer.handle(Received(host.id, FRAMES.encode(request)), member.now)))
    assert isinstance(admitted, Admitted)
    effects = host.peer.handle(Received(member.id, FRAMES.encode(admitted)), host.now)

    assert host.peer.is_member
    assert Save("credential", host.id, admitted.credential) in effects
    assert Notify("joining", b"") in effects
    assert host.peer.handle(Received(member.id, FRAMES.encode(admitted)), host.now) == []


def test_an_admission_by_a_stranger_is_worth_nothing(pair: Cluster) -> None:
    host, member, other = newcomer(pair), pair.hosts[0], newcomer(pair)
    request = JoinRequest(host.peer.joining.credential, host.now)
    host.peer.handle(SessionOpened(member.id, b"", member.address), host.now)
    admitted = Admitted(host.peer.joining.credential, ((other.id, other.peer.joining.credential),))

    [effect] = host.peer.handle(Received(member.id, FRAMES.encode(admitted)), host.now)

    assert isinstance(effect, Disconnect)
    assert "worth nothing" in effect.reason
    assert request.credential == host.peer.joining.credential
    assert not host.peer.is_member


def test_a_refusal_is_final_unless_it_says_that_others_may_help(pair: Cluster) -> None:
    host, member = newcomer(pair), pair.hosts[0]
    met = SessionOpened(member.id, b"", member.address)
    host.peer.handle(met, host.now)
    host.peer.handle(Received(member.id, FRAMES.encode(Refused("ask another", final=False))), host.now)
    assert (host.peer.joining.stage, host.peer.joining.refusal) == (Stage.APART, None)

    host.peer.handle(met, host.now)
    host.peer.handle(Received(member.id, FRAMES.encode(Refused("no", final=True))), host.now)

    assert (host.peer.joining.stage, host.peer.joining.refusal) == (Stage.APART, "no")
    assert host.peer.handle(met, host.now) == [Disconnect(member.id, "it has refused this node")]


def test_who_refuses_a_node_for_good_does_not_speak_for_the_others(pair: Cluster) -> None:
    """Its clock may be the wrong one, or it may be somebody who was invited once and wants to keep all others out."""
    host, member, other = newcomer(pair), pair.hosts[0], pair.hosts[1]
    for each in (member, other):
        host.peer.handle(SessionOpened(each.id, b"", each.address), host.now)

    host.peer.handle(Received(other.id, FRAMES.encode(Refused("your clock is wrong", final=True))), host.now)
    hope = host.peer.joining.refusal
    request = JoinRequest(host.peer.joining.credential, host.now)
    member.peer.handle(SessionOpened(host.id, host.peer.joining.credential, None), member.now)
    [admitted, *_] = words([*member.peer.handle(Received(host.id, FRAMES.encode(request)), member.now)])
    host.peer.handle(Received(member.id, FRAMES.encode(admitted)), host.now)

    assert hope is None
    assert host.peer.is_member
    assert host.peer.joining.refusal is None


def test_a_refusal_out_of_the_blue_changes_nothing(pair: Cluster) -> None:
    member, other = pair.hosts

    assert member.peer.handle(Received(other.id, FRAMES.encode(Refused("no", final=True))), member.now) == []
    assert member.peer.joining.refusal is None


@pytest.mark.parametrize(("off_s", "words_in_it"), [(3600.0, "60 minutes ahead of"), (-3600.0, "60 minutes behind")])
def test_a_wrong_clock_is_named_to_whoever_has_it(pair: Cluster, off_s: float, words_in_it: str) -> None:
    member, host = pair.hosts[0], newcomer(pair)
    request = JoinRequest(host.peer.joining.credential, member.now + off_s)

    [refused] = words(list(member.peer.handle(Received(host.id, FRAMES.encode(request)), member.now)))

    assert isinstance(refused, Refused)
    assert refused.final
    assert words_in_it in refused.reason
    assert abs(off_s) > CLOCK_TOLERANCE_S


def test_a_credential_of_somebody_else_is_refused(pair: Cluster) -> None:
    member, host, other = pair.hosts[0], newcomer(pair), newcomer(pair)
    request = JoinRequest(other.peer.joining.credential, member.now)

    [refused] = words(list(member.peer.handle(Received(host.id, FRAMES.encode(request)), member.now)))

    assert isinstance(refused, Refused)


def test_who_is_not_a_member_sends_a_newcomer_elsewhere(pair: Cluster) -> None:
    host, other = newcomer(pair), newcomer(pair)
    request = JoinRequest(other.peer.joining.credential, host.now)

    [refused] = words(list(host.peer.handle(Received(other.id, FRAMES.encode(request)), host.now)))

    assert refused == Refused("this node is not a member itself yet", final=False)


def test_a_member_that_cannot_vouch_sends_a_newcomer_elsewhere(pair: Cluster) -> None:
    member = pair.hosts[0]
    request = JoinRequest(member.peer.joining.credential, member.now)

    [refused] = words(list(member.peer.handle(Received(member.id, FRAMES.encode(request)), member.now)))

    assert isinstance(refused, Refused)
    assert not refused.final


def test_introductions_are_answered_once(pair: Cluster) -> None:
    host, other = pair.hosts
    introduction = FRAMES.encode(Introduction(tuple(other.peer.trust.path(other.id))))

    first = [
        effect for effect in host.peer.handle(Received(other.id, introduction), host.now) if isinstance(effect, Send)
    ]
    second = [
        effect for effect in host.peer.handle(Received(other.id, introduction), host.now) if isinstance(effect, Send)
    ]

    assert len(first) - len(second) in (0, 1)
    assert not any(isinstance(word, Introduction) for word in words(list(second)))


def test_an_introduction_that_proves_nothing_is_ignored(pair: Cluster) -> None:
    member, stranger = pair.hosts[0], newcomer(pair)
    introduction = Introduction(((stranger.id, stranger.peer.joining.credential),))

    assert member.peer.handle(Received(stranger.id, FRAMES.encode(introduction)), member.now) == []


def test_a_lonely_node_dials_what_it_discovers(pair: Cluster) -> None:
    host = newcomer(pair)

    assert host.peer.handle(Discovered((NOWHERE,)), host.now) == [Dial((NOWHERE,), None)]
    assert host.peer.handle(Discovered((host.address,)), host.now) == []


def test_a_member_in_company_dials_only_addresses_that_nobody_known_has(pair: Cluster) -> None:
    host, other = pair.hosts

    assert host.peer.handle(Discovered((other.address,)), host.now) == []
    assert host.peer.handle(Discovered((NOWHERE, other.address)), host.now) == [Dial((NOWHERE,), None)]


def test_failures_to_dial_are_kept_for_people(pair: Cluster) -> None:
    host = newcomer(pair)
    host.peer.handle(Discovered((NOWHERE,)), host.now)
    before = host.peer.joining.is_hopeless

    effects = host.peer.handle(DialFailed((NOWHERE,), None, "refused"), host.now)

    assert effects == [Notify("joining", b"")]
    assert (before, host.peer.joining.is_hopeless) == (False, True)
    assert host.peer.joining.dial_failures == {(NOWHERE,): "refused"}


def test_a_node_is_told_when_the_only_address_it_knows_is_its_own(pair: Cluster) -> None:
    host = newcomer(pair)

    assert host.peer.joining.begin((host.address,), (), host.now) == []
    assert "where this node itself listens" in host.peer.joining.dial_failures[(host.address,)]


def test_credentials_are_looked_after_every_hour(pair: Cluster) -> None:
    host = pair.hosts[0]
    calls: list[float] = []
    upkeep = host.peer.trust.upkeep

    def counted(now: float, seed: bytes) -> list[NodeId]:
        calls.append(now)
        return upkeep(now, seed)

    host.peer.trust.upkeep = counted  # type: ignore[method-assign]
    host.peer.tick(host.now)
    assert not calls
    host.peer.tick(host.now + UPKEEP_S)
    host.peer.tick(host.now + UPKEEP_S + 1)

    assert len(calls) == 1


def test_a_node_that_shall_not_compute_does_not_offer_to() -> None:
    cluster = make_cluster(1, 1)
    host = cluster.add(seeds=())
    host.peer.facts = replace(host.peer.facts, computes=False)
    host.begin((cluster.hosts[0].address,))
    cluster.engine.run_for(2.0)

    record = cluster.hosts[0].peer.membership
    assert record is not None
    seen = record.record_of(host.id)
    assert seen is not None
    assert not seen.roles & Role.COMPUTE
    assert seen.roles & Role.SUBMIT
