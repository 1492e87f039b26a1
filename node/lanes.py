"""Lanes: brief commands that follow one another on a core, each started as soon as the one before it has ended.

A lane has a process for that, a `foreman`, which is kept for more of them, and lends it rooms. What the commands did
is this node's business again: what is worth keeping of a room that was changed, and what is too much.

    handed over --the foreman has come to it--> begun --> ended
        +--recalled, or cancelled--> not begun

A foreman that dies takes the command with it that it was at, whose unit is given back as by any fault of the machine;
those behind it have not begun. What has begun and takes long is looked at by this node again and again, as any other.
"""

import json
import logging
import os
import socket
import sys
from array import array
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import trio

from pnode.protocol.effects import Run, Unit
from pnode.protocol.values import dataclass, field

from .attention import Attention
from .held import HeldDirectory
from .processes import LINUX, MARK, Command, Processes
from .room import Room
from .rooms import Rooms

logger = logging.getLogger(__name__)

FOREMAN = Path(__file__).with_name("foreman.py")

IDLE_S = 60.0
"""A foreman holds some 8 MB, and starting one takes 30 ms."""

DEATHS_MAX = 3
"""Foremen that died: there is something wrong then that another would suffer from, too."""

ROOMS = 1
"""That a foreman has at first: all that it needs as long as nobody changes anything there;"""

ROOMS_MORE = 4
"""and when somebody has: the next commands need not wait until it is known what was written."""

RECEIVE_BYTES = 65_536

Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be started."""

    words: list[str]
    variables: dict[str, str]
    application: str
    """The directory to whose entries its own begins with links; empty without one."""
    waits: bool
    """Whether somebody waits for its end."""


@dataclass(slots=True)
class Errand:
    """A command that a lane was given."""

    unit: Unit
    number: int
    room: Room | None = None
    """Where it runs, once it is known to; in the end where it was, if something was changed there."""
    ago_s: float = 0.0
    """For how long it had run when that was told."""
    line: Line | None = None
    """What the foreman is told, once that is known."""
    answer: Line | None = None
    """How it ended."""
    told: trio.Event = field(default_factory=trio.Event)
    """Either is here,"""
    ended: trio.Event = field(default_factory=trio.Event)
    """or the latter."""
    heard: Callable[["Errand"], None] | None = None
    """Whom to tell of either, once."""

    def tell(self) -> None:
        """One of them is here."""
        self.told.set()
        if self.answer is not None:
            self.ended.set()
        heard, self.heard = self.heard, None
        if heard is not None:
            heard(self)


class Lane:
    """One foreman with what it was given."""

    def __init__(self, work: HeldDirectory, rooms: Rooms, environment: Mapping[str, str]) -> None:
        self._work, self._rooms, self._environment = work, rooms, environment
        ours, self._theirs = socket.socketpair()
        ours.setblocking(False)
        self._socket = trio.socket.from_stdlib_socket(ours)
        self._lines: deque[tuple[bytes, list[int]]] = deque()
        """To be sent, with descriptors."""
        self._wake = trio.Event()
        self.errands: dict[int, Errand] = {}
        """In the order in which they are carried out."""
        self._lent: dict[int, Room] = {}
        self._wanted = ROOMS
        self._gate: trio.Event | None = None
        """Its first command follows one that was started elsewhere."""
        self._ahead: deque[Errand] = deque()
        """What the foreman does not know of yet."""
        self._numbers, self._is_over = 0, False
        self.idle_since_s = trio.current_time()
        self.scope = trio.CancelScope()
        self._silent = trio.Event()  # its foreman has ended, and all that it has said is known

    @property
    def is_open(self) -> bool:
        """Whether it takes anything more: not when its foreman is gone, or about to be."""
        return not (self._is_over or self.scope.cancel_called)

    def reserve(self, unit: Unit) -> Errand:
        """A place behind what it has been given before."""
        self._numbers += 1
        errand = self.errands[self._numbers] = Errand(unit, self._numbers)
        self._ahead.append(errand)
        return errand

    def give(self, errand: Errand, order: Order) -> None:
        """Have it carried out when it is its turn."""
        errand.line = {
            "run": errand.number, "words": order.words, "variables": order.variables,
            "application": order.application, "waits": order.waits,
        }  # fmt: skip
        self._go_on()

    def close(self, gate: trio.Event) -> None:
        """Start nothing before that."""
        self._gate = gate

    async def open_after(self, gate: trio.Event) -> None:
        """Go on when that has happened."""
        await gate.wait()
        if self._gate is gate:
            self._gate = None
            self._go_on()

    def _go_on(self) -> None:
        while self._gate is None and self._ahead and (line := self._ahead[0].line) is not None:
            self._ahead.popleft()
            self._say(line)

    def recall(self, errand: Errand) -> None:
        """Do not start it, if it has not begun."""
        if errand in self._ahead:
            self._ahead.remove(errand)
            self._finish(errand, {"recalled": errand.number})
            self._go_on()
        elif errand.answer is None:
            self._say({"recall": errand.number})

    def end(self, errand: Errand, grace_s: float) -> None:
        """End it, wherever it is."""
        self.recall(errand)
        if errand.answer is None:
            self._say({"end": errand.number, "grace_s": grace_s})

    async def serve(self, processes: Processes, file_bytes_max: int, grace_s: float) -> None:
        """Run the foreman to its end; afterwards nothing runs that it has started, and all errands are answered."""
        words = [sys.executable, "-I", "-S", str(FOREMAN)]
        marked = {**self._environment, MARK: str(self._work.path / "0-foreman")}
        command = Command(words, self._work.path, marked, 2, 2, self._theirs.detach())
        self._say({"environment": dict(self._environment)})
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._send)
                nursery.start_soon(self._listen)
                with self.scope:
                    await processes.run(
                        command, lambda: "", Attention(IDLE_S), file_bytes_max=file_bytes_max, grace_s=grace_s
                    )
                    self._socket.shutdown(socket.SHUT_RD)  # so that there is an end to what it has said
                    await self._silent.wait()
                nursery.cancel_scope.cancel()
        except OSError as error:
            logger.warning("cannot start a foreman: %s", error)
        finally:
            with trio.CancelScope(shield=True):
                self._socket.close()
                await self._clear_up(processes)

    async def _clear_up(self, processes: Processes) -> None:
        for room in self._lent.values():
            await processes.end_marked(str(room.root.path))
        self._is_over = True
        self._ahead.clear()
        for number, errand in enumerate(list(self.errands.values())):
            errand.room = None  # whatever is there is of no use: it is run again
            self._finish(errand, {"recalled": errand.number} if number else {"died": True})
        while self._lent:
            await self._rooms.leave(self._lent.popitem()[1])

    def _say(self, line: Line, files: list[int] | None = None) -> None:
        self._lines.append((json.dumps(line).encode() + b"\n", files or []))
        self._wake.set()

    async def _send(self) -> NoReturn:
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            try:
                await self._lend()
            except OSError as error:
                logger.warning("cannot make a workplace for a foreman: %s", error)
                self.scope.cancel()  # its commands are given back: another node may have what is lacking
            with suppress(OSError):  # the foreman is gone, of which `serve` hears
                while self._lines:
                    await self._send_some()

    async def _send_some(self) -> None:
        """All that has no descriptors in one go. Raises OSError."""
        lines, files = self._lines.popleft()
        rest = memoryview(lines)
        if files:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", files))]
            rest = rest[await self._socket.sendmsg([rest], rights) :]
        else:
            while self._lines and not self._lines[0][1]:
                lines += self._lines.popleft()[0]
            rest = memoryview(lines)
        while rest:
            rest = rest[await self._socket.send(rest) :]

    async def _lend(self) -> None:
        """Rooms, if it has too few. Raises OSError."""
        while self.errands and len(self._lent) < self._wanted:
            room = await self._rooms.take()
            self._numbers += 1
            self._lent[self._numbers] = room
            held = [room.here.file, *(log.file for log in room.logs)]
            held += [room.root.file, room.inputs.file, room.outputs.file]
            told = {"room": self._numbers, "path": str(room.root.path), "stamps": room.stamps}
            self._say(told, held)

    async def _listen(self) -> None:
        said = b""
        with suppress(OSError):
            while received := await self._socket.recv(RECEIVE_BYTES):
                *lines, said = (said + received).split(b"\n")
                for line in lines:
                    self._hear(json.loads(line))
        self._silent.set()

    def _hear(self, line: Line) -> None:
        errand = self.errands.get(line.get("ended") or line.get("begun") or line.get("recalled") or 0)
        if errand is None:
            return  # it was recalled when it was too late
        if "begun" in line:
            errand.room, errand.ago_s = self._lent[line["room"]], line["ago_s"]
            errand.tell()
            return
        errand.room = None
        if line.get("touched"):
            errand.room = self._lent.pop(line["room"])
            self._wanted = ROOMS_MORE
            self._wake.set()
        self._finish(errand, line)

    def _finish(self, errand: Errand, answer: Line) -> None:
        del self.errands[errand.number]
        errand.answer = answer
        errand.tell()
        self.idle_since_s = trio.current_time()


class Lanes:
    """The lanes of one node."""

    def __init__(
        self, work: HeldDirectory, rooms: Rooms, processes: Processes, environment: Mapping[str, str]
    ) -> None:
        self._make: Callable[[], Lane] = lambda: Lane(work, rooms, environment)
        self._processes = processes
        self._rooms = rooms
        self._lanes: list[Lane] = []
        self._of: dict[Unit, tuple[Lane, Errand]] = {}
        self._deaths = 0
        self._nursery: trio.Nursery | None = None
        self.file_bytes_max, self.grace_s = 0, 0.0

    @property
    def are_there(self) -> bool:
        """Whether there can be any: on Linux, while they are served."""
        return self._nursery is not None and LINUX and hasattr(os, "pidfd_open") and self._deaths < DEATHS_MAX

    async def serve(
        self, file_bytes_max: int, grace_s: float, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> NoReturn:
        """Keep foremen; they end with this."""
        self.file_bytes_max, self.grace_s = file_bytes_max, grace_s
        try:
            async with trio.open_nursery() as self._nursery:
                task_status.started()
                while True:
                    await trio.sleep(IDLE_S / 4)
                    for lane in self._lanes:
                        if not lane.errands and trio.current_time() > lane.idle_since_s + IDLE_S:
                            lane.scope.cancel()
        finally:
            self._nursery = None

    def reserve(self, run: Run, before: trio.Event | None) -> None:
        """A place for a command in the lane of the one that it follows; or in one of its own, if that is elsewhere or
        its lane is over, and `before` tells when it has ended. To be called in the order of the commands."""
        assert run.behind is not None, "it follows another"
        lane, _ = self._of.get(run.behind, (None, None))
        if lane is None or not lane.is_open:
            lane = next((each for each in self._lanes if not each.errands and each.is_open), None) or self._start()
            if before is not None:
                assert self._nursery is not None, "lanes are served"
                lane.close(before)
                self._nursery.start_soon(lane.open_after, before)
        self._of[run.unit] = (lane, lane.reserve(run.unit))

    def has(self, unit: Unit) -> bool:
        """Whether there is a place for a command."""
        return unit in self._of

    def give(self, unit: Unit, order: Order, heard: Callable[[Errand], None]) -> None:
        """Have a command carried out that has a place; `heard` is called when it ends, or when it was begun and does
        not end at once."""
        lane, errand = self._of[unit]
        errand.heard = heard
        lane.give(errand, order)

    async def run(self, unit: Unit, order: Order) -> Errand:
        """Have a command carried out that has a place, or wait for one that is. It has begun, or ended, when this
        returns."""
        lane, errand = self._of[unit]
        if errand.answer is None and errand.line is None:
            lane.give(errand, order)
        await errand.told.wait()
        return errand

    async def end(self, errand: Errand) -> None:
        """End it, and return when it has ended."""
        lane, _ = self._of[errand.unit]
        lane.end(errand, self.grace_s)
        with trio.CancelScope(shield=True):
            await errand.ended.wait()

    async def abort(self, unit: Unit) -> None:
        """The same, and nobody wants to know what it did."""
        _, errand = self._of[unit]
        with trio.CancelScope(shield=True):
            await self.end(errand)
            if errand.room is not None:
                await self._rooms.leave(errand.room)

    def recall(self, unit: Unit) -> None:
        """Do not start a command, if it has not begun."""
        if unit in self._of:
            lane, errand = self._of[unit]
            lane.recall(errand)

    def cancel(self, unit: Unit) -> None:
        """End a command, and nobody waits for that."""
        if unit in self._of:
            lane, errand = self._of[unit]
            lane.end(errand, self.grace_s)

    def leave(self, unit: Unit) -> None:
        """Nobody waits for its place any more, nor for what runs there."""
        if unit in self._of:
            lane, errand = self._of.pop(unit)
            lane.recall(errand)

    def _start(self) -> Lane:
        lane = self._make()
        self._lanes.append(lane)
        assert self._nursery is not None, "lanes are served"
        self._nursery.start_soon(self._employ, lane)
        return lane

    async def _employ(self, lane: Lane) -> None:
        try:
            await lane.serve(self._processes, self.file_bytes_max, self.grace_s)
        finally:
            self._lanes.remove(lane)
        if not lane.scope.cancel_called:
            self._deaths += 1
            logger.warning("a foreman has died: %d of %d that may", self._deaths, DEATHS_MAX)
