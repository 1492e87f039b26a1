"""The handshake: how two nodes that have just been connected prove to each other who they are.

It has the shape of SIGMA-I (sign and MAC, the initiator's identity hidden from everybody): fresh keys are exchanged
first, then each side signs all that was said, encrypted under keys from that exchange. One class plays both sides.

    initiator                                            responder
    START                                                START
      | start() sends HELLO                                | start()
    AWAIT_ANSWER      HELLO   --------------------->     AWAIT_HELLO
      |               ANSWER  <---------------------       | passes the filter, so ANSWER is sent
    AWAIT_VERDICT     PROOF   --------------------->     AWAIT_PROOF
      |               VERDICT <---------------------       | checks the proof, sends VERDICT
    ESTABLISHED                                          ESTABLISHED

    HELLO    versions, cluster, ephemeral key, and the filter (see `greeting`)
    ANSWER   ephemeral key; encrypted: signature, chosen version, abilities, clock, id and credential of the responder
    PROOF    encrypted: signature, purpose, abilities, clock, id and credential of the initiator
    VERDICT  encrypted: accepted, or why not, for the people at the initiator
    REFUSAL  instead of ANSWER, in the clear: another cluster, or no common version. Whoever can forge it could cut
             the connection as well; and that a node lives here, mDNS tells everybody anyway

What does not stand in the table NEXT ends the handshake, as do the deadline and the end of the stream: the machine
goes to FAILED, and `failure` says why (see `refusals`). To a stranger a responder says nothing at all.

When both sides are ESTABLISHED, then each holds the key of the node that the other believes to talk to; both saw the
same bytes, so nobody chose cluster, version or purpose for them; nobody else knows the session keys, nor will anybody
learn them from keys stolen later; and each has called `check` on the other's credential.
"""

from collections.abc import Callable
from enum import Enum, IntEnum
from math import inf

from .crypto import SIGNATURE_BYTES, Crypto
from .errors import LocalProtocolError, RemoteProtocolError
from .exchange import KEY_BYTES, TAG_BYTES, Exchange
from .greeting import (
    HEADER,
    PROOF,
    Ability,
    Kind,
    Refusal,
    Versions,
    frame_head,
    hello_frame,
    raise_refusal,
    read_hello,
    refusal_frame,
    take_frame,
)
from .ids import ClusterId, NodeId, cluster_id, node_text
from .record import CREDENTIAL_BYTES_MAX
from .refusals import (
    BadHandshakeError,
    ClosedEarlyError,
    CredentialRefusedError,
    HandshakeError,
    HandshakeTimeoutError,
    OtherClusterError,
    RefusedError,
    SelfConnectionError,
    SessionExistsError,
    VersionError,
    WrongPeerError,
)
from .sealing import has_aes
from .session import REASON_CHARACTERS_MAX, Purpose, SessionKeys, readable
from .values import dataclass

OUR_VERSIONS = Versions(3, 3)
"""Counted on whenever a frame, a digest or a kind of statement changes: two nodes that differ tell each other so."""

DEADLINE_S = 5.0
"""Half a second would do on a LAN; a machine that swaps, or a satellite link, takes longer."""

CLOCK_DIFFERENCE_S = 60.0
"""A clock that differs by more is worth a word where a credential was refused: validity is judged by clocks."""


class State(Enum):
    """Where a handshake is, see above."""

    START = "start"
    AWAIT_HELLO = "await hello"
    AWAIT_ANSWER = "await answer"
    AWAIT_PROOF = "await proof"
    AWAIT_VERDICT = "await verdict"
    ESTABLISHED = "established"
    FAILED = "failed"


NEXT: dict[State, dict[Kind, State]] = {
    State.AWAIT_HELLO: {Kind.HELLO: State.AWAIT_PROOF},
    State.AWAIT_ANSWER: {Kind.ANSWER: State.AWAIT_VERDICT, Kind.REFUSAL: State.FAILED},
    State.AWAIT_PROOF: {Kind.PROOF: State.ESTABLISHED},
    State.AWAIT_VERDICT: {Kind.VERDICT: State.ESTABLISHED},
}
"""Which frame leads where; states that are not here take none."""

ROLES = {Kind.ANSWER: b"pnode-srv", Kind.PROOF: b"pnode-cli"}
"""A signature made in one role is worth nothing in the other."""

LABELS = {Kind.ANSWER: b"pnode-hs-answer", Kind.PROOF: b"pnode-hs-proof", Kind.VERDICT: b"pnode-hs-verdict"}


class Verdict(IntEnum):
    """What the responder makes of the initiator; the number goes over the wire."""

    ACCEPTED = 0
    REFUSED = 1
    SESSION_EXISTS = 2


CONTENT = (Purpose.BULK, Purpose.MEET)
"""What may carry content, in frames that are long enough for AES-256-GCM to be worth it."""

Check = Callable[[NodeId, bytes, Purpose], None]
"""(node, credential, purpose): raises a RemoteProtocolError, worded for people, unless we want the connection."""


@dataclass(frozen=True, slots=True)
class Passport:
    """What a node shows, and proves, to say who it is."""

    seed: bytes
    """32 bytes: the node's secret key."""
    authority_key: bytes
    """32 bytes: the public key that is the cluster."""
    credential: Callable[[], bytes]
    """The newest one, at most CREDENTIAL_BYTES_MAX; asked for once per handshake."""
    crypto: Crypto

    @property
    def node(self) -> NodeId:
        return NodeId(self.crypto.public_key(self.seed))

    @property
    def cluster(self) -> ClusterId:
        return cluster_id(self.authority_key)


@dataclass(frozen=True, slots=True)
class Established:
    """What a handshake that ended well has given."""

    peer: NodeId
    credential: bytes
    purpose: Purpose
    version: int
    keys: SessionKeys
    clock_offset_s: float
    """The other side's wall clock minus ours; uncertain by half a round trip."""
    leftover: bytes
    """What came behind the last frame: the beginning of the session."""


class Handshake:
    """One side of one handshake. Feed it what the stream gives, send what it returns, watch `state` and `deadline`.

    `ephemeral_seed` are 32 fresh random bytes. `purpose` is the initiator's wish; a responder learns it. With
    `expected`, any other node is refused.
    """

    def __init__(
        self,
        passport: Passport,
        check: Check,
        ephemeral_seed: bytes,
        *,
        initiator: bool,
        purpose: Purpose = Purpose.CONTROL,
        expected: NodeId | None = None,
        versions: Versions = OUR_VERSIONS,
        abilities: Ability | None = None,
    ) -> None:
        self.state = State.START
        self.failure: HandshakeError | None = None
        """Why the state is FAILED."""
        self.result: Established | None = None
        """Not None when the state is ESTABLISHED."""
        self.deadline = inf
        self._passport = passport
        self._credential = passport.credential()
        assert len(self._credential) <= CREDENTIAL_BYTES_MAX, "no handshake can carry such a credential"
        self._check = check
        self._initiator = initiator
        self._purpose = purpose
        self._expected = expected
        self._versions = versions
        self._abilities = our_abilities() if abilities is None else abilities
        self._common = Ability.NONE
        self._version = 0
        self._exchange = Exchange(ephemeral_seed, initiator=initiator)
        self._buffer = bytearray()
        self._parting = b""
        self._asked_at = 0.0
        self._clock_offset_s = 0.0
        self._peer = NodeId(b"")
        self._peer_credential = b""

    def start(self, now: float) -> bytes:
        """Begin; returns what to send first (nothing, for a responder)."""
        if self.state is not State.START:
            raise LocalProtocolError("a handshake is started once")
        self.deadline = now + DEADLINE_S
        if not self._initiator:
            self.state = State.AWAIT_HELLO
            return b""
        self.state = State.AWAIT_ANSWER
        self._asked_at = now
        return self._exchange.say(hello_frame(self._versions, self._exchange.public, self._passport.authority_key))

    def receive(self, data: bytes, now: float) -> bytes:
        """Take bytes as they come; returns what to send, also when that is the last word before FAILED."""
        if self.state not in NEXT:
            raise LocalProtocolError(f"a handshake in the state {self.state.value!r} takes no bytes")
        self._buffer += data
        reply = b""
        try:
            while self.state in NEXT and (frame := take_frame(self._buffer, NEXT[self.state])) is not None:
                reply += self._read(frame, now)
        except HandshakeError as error:
            self._fail(error)
            return reply + self._parting
        return reply

    def receive_eof(self) -> None:
        """The stream has ended."""
        if self.state is State.AWAIT_ANSWER and not self._buffer:
            self._fail(
                ClosedEarlyError("closed the connection at once: is it a pnode node of this cluster, or busy?")
            )
        else:
            self._fail(ClosedEarlyError("closed the connection during the handshake"))

    def tick(self, now: float) -> None:
        """Fail if the deadline has passed."""
        if now >= self.deadline:
            self._fail(HandshakeTimeoutError(f"did not finish the handshake within {DEADLINE_S:g} s"))

    def _fail(self, error: HandshakeError) -> None:
        if self.state in NEXT:
            self.state, self.failure, self.deadline = State.FAILED, error, inf

    def _read(self, frame: bytes, now: float) -> bytes:
        """Act on one frame; returns the answer to it."""
        kind = Kind(frame[2])
        reply = b""
        if kind is Kind.HELLO:
            reply = self._read_hello(frame, now)
        elif kind is Kind.ANSWER:
            reply = self._read_answer(frame, now)
        elif kind is Kind.PROOF:
            reply = self._read_proof(frame, now)
        elif kind is Kind.VERDICT:
            self._read_verdict(frame)
        else:
            assert kind is Kind.REFUSAL
            raise_refusal(frame, self._versions)
        self.state = NEXT[self.state][kind]
        if self.state is State.ESTABLISHED:
            self._finish()
        return reply

    def _read_hello(self, frame: bytes, now: float) -> bytes:
        try:
            hello = read_hello(frame, self._passport.authority_key)
            self._version = self._versions.highest_common(hello.versions)
        except OtherClusterError:
            self._parting = refusal_frame(Refusal.OTHER_CLUSTER, self._versions)
            raise
        except VersionError:
            self._parting = refusal_frame(Refusal.VERSION, self._versions)
            raise
        self._exchange.say(frame)
        self._exchange.agree(hello.public)
        self._asked_at = now
        return self._prove(Kind.ANSWER, self._exchange.public, self._version, now)

    def _read_answer(self, frame: bytes, now: float) -> bytes:
        opening_end = HEADER.size + KEY_BYTES
        self._exchange.agree(frame[HEADER.size : opening_end])
        self._version = self._verify(Kind.ANSWER, frame, opening_end, now)
        if not self._versions.lowest <= self._version <= self._versions.highest:
            raise BadHandshakeError(f"chose protocol version {self._version}, which we had not offered")
        try:
            self._check(self._peer, self._peer_credential, self._purpose)
        except RemoteProtocolError as error:
            raise self._rejected(error) from None
        return self._prove(Kind.PROOF, b"", self._purpose, now)

    def _read_proof(self, frame: bytes, now: float) -> bytes:
        purpose = self._verify(Kind.PROOF, frame, HEADER.size, now)
        try:
            self._purpose = _purpose(purpose)
            self._check(self._peer, self._peer_credential, self._purpose)
        except RemoteProtocolError as error:
            exists = isinstance(error, SessionExistsError)
            self._parting = self._judge(Verdict.SESSION_EXISTS if exists else Verdict.REFUSED, str(error))
            raise self._rejected(error) from None
        return self._judge(Verdict.ACCEPTED, "")

    def _read_verdict(self, frame: bytes) -> None:
        opened = self._exchange.open(LABELS[Kind.VERDICT], frame[: HEADER.size], frame[HEADER.size :])
        verdict, reason = opened[0], readable(opened[1:])
        if verdict == Verdict.SESSION_EXISTS:
            raise SessionExistsError(reason)
        if verdict != Verdict.ACCEPTED:
            raise RefusedError(f"refused us: {reason}{self._clock_hint()}")

    def _judge(self, verdict: Verdict, reason: str) -> bytes:
        """A VERDICT. Not noted as said: it depends on nothing else, and the session's keys not on it."""
        body = bytes([verdict]) + reason[:REASON_CHARACTERS_MAX].encode(errors="replace")
        head = frame_head(Kind.VERDICT, len(body) + TAG_BYTES)
        return head + self._exchange.seal(LABELS[Kind.VERDICT], head, body)

    def _prove(self, kind: Kind, opening: bytes, choice: int, now: float) -> bytes:
        """An ANSWER or a PROOF: `opening` in the clear; encrypted, our signature over all that was said and the
        fields: a choice, our abilities, clock, id and credential."""
        fields = PROOF.pack(choice, self._abilities, int(now * 1000), self._passport.node) + self._credential
        head = frame_head(kind, len(opening) + SIGNATURE_BYTES + len(fields) + TAG_BYTES) + opening
        signature = self._passport.crypto.sign(self._passport.seed, self._signed_bytes(kind, head, fields))
        return self._exchange.say(head + self._exchange.seal(LABELS[kind], head, signature + fields))

    def _verify(self, kind: Kind, frame: bytes, opening_end: int, now: float) -> int:
        """Check the frame that shows who the other side is and note what it says; returns its choice."""
        head = frame[:opening_end]
        opened = self._exchange.open(LABELS[kind], head, frame[opening_end:])
        signature, fields = opened[:SIGNATURE_BYTES], opened[SIGNATURE_BYTES:]
        choice, abilities, clock_ms, node = PROOF.unpack_from(fields)
        if not self._passport.crypto.verify(node, self._signed_bytes(kind, head, fields), signature):
            raise BadHandshakeError(
                "does not hold the key of the node that it claims to be, or runs another version of pnode"
            )
        self._exchange.say(frame)
        if node == self._passport.node:
            raise SelfConnectionError("is this node itself")
        if self._expected is not None and node != self._expected:
            raise WrongPeerError(f"is node {node_text(node)}, not {node_text(self._expected)} as expected")
        self._peer, self._peer_credential = NodeId(node), fields[PROOF.size :]
        self._common = self._abilities & Ability(abilities)
        # Its clock was read about half-way between our question and its answer.
        self._clock_offset_s = clock_ms / 1000 - (self._asked_at + now) / 2
        return int(choice)

    def _signed_bytes(self, kind: Kind, head: bytes, fields: bytes) -> bytes:
        return ROLES[kind] + self._passport.cluster + self._exchange.digest(head, fields)

    def _rejected(self, error: RemoteProtocolError) -> HandshakeError:
        """What we say when `check` has said no."""
        if isinstance(error, SessionExistsError):
            return error
        return CredentialRefusedError(f"is not accepted: {error}{self._clock_hint()}")

    def _clock_hint(self) -> str:
        if abs(self._clock_offset_s) < CLOCK_DIFFERENCE_S:
            return ""
        side = "ahead of" if self._clock_offset_s > 0 else "behind"
        return f" (its clock is {abs(self._clock_offset_s):.0f} s {side} ours: are both right?)"

    def _finish(self) -> None:
        self.result = Established(
            peer=self._peer,
            credential=self._peer_credential,
            purpose=self._purpose,
            version=self._version,
            keys=self._exchange.session_keys(aes=Ability.AES in self._common and self._purpose in CONTENT),
            clock_offset_s=self._clock_offset_s,
            leftover=bytes(self._buffer),
        )
        self.deadline = inf


def our_abilities() -> Ability:
    return Ability.AES if has_aes() else Ability.NONE


def _purpose(number: int) -> Purpose:
    try:
        return Purpose(number)
    except ValueError:
        raise BadHandshakeError(f"this version knows no connections for purpose {number}") from None
