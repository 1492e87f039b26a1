"""Starting a node as a process of its own and ending it again.

The process is told what it needs on its standard input, one line of JSON (`NodeOptions`): a token on a command line
could be read by everybody on the machine. It answers through its home: `report_failure` leaves the reason behind
before it ends, `report_ready` takes an old one away, and in between its control socket tells how far it is.
"""

import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Literal

from pnode.protocol.values import dataclass

from .home import failure_file, inhabitant, last_failure, log_file, prepare_home
from .installation import DISTRIBUTION, version
from .plain import from_plain, to_plain

if TYPE_CHECKING:  # the commands' side is loaded while the node's process, which loads this module, too, is loading
    from .api import NodeStatus

SERVICE = (sys.executable, "-P", "-m", "pnode.node.begin")
"""-P: a directory called `pnode` where the user happens to be must not be taken for ours."""

READY_S_MAX = 20.0
"""A slow machine needs 3 s to import everything; joining gives up on silent addresses after some 10 s."""

TAKE_UP_S_MAX = 900.0
"""A node takes up what its journal holds before it does anything else, and answers nobody meanwhile: some 100 us for
each unit of a job, so this is far more than there is room for in memory."""

STOP_S_MAX = 20.0
"""A node that stops ends its tasks, says goodbye and closes its store: a few seconds."""

TERMINATE_S_MAX = 3.0
"""From SIGTERM to SIGKILL."""

POLL_S = 0.005
LOG_BYTES_MAX = 10_000_000
"""A longer log becomes `node.log.1` at the next start, in place of the one before it."""

FAILURE_BYTES_MAX = 4096
"""A block of most file systems."""

Timing = Literal["lan", "wan", "fast"]
"""Which set of periods and timeouts: for one site, for several, for trying things out on one machine."""

ALL_INTERFACES = "all"
"""What a person says for `listen` to take back an address given at an earlier start."""


class LaunchError(Exception):
    """The node did not start, or does not stop; the message says why and what to do, in one line."""


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """What a person can choose about a node when starting it; None leaves it to the node."""

    home: Path
    token: str | None = None
    seeds: tuple[str, ...] = ()
    """`host:port` of members, to be dialled beside the addresses in the token."""
    name: str | None = None
    listen: str | None = None
    """Host or address to listen on, ALL_INTERFACES for all of them; None for those of the last start, else all."""
    port: int | None = None
    cores: int | None = None
    """How many it offers; None for all."""
    mdns: bool | None = None
    """Whether to look for others on the local network; None for what held at the last start, else yes."""
    timing: Timing | None = None
    """None for that of the last start, else "lan"."""
    tied: bool = False
    """Stop when standard input ends, that is when whoever started the node is gone, however it ended."""
    emulated_speed: float = 1.0
    """For experiments: the share of the machine's speed at which tasks seem to run (see `emulation`). Not remembered:
    a node is slow as long as somebody says so."""
    machine_speed: float | None = None
    """The speed index of the machine where it has been measured already; None to measure it."""


def read_options(source: IO[bytes]) -> NodeOptions:
    """What `spawn` wrote; the rest of `source` is silence that lasts as long as the parent. Raises LaunchError."""
    try:
        return from_plain(NodeOptions, json.loads(source.readline()))
    except ValueError as error:  # PlainError is one
        raise LaunchError(
            f"a node is started by 'pnode start', which tells it its options on standard input ({error})"
        ) from None


def report_ready(home: Path) -> None:
    """The node is usable: forget why an earlier one has failed."""
    report_failure(home, "")


def report_failure(home: Path, message: str) -> None:
    """Leave behind, in one line for people, why the node ends. A home that cannot be written has no news either.

    The file is always of the same size and written over in place, so that a disk that is full has room for the news.
    """
    news = " ".join(message.split()).encode()[: FAILURE_BYTES_MAX - 1] + b"\n"
    with contextlib.suppress(OSError):
        file = os.open(failure_file(home), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(file, news.rjust(FAILURE_BYTES_MAX))
        finally:
            os.close(file)


def start_node(
    options: NodeOptions,
    meanwhile: Callable[[], object] = lambda: None,
    *,
    to_terminal: bool = False,
    service: tuple[str, ...] = SERVICE,
) -> tuple[subprocess.Popen[bytes], "NodeStatus"]:
    """Start a node and wait until it is ready. Its log goes to `home.log_file`, or to our standard error. `meanwhile`
    is called when the process has been started: to load takes it a third of a second.

    Raises HomeError or LaunchError; no process is left then, nor if the wait is interrupted.
    """
    process = spawn(options, to_terminal=to_terminal, service=service)
    try:
        meanwhile()
        return process, wait_until_ready(process, options.home)
    except BaseException:
        end_process(process)
        raise


def spawn(
    options: NodeOptions, *, to_terminal: bool = False, service: tuple[str, ...] = SERVICE
) -> subprocess.Popen[bytes]:
    """Start the process, in a session of its own out of reach of a Ctrl-C meant for us. Raises HomeError."""
    prepare_home(options.home)
    report_failure(options.home, "")
    with _log(options.home) as log:
        process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            [*service, "--home", str(options.home)],  # the argument is for whoever reads a list of processes
            stdin=subprocess.PIPE,
            stdout=None if to_terminal else log,
            stderr=None if to_terminal else log,
            cwd=options.home,
            start_new_session=True,
        )
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it ended at once: `wait_until_ready` finds out why
        process.stdin.write(json.dumps(to_plain(NodeOptions, options)).encode() + b"\n")
        process.stdin.flush()
    if not options.tied:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    return process


def wait_until_ready(process: subprocess.Popen[bytes], home: Path, timeout_s: float = READY_S_MAX) -> "NodeStatus":
    """Wait for a node that was spawned: for so long, once it has taken up what its journal holds. Raises LaunchError
    with the node's own reason if it has one."""
    from .commands import NodeClient, NodeGoneError, NoNodeError

    client = NodeClient(home)
    deadline = time.monotonic() + timeout_s
    latest = deadline + TAKE_UP_S_MAX
    doing = "it has not opened its control socket"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise LaunchError(_why_it_ended(process, home))
        asked_s = time.monotonic()
        status: NodeStatus | None = None
        try:
            status = client.status()
        except NoNodeError:
            asked_s = time.monotonic()  # nobody has kept us waiting
        except NodeGoneError:
            pass
        deadline = min(latest, deadline + time.monotonic() - asked_s)  # it is taking up its journal, if not ready
        if status is None or status.pid != process.pid:  # another node lives there: ours will find out and end
            time.sleep(POLL_S)
            continue
        if status.state == "ready":
            return status
        if status.state == "failed":
            raise LaunchError(status.reason)
        doing = status.reason or status.state
        time.sleep(POLL_S)
    raise LaunchError(f"the node was not ready after {timeout_s:.0f} s: {doing}; its log is {log_file(home)}")


def software(options: NodeOptions) -> str:
    """What others are told of the program that runs here, and that its speed is not the machine's."""
    name = f"pnode/{version(DISTRIBUTION)} python/{platform.python_version()} {platform.system().lower()}"
    return name if options.emulated_speed == 1.0 else f"{name} emulated-speed/{options.emulated_speed:g}"


def release(process: subprocess.Popen[bytes]) -> None:
    """Let a node go on without us: nobody will wait for this process, and Popen shall not warn of it."""
    if process.stdin is not None:
        process.stdin.close()
    process.returncode = process.poll() or 0


def stop_node(home: Path, timeout_s: float = STOP_S_MAX) -> None:
    """Ask the node of this home to stop and wait until it has ended. Raises NoNodeError or LaunchError."""
    from .commands import NodeClient, NodeGoneError, NoNodeError

    pid = inhabitant(home)
    try:
        NodeClient(home).stop()
    except NoNodeError:
        if not pid:
            raise
        os.kill(pid, signal.SIGTERM)  # it lives, but has not opened its socket yet or no longer
    except NodeGoneError:
        pass  # it was quicker than its answer
    if not _wait_for_end(home, timeout_s):
        raise LaunchError(f"the node is still stopping after {timeout_s:.0f} s: 'kill {pid}' ends it at once")


def end_process(process: subprocess.Popen[bytes], timeout_s: float = TERMINATE_S_MAX) -> None:
    """End a node that we started, whatever state it is in, and wait for it: SIGTERM, then SIGKILL to its group."""
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP interrupt the block as Ctrl-C does, so that its clean-up runs."""

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # a handler's signature
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Let a second Ctrl-C wait until the block, a clean-up of bounded length, has run."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _log(home: Path) -> IO[bytes]:
    path = log_file(home)
    if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
        path.replace(path.with_name("node.log.1"))
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")
    except OSError as error:
        raise LaunchError(f"cannot write the log {path}: {error.strerror}; choose another --home") from None


def _why_it_ended(process: subprocess.Popen[bytes], home: Path) -> str:
    reason = last_failure(home)
    if reason:
        return reason
    status = process.returncode
    how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
    return f"the node {how} before it was ready: its log is {log_file(home)}"


def _wait_for_end(home: Path, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while inhabitant(home) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True
