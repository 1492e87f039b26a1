"""Recovery: whoever leads a job looks after every unit that nobody else looks after.

Whether a unit has to be placed again is asked of the job's state and of who is gone, and of nothing else; so it does
not matter in which order this node learnt of what, and the question may be asked as often as one likes (`look`). It
is asked when something is said about the unit, when all its parents have started, when a node goes or comes, when
this node begins to lead, and when in a contested item (`acceptance`) another of its results counts by what was said
of another unit.

    wanted?   it has no result, and may be tried again; or its result cannot be had, and is a result of the job or is
              needed by a child that is wanted and has not started
    in hand?  a living node has accepted it
    placeable? all its parents have results that can be had, or have started on living nodes

A result can be had from a living node that has written the same and of which nobody says that it is LOST there, and
from a living replica that has a copy.

A unit that is wanted, in nobody's hand and placeable is placed: at once if it was accepted before, or if whoever
holds its controlling parent is gone or is this node; else after PATIENCE_S, in which that node should do it; after a
pause that doubles if it has failed and may be tried again (`retries`). One that is not placeable is looked at again
when the parent in its way starts; that parent, if its result is lost, is wanted by that. So recomputation goes up the
graph no further than it must, and no unit is ever left without somebody who will act on it: its holder, its
controller for a while, or this node.

Whoever holds a unit of a contested item is shown the whole ledger: what it sees else, its neighbours
in the graph, is not enough to know which of their results count, and it would work with others in vain.

A node that is only suspected may come back, so what it has is left with it; what should have ended there by now is
copied (`suspect`): the next attempt runs beside it, and whichever is through first counts.
"""

from enum import Enum, auto
from typing import assert_never

from .attempts import has_failed
from .desk import Desk
from .ids import JobId, NodeId
from .job import Job
from .jobstate import LADDER, Attempt, UnitKey, UnitState, attempted_by
from .ledger import Cause, Statement, StatementKind
from .placing import Placing
from .retries import abandon, fail_anew, has_starved, lost_while_it_ran, needs_pause, pause_s, shun, why
from .strangers import Strangers
from .timers import Timers

PATIENCE_S = 5.0
"""Longer than a hand-off that is not answered: a controller at work says something more often than this."""

OVERDUE = 1.25
"""Times its expected run time: what is not through by then is late (scheduling.md 4.5)."""


_OPENING = (StatementKind.STARTED, StatementKind.FINISHED, StatementKind.KEPT, StatementKind.LOST)
"""Kinds after which what a unit has written may be had, or soon: the last since another result may take its place."""


class _Care(Enum):
    """What a look at a unit finds."""

    NONE_NEEDED = auto()
    EXPECTED = auto()
    """Somebody is about to act."""
    OURS = auto()
    LATER = auto()
    """It has failed, or was given back too often: ours after a pause."""


class Recovery:
    """The units of the jobs that this node leads."""

    def __init__(self, desk: Desk, placing: Placing, strangers: Strangers) -> None:
        self.desk = desk
        self.placing = placing
        self.strangers = strangers
        self._patience: Timers[tuple[JobId, UnitKey]] = Timers()
        """Until when somebody else is waited for, or an answer to our own hand-off."""
        self._overdue: Timers[tuple[JobId, UnitKey]] = Timers()
        """When units on nodes that are suspected should have ended."""

    @property
    def deadline(self) -> float:
        return min(self._patience.deadline, self._overdue.deadline)

    def heard(self, job: Job, author: NodeId, statement: Statement, now: float) -> None:
        """React to a statement about a unit, whoever made it."""
        key = (statement.task, statement.item)
        self.strangers.meet(attempted_by(author, statement), now)
        self._patience.cancel((job.id, key))  # somebody is at it
        if not self._is_away(job, key):
            job.lost.pop(key, None)
        elif statement.kind in (StatementKind.LOST, StatementKind.SPENT) and self._is_needed(job, key):
            job.lost[key] = None  # whoever waits for it need not give its own unit back for that
        self.look(job, key, now)
        if job.state.acceptance.is_contested(key[1]):
            self._heard_of_contested(job, key[1], statement, now)
        if statement.kind in _OPENING:
            self._unblock(job, key, now)

    def gone(self, job: Job, node: NodeId, now: float) -> None:
        """A node is gone: what it was running and what it alone had may have to be placed again."""
        keys = sorted(job.state.places.get(node, ()), key=lambda key: job.shape.place[key[0]], reverse=True)
        for key in keys:  # children before parents: a lost child may need its parents
            if self._is_away(job, key) and self._is_needed(job, key):
                job.lost[key] = None
            else:
                job.lost.pop(key, None)
        for key in keys:
            self.look(job, key, now)
            for child in job.controlled(key):
                if job.may_begin(child):
                    self.look(job, child, now)
        for key in map(job.final, range(job.finals)):  # of what others have made it may have had the last copy
            if any(node in each.copies for each in job.state.unit(key).equals):
                self.look(job, key, now)

    def back(self, job: Job, node: NodeId, now: float) -> None:
        """A node is there again, with its results."""
        for key in tuple(job.state.places.get(node, ())):
            self._unblock(job, key, now)
            self.look(job, key, now)  # it may have been restarted, and read again what it had read
        if any(key[1] in job.contested for key in job.state.places.get(node, ())):
            job.watchers.pop(node, None)  # its disk may be an older one, without what it was shown
            self._show_everything(job, node)

    def suspect(self, job: Job, node: NodeId, now: float) -> None:
        """A node does not answer: copy what should have ended there by now, and the rest when it should have."""
        for key in tuple(job.state.places.get(node, ())):
            self._copy_if_overdue(job, key, now)

    def resume(self, job: Job, now: float) -> None:
        """After a restart: whoever knows more than we do, or has the units we miss, has a while to say so."""
        for node in job.state.places:
            self.strangers.meet(node, now)
        for key in job.all_units():
            if job.may_begin(key) and not job.state.is_complete(key):
                self._patience.set((job.id, key), now + PATIENCE_S)

    def lead(self, job: Job, now: float) -> None:
        """This node has become the first living replica. What was with nodes that are gone is placed at once; who was
        to place what nobody has ever placed may only not have come to it."""
        self.resume(job, now)
        for node in tuple(job.state.places):
            if self.desk.is_gone(node):
                self.gone(job, node, now)
        for key in map(job.final, range(job.finals)):  # its last keeper may have gone before whoever led
            if self._is_away(job, key):
                self.look(job, key, now)
        for item in job.state.acceptance.contested:
            self._show_holders(job, item)

    def over(self, job: Job) -> None:
        """Nothing is to be looked after any more."""
        self.rest(job)

    def rest(self, job: Job) -> None:
        """Somebody else looks after the job from now on. Hand-offs of ours that are open go on."""
        for key in job.all_units():
            self._patience.cancel((job.id, key))
            self._overdue.cancel((job.id, key))
            job.waiting.pop(key, None)
        job.lost.clear()
        job.blocked.clear()
        job.contested.clear()

    def tick(self, now: float) -> None:
        for job_id, key in self._patience.due(now):
            self.look(self.desk.jobs[job_id], key, now, patient=False)
        for job_id, key in self._overdue.due(now):
            self._copy_if_overdue(self.desk.jobs[job_id], key, now)

    def look(self, job: Job, key: UnitKey, now: float, *, patient: bool = True) -> None:
        """Do for a unit, and for those that it needs, what nobody else does."""
        self._act(job, key, now, patient=patient)
        needed = self._lost_parents(job, key)
        while needed:
            parent = needed.pop()
            job.lost[parent] = None
            self._act(job, parent, now, patient=True)
            needed += self._lost_parents(job, parent)

    def _act(self, job: Job, key: UnitKey, now: float, *, patient: bool) -> None:
        timer = (job.id, key)
        care = self._judge(job, key)
        match care:
            case _Care.NONE_NEEDED:
                self._patience.cancel(timer)
            case _Care.EXPECTED if patient or self._is_our_offer(job, key):
                if timer not in self._patience:
                    self._patience.set(timer, now + PATIENCE_S)
            case _Care.LATER if patient:
                if timer not in self._patience:
                    self._put_off(job, key, now)
            case _Care.EXPECTED | _Care.OURS | _Care.LATER:
                self._patience.set(timer, now + PATIENCE_S)
                self._place(job, key, now)
            case _:
                assert_never(care)

    def _put_off(self, job: Job, key: UnitKey, now: float) -> None:
        unit = job.state.unit(key)
        wait_s = pause_s(unit)
        self._patience.set((job.id, key), now + wait_s)
        job.waiting[key] = f"{why(self.desk, unit)}; it is tried again in {wait_s:g} s"

    def _place(self, job: Job, key: UnitKey, now: float) -> None:
        unit = job.state.unit(key)
        job.waiting.pop(key, None)
        if self._is_away(job, key) and self._give_way(job, key, unit, now):
            return
        ran = lost_while_it_ran(self.desk, unit)
        if ran and unit.count(Cause.RAN) >= job.task(key).retries_lost:
            abandon(self.desk, job, key, now)
            return
        if has_failed(unit, job.task(key)):
            fail_anew(self.desk, job, key, now)
            return
        shun(self.desk, job, key)
        cause = Cause.RAN if ran else Cause.STARVED if has_starved(unit) else Cause.ELSEWHERE
        self.placing.place(job, key, now, why(self.desk, unit), cause)

    def _give_way(self, job: Job, key: UnitKey, unit: UnitState, now: float) -> bool:
        """The result cannot be had: if there is another that can, though it comes after it (`acceptance`), say that
        the one is lost."""
        others = (each for each in unit.in_phase("finished") if each not in unit.equals and self._has(each))
        if not any(not job.state.acceptance.strangers(key, each) for each in others):
            return False
        for each in unit.equals:
            if each.lost is None:
                name = self.desk.near.name_of(each.node)
                text = f"{name} has let it go, which nobody needed then" if each.is_spent else f"{name} is gone"
                self.desk.say(job, Statement(StatementKind.LOST, *key, each.number, now, each.node, text), ())
        return True

    def _copy_if_overdue(self, job: Job, key: UnitKey, now: float) -> None:
        unit = job.state.unit(key)
        running = unit.current
        if running is None or running.phase != "started" or not self.desk.near.is_suspect(running.node):
            return
        if unit.result is not None or not running.told_s or running.started_s is None or self._is_our_offer(job, key):
            return
        due_s = running.started_s + OVERDUE * running.told_s
        if now < due_s:
            self._overdue.set((job.id, key), due_s)
        else:
            text = f"{self.desk.near.name_of(running.node)} does not answer, and it should have ended by now"
            self.placing.place(job, key, now, text, Cause.COPY)

    def _heard_of_contested(self, job: Job, item: int, statement: Statement, now: float) -> None:
        if item not in job.contested:
            self._show_holders(job, item)
        elif statement.kind == StatementKind.ASSIGNED:
            self._show_everything(job, NodeId(statement.node))
        while job.state.overturned:
            key, _ = job.state.overturned.popitem()
            if self._is_away(job, key) and self._is_needed(job, key):
                job.lost[key] = None
            self.look(job, key, now)
            self._unblock(job, key, now)

    def _show_holders(self, job: Job, item: int) -> None:
        job.contested[item] = None
        for task in range(len(job.shape.parents)):
            for attempt in job.state.unit((task, item)).attempts.values():
                if attempt.is_open:
                    self._show_everything(job, attempt.node)

    def _show_everything(self, job: Job, node: NodeId) -> None:
        """What there is, and what is to come."""
        if node != self.desk.me and node not in job.watchers and not self.desk.is_gone(node):
            job.watchers[node] = None
            for entry in job.ledger:
                self.desk.offer(job, node, entry.id)

    def _judge(self, job: Job, key: UnitKey) -> _Care:
        unit = job.state.unit(key)
        holder = self._holder(unit)
        if job.state.is_over or not self._is_wanted(job, key, unit):
            return _Care.NONE_NEEDED
        if holder is not None and holder.phase != "assigned":
            return _Care.NONE_NEEDED
        if self._is_blocked(job, key):
            return _Care.NONE_NEEDED
        if holder is None and needs_pause(unit):
            return _Care.EXPECTED if self._is_our_offer(job, key) else _Care.LATER
        return _Care.OURS if holder is None and self._is_ours(job, key, unit) else _Care.EXPECTED

    def _holder(self, unit: UnitState) -> Attempt | None:
        """The attempt that is under way on a living node, the furthest if there are several."""
        open_ = (each for each in unit.attempts.values() if each.is_open and not self.desk.is_gone(each.node))
        return max(open_, key=lambda attempt: (LADDER[attempt.phase], attempt.key), default=None)

    def _is_wanted(self, job: Job, key: UnitKey, unit: UnitState) -> bool:
        if unit.abandoned is not None or job.state.has_failed(key) or key[1] in job.state.settlement:
            return False
        if unit.result is None:
            return True
        return (job.task(key).final or key in job.lost) and self._is_away(job, key)

    def _is_needed(self, job: Job, key: UnitKey) -> bool:
        """Whether some child has still to read what the unit has written."""
        return any(self._is_reader(job, child) for child in job.children(key))

    def _is_reader(self, job: Job, key: UnitKey) -> bool:
        unit = job.state.unit(key)
        holder = self._holder(unit)
        has_read = holder is not None and holder.phase == "started" and not self._begins_anew(job, key, holder)
        return self._is_wanted(job, key, unit) and not has_read

    def _begins_anew(self, job: Job, key: UnitKey, holder: Attempt) -> bool:
        """Whether the node that has started a unit has been restarted since."""
        return self.desk.may_have_forgotten(job, key, holder.key)

    def _lost_parents(self, job: Job, key: UnitKey) -> list[UnitKey]:
        """Parents that the unit needs and that nobody runs, although they have run before."""
        if job.state.is_over or not self._is_reader(job, key):
            return []
        return [parent for parent in job.parents(key) if parent not in job.lost and self._is_away(job, parent)]

    def _is_away(self, job: Job, key: UnitKey) -> bool:
        """Whether a unit has a result that cannot be had."""
        equals = job.state.unit(key).equals
        return bool(equals) and not any(map(self._has, equals))

    def _has(self, attempt: Attempt) -> bool:
        """Whether somebody who is there has what an attempt has written."""
        return any(not self.desk.is_gone(node) for node in attempt.holders)

    def _is_blocked(self, job: Job, key: UnitKey) -> bool:
        for parent in job.parents(key):
            if not self._is_under_way(job, parent):
                job.blocked.setdefault(parent, {})[key] = None
                return True
        return False

    def _is_under_way(self, job: Job, key: UnitKey) -> bool:
        unit = job.state.unit(key)
        if unit.result is not None and not self._is_away(job, key):
            return True
        holder = self._holder(unit)
        return holder is not None and holder.phase == "started"

    def _is_ours(self, job: Job, key: UnitKey, unit: UnitState) -> bool:
        """Whether nobody else is expected to place a unit that nobody has."""
        if self._is_our_offer(job, key):
            return False
        controller = job.controller(key)
        if controller is None or unit.was_taken:
            return True
        parent = job.state.unit(controller)
        attempt = parent.result or parent.current
        return attempt is None or attempt.node == self.desk.me or self.desk.is_gone(attempt.node)

    def _is_our_offer(self, job: Job, key: UnitKey) -> bool:
        return key in job.handoffs or key in job.unplaced

    def _unblock(self, job: Job, key: UnitKey, now: float) -> None:
        for child in job.blocked.pop(key, ()):
            self.look(job, child, now)
