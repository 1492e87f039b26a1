"""Tapes: the one form of tar that `archive.pack` writes, read by ourselves.

The standard library's reader takes every form of forty years. From a stranger's bytes it recurses once per chained
long name, reads headers as long as they say they are, and fails in ways that nobody has listed. Here each entry is a
header of 512 bytes and the content, padded to whole blocks; before it may stand one extended header (type `x` of
POSIX.1-2001) with the path, where that is longer than 100 bytes or not ASCII. Two blocks of zeros end the tape.
"""

from collections.abc import Iterator
from typing import BinaryIO

from pnode.protocol.values import dataclass

BLOCK_BYTES = 512
COPY_BYTES = 1024 * 1024

EXTENDED_BYTES_MAX = 4096
"""Of an extended header: a path of 1,024 bytes, and as much again for what another version might add."""

REGULAR, EXTENDED = b"0", b"x"
ZEROS = bytes(BLOCK_BYTES)


class ArchiveError(Exception):
    """Files that cannot be packed, or bytes that are not an archive as `archive.pack` makes them."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file on a tape; its content is to be copied before the next is asked for, or is skipped."""

    name: str
    size_bytes: int
    executable: bool
    tape: BinaryIO

    def copy_to(self, file: BinaryIO) -> None:
        """Raises ArchiveError if the tape ends before the content does."""
        left = self.size_bytes
        while left:
            block = _read(self.tape, min(left, COPY_BYTES))
            file.write(block)
            left -= len(block)


def members(tape: BinaryIO) -> Iterator[Member]:
    """The files on a tape, in order. Raises ArchiveError for anything but a regular file."""
    while (header := _read(tape, BLOCK_BYTES)) != ZEROS:
        path = ""
        if header[156:157] == EXTENDED:
            path = _path(_extended(tape, _checked(header)))
            header = _read(tape, BLOCK_BYTES)
        size = _checked(header)
        name = path or _text(header[:100].partition(b"\0")[0])
        if header[156:157] != REGULAR:
            raise ArchiveError(f"the application has an entry {name!r} that is no regular file inside it")
        begin = tape.tell()
        yield Member(name, size, bool(_octal(header[100:108]) & 0o100), tape)
        tape.seek(begin + _padded(size))


def _checked(header: bytes) -> int:
    """The size of what follows a header, once its checksum is right."""
    unsummed = header[:148] + b" " * 8 + header[156:]
    if header[257:263] != b"ustar\0" or _octal(header[148:156]) != sum(unsummed):
        raise ArchiveError("the application is not an archive: a header is damaged or of another form")
    return _octal(header[124:136])


def _extended(tape: BinaryIO, size: int) -> bytes:
    if size > EXTENDED_BYTES_MAX:
        raise ArchiveError(f"the application is not an archive: a header of {size} bytes")
    return _read(tape, _padded(size))[:size]


def _path(records: bytes) -> str:
    """The path that an extended header tells: the only record there is, as `<length> path=<path>` and a line end."""
    length, _, record = records.partition(b" ")
    if length != str(len(records)).encode() or record[:5] != b"path=" or record[-1:] != b"\n":
        raise ArchiveError("the application is not an archive: an extended header that tells more than a path")
    return _text(record[5:-1])


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise ArchiveError("the application is not an archive: a name that is not UTF-8") from None


def _octal(field: bytes) -> int:
    digits = field.rstrip(b" \0")
    if not digits or digits.strip(b"01234567"):
        raise ArchiveError("the application is not an archive: a header has something else than a number in it")
    return int(digits, 8)


def _padded(size: int) -> int:
    return -(-size // BLOCK_BYTES) * BLOCK_BYTES


def _read(tape: BinaryIO, size: int) -> bytes:
    block = tape.read(size)
    if len(block) < size:
        raise ArchiveError("the application is not an archive: it ends too early")
    return block
