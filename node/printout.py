"""Printouts: what a task prints, on stdout or stderr, in a file that the node keeps open.

The descriptor is what the task's processes get and what is read in the end. So it is of no importance what a task
does to the file's name: it may remove it, or put a directory, a pipe or a link in its place.
"""

import os
import weakref
from typing import BinaryIO

TAIL_CHARACTERS_MAX = 2000
TAIL_BYTES_MAX = 4000
"""A text in a statement has at most 4,096 bytes."""

CARRIED_BYTES_MAX = 64 * 1024
"""Of what a process has printed in the end that another one follows."""


class Printout:
    """One file of what was printed. Closed when it is let go, at the latest."""

    def __init__(self, name: str, file: int) -> None:
        """Takes over the descriptor, which is for reading and for writing at the end."""
        self.name = name
        self.file = file
        self._close = weakref.finalize(self, os.close, file)

    @property
    def size_bytes(self) -> int:
        return os.fstat(self.file).st_size

    def note(self, notices: list[str]) -> None:
        """Add lines of ours."""
        self._add("".join(f"pnode: {notice}\n" for notice in notices).encode(errors="backslashreplace"))

    def note_end_of(self, other: "Printout") -> None:
        """Add what another one has at its end."""
        self._add(os.pread(other.file, CARRIED_BYTES_MAX, max(other.size_bytes - CARRIED_BYTES_MAX, 0)))

    def clear(self) -> None:
        """Forget all of it."""
        if self.size_bytes:
            os.ftruncate(self.file, 0)

    def tail(self) -> str:
        """Its end as text, within both bounds."""
        most = 4 * TAIL_CHARACTERS_MAX
        end = os.pread(self.file, most, max(self.size_bytes - most, 0))
        text = end.decode(errors="replace")[-TAIL_CHARACTERS_MAX:]
        return text.encode()[-TAIL_BYTES_MAX:].decode(errors="ignore")

    def reader(self) -> BinaryIO:
        """From its beginning, for one reader at a time."""
        file = os.fdopen(os.dup(self.file), "rb")
        file.seek(0)
        return file

    def close(self) -> None:
        self._close()

    def _add(self, content: bytes) -> None:
        while content:
            content = content[os.write(self.file, content) :]
