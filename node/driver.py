"""The driver: the one task that owns a Peer, feeds it events and carries out its effects.

Everything that happens to a node ends up as an event in one inbox. Only the driver touches the core, and never across
an await, so there are no locks around it. Effects that take time (running a unit, fetching content, writing the
journal) are tasks of their own that put an event back into the inbox when they are through.

A Reply waits for the rows that were saved before it: what a person is told has been done is on the disk. The same
goes for Synced, by which the core learns it.

When the journal fails (`failed`), requests are refused and the core goes on for as long as it takes to say farewell:
what it says then is as true as what any node says in the second before its machine fails.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn, Protocol

import trio

from pnode.protocol.effects import (
    Cancel,
    Dial,
    Disconnect,
    Effect,
    Erase,
    Fetch,
    Keep,
    Knock,
    LetGo,
    Meet,
    Notify,
    Recall,
    Release,
    Reply,
    Run,
    Save,
    Send,
    SendDatagram,
    Sync,
    Unit,
)
from pnode.protocol.events import DatagramReceived, Event, FetchFailed, RunEnded, Synced
from pnode.protocol.ids import NodeId, digest_of, node_text
from pnode.protocol.jobspec import FileRef
from pnode.protocol.peer import Peer
from pnode.protocol.roster import State
from pnode.protocol.values import dataclass, field, replace

from .api import RefusedError
from .copying import remove_files
from .hands import Hands
from .journal import Change, Journal, JournalError
from .sampling import Sampling
from .transfer import FetchError, NoRoomError

logger = logging.getLogger(__name__)

DATAGRAMS_MAX = 1024
"""Events that may wait before datagrams are dropped: gossip repeats itself, nothing else does."""

CROWD = 2048
"""Of these, and those that read sessions wait: who sends more than is handled finds its own buffers full."""

CROWDED_S = 0.01
"""One turn."""

TURN_MAX = 200
"""Events handled before the other tasks of the node get a turn: some ten milliseconds."""

TURNS_MAX = 10
"""Of these in a row without a tick: a flood of messages shall not keep the node from telling that it lives."""

TOGETHER_S = 0.02
"""Rows that nobody waits for are gathered for so long: a commit of a hundred costs as much as one of a single row,
and others may know what a crash has lost here anyway (see `effects.Save`)."""

REPLY_S_MAX = 30.0
"""How long a person's request may wait for the core's reply, unless it is known to take longer; the core gives up
sooner by itself."""


class Outside(Protocol):
    """What the driver needs of the transport."""

    def perform(self, effect: Dial | Send | SendDatagram | Disconnect | Knock | Meet) -> None:
        """Carry out an effect without blocking; what comes of it comes as events."""


@dataclass(slots=True)
class Request:
    """Something that was asked of the core. `answered` is set when the reply is there."""

    number: int
    answered: trio.Event = field(default_factory=trio.Event)
    reply: Reply | None = None

    def value(self) -> bytes:
        """What the core replied. Raises RefusedError with its reason if that is no."""
        assert self.reply is not None, "it has been answered"
        if self.reply.error is not None:
            raise RefusedError(self.reply.error)
        return self.reply.value


class Driver:
    """Drives one Peer."""

    def __init__(
        self,
        peer: Peer,
        outside: Outside,
        journal: Journal,
        clock: Callable[[], float],
        hands: Hands,
        sampling: Sampling,
    ) -> None:
        self.peer = peer
        self._outside = outside
        self._journal = journal
        self._clock = clock
        self._hands = hands
        self._sampling = sampling
        self._inbox: deque[Event] = deque()
        self._turns = 0
        """Since the last tick."""
        self._wake = trio.Event()
        self._sleep: trio.CancelScope | None = None
        """Until when there is nothing to do, while there is not."""
        self._requests: dict[int, Request] = {}
        self._count = 0
        self._scopes: dict[Unit, trio.CancelScope] = {}
        self._unsaved: list[Save | Erase | Sync | Reply] = []
        self._to_save = trio.Event()
        self._awaited = trio.Event()
        """Somebody waits for what is to be saved."""
        self._changes: dict[tuple[str, bytes], trio.Event] = {}
        self._states: dict[NodeId, State | None] = {}
        """As they were logged last."""
        self.failure: JournalError | None = None
        """Why nothing is written down any more."""
        self.failed = trio.Event()
        self._nursery: trio.Nursery | None = None

    def deliver(self, event: Event) -> None:
        """Something has happened. Called from the trio thread."""
        if isinstance(event, DatagramReceived):
            if len(self._inbox) >= DATAGRAMS_MAX:
                return
            if self._sleep is not None and not self._wake.is_set():
                self._work_asleep(event, self._sleep)
                return
        self._inbox.append(event)
        self._wake.set()

    async def room(self) -> None:
        """Return when not too much waits; at once, as nearly always."""
        while len(self._inbox) >= CROWD:
            await trio.sleep(CROWDED_S)

    def _work_asleep(self, event: DatagramReceived, sleep: trio.CancelScope) -> None:
        """Handle a datagram in the task that has received it, while the driver's own waits for something to happen:
        to wake that one as well took a third of what a datagram costs a node at rest."""
        self._sleep = None  # what comes of it waits for the next turn
        self._inbox.append(event)
        left_s = self._work()
        sleep.deadline = trio.current_time() + max(0.0, left_s)
        self._sleep = sleep

    async def ask(self, event: Callable[[int], Event]) -> bytes:
        """Put a request to the core and wait for its reply. Raises RefusedError with the core's reason."""
        with self.request(event) as request, trio.move_on_after(REPLY_S_MAX):
            await request.answered.wait()
        if request.reply is None:
            raise RefusedError(f"the node was too busy to answer within {REPLY_S_MAX:.0f} s: try again")
        return request.value()

    @contextmanager
    def request(self, event: Callable[[int], Event]) -> Iterator[Request]:
        """Put a request to the core. Its reply is waited for within the block; after it nobody wants it."""
        with self._registered() as request:
            self.deliver(event(request.number))
            yield request

    async def written(self) -> None:
        """Return when all that the core has saved so far is on the disk. Raises RefusedError if that cannot be."""
        with self._registered() as request:
            self._to_write(Reply(request.number, b"", None))
            await request.answered.wait()
        request.value()

    @contextmanager
    def _registered(self) -> Iterator[Request]:
        self._count += 1
        request = self._requests[self._count] = Request(self._count)
        try:
            yield request
        finally:
            del self._requests[request.number]

    def change(self, topic: str, subject: bytes) -> trio.Event:
        """An event that is set when the core next says that this has changed."""
        return self._changes.setdefault((topic, subject), trio.Event())

    async def serve(
        self, begin: Callable[[], list[Effect]], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> NoReturn:
        """Drive the core until cancelled, beginning with the effects of `begin`. Errors of the journal end up in
        `failure`; any other is a bug and is raised."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self._hands.line.attach(self.deliver, self._start_run)
            nursery.start_soon(self._serve_journal)
            self._perform(begin())
            task_status.started()
            while True:
                await self._turn()

    async def _turn(self) -> None:
        """Work, and wait for more."""
        left_s = self._work()
        if left_s <= 0:
            await trio.lowlevel.checkpoint()
            return
        self._wake = trio.Event()
        try:
            with trio.move_on_after(left_s) as self._sleep:
                await self._wake.wait()
        finally:
            self._sleep = None

    def _work(self) -> float:
        """Handle what is there, tick if it is time, and look at the machine now and then. Says for how long there is
        nothing more to do."""
        for _ in range(min(len(self._inbox), TURN_MAX)):
            self._handle(self._inbox.popleft())
        now, due = self._clock(), self.peer.deadline
        self._turns += 1
        if due <= now and (not self._inbox or self._turns >= TURNS_MAX):
            self._turns = 0
            effects = self.peer.tick(now)
            logger.debug("tick effects %r", effects)
            self._perform(effects)
        sample = self._sampling.look(now, due)
        if sample is not None:
            self._handle(sample)
        if self._inbox:
            return 0.0
        return min(self.peer.deadline, self._sampling.deadline) - self._clock()

    def _handle(self, event: Event) -> None:
        effects = self.peer.handle(event, self._clock())
        logger.debug("event %r effects %r", event, effects)
        self._perform(effects)

    def _perform(self, effects: list[Effect]) -> None:
        assert self._nursery is not None
        for effect in effects:
            match effect:
                case Dial() | Send() | SendDatagram() | Disconnect() | Knock() | Meet():
                    self._outside.perform(effect)
                case Run():
                    if not self._hands.line.announce(effect):
                        self._start_run(effect)
                case Cancel():
                    if effect.unit in self._scopes:
                        self._scopes[effect.unit].cancel()
                    else:
                        self._hands.line.cancel(effect.unit)
                case Recall():
                    self._hands.line.recall(effect.unit)
                case Fetch():
                    self._nursery.start_soon(self._carry_out_fetch, effect)
                case Keep():
                    self._hands.keep(effect)
                case Save() | Erase() | Sync() | Reply():
                    self._to_write(effect)
                case Release():
                    self._hands.release(effect.job)
                case LetGo():  # whether content is here is known at once; to free its room takes time
                    self._nursery.start_soon(trio.to_thread.run_sync, remove_files, self._hands.let_go(effect))
                case Notify():
                    self._notify(effect.topic, effect.subject)

    def _notify(self, topic: str, subject: bytes) -> None:
        if topic == "members" and subject:
            self._tell_of(NodeId(subject))
        for key in ((topic, subject), (topic, b"")):
            event = self._changes.pop(key, None)
            if event is not None:
                event.set()

    def _tell_of(self, node: NodeId) -> None:
        """Log what has become of a member. Most news of one are a newer record."""
        membership = self.peer.membership
        state = None if membership is None else membership.state_of(node)
        if state is not self._states.get(node):
            self._states[node] = state
            logger.info("member: peer=%s state=%s", node_text(node), "gone" if state is None else state.name.lower())

    def _to_write(self, effect: Save | Erase | Sync | Reply) -> None:
        self._unsaved.append(effect)
        self._to_save.set()
        if isinstance(effect, Sync | Reply):
            self._awaited.set()

    async def _serve_journal(self) -> NoReturn:
        """Write rows and give replies, in the order in which the core asked for them."""
        while True:
            await self._to_save.wait()
            if not self._awaited.is_set():
                with trio.move_on_after(TOGETHER_S):
                    await self._awaited.wait()
            self._to_save, self._awaited = trio.Event(), trio.Event()
            batch, self._unsaved = self._unsaved, []
            await self._write([change for effect in batch for change in _changes(effect)])
            for effect in batch:
                if isinstance(effect, Sync) and self.failure is None:
                    self.deliver(Synced(effect.number))
                elif isinstance(effect, Reply):
                    self._give(effect)

    async def _write(self, changes: list[Change]) -> None:
        """One commit. After one that has failed there is none: later rows would speak of what is missing."""
        if not changes or self.failure is not None:
            return
        try:
            await self._journal.save(changes)
        except JournalError as error:
            logger.error("%s", error)  # noqa: TRY400  # whose fault it is stands in the message
            self.failure = error
            self.failed.set()

    def _give(self, reply: Reply) -> None:
        request = self._requests.get(reply.request)
        if request is not None:
            request.reply = reply if self.failure is None else replace(reply, error=str(self.failure))
            request.answered.set()

    def _start_run(self, run: Run) -> None:
        assert self._nursery is not None
        self._scopes[run.unit] = scope = trio.CancelScope()
        self._nursery.start_soon(self._carry_out_run, run, scope)

    async def _carry_out_run(self, run: Run, scope: trio.CancelScope) -> None:
        ended: RunEnded | None = None
        with scope:
            ended = await self._hands.run_unit(run)
        del self._scopes[run.unit]
        self._hands.line.leave(run.unit)
        if ended is None:
            nothing = FileRef("nothing", 0, digest_of(b""))
            ended = RunEnded(run.unit, "cancelled", -15, (), nothing, nothing, "", 0.0)
        self.deliver(ended)

    async def _carry_out_fetch(self, fetch: Fetch) -> None:
        try:
            fetched = await self._hands.fetch(fetch)
        except FetchError as error:
            self.deliver(FetchFailed(fetch.file, str(error), ours=isinstance(error, NoRoomError)))
        else:
            self.deliver(fetched)


async def either(one: trio.Event, other: trio.Event) -> None:
    """Return when one of them is set."""
    async with trio.open_nursery() as nursery:

        async def wait(event: trio.Event) -> None:
            await event.wait()
            nursery.cancel_scope.cancel()

        nursery.start_soon(wait, one)
        nursery.start_soon(wait, other)


def _changes(effect: Save | Erase | Sync | Reply) -> list[Change]:
    """What an effect does to the journal."""
    match effect:
        case Save():
            return [(effect.table, effect.key, effect.value)]
        case Erase():
            return [(effect.table, effect.key, None)]
        case Sync() | Reply():
            return []
