"""Faults: what goes wrong in a run, when, and to whom, as plain values.

A schedule of faults is drawn before anything runs. So it can be printed, run again without some of its faults, and
shortened to those that matter; and what one fault does never changes when the next will come.
"""

import math
from collections.abc import Callable
from enum import Enum
from random import Random

from pnode.protocol.values import dataclass

FOR_EVER = math.inf


class Kind(Enum):
    """What can go wrong. The value is what it is called."""

    CRASH = "crash"
    """The process dies; its machine closes its sessions, and what it wrote is safe."""
    POWER = "power"
    """The machine goes off without a word; of its last writes a prefix survives."""
    WIPE = "wipe"
    """The same, and the disk is new when it comes back. It is who it was."""
    BACKUP = "backup"
    """The same, and it starts from what its disk held `amount` seconds before."""
    PAUSE = "pause"
    """The process is stopped (SIGSTOP), then everything that happened meanwhile happens at once."""
    SLOW = "slow"
    """Everything takes `amount` times as long on the machine."""
    DRIFT = "drift"
    """The clock gains `amount` seconds per second."""
    SLOW_DISK = "slow disk"
    """A commit takes `amount` seconds."""
    FULL_DISK = "full disk"
    """The disk takes no more content."""
    CUT = "cut"
    """Nothing passes between `hosts` and `others`."""
    CUT_ONE_WAY = "one-way cut"
    """Nothing passes from `hosts` to `others`; the other way is open."""
    CLOG = "clog"
    """What is sent between `hosts` and `others` arrives when it is over."""
    BAD_LINK = "bad link"
    """The share `amount` of all datagrams between `hosts` and `others` is lost."""
    RESET = "reset"
    """Sessions between `hosts` and `others` break: a frame was damaged."""
    MOVE = "move"
    """The machine has another address from now on; of several each has that of the next one."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong."""

    at_s: float
    """Since the run began."""
    kind: Kind
    hosts: tuple[int, ...]
    for_s: float = 0.0
    """How long it lasts, or until a machine that went off comes back; FOR_EVER if it does not."""
    others: tuple[int, ...] = ()
    amount: float = 0.0

    def __str__(self) -> str:
        whom = _names(self.hosts) + (f" | {_names(self.others)}" if self.others else "")
        amount = f" {self.amount:.3g}" if self.amount else ""
        if self.kind in (Kind.RESET, Kind.MOVE):
            return f"{self.at_s:7.2f} s  {self.kind.value} {whom}"
        span = "for ever" if self.for_s == FOR_EVER else f"for {self.for_s:.2f} s"
        return f"{self.at_s:7.2f} s  {self.kind.value}{amount} {whom} {span}"


def _names(hosts: tuple[int, ...]) -> str:
    return " ".join(f"n{host}" for host in hosts)


@dataclass(frozen=True, slots=True)
class Season:
    """When faults may come, and who may be hit."""

    hosts: int
    seconds: float
    survivors: tuple[int, ...]
    """Machines that are never lost for good."""


Trouble = Callable[[Season, Random], list[Fault]]
"""Draws what belongs to one trouble."""


def draw(kind: str, season: Season, rng: Random) -> list[Fault]:
    """One trouble of a kind of `TROUBLES`: a fault, or several that belong together."""
    return TROUBLES[kind](season, rng)


def _when(season: Season, rng: Random) -> float:
    return rng.uniform(0.0, season.seconds)


def _span(rng: Random) -> float:
    """Shorter than any suspicion, about as long as one, or much longer."""
    return rng.choice((rng.uniform(0.05, 2.0), rng.uniform(2.0, 12.0), rng.uniform(12.0, 40.0)))


def _some(season: Season, rng: Random, count_max: int | None = None) -> tuple[int, ...]:
    count = rng.randint(1, min(count_max or season.hosts, season.hosts))
    return tuple(sorted(rng.sample(range(season.hosts), count)))


def _rest(season: Season, hosts: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(host for host in range(season.hosts) if host not in hosts)


def _off(kind: Kind) -> Trouble:
    """One or a few machines go off, and come back."""

    def trouble(season: Season, rng: Random) -> list[Fault]:
        age_s = rng.uniform(5.0, 3600.0) if kind is Kind.BACKUP else 0.0
        at_s = _when(season, rng)
        hosts = _some(season, rng, rng.choice((1, 1, 1, 3)))
        return [Fault(at_s + rng.choice((0.0, rng.random())), kind, (host,), _span(rng), (), age_s) for host in hosts]

    return trouble


def _lost(season: Season, rng: Random) -> list[Fault]:
    """Machines that never come back, one or several at nearly the same moment."""
    mortal = [host for host in range(season.hosts) if host not in season.survivors]
    if not mortal:
        return []
    victims = rng.sample(mortal, min(len(mortal), rng.choice((1, 1, 2, 3))))
    at_s, kind = _when(season, rng), rng.choice((Kind.CRASH, Kind.POWER))
    return [Fault(at_s + rng.choice((0.0, rng.uniform(0.0, 3.0))), kind, (host,), FOR_EVER) for host in victims]


def _blackout(season: Season, rng: Random) -> list[Fault]:
    """All at once."""
    at_s, kind = _when(season, rng), rng.choice((Kind.CRASH, Kind.POWER))
    return [Fault(at_s, kind, (host,), rng.uniform(0.01, 15.0)) for host in range(season.hosts)]


def _rolling(season: Season, rng: Random) -> list[Fault]:
    """One after the other, as an administrator does it."""
    at_s, pause_s = _when(season, rng), rng.uniform(0.5, 8.0)
    order = rng.sample(range(season.hosts), season.hosts)
    return [
        Fault(at_s + number * pause_s, Kind.CRASH, (host,), rng.uniform(0.1, pause_s))
        for number, host in enumerate(order)
    ]


def _state(kind: Kind, low: float, high: float, hosts_max: int = 3) -> Trouble:
    """Something about a few machines is different for a while."""

    def trouble(season: Season, rng: Random) -> list[Fault]:
        amount = low * (high / low) ** rng.random() if low else 0.0
        return [Fault(_when(season, rng), kind, _some(season, rng, hosts_max), _span(rng), (), amount)]

    return trouble


def _drift(season: Season, rng: Random) -> list[Fault]:
    amount = rng.choice((-1, 1)) * rng.choice((1e-5, 1e-3, 2e-2))
    return [Fault(_when(season, rng), Kind.DRIFT, _some(season, rng), _span(rng), (), amount)]


def _partition(season: Season, rng: Random) -> list[Fault]:
    """In two parts, of any sizes; or one machine from all others; perhaps in one direction only."""
    size = rng.choice((1, 1, season.hosts // 2, rng.randint(1, season.hosts - 1)))
    part = tuple(sorted(rng.sample(range(season.hosts), max(1, size))))
    kind = rng.choice((Kind.CUT, Kind.CUT, Kind.CUT_ONE_WAY))
    sides = (part, _rest(season, part))
    ours, theirs = sides if rng.random() < 0.5 else sides[::-1]
    return [Fault(_when(season, rng), kind, ours, _span(rng), theirs)]


def _ring(season: Season, rng: Random) -> list[Fault]:
    """Everybody reaches its neighbours on a ring, a majority, and no two the same ones."""
    order = rng.sample(range(season.hosts), season.hosts)
    reach = season.hosts // 4 + 1
    at_s, for_s = _when(season, rng), _span(rng)
    faults = []
    for place, host in enumerate(order):
        far = tuple(order[(place + step) % season.hosts] for step in range(reach + 1, season.hosts - reach))
        later = tuple(sorted(other for other in far if other > host))
        if later:
            faults.append(Fault(at_s, Kind.CUT, (host,), for_s, later))
    return faults


def _bridge(season: Season, rng: Random) -> list[Fault]:
    """Two halves that only one machine reaches both of."""
    order = rng.sample(range(season.hosts), season.hosts)
    middle = season.hosts // 2
    one, two = tuple(sorted(order[:middle])), tuple(sorted(order[middle + 1 :]))
    return [Fault(_when(season, rng), Kind.CUT, one, _span(rng), two)] if one and two else []


def _flapping(season: Season, rng: Random) -> list[Fault]:
    """A link, or all links of a machine, come and go."""
    host = rng.randrange(season.hosts)
    others = _rest(season, (host,))
    if rng.random() < 0.5:
        others = (rng.choice(others),)
    at_s, period_s = _when(season, rng), rng.choice((0.3, 1.0, 5.0))
    kind = rng.choice((Kind.CUT, Kind.CUT_ONE_WAY))
    return [Fault(at_s + turn * period_s, kind, (host,), period_s / 2, others) for turn in range(rng.randint(3, 8))]


def _swizzle(season: Season, rng: Random) -> list[Fault]:
    """FoundationDB's swizzle-clogging (Zhou et al., SIGMOD 2021): machines are clogged one by one, and opened one by
    one in another order."""
    hosts = rng.sample(range(season.hosts), rng.randint(1, season.hosts))
    at_s, pause_s = _when(season, rng), rng.uniform(0.1, 3.0)
    ends = rng.sample(range(len(hosts)), len(hosts))
    faults = []
    for begin, (host, end) in enumerate(zip(hosts, ends, strict=True)):
        for_s = (len(hosts) + end - begin + 1) * pause_s
        faults.append(Fault(at_s + begin * pause_s, Kind.CLOG, (host,), for_s, _rest(season, (host,))))
    return faults


def _link(kind: Kind, low: float, high: float) -> Trouble:
    """Something about the links of some machines."""

    def trouble(season: Season, rng: Random) -> list[Fault]:
        host = rng.randrange(season.hosts)
        others = _rest(season, (host,))
        if rng.random() < 0.5:
            others = tuple(sorted(rng.sample(others, rng.randint(1, len(others)))))
        amount = rng.uniform(low, high)
        for_s = 0.0 if kind is Kind.RESET else _span(rng)
        return [Fault(_when(season, rng), kind, (host,), for_s, others, amount)]

    return trouble


def _move(season: Season, rng: Random) -> list[Fault]:
    """One machine gets an address that is new, or two change theirs. Never those by which everybody could find the
    others again if two had moved who were apart."""
    mobile = [host for host in range(season.hosts) if host not in season.survivors]
    if not mobile:
        return []
    hosts = rng.sample(mobile, min(len(mobile), rng.choice((1, 1, 2))))
    return [Fault(_when(season, rng), Kind.MOVE, tuple(hosts))]


TROUBLES: dict[str, Trouble] = {
    "crash": _off(Kind.CRASH),
    "power": _off(Kind.POWER),
    "wipe": _off(Kind.WIPE),
    "backup": _off(Kind.BACKUP),
    "lost": _lost,
    "blackout": _blackout,
    "rolling": _rolling,
    "pause": _state(Kind.PAUSE, 0.0, 0.0),
    "slow": _state(Kind.SLOW, 2.0, 60.0),
    "drift": _drift,
    "slow disk": _state(Kind.SLOW_DISK, 0.02, 3.0, 8),
    "full disk": _state(Kind.FULL_DISK, 0.0, 0.0, 2),
    "partition": _partition,
    "ring": _ring,
    "bridge": _bridge,
    "flapping": _flapping,
    "clog": _link(Kind.CLOG, 0.0, 0.0),
    "swizzle": _swizzle,
    "bad link": _link(Kind.BAD_LINK, 0.1, 0.9),
    "reset": _link(Kind.RESET, 0.0, 0.0),
    "move": _move,
}
"""What a seed draws from, by name."""
