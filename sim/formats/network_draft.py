"""A network draft: machines and links as a reader finds them, by names, checked while it still knows the places."""

import math

from pnode.protocol.textfile import listed, shown
from pnode.sim.schedule.scenario import Machine, Network

from .document import NAME_EXPECTED, is_name
from .errors import Blame
from .numeral import LARGEST, SMALLEST, expected_from

MACHINES_MAX = 1024
"""A matrix of as many rows has a million numbers; the largest study here has 128 machines."""


class NetworkDraft:
    """Add the machines, then the links, then ask for the network. Its errors are made by the blame it gets."""

    def __init__(self) -> None:
        self.machines: dict[str, Machine] = {}
        self._links: dict[tuple[str, str], tuple[float, float]] = {}

    def machine(self, machine: Machine, blame: Blame) -> None:
        name = shown(machine.name)
        if not is_name(machine.name):
            raise blame(f"a machine is called {name}, expected {NAME_EXPECTED}")
        if machine.name in self.machines:
            raise blame(f"a second machine is called {name}")
        if len(self.machines) >= MACHINES_MAX:
            raise blame(f"there are more than {MACHINES_MAX} machines, which is as many as are read")
        if not SMALLEST <= machine.speed <= LARGEST:
            raise blame(f"machine {name} has the speed {machine.speed}, expected {expected_from(SMALLEST)}")
        self.machines[machine.name] = machine

    def known(self, name: str, blame: Blame) -> str:
        if name not in self.machines:
            raise blame(f"there is no machine {shown(name)}; machines are {listed(self.machines)}")
        return name

    def link(self, source: str, target: str, latency_s: float, bandwidth_bytes_per_s: float, blame: Blame) -> None:
        """A directed way. Its bandwidth may be infinite."""
        pair = (self.known(source, blame), self.known(target, blame))
        words = f"the link from {shown(source)} to {shown(target)}"
        if source == target:
            raise blame(f"{words} leads nowhere")
        if pair in self._links:
            raise blame(f"{words} is there a second time")
        if not 0 <= latency_s <= LARGEST:
            raise blame(f"{words} has the latency {latency_s}, expected {expected_from(0)}")
        if not (SMALLEST <= bandwidth_bytes_per_s <= LARGEST or bandwidth_bytes_per_s == math.inf):
            raise blame(f"{words} has the bandwidth {bandwidth_bytes_per_s}, expected {expected_from(SMALLEST)}")
        self._links[pair] = (latency_s, bandwidth_bytes_per_s)

    def network(self, blame: Blame, *, partial: bool = False) -> Network:
        """Between every two machines there must be links both ways.

        With `partial` the format says that a missing link is one that is not there: such a pair gets bandwidth 0, and
        every machine must have at least one link.
        """
        if partial:
            self._refuse_hermits(blame)
        names = list(self.machines)
        latency: list[tuple[float, ...]] = []
        bandwidth: list[tuple[float, ...]] = []
        for source in names:
            row = [self._way(source, target, partial, blame) for target in names]
            latency.append(tuple(seconds for seconds, _ in row))
            bandwidth.append(tuple(rate for _, rate in row))
        return Network(tuple(self.machines.values()), tuple(latency), tuple(bandwidth))

    def _way(self, source: str, target: str, partial: bool, blame: Blame) -> tuple[float, float]:
        if source == target:
            return 0.0, math.inf
        way = self._links.get((source, target))
        if way is None and not partial:
            raise blame(
                f"there is no link from {shown(source)} to {shown(target)}, expected one between all machines"
            )
        return way or (0.0, 0.0)

    def _refuse_hermits(self, blame: Blame) -> None:
        linked = dict.fromkeys(name for pair in self._links for name in pair)
        for name in self.machines:
            if name not in linked and len(self.machines) > 1:
                raise blame(f"machine {shown(name)} has no link, so that nobody can reach it")
