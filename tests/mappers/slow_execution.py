"""Slow execution: a plan carried out from the definition, in fractions, to judge the fast ones by.

At every event each node, task and transfer is looked at anew; rates come from `traffic`.
"""

import math
from dataclasses import dataclass, field
from fractions import Fraction

from pnode.mappers.instance import Instance
from pnode.mappers.plan import Plan

from .traffic import Rates, Transfer, Wiring


def wiring_of(instance: Instance, up: float = math.inf, down: float = math.inf) -> Wiring:
    """The links of an instance, as exact as its floats. Pairs that cannot talk must not be used."""
    return Wiring(
        latency=[[Fraction(value if value < math.inf else 0) for value in row] for row in instance.latency_s],
        bandwidth=[[_bandwidth(value) for value in row] for row in instance.seconds_per_byte],
        up=[_bandwidth(1 / up)] * instance.nodes,
        down=[_bandwidth(1 / down)] * instance.nodes,
    )


def _bandwidth(seconds_per_byte: float) -> Fraction | None:
    return 1 / Fraction(seconds_per_byte) if 0 < seconds_per_byte < math.inf else None


@dataclass
class SlowExecution:
    instance: Instance
    plan: Plan
    wiring: Wiring
    rates: Rates
    now: Fraction = Fraction(0)
    start: dict[int, Fraction] = field(default_factory=dict)
    finish: dict[int, Fraction] = field(default_factory=dict)
    """Of tasks that have ended."""
    arrived: dict[tuple[int, int], Fraction] = field(default_factory=dict)
    """By parent and child."""
    moving: list[Transfer] = field(default_factory=list)
    left: dict[str, Fraction] = field(default_factory=dict)

    def run(self) -> list[Fraction]:
        """The finishes, by task."""
        while len(self.finish) < self.instance.tasks:
            if not self.settle():
                self.go_on()
        return [self.finish[task] for task in range(self.instance.tasks)]

    def settle(self) -> bool:
        """Whatever can happen now; whether anything did."""
        before = len(self.start), len(self.finish), len(self.moving), len(self.arrived)
        for queue in self.plan.queues(self.instance.nodes):
            waiting = [task for task in queue if task not in self.finish][:1]
            for task in waiting:
                inputs = self.instance.parents[task]
                if task not in self.start and all((parent, task) in self.arrived for parent, _ in inputs):
                    self.start[task] = self.now
                if task in self.start and self.end(task) <= self.now:
                    self.finish[task] = self.now
                    self.send(task)
        for one, pace in self.paces():
            if pace is None or self.left[one.key] == 0:
                self.moving.remove(one)
                parent, child = map(int, one.key.split())
                self.arrived[parent, child] = self.now
        return before != (len(self.start), len(self.finish), len(self.moving), len(self.arrived))

    def send(self, task: int) -> None:
        source = self.plan.node[task]
        for child, size in self.instance.children[task]:
            target = self.plan.node[child]
            if source == target:
                self.arrived[task, child] = self.now
            else:
                begins = self.now + self.wiring.latency[source][target]
                self.moving.append(Transfer(f"{task} {child}", source, target, Fraction(size), begins))
                self.left[self.moving[-1].key] = Fraction(size)

    def go_on(self) -> None:
        """To the next moment at which something happens."""
        nexts = [self.end(task) for task in self.start if task not in self.finish]
        nexts += [one.begins for one in self.moving if one.begins > self.now]
        paces = [(one, pace) for one, pace in self.paces() if pace is not None]
        nexts += [self.now + self.left[one.key] / pace for one, pace in paces]
        then = min(nexts)
        for one, pace in paces:
            self.left[one.key] -= pace * (then - self.now)
        self.now = then

    def paces(self) -> list[tuple[Transfer, Fraction | None]]:
        begun = [one for one in self.moving if one.begins <= self.now]
        return list(zip(begun, self.rates(self.wiring, begun), strict=True))

    def end(self, task: int) -> Fraction:
        return self.start[task] + Fraction(self.instance.cost_s[task][self.plan.node[task]])
