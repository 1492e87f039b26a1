"""Copies: what the job is for, the outputs of its final tasks, is copied by every replica as soon as it is there.

A copy that is complete is stated (KEPT), and from then on others may have it from here, too. What cannot be had from
its node, although that is alive, and that nobody has a copy of, is LOST: whoever leads the job says so, and it is
computed again. As long as there is a copy anywhere it is tried for again after growing pauses. Once the job was
cancelled nothing is computed again: if it turns out to have been through all the same, and all copies are gone, it
stays cancelled, for want of them.
"""

from .desk import Desk
from .fetching import Fetching, Purpose, Waiter
from .ids import Digest, JobId, NodeId
from .job import Copying, Job
from .jobspec import FileRef
from .jobstate import Attempt, Phase, UnitKey, VersionKey
from .ledger import Statement, StatementKind
from .timers import Timers, growing_s

PAUSE_S = 5.0
"""As for inputs (`guarding`)."""

PAUSE_S_MAX = 300.0

COPIED = (StatementKind.FINISHED, StatementKind.KEPT, StatementKind.LOST)
"""What a copy of a result may follow from."""


class Copies:
    """The results that this node copies."""

    def __init__(self, desk: Desk, fetching: Fetching) -> None:
        self.desk = desk
        self.fetching = fetching
        self._again: Timers[tuple[JobId, UnitKey]] = Timers()

    @property
    def deadline(self) -> float:
        return self._again.deadline

    def begin(self, job: Job, now: float) -> None:
        """This node has become a replica, or was restarted. Of what was released nobody needs copies."""
        if job.released:
            return
        for key in map(job.final, range(job.finals)):
            self.copy(job, key, now)

    def trust(self, job: Job) -> None:
        """After a restart with its journal a node has what it has said that it has."""
        for key in map(job.final, range(job.finals)):
            result = job.state.unit(key).result
            is_settled = key[1] in job.state.settlement
            if result is not None and self.desk.me in result.keepers and not is_settled:
                job.sure[key] = result.version

    def stop(self, job: Job) -> None:
        """This node is no replica any more, or the job was cancelled."""
        for key in tuple(job.copying):
            self._put_away(job, key)

    def heard(self, job: Job, statement: Statement, now: float) -> None:
        """Something was said about a unit, by which other results may count, of other units too."""
        replaced, job.state.replaced = job.state.replaced, {}
        if statement.kind in COPIED:
            replaced[(statement.task, statement.item)] = None
        for key in replaced:
            self.copy(job, key, now)

    def copy(self, job: Job, key: UnitKey, now: float) -> None:
        """Something has become of a unit: if it is final fetch what it has written, so that it outlives its node."""
        if not job.task(key).final or not self.desk.keeps(job):
            return
        result, known = job.state.unit(key).result, job.copying.get(key)
        if known is not None and (result is None or known.version != result.version or is_in_vain(job)):
            self._put_away(job, key)
            known = None
        if result is not None and job.state.wants(key) and job.sure.get(key) == result.version:
            self._say_kept(job, key, result.version, now, "it is here after all")
        if result is None or self._has(job, key, result) or is_in_vain(job):
            return
        if self._is_beyond_reach(job, key):
            text = f"{job.task(key).name}: its result went with who had made it"
            self.desk.cancel(job, text, now, lacking=key)
            return
        self._want(job, key, result, known)
        self._kept_if_whole(job, key, now)

    def arrived(self, job: Job, key: UnitKey, digest: Digest, now: float) -> None:
        """A part of a final result is in our store."""
        del job.copying[key].missing[digest]
        self._kept_if_whole(job, key, now)

    def given_up(
        self, job: Job, key: UnitKey, source: NodeId, file: FileRef, reason: str, now: float, *, ours: bool
    ) -> None:
        """A part of a final result cannot be had although somebody who should have it is alive; or it is ours to
        blame, who have no room for it."""
        copying = job.copying[key]
        del copying.missing[Digest(file.digest)]
        result = job.state.unit(key).result
        if result is None:  # it does not count any more: whatever follows from it is not for copying
            self._put_away(job, key)
            return
        tries = job.refusals[key] = job.refusals.get(key, 0) + 1
        self._put_away(job, key)
        is_known = (job.closed and result.lost is not None) or key[1] in job.state.settlement
        if not (ours or is_known) and self.desk.leads(job) and all(self._lacks(node) for node in result.copies):
            text = f"its output {file.name} could not be fetched from {self.desk.near.name_of(source)}: {reason}"
            self.desk.say(job, Statement(StatementKind.LOST, *key, result.number, now, result.node, text), ())
        else:
            self._again.set((job.id, key), now + growing_s(PAUSE_S, tries - 1, PAUSE_S_MAX))

    def gone(self, now: float) -> None:
        """A member is gone: some of what is copied may have been there only."""
        for job in self.desk.jobs.values():
            for key in tuple(job.copying) if job.closed else ():
                self.copy(job, key, now)

    def back(self, node: NodeId, now: float) -> None:
        """A member is there again: what was given up since the others had lost it may be had from there at once."""
        for job in self.desk.jobs.values():
            for key in job.refusals:
                result = job.state.unit(key).result
                if (job.id, key) in self._again and result is not None and node in self._sources(job, key, result):
                    self._again.set((job.id, key), now)

    def tick(self, now: float) -> None:
        for job_id, key in self._again.due(now):
            job = self.desk.jobs.get(job_id)
            if job is not None:
                self.copy(job, key, now)

    def _has(self, job: Job, key: UnitKey, result: Attempt) -> bool:
        """Whether this node has a copy, and has said so if others are to know."""
        if key[1] in job.state.settlement:
            return job.stock.has(key, result)
        return self.desk.me in result.keepers and job.sure.get(key) == result.version

    def _want(self, job: Job, key: UnitKey, result: Attempt, known: Copying | None) -> None:
        waiter = Waiter(job.id, key, Purpose.COPY)
        sources = self._sources(job, key, result)
        if known is not None:  # there may be more by now from whom it can be had
            for file in tuple(known.missing.values()):
                self.fetching.want(file, sources, waiter)
            return
        assert result.outcome is not None, "it has finished"
        known = job.copying[key] = Copying(result.version)
        for file in () if self._was_made_here(job, key, result) else result.outcome.outputs:
            if self.fetching.want(file, sources, waiter):
                known.missing[Digest(file.digest)] = file

    def _is_beyond_reach(self, job: Job, key: UnitKey) -> bool:
        """Of a job that somebody has cancelled, and that was through in a part of the cluster that was cut off:
        nobody makes its results anew, and it is not done without them. Whoever leads says so; who is not lost after
        all and has them says that (above)."""
        cut_short = job.closed and job.state.cancelled is not None and not job.state.concluded
        holders = job.state.unit(key).holders
        return cut_short and self.desk.leads(job) and all(map(self._lacks, holders))

    def _was_made_here(self, job: Job, key: UnitKey, result: Attempt) -> bool:
        """By this run of the node's process: what an earlier had may be gone."""
        proof = job.proofs.get((key, result.key))
        is_ours = result.node == self.desk.me and key[1] not in job.state.settlement
        return is_ours and (proof is None or proof[1][1] == self.desk.place.boot)

    def _sources(self, job: Job, key: UnitKey, result: Attempt) -> tuple[NodeId, ...]:
        """Who else has it."""
        others = job.replicas if key[1] in job.state.settlement else ()  # each of them has it, or soon will
        same = job.state.unit(key).equals or [result]
        sources = dict.fromkeys((*(node for each in same for node in (each.node, *each.keepers)), *others))
        return tuple(node for node in sources if node != self.desk.me) or self.desk.sources(job)

    def _lacks(self, node: NodeId) -> bool:
        """Whether nothing can be had from a keeper; if it were here we would not ask."""
        return node == self.desk.me or self.desk.is_gone(node)

    def _put_away(self, job: Job, key: UnitKey) -> None:
        for digest in job.copying.pop(key).missing:
            self.fetching.release(digest, Waiter(job.id, key, Purpose.COPY))

    def _kept_if_whole(self, job: Job, key: UnitKey, now: float) -> None:
        version = job.copying[key].version
        if not job.copying[key].missing:
            del job.copying[key]
            job.refusals.pop(key, None)
            if key[1] in job.state.settlement:
                result = job.state.unit(key).result
                assert result is not None, "it is settled"
                job.stock.add(key, result)
            else:
                job.sure[key] = version
                self._say_kept(job, key, version, now)

    def _say_kept(self, job: Job, key: UnitKey, version: VersionKey, now: float, text: str = "") -> None:
        number, node, mark = version
        self.desk.note(job, Statement(StatementKind.KEPT, *key, number, now, node, text, mark=mark))


def is_in_vain(job: Job) -> bool:
    """Whether nobody will ask for the results. A job that was cancelled when it was all but done is done for those
    who have heard of every result and copy."""
    return job.state.cancelled is not None and job.state.phase is not Phase.DONE
