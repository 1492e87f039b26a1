"""Bundling: which calls become one task.

A task has to be placed, taken on, told and journaled at several nodes, whether it takes a microsecond or a minute. So
calls that are known to be short are put together: those of one function that wait for the same others, and so many
that they take about BUNDLE_S; but not so many that a core of the cluster would be left without some, unless those
would take less time than it costs to have one more task. Where that holds for all calls that are handed in together
they are one task, whatever they wait for of each other. How long a function's calls take is learned from those that
were made. Until then each is a task by itself; of a great many of which nothing is known, a few go first, and the
rest wait for what these tell, HOLD_S at most.
"""

import math
from collections.abc import Iterable, Sequence

from pnode.protocol.values import dataclass, field

BUNDLE_S = 0.05
"""Work that is made again where a machine is lost, and by which the last core may end later than the others."""

TASK_S = 0.005
"""What a task costs, all nodes together, beside what it does: as a hop of `make bench`."""

BUNDLE_CALLS_MAX = 1024

SHARES = 4
"""Bundles per core: nodes that turn out to be quicker take more of them."""

SCOUTS_PER_CORE = 2
"""Of a function of which nothing is known: so many calls go first."""

HOLD_S = 5.0
"""Calls that have not come back by then are long enough to be tasks by themselves. Until then every core has some."""

BURST_S = 0.02
"""A burst is handed in this often, and calls that come this long after the last are none."""

QUIET_S = 0.001
"""A program that hands in one call after another takes a twentieth of this for each (45 us of `pow`)."""

NEWS = 0.2
"""Weight of what was measured last."""


Kind = tuple[object, ...]
"""What calls have in common that may be one task: their function, and behind it their wishes."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call that may be handed in now."""

    number: int
    """In its session."""
    kind: Kind
    waits_for: tuple[int, ...]
    """Numbers of the calls whose values it takes, each once."""
    alone: bool = False
    """Whether it must be a task by itself: a walltime is a task's."""


@dataclass(slots=True)
class Pace:
    """How long the calls of each kind take."""

    cores: int = 1
    _seconds: dict[Kind, float] = field(default_factory=dict)
    _since_s: dict[Kind, float] = field(default_factory=dict)
    """When the first calls of a kind of which nothing is known were let go."""

    def observe(self, kind: Kind, seconds: float) -> None:
        """A call of this kind took so long."""
        known = self._seconds.get(kind)
        self._seconds[kind] = seconds if known is None else known + NEWS * (seconds - known)

    def seconds(self, kind: Kind) -> float | None:
        return self._seconds.get(kind)

    def may_go(self, kind: Kind, waiting: int, now: float) -> int:
        """How many of the calls of a kind that are waiting may be handed in now."""
        scouts = SCOUTS_PER_CORE * self.cores
        if kind in self._seconds or waiting <= scouts:
            return waiting
        if kind not in self._since_s:
            return scouts
        return 0 if now < self._since_s[kind] + HOLD_S else waiting

    def hold(self, kind: Kind, now: float) -> None:
        """Some calls of a kind are let go, and others held back."""
        self._since_s.setdefault(kind, now)

    def know_nothing(self, kind: Kind) -> None:
        """What was let go has told nothing, or not about its kind: if that is not known yet, others may go first."""
        if kind not in self._seconds:
            self._since_s.pop(kind, None)

    def is_awaited(self, kind: Kind) -> bool:
        """Whether others of this kind are held back until it is heard how long the first ones took."""
        return kind in self._since_s and kind not in self._seconds

    def look_again_s(self, now: float) -> float:
        """In how many seconds `may_go` may say something else though nothing was observed; inf if never."""
        ends = [since + HOLD_S for kind, since in self._since_s.items() if kind not in self._seconds]
        return min((max(0.0, end - now) for end in ends if end > now), default=math.inf)

    def size(self, kind: Kind, calls: int) -> int:
        """How many of so many calls of a kind are one task."""
        seconds = self._seconds.get(kind)
        if seconds is None or seconds > BUNDLE_S / 2:
            return 1
        fit, least = (int(each / max(seconds, 1e-6)) for each in (BUNDLE_S, TASK_S))
        return max(1, min(fit, max(least, math.ceil(calls / (SHARES * self.cores))), BUNDLE_CALLS_MAX))

    def are_one(self, calls: Sequence[Call]) -> bool:
        """Whether all these together take less time than a task costs, and wish for the same."""
        if len(calls) > BUNDLE_CALLS_MAX or any(call.alone or call.kind[1:] != calls[0].kind[1:] for call in calls):
            return False
        return sum(self._seconds.get(call.kind, math.inf) for call in calls) <= TASK_S


class Burst:
    """When to hand in what has come: at once after a pause, so that a single call does not wait; in a burst when it
    pauses, so that calls that take each other's values go together."""

    def __init__(self) -> None:
        self._went_s = -math.inf
        self._first_s = math.inf
        """When the first call came that has not gone."""
        self._latest_s = -math.inf

    def came(self, now: float) -> None:
        """A call."""
        self._first_s = min(self._first_s, now)
        self._latest_s = now

    def wait_s(self, now: float) -> float:
        """For how long it is better to wait for more; 0 if not at all."""
        if self._first_s == math.inf or self._first_s > self._went_s + BURST_S:
            return 0.0
        return max(0.0, min(self._latest_s + QUIET_S, self._first_s + BURST_S) - now)

    def went(self, now: float) -> None:
        """All that had come was handed in."""
        self._went_s, self._first_s = now, math.inf


def bundled(calls: Iterable[Call], pace: Pace) -> list[Sequence[Call]]:
    """The calls in tasks. Of a task that is not all that there is, no call waits for another: what waits for the same
    calls does not wait for each other."""
    calls = list(calls)
    if len(calls) > 1 and pace.are_one(calls):
        return [calls]
    alike: dict[tuple[Kind, tuple[int, ...], bool], list[Call]] = {}
    for call in calls:
        alike.setdefault((call.kind, call.waits_for, call.alone), []).append(call)
    bundles: list[Sequence[Call]] = []
    for group in alike.values():
        size = 1 if group[0].alone else pace.size(group[0].kind, len(group))
        bundles += [group[at : at + size] for at in range(0, len(group), size)]
    return bundles
