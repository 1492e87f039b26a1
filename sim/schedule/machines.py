"""A station: a machine at work, with its free cores and memory and what waits and runs there."""

from typing import TYPE_CHECKING

from .scenario import Machine
from .units import Attempt, Unit

if TYPE_CHECKING:
    from .queues import Queue


class Station:
    """The present of one machine. The world changes it; policies and queues look at it."""

    __slots__ = (
        "alive",
        "bound",
        "dirty",
        "failures",
        "free_bytes",
        "free_cores",
        "lost",
        "machine",
        "noticed",
        "number",
        "queue",
        "running",
        "speed",
        "wake_s",
    )

    queue: "Queue"
    """Of what is bound and has not started."""

    def __init__(self, number: int, machine: Machine) -> None:
        self.number = number
        self.machine = machine
        self.free_cores = machine.cores
        self.free_bytes = machine.memory_bytes
        self.speed = 1.0
        """How many times as fast as it should be it runs."""
        self.alive = True
        self.failures = 0
        self.noticed = 0
        """The latest failure that the others know of."""
        self.lost: list[Attempt] = []
        """What failures nobody has noticed have cost."""
        self.bound: dict[Attempt, None] = {}
        """Not started, in the order in which they came."""
        self.running: dict[Attempt, None] = {}
        self.dirty = False
        """Whether something may start that could not before."""
        self.wake_s = 0.0
        """For when the latest look at the queue was ordered."""

    @property
    def is_thought_alive(self) -> bool:
        """Whether nobody knows that it is dead."""
        return self.alive or self.noticed < self.failures

    def fits(self, unit: Unit) -> bool:
        """Whether its cores and memory are free."""
        return unit.vertex.cores <= self.free_cores and unit.vertex.memory_bytes <= self.free_bytes

    def occupy(self, attempt: Attempt) -> None:
        """It leaves the queue for the cores."""
        del self.bound[attempt]
        self.running[attempt] = None
        self.free_cores -= attempt.unit.vertex.cores
        self.free_bytes -= attempt.unit.vertex.memory_bytes

    def vacate(self, attempt: Attempt) -> None:
        del self.running[attempt]
        self.free_cores += attempt.unit.vertex.cores
        # Sums of floats would drift: an empty machine has all its memory, and inf - inf is no number.
        self.free_bytes = self.machine.memory_bytes - sum(one.unit.vertex.memory_bytes for one in self.running)
