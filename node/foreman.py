"""The foreman: a process that starts commands one after another, waits for each, and ends what it leaves behind.

Run by path with the node's interpreter, and by nobody else; it imports next to nothing. A node that does the same
itself takes several turns of its event loop and two threads for each command, and every one of its own concerns comes
between two of them. `lanes` is the node's side.

Standard input is a Unix socket to the node. From there come lines, each a JSON object:

    environment         variables of every command from now on
    room, path          a number, and the path of a room (see `room`); with the line come descriptors of `here`, of
      stamps            the files for stdout and stderr, and of `.`, `in` and `out`; and when each part of it was
                        changed last, empty if that is not known: the room is used until that is another time
    run, words,         a number; the program, by its path, with its arguments; variables; the directory of an
      variables,        application, to whose entries `here` begins with links, or nothing; and whether somebody waits
      application,      for its end
      waits
    recall              the number of a command that is not to be started if it is not yet
    end, grace_s        the number of one that is to be ended if it runs: by SIGTERM, after the pause by SIGKILL

Back go lines, several at a time if nobody waits:

    begun, room, ago_s  a command that does not end at once, and since when it runs
    ended, room         one that has ended; where, and whether anything was changed there: then the room is given back
      touched, seconds
      status, error     its exit status, or the negative number of a signal; or why it could not be started (errno)
    recalled            one that was not started

What a command has started in sessions of its own loses its parents sooner or later, and is this process's child then;
since there is one command at a time, all children are of its tree. When the node hangs up everything ends.
"""

import ctypes
import json
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

PR_SET_CHILD_SUBREAPER = 36

RECEIVE_BYTES = 65_536
DESCRIPTORS = 6
DESCRIPTORS_MAX = 16 * DESCRIPTORS

TOGETHER_S = 0.01
"""Ends that nobody waits for are told together if they come within this time."""

AT_ONCE_S = 0.05
"""Of a command that ends within this time it is not told that it has begun."""

END_S_MAX = 5.0
"""From SIGKILL to the end: longer only for a process that hangs in the kernel."""

ROUNDS_MAX = 50
"""Of ending orphans; each may set free the children of the last. A fork bomb may win."""

HERE = 4
"""Its place among the stamps."""

Line = dict[str, Any]


class Room:
    """Where commands run."""

    def __init__(self, line: Line, files: list[int]) -> None:
        self.number: int = line["room"]
        self.here, self.stdout, self.stderr, self.root, self.inputs, self.outputs = self.files = files
        self.stamps: list[int] = line["stamps"]
        path: str = line["path"]
        self.variables = {
            "PNODE_WORK_DIR": path,
            "PNODE_INPUT_DIR": f"{path}/in",
            "PNODE_INPUT_LIST": f"{path}/inputs",
            "PNODE_OUTPUT_DIR": f"{path}/out",
        }
        self._mode = os.fstat(self.here).st_mode
        self._application = ""
        self._links: dict[str, str] | None = None
        """What `here` begins with, and where that leads, once it was furnished."""

    def furnish(self, application: str) -> None:
        """Have `here` begin with links to what lies at the top of an application, or with nothing. Raises OSError."""
        if application == self._application:
            return
        for name in self._links or ():
            os.unlink(name, dir_fd=self.here)
        self._application, self._links = "", {}
        if application:
            with os.scandir(application) as found:
                for entry in found:
                    os.symlink(entry.path, entry.name, dir_fd=self.here)
                    self._links[entry.name] = entry.path
        self._application = application

    def is_touched(self) -> bool:
        """As `room.Room.is_untouched`, the other way round."""
        if not self.stamps:
            return True
        try:
            listing = os.stat("inputs", dir_fd=self.root, follow_symlinks=False)
            if self._links is not None and not self._is_as_furnished(self._links):
                return True
        except OSError:
            return True
        parts = (self.root, self.inputs, self.outputs, self.here, self.stdout, self.stderr)
        changed = [listing.st_ctime_ns, *(os.fstat(part).st_ctime_ns for part in parts)]
        if self._links is not None:
            changed[HERE] = self.stamps[HERE]
        return self.stamps != changed

    def _is_as_furnished(self, links: dict[str, str]) -> bool:
        """Whether `here` has the links and nothing else. When it was changed does not tell: a command may be quicker
        than the kernel's clock. Raises OSError where something else has the name of a link."""
        with os.scandir(self.here) as found:
            there = {entry.name: os.readlink(entry.name, dir_fd=self.here) for entry in found}
        return there == links and os.fstat(self.here).st_mode == self._mode

    def close(self) -> None:
        for file in self.files:
            os.close(file)


class Foreman:
    """What it has to do, and how far it is."""

    def __init__(self, node: socket.socket) -> None:
        self._node = node
        self._said = bytearray()
        self._files: list[int] = []
        self._environment: dict[str, str] = {}
        self._rooms: deque[Room] = deque()
        self._orders: deque[Line] = deque()
        self._answers: list[str] = []
        self._answer_s = 0.0
        """When the first of them was given."""
        self._kill_s: float | None = None
        """When the command that runs is to be killed, if it was told to end."""
        self._running: tuple[int, int] | None = None
        """(its number, the leader's process id)"""
        self._nothing = os.open(os.devnull, os.O_RDWR)

    def serve(self) -> None:
        """Until the node hangs up, which ends the process."""
        while True:
            while not (self._orders and self._rooms):
                self._send()
                self._listen()
            self._hear_what_is_there()
            if self._orders and self._rooms:
                self._carry_out(self._orders.popleft(), self._rooms[0])

    # -- one command -------------------------------------------------------------------------------------------------

    def _carry_out(self, order: Line, room: Room) -> None:
        began_s = time.monotonic()
        answer: Line = {"ended": order["run"], "room": room.number, "error": 0, "status": 0}
        try:
            room.furnish(order["application"])
            pid = self._start(order, room)
        except OSError as error:
            answer["error"] = error.errno
        else:
            self._running, self._kill_s = (order["run"], pid), None
            self._wait(pid, {"begun": order["run"], "room": room.number}, began_s)
            answer["status"] = _end_tree(pid)
            self._running = None
        answer["seconds"] = time.monotonic() - began_s
        answer["touched"] = room.is_touched()
        if answer["touched"]:
            self._rooms.popleft().close()
        self._tell(answer, waits=order["waits"] or answer["touched"])

    def _start(self, order: Line, room: Room) -> int:
        """The leader's process id. Raises OSError."""
        os.fchdir(room.here)
        files = [(os.POSIX_SPAWN_DUP2, file, number) for number, file in enumerate(self._streams(room))]
        return os.posix_spawn(
            order["words"][0],
            order["words"],
            {**self._environment, **order["variables"], **room.variables},
            file_actions=files,
            setsid=True,
            setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),
        )

    def _streams(self, room: Room) -> tuple[int, int, int]:
        return (self._nothing, room.stdout, room.stderr)

    def _wait(self, pid: int, begun: Line, began_s: float) -> None:
        """For the end of a leader; meanwhile listen to the node. It is not reaped: its number is its group's."""
        end = os.pidfd_open(pid)
        poll = select.poll()
        poll.register(end, select.POLLIN)
        poll.register(self._node, select.POLLIN)
        told = False
        try:
            while True:
                now = time.monotonic()
                if self._kill_s is not None and now >= self._kill_s:
                    _signal_group(pid, signal.SIGKILL)
                    if now >= self._kill_s + END_S_MAX:
                        return  # it hangs in the kernel
                if not told and now >= began_s + AT_ONCE_S:
                    told = True
                    self._tell({**begun, "ago_s": now - began_s}, waits=True)
                if self._answers and now >= self._answer_s + TOGETHER_S:
                    self._send()
                ready = poll.poll(1000 * self._pause_s(began_s, now, told=told))
                if any(file == end for file, _ in ready):
                    return
                if ready:
                    self._listen()
        finally:
            os.close(end)

    def _pause_s(self, began_s: float, now: float, *, told: bool) -> float:
        """Until something is to be done though nothing has happened."""
        dues = [now + 3600.0]
        if not told:
            dues.append(began_s + AT_ONCE_S)
        if self._answers:
            dues.append(self._answer_s + TOGETHER_S)
        if self._kill_s is not None:
            dues.append(self._kill_s if now < self._kill_s else now + 0.1)
        return max(0.0, min(dues) - now) + 0.0005

    # -- the node ----------------------------------------------------------------------------------------------------

    def _hear_what_is_there(self) -> None:
        while select.select([self._node], [], [], 0)[0]:
            self._listen()

    def _listen(self) -> None:
        """Wait for lines, and take them in. If the node has hung up everything ends."""
        flags = socket.MSG_CMSG_CLOEXEC
        said, files, _, _ = socket.recv_fds(self._node, RECEIVE_BYTES, DESCRIPTORS_MAX, flags)
        if not said:
            if self._running is not None:
                _end_tree(self._running[1])
            os._exit(0)
        self._files += files
        self._said += said
        *lines, rest = self._said.split(b"\n")
        self._said = bytearray(rest)
        for line in lines:
            self._hear(json.loads(line))

    def _hear(self, line: Line) -> None:
        if "run" in line:
            self._orders.append(line)
        elif "room" in line:
            self._rooms.append(Room(line, self._files[:DESCRIPTORS]))
            del self._files[:DESCRIPTORS]
        elif "recall" in line:
            self._recall(line["recall"])
        elif "end" in line:
            self._end(line["end"], line["grace_s"])
        else:
            self._environment = line["environment"]

    def _recall(self, number: int) -> None:
        kept = [order for order in self._orders if order["run"] != number]
        if len(kept) < len(self._orders):
            self._orders = deque(kept)
            self._tell({"recalled": number}, waits=True)

    def _end(self, number: int, grace_s: float) -> None:
        if self._running is not None and self._running[0] == number and self._kill_s is None:
            _signal_group(self._running[1], signal.SIGTERM)
            self._kill_s = time.monotonic() + grace_s

    def _tell(self, answer: Line, *, waits: bool) -> None:
        if not self._answers:
            self._answer_s = time.monotonic()
        self._answers.append(json.dumps(answer))
        if waits or time.monotonic() >= self._answer_s + TOGETHER_S:
            self._send()

    def _send(self) -> None:
        if self._answers:
            with suppress(OSError):  # it has hung up, which `_listen` will hear of
                self._node.sendall("".join(f"{answer}\n" for answer in self._answers).encode())
            self._answers.clear()


def _end_tree(pid: int) -> int:
    """End what is left of a command, itself included; its exit status."""
    _signal_group(pid, signal.SIGKILL)
    status = _reap(pid)
    for _ in range(ROUNDS_MAX):
        orphans = _children()
        if not orphans:
            break
        for orphan in orphans:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(orphan, signal.SIGKILL)
        for orphan in orphans:
            _reap(orphan)
    return status


def _reap(pid: int) -> int:
    """Wait for a process that has been killed; its status. One that hangs in the kernel counts as killed."""
    until = time.monotonic() + END_S_MAX
    while time.monotonic() < until:
        try:
            found, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            break
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.0005)
    return -signal.SIGKILL


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # gone; or a program that runs as somebody else
        os.killpg(pid, number)


def _children() -> Iterable[int]:
    """Of this process, which has one thread."""
    file = os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY)
    try:
        pids = b""
        while part := os.read(file, 4096):
            pids += part
        return [int(pid) for pid in pids.split()]
    finally:
        os.close(file)


def main() -> None:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    Foreman(socket.socket(fileno=os.dup(sys.stdin.fileno()))).serve()


if __name__ == "__main__":
    main()
