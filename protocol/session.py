"""A session: the sealed stream of messages between two nodes after their handshake.

Each direction is sealed on its own, in one of two ways (see `sealing`). It begins with that way's head; frames
follow, each a length (u32, big-endian) and that many bytes of ciphertext. A frame that was changed, left out,
repeated or moved does not open, and the session is over: there is no way to find one's place in a stream again.

The tag that is authenticated with every frame says what the frame is:

    MESSAGE   a piece of a message whose rest follows; such a piece always fills its frame
    PUSH      a whole message, or the last piece of one
    REKEY     empty: both sides forget the old key (after 1 GiB or 10 minutes). A message follows, never another one
    FINAL     the sender has said everything; the reason, for people, is inside. A stream that ends without it was cut

Receiving is a life cycle of four states, a step per head, FINAL frame or error:

    HEAD      nothing but the head may come
    FRAMES    frames, until FINAL
    ENDED     orderly: not one byte more
    BROKEN    an error was raised: what was received before stands, nothing more is taken

A length is checked as soon as its four bytes are there, before anything is kept for it. So the most that the other
side can make us hold is one frame and the pieces of one message.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import Enum, IntEnum
from math import inf

from .errors import LocalProtocolError, RemoteProtocolError
from .sealing import (
    OVERHEAD_BYTES,
    TAG_FINAL,
    TAG_MESSAGE,
    TAG_PUSH,
    TAG_REKEY,
    Opener,
    Sealer,
    StreamOpener,
    StreamSealer,
    UnsealedError,
)
from .values import dataclass

REKEY_BYTES = 2**30
REKEY_PERIOD_S = 600.0
"""What is sealed under one key is what a stolen key opens (reference: membership.md 4.4)."""

REASON_CHARACTERS_MAX = 200
"""A line for people."""

PARTS_MAX = 1024
"""What came in small portions is joined from time to time, since each portion costs memory of its own."""

BULK_MESSAGES_MAX = 1024
"""Of content that may come in one portion. One asks and the other answers, so there are three or four of them; this
many empty ones hold us for 15 ms, and all that 2 MiB can hold of them for half a second."""

LENGTH_BYTES = 4


class SessionError(RemoteProtocolError):
    """The other side's stream is not what it must be. Abstract."""


class TamperedError(SessionError):
    """A frame was changed, lost, repeated or moved on its way."""


class OversizeError(SessionError):
    """A frame or a message is longer than the other side may send, or too many come at once."""


class TruncatedError(SessionError):
    """The stream ended without the other side having said that it is finished."""


class Purpose(IntEnum):
    """What a connection is for; the number goes over the wire."""

    CONTROL = 1
    """Messages between the cores of two nodes."""
    BULK = 2
    """Content, in large frames, one transfer after the other."""
    MEET = 3
    """To be connected with somebody by a relay, or because the other side has asked to be dialled (see
    `switchboard`)."""


FRAME_BYTES_MAX = {Purpose.CONTROL: 64 * 1024, Purpose.BULK: 1024 * 1024, Purpose.MEET: 1024 * 1024}
"""Payload per frame: a small one keeps control memory small, a large one bulk throughput high (membership.md 4.4)."""

MESSAGE_BYTES_MAX = {Purpose.CONTROL: 4 * 1024 * 1024, Purpose.BULK: 1024 * 1024, Purpose.MEET: 1024 * 1024}
"""The largest control message is a job's specification or a push-pull, the largest bulk one a chunk of content."""


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """One key of 32 bytes per direction."""

    send: bytes
    receive: bytes
    aes: bool = False
    """Whether they are for AES-256-GCM."""


class Receiving(Enum):
    """Where the other side's stream is, see above."""

    HEAD = "head"
    FRAMES = "frames"
    ENDED = "ended"
    BROKEN = "broken"


NEXT = {
    Receiving.HEAD: {"head": Receiving.FRAMES, "error": Receiving.BROKEN},
    Receiving.FRAMES: {"final": Receiving.ENDED, "error": Receiving.BROKEN},
    Receiving.ENDED: {"error": Receiving.BROKEN},
    Receiving.BROKEN: {},
}


class Session:
    """Seals messages into a byte stream and opens the other side's."""

    def __init__(self, keys: SessionKeys, purpose: Purpose, now: float) -> None:
        self.frame_bytes_max = FRAME_BYTES_MAX[purpose]
        self.message_bytes_max = MESSAGE_BYTES_MAX[purpose]
        channel = bytes([purpose])
        sealed, opened = _ways(aes=keys.aes)
        self._sealer: Sealer = sealed(keys.send, channel)
        self._opener: Opener = opened(keys.receive, channel)
        self._messages_max = BULK_MESSAGES_MAX if purpose is Purpose.BULK else inf
        self._rekeyed = False
        self._head = self._sealer.head
        self._said_everything = False
        self._sealed_bytes = 0
        self._keyed_at = now
        self._receiving = Receiving.HEAD
        self._need_bytes = self._opener.head_bytes
        self._have_bytes = 0
        self._parts: list[bytes] = []
        self._pieces: list[bytes] = []
        self.end_reason = ""
        """Why the other side ended the session, once `ended`."""

    @property
    def ended(self) -> bool:
        """Whether the other side has said that nothing more will come."""
        return self._receiving is Receiving.ENDED

    def limit(self, bytes_max: int) -> None:
        """No frame and no message is longer than this from now on, in both directions."""
        self.frame_bytes_max = self.message_bytes_max = bytes_max

    def seal(self, payload: bytes, now: float) -> bytes:
        """The bytes to send for one message of at most `message_bytes_max` bytes."""
        return self.seal_many((payload,), now)

    def seal_many(self, payloads: Iterable[bytes], now: float) -> bytes:
        """The bytes to send for several messages, in order, for one write."""
        parts = [self._take_head()]
        for payload in payloads:
            self._seal_message(payload, now, parts)
        return b"".join(parts)

    def close(self, reason: str = "") -> bytes:
        """The bytes that end our direction; the other side reads `reason`. Nothing can be sealed afterwards."""
        parts = [self._take_head()]
        self._seal_frame(reason[:REASON_CHARACTERS_MAX].encode(errors="replace"), TAG_FINAL, parts)
        self._said_everything = True
        return b"".join(parts)

    def receive(self, data: bytes) -> list[bytes]:
        """Take bytes as they come and return the messages that are complete.

        Raises a SessionError, after which the session is of no use for receiving.
        """
        if self._receiving is Receiving.BROKEN:
            raise LocalProtocolError("a broken session was given more to read")
        self._parts.append(data)
        self._have_bytes += len(data)
        if self._have_bytes < self._need_bytes:
            if len(self._parts) > PARTS_MAX:
                self._parts = [b"".join(self._parts)]
            return []
        messages: list[bytes] = []
        try:
            rest = self._read(b"".join(self._parts), messages)
        except SessionError:
            self._advance("error")
            self._parts.clear()
            self._pieces.clear()
            raise
        self._parts = [rest] if rest else []
        self._have_bytes = len(rest)
        return messages

    def receive_eof(self) -> None:
        """The stream has ended. Raises TruncatedError unless the other side had said so before."""
        if self._receiving is not Receiving.ENDED:
            raise TruncatedError("the connection was cut")

    def _take_head(self) -> bytes:
        if self._said_everything:
            raise LocalProtocolError("nothing can be sent in a session that we have closed")
        head, self._head = self._head, b""
        return head

    def _seal_message(self, payload: bytes, now: float, parts: list[bytes]) -> None:
        if len(payload) > self.message_bytes_max:
            raise LocalProtocolError(f"a message of {len(payload)} bytes exceeds {self.message_bytes_max}")
        if self._sealed_bytes >= REKEY_BYTES or now - self._keyed_at >= REKEY_PERIOD_S:
            self._seal_frame(b"", TAG_REKEY, parts)
            self._sealed_bytes, self._keyed_at = 0, now
        pieces = _cut(payload, self.frame_bytes_max)
        for piece in pieces[:-1]:
            self._seal_frame(piece, TAG_MESSAGE, parts)
        self._seal_frame(pieces[-1], TAG_PUSH, parts)

    def _seal_frame(self, piece: bytes, tag: int, parts: list[bytes]) -> None:
        self._sealed_bytes += len(piece)
        parts.append((len(piece) + OVERHEAD_BYTES).to_bytes(LENGTH_BYTES, "big"))
        parts += self._sealer.seal(piece, tag)

    def _advance(self, event: str) -> None:
        self._receiving = NEXT[self._receiving][event]

    def _read(self, data: bytes, messages: list[bytes]) -> bytes:
        """Open everything that is complete and return the rest; `_need_bytes` says what the rest waits for."""
        at = 0
        if self._receiving is Receiving.HEAD:
            at = self._opener.head_bytes
            self._opener.begin(data[:at])
            self._advance("head")
        self._need_bytes = LENGTH_BYTES
        while len(data) - at >= LENGTH_BYTES and self._receiving is Receiving.FRAMES:
            length = int.from_bytes(data[at : at + LENGTH_BYTES], "big")
            self._check_length(length)
            end = at + LENGTH_BYTES + length
            if end > len(data):
                self._need_bytes = end - at
                break
            self._read_frame(data, at + LENGTH_BYTES, end, messages)
            at = end
        if self._receiving is Receiving.ENDED:
            self._need_bytes = 1
            if at < len(data):
                raise TamperedError("it went on sending after it had said that it was finished")
        return data[at:]

    def _check_length(self, length: int) -> None:
        if length < OVERHEAD_BYTES:
            raise TamperedError(f"a frame of {length} bytes is too short to be sealed")
        piece_bytes = length - OVERHEAD_BYTES
        if piece_bytes > self.frame_bytes_max:
            raise OversizeError(
                f"it announced a frame of {piece_bytes} bytes where {self.frame_bytes_max} are allowed"
            )
        # All pieces but the last fill their frames, so their count gives their size.
        if len(self._pieces) * self.frame_bytes_max + piece_bytes > self.message_bytes_max:
            raise OversizeError(f"its message exceeds {self.message_bytes_max} bytes")

    def _read_frame(self, data: bytes, begin: int, end: int, messages: list[bytes]) -> None:
        try:
            piece, tag = self._opener.open(data, begin, end)
        except UnsealedError:
            raise TamperedError("a frame was changed, lost or repeated on its way") from None
        if tag == TAG_PUSH:
            if len(messages) >= self._messages_max:
                raise OversizeError(f"more than {self._messages_max} messages came at once")
            messages.append(b"".join([*self._pieces, piece]) if self._pieces else piece)
            self._pieces.clear()
        elif tag == TAG_MESSAGE:
            if len(piece) != self.frame_bytes_max:
                raise TamperedError("a piece of a message does not fill its frame, yet is not the last")
            self._pieces.append(piece)
        elif tag == TAG_FINAL:
            self._end(piece)
        elif tag != TAG_REKEY:
            raise TamperedError(f"a frame has the tag {tag}, which means nothing")
        elif piece:
            raise TamperedError("a change of keys carries a payload")
        elif self._rekeyed:
            raise TamperedError("a change of keys follows another")
        self._rekeyed = tag == TAG_REKEY

    def _end(self, reason: bytes) -> None:
        if self._pieces:
            raise TruncatedError("it finished in the middle of a message")
        self.end_reason = readable(reason)
        self._advance("final")


def _ways(*, aes: bool) -> tuple[Callable[[bytes, bytes], Sealer], Callable[[bytes, bytes], Opener]]:
    """How frames are sealed and opened, given a key and the channel."""
    if not aes:
        return StreamSealer, StreamOpener
    from .aes import CounterOpener, CounterSealer  # not before content moves: see there

    return CounterSealer, CounterOpener


def readable(text: bytes) -> str:
    """What the other side wrote for people, safe to show: one line, nothing that a terminal would obey."""
    decoded = text.decode(errors="replace")[:REASON_CHARACTERS_MAX]
    return "".join(letter if letter.isprintable() else "?" for letter in decoded)


def _cut(payload: bytes, size: int) -> Sequence[bytes]:
    """At least one piece, each of `size` bytes except the last."""
    if len(payload) <= size:
        return (payload,)
    return [payload[at : at + size] for at in range(0, len(payload), size)]
