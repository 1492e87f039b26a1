"""Wires: what travels between machines, and when it arrives.

Without contention the arrival of an input is known when it leaves, and nothing need happen until the last one is
there. With contention every transfer is one flow of `mappers.flows`. Messages are small and go before the data: they
take the latency and their bytes at the link's full bandwidth, whatever else is under way.
"""

import math

from pnode.mappers.contention import Contention
from pnode.mappers.flows import Flows, flows_of
from pnode.protocol.values import dataclass

from .result import Transfer
from .scenario import Scenario, inverse_bandwidths
from .units import Attempt, State, Unit


@dataclass(slots=True, eq=False)
class Parcel:
    """A parent's output on its way to an attempt."""

    parent: Unit
    target: Attempt
    source: int
    size_bytes: float
    start_s: float
    finish_s: float = math.inf

    def record(self) -> Transfer:
        unit = self.target.unit
        return Transfer(
            job=unit.job.number,
            item=unit.item,
            parent=self.parent.task,
            child=unit.task,
            source=self.source,
            target=self.target.machine,
            size_bytes=self.size_bytes,
            start_s=self.start_s,
            finish_s=self.finish_s,
        )


class Wires:
    """The network of one run."""

    def __init__(self, scenario: Scenario, trace: bool) -> None:
        network = scenario.network
        self._latency_s = network.latency_s
        self._seconds_per_byte = inverse_bandwidths(network)
        self._seconds_per_byte2 = network.seconds_per_byte2
        self._handoff = scenario.handoff
        self._parcels: list[Parcel] | None = [] if trace else None
        """Those that have left without contention, and those that have arrived with it."""
        self._under_way: dict[Parcel, None] = {}
        """With contention."""
        self._sizes: list[float] = []
        self.messages = 0
        self.flows: Flows[Parcel] | None = None
        """None without contention."""
        if scenario.contention is not Contention.NONE:
            self.flows = flows_of(
                scenario.contention,
                network.latency_s,
                self._seconds_per_byte,
                seconds_per_byte2=network.seconds_per_byte2,
                up=[machine.up_bytes_per_s for machine in network.machines],
                down=[machine.down_bytes_per_s for machine in network.machines],
            )

    @property
    def bytes_moved(self) -> float:
        """Whatever has left, also what did not arrive since it was not wanted any more."""
        return math.fsum(self._sizes)

    def transfer_s(self, source: int, target: int, size_bytes: float) -> float:
        """On an empty network; `inf` between machines that cannot talk."""
        if source == target:
            return 0.0
        seconds = self._latency_s[source][target] + size_bytes * self._seconds_per_byte[source][target]
        if self._seconds_per_byte2 is not None:
            seconds += size_bytes * size_bytes * self._seconds_per_byte2[source][target]
        return seconds if seconds == seconds else math.inf  # no byte times no bandwidth is no number

    def message_s(self, source: int, target: int) -> float:
        """What an assignment, a bid or an answer takes; it is counted as sent."""
        self.messages += source != target
        return self.delay_s(source, target)

    def delay_s(self, source: int, target: int) -> float:
        """The same without counting it."""
        return 0.0 if self._handoff.free else self.transfer_s(source, target, self._handoff.message_bytes)

    def send(self, parent: Unit, source: int, target: Attempt, size_bytes: float, now: float) -> None:
        """A parent's output leaves for an attempt. With contention, `arrivals` will name the attempt."""
        if source == target.machine:
            target.missing -= 1
            target.arrival_s = max(target.arrival_s, now)
            return
        arrival_s = self._arrival_s(source, target.machine, size_bytes, now)
        if arrival_s > target.arrival_s:
            target.arrival_s = arrival_s
        self._sizes.append(size_bytes)
        if self.flows is None:
            target.missing -= 1
            if self._parcels is not None and arrival_s < math.inf:
                self._parcels.append(Parcel(parent, target, source, size_bytes, now, arrival_s))
        else:
            parcel = Parcel(parent, target, source, size_bytes, now)
            self._under_way[parcel] = None
            self.flows.begin(parcel, source, target.machine, size_bytes, now)

    def _arrival_s(self, source: int, target: int, size_bytes: float, now: float) -> float:
        """On an empty network. Added up in the order of `mappers.evaluate`, so that both agree to the last bit."""
        if self._seconds_per_byte2 is not None:
            return now + self.transfer_s(source, target, size_bytes)
        end = now + self._latency_s[source][target] + size_bytes * self._seconds_per_byte[source][target]
        return end if end == end else math.inf

    def arrivals(self, now: float) -> list[Attempt]:
        """Attempts whose last known input has arrived by now."""
        assert self.flows is not None
        complete: list[Attempt] = []
        for parcel in self.flows.finish_due(now):
            target = parcel.target
            parcel.finish_s = now
            if self._parcels is not None:
                self._parcels.append(parcel)
            del self._under_way[parcel]
            target.missing -= 1
            if not target.missing:
                target.arrival_s = now
                complete.append(target)
        return complete

    def abandon(self, target: Attempt, now: float) -> None:
        """What is on its way to an attempt is not wanted any more."""
        if self.flows is not None:
            for parcel in [parcel for parcel in self._under_way if parcel.target is target]:
                del self._under_way[parcel]
                self.flows.abandon(parcel, now)

    def transfers(self) -> tuple[Transfer, ...]:
        """Those that arrived, in order of their starts."""
        records = [parcel.record() for parcel in self._parcels or () if not _broken_off(parcel)]
        records.sort(key=lambda one: (one.start_s, one.job, one.item, one.parent, one.child, one.target))
        return tuple(records)


def _broken_off(parcel: Parcel) -> bool:
    return parcel.target.state is State.GONE and parcel.target.finish_s < parcel.finish_s
