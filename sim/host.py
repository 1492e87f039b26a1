"""A simulated host: carries out what one Peer asks for, on virtual time."""

import math
from collections import deque
from collections.abc import Callable
from random import Random

from pnode.protocol.effects import (  # fmt: skip
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
from pnode.protocol.events import DatagramReceived, Event, LoadSampled, Moved, Synced
from pnode.protocol.ids import NodeId
from pnode.protocol.jobspec import FileRef
from pnode.protocol.peer import Peer
from pnode.protocol.record import Address
from pnode.protocol.values import dataclass, field, replace

from .disk import Disk
from .engine import NANOSECONDS, Engine
from .meetings import Meetings
from .network import Network
from .sessions import KEEPALIVE_S, Pipe, Sessions
from .surroundings import Neighbourhood, Observer
from .window import Windows
from .workshop import Course, RunModel, Workshop, outputs_of, written_by

__all__ = ["Course", "Host", "Neighbourhood", "Observer", "RunModel", "outputs_of", "written_by"]

SAMPLE_S = 1.0
"""How often a host looks at its own load."""

DATAGRAMS_MAX = 2048
"""Datagrams that wait in the socket's buffer (2 MiB) of a process that does not run; what comes then is lost."""

EVENT_S = 0.0002
"""What an event costs a slow host, times its slowness; one that is not slow takes no time at all."""

MOVED_S = 0.5
"""From when the address of a host has changed to when its node has seen that, as the live shell looks."""

SEAL_BYTES = 46
"""What sealing adds to a datagram."""


@dataclass(slots=True)
class Host:
    """One machine with its disk, its cores and its Peer."""

    number: int
    address: Address
    engine: Engine
    network: Network
    others: Neighbourhood
    run_model: RunModel
    peer: Peer
    has_moved: bool = False
    """Whether its address is another than it was: datagrams to the old one are lost."""
    up: bool = True
    has_power: bool = True
    """Whether the machine is on, with the node's process or without it."""
    clock_offset_s: float = 0.0
    """How far this host's clock is ahead of the engine's, but for its drift."""
    drift: float = 0.0
    """How many seconds the clock gains in each."""
    slowness: float = 1.0
    """How many times longer everything takes here."""
    observer: Observer | None = None
    is_sampling: bool = True
    """Whether it looks at its own load; a host that does not has no figures to tell."""
    on_notice: Callable[["Host", Notify], None] | None = None
    """Told what the peer wants people to know."""
    disk: Disk = field(init=False)
    """The journal: survives a crash, but for its last rows."""
    sessions: Sessions = field(init=False)
    meetings: Meetings = field(init=False)
    workshop: Workshop = field(init=False)
    replies: dict[int, Reply] = field(default_factory=dict)
    runs: list[tuple[float, Unit]] = field(default_factory=list)
    """(when, what) was started here."""
    windows: Windows = field(default_factory=Windows)
    is_paused: bool = False
    """The process is stopped (SIGSTOP): time goes on, and what happens waits for it."""
    _is_busy: bool = False
    _waiting: deque[Event] = field(default_factory=deque)
    _drift_since_s: float = field(init=False)
    _sample_due_s: float = 0.0
    _alarm: float = math.inf
    _life: int = 0
    """Grows with each crash: what was begun in an earlier life does not happen any more."""
    _datagrams: int = 0

    def __post_init__(self) -> None:
        self.disk = Disk(self.engine)
        self.sessions = Sessions(self)
        self.meetings = Meetings(self)
        self.workshop = Workshop(self, self._model)
        self._drift_since_s = self.engine.now

    def _model(self, host: "Host", run: Run) -> tuple[float, str] | Course:
        return self.run_model(host, run)  # which a test may have changed since

    @property
    def now(self) -> float:
        """What this host's clock shows."""
        if self.drift:
            return self.engine.now + self.clock_offset_s + self.drift * (self.engine.now - self._drift_since_s)
        return self.engine.now + self.clock_offset_s

    def set_drift(self, drift: float) -> None:
        """Let the clock run faster or slower from now on."""
        self.clock_offset_s = self.now - self.engine.now
        self.drift, self._drift_since_s = drift, self.engine.now

    @property
    def running(self) -> tuple[Unit, ...]:
        """Units that run here now."""
        return tuple(self.workshop.running)

    @property
    def inbox(self) -> int:
        """Events that wait for the peer to run again."""
        return len(self._waiting)

    @property
    def content(self) -> dict[bytes, FileRef]:
        return self.workshop.content

    def has(self, digest: bytes) -> bool:
        """Whether the node could give this to others."""
        return self.workshop.has(digest)

    @property
    def pipes(self) -> dict[NodeId, Pipe]:
        return self.sessions.pipes

    @property
    def id(self) -> NodeId:
        return self.peer.me

    @property
    def life(self) -> int:
        """Which of its lives it is in: each ends with a crash."""
        return self._life

    @property
    def is_stopped(self) -> bool:
        """Whether the peer does not run now, though the machine does."""
        return self.is_paused or self._is_busy

    # -- the peer ----------------------------------------------------------------------------------------------------

    def deliver(self, event: Event) -> None:
        """Tell the peer that something happened here."""
        if not self.up:
            return
        if self.is_paused or self._is_busy or self._waiting:
            if type(event) is not DatagramReceived or len(self._waiting) < DATAGRAMS_MAX:
                self._waiting.append(event)
        else:
            self._handle(event)

    def act(self, action: Callable[[Peer, float], list[Effect]]) -> None:
        """Let the peer do something of its own accord, unless it does not run now."""
        if self.up and not self.is_stopped:
            self.perform(action(self.peer, self.now))
            self._settle(self.now)

    def _handle(self, event: Event) -> None:
        if type(event) is LoadSampled:
            event = replace(event, lag_s=max(0.0, self.engine.now - self._sample_due_s))
        now = self.now
        if self.observer is not None:
            self.observer.before(self, event)
        effects = self.peer.handle(event, now)
        if self.observer is not None:
            self.observer.after(self, effects)
        if effects:
            self.perform(effects)
        self._settle(now)
        if self.slowness > 1.0 and self.up:
            self._is_busy = True
            self.later(EVENT_S * self.slowness, self._go_on)

    def _go_on(self) -> None:
        """Take the next of what has waited."""
        self._is_busy = False
        while self._waiting and not self.is_stopped and self.up:
            self._handle(self._waiting.popleft())
        if not self.is_stopped and self.up:
            self._settle(self.now)

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            if type(effect) is SendDatagram:  # nearly all of them
                self._send_datagram(effect)
            else:
                self._perform(effect)

    def _settle(self, now: float) -> None:
        """Tick as often as the peer wants now, then set the alarm for its deadline."""
        deadline = self.peer.deadline
        if deadline <= now:
            deadline = self._tick(deadline, now)
        if deadline < self._alarm:
            self._alarm = deadline
            delay_s = deadline - now
            if self.drift:
                delay_s /= 1.0 + self.drift
            engine = self.engine
            engine.at_ns(engine.now_ns + max(0, round(delay_s * NANOSECONDS)), self._ring, deadline, self._life)

    def _tick(self, deadline: float, now: float) -> float:
        """Returns the deadline that is left, which lies ahead."""
        turns = 0
        while deadline <= now:
            if self.observer is not None:
                self.observer.before(self, None)
            effects = self.peer.tick(now)
            if self.observer is not None:
                self.observer.after(self, effects)
            self.perform(effects)
            turns += 1
            assert turns < 1000, "a peer whose deadline never moves on"
            deadline = self.peer.deadline
        return deadline

    def _ring(self, deadline: float, life: int) -> None:
        if deadline == self._alarm and life == self._life and self.up:
            self._alarm = math.inf
            if not self.is_stopped:
                self._settle(self.now)

    def _sample(self) -> None:
        busy_percent = min(100.0, 100.0 * len(self.workshop.running))
        self._sample_due_s = self.engine.now
        if self.is_paused or not self.is_sampling:
            return  # the sampler is a part of the process; `resume` takes the sample
        self.deliver(LoadSampled(busy_percent, 20.0, 0.0))
        self.later(SAMPLE_S, self._sample)

    def _keep_alive(self) -> None:
        self.sessions.keep_alive()
        self.later(KEEPALIVE_S, self._keep_alive)

    # -- power -------------------------------------------------------------------------------------------------------

    def begin(self, seeds: tuple[Address, ...], remembered: tuple[tuple[NodeId, bytes], ...] = ()) -> None:
        """Switch the node on, with the credentials of the members that it remembers."""
        self.up = self.has_power = True
        self.perform(self.peer.start(seeds, self.now, remembered))
        self._settle(self.now)
        if self.is_sampling:
            self._sample()
        self.later(KEEPALIVE_S, self._keep_alive)

    def begin_sampling(self) -> None:
        """Look at the own load from now on."""
        self.is_sampling = True
        self._sample()

    def crash(self, *, torn: Random | None = None, silently: bool = False, keep_writes: bool = False) -> None:
        """Switch the node off at once; its sessions break, and the others notice at the end of their pipes, unless it
        goes silently: then only when nobody answers. `torn` says how much of the last writes survives,
        `keep_writes` that all do."""
        self.up = False
        self.has_power = not silently
        self._life += 1
        if keep_writes:
            self.disk.keep()
        else:
            self.workshop.lose_power()
        self.disk.lose_power(torn)
        self.workshop.running.clear()
        self.workshop.waiting.clear()
        self.workshop.kept.clear()
        self._waiting.clear()
        self.windows.clear()
        self._alarm = math.inf
        self.is_paused = self._is_busy = False
        self.sessions.vanish(silently=silently)
        self.meetings.vanish(silently=silently)

    def pause(self) -> None:
        """Stop the process. Its machine, its tasks and its clock go on."""
        if self.up:
            self.is_paused = True

    def resume(self) -> None:
        """Let a stopped process run again: whatever has happened since happens to it now, all at once."""
        if not self.up or not self.is_paused:
            return
        self.is_paused = False
        has_slept = self.is_sampling and self._sample_due_s < self.engine.now
        self._alarm = math.inf
        self._go_on()
        if has_slept:
            due_s = self._sample_due_s
            self._sample()
            self._sample_due_s = due_s

    def move(self, address: Address) -> None:
        """Have another address from now on. Its own ends of its sessions are closed at once, as they were made from
        an address that is gone; nobody tells the others."""
        self.address, self.has_moved = address, True
        if self.up:
            for pipe in list(self.pipes.values()):
                self.sessions.broken(pipe.peer, pipe.epoch, "our address has changed")
            self.later(MOVED_S, self.deliver, Moved((address,)))

    def later(self, delay_s: float, action: Callable[..., None], *given: object) -> None:
        """Do something after a while, unless the host crashes before."""
        self.engine.after(delay_s, self._if_alive, self._life, action, given)

    def _if_alive(self, life: int, action: Callable[..., None], given: tuple[object, ...]) -> None:
        if self.up and self._life == life:
            action(*given)

    # -- effects -----------------------------------------------------------------------------------------------------

    def _perform(self, effect: Effect) -> None:
        match effect:
            case SendDatagram():
                self._send_datagram(effect)
            case Send():
                self.sessions.send(effect.peer, effect.payload)
            case Dial():
                self.sessions.dial(effect, () if effect.peer is None else self.peer.relays_of(effect.peer))
            case Disconnect():
                self.sessions.disconnect(effect)
            case Knock():
                self.meetings.knock(effect)
            case Meet():
                self.meetings.meet(effect)
            case Run():
                self.workshop.run(effect)
            case Cancel():
                self.workshop.cancel(effect.unit)
            case Recall():
                self.workshop.recall(effect.unit)
            case Fetch():
                self.workshop.fetch(effect)
            case Keep():
                self.workshop.keep(effect)
            case Save():
                self.disk.put(effect.table, effect.key, effect.value)
            case Erase():
                self.disk.put(effect.table, effect.key, None)
            case Sync():
                self.later(self.disk.unsafe_s, self.deliver, Synced(effect.number))
            case LetGo():
                self.workshop.let_go(effect)
            case Release():
                pass  # there is always room
            case Reply():
                self.later(self.disk.unsafe_s, self._reply, effect)
            case Notify():
                if self.on_notice is not None:
                    self.on_notice(self, effect)

    def _reply(self, reply: Reply) -> None:
        self.replies[reply.request] = reply

    def _send_datagram(self, effect: SendDatagram) -> None:
        target, payload = self.others.host_of(effect.peer), effect.payload
        if target is None or (target.has_moved and effect.address != target.address):
            self.network.datagram(self.number, -1, len(payload) + SEAL_BYTES, _drop)
            return
        self._datagrams += 1
        self.network.datagram(
            self.number, target.number, len(payload) + SEAL_BYTES,
            target._open, self.peer.me, self._life, self._datagrams, payload,
        )  # fmt: skip

    def _open(self, sender: NodeId, life: int, counter: int, payload: bytes) -> None:
        """A datagram has come; the peer gets it if it is fresh."""
        if self.up and (not self.network.copies or self.windows.take(sender, life, counter)):
            self.deliver(DatagramReceived(sender, payload))


def _drop() -> None:
    """Where datagrams to nobody go."""
