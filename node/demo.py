"""The demo: a DAG on a throw-away cluster of real nodes on this machine.

Every node is a process with its own home and key that listens on the loopback only. However the demo ends, its nodes
end with it: it stops them, and should it be killed they stop by themselves, since their standard input ends then.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from pnode.profilers.speed import speed_index
from pnode.protocol.values import dataclass, field

from .answers import write_pulled
from .api import ApiError, JobDetail, NodeStatus, PeerStatus, Pulled
from .commands import NodeClient
from .follow import follow_job
from .home import log_file
from .jobtext import write_failures
from .launch import (
    SERVICE,
    LaunchError,
    NodeOptions,
    end_process,
    interrupted_by_signals,
    spawn,
    uninterrupted,
    wait_until_ready,
)
from .terminal import Column, Listing, clean, clean_lines, count_text, seconds_text, show_listing

NAMES = (
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu",
    "nu", "xi", "omicron", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega",
)  # fmt: skip

EXAMPLE = Path(__file__).parents[1] / "examples" / "stdlib" / "dag.txt"
"""Only there when pnode runs from its source tree."""

INPUT_S_MAX = 60.0
ACQUAINTED_S_MAX = 10.0
"""For the nodes to know each other's load and delay. First figures come within a few seconds; a mapping without them
is only worse, so this is no failure."""

STOP_S_MAX = 8.0
"""For all nodes together to stop in order, before they are ended."""

POLL_S = 0.1
TOKEN_HOURS = 1.0
RESULT_LINES = 40
RESULT_BYTES = 16_384
"""Of a result that is shown; the rest is in its file."""


class DemoError(Exception):
    """The demo cannot begin; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """What a person can choose about a demo."""

    dag: Path | None
    """None for the example in pnode's source tree."""
    nodes: int
    inputs: tuple[Path, ...]
    mapper: str
    output: Path | None
    """None for `./pnode-JOB/`."""
    keep: bool
    """Leave the homes of the nodes, with their logs."""
    speeds: tuple[float, ...] = ()
    """At which shares of this machine's speed the nodes let tasks run, in turn; at its own if there are none."""


def run_demo(settings: DemoSettings, out: TextIO, service: tuple[str, ...] = SERVICE) -> int:
    """Run a DAG from nothing to its results; the exit status is the job's.

    Raises DemoError, ApplicationError, HomeError, LaunchError or ApiError; no process is left in any case.
    """
    from .application import load_application

    dag = _dag(settings)
    with interrupted_by_signals(), _workplace(settings.keep, out) as place:
        inputs = settings.inputs or _made_input(dag, place, out)
        load_application(dag, inputs)
        with LocalCluster(place, settings.nodes, out, service, settings.speeds) as cluster:
            return _run_job(cluster, settings, dag, inputs, out)


def _dag(settings: DemoSettings) -> Path:
    dag = settings.dag or EXAMPLE
    if not dag.exists():
        raise DemoError(
            "the example is not installed with pnode: name a DAG ('pnode demo dag.txt'), or in a clone of pnode's"
            " sources run 'pnode demo examples/stdlib'"
        )
    return dag.absolute()


@contextmanager
def _workplace(keep: bool, out: TextIO) -> Iterator[Path]:
    """A directory for the homes of all nodes."""
    place = Path(tempfile.mkdtemp(prefix="pnode-demo-"))
    try:
        yield place
    finally:
        if keep:
            out.write(f"the homes of the nodes are kept in {place}\n")
        else:
            shutil.rmtree(place, ignore_errors=True)


def _made_input(dag: Path, place: Path, out: TextIO) -> tuple[Path, ...]:
    """What the application's own script makes as its input, nothing if it has none. Raises DemoError."""
    from .inputs import INPUT_MAKER

    maker = dag.with_name(INPUT_MAKER)
    if not os.access(maker, os.X_OK):
        return ()
    _say(out, f"making the input with {maker}")
    target = place / "input"
    target.mkdir()
    command = [sys.executable, str(maker), str(target)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INPUT_S_MAX)  # noqa: S603
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or [f"exit status {error.returncode}"])[-1]
        raise DemoError(f"{maker} failed: {clean(last)}; give the input with --input") from None
    except subprocess.TimeoutExpired:
        raise DemoError(f"{maker} has not ended after {INPUT_S_MAX:.0f} s; give the input with --input") from None
    return (target,)


@dataclass
class LocalCluster:
    """Nodes on this machine that know only each other, from the start to the end of a `with` block."""

    place: Path
    size: int
    out: TextIO
    service: tuple[str, ...] = SERVICE
    speeds: tuple[float, ...] = ()
    """Emulated ones, as in DemoSettings."""
    machine_speed: float | None = None
    """What was measured before any node was there, where speeds are compared: they would only measure each other."""
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    """By the names of the nodes, the founder first."""

    @property
    def founder(self) -> NodeClient:
        return NodeClient(self._home(_name(0)))

    def __enter__(self) -> "LocalCluster":
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _start(self) -> None:
        """The founder alone, then all others at once with its token."""
        began = time.monotonic()
        if self.speeds:
            self.machine_speed = speed_index()
        names = [_name(number) for number in range(self.size)]
        founded = self._await(self._spawn(names[0], None), names[0])
        _say(self.out, f"{names[0]} ({founded.id}) founded a cluster at {', '.join(founded.addresses)}")
        token = self.founder.token(TOKEN_HOURS).token if self.size > 1 else None
        joining = [(name, self._spawn(name, token)) for name in names[1:]]
        for name, process in joining:
            joined = self._await(process, name)
            _say(self.out, f"{name} ({joined.id}) joined it at {', '.join(joined.addresses)}")
        peers = self._acquainted()
        known = sum(peer.load is not None for peer in peers)
        _say(self.out, f"{count_text(known, 'node')} ready after {seconds_text(time.monotonic() - began)}")

    def _spawn(self, name: str, token: str | None) -> "subprocess.Popen[bytes]":
        cores = max(1, (os.cpu_count() or 1) // self.size)  # they share this machine, and its speed should show
        options = NodeOptions(
            self._home(name), token=token, name=name, listen="127.0.0.1", port=0, cores=cores, mdns=False,
            timing="fast", tied=True, emulated_speed=self._speed(name), machine_speed=self.machine_speed,
        )  # fmt: skip
        process = self.processes[name] = spawn(options, service=self.service)
        return process

    def _await(self, process: "subprocess.Popen[bytes]", name: str) -> NodeStatus:
        try:
            return wait_until_ready(process, self._home(name))
        except LaunchError as error:
            log = log_file(self._home(name))
            lines = log.read_text(errors="replace").splitlines()[-5:] if log.exists() else []
            raise DemoError("; ".join([f"node {name}: {error}", *lines])) from None

    def _acquainted(self) -> tuple[PeerStatus, ...]:
        """Wait until the founder, where the job is submitted, has figures of everybody."""
        deadline = time.monotonic() + ACQUAINTED_S_MAX
        while True:
            peers = self.founder.peers()
            known = [p for p in peers if p.state == "alive" and p.load and (p.this or p.delay_s is not None)]
            if len(known) >= self.size or time.monotonic() > deadline:
                return peers
            time.sleep(POLL_S)

    def _stop(self) -> None:
        """Ask all nodes to stop, wait for them, and end those that do not. A Ctrl-C waits for this."""
        if not self.processes:
            return
        with uninterrupted():
            deadline = time.monotonic() + STOP_S_MAX
            for name, process in self.processes.items():
                try:
                    NodeClient(self._home(name)).stop()
                except ApiError:  # it may be gone already, or not yet listen, and then it would not stop by itself
                    process.terminate()
            for process in self.processes.values():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, deadline - time.monotonic()))
            for process in self.processes.values():
                end_process(process)
            _say(self.out, f"{count_text(len(self.processes), 'node')} stopped")
            self.processes.clear()

    def _home(self, name: str) -> Path:
        return self.place / name

    def _speed(self, name: str) -> float:
        names = [_name(number) for number in range(self.size)]
        return self.speeds[names.index(name) % len(self.speeds)] if self.speeds else 1.0


def _name(number: int) -> str:
    return NAMES[number] if number < len(NAMES) else f"node{number + 1}"


def _run_job(cluster: LocalCluster, settings: DemoSettings, dag: Path, inputs: tuple[Path, ...], out: TextIO) -> int:
    node = cluster.founder
    began = time.monotonic()
    submitted = node.submit(dag, inputs, settings.mapper, None)
    for text in submitted.notices:
        _say(out, f"note: {text}")
    _say(out, f"submitted {dag} as job {submitted.id}, mapper {settings.mapper}")
    ended = follow_job(node.follow(submitted.id), out)
    if ended.state != "done":
        write_failures(ended, out)
        return 1
    pulled = node.pull(submitted.id, settings.output or Path.cwd() / f"pnode-{submitted.id}")
    _write_summary(ended, time.monotonic() - began, out)
    write_results(pulled, out)
    return 0


def _write_summary(job: JobDetail, total_s: float, out: TextIO) -> None:
    """Which node ran what, and what running side by side gained."""
    columns = (
        Column("node"),
        Column("tasks", number=True),
        Column("ran", number=True),
        Column("which", flexible=True),
    )
    nodes = sorted({unit.node or "-" for unit in job.units})
    rows = [_node_row(node, job) for node in nodes]
    show_listing(Listing(columns, tuple(rows)), out)
    work_s = sum(unit.seconds or 0.0 for unit in job.units)
    _say(out, f"{seconds_text(work_s)} of tasks in {seconds_text(total_s)} from submission to results")


def _node_row(node: str, job: JobDetail) -> tuple[str, ...]:
    units = [unit for unit in job.units if (unit.node or "-") == node]
    ran_s = sum(unit.seconds or 0.0 for unit in units)
    which = [f"{task} x{count}" if count > 1 else task for task, count in Counter(u.task for u in units).items()]
    return clean(node), str(len(units)), seconds_text(ran_s), clean(" ".join(which))


def write_results(pulled: Pulled, out: TextIO) -> None:
    """The beginning of every result that is text, until the screen is full; then where all of them lie."""
    room = RESULT_LINES
    for file in pulled.files:
        lines = _text_lines(file.path)
        shown = lines[:room]
        if shown:
            _say(out, f"--- {file.path.name} ---")
            out.writelines(f"{line}\n" for line in shown)
            if len(shown) < len(lines) or file.size_bytes > RESULT_BYTES:
                _say(out, "... and more, in the file")
        room -= len(shown)
    write_pulled(pulled, out)


def _text_lines(path: Path) -> list[str]:
    """The first lines of a text, nothing of anything else."""
    with path.open("rb") as file:
        beginning = file.read(RESULT_BYTES)
    if b"\0" in beginning:
        return []
    try:
        text = beginning.decode()
    except UnicodeDecodeError as error:
        if error.start < len(beginning) - 4:  # not just a letter cut in two by our limit
            return []
        text = beginning[: error.start].decode()
    return clean_lines(text).split("\n")


def _say(out: TextIO, line: str) -> None:
    out.write(f"{line}\n")
    out.flush()
