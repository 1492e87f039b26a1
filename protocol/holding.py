"""Holding: the working half of a node's part in jobs: it takes units, gathers inputs, runs them, says how it went.

    offered --fit to run it--> accepted --inputs known and here--> ready --a core is free--> running --> ended
       \\--> declined              \\------ superseded, or the job has ended: dropped ------/

Inputs are fetched as soon as each parent's result is known, not when the last is: most of a fan-in's data has then
arrived before its last parent ends.
"""

from .dag import Task
from .desk import Desk
from .effects import Cancel, Fetch, Run, Unit
from .events import Fetched, FetchFailed, RunEnded
from .ids import Digest, JobId, NodeId, digest_of, job_text
from .job import Held, Job, program_name
from .jobspec import FileRef
from .jobstate import Attempt, Phase, UnitKey
from .ledger import ANY_QUEUE, STDERR_TAIL_MAX, Outcome, Statement, StatementKind
from .routing import RoutingError, calls_for, check_outputs, outputs_for
from .workbench import Workbench

FETCH_TRIES = 3
"""Against a source that is alive but failed to deliver; against a dead one, waiting for a new result is better."""

SECOND_THOUGHTS_MAX = 3
"""Bids of about three candidates get nearly all there is to gain (scheduling.md 5.7); the next node must take it."""

LONGER_S = 0.25
"""A queue longer by less than this is not worth another round of hand-off."""

NOTHING = FileRef("nothing", 0, digest_of(b""))
"""Stands for the output of what never ran."""


class Holding:
    """The units that this node has accepted, of all jobs."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.bench = Workbench(desk.place.cores)
        self._waiting: dict[Digest, dict[tuple[JobId, UnitKey], None]] = {}
        """Content that was asked for, and the units that need it."""
        self._here: dict[Digest, None] = {}
        """Content known to be in our store."""

    def heard(self, job: Job, author: NodeId, statement: Statement, now: float) -> None:
        """React to a statement, whoever made it."""
        key = (statement.task, statement.item)
        match statement.kind:
            case StatementKind.ASSIGNED:
                self._assigned(job, key, statement, author, now)
            case StatementKind.FINISHED:
                self._parent_finished(job, key)
            case StatementKind.CANCELLED:
                for held_key in list(job.held):
                    self._drop(job, held_key, f"the job was cancelled: {statement.text}", now)

    def fetched(self, event: Fetched, now: float) -> None:
        """Content has arrived."""
        if event.source is not None:
            self.desk.profile.observe_transfer(event.source, event.received_bytes, event.seconds, now)
        self._arrived(Digest(event.file.digest))

    def fetch_failed(self, event: FetchFailed, now: float) -> None:
        """A source could not deliver: ask again, wait for a new result, or give the unit up."""
        digest = Digest(event.file.digest)
        for job, key in self._waiters(digest):
            held = job.held[key]
            source = held.missing.get(digest)
            if source is None or self.desk.near.is_gone(source):
                continue
            held.tries[digest] = held.tries.get(digest, 0) + 1
            if held.tries[digest] >= FETCH_TRIES:
                name = self.desk.near.name_of(source)
                self._fail(
                    job, key, f"its input {event.file.name} could not be fetched from {name}: {event.reason}", now
                )
            else:
                self._want(job, key, event.file, source)

    def run_ended(self, event: RunEnded, now: float) -> None:
        """A unit of ours has ended."""
        running = self.bench.remove(event.unit)
        job = self.desk.jobs.get(event.unit.job)
        if job is None or not running:
            return  # it was dropped while it ran, which has been said
        key = job.key(event.unit.task, event.unit.item)
        held = job.held.pop(key)
        failure = event.failure or _misfit(job.task(key), event.outputs)
        kind = StatementKind.FAILED if failure else StatementKind.FINISHED
        outcome = Outcome(
            event.seconds, event.exit_status, event.outputs, event.stdout, event.stderr,
            event.stderr_tail[-STDERR_TAIL_MAX:], _lineage(held),
        )  # fmt: skip
        if not failure:
            self.desk.profile.observe_run(
                program_name(job.spec.name, event.unit.task), self.desk.me, self.desk.place.speed, event.seconds, now
            )
        for file in event.outputs:
            self._arrived(Digest(file.digest))
        recipients = [held.assigner]
        for child in job.children(key):
            child_attempt = job.state.unit(child).current
            if child_attempt is not None:
                recipients.append(child_attempt.node)
        self._say(job, kind, held.unit, now, tuple(recipients), failure[:4000], outcome)

    def start_ready(self, now: float) -> None:
        """Fill free cores."""
        for unit in self.bench.take(now):
            job = self.desk.jobs[unit.job]
            key = job.key(unit.task, unit.item)
            held = job.held[key]
            task = job.task(key)
            try:
                calls = calls_for(task, _inputs(job, key, held))
            except RoutingError as error:
                self._fail(job, key, str(error), now)
                continue
            self._say(job, StatementKind.STARTED, unit, now, (held.assigner,))
            environment = (
                ("PNODE_NODE", self.desk.place.name),
                ("PNODE_JOB", job_text(job.id)),
                ("PNODE_JOB_NAME", job.spec.name),
                ("PNODE_ITEM_KEY", job.spec.items[unit.item].key),
            )
            self.desk.effects.append(Run(unit, task, calls, job.spec.application, environment))

    def resume(self, job: Job) -> None:
        """After a restart: take up what this node had accepted before, from the beginning of the unit."""
        for key, unit in list(job.state.units.items()):
            current = unit.current
            if current is not None and current.node == self.desk.me and current.phase in ("accepted", "started"):
                self._take(job, key, current, current.assigner or job.origin)

    def _assigned(self, job: Job, key: UnitKey, statement: Statement, author: NodeId, now: float) -> None:
        current = job.state.unit(key).current
        assert current is not None
        held = job.held.get(key)
        if held is not None and current.key != (held.unit.attempt, self.desk.me):
            self._drop(job, key, f"attempt {current.number} has superseded it", now)
        if statement.node != self.desk.me or current.key != (statement.attempt, self.desk.me):
            return
        if current.phase != "assigned" or key in job.held:
            return
        refusal = self._refusal(job, key) or self._second_thought(job, key, statement, now)
        unit = self._unit(job, key, current)
        if job.state.phase is not Phase.RUNNING:
            self._say(job, StatementKind.DROPPED, unit, now, (author,), "the job has ended")
        elif refusal:
            self._say(job, StatementKind.DECLINED, unit, now, (author,), refusal)
        else:
            self._say(job, StatementKind.ACCEPTED, unit, now, (author,))
            self._take(job, key, current, author)

    def _refusal(self, job: Job, key: UnitKey) -> str:
        """Why this node cannot run a unit; empty when it can."""
        place, task = self.desk.place, job.task(key)
        if not place.computes:
            return "it does not compute"
        if not self.desk.near.may_submit(job.origin):
            return f"{self.desk.near.name_of(job.origin)} may not submit jobs"
        if job.spec.mapper not in self.desk.mappers:
            return f"it does not know the mapper {job.spec.mapper}"
        if task.cores > place.cores:
            return f"it has {place.cores} cores, the task needs {task.cores}"
        if task.memory_bytes > place.memory_bytes:
            return f"it has {place.memory_bytes >> 20} MiB of memory, the task needs {task.memory_bytes >> 20}"
        return "its queue is full" if self.bench.full else ""

    def _second_thought(self, job: Job, key: UnitKey, statement: Statement, now: float) -> str:
        """Why somebody else would be the better choice: the controller thought the queue here shorter than it is.

        What a node gossips is a hint, what it accepts is a promise: this spreads the work of controllers that chose
        at the same moment from the same figures. It ends after a few attempts, since everybody may be busy.
        """
        queue_s = self.bench.free_in_s(now)
        if statement.queue_s == ANY_QUEUE or statement.attempt > SECOND_THOUGHTS_MAX:
            return ""
        longer_s = queue_s - statement.queue_s
        if longer_s <= max(LONGER_S, self._expected_s(job, job.task(key))):
            return ""
        return f"its queue is {queue_s:.1f} s, not {statement.queue_s:.1f} s"

    def _take(self, job: Job, key: UnitKey, attempt: Attempt, assigner: NodeId) -> None:
        task = job.task(key)
        unit = self._unit(job, key, attempt)
        self.bench.accept(unit, task.cores, self._expected_s(job, task), job.ranks[task.name])
        held = job.held[key] = Held(unit, assigner)
        if job.spec.application is not None:
            self._want(job, key, job.spec.application, job.origin)
        if not job.spec.dag.parents[task.name]:
            files = job.spec.items[key[1]].files
            held.files[""] = files
            for file in files:
                self._want(job, key, file, job.origin)
        for parent in job.parents(key):
            self._gather(job, key, parent)
        self._advance(job, key)

    def _parent_finished(self, job: Job, parent: UnitKey) -> None:
        for child in job.children(parent):
            if child in job.held and not self.bench.is_running(job.held[child].unit):
                self._gather(job, child, parent)
                self._advance(job, child)

    def _gather(self, job: Job, key: UnitKey, parent: UnitKey) -> None:
        """Ask for what a parent sends to a unit of ours, if the parent has a result."""
        result = job.state.unit(parent).result
        held, name = job.held[key], job.task(parent).name
        if result is None or result.outcome is None or held.used.get(name) == result.key:
            return
        try:
            files = outputs_for(job.task(parent), result.outcome.outputs, job.task(key).name)
        except RoutingError:
            return  # the parent's own node says so and the job fails there
        held.used[name], held.files[name] = result.key, files
        for file in files:
            self._want(job, key, file, result.node)

    def _arrived(self, digest: Digest) -> None:
        """Content is in our store: fetched, or written by a unit of ours."""
        self._here[digest] = None
        for job, key in self._waiters(digest):
            job.held[key].missing.pop(digest, None)
            self._advance(job, key)

    def _want(self, job: Job, key: UnitKey, file: FileRef, source: NodeId) -> None:
        digest = Digest(file.digest)
        if source == self.desk.me or digest in self._here:
            job.held[key].missing.pop(digest, None)
            return
        job.held[key].missing[digest] = source
        waiting = self._waiting.setdefault(digest, {})
        waiting[(job.id, key)] = None
        sources = tuple(dict.fromkeys((source, job.held[key].assigner)))
        self.desk.effects.append(Fetch(file, tuple(node for node in sources if node != self.desk.me)))

    def _waiters(self, digest: Digest) -> list[tuple[Job, UnitKey]]:
        waiting = self._waiting.pop(digest, {})
        jobs = self.desk.jobs
        return [(jobs[job_id], key) for job_id, key in waiting if job_id in jobs and key in jobs[job_id].held]

    def _advance(self, job: Job, key: UnitKey) -> None:
        """Put a unit among the ready once all its inputs are known and here."""
        held = job.held.get(key)
        if held is None or held.missing or self.bench.is_ready(held.unit):
            return
        if len(held.files) == max(1, len(job.spec.dag.parents[job.task(key).name])):
            self.bench.make_ready(held.unit)

    def _drop(self, job: Job, key: UnitKey, why: str, now: float) -> None:
        held = job.held.pop(key)
        if self.bench.remove(held.unit):
            self.desk.effects.append(Cancel(held.unit))
        self._say(job, StatementKind.DROPPED, held.unit, now, (held.assigner,), why)

    def _fail(self, job: Job, key: UnitKey, reason: str, now: float) -> None:
        """A unit cannot be run here or anywhere."""
        held = job.held.pop(key)
        self.bench.remove(held.unit)
        outcome = Outcome(0.0, 0, (), NOTHING, NOTHING, "", _lineage(held))
        self._say(job, StatementKind.FAILED, held.unit, now, (held.assigner,), reason[:4000], outcome)

    def _expected_s(self, job: Job, task: Task) -> float:
        program = program_name(job.spec.name, task.name)
        return self.desk.profile.run_s(program, self.desk.me, self.desk.place.speed, task.expected_s)

    def _unit(self, job: Job, key: UnitKey, attempt: Attempt) -> Unit:
        return Unit(job.id, job.task(key).name, key[1], attempt.number)

    def _say(
        self,
        job: Job,
        kind: StatementKind,
        unit: Unit,
        now: float,
        recipients: tuple[NodeId, ...],
        text: str = "",
        outcome: Outcome | None = None,
    ) -> None:
        task, item = job.key(unit.task, unit.item)
        self.desk.say(job, Statement(kind, task, item, unit.attempt, now, b"", text, outcome), recipients)


def _inputs(job: Job, key: UnitKey, held: Held) -> tuple[FileRef, ...]:
    """All input files: parents in the order of the DAG file, each parent's in its output order."""
    names = job.spec.dag.parents[job.task(key).name] or ("",)
    return tuple(file for name in names for file in held.files[name])


def _misfit(task: Task, outputs: tuple[FileRef, ...]) -> str:
    """Why the outputs cannot go where the graph sends them; empty when they can, or when nobody waits for them."""
    if not task.children and not task.final:
        return ""
    try:
        check_outputs(task, outputs)
    except RoutingError as error:
        return str(error)
    return ""


def _lineage(held: Held) -> Digest:
    """Names the inputs that were used, so that results can be held against each other."""
    parts = [file.name.encode() + file.digest for name in sorted(held.files) for file in held.files[name]]
    return digest_of(b"\0".join(parts))
