"""The switchboard: the calls that a relay carries, or is about to, and how many there may be.

    (none) --Call--> summoned --Met, with the ticket, by the one who was called--> through --either hangs up--> (none)
                     summoned --nobody comes for SUMMON_S--> (none)

A call holds its place from the first to the last; that a caller has hung up is seen when there is an answer for it.
Whoever carries it keeps at most one message per direction, and the beginning of the next. See
"Hosts that can only dial out" in docs/architecture.md for who says what when.
"""

from collections import Counter
from collections.abc import Callable
from typing import Annotated, TypeVar

from .bucket import Buckets
from .codec import U8, Bytes16, Bytes32, Length
from .frames import Frames
from .ids import NodeId
from .values import dataclass

T = TypeVar("T")

SUMMON_S = 4.0
"""For the one who was called to come: it dials us, and a caller dials for 5 s at most."""

IDLE_S = 180.0
"""A call in which nobody says anything for so long is over: sessions end after a third of that."""

CONTROL_CALLS_MAX = 128
"""A neighbourhood of 64 that can only dial out would need more, but not of one relay."""

BULK_CALLS_MAX = 64
"""Of streams of content. A caller's share is what a node fetches at once from one source, and has kept for the next
file of six others; they say nothing meanwhile."""

CALLER_SHARE = 4
"""One caller gets a fourth of the places at the most, so that it cannot keep others out."""

CALLS_PER_PAIR_MAX = 4
"""Of one kind from one node to the same other: as many as a node fetches at once."""

CALLS_PER_S = 1
CALLS_BURST = 16
"""Of one caller to the same node, which comes to a relay that summons it only so often (`reaching.SUMMONS_PER_S`):
whoever calls it all the time must not use that up for all others."""

PAIRS_MAX = 4096
"""Whose calls are counted; as many as there are members at the most."""

TICKET_BYTES = 16

REASON_MAX = 200


class CallRefusedError(Exception):
    """A relay does not take a call; the text says why, for people. Another one may."""


@dataclass(frozen=True, slots=True)
class Call:
    """The first message to a relay: connect me with that member."""

    target: Bytes32
    bulk: U8
    """1 for content, 0 for a control session; later versions may know more."""


@dataclass(frozen=True, slots=True)
class Met:
    """The first message of whoever was summoned."""

    ticket: Bytes16


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call went."""

    refusal: Annotated[str, Length(0, REASON_MAX)]
    """Why you are not connected, for people; empty when you are, and what follows is between you two."""


Message = Call | Met | Answer

FRAMES: dict[int, type] = {90: Call, 91: Met, 92: Answer}
"""They are read where no other frame may come, at the beginning of a connection for meeting."""

_TABLE = Frames(FRAMES)

spell: Callable[[Message], bytes] = _TABLE.encode
"""One message as bytes."""

read: Callable[[bytes], Message] = _TABLE.decode
"""One message from bytes; raises MalformedError."""


@dataclass(frozen=True, slots=True)
class Carried:
    """A call: who wants to talk to whom."""

    caller: NodeId
    target: NodeId
    bulk: bool


class Switchboard:
    """All calls of one relay, by their tickets."""

    def __init__(self) -> None:
        self._calls: dict[bytes, Carried] = {}
        self._budgets = Buckets(CALLS_PER_S, CALLS_BURST, PAIRS_MAX)
        self._pairs: Counter[Carried] = Counter()
        self._kinds: Counter[bool] = Counter()
        self._callers: Counter[tuple[NodeId, bool]] = Counter()

    def __len__(self) -> int:
        return len(self._calls)

    def ring(self, caller: NodeId, target: NodeId, now: float) -> None:
        """Somebody calls somebody. Raises CallRefusedError if it does so too often."""
        if not self._budgets.take(caller + target, now):
            raise CallRefusedError("this node has called that one too often")

    def take(self, ticket: bytes, call: Carried) -> None:
        """Hold a place for a call. Raises CallRefusedError."""
        assert ticket not in self._calls, "tickets are drawn anew for each call"
        places = BULK_CALLS_MAX if call.bulk else CONTROL_CALLS_MAX
        if call.caller == call.target:
            raise CallRefusedError("nobody calls itself")
        if self._kinds[call.bulk] >= places:
            raise CallRefusedError(f"it carries {places} calls of that kind, which is the limit")
        if self._callers[call.caller, call.bulk] >= places // CALLER_SHARE:
            raise CallRefusedError(f"it carries {places // CALLER_SHARE} calls of this node, which is the limit")
        if self._pairs[call] >= CALLS_PER_PAIR_MAX:
            raise CallRefusedError(f"it carries {CALLS_PER_PAIR_MAX} calls between these two, which is the limit")
        self._calls[ticket] = call
        self._pairs[call] += 1
        self._kinds[call.bulk] += 1
        self._callers[call.caller, call.bulk] += 1

    def hang_up(self, ticket: bytes) -> None:
        """A call is over, or did not come about."""
        call = self._calls.pop(ticket)
        self._kinds[call.bulk] -= 1
        _take_one(self._pairs, call)
        _take_one(self._callers, (call.caller, call.bulk))


def _take_one(counts: Counter[T], key: T) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
