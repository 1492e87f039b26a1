"""Gathering: what the units that a node holds need, and from whom it may come.

The application and, for an entry, the job's input come from the origin and from whoever keeps the job. What a parent
sends comes from every node that has written the same as the parent's result, and from every replica that has copied
it; what is said to be lost is asked for last.
"""

from collections.abc import Iterable

from .desk import Desk
from .fetching import Fetching, Purpose, Waiter
from .ids import Digest, NodeId
from .job import Job
from .jobspec import FileRef
from .jobstate import Attempt, UnitKey
from .routing import RoutingError, given_to, outputs_for, takes_given


class Gathering:
    """The inputs of the units of all jobs that this node holds."""

    def __init__(self, desk: Desk, fetching: Fetching) -> None:
        self.desk = desk
        self.fetching = fetching
        fetching.sources_now = self._sources_now

    def want_given(self, job: Job, key: UnitKey) -> None:
        """Ask for what comes with the job: the application, and the input of an entry."""
        held, sources = job.held[key], self.desk.sources(job)
        is_here = job.origin == self.desk.me and job.equipped
        if job.spec.application is not None and not is_here:
            self._want(job, key, None, (job.spec.application,), (*sources, held.assigner))
        task = job.task(key)
        if takes_given(task, len(job.shape.parents[key[0]])):
            held.files[""] = given_to(task, job.spec.items[key[1]].files)
            if not is_here:
                self._want(job, key, "", held.files[""], sources)

    def gather(self, job: Job, key: UnitKey) -> None:
        """Ask for what the parents of a unit send to it, as far as they have results."""
        for parent in job.parents(key):
            self._gather(job, key, parent)

    def _gather(self, job: Job, key: UnitKey, parent: UnitKey) -> None:
        result = job.state.unit(parent).result
        held, task = job.held[key], job.task(parent)
        if task.name in held.used and (result is None or held.used[task.name] != result.mark):
            self._want_no_more(job, key, task.name)
        if result is None or result.outcome is None:
            return
        if task.name not in held.used:
            try:
                held.files[task.name] = outputs_for(task, result.outcome.outputs, job.task(key).name)
            except RoutingError:
                return  # the parent's own node says so and the job fails there
            held.used[task.name] = result.mark
            if not any(self.desk.has(job, parent, each) for each in job.state.unit(parent).equals):
                self._want(job, key, task.name, held.files[task.name], self._having(job, parent))
        elif held.missing:  # there may be more by now who have it
            still = (file for file in held.files[task.name] if Digest(file.digest) in held.missing)
            self._want(job, key, task.name, still, self._having(job, parent))

    def _want(
        self, job: Job, key: UnitKey, name: str | None, files: Iterable[FileRef], sources: tuple[NodeId, ...]
    ) -> None:
        held, waiter = job.held[key], Waiter(job.id, key)
        for file in files:
            if self.fetching.want(file, sources, waiter):
                held.missing.setdefault(Digest(file.digest), {})[name] = None

    def _want_no_more(self, job: Job, key: UnitKey, name: str) -> None:
        """What a parent has sent is not its result any more."""
        held = job.held[key]
        del held.used[name], held.files[name]
        for digest, names in list(held.missing.items()):
            names.pop(name, None)
            if not names:
                del held.missing[digest]
                self.fetching.release(digest, Waiter(job.id, key))
        self.tell(job, key)

    def tell(self, job: Job, key: UnitKey) -> None:
        """Say why a unit waits, if that has another reason than that what it needs is on its way."""
        troubles = (self.fetching.trouble(digest) for digest in job.held[key].missing)
        trouble = next((each for each in troubles if each), "")
        job.waiting.pop(key, None)
        if trouble:
            job.waiting[key] = trouble

    def makers(self, job: Job, key: UnitKey, names: Iterable[str | None]) -> list[tuple[UnitKey, Attempt]]:
        """The attempts at these parents of a unit whose nodes should have what they have written."""
        named = dict.fromkeys(names)
        return [
            (parent, each)
            for parent in job.parents(key)
            if job.task(parent).name in named
            for each in job.state.unit(parent).equals
            if each.lost is None and not each.is_spent and not self.desk.is_gone(each.node)
        ]

    def _having(self, job: Job, parent: UnitKey) -> tuple[NodeId, ...]:
        """From whom else the result of a parent may come, the surest first."""
        equals = job.state.unit(parent).equals
        nodes = {each.node: None for each in equals if each.lost is None and not each.is_spent}
        for each in equals:
            nodes.update(dict.fromkeys(each.copies))
        if job.task(parent).final:
            nodes.update(dict.fromkeys(job.replicas))
        nodes.update({each.node: None for each in equals})
        nodes.pop(self.desk.me, None)
        return tuple(nodes)

    def _sources_now(self, waiter: Waiter, digest: Digest, again: bool) -> tuple[NodeId, ...]:
        """From whom what a unit, or a guardian, waits for may come by what is known now; `again`: those who were
        asked first did not give it."""
        job = self.desk.jobs[waiter.job]
        if waiter.purpose is Purpose.GUARD:
            return self.desk.sources(job, widely=again)
        held = job.held.get(waiter.key) if waiter.purpose is Purpose.RUN else None
        names = {} if held is None else held.missing.get(digest, {})
        nodes: dict[NodeId, None] = {}
        if None in names or "" in names:
            nodes.update(dict.fromkeys(self.desk.sources(job, widely=again)))
        for parent in job.parents(waiter.key) if names else ():
            if job.task(parent).name in names:
                nodes.update(dict.fromkeys(self._having(job, parent)))
        return tuple(nodes)
