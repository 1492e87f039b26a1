"""Turns: which of the units that wait at a workbench starts next.

Units go in the order in which they are due, then first come. One that is ready lets a core idle for the sake of one
that is due before it and awaited, if it would still run when the inputs of that one are here (`hold`, scheduling.md
4.6). What the rule rests on are estimates, and they are often wrong. Hence

- a core is kept idle by an estimate, an instant: when it has passed it counts no more, until there is another one;
- what was held back for as long as it runs itself goes ahead: there was no more than that to be gained by waiting;
- nothing is held back of which nobody knows how long it runs, nor for what nobody knows the arrival of.

So however wrong the estimates are, no core idles for longer than they said, and none for ever.
"""

import math
from bisect import bisect_left, insort
from collections.abc import Callable

from .effects import Unit
from .hold import Held, Ready, first_to_start
from .values import dataclass

READY_MAX = 64
"""Ready units that are looked at for one that fits: a gap that so many do not fit is left as it is."""

AWAITED_MAX = 64
"""Awaited units for which cores may be kept: as many as machines usually have cores."""

LOOKS_MAX = 256
"""Awaited units whose inputs are asked for at one look: most of the others have no estimate either."""

NAP_S = 0.1
"""How soon to look again where no estimate says when. All that are asked for lie ahead, so there always is one."""


@dataclass(slots=True)
class Piece:
    """One unit that was accepted, or may be."""

    unit: Unit
    cores: int
    expected_s: float
    due_s: float
    """When it should start; what is due first goes first."""
    order: int
    """Of acceptance."""
    is_guess: bool = False
    """Whether nobody knows how long it runs."""
    started_s: float | None = None
    ready: bool = False
    held_s: float | None = None
    """Since when it has been held back; None if it is not, or if what it was held back for has started."""
    is_told: bool = False
    """Whether it was said that it has started."""
    is_slow: bool = False
    """Whether it was found out that it takes longer than was thought."""


_Turn = tuple[float, int, Piece]
"""(due, order, piece): sorts as turns are taken; no two have the same order."""


class Turns:
    """The pieces that wait. Lists are kept sorted: moving 20,000 references costs less than a hundred comparisons."""

    def __init__(self, inputs_s: Callable[[Unit, float], float]) -> None:
        """`inputs_s(unit, now)`: until when to count on the inputs of an awaited unit; `inf` when nobody knows."""
        self.wake_s = math.inf
        """When to look again though nothing has happened."""
        self._inputs_s = inputs_s
        self._ready: list[_Turn] = []
        self._awaited: list[_Turn] = []

    def add(self, piece: Piece) -> None:
        insort(self._line(piece), _turn(piece))

    def drop(self, piece: Piece) -> None:
        line, turn = self._line(piece), _turn(piece)
        del line[bisect_left(line, turn)]

    @property
    def ready(self) -> int:
        """How many might start as far as it depends on them."""
        return len(self._ready)

    def next_if(self, fits: Callable[[Piece], bool]) -> Piece | None:
        """The piece whose turn it is, which leaves the line, if it fits and needs one core; None if it does not."""
        first = self._ready[0] if self._ready else None
        if first is None or (self._awaited and self._awaited[0] < first):
            return None
        return self._go(0) if first[2].cores == 1 and fits(first[2]) else None

    def _line(self, piece: Piece) -> list[_Turn]:
        return self._ready if piece.ready else self._awaited

    def next(self, idle: int, busy_until_s: Callable[[], list[float]], now: float) -> Piece | None:
        """The piece to start now, which leaves the line; None if all that are ready have to wait.

        `idle` is how many cores are free; `busy_until_s` says when each of the others will be, ascending.
        """
        self.wake_s = math.inf
        if not idle or not self._ready:
            return None
        first = self._ready[0]
        if first[2].cores <= idle and not (self._awaited and self._awaited[0] < first):
            return self._go(0)
        candidates = [piece for _, _, piece in self._ready[:READY_MAX]]
        verdict = first_to_start(
            [Ready(each.due_s, each.order, _weight_s(each, now), each.cores) for each in candidates],
            self._promises(_turn(candidates[-1]), now),
            [now] * idle + busy_until_s(),
            now,
            NAP_S,
        )
        place = next((at for at, each in enumerate(candidates) if each.order == verdict.task), len(candidates))
        held = [each for each in candidates[:place] if each.cores <= idle]
        for each in held:
            each.held_s = now if each.held_s is None else each.held_s
        if place < len(candidates):
            return self._go(place)
        self.wake_s = min([verdict.wake_s, *(_patience_s(each) for each in held)])
        return None

    def _go(self, place: int) -> Piece:
        """What was held back for this one's sake was so with good reason."""
        piece = self._ready.pop(place)[2]
        for _, _, later in self._ready[place:READY_MAX]:
            later.held_s = None
        return piece

    def _promises(self, last: _Turn, now: float) -> list[Held]:
        """What is awaited before the last candidate, and when, as far as it lies ahead."""
        promises: list[Held] = []
        for turn in self._awaited[:LOOKS_MAX]:
            if last < turn or len(promises) == AWAITED_MAX:
                break
            inputs_s = self._inputs_s(turn[2].unit, now)
            if now < inputs_s < math.inf:
                promises.append(Held(turn[0], turn[1], inputs_s, turn[2].cores))
        return promises


def _turn(piece: Piece) -> _Turn:
    return (piece.due_s, piece.order, piece)


def _weight_s(piece: Piece, now: float) -> float:
    """For how long it would be in the way of others, for the rule: what takes no time is in nobody's."""
    return 0.0 if piece.is_guess or _patience_s(piece) <= now else piece.expected_s


def _patience_s(piece: Piece) -> float:
    """When it has been held back for long enough."""
    return math.inf if piece.held_s is None else piece.held_s + piece.expected_s
