"""Loads: how busy a node is, when that is news, and how it travels.

Placement goes by when a core is free, and counts that down by itself. So a node only need speak up when counting down
goes wrong, when other units wait or run, or when what it said was said long ago.
"""

from .ids import NodeId
from .swim import SHORT_BYTES, LoadDelta
from .values import dataclass

LOAD_PERIOD_S = 1.0
"""Placement needs figures a second or two old (membership.md 3.3); fresher ones would only cost more."""

LOAD_QUIET_S = 5.0
"""A load that changes nothing for placement is said at most this often."""

LOAD_REFRESH_S = 30.0
"""And at least this often, should all datagrams with an urgent one have been lost."""

LOAD_MARGIN_S = 0.1
LOAD_MARGIN_SHARE = 0.05
"""A queue that is longer or shorter than believed by no more than both together is no surprise: estimates of run
times err by more, and so does a figure that is a second old."""

LOAD_MARGIN_PERCENT = 10.0
LOAD_MARGIN_LAG_S = 0.1
"""What processor, memory and event loop do within these is noise."""

MILLIS_MAX = 2**32 - 1
COUNT_MAX = 2**16 - 1
PERCENT_MAX = 255
"""What a LoadDelta has room for."""


@dataclass(frozen=True, slots=True)
class Load:
    """How busy a node was at `measured_at`."""

    node: NodeId
    boot: int
    version: int
    cpu_percent: float
    memory_percent: float
    running: int
    """Units."""
    queued: int
    """Units."""
    free_in_s: float
    """From `measured_at` until a core is free, running and queued work included."""
    lag_s: float
    """How late its event loop ran."""
    measured_at: float
    """By our clock: when it was heard, less its age then."""

    def surprises(self, last: "Load | None") -> bool:
        """Whether placement would go wrong by the last one, counted down to now."""
        if last is None or (self.boot, self.running, self.queued) != (last.boot, last.running, last.queued):
            return True
        believed_s = max(0.0, last.free_in_s - (self.measured_at - last.measured_at))
        return abs(self.free_in_s - believed_s) > LOAD_MARGIN_S + LOAD_MARGIN_SHARE * self.free_in_s

    def rests_early(self, last: "Load") -> bool:
        """Whether nothing is left to do, and who goes by the last one believes otherwise for a while: units were over
        sooner than anybody had thought."""
        is_idle = not self.running and not self.queued
        return is_idle and last.measured_at + last.free_in_s > self.measured_at + LOAD_MARGIN_S

    def differs(self, last: "Load") -> bool:
        """Whether anything else has changed that people, or the classic mappers, look at."""
        return (
            abs(self.cpu_percent - last.cpu_percent) > LOAD_MARGIN_PERCENT
            or abs(self.memory_percent - last.memory_percent) > LOAD_MARGIN_PERCENT
            or abs(self.lag_s - last.lag_s) > LOAD_MARGIN_LAG_S
        )

    def overdue_s(self, now: float) -> float:
        """How long ago the node would have said something newer at the latest, if all had gone well: what makes a
        load doubtful is this, and not its age."""
        return max(0.0, now - self.measured_at - LOAD_REFRESH_S)

    def pause_s(self, last: "Load") -> float:
        """How long after the last one a node may say this."""
        if self.surprises(last):
            return 0.0 if self.rests_early(last) else LOAD_PERIOD_S
        return LOAD_QUIET_S if self.differs(last) else LOAD_REFRESH_S

    def delta(self) -> LoadDelta:
        """As it travels; what is beyond the wire is cut off."""
        return LoadDelta(
            node=self.node[:SHORT_BYTES],
            boot=self.boot,
            version=self.version,
            cpu_percent=max(0, min(PERCENT_MAX, round(self.cpu_percent))),
            memory_percent=max(0, min(PERCENT_MAX, round(self.memory_percent))),
            running=min(COUNT_MAX, self.running),
            queued=min(COUNT_MAX, self.queued),
            free_in_ms=millis(self.free_in_s),
            lag_ms=millis(self.lag_s),
        )


@dataclass(frozen=True, slots=True)
class LoadHeard:
    """A newer load of another node."""

    load: Load


def load_of(node: NodeId, delta: LoadDelta, measured_at: float) -> Load:
    """What a node says, measured then by our clock."""
    return Load(
        node=node,
        boot=delta.boot,
        version=delta.version,
        cpu_percent=float(delta.cpu_percent),
        memory_percent=float(delta.memory_percent),
        running=delta.running,
        queued=delta.queued,
        free_in_s=delta.free_in_ms / 1000,
        lag_s=delta.lag_ms / 1000,
        measured_at=measured_at,
    )


def millis(seconds: float) -> int:
    """As it travels."""
    return max(0, min(MILLIS_MAX, round(seconds * 1000)))
