"""Copying and moving of files into the store and out of it, as cheaply as the file system can."""

import errno
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from pnode.protocol.ids import CHUNK_BYTES

COPY_BYTES = 2**30
"""Asked of the kernel at a time; it may do less."""

NO_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP)
"""Why a file cannot get another name: it is on another file system, or on one that has no hard links."""


def move_regular(directory: int, entry: str, seen: os.stat_result, target: Path) -> bool:
    """Move a file that has no other name; False if it has, or cannot be moved.

    By a new name before the old one is removed: where it turns out to be another file than was seen, only the new
    name goes again, and nothing has happened to that file.
    """
    if seen.st_nlink > 1:
        return False
    try:
        os.link(entry, target, src_dir_fd=directory, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINK:
            raise
        return False
    linked = target.lstat()
    if not os.path.samestat(linked, seen) or linked.st_nlink != seen.st_nlink + 1:
        target.unlink()
        return False
    os.unlink(entry, dir_fd=directory)
    target.chmod(0o600)  # whatever mode it had, it is ours to read
    return True


def copy_bytes(source: BinaryIO, target: BinaryIO, size_bytes: int) -> None:
    """So many bytes at most: in the kernel as far as that goes, which shares blocks on some file systems; then in the
    ordinary way."""
    left = size_bytes
    if hasattr(os, "copy_file_range"):
        with suppress(OSError):  # on different file systems, or on one that cannot
            while left and (copied := os.copy_file_range(source.fileno(), target.fileno(), min(left, COPY_BYTES))):
                left -= copied
    while left and (chunk := source.read(min(left, CHUNK_BYTES))):  # goes on where the kernel stopped: mostly the end
        target.write(chunk)
        left -= len(chunk)


def remove_files(paths: Iterable[Path]) -> None:
    """Remove those of them that are there. What stays, since the disk fails, goes at the next start (`sweeping`)."""
    for path in paths:
        with suppress(OSError):
            path.unlink()
