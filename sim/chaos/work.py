"""The work of a run: random jobs, what people do with them, and how their tasks behave.

How long an attempt takes, whether it fails and what it writes follows from the seed and the attempt's own name alone:
an attempt behaves the same whatever else happens, so that leaving faults out of a schedule changes nothing else.
"""

from random import Random

from pnode.protocol.dag import Dag, Program, ProgramKind, Task
from pnode.protocol.effects import Run
from pnode.protocol.ids import Digest, JobId, digest_of
from pnode.protocol.jobspec import FileRef, Item, JobSpec
from pnode.protocol.jobstate import UnitKey
from pnode.protocol.settlement import SETTLE_ITEMS_MIN
from pnode.protocol.values import dataclass, field
from pnode.sim.host import Host, outputs_of
from pnode.sim.workshop import Course

MAPPERS = ("wave-greedy", "wave-random", "wave-plan", "wave-hint", "wave-greedy-classic")

JOBS_PER_MINUTE = 3.0

LAST_SHARE = 0.8
"""Jobs are submitted in the first part of a run, so that faults hit them all."""


STREAMS = 0.02
"""The share of jobs that are streams: small graphs over so many items that these are settled while others run."""

STREAM_ITEMS = SETTLE_ITEMS_MIN + 8

WALLTIME_S = 15.0
"""Of tasks that often run into it, which others never do, on the slowest machine."""

STREAM_WALLTIME_S = 0.4
"""The same of streams, whose tasks are short. Where two machines with a core each are left these would be held up by
15 s half as often as there are items: that takes longer than anybody waits (`ending.JOBS_S_MAX`)."""


@dataclass(frozen=True, slots=True)
class JobPlan:
    """One job and what people do with it."""

    number: int
    at_s: float
    origin: int
    spec: JobSpec
    fickle: bool
    """Its tasks write something else each time they run."""
    faulty: tuple[str, ...]
    """Tasks that fail often."""
    endless: tuple[str, ...]
    """Tasks that often run into their walltime."""
    seconds_max: float
    """The longest that a task runs at speed 1."""
    cancelled: tuple[float, int] | None
    """(when, at which host) somebody cancels it."""
    followers: tuple[int, ...]
    """Hosts at which somebody follows it."""
    bereft: bool
    """The submitter's machine is lost for good soon after it was told that the job is safe."""

    @property
    def may_fail(self) -> bool:
        return bool(self.faulty or self.endless)

    def __str__(self) -> str:
        spec = self.spec
        notes = [
            f"{len(spec.dag.tasks)} tasks x {len(spec.items)} items at n{self.origin}, {self.at_s:.2f} s",
            f"{spec.mapper}, {spec.replicas} replicas",
            *(["fickle"] if self.fickle else []),
            *([f"faulty {' '.join(self.faulty)}"] if self.faulty else []),
            *([f"endless {' '.join(self.endless)}"] if self.endless else []),
            *([f"cancelled at n{self.cancelled[1]}, {self.cancelled[0]:.2f} s"] if self.cancelled else []),
            *([f"followed by {' '.join(f'n{host}' for host in self.followers)}"] if self.followers else []),
            *(["its submitter is lost"] if self.bereft else []),
        ]
        return ", ".join(notes)


def draw_jobs(seed: int, nodes: int, seconds: float, rng: Random) -> list[JobPlan]:
    """The jobs of a run."""
    count = max(1, round(JOBS_PER_MINUTE * seconds / 60.0 * rng.uniform(0.5, 1.5)))
    times_s = sorted(rng.uniform(0.0, LAST_SHARE * seconds) for _ in range(count))
    return [_job(seed, number, at_s, nodes) for number, at_s in enumerate(times_s)]


def _job(seed: int, number: int, at_s: float, nodes: int) -> JobPlan:
    rng = Random(f"{seed}/job/{number}")  # noqa: S311 - repeatable, not secret
    is_stream = Random(f"{seed}/stream/{number}").random() < STREAMS  # noqa: S311
    troubled = rng.random() < 0.3
    layers = [[f"L{layer}T{at}" for at in range(rng.randint(1, 5))] for layer in range(rng.randint(1, 5))]
    if is_stream:
        layers = [layer[:1] for layer in layers[:2]]
    names = [name for layer in layers for name in layer]
    faulty = tuple(rng.sample(names, min(len(names), rng.choice((0, 1, 2))))) if troubled else ()
    endless = tuple(rng.sample(names, 1)) if troubled and rng.random() < 0.4 else ()
    retries = rng.choice((0, 1, 5)) if troubled else 0
    return JobPlan(
        number,
        at_s,
        rng.randrange(nodes),
        _spec(f"chaos-{number}", rng, layers, retries, endless, is_stream=is_stream),
        rng.random() < 0.3,
        faulty,
        endless,
        0.1 if is_stream else rng.choice((0.1, 2.0, 6.0)),
        (at_s + rng.uniform(0.0, 15.0), rng.randrange(nodes)) if rng.random() < 0.15 else None,
        tuple(rng.sample(range(nodes), rng.choice((0, 0, 1, 2)))),
        rng.random() < 0.3,
    )


def _spec(
    name: str, rng: Random, layers: list[list[str]], retries: int, endless: tuple[str, ...], *, is_stream: bool
) -> JobSpec:
    """A layered graph: every task feeds some of the next layer."""
    children = {
        task: tuple(rng.sample(below, rng.randint(1, len(below)))) if below else ()
        for names, below in zip(layers, [*layers[1:], []], strict=True)
        for task in names
    }
    parents = {task: sum(task in below for below in children.values()) for task in children}
    program = Program(ProgramKind.COMMAND, ("true",))
    walltime_s = STREAM_WALLTIME_S if is_stream else WALLTIME_S
    tasks = tuple(
        Task(
            task, below, program,
            final=not below,
            inputs_per_call=max(1, parents[task]),
            walltime_s=walltime_s if task in endless else 0.0,
            expected_s=rng.choice((0.0, 1.0)),
            output_bytes=rng.choice((1_000, 1_000, 1_000_000)),
            retries_lost=20,
            retries_failed=retries,
            retries_timeout=retries,
        )
        for task, below in children.items()
    )  # fmt: skip
    count = STREAM_ITEMS if is_stream else rng.choice((1, 1, 3, 8))
    items = tuple(_item(name, number) for number in range(count))
    replicas = rng.choice((1, 2, 3, 3, 4))
    return JobSpec(name, Dag(tasks), items, rng.choice(MAPPERS), 0.0, rng.randbytes(16), replicas=replicas)


def _item(job: str, number: int) -> Item:
    name = f"k{number}_{job}_in"
    return Item(f"k{number}", (FileRef(name, 5, digest_of(name.encode())),))


Digests = tuple[Digest, ...]


@dataclass(slots=True)
class Behaviour:
    """How tasks behave, and a record of what each run used and wrote."""

    seed: int
    plans: dict[str, JobPlan]
    """By the name of the job."""
    ids: dict[JobId, JobPlan] = field(default_factory=dict)
    used: dict[tuple[JobId, UnitKey, Digests], Digests] = field(default_factory=dict)
    """From what inputs a unit has written these outputs."""
    failures: dict[JobId, list[str]] = field(default_factory=dict)
    """Tasks that have failed of their own."""

    def course(self, host: Host, run: Run) -> Course:
        """A run model."""
        unit = run.unit
        plan = self.ids.get(unit.job) or self._meet(host, unit.job)
        name = f"{self.seed}/{plan.number}/{unit.task}/{unit.item}/{unit.attempt}/{host.number}"
        rng = Random(name)  # noqa: S311 - repeatable, not secret
        seconds = rng.uniform(0.2, 1.0) * plan.seconds_max / host.peer.facts.speed
        salt = f"{name}/{len(host.runs)}".encode() if plan.fickle else b""
        if unit.task in plan.endless and rng.random() < 0.5:
            self.failures.setdefault(unit.job, []).append(unit.task)
            return Course(run.task.walltime_s, "it ran into its walltime", timed_out=True)
        if unit.task in plan.faulty and rng.random() < 0.5:
            self.failures.setdefault(unit.job, []).append(unit.task)
            return Course(seconds, "exit status 3")
        key = (plan.spec.dag.tasks.index(plan.spec.dag.by_name[unit.task]), unit.item)
        inputs = tuple(Digest(file.digest) for call in run.calls for file in call)
        outputs = tuple(Digest(file.digest) for file in outputs_of(run, salt))
        self.used[(unit.job, key, outputs)] = inputs
        return Course(seconds, salt=salt)

    def _meet(self, host: Host, job: JobId) -> JobPlan:
        jobs = host.peer.jobs
        assert jobs is not None, "only a member runs anything"
        plan = self.ids[job] = self.plans[jobs.desk.jobs[job].spec.name]
        return plan
