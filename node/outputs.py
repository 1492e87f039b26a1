"""Outputs: what a unit has written into its output directory, in the order in which it goes to children.

Only regular files with plain names count. Whatever else lies there (directories, links, pipes) is left out, with a
line about it in the unit's stderr: a task may use its output directory for scratch, but nothing is sent that it did
not put there as a file. A file that has further names elsewhere (hard links) is an output like any other, but it is
copied into the store, not moved, and its mode stays as it is: it may be a user's own (see `Store.take_file`).

The order is that of the list that the task returned, as far as it names files. For the rest it is the order in which
files were last closed, as CIRCE had it (IN_CLOSE_WRITE; reference: jupiter.md 5.4), which on Linux the kernel tells
by inotify. Elsewhere, and when the kernel has lost count, it is the time of modification, then the name; that is too
coarse for a task that writes several files within 4 ms, which should return its list.
"""

import ctypes
import functools
import os
import stat
import struct
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pnode.protocol.values import dataclass

IN_CLOSE_WRITE, IN_MOVED_TO, IN_CREATE, IN_Q_OVERFLOW = 0x8, 0x80, 0x100, 0x4000
IN_DONT_FOLLOW = 0x2000000
LISTENED_FOR = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DONT_FOLLOW
EVENT = struct.Struct("iIII")  # watch, mask, cookie, length of the name that follows
READ_BYTES = 64 * 1024

ORDER_MAX = 100_000
"""Names whose order is remembered; a task that makes more, scratch files mostly, is over its allowance anyway."""

EARS_MAX = 32
"""Instances of inotify that are kept; a user may have 128 in all."""

NAME_BYTES_MAX = 255
"""Of a file in any common file system, and of a FileRef."""


@dataclass(frozen=True, slots=True)
class Output:
    """One file that a unit wrote."""

    name: str
    size_bytes: int
    changed_ns: int


def base_name_problem(name: str) -> str:
    """Why a file cannot travel under this name; empty if it can.

    Names come from other nodes and end up in paths here, and in lists of one path per line.
    """
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        return "is not a base name"
    if "\n" in name:
        return "has a line break"
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "is not UTF-8"
    return "" if size <= NAME_BYTES_MAX else f"is longer than {NAME_BYTES_MAX} bytes"


def find_outputs(directory: int, returned: Sequence[str], closed: Sequence[str]) -> tuple[list[Output], list[str]]:
    """(outputs in order, a notice for each entry that is left out), of an output directory that is held open.

    `returned` are the paths that the task named, `closed` the names in the order in which they were last closed.
    Raises OSError if the directory cannot be read.
    """
    found: dict[str, Output] = {}
    notices: list[str] = []
    with os.scandir(directory) as entries:
        for entry in entries:
            status = entry.stat(follow_symlinks=False)
            problem = base_name_problem(entry.name) if stat.S_ISREG(status.st_mode) else _not_regular(status.st_mode)
            if problem:
                notices.append(f"output {os.fsencode(entry.name)!r} is left out: it {problem}")
            else:
                found[entry.name] = Output(entry.name, status.st_size, status.st_mtime_ns)
    last = len(closed)
    rank = {name: number for number, name in enumerate(closed)}
    by_time = sorted(found, key=lambda name: (rank.get(name, last), found[name].changed_ns, name))
    named = [name for name in map(os.path.basename, returned) if name in found]
    return [found[name] for name in dict.fromkeys([*named, *by_time])], sorted(notices)


def _not_regular(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "is a directory"
    return "is a symbolic link" if stat.S_ISLNK(mode) else "is not a regular file"


class CloseOrder:
    """Listens to one directory, and knows in which order the files in it were last closed after writing."""

    def __init__(self, ears: "Ears", file: int, watch: int) -> None:
        """Takes over a descriptor of `ears`, which has this watch at the directory; -1 where there is none."""
        self._ears = ears
        self._order: dict[str, None] = {}
        self._file = file
        self._watch = watch

    def drain(self) -> None:
        """Take in what the kernel has noted, before its queue overflows."""
        while self._file >= 0:
            try:
                events = os.read(self._file, READ_BYTES)
            except BlockingIOError:
                return
            self._note(events)

    def names(self) -> list[str]:
        """Files by their last closing, the earliest first; empty when that is not known."""
        self.drain()
        return list(self._order)

    def close(self) -> None:
        if self._file >= 0:
            self._ears.give_back(self._file, self._watch)
            self._file = -1

    def _note(self, events: bytes) -> None:
        at = 0
        while at < len(events):
            watch, mask, _, length = EVENT.unpack_from(events, at)
            name = events[at + EVENT.size : at + EVENT.size + length].rstrip(b"\0")
            at += EVENT.size + length
            if (
                mask & IN_Q_OVERFLOW or len(self._order) >= ORDER_MAX
            ):  # some closings are lost: half an order would be worse than none
                self._order.clear()
                self.close()
                return
            if watch == self._watch:
                self._order.pop(os.fsdecode(name), None)
                self._order[os.fsdecode(name)] = None


class Ears:
    """What the kernel tells about directories: instances of inotify, each for one directory at a time.

    They are kept for the next one, since the kernel takes ten milliseconds to close an instance: 150 times as long as
    to listen to another directory with it. All methods may be called from any thread.
    """

    def __init__(self) -> None:
        self._free: list[int] = []

    def listen(self, directory: Path) -> CloseOrder:
        """It does nothing where the platform has no inotify, or the user's share of it is used up."""
        try:
            file = self._free.pop()
        except IndexError:
            file = _instance()
        watch = -1 if file < 0 else _libc().inotify_add_watch(file, os.fsencode(directory), LISTENED_FOR)
        if file >= 0 > watch:
            os.close(file)
            file = -1
        return CloseOrder(self, file, watch)

    def give_back(self, file: int, watch: int) -> None:
        """Listen no more. What has been told is forgotten, and the next watch has another number."""
        _libc().inotify_rm_watch(file, watch)
        with suppress(BlockingIOError):
            while os.read(file, READ_BYTES):
                pass
        if len(self._free) < EARS_MAX:
            self._free.append(file)
        else:
            os.close(file)

    def close(self) -> None:
        """Keep none for later."""
        while self._free:
            os.close(self._free.pop())


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def _instance() -> int:
    """-1 if there is none to be had."""
    libc = _libc()
    if not hasattr(libc, "inotify_init1"):
        return -1
    return int(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
