"""The peer: one node's whole protocol as a value-in, value-out machine.

It composes the machines of this package and owns none of the world: events and the time go in, effects come out. The
trio shell (`pnode.node`) and the simulator (`pnode.sim`) drive the same object.

    handle(event, now) -> effects      something happened
    tick(now) -> effects               the deadline has come (or there is something to flush)
    deadline                           when to call tick next; -inf when at once, inf when never

A peer that is not yet a member only knows how to join (`joining`). From then on it is a member (`membership`) with a
part in jobs (`jobs`).
"""

import math
from collections.abc import Mapping
from random import Random
from typing import cast

from .belonging import Belonging, Means, belong
from .codec import encode
from .crypto import Crypto
from .effects import Dial, Disconnect, Effect, Notify, Reply, Save, Send, SendDatagram
from .errors import RemoteProtocolError
from .events import (
    CancelJob,
    DatagramReceived,
    DialFailed,
    Discovered,
    Event,
    FindJobs,
    Knocked,
    Leave,
    LoadSampled,
    Measure,
    Moved,
    Received,
    SessionClosed,
    SessionOpened,
    SpeedMeasured,
    Submit,
    WatchJob,
)
from .facts import Facts, Identity
from .frames import Frames, UnknownKindError
from .ids import NodeId
from .jobmessages import FRAMES as JOB_FRAMES
from .jobs import JobEvent, Jobs
from .joining import FRAMES as JOINING_FRAMES
from .joining import Acquainted, Admitted, BecameMember, Introduction, Joining, JoinRequest, Refused
from .joining import Output as JoiningOutput
from .legacy import Legacy
from .mail import Message as JobMessage
from .membership import LinksHeard, LoadHeard, Located, MemberChanged, Membership, Output, RoundTrip
from .membership_settings import MembershipSettings
from .neighbours import Neighbours
from .reaching import FRAMES as REACHING_FRAMES
from .reaching import Message as ReachingMessage
from .reaching import Reaching
from .record import Address
from .roster import State
from .swim import FRAMES as MEMBERSHIP_FRAMES
from .swim import Message as MembershipMessage
from .trust import Trust
from .values import replace
from .view import Mapper, Profile

UPKEEP_S = 3600.0
"""How often expired credentials are forgotten and orphans adopted (see `trust`); a tick comes every second anyway."""

LOOK_S = 0.9
"""How often it is looked at by which way others are reached, at a tick that is due anyway."""

__all__ = ["Facts", "Identity", "Peer"]


class Peer:
    """One node."""

    def __init__(
        self,
        identity: Identity,
        facts: Facts,
        crypto: Crypto,
        trust: Trust,
        profile: Profile,
        mappers: Mapping[str, Mapper],
        rng: Random,
        settings: MembershipSettings,
    ) -> None:
        self.identity = identity
        self.facts = facts
        self.me = NodeId(crypto.public_key(identity.seed))
        self.trust = trust
        self.profile = profile
        self._means = Means(identity, facts, crypto, trust, profile, dict(mappers), rng, settings)
        self._joining = Joining(self.me, identity.seed, identity.credential, trust, facts.addresses)
        self._frames = Frames(JOINING_FRAMES, MEMBERSHIP_FRAMES, JOB_FRAMES, REACHING_FRAMES)
        self._sessions: dict[NodeId, NodeId | None] = {}
        """Open sessions, and through which relay each goes."""
        self._member: Belonging | None = None
        self._upkeep_s = math.inf
        self._sample: LoadSampled | None = None
        """The newest look at the machine."""
        self._left = Legacy()

    @property
    def is_member(self) -> bool:
        return self._member is not None

    @property
    def is_busy(self) -> bool:
        """Whether there is work for this node's cores."""
        return self._member is not None and self._member.is_busy

    @property
    def joining(self) -> Joining:
        return self._joining

    @property
    def membership(self) -> Membership | None:
        return None if self._member is None else self._member.membership

    @property
    def reaching(self) -> Reaching | None:
        return None if self._member is None else self._member.reaching

    @property
    def jobs(self) -> Jobs | None:
        return None if self._member is None else self._member.jobs

    @property
    def neighbours(self) -> Neighbours | None:
        return None if self._member is None else self._member.neighbours

    def addresses_of(self, node: NodeId) -> tuple[Address, ...]:
        """Where a member says it listens; nothing for strangers."""
        record = None if self._member is None else self._member.membership.record_of(node)
        return () if record is None else record.addresses

    def relays_of(self, node: NodeId) -> tuple[NodeId, ...]:
        """Through whom a member can be reached that says that it cannot be dialled; nobody for others."""
        return () if self._member is None else self._member.reaching.relays_of(node)

    def by_short(self, short: bytes) -> NodeId | None:
        """The member whose key begins like this."""
        return None if self._member is None else self._member.membership.by_short(short)

    def start(
        self, seeds: tuple[Address, ...], now: float, remembered: tuple[tuple[NodeId, bytes], ...] = ()
    ) -> list[Effect]:
        """Begin: become a member at once if already admitted, and dial these addresses.

        `remembered` are the credentials of members that an earlier run of this node knew. Raises RemoteProtocolError
        if this node's own credential is no longer good for anything.
        """
        return self._joined(self._joining.begin(seeds, remembered, now), now)

    def restore(self, left: Legacy) -> None:
        """What an earlier run has left; taken up once this node is a member. Call before `start`."""
        self._left = left

    @property
    def deadline(self) -> float:
        member = self._member
        if member is None:
            return self._joining.deadline
        seeking = self._joining.deadline if member.membership.is_alone else self._joining.unmet_deadline
        return min(member.deadline, seeking)

    def tick(self, now: float) -> list[Effect]:
        lonely = self._is_lonely()
        effects: list[Effect] = [
            *(self._joining.seek(now) if lonely else self._joining.look_for_unmet(self._met, now))
        ]
        if self._member is not None:
            if self._upkeep_s <= now:
                self._upkeep_s = now + UPKEEP_S
                self.trust.upkeep(now, self.identity.seed)
            if self._member.membership.deadline <= now:
                effects += self._outputs(self._member.membership.tick(now), now)
            if self._member.looked_s + LOOK_S <= now:
                self._member.looked_s = now
                effects += self._outputs(self._member.reaching.look(now), now)
            if self._member.reaching.deadline <= now:
                effects += self._outputs(self._member.reaching.tick(now), now)
            if self._member.jobs_deadline <= now:
                effects += self._member.busy().tick(now)
        return effects

    def handle(self, event: Event, now: float) -> list[Effect]:
        match event:
            case DatagramReceived() if self._member is not None:  # nearly all events, hence the first
                return self._outputs(self._member.membership.datagram(event.peer, event.payload, now), now)
            case SessionOpened() | SessionClosed() | DialFailed() | Discovered() | Received() | Knocked():
                return self._handle_outside(event, now)
            case Submit() | CancelJob() | FindJobs() | WatchJob() | Leave() if self._member is None:
                return [Reply(event.request, b"", "this node is not a member of a cluster yet")]
            case Measure() if self._member is not None:
                return self._outputs(self._member.membership.measure_all(now), now)
            case LoadSampled():
                return self._sampled(event, now)
            case SpeedMeasured():
                return self._measured(event.speed, now)
            case Moved():
                return self._moved(event.addresses, now)
            case FindJobs() if self._member is not None:
                return self._member.busy().find(event, tuple(sorted(self._member.membership.alive())), now)
            case Leave() if self._member is not None:
                left = self._outputs(self._member.membership.leave(now), now)
                return [*left, Reply(event.request, b"", None)]
            case _ if self._member is not None and isinstance(event, JobEvent):
                effects = self._member.busy().handle(event, now)
                self._member.worked(self._sample, now)
                return effects
        return []  # figures and content that nobody waits for any more

    def _handle_outside(
        self, event: SessionOpened | SessionClosed | DialFailed | Discovered | Received | Knocked, now: float
    ) -> list[Effect]:
        match event:
            case SessionOpened():
                self._joining.reached(event.address)
                return self._session_opened(event, now)
            case SessionClosed():
                return self._session_closed(event, now)
            case DialFailed():
                return self._dial_failed(event, now)
            case Discovered():
                return self._discovered(event, now)
            case Knocked():
                return self._outputs(self._as_member().reaching.knocked(event, now), now)
        return self._received(event, now)

    def _is_lonely(self) -> bool:
        return self._member is None or self._member.membership.is_alone

    def _session_opened(self, event: SessionOpened, now: float) -> list[Effect]:
        self._sessions[event.peer] = event.via
        if self._member is not None:
            self._member.reaching.session_opened(event.peer, now)
        if self._member is not None and event.peer in self._member.membership.members:
            join = event.address is not None and self._is_lonely()
            return self._acquainted(self._member, event.peer, now, join=join)
        return self._joined(self._joining.session_opened(event.peer, now), now)

    def _session_closed(self, event: SessionClosed, now: float) -> list[Effect]:
        self._sessions.pop(event.peer, None)
        self._joining.session_closed(event.peer)
        if self._member is None or event.orderly:
            return []
        lost = self._member.membership.members.get(event.peer)
        again = [Dial(lost.record.addresses, event.peer)] if lost is not None and lost.present and lost.met else []
        return again + self._outputs(self._member.membership.session_lost(event.peer, now), now)

    def _dial_failed(self, event: DialFailed, now: float) -> list[Effect]:
        effects = self._joined(self._joining.dial_failed(event.addresses, event.reason), now)
        if self._member is None or event.peer is None:
            return effects
        self._member.reaching.dial_failed(event.peer, now)
        effects += self._outputs(self._member.membership.session_lost(event.peer, now, event.refused), now)
        return effects + self._member.busy().unreachable(event.peer, event.reason, now)

    def _discovered(self, event: Discovered, now: float) -> list[Effect]:
        news = self._joining.discovered(event.addresses, self._met(), now)
        if not news:
            return []
        return [*self._joining.seek(now)] if self._is_lonely() else [Dial(news, None)]

    def _met(self) -> tuple[Address, ...]:
        """Where those listen whom we know already: they are not dialled for being announced."""
        members = () if self._member is None else self._member.membership.members.values()
        return tuple(address for member in members for address in member.record.addresses)

    def _received(self, event: Received, now: float) -> list[Effect]:
        try:
            message = self._frames.decode(event.payload)
            return self._take(event.peer, message, now)
        except UnknownKindError:
            return []  # a newer version speaks; what we do not understand cannot concern us
        except RemoteProtocolError as error:
            return [Disconnect(event.peer, f"it broke the protocol: {error}")]

    def _take(self, peer: NodeId, message: object, now: float) -> list[Effect]:
        if isinstance(message, Introduction | JoinRequest | Admitted | Refused):
            known = self._member is not None and peer in self._member.membership.members
            return self._joined(self._joining.message(peer, message, known, now), now)
        if self._member is None or self.trust.standing(peer) is None:
            return []  # not acquainted: an introduction must come first
        if type(message) in MEMBERSHIP_FRAMES.values():
            outputs = self._member.membership.message(peer, cast(MembershipMessage, message), now)
            return self._outputs(outputs, now)
        if isinstance(message, ReachingMessage):
            return self._outputs(self._member.reaching.message(peer, message, now), now)
        return self._member.busy().message(peer, cast(JobMessage, message), now)

    def _joined(self, outputs: list[JoiningOutput], now: float) -> list[Effect]:
        """Take in what joining found out; what is left are effects."""
        effects: list[Effect] = []
        for output in outputs:
            match output:
                case BecameMember():
                    effects += self._become_member(now)
                case Acquainted():
                    effects += self._acquainted(self._as_member(), output.peer, now, join=output.join)
                case _:
                    effects.append(output)
        return effects

    def _acquainted(self, member: Belonging, peer: NodeId, now: float, *, join: bool) -> list[Effect]:
        """There is a session with a certified member."""
        member.busy().session_opened(peer)
        effects = self._outputs(member.membership.session_opened(peer, now), now)
        if join:
            effects += self._outputs(member.membership.join(peer, now), now)
        return effects

    def _become_member(self, now: float) -> list[Effect]:
        means = replace(self._means, facts=self.facts)
        member = self._member = belong(self.me, means, self._joining.credential, self._sessions, now)
        if self._sample is not None:  # whoever is met first shall know how busy we are
            member.tell_load(self._sample, now)
        self._upkeep_s = now + UPKEEP_S
        left, self._left = self._left, Legacy()
        return [Notify("joining", b""), Notify("members", b""), *member.jobs.restore(left, now)]

    def _measured(self, speed: float, now: float) -> list[Effect]:
        self.facts = replace(self.facts, speed=speed)
        return [] if self._member is None else self._outputs(self._member.measured(speed, now), now)

    def _moved(self, addresses: tuple[Address, ...], now: float) -> list[Effect]:
        """Sessions that do not work any more end by themselves."""
        if addresses == self.facts.addresses:
            return []
        self.facts = replace(self.facts, addresses=addresses)
        self._joining.moved(addresses)
        return [] if self._member is None else self._outputs(self._member.moved(addresses, now), now)

    def _sampled(self, event: LoadSampled, now: float) -> list[Effect]:
        self._sample = event
        if self._member is None:
            return []
        self._member.tell_load(event, now)
        if self._member.membership.wants_links(now):
            self._member.membership.set_links(self.profile.my_figures(now), now)
        return self._outputs(self._member.membership.loop_lag(event.lag_s, now), now)

    def _outputs(self, outputs: list[Output], now: float) -> list[Effect]:
        """Take in what membership found out; what is left are effects."""
        effects: list[Effect] = []
        for output in outputs:
            match output:
                case SendDatagram():
                    effects.append(output)
                case Send():
                    if not self._as_member().reaching.is_cut_off(output.peer, now):
                        effects.append(output)
                case MemberChanged():
                    effects += self._member_changed(output, now)
                case RoundTrip():
                    self.profile.observe_round_trip(output.peer, output.rtt_s, now, output.place)
                    self._as_member().membership.set_place(self.profile.place())
                case Located():
                    self.profile.hear_place(output.peer, output.place, now)
                case LinksHeard():
                    self.profile.hear_links(output.links.node, output.links.figures, now)
                    self.profile.hear_place(output.links.node, output.links.place, output.links.measured_at)
                case LoadHeard():
                    pass  # looked up in membership when it is needed
                case _:
                    effects.append(output)
        return effects

    def _as_member(self) -> Belonging:
        assert self._member is not None, "only called once this node is a member"
        return self._member

    def _member_changed(self, change: MemberChanged, now: float) -> list[Effect]:
        effects: list[Effect] = [Notify("members", change.node)]
        member = self._as_member()
        member.neighbours.changed()
        if change.new is not State.ALIVE:
            effects += self._outputs(member.reaching.left(change.node), now)
        if change.new in (None, State.DEAD, State.LEFT):
            member.boots.pop(change.node, None)
            effects += member.busy().member_gone(change.node, now)
        elif change.new is State.SUSPECT:
            effects += member.busy().member_suspected(change.node, now)
        elif change.new is State.ALIVE:
            record = member.membership.members[change.node].record
            member.reaching.met(now)
            effects.append(Save("peer", change.node, encode(record)))
            if member.boots.get(change.node) != record.boot:
                member.boots[change.node] = record.boot
                effects += member.busy().member_back(change.node, now)
        return effects
