"""Echoes: what this node has by its own words, when these have come from others and not from its own journal.

A node that has lost its disk, or was started from an old copy of it, hears from others what it has said in an earlier
run: that it has made something, that it has a copy of something. Everybody goes by these words. So what they say is
here is looked for in the store, and what is neither here nor with anybody else who is there is said to be LOST. The
others may have only their own echoes to go by, and wait for us: what none of them gives us is LOST, too. What this
run has done itself, and what its journal holds, is not in doubt; so what is doubted is not journaled meanwhile. But
of what the journal holds, too, each run doubts at its start what this node has made for other tasks: that was never
on the disk for certain (`effects.Fetch`), and whether the machine has been off since, or the run before has found out
what was left, it need not know. What is there has been found after LOOK_S, or when a unit asks for it.

    doubted --all of it is in the store, or was copied again--> believed
    doubted --some of it is not--> missing --nobody else has it, or it does not come, and it is needed--> LOST is said
    doubted, missing --the job is over, and it is no result that is to be copied--> believed, since nobody asks
"""

from .copies import is_in_vain
from .desk import Desk
from .fetching import Fetching, Purpose, Waiter
from .ids import Digest, JobId
from .job import Echo, Job
from .jobstate import Attempt, UnitKey
from .ledger import Entry, Statement, StatementKind
from .timers import Timers

LOOK_S = 1.0
"""More of the ledger is on its way: most of what is heard of is not needed any more by what follows."""

AGAIN_S = 10.0
"""What others have may go with them, or be needed again later."""


class Echoes:
    """What is doubted of all jobs of this node."""

    def __init__(self, desk: Desk, fetching: Fetching) -> None:
        self.desk = desk
        self.fetching = fetching
        self._timers: Timers[JobId] = Timers()

    @property
    def deadline(self) -> float:
        return self._timers.deadline

    def heard(self, job: Job, now: float) -> None:
        """Something was said in this node's name."""
        if (job.echoes or job.unsaved) and job.id not in self._timers:
            self._timers.set(job.id, now + LOOK_S)

    def begin(self, job: Job, now: float) -> None:
        """This node was restarted, and the job goes on. Short content is in the ledger."""
        for key in job.state.places.get(self.desk.me, ()):
            for attempt in job.state.unit(key).in_phase("finished"):
                outcome = attempt.outcome
                is_ours = attempt.node == self.desk.me and outcome is not None and not outcome.contents
                if is_ours and not job.task(key).final and attempt.lost is None and not attempt.is_spent:
                    job.doubt(key, attempt.key)
        self.heard(job, now)

    def tick(self, now: float) -> None:
        for job_id in self._timers.due(now):
            job = self.desk.jobs.get(job_id)
            if job is not None:
                self._go_through(job, now)

    def arrived(self, job: Job, key: UnitKey, digest: Digest) -> None:
        """Something that was looked for is here."""
        for echo in job.echoes.get(key, {}).values():
            if echo.sought is not None:
                echo.sought.pop(digest, None)
        self._believe(job, key)

    def absent(self, job: Job, key: UnitKey, digest: Digest, now: float) -> None:
        """Something that was looked for is not here."""
        for number, echo in list(job.echoes.get(key, {}).items()):
            if echo.sought is not None and digest in echo.sought:
                echo.is_missing = True
                if not self._is_elsewhere(job, key):
                    self._say_if_needed(job, key, job.state.unit(key).attempts[number], now)
        self._believe(job, key)

    def _go_through(self, job: Job, now: float) -> None:
        for key in list(job.echoes):
            for number, echo in list(job.echoes[key].items()):
                attempt = job.state.unit(key).attempts.get(number)
                if attempt is None or attempt.outcome is None:
                    continue  # it was said to be kept, and what it is has not been heard yet
                if echo.sought is None or echo.mark != attempt.mark:
                    self._look(job, key, attempt, echo)
                elif echo.is_missing and self._is_waited_for_in_vain(job, key, attempt):
                    self._say_if_needed(job, key, attempt, now)
            self._believe(job, key)
        if not job.echoes:
            self._save(job)
        is_over = job.state.is_over and not self.desk.keeps(job)  # then nothing becomes of them
        if (job.echoes or job.unsaved) and not is_over:
            self._timers.set(job.id, now + AGAIN_S)

    def _look(self, job: Job, key: UnitKey, attempt: Attempt, echo: Echo) -> None:
        assert attempt.outcome is not None, "else nobody knows what to look for"
        waiter = Waiter(job.id, key, Purpose.LOOK)
        files = [file for file in attempt.outcome.outputs if self.fetching.look(file, waiter)]
        echo.sought, echo.mark, echo.is_missing = {Digest(file.digest): None for file in files}, attempt.mark, False

    def _believe(self, job: Job, key: UnitKey) -> None:
        """Doubt no more what is here, or is not said to be here any more; and of a job that is over only what this
        node should have a copy of."""
        echoes = job.echoes.get(key, {})
        for number, echo in list(echoes.items()):
            attempt = job.state.unit(key).attempts.get(number)
            is_here = not echo.is_missing and echo.sought is not None and not echo.sought
            is_idle = job.state.is_over and not self._is_to_be_copied(job, key, attempt)
            is_sure = attempt is not None and job.sure.get(key) == attempt.version
            if is_idle or is_here or is_sure or self._is_withdrawn(attempt):
                del echoes[number]
        if not echoes:
            job.echoes.pop(key, None)

    def _is_to_be_copied(self, job: Job, key: UnitKey, attempt: Attempt | None) -> bool:
        """Else the next run would take it for its own memory that there is a copy here (`Copies.trust`)."""
        is_result = attempt is not None and attempt is job.state.unit(key).result
        return is_result and job.task(key).final and not is_in_vain(job)

    def _save(self, job: Job) -> None:
        for segment in tuple(job.unsaved):
            entry = job.ledger.get(segment)
            if entry is None or not self._is_to_gather(job, entry):
                del job.unsaved[segment]
                if entry is not None:  # else it says nothing any more
                    self.desk.save(job, entry)

    def _is_to_gather(self, job: Job, entry: Entry) -> bool:
        """Whether this is about the job's inputs, and they are not here again: else the next run would take it for
        its own memory that they are (`Keeping.resume`)."""
        is_open = not (job.equipped or job.state.is_over)
        return is_open and any(each.kind == StatementKind.GUARDED for each in entry.segment.statements)

    def _is_withdrawn(self, attempt: Attempt | None) -> bool:
        if attempt is None or attempt.is_spent:
            return True
        return attempt.lost is not None and self.desk.me not in attempt.copies

    def _say_if_needed(self, job: Job, key: UnitKey, attempt: Attempt, now: float) -> None:
        if not self._is_withdrawn(attempt) and self._is_needed(job, key, attempt):
            text = f"{self.desk.place.name} was started anew without it"
            self.desk.say(job, Statement(StatementKind.LOST, *key, attempt.number, now, attempt.node, text), ())

    def _is_needed(self, job: Job, key: UnitKey, attempt: Attempt) -> bool:
        if job.state.is_over or attempt not in job.state.unit(key).equals:
            return False
        return job.task(key).final or any(self._is_reader(job, child) for child in job.children(key))

    def _is_elsewhere(self, job: Job, key: UnitKey) -> bool:
        """Whether somebody else who is there has written the same, or has a copy."""
        holders = job.state.unit(key).holders
        return any(node != self.desk.me and not self.desk.is_gone(node) for node in holders)

    def _is_waited_for_in_vain(self, job: Job, key: UnitKey, attempt: Attempt) -> bool:
        """Whether nobody else has it; or nobody gives us the copy that we should have; or, where we need none, its
        maker has said otherwise, or is gone, or is in the same doubt: it is this node."""
        if not self._is_elsewhere(job, key):
            return True
        if job.task(key).final and self.desk.keeps(job):
            return key in job.refusals
        return attempt.node == self.desk.me or attempt.lost is not None or self.desk.is_gone(attempt.node)

    def _is_reader(self, job: Job, key: UnitKey) -> bool:
        """Whether a unit has no result that can be had, and so is made anew or will be if somebody needs it. What is
        held here is made anew by somebody who knows more of its result than has come here."""
        holders = job.state.unit(key).holders
        return key in job.held or all(map(self.desk.is_gone, holders))
