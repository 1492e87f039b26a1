"""The store: content by its digest, on this node's disk (how it lies there: see `sweeping`).

A name in the store is a promise: the whole content is there. What others go by is on the disk, too: its bytes are
synced before they get their name, and the directory after it (0.3 ms on a solid-state disk). What is only needed to
go on, results for other tasks above all, which can be had or made again, is not synced, or a chain of tasks would
wait for the disk at each. It is *passing*, until somebody wants it to be settled, and goes if the machine was off.

The last of the disk is left to others, above all to the journal, without which a node must not go on (`journal`).

What nobody has pinned is a cache, see `shelf`. Times of use are kept as the files' times of modification, so that
their order outlives the process. Pins live in memory and end with the process: after a start everything is a cache
until its owner pins it again, by `pin`, and whoever opens a store does that before anything new comes in.

Nothing hands out a link to a file of the store. `materialise` copies (by reference where the file system can): a hard
link could be made writable again by a task of the same user. All methods block and may be called from any thread.
"""

import io
import itertools
import os
import shutil
import stat
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from pnode.protocol.ids import Digest, content_digest, digest_of
from pnode.protocol.jobspec import FileRef

from .copying import copy_bytes, move_regular, remove_files
from .durable import make_directory, sync_directory
from .held import DIRECTORY, DisplacedError, open_regular
from .power import PASSING, SETTLED, is_settled, settle
from .shelf import QUOTA_BYTES, RESERVE_BYTES, Shelf
from .sweeping import chunk_digests, chunks_path, part_bytes, part_path, sweep, write_list
from .trouble import MissingContentError, StoreFullError, room_on_disk

FULL_BYTES = 1024 * 1024
"""A disk with less than that left has failed somebody, or is about to."""

TOUCH_S = 60.0
"""Times of use are written to the disk no more often than this; the order in memory is exact."""


class Store:
    """Content by digest, with a quota. Digests are 32 bytes, see `ids.content_digest`."""

    def __init__(self, root: Path, quota_bytes: int = QUOTA_BYTES, *, reserve_bytes: int = RESERVE_BYTES) -> None:
        """Open the store at `root`, or begin one, and sweep up what a crash left behind."""
        self.root = root
        self._reserve_bytes = reserve_bytes
        self._new = root / "new"
        swept = sweep(root, self._new)
        self._shelf = Shelf(quota_bytes, swept.contents, swept.downloads)
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._held: dict[bytes, bytes] = {}
        """Short content that somebody has elsewhere on the disk, as in a ledger: it has no file of its own."""
        self._passing = set(swept.passing)
        """What is not on the disk, or may not be."""

    @property
    def used_bytes(self) -> int:
        """Of the quota: all content, and of downloads what is here, or all of it while somebody is at it."""
        return self._shelf.used_bytes

    def has(self, digest: bytes) -> bool:
        return self._shelf.has(digest)

    def size_bytes(self, digest: bytes) -> int:
        """Raises MissingContentError."""
        size = self._shelf.size_bytes(digest)
        if size is None:
            raise _missing(digest)
        return size

    def path(self, digest: bytes) -> Path:
        """Where the content lies or would lie, what is held included: for reading, and only while it is pinned."""
        if digest in self._held:
            self._write_out(digest)
        return self._place(digest)

    def open(self, digest: bytes) -> BinaryIO:
        """The content, for reading; stays readable if it is evicted meanwhile. Raises MissingContentError."""
        held = self._held.get(digest)
        if held is not None:
            return io.BytesIO(held)
        try:
            file = self.path(digest).open("rb")
        except FileNotFoundError:
            self.remove(digest)  # somebody has been in our directory
            raise _missing(digest) from None
        self._touch(digest)
        return file

    def read(self, digest: bytes) -> bytes:
        """The whole content; for what is known to be small. Raises MissingContentError."""
        with self.open(digest) as file:
            return file.read()

    def chunk_list(self, digest: bytes) -> bytes:
        """The digests of the content's chunks, 32 bytes each. Raises MissingContentError.

        Reads the whole content where the list is lost, and throws it away if it turns out to be something else.
        """
        path = self._place(digest)
        with suppress(FileNotFoundError):
            chunks = chunks_path(path).read_bytes()
            if content_digest(self.size_bytes(digest), chunks) == digest:
                return chunks
        with self.open(digest) as file:
            chunks = chunk_digests(file)
        if content_digest(self.size_bytes(digest), chunks) != digest:
            self.remove(digest)  # it has been damaged: who needs it, we too, is to get it elsewhere
            raise _missing(digest)
        with suppress(OSError):  # then it is made again the next time
            write_list(path, chunks)
        return chunks

    def hold(self, content: bytes, digest: bytes, owner: bytes) -> None:
        """Have this content as long as `owner` has it pinned, and the process lives: it is in the owner's ledger."""
        with self._lock:
            self._shelf.pin(owner, [digest])
            if not self._shelf.has(digest):
                self._shelf.put(digest, len(content))
                self._held[digest] = content
                if self._shelf.is_paused(digest):
                    self._drop_download(digest)

    def settle(self, digest: bytes) -> None:
        """Put content that is here, if only for an owner, on the disk. Raises MissingContentError, StoreFullError."""
        if digest in self._held:
            self._write_out(digest)
        if digest in self._passing:
            path = self._place(digest)
            with self.open(digest):  # else it is gone, and known to be
                # What is just coming in to stay is on the disk, and its name may not be.
                sync_directory(path.parent) if is_settled(path.stat()) else settle(path)
            with self._lock, suppress(FileNotFoundError):
                if is_settled(path.stat()):  # else it has gone meanwhile and come in again, passing
                    self._passing.discard(digest)

    def add_bytes(self, content: bytes, name: str, *, owner: bytes | None = None) -> FileRef:
        """Take in content from memory, pinned for `owner` if there is one. Raises StoreFullError."""
        digest = digest_of(content)
        if not self._claim(digest, owner):
            self._reserve(len(content))
            with self._incoming() as new:
                new.write_bytes(content)
                self._admit(new, owner)
        return FileRef(name, len(content), digest)

    def add_file(
        self, path: Path, name: str | None = None, *, move: bool = False, owner: bytes | None = None
    ) -> FileRef:
        """Take in a file under its base name or another, pinned for `owner` if there is one.

        It is copied, since whoever owns it may change it, unless `move` says that it is given away, see `take_file`.
        Raises StoreFullError, and OSError if the file cannot be read.
        """
        if move:
            directory = os.open(path.parent, DIRECTORY)
            try:
                return self.take_file(directory, path.name, name, owner=owner)
            finally:
                os.close(directory)
        with open_regular(path) as source:
            return self.add_open(source, name or path.name, os.fstat(source.fileno()).st_size, owner=owner)

    def add_open(
        self, source: BinaryIO, name: str, size_bytes: int, *, owner: bytes | None = None, lasting: bool = True
    ) -> FileRef:
        """Take in a copy of what an open file has from where it stands, so many bytes at most; passing or `lasting`.

        Raises StoreFullError, and OSError if the file cannot be read.
        """
        self._reserve(size_bytes)
        with self._incoming() as new:
            with new.open("xb") as copy:
                copy_bytes(source, copy, size_bytes)
            digest, size = self._admit(new, owner, lasting=lasting)
        return FileRef(name, size, digest)

    def take_file(
        self, directory: int, entry: str, name: str | None = None, *, owner: bytes | None = None, lasting: bool = True
    ) -> FileRef:
        """Take in a file that is given away, passing or `lasting`, out of a directory that is held open.

        Only a regular file is taken, and a link is not followed. If this entry is the only name of the file, it is
        moved, since nobody else can get at it; so nobody may have it open for writing any more. If it has further
        names (hard links), it is somebody else's too, and could be changed through them: then it is copied, and
        neither its mode nor its content nor its other names are touched. So the same on another file system.
        Raises StoreFullError, and OSError if the file cannot be read, DisplacedError if it is no regular file.
        """
        seen = os.stat(entry, dir_fd=directory, follow_symlinks=False)
        if not stat.S_ISREG(seen.st_mode):
            raise DisplacedError(f"{entry!r} is not a regular file")
        self._reserve(seen.st_size)
        with self._incoming() as new:
            moved = move_regular(directory, entry, seen, new)
            if not moved:
                with open_regular(entry, directory) as source, new.open("xb") as copy:
                    copy_bytes(source, copy, seen.st_size)
            digest, size = self._admit(new, owner, lasting=lasting)
            if not moved:
                os.unlink(entry, dir_fd=directory)
        return FileRef(entry if name is None else name, size, digest)

    def materialise(self, digest: bytes, target: str | Path, directory: int | None = None) -> None:
        """Make `target`, which must not exist, a copy of the content that belongs to whoever asked for it.

        It is a path, or a name in a directory that is held open. Raises MissingContentError and OSError.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with self.open(digest) as source, os.fdopen(os.open(target, flags, 0o666, dir_fd=directory), "wb") as copy:
            copy_bytes(source, copy, self.size_bytes(digest))

    def remove(self, digest: bytes) -> None:
        """Throw content away, pinned or not."""
        with self._lock:
            self._drop(digest)

    def pin(self, owner: bytes, digests: Iterable[bytes]) -> None:
        """Keep these, here yet or not, until `owner` (a job) is done with them; adds to what it has pinned before."""
        with self._lock:
            self._shelf.pin(owner, digests)

    def unpin(self, owner: bytes) -> None:
        """All that `owner` has pinned may go, as far as it is concerned."""
        with self._lock:
            for digest in self._shelf.unpin(owner):
                if digest in self._held:
                    self._drop(digest)

    def begin_download(self, digest: bytes, size_bytes: int) -> Path:
        """Take room for what is not here yet of a download; where its bytes go. Raises StoreFullError.

        One at a time per content; ends with `finish_download` or `pause_download`.
        """
        assert not self._shelf.is_downloading(digest), "one download per content at a time"
        path = self._place(digest)
        make_directory(path.parent)
        with self._lock:
            self._make_room(size_bytes - self._shelf.download_bytes(digest), sparing=digest)
            self._shelf.put_download(digest, size_bytes, active=True)
        return part_path(path)

    def pause_download(self, digest: bytes) -> None:
        """What it has stays for the next attempt, as long as nothing better needs the room."""
        with self._lock:
            self._shelf.put_download(digest, part_bytes(self._place(digest)), active=False)
            if self._shelf.has(digest):  # it has come in another way
                self._drop_download(digest)

    def finish_download(self, digest: bytes, chunks: bytes, *, lasting: bool) -> None:
        """All of it has been verified against `chunks`: the content is in the store. Raises StoreFullError."""
        self._admit(part_path(self._place(digest)), None, chunks, lasting=lasting)
        with self._lock:
            self._drop_download(digest)

    def let_go(self, owner: bytes, digests: Iterable[bytes], least_bytes: int = 0) -> list[Path]:
        """`owner` does not need these any more: what is here of them, is so long and nobody else has pinned, is gone.
        Returns files to be removed."""
        files = []
        with self._lock:
            long = [digest for digest in digests if (self._shelf.size_bytes(digest) or 0) >= least_bytes]
            for digest in filter(self._shelf.has, self._shelf.unpin(owner, long)):
                path = self._new / str(next(self._numbers))
                with suppress(FileNotFoundError):  # what is held has none
                    self._place(digest).replace(path)
                    files.append(path)
                self._drop(digest)
        return files

    def _reserve(self, size_bytes: int) -> None:
        with self._lock:
            self._make_room(size_bytes)

    @contextmanager
    def _incoming(self) -> Iterator[Path]:
        """A name for a file on its way in."""
        path = self._new / str(next(self._numbers))
        try:
            with room_on_disk():
                yield path
        finally:
            path.unlink(missing_ok=True)

    def _admit(
        self, path: Path, owner: bytes | None, chunks: bytes | None = None, *, lasting: bool = True
    ) -> tuple[Digest, int]:
        """Give a complete file its name, which follows from its chunks."""
        with room_on_disk(), path.open("rb") as file:
            if chunks is None:
                chunks = chunk_digests(file)
            size = os.fstat(file.fileno()).st_size
            digest = content_digest(size, chunks)
            if not self._claim(digest, owner, lasting=lasting):
                place = self._place(digest)
                make_directory(place.parent)
                write_list(place, chunks)
                path.chmod(SETTLED if lasting else PASSING)
                if lasting:
                    os.fsync(file.fileno())
                os.utime(path)
                self._put(path, digest, size, owner)
                if lasting:
                    with suppress(MissingContentError, FileNotFoundError):  # it has had to go already
                        self.settle(digest)
        return digest, size

    def _put(self, path: Path, digest: bytes, size: int, owner: bytes | None) -> None:
        """A file gets its name, unless the same has come in meanwhile; it is passing until that is on the disk."""
        place = self._place(digest)
        with self._lock:
            if not self._shelf.has(digest):
                path.replace(place)
                self._shelf.put(digest, size)
                self._passing.add(digest)
                if path == part_path(place) or self._shelf.is_paused(digest):
                    self._drop_download(digest)
            if owner is not None:
                self._shelf.pin_added(owner, digest)

    def _claim(self, digest: bytes, owner: bytes | None, *, lasting: bool = True) -> bool:
        """Pin and touch what is here already, and settle it if it is to last; False if it is not here."""
        with self._lock:
            if not self._shelf.has(digest):
                return False
            if owner is not None:
                self._shelf.pin_added(owner, digest)
        self._touch(digest)
        if lasting:
            self.settle(digest)
        return True

    def _write_out(self, digest: bytes) -> None:
        """What was held gets a file."""
        with self._lock:
            content = self._held.get(digest)
            if content is not None:
                with self._incoming() as new:
                    new.write_bytes(content)
                    new.chmod(PASSING)
                    make_directory(self._place(digest).parent)
                    new.replace(self._place(digest))
                self._passing.add(digest)
                del self._held[digest]

    @property
    def is_disk_full(self) -> bool:
        """Whether tasks, which write beside the store, find no room either."""
        return shutil.disk_usage(self.root).free < FULL_BYTES

    def _place(self, digest: bytes) -> Path:
        name = digest.hex()
        return self.root / name[:2] / name[2:]

    def _make_room(self, size_bytes: int, sparing: bytes | None = None) -> None:
        """Evict until `size_bytes` fit beside what downloads have still to write. Raises StoreFullError, and then has
        evicted nothing."""
        to_come = sum(max(size - part_bytes(self._place(digest)), 0) for digest, size in self._shelf.active())
        free_bytes = shutil.disk_usage(self.root).free - self._reserve_bytes - to_come
        victims = self._shelf.victims(size_bytes, free_bytes, sparing)
        if victims is None:
            raise StoreFullError(self._shelf.why_full(size_bytes))
        downloads, contents = victims
        for digest in downloads:
            self._drop_download(digest)
        for digest in contents:
            self._drop(digest)

    def _touch(self, digest: bytes) -> None:
        with self._lock:
            here = self._shelf.touch(digest)
        path = self.path(digest)
        with suppress(FileNotFoundError):
            if here and time.time() - path.stat().st_mtime > TOUCH_S:
                os.utime(path)

    def _drop(self, digest: bytes) -> None:
        if self._held.pop(digest, None) is None:
            path = self._place(digest)
            path.unlink(missing_ok=True)
            chunks_path(path).unlink(missing_ok=True)
        self._shelf.take(digest)
        self._passing.discard(digest)

    def _drop_download(self, digest: bytes) -> None:
        path = self._place(digest)
        remove_files([part_path(path)] if self._shelf.has(digest) else [part_path(path), chunks_path(path)])
        self._shelf.take_download(digest)


def _missing(digest: bytes) -> MissingContentError:
    return MissingContentError(f"content {digest.hex()[:16]} is not in the store")
