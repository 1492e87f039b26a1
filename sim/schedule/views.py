"""Views: what each machine believes of the others, and how old that is.

A machine hears of the others once per gossip period, at a phase of its own, and what it hears is as old as the delay.
So between two refreshes it sees one snapshot of them all, while it always knows its own queue as it is
(scheduling.md 2.5). Snapshots are not made when they are due: every change at a station is noted with its instant,
and whoever decides looks up what was true at the moment of its latest snapshot.
"""

import math
from bisect import bisect_right
from collections.abc import Callable
from typing import NamedTuple

from pnode.protocol.ids import NodeId
from pnode.protocol.view import Link, PeerView, View

from .draws import generator
from .forecast import OVERDUE_SHARE
from .machines import Station
from .scenario import Fate, Network
from .spec import whole_bytes
from .units import Unit
from .world import World

CPU_PERCENT = (0.0, 30.0)
MEMORY_PERCENT = (10.0, 60.0)
"""What else the machines do, drawn per run: only the classic mappers look at it (scheduling.md 3.3)."""

UNREACHABLE = Link(1e9, 1e-30, 1.0)
"""Between machines that cannot talk: finite, so that means stay numbers, and longer than any run, for no byte as well
(thirty years)."""

HOME = Link(0.0, math.inf, 1.0)


class Load(NamedTuple):
    """What a station had to do at an instant."""

    running: list[tuple[float, float, int]]
    """Expected end, expected seconds, cores."""
    waiting: list[tuple[float, int]]
    """Expected seconds, cores."""


IDLE = Load([], [])


class Views:
    """The beliefs of all machines of one run."""

    def __init__(self, world: World) -> None:
        self._world = world
        network = world.scenario.network
        self.nodes = tuple(node_of(number) for number in range(len(network.machines)))
        """In ascending order, as the machines are."""
        self.numbers = {node: number for number, node in enumerate(self.nodes)}
        self.link = _links(network, self.nodes)
        gossip = world.scenario.gossip
        self._period_s, self._delay_s = gossip.period_s, gossip.delay_s
        rng = generator(world.seed, "gossip")
        self._phases_s = [rng.uniform(0.0, gossip.period_s) for _ in self.nodes]
        rng = generator(world.seed, "percent")
        self._percents = [(rng.uniform(*CPU_PERCENT), rng.uniform(*MEMORY_PERCENT)) for _ in self.nodes]
        self._times: list[list[float]] = [[-math.inf] for _ in self.nodes]
        self._loads: list[list[Load]] = [[IDLE] for _ in self.nodes]
        if self.are_old or any(one.fate is Fate.FAIL for one in world.scenario.disruptions):
            world.witness = self._note

    @property
    def are_old(self) -> bool:
        """Whether anybody's view differs from what is true."""
        return self._period_s > 0 or self._delay_s > 0

    def seen_s(self, me: int) -> float:
        """When what a machine believes of the others was true."""
        now = self._world.now
        if self._period_s:
            phase = self._phases_s[me]
            now = phase + math.floor((now - phase) / self._period_s) * self._period_s
        return now - self._delay_s

    def view(self, me: int, unit: Unit | None, run_s: Callable[[str, NodeId], float]) -> View:
        """What a machine believes now. The peers are those that are not known to be dead and, if it is about a unit,
        can run it."""
        now = self._world.now
        costs = unit.job.instance.cost_s[unit.task] if unit is not None else (0.0,) * len(self.nodes)
        peers = [
            self._peer(station, me, now)
            for station in self._world.stations
            if costs[station.number] < math.inf and station.is_thought_alive
        ]
        return View(self.nodes[me], tuple(peers), self.link, run_s, self._period_s + self._delay_s or 1.0)

    def busy_percent(self, machine: int, me: int) -> float:
        """How many of a machine's cores run something, as far as machine `me` has heard."""
        station = self._world.stations[machine]
        load, _ = self._heard(station, me)
        return 100.0 * sum(cores for _, _, cores in load.running) / station.machine.cores

    def _heard(self, station: Station, me: int) -> tuple[Load, float]:
        """What a machine had to do as far as another one has heard, and when that was true."""
        number, now = station.number, self._world.now
        seen_s = now if number == me else self.seen_s(me)
        if seen_s == now and station.alive:
            return (load_of(station) if station.bound or station.running else IDLE), now
        return self._loads[number][bisect_right(self._times[number], seen_s) - 1], seen_s

    def _peer(self, station: Station, me: int, now: float) -> PeerView:
        number, machine = station.number, station.machine
        load, seen_s = self._heard(station, me)
        free_s = free_at(load, machine.cores, seen_s)
        cpu_percent, memory_percent = self._percents[number]
        return PeerView(
            self.nodes[number],
            machine.name,
            machine.cores,
            machine.speed,
            max(0.0, free_s - now),
            now - seen_s,
            cpu_percent,
            memory_percent,
            whole_bytes(machine.memory_bytes),
        )

    def _note(self, station: Station) -> None:
        if not station.alive:
            return  # it tells nobody: until somebody misses it, the last that was heard of it counts
        times, loads = self._times[station.number], self._loads[station.number]
        if times[-1] == self._world.now:
            loads[-1] = load_of(station)
        else:
            times.append(self._world.now)
            loads.append(load_of(station))


def node_of(number: int) -> NodeId:
    """The node id of a machine: 32 bytes, as keys are, which sort as the numbers do."""
    return NodeId(number.to_bytes(32, "big"))


def load_of(station: Station) -> Load:
    """By the profile, as the machine itself reckons."""
    return Load(
        [(one.start_s + one.expected_s, one.expected_s, one.unit.vertex.cores) for one in station.running],
        [(one.expected_s, one.unit.vertex.cores) for one in station.bound],
    )


def free_at(load: Load, cores: int, now: float) -> float:
    """When a core is free for one more task, with everything that waits laid out in its order."""
    if cores == 1:  # the same in a third of the time: this is asked for every peer at every decision
        for end, expected_s, _ in load.running:
            now = end if end > now else now + OVERDUE_SHARE * expected_s
        for expected_s, _ in load.waiting:
            now += expected_s
        return now
    free = [now] * cores
    for end, expected_s, wanted in load.running:
        occupy(free, wanted, end if end > now else now + OVERDUE_SHARE * expected_s)
    for expected_s, wanted in load.waiting:
        occupy(free, wanted, free[min(wanted, cores) - 1] + expected_s)
    return free[0]


def occupy(free: list[float], wanted: int, until: float) -> None:
    """Take the cores that are free first; `free` stays in ascending order."""
    free[:wanted] = [until] * min(wanted, len(free))
    free.sort()


def _links(network: Network, nodes: tuple[NodeId, ...]) -> Callable[[NodeId, NodeId], Link]:
    table: dict[NodeId, dict[NodeId, Link]] = {}
    for source, here in enumerate(nodes):
        rates = network.bandwidth_bytes_per_s[source]
        table[here] = {
            there: Link(network.latency_s[source][target], rates[target], 1.0) if rates[target] else UNREACHABLE
            for target, there in enumerate(nodes)
        }
        table[here][here] = HOME

    def link(source: NodeId, target: NodeId) -> Link:
        return table[source][target]

    return link
