"""Machines: real node processes of which any may be lost, with all that they run, and come back.

Every node is tied to this process by its standard input: however a suite ends, its nodes end with it.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psutil

from pnode.node.api import ApiError
from pnode.node.commands import NodeClient
from pnode.node.launch import SERVICE, LaunchError, NodeOptions, Timing, end_process, spawn, wait_until_ready

T = TypeVar("T")

NAMES = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")

START_S_MAX = 60.0
"""Eight interpreters that start at once on two busy cores."""

TOGETHER_S_MAX = 90.0
"""For all to see all: a node that was dead is told so, comes back with a higher incarnation, and all hear of it."""

MACHINE_SPEED = 1.0
"""Told to every node, which would else measure only how busy the others keep the machine."""

POLL_S = 0.1


class SuiteError(Exception):
    """A round could not be played: no word about the job; the message says what was waited for."""


def eventually(find: Callable[[], T], what: str, timeout_s: float, period_s: float = POLL_S) -> T:
    """The first value of `find` that is true. Raises SuiteError."""
    deadline = time.monotonic() + timeout_s
    while not (found := find()):
        if time.monotonic() > deadline:
            raise SuiteError(f"after {timeout_s:g} s there is still no {what}")
        time.sleep(period_s)
    return found


@dataclass(eq=False, slots=True)
class Machine:
    """One machine: a home, and perhaps a node that lives there."""

    name: str
    home: Path
    timing: Timing
    host: str = "127.0.0.1"
    prefix: tuple[str, ...] = ()
    """What the node's command is put behind, to start it in a network namespace of its own."""
    inside: bool = False
    """Whether the home is mounted where only the node's own mounts show it."""
    port: int = 0
    id: str = ""
    """The node's short id."""
    key: str = ""
    """The whole of it, in hexadecimal digits."""
    process: "subprocess.Popen[bytes] | None" = None
    _stopped: list[psutil.Process] = field(default_factory=list)

    @property
    def node(self) -> NodeClient:
        """The node, to be asked."""
        if self.inside and self.process is not None:
            return NodeClient(Path(f"/proc/{self.process.pid}/root{self.home}"))
        return NodeClient(self.home)

    @property
    def up(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def launch(self, token: str | None = None) -> None:
        """Start the node and wait until it is ready. Raises LaunchError."""
        options = NodeOptions(
            self.home, token=token, name=self.name, listen=self.host, port=self.port, cores=1, mdns=False,
            timing=self.timing, tied=True, machine_speed=MACHINE_SPEED,
        )  # fmt: skip
        self.process = spawn(options, service=(*self.prefix, *SERVICE))
        if self.inside:
            eventually(self._answers, f"answer of {self.name}", START_S_MAX)
        status = self.node.status() if self.inside else wait_until_ready(self.process, self.home, START_S_MAX)
        self.id, self.key = status.id, status.key
        self.port = int(status.addresses[0].rpartition(":")[2])

    def _answers(self) -> bool:
        if not self.up:
            raise SuiteError(f"the node of {self.name} ended: see {self.home.with_suffix('.log')}")
        try:
            return self.node.status().state == "ready"
        except ApiError:
            return False

    def kill(self) -> float:
        """What a power cut does, to the node and to all that it runs; when it was done."""
        processes = self._tree()
        at_s = time.time()
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._reap()
        return at_s

    def pause(self) -> float:
        """What closing the lid of a laptop does; when it was done."""
        self._stopped = self._tree()
        at_s = time.time()
        for process in self._stopped:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()
        return at_s

    def resume(self) -> float:
        at_s = time.time()
        for process in self._stopped:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()
        self._stopped = []
        return at_s

    def end(self) -> None:
        """End the node, whatever state it is in, and what it runs."""
        self.resume()
        tree = self._tree()
        if self.process is not None:
            end_process(self.process)
            self.process = None
        for process in tree:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def _tree(self) -> list[psutil.Process]:
        """The node's process and those that it has started, the node first."""
        if self.process is None or self.process.poll() is not None:
            return []
        try:
            node = psutil.Process(self.process.pid)
            return [node, *node.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _reap(self) -> None:
        if self.process is not None:
            if self.process.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    self.process.stdin.close()
            self.process.wait(START_S_MAX)
            self.process = None


@dataclass(slots=True)
class Machines:
    """The machines of a cluster, the founder first."""

    place: Path
    machines: list[Machine]

    def __iter__(self) -> Iterator[Machine]:
        return iter(self.machines)

    def __getitem__(self, number: int) -> Machine:
        return self.machines[number]

    @property
    def up(self) -> list[Machine]:
        return [machine for machine in self.machines if machine.up]

    def by_id(self, id_: str) -> Machine:
        return next(machine for machine in self.machines if machine.id == id_)

    def found(self) -> None:
        """Start all nodes for the first time."""
        founder, *others = self.machines
        founder.launch()
        token = founder.node.token(24.0).token
        side_by_side(lambda machine: machine.launch(token), others)
        self.wait_until_together()

    def revive(self) -> None:
        """Start every node again that is down, as it was."""
        side_by_side(Machine.launch, [machine for machine in self.machines if not machine.up])
        self.wait_until_together()

    def wait_until_together(self) -> None:
        """Until every node sees every other alive, and has heard of its load. Raises SuiteError."""
        eventually(self._are_together, "cluster in which all see all", TOGETHER_S_MAX)

    def _are_together(self) -> bool:
        up = self.up
        try:
            return all(
                sum(peer.state == "alive" and peer.load is not None for peer in machine.node.peers()) == len(up)
                for machine in up
            )
        except ApiError:
            return False

    def end(self) -> None:
        side_by_side(Machine.end, self.machines)


def side_by_side(what: Callable[[Machine], object], machines: Iterable[Machine]) -> None:
    """Do something at several machines at once, and wait until it is done at all of them."""
    machines = list(machines)
    with ThreadPoolExecutor(max(1, len(machines))) as threads:  # else as many as there are cores, and four
        list(threads.map(what, machines))


@contextlib.contextmanager
def workplace(*, keep: bool = False) -> Iterator[Path]:
    """A directory for homes and results; its name is short, since a socket's name has 103 bytes."""
    place = Path(tempfile.mkdtemp(prefix=f"chaos-{os.getpid()}-", dir="/tmp"))
    try:
        yield place
    finally:
        if keep:
            print(f"# the homes of the nodes are kept in {place}", flush=True)
        else:
            shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def cluster(place: Path, timing: Timing, names: Sequence[str] = NAMES) -> Iterator[Machines]:
    """Nodes on the loopback interface that know each other. Raises LaunchError or SuiteError."""
    homes = Path(tempfile.mkdtemp(prefix="h", dir=place))
    machines = Machines(homes, [Machine(name, homes / name, timing) for name in names])
    with ended(machines):
        machines.found()
        yield machines


@contextlib.contextmanager
def ended(machines: Machines) -> Iterator[None]:
    """Whatever becomes of the block, SIGTERM included: no process of these machines is left."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        machines.end()
        signal.signal(signal.SIGTERM, before)


__all__ = ["LaunchError", "Machine", "Machines", "SuiteError", "cluster", "eventually", "side_by_side", "workplace"]
