"""The workshop of a simulated host: the content that it stores, and the units that it runs."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from pnode.protocol.dag import Task
from pnode.protocol.effects import Fetch, Keep, LetGo, Run, Unit
from pnode.protocol.events import Fetched, FetchFailed, RunEnded
from pnode.protocol.ids import JobId, digest_of
from pnode.protocol.jobspec import FileRef
from pnode.protocol.statements import CONTENT_BYTES_MAX, CONTENTS_MAX
from pnode.protocol.values import dataclass, field, replace

if TYPE_CHECKING:
    from .host import Host

REFUSED_S = 0.001
"""How soon a machine says that nothing listens there. One that is switched off says nothing, but a router may."""

DIAL_TIMEOUT_S = 5.0
"""As the live transport's."""

SLOWED_S_MAX = 60.0
"""By so much a slow host prolongs a run at most: nobody is slow for longer than that."""

NO_SPACE = "no space left on device"


class Course(NamedTuple):
    """How a unit's run goes."""

    seconds: float
    failure: str = ""
    """Why it fails; empty when it does not."""
    salt: bytes = b""
    """What its outputs depend on beside the inputs: the same for a deterministic program, whenever it runs."""
    timed_out: bool = False


RunModel = Callable[["Host", Run], tuple[float, str] | Course]
"""How a unit runs on a host; without salt it is (seconds, failure)."""


@dataclass(slots=True)
class Workshop:
    """What one host stores and runs."""

    host: "Host"
    run_model: RunModel
    content: dict[bytes, FileRef] = field(default_factory=dict)
    """The store: survives the end of the process."""
    passing: dict[bytes, None] = field(default_factory=dict)
    """What of it is not on the disk, and goes when the machine fails."""
    owners: dict[bytes, dict[JobId, None]] = field(default_factory=dict)
    """The jobs that it was fetched or made for."""
    kept: dict[bytes, None] = field(default_factory=dict)
    """What came with results: the node has it as long as its process lives, and again with its ledgers."""
    is_full: bool = False
    """The disk takes no further content."""
    running: dict[Unit, int] = field(default_factory=dict)
    """What runs now, each start under a number of its own."""
    waiting: dict[Unit, Run] = field(default_factory=dict)
    """What is to run as soon as another has ended."""
    _starts: int = 0

    def fetch(self, fetch: Fetch) -> None:
        """Get content from whoever has it."""
        host, file = self.host, fetch.file
        if fetch.owner is not None:
            self.owners.setdefault(file.digest, {})[fetch.owner] = None
        if self.has(file.digest):
            self._settle(file.digest, lasting=fetch.lasting)
            host.later(0.0, host.deliver, Fetched(file, None, 0, 0.0))
            return
        if self.is_full:
            host.later(REFUSED_S, host.deliver, FetchFailed(file, NO_SPACE))
            return
        others = (host.others.host_of(node) for node in fetch.sources)
        source = next((other for other in others if other is not None and other.has(file.digest)), None)
        way = None if source is None else host.meetings.way_from(source)
        if source is None or way is None:
            delay_s = REFUSED_S if source is None else DIAL_TIMEOUT_S
            host.later(delay_s, host.deliver, FetchFailed(file, "nobody has it"))
            return
        hops = [source, *way, host]
        links = [(one.number, other.number) for one, other in pairwise(hops)]
        seconds = max(file.size_bytes / host.network.link(*link).bandwidth_bytes_per_s for link in links)
        delay_s = sum(host.network.delay_s(*link) + host.network.delay_s(*link[::-1]) for link in links)
        host.later(delay_s + seconds, self._fetched, file, hops[:-1], max(seconds, 1e-6), fetch.lasting)

    def keep(self, keep: Keep) -> None:
        """Content that has come with a result."""
        self.kept[keep.digest] = None

    def let_go(self, what: LetGo) -> None:
        """A job does not need this any more."""
        for digest in what.digests:
            owners = self.owners.get(digest, {})
            owners.pop(what.job, None)
            if not owners:
                self.content.pop(digest, None)
                self.passing.pop(digest, None)

    def has(self, digest: bytes) -> bool:
        return digest in self.content or digest in self.kept

    def has_for_good(self, digest: bytes) -> bool:
        """Whether that is still there when the machine has failed: on the disk, or with what is in the journal."""
        return self.has(digest) and (digest not in self.passing or digest in self.kept)

    def lose_power(self) -> None:
        """The machine fails."""
        for digest in self.passing:
            self.content.pop(digest, None)
        self.passing.clear()

    def _put(self, file: FileRef, *, lasting: bool) -> None:
        if file.digest not in self.content:
            self.passing[file.digest] = None
        self.content[file.digest] = file
        self._settle(file.digest, lasting=lasting)

    def _settle(self, digest: bytes, *, lasting: bool) -> None:
        if lasting:
            self.passing.pop(digest, None)

    def _fetched(self, file: FileRef, hops: "Sequence[Host]", seconds: float, lasting: bool) -> None:
        host, source = self.host, hops[0]
        is_whole = all(one.up and one.network.reaches(one.number, to.number) for one, to in pairwise([*hops, host]))
        if self.is_full:
            host.deliver(FetchFailed(file, NO_SPACE))
        elif not is_whole or not source.has(file.digest):
            host.later(DIAL_TIMEOUT_S, host.deliver, FetchFailed(file, "the transfer broke off"))
        else:
            self._put(file, lasting=lasting)
            host.meetings.relayed += [(source.id, relay.id) for relay in hops[1:]]
            host.deliver(Fetched(file, source.id, file.size_bytes, seconds))

    def run(self, run: Run) -> None:
        """Start a unit, if need be when another has ended."""
        if run.behind is not None and (run.behind in self.running or run.behind in self.waiting):
            self.waiting[run.unit] = run
        else:
            self._start(run)

    def _start(self, run: Run) -> None:
        course = Course(*self.run_model(self.host, run))
        missing = [file.name for call in run.calls for file in call if not self.has(file.digest)]
        assert not missing, f"{run.unit} is to run without its inputs {', '.join(missing)}"
        self.host.runs.append((self.host.engine.now, run.unit))
        self._starts += 1
        self.running[run.unit] = self._starts
        seconds = min(course.seconds * self.host.slowness, course.seconds + SLOWED_S_MAX)
        self.host.later(seconds, self._ended, run, self._starts, course._replace(seconds=seconds))

    def _ended(self, run: Run, start: int, course: Course) -> None:
        if self.running.get(run.unit) != start:
            return
        del self.running[run.unit]
        self._move_up(run.unit)
        failure = course.failure or (NO_SPACE if self.is_full else "")
        outputs = () if failure else outputs_of(run, course.salt)
        contents = contents_of(run, outputs, course.salt)
        if contents:
            self.kept.update(dict.fromkeys(file.digest for file in outputs))
        else:
            for file in outputs:
                self.owners.setdefault(file.digest, {})[run.unit.job] = None
                self._put(file, lasting=run.task.final)
        empty = FileRef("stdout", 0, digest_of(b""))
        status = int(bool(failure))
        ended = RunEnded(run.unit, failure, status, outputs, empty, empty, failure, course.seconds, course.timed_out)
        self.host.deliver(replace(ended, contents=contents))

    def cancel(self, unit: Unit) -> None:
        """End a unit that runs, or waits behind another."""
        if self.running.pop(unit, None) is not None:
            self._end_without(unit, begun=True)
            self._move_up(unit)
        elif unit in self.waiting:
            self._end_without(unit, begun=True)
            self._step_out(unit)

    def recall(self, unit: Unit) -> None:
        """Do not start a unit that waits behind another."""
        if unit in self.waiting:
            self._end_without(unit, begun=False)
            self._step_out(unit)

    def _step_out(self, unit: Unit) -> None:
        """What waited behind a unit that waited itself waits behind the one before."""
        before = self.waiting.pop(unit).behind
        for run in [run for run in self.waiting.values() if run.behind == unit]:
            self.waiting[run.unit] = replace(run, behind=before)

    def _end_without(self, unit: Unit, *, begun: bool) -> None:
        empty = FileRef("stdout", 0, digest_of(b""))
        ended = RunEnded(unit, "cancelled", -15, (), empty, empty, "", 0.0, begun=begun)
        self.host.later(0.0, self.host.deliver, ended)

    def _move_up(self, unit: Unit) -> None:
        """What waited behind a unit need not any more."""
        follower = next((run for run in self.waiting.values() if run.behind == unit), None)
        if follower is not None:
            del self.waiting[follower.unit]
            self._start(follower)


def outputs_of(run: Run, salt: bytes = b"") -> tuple[FileRef, ...]:
    """What a simulated task writes in a run."""
    return written_by(run.task, run.unit.item, [file.digest for call in run.calls for file in call], salt)


def contents_of(run: Run, outputs: Sequence[FileRef], salt: bytes = b"") -> tuple[bytes, ...]:
    """What travels with the result: of every other run whose outputs are short."""
    if run.task.output_bytes > CONTENT_BYTES_MAX or not outputs or len(outputs) > CONTENTS_MAX:
        return ()
    used = _used([file.digest for call in run.calls for file in call], salt)
    contents = tuple(file.name.encode() + used for file in outputs)
    if outputs[0].digest[0] % 2 or max(map(len, contents)) > CONTENT_BYTES_MAX:
        return ()
    return contents


def _used(inputs: Sequence[bytes], salt: bytes) -> bytes:
    return b"".join(inputs) + salt


def written_by(task: Task, item: int, inputs: Sequence[bytes], salt: bytes = b"") -> tuple[FileRef, ...]:
    """One file, or with FLAG false one per child; their contents depend on all inputs, and on the salt."""
    count = max(1, len(task.children)) if not task.broadcast else 1
    used = _used(inputs, salt)
    size = max(1, task.output_bytes) // count
    names = (f"item{item}_{task.name}_{number}" for number in range(count))
    return tuple(FileRef(name, size, digest_of(name.encode() + used)) for name in names)
