"""Holding: the working half of a node's part in jobs: it takes units, gathers inputs, runs them, says how it went.

    offered --fit to run it--> accepted --inputs known and here--> ready --a core is free--> running --> ended
       \\--> declined              \\------ superseded, or the job is over: dropped ---------/

Inputs are fetched as soon as each parent's result is known, not when the last is: most of a fan-in's data has then
arrived before its last parent ends. If a parent gets another result before the unit runs, that one is used; if it
does while the unit runs, the unit is dropped, since its result would be void (`acceptance`).

What cannot be fetched although whoever has it is alive is nobody's fault but the way's, or the disk's: the outputs of
a parent are stated to be LOST, and the unit is given back, for somebody else to run once they were made anew. The
job's own inputs cannot be made anew; so the unit fails when several nodes have tried in vain and all who are known to
have had the inputs are alive.

A node that was restarted takes up what it had accepted from the beginning of the unit. If it has forgotten even that,
a replica reminds it of its own words (`replica`).
"""

from .awaited import Awaited
from .dag import Task
from .desk import Desk
from .effects import Cancel, Unit
from .events import RunEnded
from .fetching import Fetching, Waiter
from .gathering import Gathering
from .ids import Digest, NodeId, digest_of
from .job import Held, Job, program_name
from .jobspec import FileRef
from .jobstate import Attempt, UnitKey, superseding
from .ledger import ANY_QUEUE, STDERR_TAIL_MAX, Cause, Outcome, Statement, StatementKind
from .routing import misfit, takes_given
from .saying import say
from .starting import Starting, waited_s
from .workbench import Workbench

SECOND_THOUGHTS_MAX = 3
"""Bids of about three candidates get nearly all there is to gain (scheduling.md 5.7); the next node must take it."""

LONGER_S, LONGER_SHARE = 0.25, 0.1
"""A queue longer by less than this, or by less than this share of what it was believed to be, is not worth another
round of hand-off: what is believed of hundreds of tasks changes by more as the first of them end."""

NOTHING = FileRef("nothing", 0, digest_of(b""))
"""Stands for the output of what never ran."""


class Holding:
    """The units that this node has accepted, of all jobs."""

    def __init__(self, desk: Desk, fetching: Fetching) -> None:
        self.desk = desk
        self.fetching = fetching
        self.gathering = Gathering(desk, fetching)
        self.awaited = Awaited(desk)
        self.bench = Workbench(desk.place.cores, self.awaited.inputs_s)
        self.starting = Starting(desk, self.bench)

    @property
    def deadline(self) -> float:
        """When `start_ready` may start something though nothing has happened."""
        return self.bench.deadline

    def heard(self, job: Job, author: NodeId, statement: Statement, now: float) -> None:
        """React to a statement about a unit, whoever made it."""
        key = (statement.task, statement.item)
        if author == self.desk.me:
            self.fetching.given_by(job, statement)
        self.awaited.meet(job, self.bench)
        self.awaited.heard(job, key, self.bench)
        if statement.kind == StatementKind.ASSIGNED and statement.node == self.desk.me:
            self._offered(job, key, statement, author, now)
        elif statement.kind in _OF_RESULTS:
            self._results_changed(job, key, now)
        if key in job.held:
            self._review(job, key, now)
        elif author == self.desk.me:
            self._take_up(job, key, now)

    def over(self, job: Job, now: float) -> None:
        """The job is over: whatever of it is here is of no use to anybody."""
        for key in list(job.held):
            self._drop(job, key, "the job is over", now)
        self.awaited.over(job, self.bench)

    def resume(self, job: Job, now: float) -> None:
        """After a restart: take up what this node had accepted, and answer what it had not answered."""
        self.awaited.meet(job, self.bench)
        for key in list(job.state.places.get(self.desk.me, ())):
            current = job.state.unit(key).current
            if current is not None and current.node == self.desk.me and current.phase == "assigned":
                self._answer(job, key, current, current.assigner or job.origin, ANY_QUEUE, now)
            else:
                self._take_up(job, key, now)

    def settled(self, job: Job, key: UnitKey, now: float) -> None:
        """There is a result of the unit, and it stays that."""
        self._drop(job, key, "its item is settled", now)

    def sources_changed(self, job: Job) -> None:
        """Others keep the job now: what comes with it, or is a result of it, may be had from them."""
        for key, held in job.held.items():
            if held.missing:
                self.gathering.want_given(job, key)

    def arrived(self, job: Job, key: UnitKey, digest: Digest, now: float) -> None:
        """Content that a unit waits for is in our store."""
        held = job.held[key]
        del held.missing[digest]
        if key in job.waiting:
            self.gathering.tell(job, key)
        self._advance(job, key, now)

    def given_up(self, job: Job, key: UnitKey, source: NodeId, file: FileRef, reason: str, now: float) -> None:
        """Content that a unit waits for cannot be had although somebody who should have it is alive."""
        held = job.held[key]
        names = held.missing.pop(Digest(file.digest))
        text = f"its input {file.name} could not be fetched from {self.desk.near.name_of(source)}: {reason}"
        makers = self.gathering.makers(job, key, names)
        for parent, maker in makers:
            self.desk.say(job, Statement(StatementKind.LOST, *parent, maker.number, now, maker.node, text), ())
        is_given = None in names or "" in names
        attempt = job.state.unit(key).attempts[(held.unit.attempt, self.desk.me)]
        if makers or (is_given and attempt.cause != Cause.STARVED):
            self._drop(job, key, text, now, Cause.STARVED if is_given else Cause.ELSEWHERE)
        elif is_given and not any(map(self.desk.is_gone, (job.origin, *job.state.guards))):
            self._fail(job, key, text, now)
        else:  # whoever had it may come back, or what it made is being made anew
            held.missing[Digest(file.digest)] = names
            self.fetching.want_again(file, (source,), Waiter(job.id, key), reason, now)

    def cannot(self, job: Job, key: UnitKey, file: FileRef, reason: str, now: float) -> None:
        """There is no room here for what a unit needs: somebody else may have some."""
        job.held[key].missing.pop(Digest(file.digest))
        self._drop(job, key, f"it cannot take in its input {file.name}: {reason}", now)

    def run_ended(self, event: RunEnded, now: float) -> None:
        """A unit of ours has ended."""
        job = self.desk.jobs.get(event.unit.job)
        if job is None or not self.bench.is_running(event.unit):
            return  # it was dropped while it ran, which has been said
        if not event.begun:
            self.bench.put_back(event.unit)
            return
        was_told = self.bench.was_told(event.unit)
        self.bench.remove(event.unit)
        key = job.key(event.unit.task, event.unit.item)
        held = job.held.pop(key)
        if event.failure and event.ours:
            say(self.desk, job, StatementKind.DROPPED, held.unit, now, (held.assigner,), event.failure)
            return
        failure = event.failure or misfit(job.task(key), event.outputs)
        kind = StatementKind.FAILED if failure else StatementKind.FINISHED
        outcome = Outcome(
            event.seconds, event.exit_status, event.outputs, event.stdout, event.stderr,
            event.stderr_tail[-STDERR_TAIL_MAX:], _lineage(held),
            tuple(held.used[name] for name in job.spec.dag.parents[event.unit.task]), event.timed_out, event.contents,
        )  # fmt: skip
        if not failure:
            program = program_name(job.spec.name, job.task(key))
            self.desk.profile.observe_run(program, self.desk.me, self.desk.place.speed, event.seconds, now)
            self.starting.brevity.observe(job, job.task(key), event.seconds)
        currents = (job.state.unit(child).current for child in job.children(key))
        holders = dict.fromkeys(current.node for current in currents if current is not None)
        waited = ANY_QUEUE if was_told else waited_s(held, now - event.seconds)
        say(self.desk, job, kind, held.unit, now, (held.assigner, *holders), failure, outcome, waited)

    def start_ready(self, now: float) -> None:
        """Fill free cores."""
        for job, key, reason in self.starting.start(now):
            self._fail(job, key, reason, now)

    # -- taking and leaving ------------------------------------------------------------------------------------------

    def _offered(self, job: Job, key: UnitKey, statement: Statement, author: NodeId, now: float) -> None:
        """Somebody asks us to run an attempt."""
        attempt = job.state.unit(key).attempts[(statement.attempt, self.desk.me)]
        if attempt.phase == "assigned":
            self._answer(job, key, attempt, author, statement.queue_s, now)
        elif author != self.desk.me:  # another controller had the same idea, or a replica thinks we have forgotten it
            self.desk.remind(job, author, key, attempt.key)

    def _answer(self, job: Job, key: UnitKey, attempt: Attempt, assigner: NodeId, queue_s: float, now: float) -> None:
        unit = self._unit(job, key, attempt)
        void = self._obsolete(job, key, attempt, assigner)
        refusal = (
            "" if void else self._refusal(job, key, attempt) or self._second_thought(job, key, attempt, queue_s, now)
        )
        if void:
            say(self.desk, job, StatementKind.DROPPED, unit, now, (assigner,), void)
        elif refusal:
            say(self.desk, job, StatementKind.DECLINED, unit, now, (assigner,), refusal)
        else:
            say(self.desk, job, StatementKind.ACCEPTED, unit, now, (assigner,))
            self._take(job, key, attempt, assigner, now)

    def _obsolete(self, job: Job, key: UnitKey, attempt: Attempt, assigner: NodeId) -> str:
        """Why an attempt need not be made any more, which the assigner is shown; empty if it has to be."""
        if job.state.is_over:
            self.desk.tell_end(job, assigner)
            return "the job is over"
        other = superseding(job.state.unit(key), attempt)
        if other is None:
            return ""
        self.desk.show(job, assigner, key, other.key)
        return f"attempt {other.number} has superseded it"

    def _refusal(self, job: Job, key: UnitKey, attempt: Attempt) -> str:
        """Why this node cannot run a unit; empty when it can. Without the job's mapper it is the worse choice for it,
        since it places the children by another; but it may be all there is."""
        place, task = self.desk.place, job.task(key)
        if key in job.held:
            return f"it has the task already, as attempt {job.held[key].unit.attempt}"
        if not place.computes:
            return "it does not compute"
        if not self.desk.near.may_submit(job.origin):
            return f"{self.desk.near.name_of(job.origin)} may not submit jobs"
        if job.spec.mapper not in self.desk.mappers and attempt.number <= SECOND_THOUGHTS_MAX:
            return f"it does not know the mapper {job.spec.mapper}"
        if task.cores > place.cores:
            return f"the task needs {task.cores} cores, it has {place.cores}"
        if task.memory_bytes > place.memory_bytes:
            return f"it has {place.memory_bytes >> 20} MiB of memory, the task needs {task.memory_bytes >> 20}"
        return "its queue is full" if self.bench.full else ""

    def _second_thought(self, job: Job, key: UnitKey, attempt: Attempt, believed_s: float, now: float) -> str:
        """Why somebody else would be the better choice: the controller thought the queue here shorter than it is.

        What a node gossips is a hint, what it accepts is a promise: this spreads the work of controllers that chose
        at the same moment from the same figures. It ends after a few attempts, since everybody may be busy.
        """
        if believed_s == ANY_QUEUE or attempt.number > SECOND_THOUGHTS_MAX:
            return ""
        queue_s = self.bench.free_in_s(now)
        expected_s = self._expected_s(job, job.task(key), attempt)
        if queue_s - believed_s <= max(LONGER_S, LONGER_SHARE * believed_s, expected_s):
            return ""
        return f"its queue is {queue_s:.1f} s, not {believed_s:.1f} s"

    def _take_up(self, job: Job, key: UnitKey, now: float) -> None:
        """Go on with what this node has accepted in an earlier life. If somebody else has taken it meanwhile say so,
        or it would seem to be in good hands here for ever."""
        unit = job.state.unit(key)
        ours = [attempt for attempt in unit.attempts.values() if attempt.node == self.desk.me]
        for attempt in ours:
            if attempt.phase not in ("accepted", "started") or job.state.is_over:
                continue
            assigner, other = attempt.assigner or job.origin, superseding(unit, attempt)
            if other is None and key not in job.held:
                self._take(job, key, attempt, assigner, now)
            else:  # a copy supersedes nothing, but here it is of no use
                number = job.held[key].unit.attempt if other is None else other.number
                why = f"attempt {number} has superseded it"
                say(self.desk, job, StatementKind.DROPPED, self._unit(job, key, attempt), now, (assigner,), why)

    def _take(self, job: Job, key: UnitKey, attempt: Attempt, assigner: NodeId, now: float) -> None:
        task = job.task(key)
        unit = self._unit(job, key, attempt)
        expected_s = self._expected_s(job, task, attempt)
        is_guess = not attempt.told_s and not self._knows(job, task)
        self.bench.accept(unit, task.cores, expected_s, job.due_s[key[0]], is_guess=is_guess)
        job.held[key] = Held(unit, assigner)
        self.gathering.want_given(job, key)
        self.gathering.gather(job, key)
        self._advance(job, key, now)

    def _review(self, job: Job, key: UnitKey, now: float) -> None:
        """Something was said about a unit of ours: are we still to run it?"""
        unit, held = job.state.unit(key), job.held[key]
        attempt = unit.attempts[(held.unit.attempt, self.desk.me)]
        if not attempt.is_open:  # it ended in an earlier life, and somebody had to tell us
            self._put_away(job, key)
            return
        other = superseding(unit, attempt)
        if other is not None:
            self._drop(job, key, f"attempt {other.number} has superseded it", now)

    def _drop(self, job: Job, key: UnitKey, why: str, now: float, cause: Cause = Cause.ELSEWHERE) -> None:
        held = self._put_away(job, key)
        say(self.desk, job, StatementKind.DROPPED, held.unit, now, (held.assigner,), why, cause=cause)

    def _fail(self, job: Job, key: UnitKey, reason: str, now: float) -> None:
        """A unit cannot be run here, nor, as far as this node can tell, anywhere else."""
        held = self._put_away(job, key)
        outcome = Outcome(0.0, 0, (), NOTHING, NOTHING, "", _lineage(held))
        say(self.desk, job, StatementKind.FAILED, held.unit, now, (held.assigner,), reason, outcome)

    def _put_away(self, job: Job, key: UnitKey) -> Held:
        held = job.held.pop(key)
        job.waiting.pop(key, None)
        self.awaited.forget(job, key)
        if self.bench.remove(held.unit):
            self.desk.effects.append(Cancel(held.unit))
        for digest in held.missing:
            self.fetching.release(digest, Waiter(job.id, key))
        return held

    # -- inputs ------------------------------------------------------------------------------------------------------

    def _results_changed(self, job: Job, key: UnitKey, now: float) -> None:
        """A unit may have another result, or be had from others; where an item is contested any unit may."""
        if job.state.acceptance.is_contested(key[1]):
            affected = [held for held in job.held if held[1] == key[1]]
        else:
            affected = [child for child in job.children(key) if child in job.held]
        for child in affected:
            if self.bench.is_running(job.held[child].unit):
                self._check_used(job, child, now)
            else:
                self.gathering.gather(job, child)
                self._advance(job, child, now)

    def _check_used(self, job: Job, key: UnitKey, now: float) -> None:
        """A unit runs: is what it uses still what counts? If a parent is to run again, it may come out the same."""
        for parent in job.parents(key):
            name, result = job.task(parent).name, job.state.unit(parent).result
            if result is not None and result.mark != job.held[key].used[name]:
                self._drop(job, key, f"the result of {name} that it used was not accepted", now)
                return

    def _advance(self, job: Job, key: UnitKey, now: float) -> None:
        """Put a unit among the ready once all its inputs are known and here."""
        held = job.held[key]
        parents = len(job.shape.parents[key[0]])
        known = len(held.files) == parents + takes_given(job.task(key), parents)
        if held.missing or not known:
            held.ready_s = None
            self.bench.make_unready(held.unit)
        elif held.ready_s is None:
            held.ready_s = now
            self.awaited.forget(job, key)
            self.bench.make_ready(held.unit)

    def _expected_s(self, job: Job, task: Task, attempt: Attempt) -> float:
        """As long as nothing like it was ever heard of here, the controller's estimate is the better guess."""
        place, program = self.desk.place, program_name(job.spec.name, task)
        expected_s = attempt.told_s * place.speed or task.expected_s
        return self.desk.profile.run_s(program, self.desk.me, place.speed, expected_s)

    def _knows(self, job: Job, task: Task) -> bool:
        return self.desk.profile.knows(program_name(job.spec.name, task), task.expected_s)

    def _unit(self, job: Job, key: UnitKey, attempt: Attempt) -> Unit:
        return Unit(job.id, job.task(key).name, key[1], attempt.number)


_OF_RESULTS = (StatementKind.FINISHED, StatementKind.KEPT, StatementKind.LOST)
"""Kinds after which a unit may have another result, or its result be had elsewhere."""


def _lineage(held: Held) -> Digest:
    """Names the inputs that were used, so that results can be held against each other."""
    parts = [file.name.encode() + file.digest for name in sorted(held.files) for file in held.files[name]]
    return digest_of(b"\0".join(parts))
