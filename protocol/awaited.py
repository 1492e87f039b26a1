"""Awaited: what this node will have to run, as far as it knows, and when the inputs of that are expected.

For `turns`: a unit that is bound here and waits for inputs, or that the origin's plan puts here and that nobody has
been given yet, may have a core kept for it. The estimate is worked out from facts, as an instant, and is the same
until another fact is heard: so it passes, and with it what it justifies.

    a parent has ended            its end, and then the way of its outputs to here
    a parent has been started     its start, and as long as it is expected to run there, and the way
    a parent is known no better   its planned end, and the way

Without a plan there is no estimate in the last case, nor if nothing is known of how long the parent runs. A stream
has one plan for all items together, which says nothing about one of them.
"""

import math

from .desk import Desk
from .effects import Unit
from .ids import JobId, NodeId
from .job import Job, program_name
from .jobstate import UnitKey
from .workbench import Workbench

LATE_S = 0.1
"""A hand-off, a few messages and the start of a process: inputs are counted on for so much longer than reckoned."""


class Awaited:
    """The units that are planned to be run here, and estimates for them and for those that are bound here."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._inputs_s: dict[tuple[JobId, UnitKey], float] = {}
        """What has been worked out and not been called in question since."""
        self._planned: dict[JobId, dict[UnitKey, Unit]] = {}
        """Of each job with a plan: units for this node that nobody has been given yet."""

    def inputs_s(self, unit: Unit, now: float) -> float:
        """Until when to count on the inputs of a unit; `inf` when nobody knows."""
        job = self.desk.jobs[unit.job]
        key = job.key(unit.task, unit.item)
        known_s = self._inputs_s.get((job.id, key))
        if known_s is None:
            arrivals = (self._arrival_s(job, parent, key, now) for parent in job.parents(key))
            known_s = self._inputs_s[(job.id, key)] = max(arrivals, default=math.inf) + LATE_S
        return known_s

    def meet(self, job: Job, bench: Workbench) -> None:
        """A job is heard of, perhaps not for the first time: expect what is planned for this node."""
        if job.id in self._planned or not job.plan or len(job.spec.items) > 1 or job.state.is_over:
            return
        keys = ((number, 0) for number, part in enumerate(job.spec.plan) if part.node == self.desk.me)
        free = (key for key in keys if key not in job.state.units)
        units = self._planned[job.id] = {key: Unit(job.id, job.task(key).name, 0, 0) for key in free}
        for key, unit in units.items():
            bench.expect(unit, job.task(key).cores, job.due_s[key[0]])

    def heard(self, job: Job, key: UnitKey, bench: Workbench) -> None:
        """Something was said about a unit: it has been given to somebody, and its children's inputs may come at
        another time than was thought."""
        unit = self._planned.get(job.id, {}).pop(key, None)
        if unit is not None:
            bench.expect_no_more(unit)
        if self._inputs_s:
            for child in job.children(key):
                self._inputs_s.pop((job.id, child), None)

    def forget(self, job: Job, key: UnitKey) -> None:
        """A unit is no longer bound here."""
        self._inputs_s.pop((job.id, key), None)

    def over(self, job: Job, bench: Workbench) -> None:
        """Nothing more of the job will have to be run."""
        for key, unit in self._planned.pop(job.id, {}).items():
            bench.expect_no_more(unit)
            self.forget(job, key)

    def _arrival_s(self, job: Job, parent: UnitKey, key: UnitKey, now: float) -> float:
        """When what a parent sends should be here."""
        unit, task = job.state.unit(parent), job.task(parent)
        attempt = unit.result or unit.current
        if attempt is not None and attempt.phase == "finished" and attempt.ended_s is not None:
            node, ready_s = attempt.node, attempt.ended_s
        elif not self.desk.profile.knows(program_name(job.spec.name, task), task.expected_s):
            return math.inf
        elif attempt is not None and attempt.phase == "started" and attempt.started_s is not None:
            node, ready_s = attempt.node, attempt.started_s + self._run_s(job, parent, attempt.node)
        elif task.name in job.plan and len(job.spec.items) == 1:
            node, ready_s = job.plan[task.name].node, job.spec.created_s + job.plan[task.name].finish_s
        else:
            return math.inf
        size = job.spec.dag.edge_bytes(task.name, job.task(key).name)
        return ready_s + self.desk.profile.link(node, self.desk.me, now).transfer_s(size)

    def _run_s(self, job: Job, key: UnitKey, node: NodeId) -> float:
        task, speed = job.task(key), self.desk.near.speed_of(node)
        return self.desk.profile.run_s(program_name(job.spec.name, task), node, speed, task.expected_s)
