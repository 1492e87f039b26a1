"""Process trees: a command in a session of its own, and everything that it has started, until the last of it is gone.

The leader is started in a new session, so that one signal reaches its whole process group. A descendant may leave the
group (`setsid`, a shell with job control, a daemon). On Linux it does not get away with that: this process is a
sub-reaper, so what loses its parent becomes our child instead of init's, and is recognised as part of a tree by its
session or by the tree's mark, an environment variable that descendants inherit.

Limits: a descendant that leaves the session *and* clears its environment is not recognised. On other systems than
Linux whatever leaves the process group is out of reach.
"""

import ctypes
import logging
import os
import resource
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import trio

from pnode.protocol.values import dataclass

from .attention import Attention
from .spawning import spawn

log = logging.getLogger(__name__)

MARK = "PNODE_WORK_DIR"
"""The variable by which a process is known as part of a tree: its value is the tree's own directory."""

PR_SET_CHILD_SUBREAPER = 36

ROUNDS_MAX = 50
"""Of looking for orphans and ending them; each may set free the children of the last. A fork bomb may win."""

LOOK_S = 0.01
"""How often it is looked whether a process has ended where the kernel does not tell."""

END_S_MAX = 5.0
"""From SIGKILL to the end: longer only for a process that hangs in the kernel, on a dead file server say."""

LEFTOVERS_S_MAX = 1.0
"""For ending what an earlier node left; what is still there then hangs in the kernel."""

READ_BYTES = 4096

NOBODY = -1
"""In the place of a leader's process id."""

LINUX = sys.platform == "linux"


@dataclass(frozen=True, slots=True)
class Command:
    """What to start, and where."""

    words: Sequence[str]
    directory: Path
    environment: Mapping[str, str]
    """Complete; has the tree's MARK in it."""
    stdout: int
    stderr: int
    """Descriptors of files that are appended to; they stay open."""
    stdin: int = subprocess.DEVNULL
    """A descriptor is the process's own: it is closed here once there is one."""

    def problem(self) -> str:
        """Why no process can be given these; empty if one can. The kernel's texts end at their first zero byte."""
        names, values = "".join(self.environment), "".join((*self.words, *self.environment.values()))
        if all(self.environment) and "=" not in names and _is_passable(names) and _is_passable(values):
            return ""  # as nearly always: to look at each of a hundred variables takes 0.1 ms
        for number, word in enumerate(self.words):
            if not _is_passable(word):
                return f"argument {number} has a zero byte or is no text"
        for name, value in self.environment.items():
            if not name or "=" in name or not _is_passable(name):
                return f"the variable {name[:100]!a} has no name that the environment can hold"
            if not _is_passable(value):
                return f"the variable {name} has a zero byte in its value or is no text"
        return ""


Watch = Callable[[], str]
"""Looked at again and again: why the tree must be ended now, empty while it may go on."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a tree ended."""

    status: int
    """Of the leader: its exit status, or the negative number of the signal that killed it."""
    reason: str
    """Why we ended it; empty if it ended by itself."""
    seconds: float


class Processes:
    """The process trees of this node. One per process, and nobody else in it starts children in sessions of their
    own: a child that it has not started is an orphan of some tree."""

    def __init__(self) -> None:
        self._leaders: set[int] = set()
        self._starting = 0
        self._nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._nothing)
        if LINUX:
            ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    async def run(
        self, command: Command, watch: Watch, attention: Attention, *, file_bytes_max: int, grace_s: float
    ) -> Ended:
        """Run a command to its end and see to it that nothing of its tree is left.

        When `watch` says so or the caller is cancelled, the group gets SIGTERM and, `grace_s` later, SIGKILL. What
        the leader leaves behind when it ends by itself gets SIGKILL at once: the call is over.
        No process of the tree can write a file longer than `file_bytes_max` (Linux). Raises OSError if the command
        cannot be started; it must have no `problem`.
        """
        assert not command.problem(), command.problem()
        started = trio.current_time()
        pid = await self._start(command)
        leader = _Leader(pid)
        reason, seconds = "", 0.0
        try:
            _limit_files(pid, file_bytes_max)
            while not reason and not await leader.ended_in(attention.pause()):
                reason = watch()
            seconds = trio.current_time() - started
        finally:
            with trio.CancelScope(shield=True):
                await leader.end(grace_s)
                self._leaders.discard(pid)
                await self._end_orphans(pid, command.environment[MARK])
        return Ended(leader.status, reason, seconds)

    async def end_marked(self, mark: str) -> None:
        """End what another process has started and left behind, by the trees' MARK."""
        await self._end_orphans(NOBODY, mark)

    async def _start(self, command: Command) -> int:
        """The leader's process id."""
        files = (self._nothing if command.stdin < 0 else command.stdin, command.stdout, command.stderr)
        self._starting += 1
        try:
            start = partial(spawn, command.words, command.directory, command.environment, files)
            pid = await trio.to_thread.run_sync(start)
            self._leaders.add(pid)
        finally:
            self._starting -= 1
            if command.stdin >= 0:
                os.close(command.stdin)
        return pid

    async def _end_orphans(self, leader: int, mark: str) -> None:
        """End what has left the process group, round by round, since every end may set free further children."""
        for _ in range(ROUNDS_MAX):
            strangers = [pid for pid in _children() if pid not in self._leaders]
            found = [pid for pid in strangers if _belongs(pid, leader, mark)]
            if not found:
                break
            for pid in found:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            for pid in found:
                await _reap(pid)
        if not self._starting:  # a leader whose number we do not know yet is not ours to reap
            _reap_strays([pid for pid in strangers if pid not in self._leaders])


class _Leader:
    """The first process of a tree. It is not reaped before its group has been ended, so that its number, which is the
    group's, cannot have become somebody else's."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ended = False
        self._is_reaped = False
        self._watch = _watch_end(pid)
        self.status: int = -signal.SIGKILL
        """As in `Ended`, when it has ended; a leader that hangs in the kernel counts as killed."""

    async def ended_within(self, seconds: float) -> bool:
        return await self.ended_in(trio.move_on_after(seconds))

    async def ended_in(self, pause: trio.CancelScope) -> bool:
        """Whether it has ended; waits for that until the end of the pause."""
        with pause:
            if self._watch >= 0:
                await trio.lowlevel.wait_readable(self._watch)
            else:
                while not self._reaped(os.WNOHANG):
                    await trio.sleep(LOOK_S)
            self._ended = True
        return self._ended

    async def end(self, grace_s: float) -> None:
        """End the whole group, gently first if the leader still runs."""
        if not self._ended:
            self._signal(signal.SIGTERM)
            await self.ended_within(grace_s)
        self._signal(signal.SIGKILL)
        if self._ended or await self.ended_within(END_S_MAX):
            self._reaped(0)
        else:
            log.warning("process %d does not end, it hangs in the kernel", self._pid)
        if self._watch >= 0:
            os.close(self._watch)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):  # gone; or a program that runs as somebody else
            os.killpg(self._pid, number)

    def _reaped(self, options: int) -> bool:
        """Whether it has ended; from then on its status is known, and its number may be another's."""
        if not self._is_reaped:
            try:
                pid, status = os.waitpid(self._pid, options)
            except ChildProcessError:  # whoever embeds us has: nobody knows how it ended
                self._is_reaped = True
            else:
                if pid:
                    self._is_reaped, self.status = True, os.waitstatus_to_exitcode(status)
        return self._is_reaped


def _is_passable(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def end_leftovers(directory: Path) -> int:
    """End trees that an earlier process of this node left when it was killed: those whose own directories lie in
    `directory`. Returns how many processes were ended. Blocks, a second at most. Does nothing but on Linux."""
    mark = f"{MARK}={directory}/"
    ended: set[int] = set()
    until = time.monotonic() + LEFTOVERS_S_MAX
    while time.monotonic() < until:
        found = [int(path.name) for path in Path("/proc").glob("[0-9]*") if _has_mark(int(path.name), mark)]
        if not found:
            break
        for pid in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        ended.update(found)
        time.sleep(0.01)
    return len(ended)


def _watch_end(pid: int) -> int:
    """A file descriptor that becomes readable when the process ends, and does not reap it; -1 if there is none."""
    if not hasattr(os, "pidfd_open"):
        return -1
    try:
        return os.pidfd_open(pid)
    except OSError:  # an old kernel, or no descriptors left
        return -1


def _limit_files(pid: int, size_bytes: int) -> None:
    """From outside, as anything done in the child between fork and exec would need a fork of the whole node."""
    if LINUX:
        with suppress(ProcessLookupError, PermissionError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size_bytes, size_bytes))


def _children() -> list[int]:
    """Children of this process, dead ones that nobody has reaped included."""
    # Once per command, hence the plain calls: the same by pathlib takes four times as long.
    found: list[int] = []
    with suppress(OSError):  # not Linux; or no descriptors are left
        for thread in os.listdir("/proc/self/task"):  # noqa: PTH208
            with suppress(OSError):  # a thread that has ended meanwhile
                file = os.open(f"/proc/self/task/{thread}/children", os.O_RDONLY | os.O_CLOEXEC)
                try:
                    pids = b"".join(iter(partial(os.read, file, READ_BYTES), b""))
                    found.extend(map(int, pids.split()))
                finally:
                    os.close(file)
    return found


def _reap_strays(strangers: Sequence[int]) -> None:
    """Let go what has left its tree and died by itself, as a daemon does that has nothing more to do."""
    own = os.getsid(0)
    for pid in strangers:
        if _session(pid) not in (own, None):
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _belongs(pid: int, leader: int, mark: str) -> bool:
    return _session(pid) == leader or _has_mark(pid, f"{MARK}={mark}\0")


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def _has_mark(pid: int, mark: str) -> bool:
    """Whether a process has a variable that begins so in its environment."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:  # it has ended, or belongs to somebody else
        return False
    return b"\0" + os.fsencode(mark) in b"\0" + environment


async def _reap(pid: int) -> None:
    """Wait for the end of a child that has been killed, and let it go."""
    pause_s = 0.0005
    with suppress(ChildProcessError), trio.move_on_after(END_S_MAX):
        while os.waitpid(pid, os.WNOHANG) == (0, 0):
            await trio.sleep(pause_s)
            pause_s = min(2 * pause_s, 0.1)
