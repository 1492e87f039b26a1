"""A download: content on its way into the store, of which only verified chunks are kept.

Its bytes lie in a `.part` file in the order of the content, beside the list of chunk digests that they were checked
against, so that another attempt, by this process or a later one and from any source, goes on where this one stopped.
"""

import os
from contextlib import suppress
from types import TracebackType
from typing import Self

from pnode.protocol.errors import RemoteProtocolError
from pnode.protocol.ids import CHUNK_BYTES, DIGEST_BYTES, chunk_digest, content_digest
from pnode.protocol.jobspec import FileRef

from .store import Store
from .sweeping import chunks_path
from .trouble import room_on_disk


class WrongContentError(RemoteProtocolError):
    """What was sent is not what its digest promises. The sender, or its disk, is to blame."""


class Download:
    """One attempt at one file: a context that pauses the download unless it was finished.

    Methods block for no longer than a chunk takes; the constructor may read all that earlier attempts have left, and
    `finish` may wait for the disk, so these two belong into a thread.
    """

    def __init__(self, store: Store, file: FileRef) -> None:
        """Raises StoreFullError and OSError."""
        self._store = store
        self._wanted = file
        self._finished = False
        self.chunks: bytes | None = None
        """The list of chunk digests once one is known that fits the content, 32 bytes each."""
        self.verified = 0
        """How many chunks are here, from the first on."""
        path = store.begin_download(file.digest, file.size_bytes)
        try:
            self._list = chunks_path(store.path(file.digest))
            with suppress(FileNotFoundError):
                path.chmod(0o600)  # it may have been broken off when it was to become content
            self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")
            try:
                self._resume()
            except BaseException:
                self._file.close()
                raise
        except BaseException:
            store.pause_download(file.digest)
            raise

    @property
    def chunk_count(self) -> int:
        return -(-self._wanted.size_bytes // CHUNK_BYTES)

    @property
    def complete(self) -> bool:
        return self.chunks is not None and self.verified == self.chunk_count

    def take_list(self, chunks: bytes) -> None:
        """The digests of all chunks, as a source tells them. Raises WrongContentError."""
        if content_digest(self._wanted.size_bytes, chunks) != self._wanted.digest:
            raise WrongContentError("a list of chunks that does not belong to the content")
        if chunks != self.chunks and len(chunks) > DIGEST_BYTES:
            with room_on_disk():
                self._list.write_bytes(chunks)
        self.chunks = chunks

    def take_chunk(self, chunk: bytes) -> None:
        """The next chunk. Raises WrongContentError, and StoreFullError if the disk is full."""
        if not self._is_next(chunk):
            raise WrongContentError(f"chunk {self.verified} of {self.chunk_count} is not what its digest says")
        with room_on_disk():
            self._file.write(chunk)
        self.verified += 1

    def finish(self, *, lasting: bool) -> None:
        """Everything is here: put it into the store, and if it is `lasting` on the disk. Raises StoreFullError."""
        assert self.chunks is not None, "the list of chunks is to come"
        assert self.complete, "there are chunks to come"
        with room_on_disk():
            self._file.close()
        self._store.finish_download(self._wanted.digest, self.chunks, lasting=lasting)
        self._finished = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._finished:
            return
        with suppress(OSError):  # a full disk: what was not written is found missing by the next attempt
            self._file.close()
        self._store.pause_download(self._wanted.digest)

    def _resume(self) -> None:
        """Find out how much of what lies here can be believed."""
        with suppress(FileNotFoundError):
            chunks = self._list.read_bytes()
            if content_digest(self._wanted.size_bytes, chunks) == self._wanted.digest:
                self.chunks = chunks
        while self.chunks is not None and not self.complete and self._is_next(self._file.read(CHUNK_BYTES)):
            self.verified += 1
        self._file.seek(min(self.verified * CHUNK_BYTES, self._wanted.size_bytes))
        self._file.truncate()

    def _is_next(self, chunk: bytes) -> bool:
        assert self.chunks is not None, "chunks come after their list"
        at = self.verified * DIGEST_BYTES
        size = min(CHUNK_BYTES, self._wanted.size_bytes - self.verified * CHUNK_BYTES)
        return len(chunk) == size and chunk_digest(chunk) == self.chunks[at : at + DIGEST_BYTES]
