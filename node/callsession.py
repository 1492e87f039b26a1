"""The session: what a client has handed to its node, and what it still has to.

    open --what it takes is there, or goes along--> handed in --its task's outcomes come--> done
     |  \\-- held back until more is known of calls like it (see `bundling`)
     +--> cancelled: it is not handed in

This is the client's side of `calls` without its socket and its thread (see `line`): messages in, messages out. A
call that takes the value of another goes along with it in one graph, or waits here until that value is there. It is
used by one thread at a time.
"""

import concurrent.futures
import math
import os
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from .bundling import Kind, Pace
from .callee import VALUE
from .callgraph import Graph, Made, graph_of, outcomes_of
from .callmessages import Abandon, Batch, Came, Ended, Message, Taken, Welcome
from .futures import Future, JobLostError, Outcome, exception_of

CALLS_MAX = 4096
"""Of one batch: a graph of so many tasks takes half a megabyte of the two that a job may have."""

PARCEL_BYTES_MAX = 64 * 2**20
"""Of one batch, from where on it is closed: a single call may be longer."""


BATCHES_MAX = 512
"""Under way at once; what is handed in while there are so many goes together when one is over."""

NAMES_MAX = 3
"""Functions that a job is called after."""

WAS = ("lost", "refused")


@dataclass(slots=True)
class Open:
    """A call that has not been handed in."""

    made: Made
    future: Future[object]
    takes: tuple[Future[object], ...]
    """Whose values stand in its arguments."""

    @property
    def number(self) -> int:
        return self.made.call.number


@dataclass(slots=True)
class Handed:
    """A batch that is under way."""

    message: Batch
    graph: Graph
    kinds: dict[int, Kind]
    """Of its calls, by number."""
    left: dict[int, None]
    """Tasks of which nothing came yet."""
    job: bytes = b""


@dataclass(slots=True)
class Session:
    """Everything that one client has under way."""

    name: str
    replicas: int
    pace: Pace = field(default_factory=Pace)
    key: str = field(default_factory=lambda: os.urandom(8).hex())
    """Of all its jobs: their calls share processes."""
    functions: list[bytes] = field(default_factory=list)
    batches: dict[int, Handed] = field(default_factory=dict)
    _open: deque[Open] = field(default_factory=deque)
    """To be looked at."""
    _held: dict[Kind, deque[Open]] = field(default_factory=dict)
    """Until more is known of their kind."""
    _behind: dict[int, list[Open]] = field(default_factory=dict)
    """Number of a call -> those that take its value."""
    _wanted: dict[int, Future[object]] = field(default_factory=dict)
    """The futures of calls that are handed in, as far as somebody has them."""
    _count: int = 0

    def add(self, call: Open) -> None:
        """Somebody wants this call made."""
        self._open.append(call)

    def handle(self, message: Message) -> None:
        """The node has said something."""
        match message:
            case Welcome():
                self.pace.cores = max(1, message.cores)
            case Taken() if message.number in self.batches:
                self.batches[message.number].job = message.job
            case Came() if message.number in self.batches:
                self._came(self.batches[message.number], message)
            case Ended() if message.number in self.batches:
                self._ended(self.batches.pop(message.number), message.state, message.reason)

    def cancelled(self, number: int) -> Iterator[Message]:
        """Somebody has cancelled a future. What the node is to be told."""
        future = self._wanted.pop(number, None)
        if future is None:
            return
        future.set_running_or_notify_cancel()  # which is what those who wait for several are told by
        self._look_behind(number)
        for at, batch in self.batches.items():
            if number in batch.kinds and not any(each in self._wanted for each in batch.kinds):
                yield Abandon(at)

    def hand_in(self, now: float) -> Iterator[Batch]:
        """Everything that can go now."""
        for kind in [kind for kind in self._held if self.pace.may_go(kind, len(self._held[kind]), now)]:
            self._open.extendleft(reversed(self._held.pop(kind)))
        while self._open and len(self.batches) < BATCHES_MAX:
            calls = self._ready(now)
            if calls:
                yield self._batch(calls)

    def look_again_s(self, now: float) -> float:
        """In how many seconds `hand_in` may have more though nothing has happened; inf if never."""
        return self.pace.look_again_s(now) if self._held else math.inf

    def futures(self, more: Iterable[Open] = ()) -> list[Future[object]]:
        """Of all calls that are not over; may be asked for by another thread."""
        waiting = [each for calls in (self._open, *self._held.values(), *self._behind.values()) for each in calls]
        return [*self._wanted.values(), *(call.future for call in (*waiting, *more))]

    def lose(self, reason: str) -> None:
        """The node is gone for good: nobody will tell what comes of anything."""
        for number in list(self.batches):
            self._ended(self.batches.pop(number), "lost", reason)
        waiting = [each for calls in (self._open, *self._held.values(), *self._behind.values()) for each in calls]
        for calls in (self._open, self._held, self._behind):
            calls.clear()
        for call in waiting:
            self._fail(call, JobLostError(reason))

    @property
    def is_idle(self) -> bool:
        return not (self.batches or self._open or self._held or self._behind)

    # -- handing in --------------------------------------------------------------------------------------------------

    def _ready(self, now: float) -> list[Open]:
        """The next calls of one batch, each after those it takes from."""
        ready: dict[int, Open] = {}
        quotas: dict[Kind, int] = {}
        size = 0
        while self._open and len(ready) < CALLS_MAX and size < PARCEL_BYTES_MAX:
            call = self._open.popleft()
            if not self._may_go(call, ready):
                continue
            kind = call.made.call.kind
            if kind not in quotas:
                waiting = 1 + sum(each.made.call.kind == kind for each in self._open)
                quotas[kind] = self.pace.may_go(kind, waiting, now)
            if quotas[kind] <= 0:
                self._held.setdefault(kind, deque()).append(call)
                continue
            quotas[kind] -= 1
            ready[call.number] = call
            size += len(call.made.body)
            self._look_behind(call.number)
        return list(ready.values())

    def _may_go(self, call: Open, ready: dict[int, Open]) -> bool:
        """Whether all that it takes is there or goes along; else it stands behind what is lacking, or has failed."""
        if call.future.cancelled():
            call.future.set_running_or_notify_cancel()  # which is what those who wait for several are told by
            self._look_behind(call.number)
            return False
        for future in call.takes:
            outcome = future.outcome
            if outcome is None and future.done():  # it was cancelled, or its job is lost
                self._fail(call, concurrent.futures.CancelledError() if future.cancelled() else future.exception())
                return False
            if outcome is not None and outcome.kind != VALUE:
                self._resolve(call.future, outcome)
                self._look_behind(call.number)
                return False
            if outcome is None and future.number not in ready:
                self._behind.setdefault(future.number, []).append(call)
                return False
        return True

    def _batch(self, calls: list[Open]) -> Batch:
        """Hand in these calls; nothing of the list is left, so that it shows whose futures somebody else has."""
        made = [call.made for call in calls]
        done = {
            future.number: future.outcome for call in calls for future in call.takes if future.outcome is not None
        }
        called_back = [call.future for call in calls if call.future.is_called_back]
        futures = [weakref.ref(call.future) for call in calls]
        calls.clear()
        wanted = {future.number: future for future in (each() for each in futures) if future is not None}
        del called_back
        graph = graph_of(made, self.functions, done, wanted, self.pace)
        self._wanted.update(wanted)
        self._count += 1
        names = list(dict.fromkeys(each.name for each in made))
        name = f"{self.name}: {', '.join(names[:NAMES_MAX])}{', ...' if len(names) > NAMES_MAX else ''}"
        message = graph.batch(self._count, os.urandom(16), name, self.key, self.replicas)
        kinds = {each.call.number: each.call.kind for each in made}
        left = dict.fromkeys(at for at, task in enumerate(graph.tasks) if task.final)
        self.batches[self._count] = Handed(message, graph, kinds, left)
        return message

    # -- what comes back ---------------------------------------------------------------------------------------------

    def _came(self, batch: Handed, message: Came) -> None:
        """Raises OSError and EOFError if outcomes that lie in a file cannot be read."""
        if message.task not in batch.left:
            return
        del batch.left[message.task]
        numbers = batch.graph.numbers[message.task]
        for number, outcome in outcomes_of(numbers, message.file, message.content, message.path):
            self.pace.observe(batch.kinds[number], outcome.seconds)
            future = self._wanted.pop(number, None)
            if future is not None:
                self._resolve(future, outcome)
            self._look_behind(number)

    def _ended(self, batch: Handed, state: str, reason: str) -> None:
        """What has not come by now does not come."""
        for number in batch.kinds:
            future = self._wanted.pop(number, None)
            if future is None:
                continue
            if state == "cancelled":
                future.cancel()
                future.set_running_or_notify_cancel()
            elif future.set_running_or_notify_cancel():
                future.set_exception(JobLostError(f"its job {'was' if state in WAS else 'has'} {state}: {reason}"))
            self._look_behind(number)

    def _resolve(self, future: Future[object], outcome: Outcome) -> None:
        future.outcome = outcome
        if not future.set_running_or_notify_cancel():
            return
        if outcome.kind == VALUE:
            future.set_result(outcome.payload)
        else:
            future.set_exception(exception_of(outcome.kind, outcome.payload.read()))

    def _fail(self, call: Open, error: BaseException | None) -> None:
        if call.future.set_running_or_notify_cancel():
            call.future.set_exception(error)
        self._look_behind(call.number)

    def _look_behind(self, number: int) -> None:
        """Something has happened to this call, which others wait for."""
        self._open.extendleft(reversed(self._behind.pop(number, ())))
