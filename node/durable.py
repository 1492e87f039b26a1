"""Durable files: writing so that a crash, of the machine too, leaves the whole old content or the whole new one."""

import os
from contextlib import suppress
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file (mode 0600). One writer at a time: the temporary name is always the same, so that a crash leaves
    at most one behind."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    _write_new(new, content)
    new.replace(path)
    sync_directory(path.parent)


def create_once(path: Path, content: bytes) -> None:
    """Make a file (mode 0600) with its whole content in one step; do nothing if somebody has just made it."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    _write_new(new, content)
    with suppress(FileExistsError):
        os.link(new, path)
    new.unlink()
    sync_directory(path.parent)


def make_directory(path: Path) -> None:
    """Make a directory (mode 0700), unless it is there, and put its name on the disk: by that is found what is synced
    in it."""
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
        sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Put the names in a directory on the disk; the bytes of the files are a matter of their own."""
    file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _write_new(path: Path, content: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(file)
