"""The simulated network: who can reach whom, how long it takes, and what is lost on the way.

Everything is per direction. Datagrams may be lost, doubled, delayed past each other, damaged, and sent again by
somebody who has recorded them; sessions are ordered pipes, which loss makes slower and nothing else. A link carries
so many bytes per second: what has to wait longer than its queue holds is dropped, if it is a datagram. A cut link
lets nothing pass; a clogged one keeps everything until it is opened. A hidden host stands behind a firewall: nobody
can open a session with it, and no datagram comes in, but what it has opened itself serves both directions.
"""

from collections.abc import Callable
from math import log
from random import Random

from pnode.protocol.values import dataclass

from .engine import NANOSECONDS, Engine

RETRANSMISSION_S = 0.2
"""After this TCP sends again what was lost; doubled with each try (RFC 6298, the minimum that Linux takes)."""

RETRANSMISSION_S_MAX = 6.0
"""Then it passes: what TCP cannot bring over in 12 s it soon gives up, and to break sessions is for cuts to do."""

REPLAY_S_MAX = 60.0
"""Somebody who sends old datagrams again does so within this time."""

REORDER_S = 0.05
"""How long a datagram is held back so that later ones overtake it."""

RECORDED_MAX = 16
"""Datagrams of a link that somebody who replays has kept."""

SWEEP_MIN = 4096
"""Instants that have passed are let be up to so many: a link that is used gets a new one anyway."""

Link = tuple[int, int]
"""(source, target): numbers of hosts"""


@dataclass(frozen=True, slots=True)
class LinkModel:
    """One direction between two hosts."""

    latency_s: float = 0.0005
    jitter_s: float = 0.0005
    """Mean of an exponential delay on top."""
    bandwidth_bytes_per_s: float = 125e6
    loss: float = 0.0
    """Share of datagrams lost; sessions are slowed down by it, not harmed."""
    duplicate: float = 0.0
    """Share of datagrams that arrive twice."""
    reorder: float = 0.0
    """Share of datagrams that are held back."""
    replay: float = 0.0
    """Share of datagrams with which an older one of the same link is sent again."""
    corrupt: float = 0.0
    """Share of datagrams that are damaged; their seal shows it, so nobody ever reads one."""
    queue_s: float = 0.2
    """What has to wait for longer is dropped, if it is a datagram."""


@dataclass(slots=True)
class Damage:
    """What has become of datagrams."""

    lost: int = 0
    doubled: int = 0
    replayed: int = 0
    corrupted: int = 0
    overflown: int = 0
    held_back: int = 0


class Network:
    """Links between numbered hosts."""

    def __init__(self, engine: Engine, model: LinkModel) -> None:
        self.engine = engine
        self.model = model
        self.links: dict[Link, LinkModel] = {}
        self.hidden: dict[int, None] = {}
        """Hosts that can only dial out."""
        self.damage = Damage()
        self.datagrams = 0
        self.bytes = 0
        self._cut: dict[Link, int] = {}
        """How many cuts lie over a link: they may overlap."""
        self._clogged_ns: dict[Link, int] = {}
        """Until when nothing arrives over a link."""
        self._generators: dict[int, Random] = {}
        """By source: of a thousand nodes there are a million links, and a generator takes 2.5 kB."""
        self._last_ns: dict[Link, int] = {}
        """When what was sent last on a session arrives: nothing overtakes it."""
        self._busy_ns: dict[Link, int] = {}
        """Until when a link is busy with what was sent before."""
        self._sweep_at = SWEEP_MIN
        """When a table of instants has as many, those that have passed are forgotten."""
        self._recorded: dict[Link, list[Callable[[], None]]] = {}

    def link(self, source: int, target: int) -> LinkModel:
        return self.links.get((source, target), self.model)

    def cut(self, source: int, target: int) -> None:
        """Nothing passes in this direction any more, until each cut is healed."""
        self._cut[(source, target)] = self._cut.get((source, target), 0) + 1

    def heal(self, source: int, target: int) -> None:
        left = self._cut.pop((source, target), 0) - 1
        if left > 0:
            self._cut[(source, target)] = left

    def clog(self, source: int, target: int, duration_s: float) -> None:
        """What is sent from now on, and what is sent within that time, arrives after it."""
        until_ns = self.engine.now_ns + round(duration_s * NANOSECONDS)
        self._clogged_ns[(source, target)] = max(until_ns, self._clogged_ns.get((source, target), 0))

    def heal_everything(self) -> None:
        """Every link is whole again, as it was made."""
        self._cut.clear()
        self._clogged_ns.clear()
        self.links.clear()

    def reaches(self, source: int, target: int) -> bool:
        return (source, target) not in self._cut

    def dials(self, source: int, target: int) -> bool:
        """Whether a host can open a connection to another one."""
        joined = (source, target) not in self._cut and (target, source) not in self._cut
        return joined and target not in self.hidden

    @property
    def copies(self) -> bool:
        """Whether a datagram may arrive more than once."""
        return bool(self.model.duplicate or self.model.replay or self.links)

    def datagram(
        self, source: int, target: int, size_bytes: int, arrive: Callable[..., None], *given: object
    ) -> None:
        """Send one datagram; `arrive` is called unless it is lost, and twice if it is doubled."""
        self.datagrams += 1
        self.bytes += size_bytes
        key = (source, target)
        link = self.links.get(key, self.model) if self.links else self.model
        rng = self._generators.get(source) or self._generator(source)
        if (link.loss and rng.random() < link.loss) or key in self._cut or target in self.hidden:
            self.damage.lost += 1
            return
        delay_s = link.latency_s
        if link.jitter_s:  # as `_delay_s` does, without a call for each of millions
            delay_s -= log(1.0 - rng.random()) * link.jitter_s
        if self._clogged_ns:
            delay_s += self._clogged_s(key)
        if link.corrupt and rng.random() < link.corrupt:
            self.damage.corrupted += 1
            return
        now_ns = self.engine.now_ns
        waiting_s = self._wait_s(key, link, size_bytes, now_ns)
        if waiting_s > link.queue_s:
            self.damage.overflown += 1
            return
        if link.reorder and rng.random() < link.reorder:
            self.damage.held_back += 1
            delay_s += rng.uniform(0.0, REORDER_S)
        self.engine.at_ns(now_ns + round((delay_s + waiting_s) * NANOSECONDS), arrive, *given)
        if link.duplicate or link.replay:
            self._again(key, link, rng, lambda: arrive(*given))

    def pipe(self, source: int, target: int, size_bytes: int, arrive: Callable[..., None], *given: object) -> None:
        """Send bytes on an ordered session; they arrive after those sent before."""
        self.bytes += size_bytes
        link, key = self.links.get((source, target), self.model), (source, target)
        rng = self._generator(source)
        delay_s = self._delay_s(key, link, rng) + self._wait_s(key, link, size_bytes, self.engine.now_ns)
        pause_s = RETRANSMISSION_S
        while link.loss and pause_s < RETRANSMISSION_S_MAX and rng.random() < link.loss:
            delay_s += pause_s
            pause_s *= 2
        arrival_ns = max(self.engine.now_ns + round(delay_s * NANOSECONDS), self._last_ns.get(key, 0) + 1)
        self._last_ns[key] = arrival_ns
        self.engine.at_ns(arrival_ns, arrive, *given)

    def delay_s(self, source: int, target: int) -> float:
        """How long a small piece takes now."""
        key = (source, target)
        return self._delay_s(key, self.link(source, target), self._generator(source))

    def _delay_s(self, key: Link, link: LinkModel, rng: Random) -> float:
        delay_s = link.latency_s
        if link.jitter_s:
            delay_s -= log(1.0 - rng.random()) * link.jitter_s
        if self._clogged_ns:
            delay_s += self._clogged_s(key)
        return delay_s

    def _clogged_s(self, key: Link) -> float:
        return max(0, self._clogged_ns.get(key, 0) - self.engine.now_ns) / NANOSECONDS

    def _wait_s(self, key: Link, link: LinkModel, size_bytes: int, now_ns: int) -> float:
        """Until the last byte is on the link, behind what was sent before."""
        begins_ns = self._busy_ns.get(key, 0)
        if begins_ns < now_ns:
            begins_ns = now_ns
        ends_ns = begins_ns + round(size_bytes / link.bandwidth_bytes_per_s * NANOSECONDS)
        if ends_ns - now_ns <= link.queue_s * NANOSECONDS:  # what is dropped keeps nobody waiting
            self._busy_ns[key] = ends_ns
            if len(self._busy_ns) >= self._sweep_at:
                self._sweep(now_ns)
        return (ends_ns - now_ns) / NANOSECONDS

    def _sweep(self, now_ns: int) -> None:
        """Forget instants that have passed: else there are two for every pair of hosts in the end."""
        self._busy_ns = {key: until_ns for key, until_ns in self._busy_ns.items() if until_ns > now_ns}
        self._last_ns = {key: until_ns for key, until_ns in self._last_ns.items() if until_ns > now_ns}
        self._sweep_at = max(SWEEP_MIN, 2 * len(self._busy_ns))

    def _again(self, key: Link, link: LinkModel, rng: Random, arrive: Callable[[], None]) -> None:
        """The same datagram once more, or one of those that somebody has recorded."""
        if rng.random() < link.duplicate:
            self.damage.doubled += 1
            self.engine.after(self._delay_s(key, link, rng), arrive)
        if not link.replay:
            return
        recorded = self._recorded.setdefault(key, [])
        if rng.random() < link.replay and recorded:
            self.damage.replayed += 1
            self.engine.after(rng.uniform(0.0, REPLAY_S_MAX), rng.choice(recorded))
        if len(recorded) < RECORDED_MAX:
            recorded.append(arrive)
        else:
            recorded[rng.randrange(RECORDED_MAX)] = arrive

    def _generator(self, source: int) -> Random:
        generator = self._generators.get(source)
        if generator is None:
            generator = self._generators[source] = self.engine.generator(f"net/{source}")
        return generator
