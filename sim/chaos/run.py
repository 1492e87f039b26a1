"""One run of a seed: a cluster forms, the storm comes with the jobs, it passes, and everything must come to rest."""

import gc

from pnode.protocol.values import dataclass
from pnode.sim.cluster import Cluster
from pnode.sim.engine import Engine
from pnode.sim.host import Host
from pnode.sim.network import LinkModel, Network

from .bounds import Bounds
from .complaints import Complaints
from .ending import Ending
from .ledgers import Ledgers
from .members import Members
from .people import People
from .plan import Options, Plan, plan_of
from .storm import Storm
from .trace import Trace
from .watch import Watch
from .work import Behaviour

FORMING_S_MAX = 60.0

GARBAGE_MIN = 50_000
"""Objects between two looks for garbage: with Python's 700 they took a seventh of all time. A machine that goes off
leaves its whole peer behind, in cycles, so some there must be."""

LOOK_S = 1.0
"""How often queues and tables are looked at."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a run went."""

    plan: Plan
    complaints: tuple[str, ...]
    """What did not hold."""
    trace: str
    """The digest of all events."""
    events: int
    seconds: float
    """Virtual time from the first fault to the end."""
    deaths: int
    """Verdicts that nodes passed on each other."""
    segments: int
    """Pieces of ledgers that were looked at."""
    safe: int
    """Jobs of which somebody was told that they are safe."""
    spared: int
    """Machines that would have been lost with the last copy of a job."""

    @property
    def holds(self) -> bool:
        return not self.complaints


class Run:
    """One run, step by step."""

    def __init__(self, options: Options) -> None:
        self.plan = plan_of(options)
        self.behaviour = Behaviour(options.seed, {job.spec.name: job for job in self.plan.jobs})
        engine = Engine(options.seed)
        self.cluster = Cluster(engine, Network(engine, LinkModel()), self.behaviour.course)
        self.cluster.network.hidden.update(dict.fromkeys(self.plan.hidden))
        self.complaints = Complaints(engine, engine.now)
        self.storm = Storm(self.cluster, self._is_last_copy, self._going_down)
        self.people = People(self.cluster, self.storm, self.plan.mortal)
        self.watch = Watch(
            Trace(),
            Members(self.complaints, self.cluster.crypto, {}),
            Ledgers(self.complaints),
            Bounds(self.complaints, options.nodes, lambda: self.people.submitted),
        )

    def verdict(self) -> Verdict:
        """Do it all."""
        before = gc.get_threshold()
        gc.set_threshold(GARBAGE_MIN, *before[1:])
        try:
            return self._verdict()
        finally:
            gc.set_threshold(*before)

    def _verdict(self) -> Verdict:
        self.form()
        self.blow()
        if not self.complaints:
            self.storm.calm()
            ending = Ending(self.plan, self.cluster, self.people, self.behaviour, self.watch, self.complaints)
            ending.await_rest()
            if not self.complaints:
                ending.judge()
        return Verdict(
            self.plan, tuple(self.complaints.texts), self.watch.trace.digest, self.watch.trace.events,
            self.complaints.seconds, self.watch.members.deaths, self.watch.ledgers.segments, len(self.people.safe),
            self.storm.spared,
        )  # fmt: skip

    def form(self) -> None:
        """The cluster comes together in good weather."""
        plan, engine = self.plan, self.cluster.engine
        for speed, cores, offset_s in zip(plan.speeds, plan.cores, plan.clock_offsets_s, strict=True):
            host = self.cluster.add(speed=speed, cores=cores, clock_offset_s=offset_s)
            host.observer = self.watch
            self.watch.members.hosts[host.id] = host
        if not engine.run_until(self.cluster.everyone_knows_everyone, FORMING_S_MAX):
            self.complaints.add(None, f"{len(plan.speeds)} nodes did not find together within {FORMING_S_MAX:g} s")
        self.complaints.began_s = engine.now

    def blow(self) -> None:
        """The storm, with the jobs in it. Ends early when something does not hold."""
        self.cluster.network.model = self.plan.link
        self.storm.schedule([fault for _, fault in self.plan.faults])
        self.people.schedule(self.plan.jobs)
        seconds = self.plan.options.minutes * 60.0
        while not self.complaints and self.complaints.seconds < seconds:
            self.cluster.engine.run_for(LOOK_S)
            for host in self.cluster.hosts:
                if host.up:
                    self.watch.bounds.look(host)

    def _is_last_copy(self, host: Host) -> bool:
        """Of a job; or of what shows that somebody is a member: where all have forgotten by whom they were admitted,
        nobody can be a member any more."""
        knowing = [
            each.number
            for each in self.cluster.hosts
            if each.number not in self.storm.lost and any(each.disk.rows("peer"))
        ]
        return self.people.is_last_copy(host) or knowing == [host.number]

    def _going_down(self, host: Host) -> None:
        self.watch.members.note_own(host)
        self.people.read_answers(host)


def run(options: Options) -> Verdict:
    """One run; the same options give the same verdict."""
    return Run(options).verdict()
