"""The session: what a client has handed to its node, and what it still has to.

    open --what it takes is there, or goes along--> handed in --its task's outcomes come--> done
     |  \\-- held back until more is known of calls like it (see `bundling`)
     +--> cancelled: it is not handed in

This is the client's side of `calls` without its socket and its thread (see `line`): messages in, messages out. A
call that takes the value of another goes along with it in one graph, or waits here until that value is there. It is
used by one thread at a time.
"""

import math
import os
import sys
from collections import Counter, deque
from collections.abc import Iterable, Iterator

from pnode.protocol.values import dataclass, field

from .bundling import Kind, Pace
from .callee import NOT_MADE_S, VALUE
from .callgraph import Graph, Made, Room, graph_of, outcomes_of
from .callmessages import Abandon, Batch, Came, Ended, Message, Taken, Welcome
from .futures import CallError, Future, JobLostError, Outcome, exception_of

BATCHES_MAX = 512
"""Under way at once; what is handed in while there are so many goes together when one is over."""

NAMES_MAX = 3
"""Functions that a job is called after."""

WAS = ("lost", "refused")

ONLY_HERE = 2
"""References to a future that nobody else has: of a list, and of who counts them."""


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

    def fits(self, room: Room) -> bool:
        """Whether there is room for it in a graph that has all it takes but what is done; it takes that room."""
        done = [future.outcome for future in self.takes if future.outcome is not None]
        return room.take(self.made, done, len(self.takes) - len(done))


@dataclass(slots=True)
class Handed:
    """A batch that is under way."""

    message: Batch
    graph: Graph
    kinds: dict[int, Kind]
    """Of its calls, by number."""
    left: dict[int, None]
    """Tasks of which nothing came yet."""
    wanted: dict[int, Future[object]]
    """Of its calls, by number: the futures that somebody has and that are not over."""
    deeds: frozenset[int]
    """Numbers of its calls of which nobody has a future, and whose values no other takes: they are made for what they
    do."""
    job: bytes = b""
    abandoned: bool = False

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for any of its calls, or one that is made for what it does may not have been yet."""
        if self.wanted or not self.left:
            return bool(self.wanted)
        return any(
            (at in self.left or not task.final) and not self.deeds.isdisjoint(numbers)
            for at, (task, numbers) in enumerate(zip(self.graph.tasks, self.graph.numbers, strict=True))
        )


@dataclass(slots=True)
class Session:
    """Everything that one client has under way."""

    name: str
    replicas: int
    pace: Pace = field(default_factory=Pace)
    key: str = field(default_factory=lambda: os.urandom(8).hex())
    """Of all its jobs: their calls share processes."""
    in_haste: bool = False
    """Whether nothing is to be held back, since the program ends."""
    batches: dict[int, Handed] = field(default_factory=dict)
    _open: deque[Open] = field(default_factory=deque)
    """To be looked at."""
    _held: dict[Kind, deque[Open]] = field(default_factory=dict)
    """Until more is known of their kind."""
    _behind: dict[int, list[Open]] = field(default_factory=dict)
    """Number of a call -> those that take its value."""
    _count: int = 0
    _doubtful: dict[int, None] = field(default_factory=dict)
    """Batches of which all that somebody waited for was cancelled."""
    _to_sweep: bool = False
    """Whether something that is held back may have been cancelled."""

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

    def cancelled(self, future: Future[object]) -> Iterator[Message]:
        """Somebody has cancelled a future. What the node is to be told."""
        future.begin()
        self._look_behind(future.number)
        self._to_sweep = bool(self._held)
        for number, batch in self.batches.items():
            if batch.wanted.pop(future.number, None) is not None and not (batch.wanted or batch.abandoned):
                self._doubtful[number] = None
        yield from self.abandon()

    def abandon(self) -> Iterator[Message]:
        """What the node is to be told of batches of which nobody wants anything any more."""
        for number in list(self._doubtful):
            batch = self.batches.get(number)
            if batch is None or not batch.is_wanted:
                del self._doubtful[number]
                yield from self._abandoned(number)

    def call_off(self) -> Iterator[Message]:
        """Nobody wants anything of anything any more. What the node is to be told."""
        for future in self.futures():
            future.cancel()
        for number in list(self.batches):
            yield from self._abandoned(number)

    def _abandoned(self, number: int) -> Iterator[Message]:
        batch = self.batches.get(number)
        if batch is not None and batch.left and not batch.abandoned:
            batch.abandoned = True
            yield Abandon(number)

    def again(self) -> Iterator[Message]:
        """Everything that a node is told which may not know it."""
        for number, batch in self.batches.items():
            yield batch.message
            if batch.abandoned:
                yield Abandon(number)

    def hand_in(self, now: float) -> Iterator[Batch]:
        """Everything that can go now."""
        if self._to_sweep:
            self._sweep()
        for kind in [kind for kind in self._held if self._may_go_now(kind, len(self._held[kind]), now)]:
            self._open.extendleft(reversed(self._held.pop(kind)))
        while self._open and len(self.batches) < BATCHES_MAX:
            calls = self._ready(now)
            if calls:
                yield self._batch(calls)

    def look_again_s(self, now: float) -> float:
        """In how many seconds `hand_in` may have more though nothing has happened; inf if never."""
        return self.pace.look_again_s(now) if self._held else math.inf

    def futures(self) -> list[Future[object]]:
        """Of all calls that are not over."""
        wanted = [future for batch in self.batches.values() for future in batch.wanted.values()]
        return wanted + [call.future for call in self._waiting()]

    def lose(self, reason: str) -> None:
        """The node is gone for good: nobody will tell what comes of anything."""
        for number in list(self.batches):
            self._ended(self.batches.pop(number), "lost", reason)
        waiting = self._waiting()
        for calls in (self._open, self._held, self._behind):
            calls.clear()
        for call in waiting:
            self._fail(call, JobLostError(reason))

    @property
    def expects(self) -> bool:
        """Whether any outcomes are still to come."""
        return any(batch.left for batch in self.batches.values())

    @property
    def is_taken(self) -> bool:
        """Whether all that can be handed in now is a job of the node, and ends without anybody's help."""
        return not (self._open or self._held) and all(batch.job for batch in self.batches.values())

    @property
    def is_idle(self) -> bool:
        return not (self.batches or self._open or self._held or self._behind)

    @property
    def is_called_off(self) -> bool:
        """Whether nothing is to come that anybody wants; the node may not have heard that."""
        return not self._waiting() and all(batch.abandoned or not batch.left for batch in self.batches.values())

    def _sweep(self) -> None:
        """What was cancelled is not held back any longer."""
        self._to_sweep = False
        for kind, calls in list(self._held.items()):
            self._held[kind] = deque(call for call in calls if not call.future.cancelled())
            if not self._held[kind]:
                del self._held[kind]

    def _waiting(self) -> list[Open]:
        return [each for calls in (self._open, *self._held.values(), *self._behind.values()) for each in calls]

    # -- handing in --------------------------------------------------------------------------------------------------

    def _ready(self, now: float) -> list[Open]:
        """The next calls of one batch, each after those it takes from."""
        ready: dict[int, Open] = {}
        quotas: dict[Kind, float] = {}
        alike = Counter(each.made.call.kind for each in self._open)
        room = Room()
        while self._open:
            call = self._open.popleft()
            if not self._may_go(call, ready):
                continue
            kind = call.made.call.kind
            if kind not in quotas:
                waiting = max(1, alike[kind])
                may_go = self._may_go_now(kind, waiting, now)
                if may_go < waiting:
                    self.pace.hold(kind, now)
                quotas[kind] = math.inf if may_go >= waiting else may_go  # those that stand behind these, too
            if quotas[kind] <= 0:
                self._held.setdefault(kind, deque()).append(call)
                continue
            if not call.fits(room):
                if ready:
                    self._open.appendleft(call)
                    break
                self._fail(call, CallError(f"it takes the values of {len(call.takes)} calls: let others gather them"))
                continue
            quotas[kind] -= 1
            ready[call.number] = call
            self._look_behind(call.number)
        return list(ready.values())

    def _may_go_now(self, kind: Kind, waiting: int, now: float) -> int:
        """How many of the calls of a kind may, as far as it is known how long they take."""
        return waiting if self.in_haste else self.pace.may_go(kind, waiting, now)

    def _may_go(self, call: Open, ready: dict[int, Open]) -> bool:
        """Whether all that it takes is there or goes along; else it stands behind what is lacking, or has failed."""
        if call.future.cancelled():
            call.future.begin()
            self._look_behind(call.number)
            return False
        for future in call.takes:
            outcome = future.outcome
            if outcome is None and future.done():  # it was cancelled, or its job is lost
                if future.cancelled():
                    self._call_off(call.future)
                    self._look_behind(call.number)
                else:
                    self._fail(call, future.exception())
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
        futures = [call.future for call in calls]
        calls.clear()
        wanted: dict[int, Future[object]] = {}
        while futures:
            # In this order: where nobody else has it any more, nobody can begin to ask to be called back.
            if sys.getrefcount(futures[-1]) > ONLY_HERE or futures[-1].is_called_back:
                wanted[futures[-1].number] = futures[-1]
            futures.pop()
        graph = graph_of(made, done, wanted, self.pace)
        self._count += 1
        names = list(dict.fromkeys(each.function.name for each in made))
        name = f"{self.name}: {', '.join(names[:NAMES_MAX])}{', ...' if len(names) > NAMES_MAX else ''}"
        message = graph.batch(self._count, os.urandom(16), name, self.key, self.replicas)
        kinds = {each.call.number: each.call.kind for each in made}
        left = dict.fromkeys(at for at, task in enumerate(graph.tasks) if task.final)
        deeds = kinds.keys() - wanted.keys() - {number for each in made for number in each.call.waits_for}
        self.batches[self._count] = Handed(message, graph, kinds, left, wanted, frozenset(deeds))
        return message

    # -- what comes back ---------------------------------------------------------------------------------------------

    def _came(self, batch: Handed, message: Came) -> None:
        if message.task not in batch.left:
            return
        del batch.left[message.task]
        numbers = batch.graph.numbers[message.task]
        try:
            for number, outcome in outcomes_of(numbers, message.file, message.content, message.path):
                if outcome.seconds == NOT_MADE_S:
                    self.pace.know_nothing(batch.kinds[number])
                else:
                    self.pace.observe(batch.kinds[number], outcome.seconds)
                future = batch.wanted.pop(number, None)
                if future is not None:
                    self._resolve(future, outcome)
                self._look_behind(number)
        except (OSError, EOFError) as error:
            self._lost(batch, numbers, "lost", f"what came of it cannot be read: {error}")

    def _ended(self, batch: Handed, state: str, reason: str) -> None:
        """What has not come by now does not come."""
        self._lost(batch, batch.kinds, state, reason)

    def _lost(self, batch: Handed, numbers: Iterable[int], state: str, reason: str) -> None:
        for number in numbers:
            self.pace.know_nothing(batch.kinds[number])
            future = batch.wanted.pop(number, None)
            if future is None:
                continue
            if state == "cancelled":
                self._call_off(future)
            elif future.begin():
                future.set_exception(JobLostError(f"its job {'was' if state in WAS else 'has'} {state}: {reason}"))
            self._look_behind(number)

    def _resolve(self, future: Future[object], outcome: Outcome) -> None:
        future.outcome = outcome
        if not future.begin():
            return
        if outcome.kind == VALUE:
            future.set_result(outcome.payload)
        else:
            future.set_exception(exception_of(outcome.kind, outcome.payload.read()))

    def _call_off(self, future: Future[object]) -> None:
        if future.cancel():  # unless it is over
            future.begin()

    def _fail(self, call: Open, error: BaseException | None) -> None:
        if call.future.begin():
            call.future.set_exception(error)
        self._look_behind(call.number)

    def _look_behind(self, number: int) -> None:
        """Something has happened to this call, which others wait for."""
        self._open.extendleft(reversed(self._behind.pop(number, ())))
