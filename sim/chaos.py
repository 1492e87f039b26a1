"""Chaos: a random job on a random cluster while machines fail at random, and what must hold in the end.

A seed draws all of it: hosts, graph, network, and which kinds of faults there are at all, so that rare combinations
come up (swarm testing). Everything that fails is given back before the end, but for machines that are lost for good;
the origin never is, as long as it is the only replica. What must hold then:

- the job is done, with the results that a run without faults has, and the origin has a copy of them;
- soon after nobody runs, holds or sends anything for the job any more, and everybody who had a part in it knows that;
- no unit was tried more often than there were faults to blame for it.

`python -m pnode.sim.chaos FIRST COUNT` runs seeds and names those that fail.
"""

import sys
from dataclasses import dataclass, field
from random import Random

from pnode.protocol.dag import Dag, Program, ProgramKind, Task
from pnode.protocol.effects import Run
from pnode.protocol.ids import Digest, JobId, digest_of
from pnode.protocol.job import Job
from pnode.protocol.jobspec import FileRef, Item, JobSpec
from pnode.protocol.jobstate import Phase, UnitKey

from .cluster import Cluster, make_cluster
from .host import Host, written_by
from .network import LinkModel

END_S_MAX = 600.0
"""A job of at most 80 units of four seconds on at least two hosts, all its work lost twice."""

QUIET_S = 40.0
"""After this nothing may be left: longer than the longest pause before something is sent again."""

ATTEMPTS_SPARE = 8
"""Attempts at a unit that need no fault: three second thoughts, a few hand-offs to hosts not yet known to be gone."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a run went."""

    seed: int
    complaints: tuple[str, ...]
    """What did not hold."""
    seconds: float
    """Virtual time from the submission to the end of the job."""
    attempts: int
    """The most at one unit."""
    story: tuple[str, ...]
    """What was drawn."""

    def __str__(self) -> str:
        return f"seed {self.seed}: {'; '.join(self.complaints) or 'ok'} ({'; '.join(self.story)})"


def run(seed: int) -> Verdict:
    """One run. The same seed gives the same run."""
    storm = Storm(seed)
    storm.blow()
    return storm.judge()


@dataclass(slots=True)
class Storm:
    """One run, step by step."""

    seed: int
    rng: Random = field(init=False)
    cluster: Cluster = field(init=False)
    origin: Host = field(init=False)
    job_id: JobId = field(init=False)
    spec: JobSpec = field(init=False)
    story: list[str] = field(default_factory=list)
    _began_s: float = 0.0

    def __post_init__(self) -> None:
        self.rng = Random(f"chaos/{self.seed}")  # noqa: S311 - repeatable, not secret
        hosts = self.rng.randint(3, 7)
        loss = self.rng.choice((0.0, 0.0, 0.02, 0.1))
        model = LinkModel(latency_s=self.rng.choice((0.0005, 0.02)), loss=loss)
        work = Random(f"work/{self.seed}")  # noqa: S311 - repeatable, not secret

        def seconds(host: Host, run: Run) -> tuple[float, str]:
            del host, run
            return work.uniform(0.2, 4.0), ""

        self.cluster = make_cluster(hosts, self.seed, model, seconds)
        self.origin = self.rng.choice(self.cluster.hosts)
        self.spec = _random_spec(self.rng)
        tasks, items = len(self.spec.dag.tasks), len(self.spec.items)
        self._tell(f"{hosts} hosts, {tasks} tasks x {items} items at n{self.origin.number}, {loss:.0%} loss")

    @property
    def job(self) -> Job:
        return self.cluster.job(self.origin, self.job_id)

    def blow(self) -> None:
        """Submit the job, let machines fail, and wait for the end."""
        self.job_id = self.cluster.submit(self.origin, self.spec)
        self._began_s = self.cluster.engine.now
        kinds = (self._crashes, self._reboots, self._origin_reboots, self._blackout, self._cuts)
        faults = self.rng.sample(kinds, self.rng.randint(1, 3))
        self.cluster.engine.run_for(self.rng.uniform(0.1, 8.0))
        for fault in faults:
            fault()
        self.cluster.engine.run_until(self._is_over, END_S_MAX)

    def _is_over(self) -> bool:
        return self.origin.up and self.job.state.phase is not Phase.RUNNING

    # -- faults ------------------------------------------------------------------------------------------------------

    def _crashes(self) -> None:
        """Several hosts are lost for good, one after the other, but not all."""
        for host in self._victims(len(self.cluster.hosts) - 2):
            self._crash(host)
            self._wait(10.0)

    def _reboots(self) -> None:
        """Several hosts crash and come back, before the others have noticed or long after."""
        for host in self._victims(len(self.cluster.hosts) - 1):
            self._crash(host)
            self._restart_after(host, self.rng.choice((0.0, 1.0, 20.0)) + self.rng.uniform(0.01, 5.0))
            self._wait(10.0)

    def _origin_reboots(self) -> None:
        self._crash(self.origin)
        self._restart_after(self.origin, self.rng.choice((0.0, 20.0)) + self.rng.uniform(0.01, 5.0))
        self._wait(30.0)

    def _blackout(self) -> None:
        """All hosts lose power at once. Some may never come back."""
        hosts = [host for host in self.cluster.hosts if host.up]
        for host in hosts:
            self._crash(host)
        lost = self.rng.choice([None, *(host for host in hosts if host is not self.origin)])
        for host in hosts:
            if host is not lost:
                self._restart_after(host, self.rng.uniform(0.01, 10.0))
        if not self.origin.up and self.origin not in hosts:
            return  # it was down already and is to come back by itself
        self._wait(10.0)

    def _cuts(self) -> None:
        """A host is cut off from all others for a while, perhaps in one direction only."""
        host = self.rng.choice(self.cluster.hosts)
        ways = self.rng.choice(("in", "out", "both"))
        pairs = [(host.number, other.number) for other in self.cluster.hosts if other is not host]
        back = [(target, source) for source, target in pairs]
        cut = pairs * (ways != "in") + back * (ways != "out")
        for source, target in cut:
            self.cluster.network.cut(source, target)
        pause_s = self.rng.choice((2.0, 30.0)) + self.rng.uniform(0.0, 5.0)
        self._tell(f"n{host.number} cut off ({ways}) for {pause_s:.1f} s")
        self.cluster.engine.run_for(pause_s)
        for source, target in cut:
            self.cluster.network.heal(source, target)

    def _victims(self, count_max: int) -> list[Host]:
        others = [host for host in self.cluster.hosts if host is not self.origin and host.up]
        return self.rng.sample(others, min(len(others), self.rng.randint(1, max(1, count_max))))

    def _crash(self, host: Host) -> None:
        if host.up:
            self._tell(f"n{host.number} down")
            host.crash()

    def _restart_after(self, host: Host, pause_s: float) -> None:
        self._tell(f"n{host.number} up after {pause_s:.1f} s")
        self.cluster.engine.after(pause_s, lambda: self._restart(host))

    def _restart(self, host: Host) -> None:
        if not host.up:
            self.cluster.restart(host)

    def _wait(self, seconds_max: float) -> None:
        self.cluster.engine.run_for(self.rng.choice((0.0, self.rng.uniform(0.0, seconds_max))))

    def _tell(self, what: str) -> None:
        self.story.append(what)

    # -- what must hold ----------------------------------------------------------------------------------------------

    def judge(self) -> Verdict:
        """Look at the end, then wait for quiet and look again."""
        seconds = self.cluster.engine.now - self._began_s
        complaints = self._end_complaints()
        self.cluster.engine.run_for(QUIET_S)
        complaints += self._quiet_complaints()
        attempts = max((unit.number for unit in self.job.state.units.values()), default=0)
        if attempts > ATTEMPTS_SPARE:
            complaints.append(f"{attempts} attempts at one unit")
        return Verdict(self.seed, tuple(complaints), seconds, attempts, tuple(self.story))

    def _end_complaints(self) -> list[str]:
        state = self.job.state
        if state.phase is not Phase.DONE:
            why = state.cancelled[1] if state.cancelled else ""
            return [f"the job is {state.phase.value} with {state.results} of {state.size} results {why}"]
        expected = expected_outputs(self.spec)
        complaints = []
        for key, unit in sorted(state.units.items()):
            assert unit.result is not None
            assert unit.result.outcome is not None
            digests = [Digest(file.digest) for file in unit.result.outcome.outputs]
            if digests != expected[key]:
                complaints.append(f"{_text(self.job, key)} has another result than without faults")
            if self.job.task(key).final and any(digest not in self.origin.content for digest in digests):
                complaints.append(f"the result of {_text(self.job, key)} is not at the origin")
        return complaints

    def _quiet_complaints(self) -> list[str]:
        return [
            f"n{host.number} {complaint}"
            for host in self.cluster.hosts
            if host.up
            for complaint in self._noise_of(host)
        ]

    def _noise_of(self, host: Host) -> list[str]:
        jobs = host.peer.jobs
        job = None if jobs is None else jobs.desk.jobs.get(self.job_id)
        if jobs is None or job is None:
            return []
        noise = {
            "runs": [unit.task for unit in host.running],
            "holds": [_text(job, key) for key in job.held],
            "waits for": [_text(job, key) for key in (*job.handoffs, *job.unplaced)],
            "has watchers": list(job.watchers),
            "thinks the job goes on": [] if job.state.is_over else [job.state.phase],
            "has something to do": [] if jobs.deadline > host.now + QUIET_S else [jobs.deadline - host.now],
        }
        return [f"{what} {which}" for what, which in noise.items() if which]


def _text(job: Job, key: UnitKey) -> str:
    return f"{job.task(key).name}[{key[1]}]"


def _random_spec(rng: Random) -> JobSpec:
    """A layered graph: every task feeds some of the next layer."""
    layers = [[f"L{layer}T{number}" for number in range(rng.randint(1, 5))] for layer in range(rng.randint(2, 4))]
    children = {
        name: tuple(rng.sample(below, rng.randint(1, len(below)))) if below else ()
        for names, below in zip(layers, [*layers[1:], []], strict=True)
        for name in names
    }
    parents = {name: sum(name in below for below in children.values()) for name in children}
    program = Program(ProgramKind.COMMAND, ("true",))
    tasks = tuple(
        Task(name, below, program, final=not below, inputs_per_call=max(1, parents[name]), output_bytes=1000)
        for name, below in children.items()
    )
    items = tuple(_item(number) for number in range(rng.randint(1, 4)))
    return JobSpec("chaos", Dag(tasks), items, rng.choice(("wave-greedy", "wave-random")), 0.0, b"n" * 16)


def _item(number: int) -> Item:
    name = f"k{number}_in"
    return Item(f"k{number}", (FileRef(name, 5, digest_of(name.encode())),))


def expected_outputs(spec: JobSpec) -> dict[UnitKey, list[Digest]]:
    """What every unit writes if nothing goes wrong, computed without any of the machinery."""
    number = {task.name: at for at, task in enumerate(spec.dag.tasks)}
    written: dict[UnitKey, list[Digest]] = {}
    for name in spec.dag.order:
        for item, given in enumerate(spec.items):
            above = [written[(number[parent], item)] for parent in spec.dag.parents[name]]
            inputs = [digest for digests in above for digest in digests] or [
                Digest(file.digest) for file in given.files
            ]
            files = written_by(spec.dag.by_name[name], item, inputs)
            written[(number[name], item)] = [Digest(file.digest) for file in files]
    return written


def main(arguments: list[str]) -> int:
    """Run COUNT seeds from FIRST on."""
    first, count = (int(argument) for argument in (*arguments, "0", "1")[:2])
    verdicts = (run(seed) for seed in range(first, first + count))
    failed = 0
    for verdict in verdicts:
        if verdict.complaints:
            failed += 1
            sys.stdout.write(f"{verdict}\n  again: python -m pnode.sim.chaos {verdict.seed} 1\n")
    sys.stdout.write(f"{failed} of {count} seeds failed\n")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
