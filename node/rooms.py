"""Rooms: a few that are ready for the next units, and those that are left and wait to be removed.

What it takes to make a room and to remove it, some forty calls of the file system, would be most of what a short
command costs, and each of these calls in a thread lets go of the interpreter and has to get it back, which takes
a millisecond each beside a busy event loop. So neither is waited for: while one unit runs, the room of the next is
made and those of the last ones are removed, several of them in one go in one thread.

    (made) --> ready --> taken by a unit --> left, untouched --> ready
                                        +--> left, light --> removed in the next go
                                        +--> left, heavy --> removed while its unit is waited for

A room that a unit has left full is removed before its end is told, since the next unit may need the disk.
"""

import itertools
import logging
import secrets
from collections import deque
from collections.abc import Callable, Iterable
from typing import NoReturn

import trio

from .held import HeldDirectory
from .outputs import Ears
from .room import Room

logger = logging.getLogger(__name__)

READY = 8
"""Rooms that are made in advance: so many short commands may start while one more go of the thread takes place."""

TOGETHER_S = 0.1
"""What does not press is gathered for so long: a go costs as much as a room."""

LEFT_MAX = 16
"""Rooms that wait to be removed; who leaves one more waits for it. Each has seven descriptors."""

IDLE_S = 60.0
"""Rooms that nobody has wanted for so long are removed, before something that cleans up old directories does it."""


class Rooms:
    """The rooms of one node."""

    def __init__(self, work: HeldDirectory, *, keep: bool = False) -> None:
        """They are made in `work`; `keep` leaves them there for people to look at."""
        self._work = work
        self._keep = keep
        self._ears = Ears()
        self._numbers = itertools.count(1)
        self._ready: deque[Room] = deque()
        self._left: list[Room] = []
        self._wanted = trio.Event()
        """Something is to be made or removed,"""
        self._pressing = trio.Event()
        """and at once."""
        self._served = False

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> NoReturn:
        """Have rooms ready from the first unit on, and remove those that are left. Without it each is made when it is
        taken, and removed when it is left."""
        self._served = True
        try:
            task_status.started()
            while True:
                with trio.move_on_after(IDLE_S):
                    await self._wanted.wait()
                with trio.move_on_after(TOGETHER_S):
                    await self._pressing.wait()
                left, self._left = self._left, []
                if self._wanted.is_set():
                    lacking = READY - len(self._ready)
                else:
                    left += self._ready
                    self._ready.clear()
                    lacking = 0
                self._wanted, self._pressing = trio.Event(), trio.Event()
                with trio.CancelScope(shield=True):  # nobody else knows of these rooms now
                    self._ready += await trio.to_thread.run_sync(self._work_at, left, lacking)
        finally:
            self._served = False
            left = [*self._left, *self._ready]
            self._left.clear()
            self._ready.clear()
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(self._work_at, left, 0)
            self._ears.close()

    async def take(self) -> Room:
        """A room that is as it was made. Raises OSError."""
        self._work.check()
        if len(self._ready) <= READY // 2:
            self._want(pressing=True)
        while self._ready:
            room = self._ready.popleft()
            try:
                room.begin()
            except OSError:
                room.close()
            else:
                return room
        return await trio.to_thread.run_sync(self._make)

    async def leave(self, room: Room) -> None:
        """Nobody works there any more."""
        if self._keep:
            room.close()
        elif self._served and len(self._ready) < READY and _is_untouched(room):
            self._ready.appendleft(room)  # the kernel has it at hand
        elif self._served and len(self._left) < LEFT_MAX and room.is_light:
            self._left.append(room)
            self._want(pressing=len(self._left) >= READY)
        else:
            await trio.to_thread.run_sync(_remove, room)

    def _want(self, *, pressing: bool) -> None:
        self._wanted.set()
        if pressing:
            self._pressing.set()

    def _make(self) -> Room:
        return Room(self._work, f"{next(self._numbers)}-{secrets.token_hex(4)}", self._ears)

    def _work_at(self, left: Iterable[Room], lacking: int) -> list[Room]:
        """Remove rooms and make others; fewer if they cannot be made, of which the unit will hear that needs one."""
        for room in left:
            _remove(room)
        made: list[Room] = []
        try:
            self._work.check()
            while len(made) < lacking:
                made.append(self._make())
        except OSError as error:
            logger.debug("cannot make a workplace in advance: %s", error)
        return made


def _is_untouched(room: Room) -> bool:
    try:
        return room.is_untouched
    except OSError:
        return False


def _remove(room: Room) -> None:
    try_to_remove(room.remove, room.name)
    room.close()


def try_to_remove(remove: Callable[[], None], name: str) -> None:
    """What must stay, a mounted file system for one, is for the person who looks after the machine."""
    try:
        remove()
    except OSError as error:
        logger.warning("cannot remove all of the workplace %s: %s", name, error)
