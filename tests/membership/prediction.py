"""The prediction: sixteen simulated nodes, to which happens what is done to the real ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pnode.protocol.events import LoadSampled
from pnode.protocol.roster import State
from pnode.sim.cluster import Cluster
from pnode.sim.engine import Engine
from pnode.sim.host import Host
from pnode.sim.network import LinkModel, Network
from pnode.sim.study.membership import Sighting
from pnode.sim.study.membership_witness import Witness

SEEDS = range(5)
ROUNDS = 9
JOINS = 9

LATENCY_S = 0.0001
"""What a datagram takes from one process to another on a machine that has nothing else to do."""

MEDIAN_OF_TWO = 1.678
"""Median of the sum of two delays that are exponential, in units of their mean: there and back."""

START_S_MAX = 60.0
DEATH_S_MAX = 60.0
SETTLE_S = 240.0
SLACK_S = 6.0
SAMPLE_S = 1.0

Load = tuple[float, float, float]
"""Percent of processor and of memory, and by how many seconds an event loop ran late, as seen in one second."""


@dataclass(slots=True)
class Seen:
    """Samples of figures, by their names."""

    samples: dict[str, list[float]] = field(default_factory=dict)

    def note(self, name: str, value: float) -> None:
        self.samples.setdefault(name, []).append(value)


def predicted(nodes: int, loads: Sequence[Load], rtt_s: float) -> Seen:
    """Of all seeds together. `rtt_s` is the median round trip that the real nodes have measured."""
    seen, ways = Seen(), loopback(rtt_s)
    for seed in SEEDS:
        _Trial(seed, nodes, loads, ways, seen).play()
    return seen


def loopback(rtt_s: float) -> LinkModel:
    """Ways of this median round trip: what it is longer than it need be is noise."""
    return LinkModel(latency_s=LATENCY_S, jitter_s=max(LATENCY_S, (rtt_s - 2 * LATENCY_S) / MEDIAN_OF_TWO))


class _Trial:
    """One cluster, as `processes` has one."""

    def __init__(self, seed: int, nodes: int, loads: Sequence[Load], ways: LinkModel, seen: Seen) -> None:
        self._engine = Engine(seed)
        self._cluster = Cluster(self._engine, Network(self._engine, ways))
        self._witness = Witness()
        self._nodes = nodes
        self._loads = loads
        self._seen = seen
        self._rng = self._engine.generator("trial")

    def play(self) -> None:
        for _ in range(self._nodes):
            self._add()
        self._together()
        self._engine.run_for(SETTLE_S)
        self._rest()
        for number in range(ROUNDS):
            self._stop(self._cluster.hosts[1 + number])
        for number in range(ROUNDS):
            self._kill(self._cluster.hosts[1 + number])
        for _ in range(JOINS):
            self._join()

    def _add(self) -> Host:
        host = self._cluster.add(is_sampling=False)
        self._witness.meet(host)
        host.later(self._rng.random(), self._sample, host, 0)
        return host

    def _sample(self, host: Host, turn: int) -> None:
        """A second of the machine's load, again from the beginning when it is over. The machine is the same for all;
        whose event loop runs late is not."""
        cpu_percent, memory_percent, _ = self._loads[turn % len(self._loads)]
        lag_s = self._rng.choice(self._loads)[2]
        sample = LoadSampled(cpu_percent, memory_percent, lag_s)
        host.act(lambda peer, now: peer.handle(sample, now))
        self._engine.after(SAMPLE_S, self._sample, host, turn + 1)

    def _together(self) -> None:
        assert self._engine.run_until(lambda: self._witness.everybody(len(self._cluster.hosts)), START_S_MAX)

    def _rest(self) -> None:
        network = self._cluster.network
        datagrams, sent_bytes = network.datagrams, network.bytes
        seconds = len(self._loads) * SAMPLE_S
        self._engine.run_for(seconds)
        self._seen.note("bytes_per_s", (network.bytes - sent_bytes) / seconds / self._nodes)
        self._seen.note("datagrams_per_s", (network.datagrams - datagrams) / seconds / self._nodes)

    def _stop(self, victim: Host) -> None:
        self._engine.run_for(self._rng.random())
        self._witness.is_noting = True
        began_s = self._engine.now
        victim.pause()
        self._watch_death(victim, began_s, "stopped")
        victim.resume()
        self._together()
        self._engine.run_for(SLACK_S)

    def _kill(self, victim: Host) -> None:
        self._engine.run_for(self._rng.random())
        self._witness.is_noting = True
        began_s = self._engine.now
        victim.crash()
        self._witness.forget(victim)
        self._watch_death(victim, began_s, "killed")
        self._cluster.restart(victim)
        self._together()
        self._engine.run_for(SLACK_S)

    def _join(self) -> None:
        self._engine.run_for(self._rng.random())
        self._witness.is_noting = True
        newcomer = self._add()
        self._together()
        met = _firsts(self._witness.take(), newcomer, (State.ALIVE,))
        self._seen.note("join_spread_s", max(met) - min(met))
        self._engine.run_for(SLACK_S)

    def _watch_death(self, victim: Host, began_s: float, how: str) -> None:
        others = self._nodes - 1
        assert self._engine.run_until(lambda: self._witness.dead[victim.number] == others, DEATH_S_MAX)
        sightings = self._witness.take()
        suspected = _firsts(sightings, victim, (State.SUSPECT, State.DEAD))
        dead = _firsts(sightings, victim, (State.DEAD,))
        self._seen.note(f"{how}_suspected_s", min(suspected) - began_s)
        self._seen.note(f"{how}_first_dead_s", min(dead) - began_s)
        self._seen.note(f"{how}_all_dead_s", max(dead) - began_s)


def _firsts(sightings: Sequence[Sighting], about: Host, states: tuple[State, ...]) -> list[float]:
    """When each observer first saw it in one of these states."""
    firsts: dict[int, float] = {}
    for seen in sightings:
        if seen.subject == about.number and seen.observer != about.number and seen.state in states:
            firsts.setdefault(seen.observer, seen.at_s)
    return list(firsts.values())
