"""Unpacked applications: the directories in which the units of a job find their scripts and data.

An application is one archive in the store. It is unpacked once, under the name of its digest, and all units of the
node share it. So it is read-only: a unit works in a directory of its own (see `executor`). The user who owns it could
change that; he would harm his own job, on this node, until the archive is unpacked again.
"""

import os
import shutil
import stat
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from pnode.protocol.jobspec import FileRef

from .archive import ArchiveError, unpack
from .store import Store, StoreError

UNPACKED_MAX = 32
"""Kept for the next unit. The least recently used go first, those in use never."""


class UnpackError(Exception):
    """An application cannot be made ready; the message says why."""


class Unpacked:
    """Directories of applications, by digest."""

    def __init__(self, root: Path, store: Store) -> None:
        self._root = root
        self._store = store
        self._turn = trio.Lock()
        self._users: Counter[str] = Counter()
        root.mkdir(mode=0o700, exist_ok=True)
        for remains in root.glob("*.new"):
            remove_tree(remains)

    @asynccontextmanager
    async def use(self, application: FileRef) -> AsyncIterator[Path]:
        """The application's directory, which stays for as long as the context lasts. Raises UnpackError."""
        name = application.digest.hex()
        self._users[name] += 1
        try:
            async with self._turn:
                await trio.to_thread.run_sync(self._make_ready, application)
            yield self._root / name
        finally:
            self._users[name] -= 1

    def _make_ready(self, application: FileRef) -> None:
        path = self._root / application.digest.hex()
        if path.exists():
            path.touch()
            return
        new = path.with_name(path.name + ".new")
        remove_tree(new)
        try:
            with self._store.open(application.digest):  # says so if it is missing
                unpack(self._store.path(application.digest), new)
            _make_read_only(new)
            new.rename(path)
        except (OSError, ArchiveError, StoreError) as error:
            remove_tree(new)
            raise UnpackError(f"cannot unpack the application {application.name}: {error}") from None
        self._make_room()

    def _make_room(self) -> None:
        everything = list(self._root.iterdir())
        unused = [path for path in everything if not self._users[path.name]]
        unused.sort(key=lambda path: path.stat().st_mtime)
        for path in unused[: max(len(everything) - UNPACKED_MAX, 0)]:
            remove_tree(path)


def remove_tree(root: Path) -> None:
    """Remove a directory with all that is in it, read-only directories too; do nothing if it is not there."""
    if not root.exists():
        return
    try:
        shutil.rmtree(root)
    except PermissionError:
        root.chmod(0o700)
        for directory, names, _ in os.walk(root):
            for name in names:
                if not Path(directory, name).is_symlink():
                    Path(directory, name).chmod(0o700)
        shutil.rmtree(root, ignore_errors=True)


def _make_read_only(root: Path) -> None:
    for directory, _, names in os.walk(root, topdown=False):
        for path in [Path(directory, name) for name in names] + [Path(directory)]:
            mode = path.lstat().st_mode
            if not stat.S_ISLNK(mode):
                path.chmod(stat.S_IMODE(mode) & ~0o222)
