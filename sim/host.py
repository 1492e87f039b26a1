"""A simulated host: carries out what one Peer asks for, on virtual time."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pnode.protocol.dag import Task
from pnode.protocol.effects import (
    Cancel,
    Dial,
    Disconnect,
    Effect,
    Erase,
    Fetch,
    Notify,
    Release,
    Reply,
    Run,
    Save,
    Send,
    SendDatagram,
    Sync,
    Unit,
)
from pnode.protocol.errors import RemoteProtocolError
from pnode.protocol.events import (
    DatagramReceived,
    DialFailed,
    Event,
    Fetched,
    FetchFailed,
    LoadSampled,
    Received,
    RunEnded,
    SessionClosed,
    SessionOpened,
    Synced,
)
from pnode.protocol.ids import NodeId, digest_of
from pnode.protocol.jobspec import FileRef
from pnode.protocol.peer import Peer
from pnode.protocol.record import Address

from .disk import SYNC_S, Disk
from .engine import Engine
from .network import Network

REFUSED_S = 0.001
"""How soon a machine says that nothing listens there. One that is switched off says nothing, but a router may."""

DIAL_TIMEOUT_S = 5.0
"""As the live transport's."""

BREAK_S = 10.0
"""How long a session over a cut link seems to live: TCP's user timeout in the live transport."""


class Neighbourhood(Protocol):
    """What a host needs to know of the others."""

    def host_at(self, address: Address) -> "Host | None":
        """Whoever listens there and is up."""

    def host_of(self, node: NodeId) -> "Host | None":
        """The host of a node, if it is up."""


RunModel = Callable[["Host", Run], tuple[float, str]]
"""(seconds, failure) of a unit on a host."""


@dataclass(slots=True)
class Pipe:
    """Our end of a session."""

    peer: NodeId
    epoch: int
    """Grows with each session between two hosts: frames of an earlier one are void."""


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
    up: bool = True
    clock_offset_s: float = 0.0
    """How far this host's clock is ahead of the engine's."""
    disk: Disk = field(init=False)
    """The journal: survives a crash, but for its last rows."""
    content: dict[bytes, FileRef] = field(default_factory=dict)
    """The store: survives a crash."""
    replies: dict[int, Reply] = field(default_factory=dict)
    runs: list[tuple[float, Unit]] = field(default_factory=list)
    """(when, what) was started here."""
    pipes: dict[NodeId, Pipe] = field(default_factory=dict)
    _outbox: dict[NodeId, list[bytes]] = field(default_factory=dict)
    """Frames that wait for a session."""
    _running: dict[Unit, int] = field(default_factory=dict)
    _alarm: float = math.inf
    _epoch: int = 0
    _life: int = 0
    """Grows with each crash: what was begun in an earlier life does not happen any more."""

    def __post_init__(self) -> None:
        self.disk = Disk(self.engine)

    @property
    def now(self) -> float:
        """What this host's clock shows."""
        return self.engine.now + self.clock_offset_s

    @property
    def running(self) -> tuple[Unit, ...]:
        """Units that run here now."""
        return tuple(self._running)

    @property
    def id(self) -> NodeId:
        return self.peer.me

    def deliver(self, event: Event) -> None:
        """Tell the peer that something happened here."""
        if self.up:
            self.perform(self.peer.handle(event, self.now))
            self._settle()

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            self._perform(effect)

    def begin(self, seeds: tuple[Address, ...], remembered: tuple[tuple[NodeId, bytes], ...] = ()) -> None:
        """Switch the node on, with the credentials of the members that it remembers."""
        self.up = True
        self.perform(self.peer.start(seeds, self.now, remembered))
        self._settle()
        self._sample()

    def crash(self) -> None:
        """Switch the node off at once; its sessions break, and the others notice at the end of their pipes."""
        self.up = False
        self._life += 1
        self.disk.lose_power()
        self._running.clear()
        self._outbox.clear()
        self._alarm = math.inf
        for pipe in list(self.pipes.values()):
            other = self.others.host_of(pipe.peer)
            if other is not None:
                self.network.pipe(self.number, other.number, 0, _closing(other, self.id, pipe.epoch, "reset"))
        self.pipes.clear()

    def _settle(self) -> None:
        """Tick as often as the peer wants now, then set the alarm for its deadline."""
        turns, now = 0, self.now
        deadline = self.peer.deadline
        while deadline <= now:
            self.perform(self.peer.tick(now))
            turns += 1
            assert turns < 1000, "a peer whose deadline never moves on"
            deadline = self.peer.deadline
        if deadline < self._alarm:
            self._alarm = deadline
            self._later(deadline - self.now, lambda: self._ring(deadline))

    def _ring(self, deadline: float) -> None:
        if deadline == self._alarm:
            self._alarm = math.inf
            self._settle()

    def _sample(self) -> None:
        self.deliver(LoadSampled(min(100.0, 100.0 * len(self._running)), 20.0, 0.0))
        self._later(1.0, self._sample)

    def _later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do something after a while, unless the host crashes before."""
        life = self._life

        def act() -> None:
            if self.up and self._life == life:
                action()

        self.engine.after(delay_s, act)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Dial():
                self._dial(effect)
            case Send():
                self._send(effect.peer, effect.payload)
            case SendDatagram():
                self._send_datagram(effect)
            case Disconnect():
                self._disconnect(effect)
            case Run():
                self._run(effect)
            case Cancel():
                self._cancel(effect.unit)
            case Fetch():
                self._fetch(effect)
            case Save():
                self.disk.put(effect.table, effect.key, effect.value)
            case Erase():
                self.disk.put(effect.table, effect.key, None)
            case Sync():
                self._later(SYNC_S, lambda: self.deliver(Synced(effect.number)))
            case Release():
                pass  # there is always room
            case Reply():
                self._later(SYNC_S, lambda: self._reply(effect))
            case Notify():
                pass

    def _reply(self, reply: Reply) -> None:
        self.replies[reply.request] = reply

    # -- sessions and datagrams --------------------------------------------------------------------------------------

    def _dial(self, dial: Dial) -> None:
        target = next((host for host in map(self.others.host_at, dial.addresses) if host is not None), None)
        if target is None or target is self or (dial.peer is not None and target.id != dial.peer):
            failed = DialFailed(dial.addresses, dial.peer, "nobody answers")
            self._later(REFUSED_S, lambda: self._undelivered(dial.peer, failed))
            return
        reachable = self.network.reaches(self.number, target.number) and self.network.reaches(
            target.number, self.number
        )
        if not reachable:
            failed = DialFailed(dial.addresses, dial.peer, "no answer within 5 s")
            self._later(DIAL_TIMEOUT_S, lambda: self._undelivered(target.id, failed))
            return
        link = self.network.link(self.number, target.number)
        self._later(3 * link.latency_s, lambda: self._meet(target, dial))

    def _meet(self, target: "Host", dial: Dial) -> None:
        """The handshake is through, if both accept each other's credentials."""
        if target.id in self.pipes:
            self._empty_outbox(target.id)
            return
        if not target.up:
            self._undelivered(target.id, DialFailed(dial.addresses, dial.peer, "connection refused"))
            return
        try:
            target.peer.trust.check(self.id, self.peer.joining.credential, target.now)
            self.peer.trust.check(target.id, target.peer.joining.credential, self.now)
        except RemoteProtocolError as error:
            self._undelivered(target.id, DialFailed(dial.addresses, dial.peer, str(error)))
            return
        self._epoch = target._epoch = max(self._epoch, target._epoch) + 1
        self.pipes[target.id] = Pipe(target.id, self._epoch)
        target.pipes[self.id] = Pipe(self.id, self._epoch)
        target.deliver(SessionOpened(self.id, self.peer.joining.credential, None))
        self.deliver(SessionOpened(target.id, target.peer.joining.credential, dial.addresses[0]))
        target._empty_outbox(self.id)
        self._empty_outbox(target.id)

    def _empty_outbox(self, peer: NodeId) -> None:
        for payload in self._outbox.pop(peer, []):
            self._send(peer, payload)

    def _undelivered(self, peer: NodeId | None, failed: DialFailed) -> None:
        if peer is not None:
            self._outbox.pop(peer, None)
        self.deliver(failed)

    def _send(self, peer: NodeId, payload: bytes) -> None:
        pipe = self.pipes.get(peer)
        target = self.others.host_of(peer)
        if pipe is None:
            waiting = self._outbox.setdefault(peer, [])
            waiting.append(payload)
            if len(waiting) == 1:
                self._dial(Dial(self.peer.addresses_of(peer), peer))
            return
        if target is None:
            return  # the breaking of the session is on its way
        if not self.network.reaches(self.number, target.number):
            self._later(BREAK_S, lambda: self._broken(peer, pipe.epoch, "no answer"))
            return
        self.network.pipe(self.number, target.number, len(payload), _arrival(target, self.id, pipe.epoch, payload))

    def receive(self, sender: NodeId, epoch: int, payload: bytes) -> None:
        pipe = self.pipes.get(sender)
        other = self.others.host_of(sender)
        if pipe is not None and pipe.epoch == epoch:
            self.deliver(Received(sender, payload))
        elif other is not None and self.network.reaches(self.number, other.number):
            self.network.pipe(self.number, other.number, 0, _closing(other, self.id, epoch, "reset"))

    def _broken(self, peer: NodeId, epoch: int, reason: str) -> None:
        pipe = self.pipes.get(peer)
        if pipe is not None and pipe.epoch == epoch:
            del self.pipes[peer]
            self.deliver(SessionClosed(peer, reason, orderly=False))

    def _disconnect(self, effect: Disconnect) -> None:
        pipe = self.pipes.pop(effect.peer, None)
        other = self.others.host_of(effect.peer)
        if pipe is not None and other is not None:
            self.network.pipe(self.number, other.number, 0, _closing(other, self.id, pipe.epoch, effect.reason))

    def _send_datagram(self, effect: SendDatagram) -> None:
        target = self.others.host_of(effect.peer)
        number = -1 if target is None else target.number
        arrive = _dropping if target is None else _datagram_arrival(target, self.id, effect.payload)
        self.network.datagram(self.number, number, len(effect.payload) + 46, arrive)

    # -- content and work --------------------------------------------------------------------------------------------

    def _fetch(self, fetch: Fetch) -> None:
        if fetch.file.digest in self.content:
            self._later(0.0, lambda: self.deliver(Fetched(fetch.file, None, 0, 0.0)))
            return
        hosts = (self.others.host_of(node) for node in fetch.sources)
        source = next((host for host in hosts if host is not None and fetch.file.digest in host.content), None)
        if source is None or not self.network.reaches(source.number, self.number):
            delay_s = REFUSED_S if source is None else DIAL_TIMEOUT_S
            self._later(delay_s, lambda: self.deliver(FetchFailed(fetch.file, "nobody has it")))
            return
        link = self.network.link(source.number, self.number)
        seconds = fetch.file.size_bytes / link.bandwidth_bytes_per_s

        def arrived() -> None:
            self.content[fetch.file.digest] = fetch.file
            self.deliver(Fetched(fetch.file, source.id, fetch.file.size_bytes, max(seconds, 1e-6)))

        self._later(2 * link.latency_s + seconds, arrived)

    def _run(self, run: Run) -> None:
        seconds, failure = self.run_model(self, run)
        self.runs.append((self.engine.now, run.unit))
        self._epoch += 1
        token = self._running[run.unit] = self._epoch
        self._later(seconds, lambda: self._ended(run, token, seconds, failure))

    def _ended(self, run: Run, token: int, seconds: float, failure: str) -> None:
        if self._running.get(run.unit) != token:
            return
        del self._running[run.unit]
        outputs = () if failure else outputs_of(run)
        self.content.update({file.digest: file for file in outputs})
        empty = FileRef("stdout", 0, digest_of(b""))
        self.deliver(RunEnded(run.unit, failure, int(bool(failure)), outputs, empty, empty, failure, seconds))

    def _cancel(self, unit: Unit) -> None:
        if self._running.pop(unit, None) is not None:
            empty = FileRef("stdout", 0, digest_of(b""))
            ended = RunEnded(unit, "cancelled", -15, (), empty, empty, "", 0.0)
            self._later(0.0, lambda: self.deliver(ended))


def outputs_of(run: Run) -> tuple[FileRef, ...]:
    """What a simulated task writes in a run."""
    return written_by(run.task, run.unit.item, [file.digest for call in run.calls for file in call])


def written_by(task: Task, item: int, inputs: Sequence[bytes]) -> tuple[FileRef, ...]:
    """One file, or with FLAG false one per child; their contents depend on all inputs."""
    count = max(1, len(task.children)) if not task.broadcast else 1
    used = b"".join(inputs)
    size = max(1, task.output_bytes) // count
    names = (f"item{item}_{task.name}_{number}" for number in range(count))
    return tuple(FileRef(name, size, digest_of(name.encode() + used)) for name in names)


def _arrival(target: Host, sender: NodeId, epoch: int, payload: bytes) -> Callable[[], None]:
    return lambda: target.receive(sender, epoch, payload)


def _closing(target: Host, sender: NodeId, epoch: int, reason: str) -> Callable[[], None]:
    return lambda: target._broken(sender, epoch, reason)


def _datagram_arrival(target: Host, sender: NodeId, payload: bytes) -> Callable[[], None]:
    return lambda: target.deliver(DatagramReceived(sender, payload))


def _dropping() -> None:
    """Where datagrams to nobody go."""
