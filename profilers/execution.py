"""Execution: how many seconds a program takes on a node.

Every run is remembered twice: as seconds for that program on that node, and as work (seconds times the node's speed)
for the program anywhere. Asked for a pair that never ran, the work answers, divided by the node's speed and corrected
by a factor learnt for the node, since a speed index says little about a particular load.

A figure is the mean of the middle half of the last few runs, rounded towards the shorter ones: of two runs the
shorter counts, since anything may delay a run and little hastens it. One that hung does not move the figure; of a
lasting change four fifths have arrived with the sixth run. An exponential average was not kept: a single run twenty
times too long raises it for ten runs.

The factor is the shrunk ratio of sums of scheduling.md 4.9: actual over expected seconds, each decaying by a fifth
with every run, with a prior of three runs at 1. Long tasks weigh more, a few noisy ones hardly move it, and after
about five runs the past is forgotten. What is expected comes from the runs of all nodes, so factors are relative to
the usual node.
"""

import math
from collections.abc import Iterable
from enum import Enum
from statistics import median

from pnode.protocol.ids import NodeId
from pnode.protocol.values import dataclass

from .recent import Recent

PAIRS_MAX = 16_384
"""(program, node) pairs: 256 programs on 64 nodes, about 5 MB."""

PROGRAMS_MAX = 4096

NODES_MAX = 4096
"""As many as the member table holds (membership.md 4.8)."""

RUNS_MAX = 9
"""The middle half of nine is five: enough against noise, few enough to follow a change."""

GUESS_S = 1.0
"""A task of which nobody knows anything takes a second on a core of speed 1."""

UNKNOWN_SPREAD = 0.5
"""Share of an estimate that it may be wrong by when too few runs tell: people's estimates are rarely closer."""

RUNS_FOR_SPREAD = 3

PRIOR_RUNS = 3.0
DECAY = 0.8
"""Of scheduling.md 4.9."""

STRAGGLER_MAX = 4.0
"""A run counts against its node as at most this many times its expected time: it may have been the input."""

SECONDS_MIN, SECONDS_MAX = 1e-6, 1e8
"""From what no clock can tell to three years."""

RunRecord = tuple[str, bytes, float, tuple[float, ...]]
"""(program, node, when, runs): seconds on that node, or, for the empty node, work anywhere; the latest run last."""


class Basis(Enum):
    """What an estimate rests on, the best first."""

    NODE = "runs of this program on this node"
    PROGRAM = "runs of this program on other nodes"
    STATED = "what the job says"
    GUESS = "nothing"


@dataclass(frozen=True, slots=True)
class RunEstimate:
    """How long a program is expected to take on a node."""

    seconds: float
    spread_s: float
    """Median distance of the runs from it, or UNKNOWN_SPREAD of it where there are too few."""
    basis: Basis
    runs: int


@dataclass(frozen=True, slots=True)
class _Runs:
    """The last few runs of one kind, and what they amount to."""

    values: tuple[float, ...]
    mean: float
    spread: float
    at_s: float


class Execution:
    """Run times of all programs on all nodes."""

    def __init__(self) -> None:
        self._pairs: Recent[tuple[str, NodeId], _Runs] = Recent(PAIRS_MAX)
        self._work: Recent[str, _Runs] = Recent(PROGRAMS_MAX)
        self._sums: Recent[NodeId, tuple[float, float]] = Recent(NODES_MAX)
        """Actual and expected seconds of each node, decayed."""

    def observe(self, program: str, node: NodeId, speed: float, seconds: float, now: float) -> None:
        """Take in a run. Seconds that no run can take are not taken."""
        if not 0.0 <= seconds <= SECONDS_MAX:
            return
        seconds = max(seconds, SECONDS_MIN)
        work = self._work.get(program)
        if work is not None:
            self._charge(node, seconds, work.mean / speed)
        self._work.put(program, _with(work, seconds * speed, now))
        self._pairs.put((program, node), _with(self._pairs.get((program, node)), seconds, now))

    def estimate(self, program: str, node: NodeId, speed: float, expected_s: float) -> RunEstimate:
        """By the best basis there is; `expected_s` is what the job says for a core of speed 1, 0 if nothing."""
        runs = self._pairs.get((program, node))
        if runs is not None:
            return RunEstimate(runs.mean, runs.spread, Basis.NODE, len(runs.values))
        scale = self.factor(node) / speed
        work = self._work.get(program)
        if work is not None:
            return RunEstimate(work.mean * scale, work.spread * scale, Basis.PROGRAM, len(work.values))
        if expected_s > 0.0:
            return RunEstimate(expected_s * scale, UNKNOWN_SPREAD * expected_s * scale, Basis.STATED, 0)
        return RunEstimate(GUESS_S * scale, GUESS_S * scale, Basis.GUESS, 0)

    def knows(self, program: str, expected_s: float) -> bool:
        """Whether an estimate for the program, on any node, would rest on more than a guess."""
        return expected_s > 0.0 or self._work.get(program) is not None

    def factor(self, node: NodeId) -> float:
        """How many times longer than its speed promises a node takes; 1 when nothing is known."""
        sums = self._sums.get(node)
        return 1.0 if sums is None else sums[0] / sums[1]

    def forget(self, node: NodeId) -> None:
        """The node is gone for good; what it taught about programs stays."""
        self._sums.drop(node)
        for key in [key for key in self._pairs if key[1] == node]:
            self._pairs.drop(key)

    def records(self) -> tuple[RunRecord, ...]:
        """All runs as plain values, the oldest first, for `restore` after a restart."""
        work = [(program, b"", runs.at_s, runs.values) for program, runs in self._work.items()]
        return (*work, *((program, node, runs.at_s, runs.values) for (program, node), runs in self._pairs.items()))

    def restore(self, records: Iterable[RunRecord]) -> None:
        """Take in what `records` gave. Raises ValueError for a row that cannot have come from there."""
        for program, node, at_s, values in records:
            if not values or not all(SECONDS_MIN * 1e-3 <= value <= SECONDS_MAX * 1e3 for value in values):
                raise ValueError(
                    f"restoring the run times of {program!r}: {values!r} are no run times; drop this row"
                )
            runs = _runs(tuple(values)[-RUNS_MAX:], at_s)
            if node:
                self._pairs.put((program, NodeId(node)), runs)
            else:
                self._work.put(program, runs)

    def _charge(self, node: NodeId, actual_s: float, expected_s: float) -> None:
        prior = PRIOR_RUNS * expected_s
        actual, expected = self._sums.get(node) or (prior, prior)
        actual += min(actual_s, STRAGGLER_MAX * expected_s)
        expected += expected_s
        self._sums.put(node, (DECAY * actual, DECAY * expected))


def _with(runs: _Runs | None, value: float, now: float) -> _Runs:
    return _runs(((*runs.values, value) if runs else (value,))[-RUNS_MAX:], now)


def _runs(values: tuple[float, ...], at_s: float) -> _Runs:
    kept = (len(values) + 1) // 2
    skipped = (len(values) - kept) // 2
    mean = math.fsum(sorted(values)[skipped : skipped + kept]) / kept
    if len(values) < RUNS_FOR_SPREAD:
        return _Runs(values, mean, UNKNOWN_SPREAD * mean, at_s)
    return _Runs(values, mean, median(abs(value - mean) for value in values), at_s)
