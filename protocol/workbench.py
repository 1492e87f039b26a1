"""The workbench: the units a node has accepted, which of them run, and when a core will be free.

    accepted --inputs are here--> ready --a core is free--> running --> gone
        \\---------------- dropped ------------/-----------------/

Which of those that are ready starts when a core is free is the business of `turns`: in the order in which they are
due, but so that what is awaited and due before finds its core free.

Units that are over in no time are *lined up* behind one that runs, on its core:

    ready --behind one that is brief, too--> lined up --the one before has ended--> running
                                                 \\--that takes longer after all--> recalled --> ready

So the next begins while the end of the last is being told, heard of, and taken down.
"""

import heapq
import math
from collections.abc import Callable

from .effects import Unit
from .turns import Piece, Turns

QUEUE_MAX = 20_000
"""Units accepted and not yet ended; beyond that a node declines, and the controller asks the next."""

COUNTED_EACH_TIME = 64
"""A queue of this length is laid out in some 20 microseconds, as often as anybody asks."""

RECOUNT_SHARE = 0.05
"""A longer one when so many of its pieces have gone: what ended as expected has changed nothing."""

RECOUNT_S = 1.0
"""And at least as often as load figures are gossiped."""

LINE_MAX = 16
"""Units behind one that runs: as much work of a millisecond each as a busy node may take to hand over more."""

STALL_S = 0.1
"""What runs longer than this was not as brief as was thought: what waits behind it may find another core."""

OVERDUE_SHARE = 0.1
"""A unit past its expected end is believed to need a tenth of its expected time more (scheduling.md 4.5)."""


def _unknown(unit: Unit, now: float) -> float:
    del unit, now
    return math.inf


class Workbench:
    """Everything this node has promised to run."""

    def __init__(self, cores: int, inputs_s: Callable[[Unit, float], float] = _unknown) -> None:
        """`inputs_s` is for `turns`."""
        self.cores = cores
        self.version = 0
        """Grows with every change that moves the time at which a core is free."""
        self._pieces: dict[Unit, Piece] = {}
        self._turns = Turns(inputs_s)
        self._expected: dict[Unit, Piece] = {}
        """What may be accepted soon."""
        self._running: dict[Unit, Piece] = {}
        self._lined: dict[Unit, Piece] = {}
        self._lanes: list[list[Piece]] = []
        """What runs, each with what is lined up behind it."""
        self._busy = 0
        """Cores."""
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
        return len(self._running)

    @property
    def queued(self) -> int:
        return len(self._pieces) - len(self._running)

    def is_running(self, unit: Unit) -> bool:
        """Whether it was handed over: it runs, or is lined up to do so."""
        return unit in self._running or unit in self._lined

    @property
    def deadline(self) -> float:
        """When `take` or `stalled` may have something though nothing has happened."""
        return min([self._turns.wake_s, *(_stalls_s(lane) for lane in self._lanes if _is_open(lane))])

    def accept(self, unit: Unit, cores: int, expected_s: float, due_s: float, *, is_guess: bool = False) -> None:
        """Promise to run a unit. `is_guess` says that nobody knows how long it takes."""
        self._count += 1
        self.version += 1
        piece = self._pieces[unit] = Piece(unit, max(1, cores), expected_s, due_s, self._count, is_guess)
        self._turns.add(piece)
        _occupy(self._free_s, piece.cores, expected_s)

    def expect(self, unit: Unit, cores: int, due_s: float) -> None:
        """A unit will probably have to be accepted. Beyond QUEUE_MAX none is expected: most are far away then."""
        if len(self._expected) < QUEUE_MAX and unit not in self._expected:
            self._count += 1
            piece = self._expected[unit] = Piece(unit, max(1, cores), 0.0, due_s, self._count)
            self._turns.add(piece)

    def expect_no_more(self, unit: Unit) -> None:
        """It has been given to somebody, or to nobody."""
        piece = self._expected.pop(unit, None)
        if piece is not None:
            self._turns.drop(piece)

    def make_ready(self, unit: Unit) -> None:
        """All inputs of an accepted unit are here."""
        self._move(self._pieces[unit], ready=True)

    def make_unready(self, unit: Unit) -> None:
        """One of its inputs has been replaced by another that is not here yet."""
        self._move(self._pieces[unit], ready=False)

    def _move(self, piece: Piece, *, ready: bool) -> None:
        if piece.ready != ready and piece.started_s is None:
            self._turns.drop(piece)
            piece.ready = ready
            self._turns.add(piece)

    def take(self, now: float) -> list[Unit]:
        """Units to start now; they count as running from here on."""
        started: list[Unit] = []
        for first, *_ in self._lanes:
            if first.started_s is None:  # the one before it has just ended
                first.started_s = now
        while (piece := self._turns.next(self.cores - self._busy, lambda: self._busy_until_s(now), now)) is not None:
            self._start(piece, now)
            started.append(piece.unit)
        return started

    def line_up(self, is_brief: Callable[[Piece], bool]) -> list[tuple[Unit, Unit]]:
        """Units to hand over behind others, each with the one before it. Towards the end of the queue lines become
        shorter, so that no core is left without."""
        lined: list[tuple[Unit, Unit]] = []
        for lane in self._lanes if self._busy >= self.cores else ():
            share = self._turns.ready // (2 * self.cores)
            if len(lane) > min(LINE_MAX // 2, share) or not _may_lead(lane[0], is_brief):
                continue
            while len(lane) <= min(LINE_MAX, share) and (piece := self._turns.next_if(is_brief)) is not None:
                lined.append((piece.unit, lane[-1].unit))
                lane.append(piece)
                self._lined[piece.unit] = piece
        return lined

    def stalled(self, now: float) -> list[tuple[Unit, float | None, list[Unit]]]:
        """What takes longer than was thought; since when it runs, if it began behind another and that was not told;
        and what waits behind it. Each is told once."""
        found: list[tuple[Unit, float | None, list[Unit]]] = []
        for lane in self._lanes:
            if _is_open(lane) and _stalls_s(lane) <= now:
                first, *others = lane
                since_s = None if first.is_told else first.started_s
                first.is_told = first.is_slow = True
                found.append((first.unit, since_s, [each.unit for each in others]))
        return found

    def was_told(self, unit: Unit) -> bool:
        """Whether somebody was told, when it started, that a unit runs."""
        piece = self._pieces.get(unit)
        return piece is not None and piece.is_told

    def put_back(self, unit: Unit) -> None:
        """It was handed over and has not begun."""
        piece = self._pieces[unit]
        self._leave_lane(piece)
        piece.started_s, piece.is_told = None, False
        self._turns.add(piece)

    def remove(self, unit: Unit) -> bool:
        """The unit has ended or was dropped; tells whether it had been handed over."""
        piece = self._pieces.pop(unit, None)
        if piece is None:
            return False
        self.version += 1
        self._gone += 1
        if unit not in self._running and unit not in self._lined:
            self._turns.drop(piece)
            return False
        self._leave_lane(piece)
        return True

    def _leave_lane(self, piece: Piece) -> None:
        """What is behind a piece moves up. It runs if that was the first: since the next look."""
        lane = next(each for each in self._lanes if piece in each)
        lane.remove(piece)
        self._running.pop(piece.unit, None)
        self._lined.pop(piece.unit, None)
        if not lane:
            self._lanes.remove(lane)
            self._busy -= piece.cores
        elif lane[0].unit in self._lined:
            first = self._lined.pop(lane[0].unit)
            self._running[first.unit] = first

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
        piece.started_s, piece.is_told = now, True
        self.version += 1
        self._busy += piece.cores
        self._running[piece.unit] = piece
        self._lanes.append([piece])

    def _busy_until_s(self, now: float) -> list[float]:
        """When each busy core is expected to be free, ascending; never, of which nobody knows how long it is."""
        ends: list[float] = []
        for piece in self._running.values():
            since_s = now if piece.started_s is None else piece.started_s
            left = math.inf if piece.is_guess else left_s(since_s, piece.expected_s, now)
            ends += [now + left] * piece.cores
        return sorted(ends)

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


def _may_lead(piece: Piece, is_brief: Callable[[Piece], bool]) -> bool:
    return piece.cores == 1 and not piece.is_slow and is_brief(piece)


def _is_open(lane: list[Piece]) -> bool:
    """Whether it would be told that the first of a lane takes long."""
    return (len(lane) > 1 and not lane[0].is_slow) or not lane[0].is_told


def _stalls_s(lane: list[Piece]) -> float:
    return math.inf if lane[0].started_s is None else lane[0].started_s + STALL_S


def left_s(started_s: float, run_s: float, now: float) -> float:
    """How much longer a unit runs that began then and is expected to take so long."""
    return max(started_s + run_s - now, OVERDUE_SHARE * run_s)


def _occupy(free_s: list[float], cores: int, seconds: float) -> None:
    """Put work on the earliest cores; `free_s` is a heap of the instants at which each core is free."""
    if cores == 1:  # as most are, of which thousands may be laid out every second: a fifth of the time
        heapq.heapreplace(free_s, free_s[0] + seconds)
        return
    taken = [heapq.heappop(free_s) for _ in range(min(cores, len(free_s)))]
    until = taken[-1] + seconds
    for _ in taken:
        heapq.heappush(free_s, until)
