"""Units: what is run. A unit is one task of one item of one job; an attempt is a unit that was given to a machine.

    offered --the message arrives--> bound --last input arrives--> ready --a core is free--> running --> done
       |                               |                             |                         |
       +------------- moved, or its machine has failed --------------+-------------------------+--> gone

A unit has one attempt at a time, and one more while a copy of it is under way. An attempt never changes its machine:
who moves a unit ends one attempt and begins another.
"""

import math
from enum import IntEnum

from pnode.mappers.instance import Instance

from .scenario import Arrival, Vertex
from .window import Window


class State(IntEnum):
    """How far an attempt is."""

    OFFERED = 0
    """The assignment is on its way."""
    BOUND = 1
    READY = 2
    RUNNING = 3
    DONE = 4
    GONE = 5


class Job:
    """An arrival with its costs, and the units of the items that have come in so far."""

    __slots__ = ("arrival", "instance", "items", "left", "number", "window")

    def __init__(self, number: int, arrival: Arrival, instance: Instance) -> None:
        self.number = number
        self.arrival = arrival
        self.instance = instance
        self.items: list[list[Unit]] = []
        self.left = instance.tasks * arrival.items
        """Units that are not done, those of items to come included."""
        self.window = Window(instance, arrival.queue_items_max) if arrival.queue_items_max else None

    def release(self, factors: list[float]) -> "list[Unit]":
        """The units of the next item, by the number of the task; what each really takes, over the profile."""
        item = len(self.items)
        tasks = self.arrival.graph.tasks
        units: list[Unit] = []
        units += [Unit(self, item, task, vertex, factors[task], units) for task, vertex in enumerate(tasks)]
        self.items.append(units)
        return units


class Unit:
    """One task of one item of one job."""

    __slots__ = (
        "attempts",
        "copy",
        "done",
        "factor",
        "held",
        "item",
        "job",
        "task",
        "together",
        "vertex",
    )

    def __init__(self, job: Job, item: int, task: int, vertex: Vertex, factor: float, together: "list[Unit]") -> None:
        self.job = job
        self.item = item
        self.task = task
        self.vertex = vertex
        self.factor = factor
        """What it really takes, over what the profile says, on any machine."""
        self.together = together
        """All units of the item, by task. Edges stay in the instance: lists of their own for every unit would be most
        of what the collector has to walk through."""
        self.held: Attempt | None = None
        """The present attempt; the one that is kept once the unit is done."""
        self.copy: Attempt | None = None
        self.done = False
        self.attempts = 0

    @property
    def parents(self) -> "list[tuple[Unit, float]]":
        """With what each sends to this unit, in bytes."""
        return [(self.together[parent], size) for parent, size in self.job.instance.parents[self.task]]

    @property
    def children(self) -> "list[tuple[Unit, float]]":
        """With what this unit sends to each, in bytes."""
        return [(self.together[child], size) for child, size in self.job.instance.children[self.task]]

    @property
    def place(self) -> tuple[int, int, int]:
        """Job, item and task: an order among units that does not depend on anything that happened."""
        return (self.job.number, self.item, self.task)


class Attempt:
    """A unit that was given to a machine."""

    __slots__ = (
        "arrival_s",
        "before",
        "bound_s",
        "by",
        "due_finish_s",
        "due_start_s",
        "expected_s",
        "finish_s",
        "given_s",
        "key",
        "machine",
        "missing",
        "number",
        "ready_s",
        "start_s",
        "state",
        "turn",
        "unit",
    )

    def __init__(self, unit: Unit, machine: int, key: float, turn: int, by: int, given_s: float) -> None:
        self.unit = unit
        self.machine = machine
        self.by = by
        """The machine that decided on it, at `given_s`."""
        self.given_s = given_s
        self.before = unit.held
        """The attempt that it takes the place of, or that it is a copy of."""
        self.key = key
        """What its station's queue is ordered by, smallest first."""
        self.turn = turn
        """Its place among all attempts of the run: it decides between equal keys."""
        unit.attempts += 1
        self.number = unit.attempts
        self.state = State.OFFERED
        self.expected_s = unit.job.instance.cost_s[unit.task][machine]
        """Its run time by the profile."""
        self.missing = 0
        """Inputs of which it is not known when they will be here."""
        self.arrival_s = 0.0
        """When the inputs that have been sent are all expected here."""
        self.bound_s = math.nan
        self.ready_s = math.nan
        self.start_s = math.nan
        self.finish_s = math.inf
        """When it ends or ended; it moves with the machine's speed."""
        self.due_start_s = math.nan
        """When whoever bound it expects it to start; nan if nobody has said."""
        self.due_finish_s = math.nan

    @property
    def has_started(self) -> bool:
        return not math.isnan(self.start_s)

    @property
    def is_parked(self) -> bool:
        """Whether its inputs are here, but there is no room yet for what it would send (`window`)."""
        return self.state is State.BOUND and not math.isnan(self.ready_s)
