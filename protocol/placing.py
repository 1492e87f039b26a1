"""Placing: the controlling half of WAVE. Whoever holds a task chooses the nodes of the children that it controls.

The origin holds, so to speak, the job's input, and places the entry tasks. Every other unit is first placed by the
node that holds its appointed parent (`controller`), as soon as all its parents have started: then each of them has a
finish, or an expected one, and the decision and the hand-off hide behind the parents' run (scheduling.md 4.4).

A hand-off is an ASSIGNED statement, sent to the node it names. It ends in one of these ways:

    asked --ACCEPTED--> settled
    asked --DECLINED--> asked again elsewhere, as the next attempt, without that node
    asked --no answer for HANDOFF_S, the node is gone or cannot be reached--> likewise
    asked --somebody else's attempt is higher, or has been accepted--> no longer our business

What becomes of a unit once it was accepted is no longer the controller's business either: whether it has to be placed
again, and whether that is all, only a replica knows enough to say (`recovery`). It asks by the same hand-off.
"""

from .crowd import Crowd
from .desk import Desk
from .ids import JobId, NodeId
from .job import HandOff, Job, Unplaced, program_name
from .jobstate import ATTEMPTS_MAX, Attempt, UnitKey, UnitState
from .ledger import ANY_QUEUE, Cause, Statement, StatementKind
from .progress import JobProgress
from .routing import RoutingError, outputs_for
from .timers import Timers, growing_s
from .view import Mapper, Moment, Parent, Question, View
from .workbench import left_s

HANDOFF_S = 3.0
"""An acknowledgement takes a round trip and a turn of the other's event loop; a node that stalls longer than this is
no place for a task."""

LOOK_AGAIN_S = 1.0
"""How soon to look again when nobody was eligible: load and membership change about once a second."""

LOOK_AGAIN_S_MAX = 16.0
"""The pause is doubled up to here: whoever can run it may have to be switched on first."""

PROMPT_MAX = 64
"""Hand-offs of one unit that follow each other at once. By then its controller is cut off from the others, or all of
them are full: it waits longer and longer; after ATTEMPTS_MAX of them, which takes days, the job comes to nothing."""

SELDOM_S_MAX = 300.0
"""The pause between such hand-offs is doubled up to here."""

TURN_MAX = 64
"""Units that are placed before the node does something else: a decision takes up to three milliseconds, and a node
that is silent for a second is taken for dead."""


class Placing:
    """The units of all jobs that this node is giving to somebody."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._timers: Timers[tuple[JobId, UnitKey]] = Timers()
        """When an answer is overdue, or when to look again for somebody."""
        self._crowd = Crowd()
        self._moments: dict[tuple[JobId, int], Moment] | None = None
        """By job and item, while units are placed one after another."""

    @property
    def deadline(self) -> float:
        return min(self._timers.deadline, self._crowd.deadline)

    def begin(self, job: Job, now: float) -> None:
        """A job was submitted here: its entry units are to be placed, the most urgent first."""
        for key in sorted(job.entries(), key=job.due):
            self._place_soon(job, key, now)

    def may_begin(self, job: Job, key: UnitKey, now: float) -> None:
        """All parents of a unit have started: place it if that is our business."""
        controller = job.controller(key)
        assert controller is not None, "only entries have no parents"
        holder = job.state.unit(controller)
        attempt = holder.result or holder.current
        if attempt is not None and attempt.node == self.desk.me and not job.state.unit(key).attempts:
            self._place_soon(job, key, now)

    def heard(self, job: Job, author: NodeId, statement: Statement, now: float) -> None:
        """React to a statement about a unit, whoever made it."""
        key = (statement.task, statement.item)
        match statement.kind:
            case StatementKind.ASSIGNED:
                self._other_assigned(job, key, NodeId(statement.node), statement)
            case StatementKind.ACCEPTED:
                self._answered(job, key, author, statement)
                if author == self.desk.me:  # our own queue shows it from now on
                    self.desk.bindings.end((job.id, key, statement.attempt))
            case StatementKind.DECLINED:
                handoff = self._answered(job, key, author, statement)
                if handoff is not None:
                    self._elsewhere(job, key, handoff, f"{self._name(author)} declined: {statement.text}", now)
            case StatementKind.FINISHED:
                self._ended(job, key, now)
                self._leave(job, key)
                self.desk.bindings.end((job.id, key, statement.attempt))
                self._learn(job, author, statement, now)
            case StatementKind.FAILED | StatementKind.DROPPED:
                self._ended(job, key, now)
                self._answered(job, key, author, statement)
                self.desk.bindings.end((job.id, key, statement.attempt))

    def over(self, job: Job) -> None:
        """The job is over: nobody need answer."""
        for key in (*job.handoffs, *job.unplaced):
            self._timers.cancel((job.id, key))
        job.handoffs.clear()
        job.unplaced.clear()
        self._crowd.over(job.id)

    def settled(self, job: Job, key: UnitKey) -> None:
        """There is a result of the unit: nobody need answer, nor be asked."""
        self._leave(job, key)

    def tick(self, now: float) -> None:
        for job_id, keys in self._crowd.stale(now):
            self._let_in(self.desk.jobs[job_id], keys, now)
        self._moments = {}
        self._do_due(now)
        self._moments = None

    def _do_due(self, now: float) -> None:
        for job_id, key in self._timers.due(now, TURN_MAX):
            job = self.desk.jobs[job_id]
            handoff, waited = job.handoffs.pop(key, None), job.unplaced.get(key, Unplaced())
            if handoff is None and not waited.why and job.state.unit(key).attempts:
                job.unplaced.pop(key, None)  # somebody else has come to it first: there is no reason for a second
            elif handoff is None and not waited.why and not self._may_go(job, key, now):
                job.unplaced[key] = waited
            elif handoff is None:
                self.place(job, key, now, waited.why, waited.cause)
            else:
                why = f"{self._name(handoff.node)} did not answer within {HANDOFF_S:g} s"
                self._elsewhere(job, key, handoff, why, now)

    def _may_go(self, job: Job, key: UnitKey, now: float) -> bool:
        """Whether a unit need not wait for others of its kind. What the origin has planned is as it shall be."""
        if job.shape.parents[key[0]] or job.plan:
            return True
        cores = sum(peer.cores for peer in self.desk.near.view(job, job.task(key), now).peers)
        return self._crowd.admits(job.id, key, cores, now)

    def _ended(self, job: Job, key: UnitKey, now: float) -> None:
        if not job.shape.parents[key[0]]:
            self._let_in(job, self._crowd.ended(job.id, key, now), now)

    def _let_in(self, job: Job, keys: list[UnitKey], now: float) -> None:
        for key in keys:
            if key in job.unplaced:
                self._timers.set((job.id, key), now)

    def unreachable(self, node: NodeId, reason: str, now: float) -> None:
        """Nothing can be sent to a node: do not wait for its answers."""
        for job in self.desk.jobs.values():
            for key, handoff in [(key, each) for key, each in job.handoffs.items() if each.node == node]:
                self._leave(job, key)
                self._elsewhere(job, key, handoff, f"{self._name(node)} {reason}", now)

    def joined(self, now: float) -> None:
        """A member is new or back: whoever was waited for may be there now."""
        for job in self.desk.jobs.values():
            for key in job.unplaced:
                self._timers.set((job.id, key), now)

    def _place_soon(self, job: Job, key: UnitKey, now: float) -> None:
        """At the next tick, or the one after: there may be thousands."""
        job.unplaced[key] = Unplaced()
        self._timers.set((job.id, key), now)

    def place(self, job: Job, key: UnitKey, now: float, why: str = "", cause: int = Cause.ELSEWHERE) -> None:
        """Choose a node and ask it."""
        number = job.state.unit(key).number + 1
        if number > ATTEMPTS_MAX:
            text = f"{job.task(key).name} was handed over {ATTEMPTS_MAX} times without success; last: {why}"
            self.desk.cancel(job, text, now)
            return
        task = job.task(key)
        view = self.desk.near.view(job, task, now)
        choice = self._mapper(job).choose(self._question(job, key, view, now), view, self.desk.rng)
        self.desk.decisions.note(job.id, key, number, now, choice, job.excluded.get(key, {}).items())
        if not choice.ranking:
            self._wait(job, key, why, cause, now)
            return
        node, queue_s = choice.ranking[0].node, choice.ranking[0].queue_s if choice.minds_queue else ANY_QUEUE
        self._await_answer(job, key, HandOff(number, node, cause), now)
        run_s = view.run_s(task.name, node)
        self.desk.bindings.add(node, (job.id, key, number), now, run_s)
        if not self.desk.profile.knows(program_name(job.spec.name, task), task.expected_s):
            run_s = 0.0  # nobody shall rely on a guess
        tell = self.desk.say if self._may_begin(job, key) else self.desk.note
        tell(
            job,
            Statement(StatementKind.ASSIGNED, *key, number, now, node, why, None, queue_s, run_s, cause),
            self._concerned(job, key, node),
        )
        if self._moments is not None:
            self._moments[(job.id, key[1])].known.pop(task.name, None)
        self._show_parents(job, key, node)

    def _may_begin(self, job: Job, key: UnitKey) -> bool:
        """Whether a unit has all that it waits for: else its node can only fetch what is there already."""
        return all(job.state.unit(parent).result is not None for parent in job.parents(key))

    def _mapper(self, job: Job) -> Mapper:
        """The job's own; or the default, if this node came to the job by others' deaths and does not know that one:
        a task may rather go to another node than to none."""
        return self.desk.mappers.get(job.spec.mapper) or next(iter(self.desk.mappers.values()))

    def _concerned(self, job: Job, key: UnitKey, node: NodeId) -> tuple[NodeId, ...]:
        """Who is to know that a node was asked to run a unit: the node, whoever had it before, and whoever expects it
        since the job was planned, if it knows of the job at all."""
        current, planned = job.state.unit(key).current, job.plan.get(job.task(key).name)
        concerned = {node: None} if current is None else {node: None, current.node: None}
        if planned is not None and planned.node in job.informed:
            concerned[planned.node] = None
        return tuple(concerned)

    def _other_assigned(self, job: Job, key: UnitKey, node: NodeId, statement: Statement) -> None:
        """If another controller has gone further, it is its business now."""
        handoff = job.handoffs.get(key)
        if handoff is not None and (statement.attempt, node) > (handoff.number, handoff.node):
            self._leave(job, key)

    def _answered(self, job: Job, key: UnitKey, author: NodeId, statement: Statement) -> HandOff | None:
        """The hand-off that this answers, if we have waited for it."""
        handoff = job.handoffs.get(key)
        if handoff is None or (handoff.number, handoff.node) != (statement.attempt, author):
            return None
        self._leave(job, key)
        return handoff

    def _leave(self, job: Job, key: UnitKey) -> None:
        """Wait no longer for an answer, nor for somebody to ask."""
        if job.handoffs.pop(key, None) is not None or job.unplaced.pop(key, None) is not None:
            self._timers.cancel((job.id, key))

    def _elsewhere(self, job: Job, key: UnitKey, handoff: HandOff, why: str, now: float) -> None:
        """A hand-off has come to nothing: make the next, without the node that had it. Its cause stays what it was;
        only of what was lost is told once."""
        unit = job.state.unit(key)
        job.excluded.setdefault(key, {})[handoff.node] = why
        self.desk.bindings.end((job.id, key, unit.number))
        if job.state.is_over or self._is_in_hand(unit, handoff.node):
            return
        cause = Cause.ELSEWHERE if handoff.cause == Cause.RAN else handoff.cause
        if unit.number < PROMPT_MAX:
            self.place(job, key, now, why, cause)
        else:
            job.unplaced[key] = Unplaced(0, why, cause)
            pause_s = growing_s(LOOK_AGAIN_S_MAX, unit.number - PROMPT_MAX, SELDOM_S_MAX)
            self._timers.set((job.id, key), now + pause_s)

    def _is_in_hand(self, unit: UnitState, node: NodeId) -> bool:
        """Whether somebody other than that node has the unit, or may have it."""
        current = unit.current
        if current is None or self.desk.is_gone(current.node):
            return False
        return current.phase in _TAKEN or (current.is_open and current.node != node)

    def _wait(self, job: Job, key: UnitKey, why: str, cause: int, now: float) -> None:
        """Nobody is eligible: look again later."""
        job.excluded.pop(key, None)  # rather those who failed us before than nobody
        times = job.unplaced.get(key, Unplaced()).times
        job.unplaced[key] = Unplaced(times + 1, why, cause)
        self._timers.set((job.id, key), now + growing_s(LOOK_AGAIN_S, times, LOOK_AGAIN_S_MAX))

    def _await_answer(self, job: Job, key: UnitKey, handoff: HandOff, now: float) -> None:
        job.unplaced.pop(key, None)
        job.handoffs[key] = handoff
        self._timers.set((job.id, key), now + HANDOFF_S)

    def _show_parents(self, job: Job, key: UnitKey, node: NodeId) -> None:
        for parent in job.parents(key):
            unit = job.state.unit(parent)
            known = unit.result or unit.current
            if known is not None:
                self.desk.show(job, node, parent, known.key)

    def _learn(self, job: Job, author: NodeId, statement: Statement, now: float) -> None:
        """Others' run times tell how fast their nodes are."""
        if statement.outcome is not None and author != self.desk.me:
            program = program_name(job.spec.name, job.spec.dag.tasks[statement.task])
            speed = self.desk.near.speed_of(author)
            self.desk.profile.observe_run(program, author, speed, statement.outcome.seconds, now)

    def _question(self, job: Job, key: UnitKey, view: View, now: float) -> Question:
        parents = self._parents_of(job, key, view, now)
        excluded = frozenset(job.excluded.get(key, ()))
        mine = self.desk.bindings.totals(self.desk.near.load_known_since)
        moments = {} if self._moments is None else self._moments
        moment = moments.setdefault((job.id, key[1]), Moment())
        progress = JobProgress(job, key[1], view, self.desk.is_gone, now, moment)
        age_s = max(0.0, now - job.spec.created_s)
        return Question(
            job.spec.dag, job.task(key).name, parents, excluded, mine, progress, job.ranks, job.plan, age_s, moment
        )

    def _parents_of(self, job: Job, key: UnitKey, view: View, now: float) -> tuple[Parent, ...]:
        if not job.shape.parents[key[0]]:
            size = sum(file.size_bytes for file in job.spec.items[key[1]].files)
            return (Parent("", job.origin, 0.0, size),) if size else ()
        units = ((parent, job.state.unit(parent)) for parent in job.parents(key))
        known = ((parent, unit.result or unit.current) for parent, unit in units)
        return tuple(
            _parent(job, parent, key, attempt, view, now) for parent, attempt in known if attempt is not None
        )

    def _name(self, node: NodeId) -> str:
        return self.desk.near.name_of(node)


_TAKEN = ("accepted", "started", "finished", "failed")


def _parent(job: Job, key: UnitKey, child: UnitKey, attempt: Attempt, view: View, now: float) -> Parent:
    task = job.task(key)
    if attempt.outcome is not None and attempt.phase == "finished":
        try:
            files = outputs_for(task, attempt.outcome.outputs, job.task(child).name)
        except RoutingError:
            files = ()  # its holder will say what is wrong
        return Parent(task.name, attempt.node, 0.0, sum(file.size_bytes for file in files))
    run_s = view.run_s(task.name, attempt.node)
    started_s = now if attempt.started_s is None else attempt.started_s
    size = job.spec.dag.edge_bytes(task.name, job.task(child).name)
    return Parent(task.name, attempt.node, left_s(started_s, run_s, now), size)
