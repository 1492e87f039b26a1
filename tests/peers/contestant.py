"""Contestant: who is measured, what program plays for them, and what is to be known of them."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from ..borders import ROOT
from .environment import INSTALLED, PYTHON

HERE = Path(__file__).parent

EVERY_GAME = ("W1", "W2", "W3", "W4", "W5", "W6", "W7")
LOST_NODES = ("W7k", "W7f")
"""Only who has nodes can lose one."""


class Kind(Enum):
    OURS = "ours"
    PEER = "peer"
    """What somebody would take instead."""
    FLOOR = "floor"
    """What the machine allows to programs that promise nothing of what pnode promises."""


@dataclass(frozen=True, slots=True)
class Contestant:
    name: str
    kind: Kind
    commands: Mapping[str, tuple[str, ...]]
    """For each workload that it plays: the program, to which a turn adds its own words."""
    search: Path
    """Where that program's modules are."""
    promise: str
    """How it is set up here, and what it guarantees."""
    requirements: tuple[str, ...] = ()
    """What the peers' environment needs for it, as pip names it; the first one's version is told."""
    programs: Mapping[str, str] = field(default_factory=dict)
    """What has to be on the machine: how it comes there."""


def _ours(name: str, replicas: str, promise: str, games: Iterable[str]) -> Contestant:
    command = (str(INSTALLED), "-m", "tests.peers.ourselves", replicas)
    return Contestant(name, Kind.OURS, {game: (*command, game) for game in games}, ROOT, promise)


def _peer(
    name: str,
    module: str,
    promise: str,
    requirements: tuple[str, ...],
    programs: Mapping[str, str] | None = None,
    games: Iterable[str] = EVERY_GAME,
) -> Contestant:
    commands = {game: (str(PYTHON), "-m", f"players.{module}", game) for game in games}
    return Contestant(name, Kind.PEER, commands, HERE, promise, requirements, programs or {})


def _floor(name: str, module: str, promise: str, games: Mapping[str, str]) -> Contestant:
    commands = {game: (sys.executable, "-m", f"players.{module}", played) for game, played in games.items()}
    return Contestant(name, Kind.FLOOR, commands, HERE, promise)


DEFAULTS = _ours(
    "pnode",
    "default",
    "two nodes, defaults: every statement signed, every way encrypted, the job's ledger, inputs and results kept by "
    "up to three guardians (here there is one other node), journals on disk",
    (*EVERY_GAME, *LOST_NODES, "W8"),
)
LIGHT = _ours(
    "pnode, 1 replica",
    "1",
    "the same with one guardian asked for (of two nodes, that is the same other node)",
    ("W1", "W2", "W3", "W4", "W5"),
)

CONTESTANTS = (
    DEFAULTS,
    LIGHT,
    _peer(
        "Dask",
        "with_dask",
        "a scheduler and two workers with a nanny each; nothing signed, kept twice or on disk; without the scheduler "
        "everything is lost",
        ("distributed", "dask"),
    ),
    _peer(
        "Ray",
        "with_ray",
        "two nodes with an object store each; nothing signed, kept twice or on disk; results are computed again from "
        "what they came from, without the head node everything is lost",
        ("ray",),
        games=(*EVERY_GAME, *LOST_NODES),
    ),
    _peer(
        "Celery + Redis",
        "with_celery",
        "two workers of one process, Redis as broker and for results; nothing signed or kept twice; a task whose "
        "worker is killed is lost",
        ("celery[redis]",),
        {"redis-server": "apt install redis-server"},
        games=("W1", "W2", "W3", "W4", "W5", "W6"),
    ),
    _peer(
        "Parsl",
        "with_parsl",
        "a high-throughput executor with two workers, which places tasks itself; nothing signed, kept twice or on "
        "disk; values pass through the client, without which everything is lost",
        ("parsl",),
    ),
    _peer(
        "HyperQueue",
        "with_hyperqueue",
        "a server and two workers for programs (so in W1, too); encrypted, nothing kept twice; no journal by default",
        ("hyperqueue",),
        {"hq": "see the releases of HyperQueue"},
        games=("W1", "W5", "W6"),
    ),
    _floor(
        "ProcessPoolExecutor",
        "with_pool",
        "two processes of the standard library on one machine; a killed worker or client is the end of all",
        {game: game for game in ("W1", "W2", "W3", "W5")},
    ),
    _floor("make", "with_programs", "programs, two at once", {"W2": "make-W2", "W3": "make-W3"}),
    _floor("xargs -P2", "with_programs", "programs, two at once", {"W5": "xargs-W5"}),
    _floor("posix_spawn", "with_programs", "a loop that starts a program and waits for it", {"W5": "loop-W5"}),
    _floor("cp", "with_programs", "a file copied 20 times", {"W4": "cp-W4"}),
    _floor(
        "sendfile",
        "with_programs",
        "a file sent over loopback into a new file 20 times, neither encrypted nor verified",
        {"W4": "sendfile-W4"},
    ),
)
