"""Joining: how a node gets from knowing a few addresses to being a member.

    apart --session with a member, certificate already admitted--> member
    apart --session with a member, only invited--> asking
    asking --Admitted--> member
    asking --Refused--> refused (the node cannot become a member with this token)
    asking --session lost--> apart

While apart, and while a member has lost sight of everybody else, the known addresses are dialled again and again,
each with a growing pause. Discovery adds addresses; being discovered is never more than a reason to dial.

What a newcomer can prove depends on whom the other side knows. So whoever dials first introduces itself with the
credentials that lead from its own to one certified by the authority (`Introduction`), and whoever admits answers with
its own such path.
"""

import math
from dataclasses import dataclass, field
from typing import Annotated

from .codec import Bytes32, Length, Seconds, Text
from .record import CREDENTIAL_BYTES_MAX, Address

PATH_MAX = 4096
"""Whoever admits shows the newcomer everybody's credentials: the size of the member table."""

CANDIDATES_MAX = 256
"""Addresses that discovery may make us dial (membership.md 4.8)."""

PAUSE_S = 1.0
PAUSE_S_MAX = 30.0
"""Doubling from one to the other: a machine that is switched on later is found within half a minute."""

CredentialBytes = Annotated[bytes, Length(1, CREDENTIAL_BYTES_MAX)]
Path = Annotated[tuple[tuple[Bytes32, CredentialBytes], ...], Length(0, PATH_MAX)]


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
    path: Path


@dataclass(frozen=True, slots=True)
class Refused:
    """You are not, and this is why."""

    reason: Text


FRAMES: dict[int, type] = {40: Introduction, 41: JoinRequest, 42: Admitted, 43: Refused}


@dataclass(slots=True)
class _Candidate:
    due_s: float
    pause_s: float = PAUSE_S


@dataclass(slots=True)
class Candidates:
    """Addresses at which members may be, and when to dial each next."""

    known: dict[Address, _Candidate] = field(default_factory=dict)

    @property
    def deadline(self) -> float:
        return min((candidate.due_s for candidate in self.known.values()), default=math.inf)

    def add(self, addresses: tuple[Address, ...], now: float) -> None:
        """New addresses are due at once; known ones keep their turn."""
        for address in addresses:
            if address not in self.known and len(self.known) < CANDIDATES_MAX:
                self.known[address] = _Candidate(now)

    def due(self, now: float) -> tuple[Address, ...]:
        """Addresses to dial now; each is put off by its growing pause."""
        due = tuple(address for address, candidate in self.known.items() if candidate.due_s <= now)
        for address in due:
            candidate = self.known[address]
            candidate.due_s = now + candidate.pause_s
            candidate.pause_s = min(2 * candidate.pause_s, PAUSE_S_MAX)
        return due

    def drop(self, addresses: tuple[Address, ...]) -> None:
        """These are our own, or not worth dialling again."""
        for address in addresses:
            self.known.pop(address, None)
