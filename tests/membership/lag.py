"""Lag: how late two hundred nodes in one process do what they want to do, and what the garbage collector adds to it.

Simulated nodes whose virtual clock is held to that of a core of their own: it goes on by what the thread computes,
and where there is nothing to do, by itself. So others who want the core do not make anything late. The nodes take in
and send what two hundred would; sockets and seals are left out, so this is what the protocol itself and the
interpreter make late.
"""

import gc
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pnode.sim.cluster import Cluster
from pnode.sim.engine import Engine
from pnode.sim.host import Host
from pnode.sim.network import LinkModel, Network

from ..peers.markdown import shown, table, wrapped

NODES = 200
START_S_MAX = 60.0
SPREAD_S = 60.0
"""Within this they begin to look at their loads: what recurs every minute does not recur at all of them at once."""

SETTLE_S = 120.0
"""Virtual, as fast as it goes: what follows a start is over."""

WATCHED_S = 40.0
TICK_S = 0.2
"""How often each node is looked at: as often as it gossips."""

REST_S = 0.0005
"""Between two looks at the clock, where nothing is due."""

GENERATIONS = 3


@dataclass(slots=True)
class Pauses:
    """What the collector did, by generation: seconds of the processor, which others may take away meanwhile."""

    seconds: tuple[list[float], ...] = field(default_factory=lambda: tuple([] for _ in range(GENERATIONS)))
    _began_s: float = 0.0

    def note(self, phase: str, about: dict[str, int]) -> None:
        if phase == "start":
            self._began_s = time.thread_time()
        else:
            self.seconds[about["generation"]].append(time.thread_time() - self._began_s)


class Core:
    """A core that nobody else wants."""

    def __init__(self) -> None:
        self._began_s = time.thread_time()
        self._idle_s = 0.0

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return self.used_s + self._idle_s

    @property
    def used_s(self) -> float:
        return time.thread_time() - self._began_s

    def rest(self) -> None:
        self._idle_s += REST_S


@dataclass(frozen=True, slots=True)
class Watched:
    """Nodes that ran on a core for a while."""

    lags_s: list[float]
    """Of every tick of every node, in ascending order."""
    cpu_share: float
    pauses: Pauses

    def quantile_ms(self, share: float) -> float:
        return 1000 * self.lags_s[max(0, math.ceil(share * len(self.lags_s)) - 1)]


def told() -> list[str]:
    """Both with the collector and without."""
    gc.collect()
    gc.freeze()  # as a node does with what it has loaded
    try:
        cluster = _started()
        with_it = watched(cluster)
        with _without_collector():
            without = watched(cluster)
        tracked, whole_s = len(gc.get_objects()), _whole_collection_s()
    finally:
        gc.unfreeze()
    rows = [_row("the collector as it is", with_it), _row("no collector", without)]
    head = (f"{NODES} nodes in one process", "ticks", "lag p50, ms", "lag p99, ms", "lag max, ms", "core used")
    return [*table(head, rows), "", *wrapped(_pauses(with_it.pauses, tracked, whole_s))]


def _started() -> Cluster:
    engine = Engine(0)
    cluster = Cluster(engine, Network(engine, LinkModel()))
    rng = engine.generator("lag")
    for _ in range(NODES):
        host = cluster.add(is_sampling=False)
        host.later(rng.uniform(0.0, SPREAD_S), host.begin_sampling)
    assert engine.run_until(lambda: _know_each_other(cluster), START_S_MAX)
    engine.run_for(SETTLE_S)
    return cluster


def _know_each_other(cluster: Cluster) -> bool:
    first, *_, last = cluster.hosts
    return all(
        host.peer.membership is not None and len(host.peer.membership.alive()) == NODES - 1 for host in (last, first)
    )


def watched(cluster: Cluster) -> Watched:
    """Let the nodes run on a core, and note how late their ticks are."""
    engine, lags_s = cluster.engine, list[float]()
    virtual_s, core = engine.now, Core()

    def tick(host: Host, due_s: float) -> None:
        if due_s <= WATCHED_S:
            lags_s.append(max(0.0, core.now - due_s))
            engine.after(TICK_S, tick, host, due_s + TICK_S)

    for host in cluster.hosts:
        due_s = TICK_S * host.number / NODES
        engine.after(due_s, tick, host, due_s)
    pauses = Pauses()
    gc.callbacks.append(pauses.note)
    try:
        while (passed_s := core.now) < WATCHED_S:
            engine.run_for(max(0.0, virtual_s + passed_s - engine.now))
            core.rest()
    finally:
        gc.callbacks.remove(pauses.note)
    share = core.used_s / core.now
    engine.run_for(TICK_S)
    return Watched(sorted(lags_s), share, pauses)


@contextmanager
def _without_collector() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _whole_collection_s() -> float:
    began_s = time.thread_time()
    gc.collect()
    return time.thread_time() - began_s


def _row(title: str, seen: Watched) -> tuple[str, ...]:
    lags = (f"{seen.quantile_ms(share):.2f}" for share in (0.5, 0.99, 1.0))
    return (title, f"{len(seen.lags_s):,}", *lags, f"{100 * seen.cpu_share:.0f} %")


def _pauses(pauses: Pauses, tracked: int, whole_s: float) -> str:
    did = ", ".join(
        f"{len(each)} of generation {generation}" + (f" (at most {1000 * max(each):.1f} ms)" if each else "")
        for generation, each in enumerate(pauses.seconds)
    )
    return (
        f"Collections within {WATCHED_S:g} s: {did}. The collector looks after {tracked:,} objects, "
        f"{shown(tracked / NODES**2)} for each node's view of another; to look at all of them takes "
        f"{1000 * whole_s:.0f} ms of the processor, {1000 * whole_s / NODES:.1f} ms for one node's share."
    )
