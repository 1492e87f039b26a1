"""A network for tests: N membership machines on one heap of virtual time, with seeded loss and delay.

Datagrams may be lost and overtake each other; frames of a session arrive in order or not at all. A host can crash
(with its sessions, silently or not), stall (its process does not run; what comes waits), restart, and be cut off.
"""

import hashlib
import heapq
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from random import Random

from pnode.protocol.effects import Dial, Send, SendDatagram
from pnode.protocol.errors import RemoteProtocolError
from pnode.protocol.ids import ClusterId, NodeId
from pnode.protocol.links import LinksHeard
from pnode.protocol.load import LoadHeard
from pnode.protocol.membership import Located, MemberChanged, Membership, Output, RoundTrip
from pnode.protocol.membership_settings import MembershipSettings
from pnode.protocol.record import Address, NodeRecord
from pnode.protocol.roster import State
from pnode.protocol.signed import Kind, Signed, sign
from pnode.protocol.swim import read

CLUSTER = ClusterId(b"c" * 16)
START = 1_700_000_000.0
SEAL_BYTES = 46 + 28
"""What the seal of a datagram, UDP and IP add on the wire."""
CREDENTIAL = b"k" * 500
OUTSIDER = b"not a credential"


class FakeCrypto:
    """Signatures that only whoever has the seed can make, at a hundredth of the price; one object for all nodes,
    which knows every seed it was ever shown."""

    def __init__(self) -> None:
        self._seeds: dict[bytes, bytes] = {}
        self.verified = 0

    def public_key(self, seed: bytes) -> bytes:
        key = hashlib.blake2b(seed, digest_size=32).digest()
        self._seeds[key] = seed
        return key

    def sign(self, seed: bytes, message: bytes) -> bytes:
        return hashlib.blake2b(message, key=seed).digest()

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        self.verified += 1
        seed = self._seeds.get(public_key)
        return seed is not None and self.sign(seed, message) == signature


class FakeVouch:
    """Everybody belongs here, except whoever shows the credential OUTSIDER or was revoked."""

    def __init__(self) -> None:
        self.revoked: list[NodeId] = []
        self.asked = 0

    def learn_many(
        self, shown: Iterable[tuple[NodeId, bytes]], now: float
    ) -> Sequence[tuple[NodeId, RemoteProtocolError]]:
        pairs = list(shown)
        self.asked += len(pairs)
        return [
            (node, RemoteProtocolError("no member"))
            for node, credential in pairs
            if credential == OUTSIDER or node in self.revoked
        ]


def seed_of(number: int) -> bytes:
    return number.to_bytes(32, "big")


def record_of(number: int, *, incarnation: int = 1, boot: int = 1, credential: bytes = CREDENTIAL) -> NodeRecord:
    return NodeRecord(
        incarnation=incarnation,
        name=f"host{number}",
        addresses=(Address(f"10.0.{number // 256}.{number % 256}", 7946),),
        roles=7,
        cores=8,
        memory_bytes=2**34,
        disk_bytes=2**40,
        speed=1.0,
        gpus=0,
        software="pnode/0.1.0 python/3.11.7 linux",
        boot=boot,
        credential=credential,
    )


def signed_record(crypto: FakeCrypto, number: int, **fields: object) -> Signed:
    record = record_of(number, **fields)  # type: ignore[arg-type]
    return sign(crypto, seed_of(number), Kind.RECORD, CLUSTER, record)


class Host:
    """One machine in its process, and what it has said so far."""

    def __init__(self, number: int, membership: Membership) -> None:
        self.number = number
        self.membership = membership
        self.node = membership.me
        self.up = True
        self.stalled_until = 0.0
        self.wake_at = float("inf")
        self.bytes_sent = 0
        self.datagrams_sent = 0
        self.frames_sent = 0
        self.changes: list[tuple[float, MemberChanged]] = []
        self.round_trips: list[tuple[float, RoundTrip]] = []
        self.heard: list[tuple[float, LoadHeard | LinksHeard]] = []
        self.located: list[tuple[float, Located]] = []
        self.dials: list[NodeId | None] = []

    def sees(self, other: "Host") -> State | None:
        return self.membership.state_of(other.node)

    def calls_dead(self, other: "Host") -> bool:
        return self.sees(other) is State.DEAD

    def when(self, other: "Host", state: State) -> float | None:
        """When this host last took the other one for that."""
        times = [at for at, change in self.changes if change.node == other.node and change.new is state]
        return times[-1] if times else None


class Network:
    """The hosts and what is under way between them."""

    def __init__(
        self,
        seed: int = 1,
        *,
        loss: float = 0.0,
        settings: MembershipSettings | None = None,
        delay_s: tuple[float, float] = (0.0003, 0.001),
    ) -> None:
        self.seed = seed
        self.now = START
        self.loss = loss
        self.delay_s = delay_s
        self.settings = settings or MembershipSettings.lan()
        self.crypto = FakeCrypto()
        self.vouch = FakeVouch()
        self.hosts: dict[NodeId, Host] = {}
        self.cut: Callable[[Host, Host], bool] = lambda one, other: False
        self.reachable: Callable[[Address], bool] = lambda address: True
        self.tap: Callable[[Host, Send | SendDatagram], None] = lambda host, effect: None
        self._rng = Random(f"{seed}/net")
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0
        self._sessions: dict[frozenset[NodeId], float] = {}

    # ---- hosts

    def add(self, number: int, *, incarnation: int = 1, boot: int = 1, credential: bytes = CREDENTIAL) -> Host:
        record = record_of(number, incarnation=incarnation, boot=boot, credential=credential)
        rng = Random(f"{self.seed}/{number}/{boot}")
        membership = Membership(
            self.settings, self.crypto, seed_of(number), CLUSTER, self.vouch, record, rng, self.now
        )
        host = self.hosts[membership.me] = Host(number, membership)
        self._wake(host)
        return host

    def cluster(self, size: int, *, settle_s: float = 3.0) -> list[Host]:
        """So many hosts that have all joined through the first one."""
        hosts = [self.add(number) for number in range(1, size + 1)]
        for host in hosts[1:]:
            self.join(host, hosts[0])
        self.run(settle_s)
        return hosts

    def join(self, host: Host, seed: Host) -> None:
        self._open(host, seed)
        self.do(host, host.membership.join(seed.node, self.now))

    def crash(self, host: Host, *, silent: bool = True) -> None:
        """End its process. Unless silently (the whole machine is gone) its sessions break at the other end."""
        host.up = False
        for pair in [pair for pair in self._sessions if host.node in pair]:
            self._break(pair, silent=silent)

    def stall(self, host: Host, seconds: float) -> None:
        host.stalled_until = self.now + seconds

    def split(self, side: list[Host]) -> None:
        """Cut the network in two; sessions across hang for a moment, then break."""
        names = [host.node for host in side]
        self.cut = lambda one, other: (one.node in names) is not (other.node in names)
        for pair in [pair for pair in self._sessions if len([node for node in pair if node in names]) == 1]:
            self._break(pair, silent=True)

    def isolate(self, host: Host) -> None:
        """Let nothing through to or from a host."""
        self.split([host])

    def heal(self) -> None:
        self.cut = lambda one, other: False

    def alone(self, size: int) -> Host:
        """One host that believes in `size - 1` others; what it sends them goes to `tap` and nowhere else."""
        host = self.add(1)
        for number in range(2, size + 1):
            self.do(host, host.membership.learn(signed_record(self.crypto, number), self.now))
        return host

    def id_of(self, number: int) -> NodeId:
        return NodeId(self.crypto.public_key(seed_of(number)))

    # ---- time

    def run(self, seconds: float) -> None:
        self.run_until(lambda: False, seconds)

    def run_until(self, done: Callable[[], bool], seconds: float) -> bool:
        """Let time pass until it is done, at most so long."""
        end = self.now + seconds
        while self._heap and self._heap[0][0] <= end:
            self.now, _, happen = heapq.heappop(self._heap)
            happen()
            if done():
                return True
        self.now = end
        return done()

    def do(self, host: Host, outputs: list[Output]) -> None:
        """Carry out what a machine wants."""
        for output in outputs:
            match output:
                case SendDatagram():
                    self._carry_datagram(host, output)
                case Send():
                    self._carry_frame(host, output)
                case MemberChanged():
                    host.changes.append((self.now, output))
                case RoundTrip():
                    host.round_trips.append((self.now, output))
                case Located():
                    host.located.append((self.now, output))
                case Dial():
                    host.dials.append(output.peer)
                case LoadHeard() | LinksHeard():
                    host.heard.append((self.now, output))
                case _:
                    raise AssertionError(f"nobody asked for {output}")
        self._wake(host)

    def at(self, when: float, happen: Callable[[], None]) -> None:
        self._sequence += 1
        heapq.heappush(self._heap, (when, self._sequence, happen))

    # ---- inside

    def _wake(self, host: Host) -> None:
        deadline = max(self.now, host.membership.deadline)
        if deadline < host.wake_at:
            host.wake_at = deadline
            self.at(deadline, lambda: self._tick(host, deadline))

    def _tick(self, host: Host, planned: float) -> None:
        if not host.up or planned != host.wake_at:
            return
        if host.stalled_until > self.now:
            self.at(host.stalled_until, lambda: self._tick(host, planned))
            return
        host.wake_at = float("inf")
        self.do(host, host.membership.tick(self.now))

    def _deliver(self, host: Host, call: Callable[[], list[Output]]) -> None:
        """To a process that runs; one that is stalled gets it when it wakes up."""
        if host.up and host.stalled_until > self.now:
            self.at(host.stalled_until, lambda: self._deliver(host, call))
        elif host.up:
            self.do(host, call())

    def _delay(self) -> float:
        return self._rng.uniform(*self.delay_s)

    def _carry_datagram(self, host: Host, effect: SendDatagram) -> None:
        host.bytes_sent += len(effect.payload) + SEAL_BYTES
        host.datagrams_sent += 1
        self.tap(host, effect)
        target = self.hosts.get(effect.peer)
        if target is None or not self.reachable(effect.address) or self._rng.random() < self.loss:
            return
        if not self.cut(host, target):
            machine = target.membership
            self.at(
                self.now + self._delay(),
                lambda: self._deliver(target, lambda: machine.datagram(host.node, effect.payload, self.now)),
            )

    def _carry_frame(self, host: Host, effect: Send) -> None:
        host.bytes_sent += len(effect.payload)
        host.frames_sent += 1
        self.tap(host, effect)
        target = self.hosts.get(effect.peer)
        if target is None or not target.up or self.cut(host, target):
            return
        pair = self._open(host, target)
        arrival = self._sessions[pair] = max(self._sessions[pair], self.now + self._delay())
        message, machine = read(effect.payload), target.membership
        self.at(arrival, lambda: self._deliver(target, lambda: machine.message(host.node, message, self.now)))

    def _open(self, one: Host, other: Host) -> frozenset[NodeId]:
        pair = frozenset((one.node, other.node))
        if pair not in self._sessions:
            self._sessions[pair] = opened = self.now + self._delay()
            for host, peer in ((one, other), (other, one)):
                self.at(opened, partial(self._opened, host, peer))
        return pair

    def _opened(self, host: Host, peer: Host) -> None:
        self._deliver(host, lambda: host.membership.session_opened(peer.node, self.now))

    def _break(self, pair: frozenset[NodeId], *, silent: bool) -> None:
        del self._sessions[pair]
        if silent:
            return
        for node in sorted(pair):
            (peer,) = (other for other in pair if other != node)
            self.at(self.now + self._delay(), partial(self._lost, self.hosts[node], peer))

    def _lost(self, host: Host, peer: NodeId) -> None:
        self._deliver(host, lambda: host.membership.session_lost(peer, self.now))
