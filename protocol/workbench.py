"""The workbench: the units a node has accepted, which of them run, and when a core will be free.

    accepted --inputs are here--> ready --a core is free--> running --> gone
        \\---------------- dropped ------------/-----------------/

Ready units start in order of priority (upward rank: the length of the way that still depends on them), then in order
of acceptance. A unit that needs more cores than are free does not hold up smaller ones behind it.
"""

import heapq
import math
from dataclasses import dataclass, field

from .effects import Unit

QUEUE_MAX = 20_000
"""Units accepted and not yet ended; beyond that a node declines, and the controller asks the next."""

COUNTED_EACH_TIME = 64
"""A queue of this length is laid out in some 50 microseconds, as often as anybody asks."""

RECOUNT_SHARE = 0.05
"""A longer one when so many of its pieces have gone: what ended as expected has changed nothing."""

RECOUNT_S = 1.0
"""And at least as often as load figures are gossiped."""

OVERDUE_SHARE = 0.1
"""A unit past its expected end is believed to need a tenth of its expected time more (scheduling.md 4.5)."""


@dataclass(slots=True)
class Piece:
    """One accepted unit."""

    unit: Unit
    cores: int
    expected_s: float
    priority: float
    order: int
    started_s: float | None = None
    ready: bool = False


@dataclass(order=True, slots=True)
class _Turn:
    """A place in the queue: highest priority first, then first come."""

    minus_priority: float
    order: int
    unit: Unit = field(compare=False)


class Workbench:
    """Everything this node has promised to run."""

    def __init__(self, cores: int) -> None:
        self.cores = cores
        self.version = 0
        """Grows with every change that moves the time at which a core is free."""
        self._pieces: dict[Unit, Piece] = {}
        self._turns: list[_Turn] = []
        self._busy = 0
        self._running = 0
        self._count = 0
        self._free_s = [0.0] * cores
        """A heap of the instants at which each core is free, as of the last count, with what was accepted since."""
        self._counted_s = -math.inf
        self._counted = 0
        """`version` at that time."""
        self._gone = 0
        """Pieces that have ended or were dropped since then."""

    def __contains__(self, unit: Unit) -> bool:
        return unit in self._pieces

    @property
    def full(self) -> bool:
        return len(self._pieces) >= QUEUE_MAX

    @property
    def running(self) -> int:
        return self._running

    @property
    def queued(self) -> int:
        return len(self._pieces) - self._running

    def is_running(self, unit: Unit) -> bool:
        return unit in self._pieces and self._pieces[unit].started_s is not None

    def accept(self, unit: Unit, cores: int, expected_s: float, priority: float) -> None:
        self._count += 1
        self.version += 1
        piece = self._pieces[unit] = Piece(unit, max(1, cores), expected_s, priority, self._count)
        _occupy(self._free_s, piece.cores, expected_s)

    def make_ready(self, unit: Unit) -> None:
        """All inputs of an accepted unit are here."""
        piece = self._pieces[unit]
        if not piece.ready:
            piece.ready = True
            heapq.heappush(self._turns, _Turn(-piece.priority, piece.order, unit))

    def make_unready(self, unit: Unit) -> None:
        """One of its inputs has been replaced by another that is not here yet."""
        self._pieces[unit].ready = False

    def take(self, now: float) -> list[Unit]:
        """Units to start now; they count as running from here on."""
        started: list[Unit] = []
        too_large: list[_Turn] = []
        while self._turns and self._busy < self.cores:
            turn = heapq.heappop(self._turns)
            piece = self._pieces.get(turn.unit)
            if piece is None or piece.order != turn.order or not piece.ready or piece.started_s is not None:
                continue  # dropped, or no longer ready, while it waited
            if piece.cores > self.cores - self._busy:
                too_large.append(turn)
                continue
            self._start(piece, now)
            started.append(turn.unit)
        for turn in too_large:
            heapq.heappush(self._turns, turn)
        return started

    def remove(self, unit: Unit) -> bool:
        """The unit has ended or was dropped; tells whether it was running."""
        piece = self._pieces.pop(unit, None)
        if piece is None:
            return False
        self.version += 1
        self._gone += 1
        if piece.started_s is None:
            return False
        self._busy -= piece.cores
        self._running -= 1
        return True

    def free_in_s(self, now: float) -> float:
        """Seconds until a core is free, counting everything accepted, ready or not.

        All pieces are laid out on the cores. A long queue is not laid out for each question, so that accepting a unit
        costs the same however many there are.
        """
        if now == self._counted_s and self.version == self._counted:
            return max(0.0, self._free_s[0] - now)
        size = len(self._pieces)
        if size <= COUNTED_EACH_TIME or self._gone >= RECOUNT_SHARE * size or now >= self._counted_s + RECOUNT_S:
            self._free_s = self._lay_out(now)
            self._counted_s, self._counted, self._gone = now, self.version, 0
        return max(0.0, self._free_s[0] - now)

    def _start(self, piece: Piece, now: float) -> None:
        piece.started_s = now
        self.version += 1
        self._busy += piece.cores
        self._running += 1

    def _lay_out(self, now: float) -> list[float]:
        free_s = [now] * self.cores
        waiting: list[Piece] = []
        for piece in self._pieces.values():
            if piece.started_s is None:
                waiting.append(piece)
                continue
            _occupy(free_s, piece.cores, left_s(piece.started_s, piece.expected_s, now))
        for piece in waiting:
            _occupy(free_s, piece.cores, piece.expected_s)
        return free_s


def left_s(started_s: float, run_s: float, now: float) -> float:
    """How much longer a unit runs that began then and is expected to take so long."""
    return max(started_s + run_s - now, OVERDUE_SHARE * run_s)


def _occupy(free_s: list[float], cores: int, seconds: float) -> None:
    """Put work on the earliest cores; `free_s` is a heap of the instants at which each core is free."""
    taken = [heapq.heappop(free_s) for _ in range(min(cores, len(free_s)))]
    until = taken[-1] + seconds
    for _ in taken:
        heapq.heappush(free_s, until)
