"""Joining: how a node gets from knowing a few addresses to being a member.

    apart --session with a member--> asking
    asking --Admitted--> member
    asking --no session left with anybody who was asked and has not refused--> apart

Whoever is met is asked, and the first one that admits the node is enough. One that refuses it for good is not asked
again, but does not speak for the others: its clock may be the wrong one, and it need not be a member. How long to
wait for these is the business of whoever has started the node (`refusal`). A node that was admitted in an earlier
life begins as a member. While apart, and while a member has lost sight of everybody else, the known addresses are
dialled again and again, each with a growing pause; those at which nobody was met are tried now and then in any case
(`candidates`). Discovery adds addresses; being discovered is never more than a reason to dial.

What a newcomer can prove depends on whom the other side knows. So two members that meet for the first time show each
other the credentials that lead from their own to one certified by the authority (`Introduction`), and whoever admits
somebody shows the credentials of all.
"""

from collections.abc import Callable
from enum import Enum
from typing import Annotated

from .bucket import Buckets
from .candidates import Candidates
from .codec import Bytes32, Length, Seconds, Text
from .effects import Dial, Disconnect, Effect, Notify, Save, Send
from .errors import RemoteProtocolError
from .frames import Frames
from .ids import NodeId
from .lineage import MEMBERS_MAX, PATH_MAX
from .record import CREDENTIAL_BYTES_MAX, Address
from .trust import CannotVouchError, Trust
from .values import dataclass

GREETINGS_PER_S = 1
GREETINGS_BURST = 16
"""Of one node, which asks to be admitted, or introduces itself, once per session: we verify what it shows, and answer
a request with everybody's credentials."""

CLOCK_TOLERANCE_S = 300.0
"""Certificates are judged with this much tolerance (membership.md 5, row 16)."""

REASON_MAX = 1000

CredentialBytes = Annotated[bytes, Length(1, CREDENTIAL_BYTES_MAX)]
Shown = tuple[Bytes32, CredentialBytes]
Path = Annotated[tuple[Shown, ...], Length(0, PATH_MAX)]
Paths = Annotated[tuple[Shown, ...], Length(0, MEMBERS_MAX)]
"""Whoever admits shows the newcomer everybody's credentials: the size of the member table."""


@dataclass(frozen=True, slots=True)
class Introduction:
    """Credentials of the sender's witnesses, then its own."""

    path: Path


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """I have been invited: admit me."""

    credential: CredentialBytes
    clock_s: Seconds
    """The sender's wall clock, so that a wrong one is named instead of a puzzling certificate error."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """You are a member: your credential with my countersignature, and how to check mine."""

    credential: CredentialBytes
    path: Paths


@dataclass(frozen=True, slots=True)
class Refused:
    """You are not, and this is why."""

    reason: Text
    final: bool
    """Whether asking another member would be in vain."""


FRAMES: dict[int, type] = {40: Introduction, 41: JoinRequest, 42: Admitted, 43: Refused}


class Stage(Enum):
    """How far a node is on its way in."""

    APART = "apart"
    ASKING = "asking"
    MEMBER = "member"


class Step(Enum):
    """What can happen on the way in."""

    MET = "a session with a member opened"
    LOST = "no session is left with anybody who was asked and can help"
    ADMITTED = "a member countersigned our certificate"


WAY_IN: dict[Stage, dict[Step, Stage]] = {
    Stage.APART: {Step.MET: Stage.ASKING},
    Stage.ASKING: {
        Step.MET: Stage.ASKING,
        Step.LOST: Stage.APART,
        Step.ADMITTED: Stage.MEMBER,
    },
    Stage.MEMBER: {},
}


@dataclass(frozen=True, slots=True)
class BecameMember:
    """This node has been admitted; everything of a member's life begins here."""


@dataclass(frozen=True, slots=True)
class Acquainted:
    """There is a session with a certified member whom we did not know before."""

    peer: NodeId
    join: bool
    """Whether it is on us to exchange what we know."""


Output = Effect | BecameMember | Acquainted


class Joining:
    """The way in of one node, and the door that it holds open for others once it is a member."""

    def __init__(self, me: NodeId, seed: bytes, credential: bytes, trust: Trust, own: tuple[Address, ...]) -> None:
        self.me = me
        self.credential = credential
        self.trust = trust
        self.stage = Stage.APART
        self.dial_failures: dict[tuple[Address, ...], str] = {}
        """Why nobody could be talked to, per group of addresses last tried on the way in."""
        self._seed = seed
        self._own = own
        self._candidates = Candidates()
        self._introduced_to: dict[NodeId, None] = {}
        self._asked: dict[NodeId, None] = {}
        """Who may still admit us: there is a session, and it has not said that it cannot."""
        self._refusals: dict[NodeId, str] = {}
        """Who has refused us for good, and why."""
        self._greetings = Buckets(GREETINGS_PER_S, GREETINGS_BURST, MEMBERS_MAX)
        self._frames = Frames(FRAMES)

    @property
    def deadline(self) -> float:
        """When somebody is to be dialled, for a node that sees nobody else."""
        return self._candidates.deadline

    @property
    def refusal(self) -> str | None:
        """Why this node was refused by the last one that was asked; None while somebody else has still to answer."""
        if self._asked or self.stage is Stage.MEMBER:
            return None
        return next(reversed(self._refusals.values()), None)

    @property
    def unmet_deadline(self) -> float:
        """When somebody is to be looked for, for a node that sees others."""
        return self._candidates.unmet_deadline

    @property
    def is_hopeless(self) -> bool:
        """Whether every known address has been tried in vain."""
        failed = {address: None for addresses in self.dial_failures for address in addresses}
        return all(address in failed for address in self._candidates.known)

    def begin(
        self, seeds: tuple[Address, ...], remembered: tuple[tuple[NodeId, bytes], ...], now: float
    ) -> list[Output]:
        """Dial the seeds; a member at once if admitted before. Raises RemoteProtocolError for a void credential."""
        self._candidates.add(seeds, now)
        for address in self._own:
            if address in self._candidates.known:
                self.dial_failures[(address,)] = f"{address} is where this node itself listens"
        self._candidates.drop(self._own)
        self.trust.check(self.me, self.credential, now)
        self.trust.recall([*remembered, (self.me, self.credential)], (), now)
        if self.trust.standing(self.me) is None:
            return [*self.seek(now)]
        self.stage = Stage.MEMBER
        return [BecameMember(), *self.seek(now)]

    def seek(self, now: float) -> list[Dial]:
        """Dial what is due among the known addresses."""
        return [Dial((address,), None) for address in self._candidates.due(now)]

    def look_for_unmet(self, met: Callable[[], tuple[Address, ...]], now: float) -> list[Dial]:
        """If it is time, dial a few of the known addresses that are none of those where members listen, `met`."""
        if now < self._candidates.unmet_deadline:
            return []
        return [Dial((address,), None) for address in self._candidates.unmet(lambda: dict.fromkeys(met()), now)]

    def reached(self, address: Address | None) -> None:
        """Somebody was met where this node has dialled, whatever that one says about where it listens."""
        if address is not None:
            self._candidates.reached(address)

    def moved(self, own: tuple[Address, ...]) -> None:
        """This node listens at these addresses from now on."""
        self._own = own
        self._candidates.drop(own)

    def discovered(
        self, addresses: tuple[Address, ...], known: tuple[Address, ...], now: float
    ) -> tuple[Address, ...]:
        """Somebody announces a member at addresses; returns those at which nobody known listens."""
        met = dict.fromkeys((*self._own, *known))
        news = tuple(address for address in addresses if address not in met)
        self._candidates.add(news, now, announced=True)
        return news

    def dial_failed(self, addresses: tuple[Address, ...], reason: str) -> list[Output]:
        if self.stage is not Stage.MEMBER:  # else nobody waits for it, and members' addresses change without end
            self.dial_failures[addresses] = reason
        return [Notify("joining", b"")]

    def session_opened(self, peer: NodeId, now: float) -> list[Output]:
        """There is a session with somebody who is not in our member table."""
        if self.stage is Stage.MEMBER:
            return self._introduce(peer)
        if peer in self._refusals:
            return [Disconnect(peer, "it has refused this node")]
        self.stage = WAY_IN[self.stage][Step.MET]
        self._asked[peer] = None
        return [self._send(peer, JoinRequest(self.credential, now))]

    def session_closed(self, peer: NodeId) -> None:
        self._introduced_to.pop(peer, None)
        self._lost(peer)

    def _lost(self, peer: NodeId) -> None:
        """Somebody will not admit us; others that were asked may."""
        self._asked.pop(peer, None)
        if not self._asked:
            self.stage = WAY_IN[self.stage].get(Step.LOST, self.stage)

    def message(
        self, peer: NodeId, message: Introduction | JoinRequest | Admitted | Refused, known: bool, now: float
    ) -> list[Output]:
        """A message of FRAMES; `known`: whether the sender is in our member table. Raises RemoteProtocolError."""
        if isinstance(message, Introduction | JoinRequest) and not self._greetings.take(peer, now):
            raise RemoteProtocolError("it introduces itself all the time")
        match message:
            case Introduction():
                return self._introduced(peer, message, known, now)
            case JoinRequest():
                return self._asked_to_admit(peer, message, now)
            case Admitted():
                return self._admitted(peer, message, now)
            case Refused():
                return self._refused(peer, message)

    def _introduced(self, peer: NodeId, message: Introduction, known: bool, now: float) -> list[Output]:
        self.trust.learn_many([(NodeId(node), credential) for node, credential in message.path], now)
        if self.stage is not Stage.MEMBER or self.trust.standing(peer) is None:
            return []
        # Somebody whom we know may not know us (any more): it has lost its table in a restart.
        return [*self._introduce(peer), Acquainted(peer, join=not known)]

    def _introduce(self, peer: NodeId) -> list[Output]:
        """Show a member, once in a session, how to establish us."""
        if peer in self._introduced_to:
            return []
        self._introduced_to[peer] = None
        return [self._send(peer, Introduction(tuple(self.trust.path(self.me))))]

    def _asked_to_admit(self, peer: NodeId, message: JoinRequest, now: float) -> list[Output]:
        if self.stage is not Stage.MEMBER:
            return [self._send(peer, Refused("this node is not a member itself yet", final=False))]
        ahead_s = message.clock_s - now
        if abs(ahead_s) > CLOCK_TOLERANCE_S:
            return [self._send(peer, Refused(_clock_refusal(ahead_s), final=True))]
        try:
            credential = self.trust.witness(peer, message.credential, now, self._seed)
        except RemoteProtocolError as error:
            final = not isinstance(error, CannotVouchError)  # then another member may be able to
            return [self._send(peer, Refused(str(error)[:REASON_MAX], final))]
        return [self._send(peer, Admitted(credential, tuple(self.trust.paths()))), Acquainted(peer, join=False)]

    def _admitted(self, peer: NodeId, message: Admitted, now: float) -> list[Output]:
        following = WAY_IN[self.stage].get(Step.ADMITTED)
        if following is None:
            return []
        self.trust.learn_many([(NodeId(node), credential) for node, credential in message.path], now)
        standing = self.trust.learn(self.me, message.credential, now)
        if not standing.admitted:
            raise RemoteProtocolError("its admission of this node is worth nothing: it is not a member itself")
        self.stage = following
        self.credential = message.credential
        return [Save("credential", self.me, message.credential), BecameMember(), Acquainted(peer, join=True)]

    def _refused(self, peer: NodeId, message: Refused) -> list[Output]:
        if peer not in self._asked:
            return []
        if message.final:
            self._refusals[peer] = message.reason
        self._lost(peer)
        return [Notify("joining", b""), Disconnect(peer, "it cannot admit this node")]

    def _send(self, peer: NodeId, message: object) -> Send:
        return Send(peer, self._frames.encode(message))


def _clock_refusal(ahead_s: float) -> str:
    direction = "ahead of" if ahead_s > 0 else "behind"
    minutes = f"{abs(ahead_s) / 60:.0f} minutes"
    return f"this machine's clock is {minutes} {direction} the cluster's: set it (compare 'date -u') and try again"
