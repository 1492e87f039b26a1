"""A membership study: what is asked of a simulated cluster, and what was seen in it.

Clusters of real `Peer` cores without jobs, on virtual time. One *course* is one cluster under one seed, which goes
through the *stages* in their order; what happens in each is kept as plain observations, from which
`membership_figures` works the figures out.

    start    all nodes are switched on at once and know one address, that of the first
    quiet    nothing happens, and nobody has figures of load: what membership costs by itself
    join     one more node comes
    crash    one of the nodes loses its power, and comes back; five times, another one each time
    idle     nothing happens, and all nodes look at their load, which never changes
    busy     the queue of every node changes every second, so that all of them have news of it all the time
    stalls   some of the nodes do not run for two seconds, again and again
    loss     the network loses datagrams
"""

from enum import Enum

from pnode.protocol.membership_settings import MembershipSettings
from pnode.protocol.roster import State
from pnode.protocol.values import dataclass, field

TIMINGS = {
    "lan": MembershipSettings.lan,
    "wan": MembershipSettings.wan,
    "fast": MembershipSettings.fast,
}
"""Profiles by name."""


class Stage(Enum):
    """What a course goes through."""

    START = "start"
    QUIET = "quiet"
    JOIN = "join"
    CRASH = "crash"
    IDLE = "idle"
    BUSY = "busy"
    STALLS = "stalls"
    LOSS = "loss"


@dataclass(frozen=True, slots=True)
class Conditions:
    """Under what a cluster is looked at."""

    nodes: int
    seed: int
    timing: str = "lan"
    """One of TIMINGS."""
    minutes: float = 10.0
    """How long each of the stages `stalls` and `loss` lasts, in virtual time."""
    loss: float = 0.05
    """Share of datagrams lost in the stage `loss`."""
    stalls: float = 0.1
    """Share of the nodes that stall in the stage `stalls`."""
    stages: tuple[Stage, ...] = tuple(Stage)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A node's view of another has changed."""

    at_s: float
    observer: int
    """Number of a host."""
    subject: int
    """Number of a host."""
    state: State | None
    """What the subject is to the observer from now on; None: nobody that it knows."""


@dataclass(frozen=True, slots=True)
class Episode:
    """Something happened to one node, and this is what the others made of it."""

    began_s: float
    subject: int
    others: int
    """How many other nodes were up all the time."""
    sightings: tuple[Sighting, ...]
    """Of the subject, by others, in order of time."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What all nodes together sent within a time, and what it took to simulate it."""

    seconds: float
    """Virtual ones."""
    nodes: int
    datagrams: int
    bytes: int
    """Datagrams with their seals, and frames of sessions; without the headers of IP, UDP and TCP."""
    cpu_s: float = field(compare=False)
    """Of this process: never the same twice."""
    alone_cpu_s: tuple[float, ...] = field(default=(), compare=False)
    """What some of the nodes take by themselves, when all of it happens to each of them once more."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What some of the nodes knew of all others' loads, looked at again and again."""

    ages_s: tuple[float, ...]
    """Of every figure that was held, by the clock of who held it: every hop counts how long it kept it, and what a
    datagram takes is not in it."""
    missing: int
    """Living members of whom no figure was held, summed over the looks."""
    looks: int
    """How often some node was looked at."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A time of hardship, in which no node died."""

    seconds: float
    sightings: tuple[Sighting, ...]
    """Of anybody, by anybody, in order of time."""
    stalls: int = 0
    """How often some node did not run."""


@dataclass(slots=True)
class Observations:
    """Of one course; None, or nothing, for stages that it did not go through."""

    conditions: Conditions
    started_s: float | None = None
    """From switching on until everybody knew everybody; None also when that took too long."""
    join: Episode | None = None
    crashes: list[Episode] = field(default_factory=list)
    quiet: Traffic | None = None
    idle: Traffic | None = None
    busy: Traffic | None = None
    holding: Holding | None = None
    stalls: Trial | None = None
    loss: Trial | None = None
