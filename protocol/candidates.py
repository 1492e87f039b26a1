"""Candidates: addresses at which members may be, from seeds, an earlier life or discovery, and when to dial each.

Two clocks run over them. Who sees nobody dials all of them, each with a growing pause. Who sees somebody still owes a
visit to those where it has met nobody yet: after a start of all machines behind a broken network each part finds
itself, remembers nobody of the other, and no dead member reminds it; or a seed was down when the node began. A few of
these are dialled in turn, as often as the dead are looked for and for as long (Serf's ReconnectInterval and
ReconnectTimeout).

Anybody on the LAN may announce addresses. So what is announced never takes the place of what a person has named or
was remembered, and gives way itself: to these at once, to what is announced later when nobody was met there for a
while.
"""

import math
from collections.abc import Callable, Container

from .record import Address
from .values import dataclass, field

CANDIDATES_MAX = 256
"""Addresses that discovery may make us dial (membership.md 4.8)."""

PAUSE_S = 1.0
PAUSE_S_MAX = 30.0
"""Doubling from one to the other: a machine that is switched on later is found within half a minute."""

UNMET_PAUSE_S = 30.0
UNMET_PER_TURN = 4
UNMET_S_MAX = 24 * 3600.0
"""Nobody was met at an address for so long: nobody will be."""


@dataclass(slots=True)
class _Candidate:
    added_s: float
    due_s: float
    announced: bool
    """By discovery, which anybody may have been."""
    pause_s: float = PAUSE_S
    was_reached: bool = False


@dataclass(slots=True)
class Candidates:
    """The addresses, in the order in which they are tried."""

    known: dict[Address, _Candidate] = field(default_factory=dict)
    unmet_deadline: float = math.inf
    """When `unmet` is to be asked."""

    @property
    def deadline(self) -> float:
        """When `due` has something to dial."""
        return min((candidate.due_s for candidate in self.known.values()), default=math.inf)

    def add(self, addresses: tuple[Address, ...], now: float, *, announced: bool = False) -> None:
        """New addresses are due at once; known ones keep their turn."""
        for address in addresses:
            if address not in self.known and self._has_room(now - PAUSE_S_MAX if announced else now):
                self.known[address] = _Candidate(now, now, announced)
                self.unmet_deadline = min(self.unmet_deadline, now + UNMET_PAUSE_S)

    def _has_room(self, until_s: float) -> bool:
        """For one more, perhaps in the place of the oldest announced until then at which nobody was met."""
        if len(self.known) < CANDIDATES_MAX:
            return True
        vain = [
            address
            for address, candidate in self.known.items()
            if candidate.announced and not candidate.was_reached and candidate.added_s <= until_s
        ]
        if vain:
            del self.known[min(vain, key=lambda address: self.known[address].added_s)]
        return bool(vain)

    def due(self, now: float) -> tuple[Address, ...]:
        """Addresses to dial now, for a node that sees nobody; each is put off by its growing pause."""
        due = tuple(address for address, candidate in self.known.items() if candidate.due_s <= now)
        for address in due:
            candidate = self.known[address]
            candidate.due_s = now + candidate.pause_s
            candidate.pause_s = min(2 * candidate.pause_s, PAUSE_S_MAX)
        return due

    def unmet(self, met: Callable[[], Container[Address]], now: float) -> tuple[Address, ...]:
        """The next few that are none of those where members listen, `met`, for a node that sees others."""
        open_ = [
            address
            for address, candidate in self.known.items()
            if not candidate.was_reached and now < candidate.added_s + UNMET_S_MAX
        ]
        taken = met() if open_ else ()  # of a thousand members it takes a millisecond
        turn = [address for address in open_ if address not in taken][:UNMET_PER_TURN]
        for address in turn:
            self.known[address] = self.known.pop(address)
        is_young = any(now < candidate.added_s + UNMET_S_MAX for candidate in self.known.values())
        self.unmet_deadline = now + UNMET_PAUSE_S if is_young else math.inf
        return tuple(turn)

    def reached(self, address: Address) -> None:
        """Somebody was met there, perhaps one who says that it listens elsewhere: a seed may be a name."""
        if address in self.known:
            self.known[address].was_reached = True

    def drop(self, addresses: tuple[Address, ...]) -> None:
        """These are our own, or not worth dialling again."""
        for address in addresses:
            self.known.pop(address, None)
