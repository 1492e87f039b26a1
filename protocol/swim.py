"""What members tell each other: SWIM's messages, their numbers, and the packet that carries several of them.

Three sorts of words travel. *Probes* (Ping to Nack) are between two nodes and mean nothing to a third. *News* (Alive
to Left) carries statements signed by whoever they bind: a record and a leave by their owner, a suspicion by its
accuser, so that it may pass through any hands. *Figures* (LoadNews, LinkNews) are told by their owner to whoever has
asked for them (Follow); whoever acts on one asks the owner first. A PushPull is everything at once and needs a
session; a Compare finds out whether there is any need of it.
"""

from collections.abc import Callable
from typing import Annotated

from .codec import U8, U16, U32, U63, Length, Range, decode, pack
from .coordinate import COORDINATE_BYTES
from .frames import Frames
from .ids import NodeId
from .signed import Signed
from .values import dataclass

PACKET_BYTES_MAX = 1300
"""With 46 bytes of seal, 8 of UDP and 40 of IPv6 this stays under 1,400: the MTU of most tunnels (membership.md
4.5)."""

PACKET_HEAD_BYTES = 4
"""The two array headers around the messages of a packet, at their longest."""

MESSAGE_HEAD_BYTES = 3
"""The header of one message inside a packet, at its longest."""

PACKET_ROOM_BYTES = PACKET_BYTES_MAX - PACKET_HEAD_BYTES - MESSAGE_HEAD_BYTES
"""A message longer than this never fits a packet and goes over a session instead."""

MESSAGES_MAX = 64
"""Messages in one packet (membership.md 4.8): more would not fit anyway, and it bounds the work per datagram."""

PINGS = 3
"""Pings in a burst: the minimum of three is within 6-20 % of the true delay where one ping is 50 % off
(membership.md 2.2)."""

EVIDENCE_MAX = 8
"""Accusations that travel with a verdict: three convict, and the timer of the slowest profile counts five."""

ENTRIES_MAX = 4096
"""Members in one push-pull (membership.md 4.8): the size of a whole table."""

LINKS_MAX = 64
"""Figures in one row: beyond 64 nodes nobody keeps a direct table."""

FIGURE_HEAD_BYTES = 9
"""What the age and the headers add to the body of a figure, at most."""

FIGURES_HEAD_BYTES = 4
"""What the headers of a message of figures take, at most."""

FIGURE_BODY_BYTES_MAX = PACKET_ROOM_BYTES - FIGURES_HEAD_BYTES - FIGURE_HEAD_BYTES
"""Figures travel in packets only; a row of 64 links that takes more loses its least certain ones."""

SHORT_BYTES = 8
"""Figures name nodes by the first bytes of their key, as datagrams do: a third of the bytes, and a forged
collision could at worst attach a wrong figure to a node."""

Node = Annotated[NodeId, Length(32, 32)]
Short = Annotated[bytes, Length(SHORT_BYTES, SHORT_BYTES)]
Place = Annotated[bytes, Length(0, COORDINATE_BYTES)]
"""A node's own coordinate (see `coordinate`), or nothing: clusters of which every pair is measured need none."""

Millis = U32
"""A duration in milliseconds, at most 49 days."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you there? Over a session it is the fallback for networks that lose datagrams."""

    nonce: U63
    """Drawn anew for every burst; the answer repeats it."""
    index: Annotated[int, Range(0, PINGS - 1)]
    place: Place = b""
    """The sender's. Who shows it is shown the other's: the answer may be as long then."""


@dataclass(frozen=True, slots=True)
class Ack:
    """Yes. As long as the Ping it answers, so that nothing is amplified."""

    nonce: U63
    index: Annotated[int, Range(0, PINGS - 1)]
    place: Place = b""


@dataclass(frozen=True, slots=True)
class PingRequest:
    """Please ping the target for me: I get no answer. Only members are pinged, at the addresses of their records."""

    nonce: U63
    target: Node


@dataclass(frozen=True, slots=True)
class IndirectAck:
    """The target of your request answered me."""

    nonce: U63


@dataclass(frozen=True, slots=True)
class Nack:
    """The target of your request did not answer me either; but you and I hear each other (Lifeguard)."""

    nonce: U63


@dataclass(frozen=True, slots=True)
class Suspicion:
    """The body of an accusation, signed by the accuser as Kind.SUSPICION."""

    accused: Node
    incarnation: U63
    """Only this incarnation is accused; a refutation by a higher one settles the matter."""


@dataclass(frozen=True, slots=True)
class Leave:
    """The body of a farewell, signed by the leaver as Kind.LEAVE."""

    incarnation: U63


@dataclass(frozen=True, slots=True)
class Alive:
    """A node's record, signed by the node."""

    signed: Signed


@dataclass(frozen=True, slots=True)
class Suspect:
    """A Suspicion, signed by its accuser."""

    signed: Signed


@dataclass(frozen=True, slots=True)
class Left:
    """A Leave, signed by its owner."""

    signed: Signed


@dataclass(frozen=True, slots=True)
class Dead:
    """A verdict together with the signed suspicions that prove it, so that others need not wait."""

    accused: Node
    incarnation: U63
    evidence: Annotated[tuple[Signed, ...], Length(1, EVIDENCE_MAX)]


@dataclass(frozen=True, slots=True)
class Aged:
    """A figure on its way."""

    body: Annotated[bytes, Length(1, FIGURE_BODY_BYTES_MAX)]
    """A LoadDelta or a LinkRow."""
    age_ms: Millis
    """How old it is; in the hands of earlier versions, which pass figures on, all hops together."""


@dataclass(frozen=True, slots=True)
class LoadNews:
    """How busy the sender is; earlier versions pass on the LoadDeltas of several nodes in one."""

    loads: Annotated[tuple[Aged, ...], Length(1, MESSAGES_MAX)]


@dataclass(frozen=True, slots=True)
class LinkNews:
    """The same with LinkRows."""

    rows: Annotated[tuple[Aged, ...], Length(1, MESSAGES_MAX)]


@dataclass(frozen=True, slots=True)
class Follow:
    """Tell me your figures, now if yours are newer than these, and from now on for LEASE_S (see `followers`)."""

    load: U32 = 0
    """The version of your load that I have; 0 for none."""
    row: U32 = 0
    """The same of your row."""


@dataclass(frozen=True, slots=True)
class Full:
    """No: too many follow me already."""

    pause_s: U16
    """For so long do not ask again."""


@dataclass(frozen=True, slots=True)
class LoadDelta:
    """How busy a node is, in about 33 bytes."""

    node: Short
    boot: U32
    """As in the node's record; a figure from an earlier life is void."""
    version: U32
    cpu_percent: U8
    memory_percent: U8
    running: U16
    queued: U16
    free_in_ms: Millis
    lag_ms: Millis


@dataclass(frozen=True, slots=True)
class LinkCell:
    """What a row says of the way from one source."""

    source: Short
    latency_us: U32
    bandwidth_kb_per_s: U32
    """Kilobytes (1,000) per second; 0 when never measured."""
    confidence_percent: Annotated[int, Range(0, 100)]


@dataclass(frozen=True, slots=True)
class LinkRow:
    """What a node measured of the ways towards itself."""

    node: Short
    boot: U32
    version: U32
    cells: Annotated[tuple[LinkCell, ...], Length(0, LINKS_MAX)]
    place: Place = b""
    """Where the node stands."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One member as the sender of a push-pull sees it."""

    record: Signed
    state: U8
    """The value of a roster.State; of a later version's states we believe only the record."""
    evidence: Annotated[tuple[Signed, ...], Length(0, EVIDENCE_MAX)]
    """Suspicions for a suspect or dead member, the Leave of one that left."""


@dataclass(frozen=True, slots=True)
class Known:
    """A member whose record the sender of a push-pull has: a thirtieth of the record itself."""

    node: Short
    mark: Short
    """The first bytes of the record's signature."""
    state: U8


@dataclass(frozen=True, slots=True)
class PushPull:
    """All of the membership that the sender knows and the other side may not, itself first."""

    reply_wanted: bool
    entries: Annotated[tuple[Entry, ...], Length(1, ENTRIES_MAX)]
    loads: Annotated[tuple[Aged, ...], Length(0, ENTRIES_MAX)] = ()
    """Those that the sender knows; of earlier versions only, as the rows."""
    rows: Annotated[tuple[Aged, ...], Length(0, ENTRIES_MAX)] = ()
    known: Annotated[tuple[Known, ...], Length(0, ENTRIES_MAX)] = ()
    """In a request, whom else the sender knows."""
    wanted: Annotated[tuple[Short, ...], Length(0, ENTRIES_MAX)] = ()
    """In an answer, who of those should be shown."""


@dataclass(frozen=True, slots=True)
class Compare:
    """Whoever knows anything else of the membership than the sender begins a PushPull with it; who knows the same is
    silent."""

    total: Short
    """A hash over all whom the sender knows to be present, itself included, their incarnations and states."""


@dataclass(frozen=True, slots=True)
class Packet:
    """What one datagram carries: messages, each encoded by itself, so that an unknown one spoils nothing. To a node
    that can only dial out it goes over the session, as one frame."""

    messages: Annotated[
        tuple[Annotated[bytes, Length(1, PACKET_BYTES_MAX)], ...],
        Length(1, MESSAGES_MAX),
    ]


Probe = Ping | Ack | PingRequest | IndirectAck | Nack
News = Alive | Suspect | Dead | Left
Telling = LoadNews | LinkNews | Follow | Full
Message = Probe | News | Telling | PushPull | Compare | Packet

FRAMES: dict[int, type] = {
    1: Ping,
    2: Ack,
    3: PingRequest,
    4: IndirectAck,
    5: Nack,
    6: Alive,
    7: Suspect,
    8: Dead,
    9: Left,
    10: LoadNews,
    11: LinkNews,
    12: PushPull,
    13: Follow,
    14: Full,
    15: Compare,
    16: Packet,
}
"""Kinds 1 to 39 are the members' own."""

_TABLE = Frames(FRAMES)


spell: Callable[[Message], bytes] = _TABLE.encode
"""One message as bytes, as it travels in a packet or over a session."""

read: Callable[[bytes], Message] = _TABLE.decode
"""One message from bytes; raises MalformedError."""


def seal(messages: list[bytes]) -> bytes:
    """The payload of one datagram."""
    return pack((messages,))  # as a Packet is spelled


def unseal(payload: bytes) -> tuple[bytes, ...]:
    """The messages of a datagram, still encoded; raises MalformedError."""
    return decode(Packet, payload).messages


def bundles(messages: list[bytes]) -> list[list[bytes]]:
    """Messages in their order, shared out to packets; at least one packet, which may be empty."""
    packets: list[list[bytes]] = [[]]
    room_bytes = PACKET_BYTES_MAX - PACKET_HEAD_BYTES
    for message in messages:
        size_bytes = len(message) + MESSAGE_HEAD_BYTES
        if size_bytes > room_bytes or len(packets[-1]) == MESSAGES_MAX:
            packets.append([])
            room_bytes = PACKET_BYTES_MAX - PACKET_HEAD_BYTES
        packets[-1].append(message)
        room_bytes -= size_bytes
    return packets


def room_for(messages: list[bytes]) -> int:
    """Bytes that these messages take in a packet."""
    return sum(len(message) + MESSAGE_HEAD_BYTES for message in messages)
