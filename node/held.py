"""Held directories: directories that are worked on through a descriptor, from their making on.

A task runs as the node's own user. By malice, or by a careless `rm -rf out; ln -s /data out`, it can put a link in
the place of any directory that it was given, and whoever goes by the path from then on works on files that are not
the node's: gives them modes, moves them, removes them. A descriptor leads to the directory that was made, whatever is
done to its name. Below it only names without `/` are used, and no link is followed.

What this does not stop is a process that is still running: it may do to any file what the node may. So everything
here is for when the processes of a task have been ended.
"""

import errno
import os
import secrets
import stat
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class DisplacedError(OSError):
    """Something else lies where we have made a directory or expect a file: nothing of it is touched."""


class HeldDirectory:
    """A directory and the path at which it was found or made.

    Closed when it is let go, at the latest: `file` is good for as long as somebody keeps the object.
    """

    def __init__(self, path: Path, file: int) -> None:
        """Takes over the descriptor."""
        self.path = path
        self.file = file
        self._close = weakref.finalize(self, os.close, file)

    @classmethod
    def find(cls, path: Path) -> Self:
        """Hold a directory that is there. Its path may have links now: that is for who set the node up to decide."""
        real = path.resolve()
        return cls(real, os.open(real, DIRECTORY))

    def make(self, name: str) -> "HeldDirectory":
        """Make a directory in this one, for this user only, and hold it."""
        os.mkdir(name, 0o700, dir_fd=self.file)
        return HeldDirectory(self.path / name, os.open(name, DIRECTORY | os.O_NOFOLLOW, dir_fd=self.file))

    def make_file(self, name: str) -> int:
        """Make a file in this directory, for this user only; a descriptor for reading and for writing at its end."""
        return os.open(name, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=self.file)

    def check(self) -> None:
        """Raise DisplacedError unless its path still leads to it."""
        try:
            found = self.path.lstat()
        except OSError as error:
            raise DisplacedError(f"the directory {self.path.name} is gone: {error.strerror}") from None
        if not os.path.samestat(found, os.fstat(self.file)):
            raise DisplacedError(
                f"the directory {self.path.name} is another one than was made: change what is in it, not itself"
            )

    def close(self) -> None:
        self._close()


def open_regular(path: str | Path, directory: int | None = None) -> BinaryIO:
    """Open a regular file for reading, of this name in a directory that is held, or at this path.

    In a directory, a link is not followed. Never waits, as opening a pipe would. Raises OSError, which is
    IsADirectoryError or DisplacedError for what is no regular file.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if directory is None else os.O_NOFOLLOW)
    file = os.open(path, flags, dir_fd=directory)
    mode = os.fstat(file).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(file, "rb")
    os.close(file)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    raise DisplacedError(f"{os.fspath(path)!r} is not a regular file")


def remove_tree(name: str | Path, directory: int | None = None) -> None:
    """Remove whatever has this name, in a directory that is held or as a path; do nothing if there is nothing.

    A link is removed and not followed. A file system that is mounted below is left alone with all that is in it, and
    so are the directories above it: a mount point cannot be renamed, and every directory is renamed before anything
    in it is touched. That also makes depth no matter: each is brought to the top and emptied there, with a few
    descriptors and no recursion. Goes as far as it can; then raises the first OSError there was.
    """
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):  # the second is how a Mac says the first
        _remove_directory(name, directory)


def _remove_directory(name: str | Path, directory: int | None) -> None:
    try:
        top = os.open(name, DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
    except PermissionError:
        os.chmod(name, 0o700, dir_fd=directory)
        top = os.open(name, DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
    errors: list[OSError] = []
    try:
        fresh = _fresh_names()
        waiting = _empty(top, top, fresh, errors)
        while waiting:
            below = waiting.pop()
            try:
                file = os.open(below, DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
                try:
                    waiting += _empty(file, top, fresh, errors)
                finally:
                    os.close(file)
                os.rmdir(below, dir_fd=top)
            except OSError as error:
                errors.append(error)
        if not errors:
            os.rmdir(name, dir_fd=directory)
    finally:
        os.close(top)
    if errors:
        raise errors[0]


def _fresh_names() -> Iterator[str]:
    """Names that nobody else has given."""
    token = secrets.token_hex(8)
    number = 0
    while True:
        number += 1
        yield f"{token}-{number}"


def _empty(file: int, top: int, fresh: Iterator[str], errors: list[OSError]) -> list[str]:
    """Remove all that is in a directory but directories; those are brought to the top. Their names there."""
    brought: list[str] = []
    os.fchmod(file, 0o700)
    with os.scandir(file) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_directory in found:
        try:
            if is_directory:
                brought.append(_bring(name, file, top, next(fresh)))
            else:
                os.unlink(name, dir_fd=file)
        except OSError as error:
            errors.append(error)
    return brought


def _bring(name: str, file: int, top: int, fresh: str) -> str:
    """Rename first, and only then make it ours to read: what is mounted there must keep its mode."""
    os.rename(name, fresh, src_dir_fd=file, dst_dir_fd=file)
    os.chmod(fresh, 0o700, dir_fd=file)
    if file != top:
        os.rename(fresh, fresh, src_dir_fd=file, dst_dir_fd=top)
    return fresh
