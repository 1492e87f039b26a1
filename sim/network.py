"""The simulated network: who can reach whom, how long it takes, and what is lost on the way.

Datagrams may be lost, delayed and reordered. Sessions are ordered pipes; a cut breaks them after a while, as a TCP
connection does when nobody answers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from .engine import NANOSECONDS, Engine


@dataclass(frozen=True, slots=True)
class LinkModel:
    """One direction between two hosts."""

    latency_s: float = 0.0005
    jitter_s: float = 0.0005
    """Mean of an exponential delay on top."""
    bandwidth_bytes_per_s: float = 125e6
    loss: float = 0.0
    """Share of datagrams lost; sessions are slowed down by it, not harmed."""


class Network:
    """Links between numbered hosts."""

    def __init__(self, engine: Engine, model: LinkModel) -> None:
        self.engine = engine
        self.model = model
        self.links: dict[tuple[int, int], LinkModel] = {}
        self._cut: dict[tuple[int, int], None] = {}
        self._generators: dict[tuple[int, int], Random] = {}
        self._last_ns: dict[tuple[int, int], int] = {}
        """When what was sent last on a session arrives: nothing overtakes it."""
        self.datagrams = 0
        self.bytes = 0

    def link(self, source: int, target: int) -> LinkModel:
        return self.links.get((source, target), self.model)

    def cut(self, source: int, target: int) -> None:
        """Nothing passes in this direction any more."""
        self._cut[(source, target)] = None

    def heal(self, source: int, target: int) -> None:
        self._cut.pop((source, target), None)

    def reaches(self, source: int, target: int) -> bool:
        return (source, target) not in self._cut

    def datagram(self, source: int, target: int, size_bytes: int, arrive: Callable[[], None]) -> None:
        """Send one datagram; `arrive` is called unless it is lost."""
        self.datagrams += 1
        self.bytes += size_bytes
        link = self.link(source, target)
        rng = self._generator(source, target)
        lost = rng.random() < link.loss or not self.reaches(source, target)
        delay_s = self._delay_s(source, target)
        if not lost:
            self.engine.after(delay_s, arrive)

    def pipe(self, source: int, target: int, size_bytes: int, arrive: Callable[[], None]) -> None:
        """Send bytes on an ordered session; they arrive after those sent before."""
        self.bytes += size_bytes
        link = self.link(source, target)
        delay_s = self._delay_s(source, target) + size_bytes / link.bandwidth_bytes_per_s
        earliest_ns = self._last_ns.get((source, target), 0) + 1
        arrival_ns = max(self.engine.now_ns + round(delay_s * NANOSECONDS), earliest_ns)
        self._last_ns[(source, target)] = arrival_ns
        self.engine.at_ns(arrival_ns, arrive)

    def _delay_s(self, source: int, target: int) -> float:
        link = self.link(source, target)
        jitter_s = self._generator(source, target).expovariate(1 / link.jitter_s) if link.jitter_s else 0.0
        return link.latency_s + jitter_s

    def _generator(self, source: int, target: int) -> Random:
        key = (source, target)
        if key not in self._generators:
            self._generators[key] = self.engine.generator(f"net/{source}>{target}")
        return self._generators[key]
