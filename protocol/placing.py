"""Placing: the controlling half of WAVE. Whoever holds a task chooses the nodes of the children that it controls.

The origin holds, so to speak, the job's input, and places the entry tasks. Every other unit is placed by the node
that holds its appointed parent (`controller`), as soon as all its parents have started: then each of them has a
finish, or an expected one, and the decision and the hand-off hide behind the parents' run (scheduling.md 4.4).

A hand-off is an ASSIGNED statement, sent to the node it names. It ends in one of these ways:

    asked --ACCEPTED--> settled
    asked --DECLINED--> asked again elsewhere, as the next attempt, without that node
    asked --no answer for HANDOFF_S, or the node cannot be reached--> likewise
    settled --the node is gone before a result--> likewise

If the node that is responsible is gone itself, the first living replica takes its place.
"""

import heapq
import math
from dataclasses import dataclass

from .desk import Desk
from .ids import JobId, NodeId
from .job import HandOff, Job, program_name
from .jobstate import Attempt, Phase, UnitKey
from .ledger import ANY_QUEUE, Statement, StatementKind
from .routing import RoutingError, outputs_for
from .view import Parent, Question, View

HANDOFF_S = 3.0
"""An acknowledgement takes a round trip and a turn of the other's event loop; a node that stalls longer than this is
no place for a task."""

LOOK_AGAIN_S = 1.0
"""How soon to look again when nobody was eligible: load and membership change about once a second."""

ATTEMPTS_MAX = 64
"""Hand-offs of one unit before the job fails: by then nodes decline that do not know why they should accept."""


@dataclass(frozen=True, order=True, slots=True)
class _Timer:
    due_s: float
    job: JobId
    key: UnitKey
    attempt: int
    """0 when the unit was given to nobody."""


class Placing:
    """The units of all jobs for which this node is responsible."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._timers: list[_Timer] = []
        """A heap; a timer whose hand-off was answered in the meantime is void."""

    @property
    def deadline(self) -> float:
        while self._timers and not self._is_open(self._timers[0]):
            heapq.heappop(self._timers)
        return self._timers[0].due_s if self._timers else math.inf

    def begin(self, job: Job, now: float) -> None:
        """A job was submitted here: place its entry units."""
        for task in job.spec.dag.entries:
            for item in range(len(job.spec.items)):
                if not job.state.unit(job.key(task, item)).attempts:
                    self._place(job, job.key(task, item), now)

    def heard(self, job: Job, author: NodeId, statement: Statement, now: float) -> None:
        """React to a statement, whoever made it."""
        key = (statement.task, statement.item)
        match statement.kind:
            case StatementKind.ASSIGNED:
                if statement.attempt > 1:
                    self._recover(job, now)
            case StatementKind.ACCEPTED:
                handoff = job.handoffs.get(key)
                if handoff is not None and (handoff.attempt, handoff.node) == (statement.attempt, author):
                    del job.handoffs[key]
                if author == self.desk.me:  # our own queue shows it from now on
                    self.desk.bindings.end((job.id, key, statement.attempt))
            case StatementKind.DECLINED:
                handoff = job.handoffs.get(key)
                if handoff is not None and (handoff.attempt, handoff.node) == (statement.attempt, author):
                    self._elsewhere(job, key, f"{self.desk.near.name_of(author)} declined: {statement.text}", now)
            case StatementKind.STARTED:
                self._parent_started(job, key, now)
            case StatementKind.FINISHED | StatementKind.FAILED | StatementKind.DROPPED:
                self.desk.bindings.end((job.id, key, statement.attempt))
                job.handoffs.pop(key, None)
                self._learn(job, author, statement, now)
                self._parent_started(job, key, now)
            case StatementKind.CANCELLED:
                job.handoffs.clear()
                job.unplaced.clear()

    def _learn(self, job: Job, author: NodeId, statement: Statement, now: float) -> None:
        """Others' run times tell how fast their nodes are."""
        if statement.kind == StatementKind.FINISHED and statement.outcome is not None and author != self.desk.me:
            program = program_name(job.spec.name, job.spec.dag.tasks[statement.task].name)
            speed = self.desk.near.speed_of(author)
            self.desk.profile.observe_run(program, author, speed, statement.outcome.seconds, now)

    def resume(self, job: Job, now: float) -> None:
        """After a restart: wait again for answers, and place what was not yet placed."""
        for key, unit in list(job.state.units.items()):
            current = unit.current
            if current is not None and current.phase == "assigned" and current.assigner == self.desk.me:
                self._await_answer(job, key, current.number, current.node, now)
        for key, unit in list(job.state.units.items()):
            if any(attempt.started_s is not None for attempt in unit.attempts.values()):
                self._parent_started(job, key, now)
        if job.origin == self.desk.me:
            self.begin(job, now)

    def tick(self, now: float) -> None:
        while self.deadline <= now:
            timer = heapq.heappop(self._timers)
            job = self.desk.jobs[timer.job]
            handoff = job.handoffs.get(timer.key)
            if handoff is not None:
                name = self.desk.near.name_of(handoff.node)
                self._elsewhere(job, timer.key, f"{name} did not answer within {HANDOFF_S:g} s", now)
            else:
                del job.unplaced[timer.key]
                self._place(job, timer.key, now)

    def _is_open(self, timer: _Timer) -> bool:
        job = self.desk.jobs.get(timer.job)
        if job is None:
            return False
        handoff = job.handoffs.get(timer.key)
        answered = handoff is None or handoff.attempt != timer.attempt
        return not answered or (timer.attempt == 0 and timer.key in job.unplaced)

    def unreachable(self, node: NodeId, reason: str, now: float) -> None:
        """Nothing can be sent to a node: do not wait for its answers."""
        for job in self.desk.jobs.values():
            for key in [key for key, handoff in job.handoffs.items() if handoff.node == node]:
                self._elsewhere(job, key, f"{self.desk.near.name_of(node)} cannot be reached: {reason}", now)

    def gone(self, node: NodeId, now: float) -> None:
        """A node has died or left: place again what was lost with it, as far as that is our business."""
        for job in self.desk.jobs.values():
            if node in job.participants():
                job.suffered = True
            self._recover(job, now)

    def _recover(self, job: Job, now: float) -> None:
        """Look at every unit: what is lost follows from who is gone, and losing one unit may make others needed
        again whose results nobody missed before."""
        if job.state.phase is not Phase.RUNNING or not job.suffered:
            return
        job.lost = self._find_lost(job)
        known = dict.fromkeys(job.state.units)
        known.update((child, None) for key in job.state.units for child in job.children(key))
        for key in known:
            self._consider(job, key, now)

    def _find_lost(self, job: Job) -> dict[UnitKey, None]:
        """Units whose outputs were on a node that is gone and are still needed: some child has no result, is being
        run again, or is lost itself."""
        lost: dict[UnitKey, None] = {}
        for item in range(len(job.spec.items)):
            for task in reversed(job.spec.dag.order):
                key = job.key(task, item)
                result = job.state.unit(key).result
                if result is None or not self.desk.near.is_gone(result.node):
                    continue
                if any(child in lost or _is_open(job, child) for child in job.children(key)):
                    lost[key] = None
        return lost

    def _needs_placing(self, job: Job, key: UnitKey) -> bool:
        """Whether nobody has the unit, or whoever had it has taken it along."""
        unit = job.state.unit(key)
        if key in job.handoffs or key in job.unplaced:
            return False
        current = unit.current
        if current is None:
            return True
        if current.phase in ("finished", "declined", "dropped"):
            return unit.result is None or key in job.lost
        return current.phase != "failed" and self.desk.near.is_gone(current.node)

    def _parent_started(self, job: Job, key: UnitKey, now: float) -> None:
        first = key not in job.begun
        job.begun[key] = None
        for child in job.children(key):
            missing = job.unstarted.get(child)
            if missing is None:
                missing = len(job.spec.dag.parents[job.task(child).name])
            job.unstarted[child] = missing - first
            if job.unstarted[child] == 0:
                self._consider(job, child, now)

    def _consider(self, job: Job, key: UnitKey, now: float) -> None:
        """Place a unit if it needs that, if it is our business, and if all its parents have started."""
        if job.state.phase is not Phase.RUNNING or not self._needs_placing(job, key):
            return
        if self._responsible(job, key) != self.desk.me:
            return
        if all(self._is_under_way(job, parent) for parent in job.parents(key)):
            current = job.state.unit(key).current
            why = "" if current is None else f"{self.desk.near.name_of(current.node)} is gone"
            self._place(job, key, now, why)

    def _is_under_way(self, job: Job, key: UnitKey) -> bool:
        unit = job.state.unit(key)
        if unit.result is not None:
            return key not in job.lost
        current = unit.current
        return current is not None and current.phase == "started" and not self.desk.near.is_gone(current.node)

    def _responsible(self, job: Job, key: UnitKey) -> NodeId | None:
        """Who places this unit: the holder of its appointed parent, or else the first living replica."""
        controller = job.controllers.get(job.task(key).name)
        holder: NodeId | None = None
        if controller is None:
            holder = job.origin
        else:
            current = job.state.unit(job.key(controller, key[1])).current
            holder = current.node if current is not None else None
        if holder is not None and not self.desk.near.is_gone(holder):
            return holder
        return next((node for node in self.desk.replicas(job) if not self.desk.near.is_gone(node)), None)

    def _elsewhere(self, job: Job, key: UnitKey, why: str, now: float) -> None:
        """An attempt has come to nothing: make the next, without the node that had it."""
        job.handoffs.pop(key, None)
        current = job.state.unit(key).current
        if current is not None:
            job.excluded.setdefault(key, {})[current.node] = why
            self.desk.bindings.end((job.id, key, current.number))
        if job.state.phase is Phase.RUNNING:
            self._place(job, key, now, why)

    def _place(self, job: Job, key: UnitKey, now: float, why: str = "") -> None:
        """Choose a node and ask it."""
        task = job.task(key)
        view = self.desk.near.view(job, task, now)
        question = self._question(job, key, view, now)
        choice = self.desk.mappers[job.spec.mapper].choose(question, view, self.desk.rng)
        current = job.state.unit(key).current
        attempt = 1 if current is None else current.number + 1
        if attempt > ATTEMPTS_MAX:
            text = f"{task.name} was handed over {ATTEMPTS_MAX} times without success; last: {why}"
            self.desk.say(job, Statement(StatementKind.CANCELLED, 0, 0, 0, now, text=text), ())
            return
        if not choice.ranking:
            job.excluded.pop(key, None)  # rather those who failed us before than nobody
            job.unplaced[key] = None
            heapq.heappush(self._timers, _Timer(now + LOOK_AGAIN_S, job.id, key, 0))
            return
        node = choice.ranking[0].node
        job.choices[key] = choice
        self._await_answer(job, key, attempt, node, now)
        self.desk.bindings.add(node, (job.id, key, attempt), now, view.run_s(task.name, node))
        told = (node,) if current is None else (node, current.node)
        queue_s = choice.ranking[0].queue_s if choice.minds_queue else ANY_QUEUE
        self.desk.say(job, Statement(StatementKind.ASSIGNED, *key, attempt, now, node, why, None, queue_s), told)
        for parent in job.parents(key):
            known = job.state.unit(parent).current
            if known is not None:
                self.desk.show(job, node, parent, known.key)

    def _await_answer(self, job: Job, key: UnitKey, attempt: int, node: NodeId, now: float) -> None:
        job.handoffs[key] = HandOff(attempt, node)
        heapq.heappush(self._timers, _Timer(now + HANDOFF_S, job.id, key, attempt))

    def _question(self, job: Job, key: UnitKey, view: View, now: float) -> Question:
        parents = self._parents_of(job, key, view, now)
        excluded = frozenset(job.excluded.get(key, {}))
        mine = self.desk.bindings.totals(self.desk.near.load_known_since)
        return Question(job.spec.dag, job.task(key).name, parents, excluded, mine)

    def _parents_of(self, job: Job, key: UnitKey, view: View, now: float) -> tuple[Parent, ...]:
        task = job.task(key)
        names = job.spec.dag.parents[task.name]
        if not names:
            size = sum(file.size_bytes for file in job.spec.items[key[1]].files)
            return (Parent("", job.origin, 0.0, size),) if size else ()
        known = [(name, job.state.unit(job.key(name, key[1]))) for name in names]
        return tuple(
            _parent(job, name, unit.result or unit.current, task.name, view, now)
            for name, unit in known
            if unit.current is not None
        )


def _is_open(job: Job, key: UnitKey) -> bool:
    """Whether a unit still has to be run, for the first time or again."""
    unit = job.state.unit(key)
    return unit.result is None or unit.current is not unit.result


def _parent(job: Job, name: str, attempt: Attempt | None, child: str, view: View, now: float) -> Parent:
    assert attempt is not None
    task = job.spec.dag.by_name[name]
    if attempt.outcome is not None and attempt.phase == "finished":
        try:
            size: float = sum(file.size_bytes for file in outputs_for(task, attempt.outcome.outputs, child))
        except RoutingError:
            size = 0.0  # its holder will say what is wrong
        return Parent(name, attempt.node, 0.0, size)
    run_s = view.run_s(name, attempt.node)
    left_s = run_s if attempt.started_s is None else max(attempt.started_s + run_s - now, 0.0)
    return Parent(name, attempt.node, left_s, task.output_bytes)
