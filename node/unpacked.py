"""Unpacked applications: the directories in which the units of a job find their scripts and data.

An application is one archive in the store. It is unpacked once, under the name of its digest, and all units of the
node share it. So it is read-only: a unit works in a directory of its own (see `executor`). The user who owns it could
change that; he would harm his own job, on this node, until the archive is unpacked again. Nothing but his own files
is harmed by this node if he puts links here: they are never followed to change anything.
"""

import logging
import math
import os
import stat
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from pnode.protocol.jobspec import FileRef

from .archive import ArchiveError, unpack
from .held import DisplacedError, HeldDirectory, open_regular, remove_tree
from .store import Store
from .trouble import StoreError

logger = logging.getLogger(__name__)

UNPACKED_MAX = 32
"""Kept for the next unit. The least recently used go first, those in use never."""


TOUCH_S = 60.0
"""Times of use are written to the disk no more often than this; the order in memory is exact."""


class UnpackError(Exception):
    """An application cannot be made ready; the message says why."""


class Unpacked:
    """Directories of applications, by digest."""

    def __init__(self, root: Path, store: Store) -> None:
        self._root = root
        self._store = store
        self._turn = trio.Lock()
        self._users: Counter[str] = Counter()
        self._used_s: dict[str, float] = {}
        """When a unit wanted them last, in seconds since 1970, as the times of files are;"""
        self._touched_s: dict[str, float] = {}
        """and when that was written down last."""
        root.mkdir(mode=0o700, exist_ok=True)
        for remains in root.glob("*.new"):
            _try_to_remove(remains)

    @asynccontextmanager
    async def use(self, application: FileRef) -> AsyncIterator[Path]:
        """The application's directory, which stays for as long as the context lasts. Raises UnpackError."""
        name = application.digest.hex()
        self._users[name] += 1
        self._used_s[name] = time.time()
        try:
            if not self._is_ready(name):
                async with self._turn:
                    await trio.to_thread.run_sync(self._make_ready, application)
                    self._touched_s[name] = self._used_s[name]
            yield self._root / name
        finally:
            self._users[name] -= 1

    def hold(self, application: FileRef) -> Path | None:
        """The application's directory, if it is ready, which stays until it is let go; None if it is not."""
        name = application.digest.hex()
        self._used_s[name] = time.time()
        if not self._is_ready(name):
            return None
        self._users[name] += 1
        return self._root / name

    def let_go(self, application: FileRef) -> None:
        """Of what is held."""
        self._users[application.digest.hex()] -= 1

    def _is_ready(self, name: str) -> bool:
        """Whether a unit has just found it ready, and nobody is about to remove it."""
        is_recent = abs(self._used_s[name] - self._touched_s.get(name, -math.inf)) < TOUCH_S
        return is_recent and not self._turn.locked() and _is_directory(self._root / name)

    def _make_ready(self, application: FileRef) -> None:
        path = self._root / application.digest.hex()
        new = path.with_name(path.name + ".new")
        try:
            if _is_directory(path):
                os.utime(path)
                return
            remove_tree(path)
            remove_tree(new)
            with self._store.open(application.digest):  # says so if it is missing
                unpack(self._store.path(application.digest), new)
            _make_read_only(new)
            new.rename(path)
        except (OSError, ArchiveError, StoreError) as error:
            _try_to_remove(new)
            raise UnpackError(f"cannot unpack the application {application.name}: {error}") from None
        self._make_room()

    def _make_room(self) -> None:
        with os.scandir(self._root) as entries:
            times = {entry.name: entry.stat(follow_symlinks=False).st_mtime for entry in entries}
        everything = {name: max(time_s, self._used_s.get(name, 0.0)) for name, time_s in times.items()}
        unused = sorted((name for name in everything if not self._users[name]), key=everything.__getitem__)
        for name in unused[: max(len(everything) - UNPACKED_MAX, 0)]:
            self._used_s.pop(name, None)
            self._touched_s.pop(name, None)
            _try_to_remove(self._root / name)


def _is_directory(path: Path) -> bool:
    """And not a link to one."""
    return path.is_dir() and not path.is_symlink()


def _try_to_remove(path: Path) -> None:
    try:
        remove_tree(path)
    except OSError as error:
        logger.warning("cannot remove %s: %s", path, error)


def make_executable(file: Path) -> None:
    """Let a file of an unpacked application be run. Raises OSError, also if it is not what was unpacked."""
    directory = HeldDirectory.find(file.parent)
    with open_regular(file.name, directory.file) as opened:
        if os.fstat(opened.fileno()).st_nlink > 1:
            raise DisplacedError(f"{file.name!r} is not the file that was unpacked")
        os.fchmod(opened.fileno(), 0o555)


def _make_read_only(root: Path) -> None:
    for directory, _, names in os.walk(root, topdown=False):
        for path in [Path(directory, name) for name in names] + [Path(directory)]:
            mode = path.lstat().st_mode
            if not stat.S_ISLNK(mode):
                path.chmod(stat.S_IMODE(mode) & ~0o222)
