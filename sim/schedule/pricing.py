"""Pricing: CIRCE's dispatchers, which choose a machine for every item of a stream by what the machines ask for it.

Each task has a controller, the machine that a static plan gives it. CIRCE knows three ways (jupiter.md 5.7):

- *static*: the controller runs the task itself (`static.static`);
- *event-driven pricing*: whoever has the first output for an item asks the child's controller, which answers with the
  machine that is cheapest now; the answer holds for all parents of that item;
- *push pricing*: controllers look for the cheapest machine once per period and tell everybody; whatever item comes
  next goes there.

What a controller knows of the machines is as old as the scenario's gossip.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial

from pnode.mappers.plan import Planner
from pnode.protocol.values import dataclass

from .machines import Station
from .policy import Quiet, Strategy
from .queues import Discipline, Queue, queue_of
from .spec import Spec
from .units import Attempt, Job, Unit
from .views import Views
from .world import World

PERIOD_S = 60.0
"""Between two rounds of prices, as in Jupiter."""

SECONDS_IN_MS = 1000.0


@dataclass(frozen=True, slots=True)
class Offer:
    """What a machine's price for a unit is made of."""

    network_s: float
    """For the first parent's output, on an empty network; 0 where it is."""
    cpu_percent: float
    memory_percent: float
    queue_s: float
    """Until a core is free there."""
    run_s: float


Price = Callable[[Offer], float]
"""The smallest wins, and among equals the first machine."""


def circe_price(offer: Offer) -> float:
    """Milliseconds plus percent plus percent, all weights 1. Queues are infinite in Jupiter, and have no price."""
    return SECONDS_IN_MS * offer.network_s + offer.cpu_percent + offer.memory_percent


def finish_price(offer: Offer) -> float:
    """Seconds until the unit would have ended."""
    return max(offer.network_s, offer.queue_s) + offer.run_s


def event_pricing(planner: Planner, price: Price = circe_price, name: str = "circe-event") -> Strategy:
    """`planner` maps the tasks to their controllers."""
    return Strategy(name, partial(EventPricing, planner, price))


def push_pricing(
    planner: Planner, price: Price = circe_price, period_s: float = PERIOD_S, name: str = "circe-push"
) -> Strategy:
    """`planner` maps the tasks to their controllers, which are also where the first items go."""
    return Strategy(name, partial(PushPricing, planner, price, period_s))


class _Pricing(Quiet, ABC):
    """What both have in common: controllers, prices, and the moment at which a unit gets its machine."""

    def __init__(self, planner: Planner, price: Price, world: World) -> None:
        self._planner = planner
        self._price = price
        self._world = world
        self._views = Views(world)
        self._specs: dict[int, Spec] = {}
        self._controllers: dict[int, tuple[int, ...]] = {}
        self._unplaced: dict[Unit, None] = {}
        """Nobody could run them when they came."""

    @abstractmethod
    def _place(self, unit: Unit, source: int) -> None:
        """Give the unit a machine; its first input is, or is made, on `source`."""

    def queue(self, station: Station) -> Queue:
        return queue_of(Discipline.FIFO, station, self._world)

    def arrived(self, job: Job, item: int) -> None:
        if not item:
            self._specs[job.number] = Spec(job, self._views.numbers)
            self._controllers[job.number] = self._planner(job.instance).node
        for unit in job.items[item]:
            if not unit.parents:
                self._place(unit, job.arrival.origin)

    def ended(self, attempt: Attempt) -> None:
        for child, _ in attempt.unit.children:
            if child.held is None:
                self._place(child, attempt.machine)

    def died(self, machine: int, lost: Sequence[Attempt]) -> None:  # noqa: ARG002  the attempts say it, too
        for attempt in lost:
            self._place(attempt.unit, attempt.by)

    def recovered(self, machine: int) -> None:  # noqa: ARG002  whichever it is, somebody may fit there
        unplaced, self._unplaced = self._unplaced, {}
        for unit in unplaced:
            if unit.held is None:
                self._place(unit, unit.job.arrival.origin)

    def _cheapest(self, unit: Unit, source: int, by: int) -> int | None:
        """The machine that machine `by` takes for the cheapest; None when nobody can run the unit."""
        self._world.decisions += 1
        view = self._views.view(by, unit, self._specs[unit.job.number].run_s)
        size_bytes = unit.parents[0][1] if unit.parents else 0.0
        best, least = None, math.inf
        for peer in view.peers:
            machine = self._views.numbers[peer.node]
            offer = Offer(
                self._world.wires.transfer_s(source, machine, size_bytes),
                max(peer.cpu_percent or 0.0, self._views.busy_percent(machine, by)),
                peer.memory_percent or 0.0,
                peer.free_in_s,
                unit.job.instance.cost_s[unit.task][machine],
            )
            price = self._price(offer)
            if best is None or price < least:
                best, least = machine, price
        return best


class EventPricing(_Pricing):
    """Asks the controller for every item of every task."""

    def __init__(self, planner: Planner, price: Price, world: World) -> None:
        super().__init__(planner, price, world)
        self._asked: dict[Unit, None] = {}
        """Units whose controllers are being asked."""

    def _place(self, unit: Unit, source: int) -> None:
        if unit in self._asked:
            return
        self._asked[unit] = None
        controller = self._controllers[unit.job.number][unit.task]
        seconds = self._world.message(source, controller)
        self._world.at(self._world.now + seconds, partial(self._answer, unit, source, controller))

    def _answer(self, unit: Unit, source: int, controller: int) -> None:
        del self._asked[unit]
        machine = self._cheapest(unit, source, controller)
        if machine is None:
            self._unplaced[unit] = None
        else:
            self._world.bind(unit, machine, self._world.now, controller)


class PushPricing(_Pricing):
    """Sends every item to where the latest round of prices says."""

    def __init__(self, planner: Planner, price: Price, period_s: float, world: World) -> None:
        super().__init__(planner, price, world)
        self._period_s = period_s
        self._chosen: dict[int, list[int]] = {}
        """Per job and task: the machine."""

    def arrived(self, job: Job, item: int) -> None:
        if not item:
            if not self._chosen:
                self._world.at(self._world.now + self._period_s, self._round)
            self._chosen[job.number] = list(self._planner(job.instance).node)
        super().arrived(job, item)

    def _place(self, unit: Unit, source: int) -> None:
        machine = self._chosen[unit.job.number][unit.task]
        if not self._world.stations[machine].is_thought_alive:
            controller = self._controllers[unit.job.number][unit.task]
            found = self._cheapest(unit, source, controller)
            if found is None:
                self._unplaced[unit] = None
                return
            machine = self._chosen[unit.job.number][unit.task] = found
        self._world.bind(unit, machine, self._world.now, source)

    def _round(self) -> None:
        """As long as anything can still happen, there is another round."""
        if not self._world.is_idle:
            for number, chosen in self._chosen.items():
                if self._world.jobs[number].left:
                    self._choose(self._world.jobs[number], chosen)
            self._world.at(self._world.now + self._period_s, self._round)

    def _choose(self, job: Job, chosen: list[int]) -> None:
        """Every controller looks again, parents first, and tells all machines."""
        for task in job.instance.order:
            parents = job.instance.parents[task]
            source = chosen[parents[0][0]] if parents else job.arrival.origin
            controller = self._controllers[job.number][task]
            machine = self._cheapest(job.items[0][task], source, controller)
            if machine is not None:
                chosen[task] = machine
            for other in range(len(self._world.stations)):
                self._world.message(controller, other)
