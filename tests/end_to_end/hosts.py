"""Hosts: nodes as a person has them, started and asked through the command line and nothing else."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil

from pnode.node.api import Invitation, JobDetail, JobStatus, NodeStatus, PeerStatus, Submitted
from pnode.node.home import inhabitant
from pnode.node.plain import from_plain

T = TypeVar("T")

PNODE = Path(sys.executable).with_name("pnode")
"""The command that was installed together with the packages under test."""

COMMAND_S_MAX = 60.0
"""No command of these tests takes a tenth of that on an idle machine."""

STOP_S_MAX = 10.0
"""From SIGTERM to SIGKILL, for all nodes of a test together."""

LOOPBACK = ("--listen", "127.0.0.1", "--cores", 1)
"""One core each, so that a few tasks are enough to need more than one node."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    status: int
    out: str
    err: str

    def complaint(self) -> str:
        """What a person is told who did something in vain: one line, and an exit status that says so."""
        assert self.status in (1, 2), self
        assert self.err.startswith("pnode: "), self
        assert self.err.count("\n") == 1, self
        assert "mistake in pnode" not in self.err, self
        assert not self.out, self
        return self.err.strip().removeprefix("pnode: ")


def pnode(*words: object, cwd: Path, environment: Mapping[str, str] | None = None) -> Ran:
    """Run one command to its end. Raises TimeoutExpired."""
    done = subprocess.run(
        [PNODE, *map(str, words)],
        cwd=cwd,
        env=None if environment is None else dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_S_MAX,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def eventually(find: Callable[[], T | None], what: str, timeout_s: float = 30.0) -> T:
    """The first value of `find` that is true."""
    deadline = time.monotonic() + timeout_s
    while not (found := find()):
        assert time.monotonic() < deadline, f"after {timeout_s:g} s there is still no {what}"
        time.sleep(0.1)
    return found


class Host:
    """One machine, for all that its user can tell: a home, and perhaps a node that lives there."""

    def __init__(self, place: Path, name: str) -> None:
        self.name = name
        self.place = place
        self.home = place / name
        self.port = 0
        self._processes: list[psutil.Process] = []

    def pnode(self, *words: object, environment: Mapping[str, str] | None = None) -> Ran:
        """Run a command for this home."""
        return pnode(*words, "--home", self.home, cwd=self.place, environment=environment)

    def done(self, *words: object) -> Ran:
        """The same for a command that must go well."""
        ran = self.pnode(*words)
        assert ran.status == 0, f"pnode {' '.join(map(str, words))} at {self.name}: {ran}"
        return ran

    def ask(self, kind: type[T], *words: object) -> T:
        """What a command prints with --json, as the value that it stands for."""
        return from_plain(kind, json.loads(self.done(*words, "--json").out))

    def start(self, *words: object, mdns: bool = False) -> NodeStatus:
        """Start the node, at the port it had before if it had one."""
        self.done(*self.start_words(*words, mdns=mdns))
        status = self.ask(NodeStatus, "status")
        self._processes.append(psutil.Process(status.pid))
        self.port = int(status.addresses[0].rpartition(":")[2])
        return status

    def stop(self) -> None:
        self.done("stop")

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start_words(self, *words: object, mdns: bool = False) -> tuple[object, ...]:
        quiet = ("--mdns",) if mdns else ("--no-mdns",)
        return ("start", "--name", self.name, *LOOPBACK, "--port", self.port, *quiet, *words)

    def fail_to_start(self, *words: object, environment: Mapping[str, str] | None = None) -> str:
        """Start the node in vain; what the user is told."""
        complaint = self.pnode(*self.start_words(*words), environment=environment).complaint()
        assert "no node is running" in self.pnode("status").complaint(), "it is left behind"
        return complaint

    def token(self, *words: object) -> str:
        return self.ask(Invitation, "token", *words).token

    def alive(self) -> set[str]:
        """The names of the nodes that are there as far as this one knows."""
        return {peer.name for peer in self.ask(tuple[PeerStatus, ...], "peers") if peer.state == "alive"}

    def wait_for(self, *names: str, timeout_s: float = 30.0) -> None:
        """Until exactly these nodes are there."""
        eventually(lambda: self.alive() == set(names), f"{self.name} that sees just {', '.join(names)}", timeout_s)

    def jobs(self) -> tuple[JobStatus, ...]:
        return self.ask(tuple[JobStatus, ...], "jobs")

    def detail(self, job: str) -> JobDetail:
        """A job as it is now."""
        return self.ask(JobDetail, "job", job)

    def submit(self, dag: Path, *inputs: Path, mapper: str = "wave-greedy") -> str:
        """Hand in a job and leave it alone; its id."""
        options = [word for path in inputs for word in ("--input", path)]
        return self.ask(Submitted, "submit", dag, *options, "--mapper", mapper).id

    def finished(self, job: str, timeout_s: float = 60.0) -> JobDetail:
        """A job once it has ended, whatever way."""
        deadline = time.monotonic() + timeout_s
        while (found := self.ask(JobDetail, "job", job)).state == "running":
            left = [(unit.task, unit.item, unit.state, unit.node) for unit in found.units if unit.state != "done"]
            assert time.monotonic() < deadline, f"after {timeout_s:g} s job {job} still waits for {left}"
            time.sleep(0.1)
        return found

    @property
    def log(self) -> str:
        return (self.home / "node.log").read_text(errors="replace")

    def kill(self) -> None:
        """What a power cut does."""
        self._processes[-1].kill()
        psutil.wait_procs(self._processes, STOP_S_MAX)

    def let_files_grow(self, size_bytes: int) -> None:
        """What a full disk does: no file of the node's process can be written beyond this size any more."""
        self._processes[-1].rlimit(psutil.RLIMIT_FSIZE, (size_bytes, size_bytes))

    def wait_for_end(self) -> None:
        """Until the node's process has ended by itself."""
        _, alive = psutil.wait_procs(self._processes[-1:], STOP_S_MAX)
        assert not alive, f"node {self.name} goes on"

    def living(self) -> list[psutil.Process]:
        """The processes that are still to be ended: also of a start that a test did not live to see."""
        living = {process.pid: process for process in self._processes if process.is_running()}
        pid = inhabitant(self.home)  # beside them: one that was stopped may be ending yet when the next has begun
        with suppress(psutil.NoSuchProcess):
            if pid:
                living.setdefault(pid, psutil.Process(pid))
        return [*living.values()]


def side_by_side(what: Callable[[Host], object], hosts: Iterable[Host]) -> None:
    """Do something at several hosts at once, and wait until it is done at all of them."""
    with ThreadPoolExecutor() as threads:
        list(threads.map(what, hosts))


class Hosts:
    """All hosts of a test, to be ended whatever becomes of it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._hosts: list[Host] = []

    def add(self, name: str) -> Host:
        """A host without a node so far."""
        host = Host(self.place, name)
        self._hosts.append(host)
        return host

    def cluster(self, *names: str) -> list[Host]:
        """Nodes that know each other; the first one has founded the cluster."""
        founder, *others = hosts = [self.add(name) for name in names]
        founder.start()
        token = founder.token() if others else ""
        side_by_side(lambda host: host.start("--token", token), others)
        side_by_side(lambda host: host.wait_for(*names), hosts)
        return hosts

    def end(self) -> None:
        """End every process of every node."""
        processes = [process for host in self._hosts for process in host.living()]
        for process in processes:
            process.terminate()
        _, stubborn = psutil.wait_procs(processes, STOP_S_MAX)
        for process in stubborn:
            process.kill()
        psutil.wait_procs(stubborn, STOP_S_MAX)
