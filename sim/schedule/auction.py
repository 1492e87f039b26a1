"""An auction: machines are asked when they would have ended a unit, and answer by what they themselves know.

An answer adds up what runs there, what waits there and is more urgent, and when the unit's inputs could be there
(scheduling.md 4.8). Every question and every answer is a message.
"""

from collections.abc import Sequence
from functools import partial

from pnode.mappers.bid import answer_s, free_s

from .hearsay import Hearsay
from .machines import Station
from .units import Attempt, Unit
from .world import World


class Auction:
    """Asks on behalf of any machine."""

    def __init__(self, world: World, hearsay: Hearsay) -> None:
        self._world = world
        self._hearsay = hearsay

    def bids(self, unit: Unit, machines: Sequence[int], by: int) -> dict[int, float]:
        """When each machine would have ended the unit. The dead do not answer; and if the present machine says that
        the unit has started, nobody else is asked."""
        held = unit.held
        if held is not None and (held.has_started or held.machine not in machines):
            self.ask(by, held.machine)
            return {}
        stations = [self._world.stations[machine] for machine in machines if self.ask(by, machine)]
        return {station.number: self._bid_s(unit, station) for station in stations}

    def ask(self, by: int, machine: int) -> bool:
        """A question, and whether an answer comes."""
        self._world.message(by, machine)
        if not self._world.stations[machine].alive:
            return False
        self._world.message(machine, by)
        return True

    def delay_s(self, machines: Sequence[int], by: int) -> float:
        """Until the last of them has answered."""
        delay_s = self._world.wires.delay_s
        return max((delay_s(by, machine) + delay_s(machine, by) for machine in machines), default=0.0)

    def inputs_s(self, unit: Unit, machine: int) -> float:
        """When the last input of a unit could be at a machine; what exists already would set out now."""
        held, hearsay, wires = unit.held, self._hearsay, self._world.wires
        if held is not None and held.machine == machine:
            return hearsay.inputs_s(held)
        latest = self._world.now
        for parent, size_bytes in unit.parents:
            source = parent.held
            assert source is not None, f"parent {parent.place} has no machine"
            leaves_s = max(self._world.now, hearsay.ends_s(source))
            latest = max(latest, leaves_s + wires.transfer_s(source.machine, machine, size_bytes))
        return latest

    def _bid_s(self, unit: Unit, station: Station) -> float:
        hearsay, now = self._hearsay, self._world.now
        free = [now] * station.free_cores
        for attempt in station.running:
            free += [hearsay.ends_s(attempt)] * attempt.unit.vertex.cores
        goes_first = partial(self._goes_first, unit)
        ahead = sorted(filter(goes_first, station.bound), key=self._turn)
        free_at_s = free_s(free, ((hearsay.inputs_s(one), hearsay.run_s(one)) for one in ahead))
        run_s = unit.job.instance.cost_s[unit.task][station.number] * hearsay.factors[station.number].value
        return answer_s(free_at_s, self.inputs_s(unit, station.number), run_s)

    def _goes_first(self, unit: Unit, other: Attempt) -> bool:
        """Of one job the higher rank; ranks of different jobs say nothing of each other, there the planned start."""
        if other.unit is unit:
            return False
        if other.unit.job is unit.job and other.unit.item == unit.item:
            rank = self._hearsay.outline(unit.job).rank
            return rank[other.unit.task] > rank[unit.task]
        return unit.held is not None and other.key < unit.held.key

    def _turn(self, attempt: Attempt) -> tuple[float, int]:
        return (attempt.key, attempt.turn)
