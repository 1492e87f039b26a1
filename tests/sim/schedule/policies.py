"""Policies that do one thing each, to see that the world does what it is told."""

from pnode.sim.schedule.machines import Station
from pnode.sim.schedule.policy import Quiet
from pnode.sim.schedule.queues import Queue, Strict
from pnode.sim.schedule.units import Attempt, Job
from pnode.sim.schedule.world import World


class AllToA(Quiet):
    """Binds everything to the first machine, in the order of the tasks."""

    def __init__(self, world: World) -> None:
        self.world = world

    def queue(self, station: Station) -> Queue:
        return Strict(station)

    def arrived(self, job: Job, item: int) -> None:
        for unit in job.items[item]:
            self.world.bind(unit, 0, float(unit.task), job.arrival.origin)


class CopyOverdue(AllToA):
    """Copies to b what has run for 1.25 times its expected duration."""

    def started(self, attempt: Attempt) -> None:
        if attempt is attempt.unit.held:
            self.world.watch(attempt, self.world.now + 1.25 * attempt.expected_s)

    def overdue(self, attempt: Attempt) -> None:
        self.world.copy(attempt.unit, 1, 0.0, 0)


class MoveBehind(AllToA):
    """When a task starts on a, what waits there goes to b."""

    def started(self, attempt: Attempt) -> None:
        for waiting in list(self.world.stations[0].bound):
            self.world.move(waiting.unit, 1, waiting.key, 0)


class Turn(AllToA):
    """When a task starts, the last of those that wait goes first."""

    def started(self, attempt: Attempt) -> None:
        *_, last = self.world.stations[0].bound or [attempt]
        if last is not attempt:
            self.world.rekey(last, -last.key)


class AbandonCopies(CopyOverdue):
    """Changes its mind about each copy when that starts."""

    def started(self, attempt: Attempt) -> None:
        super().started(attempt)
        if attempt is attempt.unit.copy:
            self.world.abandon(attempt)


class AbandonOriginals(CopyOverdue):
    """Trusts each copy as soon as it starts."""

    def started(self, attempt: Attempt) -> None:
        super().started(attempt)
        if attempt is attempt.unit.copy:
            assert attempt.unit.held is not None
            self.world.abandon(attempt.unit.held)
