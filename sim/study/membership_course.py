"""A course: one cluster that goes through the stages of a membership study."""

import gc
import time
from collections.abc import Callable
from dataclasses import replace
from random import Random

from pnode.protocol.effects import Effect
from pnode.protocol.peer import Peer
from pnode.sim.cluster import Cluster
from pnode.sim.engine import Engine
from pnode.sim.host import Host
from pnode.sim.network import LinkModel, Network

from .membership import TIMINGS, Conditions, Episode, Holding, Observations, Stage, Traffic, Trial
from .membership_alone import Record
from .membership_witness import Witness

START_S_MAX = 120.0
"""A cluster that has not found together by then is not waited for."""

JOIN_S_MAX = 60.0

CRASHES = 5
"""A single one is a matter of luck: who is probed every second is probed now or in a second."""

CRASH_S_MAX = 300.0
"""By far more than any profile takes to be sure of a death."""

SETTLE_S = 30.0
"""After a change: for so long the dead are still told of, newcomers are measured and records go round."""

QUIET_S = 60.0
"""Of traffic that is counted: everything that recurs does so within a minute, push-pull of large clusters apart."""

BUSY_S = 20.0
"""The same where everything recurs every second."""

LOOK_S = 1.0
"""How often loads are looked at, in the stage `busy`."""

ALONE = slice(1, 6)
"""Whose processor time is measured apart from that of the others: not the first, which all know as their seed."""

LOOKED_AT_MAX = 16
"""Nodes whose figures are looked at: a thousand nodes hold a million."""

STALL_S = 2.0
STALL_PERIOD_S = 20.0
"""From the beginning of one stall of a node to that of its next."""

UNITS_MAX = 8
UNIT_S = 20.0
"""Queues in the stage `busy` have up to so many units, of so many seconds at most."""


class Course:
    """One cluster. `observe` goes through it all."""

    def __init__(self, conditions: Conditions) -> None:
        engine = Engine(conditions.seed)
        self.conditions = conditions
        self.settings = TIMINGS[conditions.timing]()
        self.cluster = Cluster(engine, Network(engine, LinkModel()), settings=self.settings)
        self.witness = Witness()
        self.observations = Observations(conditions)
        self.stall_s = STALL_S
        """How long each stall lasts."""
        self._engine = engine
        self._rng = engine.generator("course")
        self._is_busy = False
        self._records: dict[int, Record] = {}

    def observe(self) -> Observations:
        """Go through the stages, and give what was seen."""
        stages: dict[Stage, Callable[[], None]] = {
            Stage.START: self._start,
            Stage.QUIET: self._quiet,
            Stage.JOIN: self._join,
            Stage.CRASH: self._crash,
            Stage.IDLE: self._idle,
            Stage.BUSY: self._busy,
            Stage.STALLS: self._stalls,
            Stage.LOSS: self._loss,
        }
        try:
            for stage, happen in stages.items():
                if stage in self.conditions.stages or stage is Stage.START:
                    happen()
                gc.freeze()  # the nodes stay; to look for garbage among them took a seventh of all time
        finally:
            gc.unfreeze()
        return self.observations

    # -- stages ------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        began_s = self._engine.now
        for _ in range(self.conditions.nodes):
            self._add()
        if self._united(START_S_MAX):
            self.observations.started_s = self._engine.now - began_s
        self._engine.run_for(SETTLE_S)

    def _quiet(self) -> None:
        self.observations.quiet = self._traffic(QUIET_S)

    def _join(self) -> None:
        others, began_s = len(self.cluster.hosts), self._engine.now
        self.witness.is_noting = True
        newcomer = self._add()
        self._united(JOIN_S_MAX)
        self.observations.join = self._episode(began_s, newcomer, others)
        self._engine.run_for(SETTLE_S)

    def _crash(self) -> None:
        """Silently: no session breaks, so it has to be found out. Never the first, whom all know as their seed."""
        mortals = self.cluster.hosts[1:]
        for victim in self._rng.sample(mortals, min(CRASHES, len(mortals))):
            self._engine.run_for(self._rng.random())
            self._watch_crash(victim)

    def _watch_crash(self, victim: Host) -> None:
        others, began_s = len(self.cluster.hosts) - 1, self._engine.now
        self.witness.is_noting = True
        victim.crash(silently=True)
        self.witness.forget(victim)
        self._engine.run_until(lambda: self.witness.dead[victim.number] == others, CRASH_S_MAX)
        self.observations.crashes.append(self._episode(began_s, victim, others))
        self._engine.run_for(SETTLE_S)
        self.cluster.restart(victim)
        self._united(JOIN_S_MAX)
        self._engine.run_for(SETTLE_S)

    def _idle(self) -> None:
        self._sample()
        self._engine.run_for(SETTLE_S)
        self.observations.idle = self._traffic(QUIET_S)

    def _busy(self) -> None:
        """Looking at figures takes no virtual time, but real one; so they are looked at in a second window."""
        self._stop_sampling()
        for host in self.cluster.hosts:
            rng = self._engine.generator(f"busy/{host.number}")
            host.later(rng.random(), self._work, host, rng)
        self._is_busy = True
        self._engine.run_for(SETTLE_S)
        self.observations.busy = self._traffic(BUSY_S)
        self.observations.holding = self._look(self._rng.sample(self.cluster.hosts, self._looked_at))
        self._is_busy = False

    def _stalls(self) -> None:
        hosts = self.cluster.hosts
        stallers = self._rng.sample(hosts, max(1, round(self.conditions.stalls * len(hosts))))
        stalls = 0

        def stall(host: Host) -> None:
            nonlocal stalls
            if self.witness.is_noting:
                stalls += 1
                host.pause()
                self._engine.after(self.stall_s, host.resume)
                self._engine.after(STALL_PERIOD_S, stall, host)

        self._sample()
        self.witness.is_noting = True
        for host in stallers:
            self._engine.after(self._rng.uniform(0.0, STALL_PERIOD_S), stall, host)
        self._engine.run_for(60.0 * self.conditions.minutes)
        self.observations.stalls = Trial(60.0 * self.conditions.minutes, self.witness.take(), stalls)
        self._engine.run_for(SETTLE_S)

    def _loss(self) -> None:
        network = self.cluster.network
        self._sample()
        self.witness.is_noting = True
        well, network.model = network.model, replace(network.model, loss=self.conditions.loss)
        self._engine.run_for(60.0 * self.conditions.minutes)
        network.model = well
        self.observations.loss = Trial(60.0 * self.conditions.minutes, self.witness.take())

    # -- what they are made of ---------------------------------------------------------------------------------------

    def _add(self) -> Host:
        host = self.cluster.add(is_sampling=False)
        self.witness.meet(host)
        return host

    def _united(self, limit_s: float) -> bool:
        nodes = len(self.cluster.hosts)
        return self._engine.run_until(lambda: self.witness.everybody(nodes), limit_s)

    def _episode(self, began_s: float, host: Host, others: int) -> Episode:
        about = (seen for seen in self.witness.take() if seen.subject == host.number and seen.observer != host.number)
        return Episode(began_s, host.number, others, tuple(about))

    def _traffic(self, seconds: float) -> Traffic:
        network, hosts = self.cluster.network, self.cluster.hosts[ALONE]
        self._records = {host.number: Record(host) for host in hosts}
        datagrams, sent_bytes, began_s = network.datagrams, network.bytes, time.process_time()
        self._engine.run_for(seconds)
        cpu_s = time.process_time() - began_s
        records, self._records = self._records, {}
        for record in records.values():
            record.end()
        alone_cpu_s = tuple([record.replay() for record in records.values()])
        sent = (network.datagrams - datagrams, network.bytes - sent_bytes)
        return Traffic(seconds, len(self.cluster.hosts), *sent, cpu_s, alone_cpu_s)

    def _sample(self) -> None:
        """Let everybody look at its own load, one after the other."""
        for host in self.cluster.hosts:
            if not host.is_sampling:
                host.later(self._rng.random(), host.begin_sampling)

    def _stop_sampling(self) -> None:
        for host in self.cluster.hosts:
            host.is_sampling = False

    def _work(self, host: Host, rng: Random) -> None:
        """Another queue than a second ago."""
        if self._is_busy:
            units, free_in_s = rng.randint(1, UNITS_MAX), rng.uniform(0.0, UNIT_S)
            record = self._records.get(host.number)

            def tell(peer: Peer, now: float) -> list[Effect]:
                return _tell(peer, units, free_in_s, now)

            host.act(tell if record is None else record.acting(tell))
            host.later(LOOK_S, self._work, host, rng)

    @property
    def _looked_at(self) -> int:
        return min(LOOKED_AT_MAX, len(self.cluster.hosts))

    def _look(self, hosts: list[Host]) -> Holding:
        ages_s: list[float] = []
        missing = looks = 0
        for _ in range(round(BUSY_S / LOOK_S)):
            self._engine.run_for(LOOK_S)
            for host in hosts:
                held = _ages_s(host)
                missing += len(held) - len(known := [age_s for age_s in held if age_s is not None])
                ages_s += known
                looks += 1
        return Holding(tuple(ages_s), missing, looks)


def observe(conditions: Conditions) -> Observations:
    """One course; the same conditions give the same observations, but for the time that they took."""
    return Course(conditions).observe()


def _tell(peer: Peer, units: int, free_in_s: float, now: float) -> list[Effect]:
    """What `Peer` does with a sample of its load, for a queue that it does not have."""
    membership = peer.membership
    if membership is not None:
        membership.set_load(50.0, 50.0, 1, units, free_in_s, 0.0, now)
        if membership.wants_links(now):
            membership.set_links(peer.profile.my_figures(now), now)
    return []


def _ages_s(host: Host) -> list[float | None]:
    """Of the load of every living member; None where nothing is held."""
    membership = host.peer.membership
    if membership is None:
        return []
    loads = [membership.load_of(node) for node in membership.alive()]
    return [None if load is None else max(0.0, host.now - load.measured_at) for load in loads]
