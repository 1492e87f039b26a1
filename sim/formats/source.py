"""A source: the text of a file that somebody else wrote, unpacked and decoded within bounds."""

import gzip
import io
import lzma
import stat
import zlib
from os import PathLike
from pathlib import Path

from .errors import FormatError

PLAIN_BYTES_MAX = 128 * 1024 * 1024
"""Unpacked. All 167 traces of WfInstances together have 147 MB. As Python objects, JSON takes about ten times its
size, so that more would fill a laptop."""

XZ_MEMORY_MAX = 256 * 1024 * 1024
"""What unpacking may need: `xz -9` asks its readers for 65 MB, a hostile header for 4 GB."""

_XZ = b"\xfd7zXZ\x00"
_GZIP = b"\x1f\x8b"

Place = str | PathLike[str]


def read_text(path: Place) -> str:
    """The text of a file, which may be packed by xz or gzip whatever it is called. Raises FormatError."""
    return unpack(str(path), _contents(path))


def write_text(path: Place, text: str) -> None:
    """Write a whole file. Raises FormatError when that cannot be done."""
    try:
        Path(path).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise FormatError(str(path), "", f"it cannot be written: {error.strerror or error}") from None
    except UnicodeEncodeError as error:
        raise FormatError(str(path), "", f"a name in it is no text: {error.reason}") from None


def unpack(file: str, data: bytes) -> str:
    """The text in a file's bytes, without a byte order mark. Raises FormatError."""
    plain = _unpacked(file, data)
    if len(plain) > PLAIN_BYTES_MAX:
        raise FormatError(file, "", f"it is longer than {PLAIN_BYTES_MAX} bytes, which is as much as is read")
    try:
        return plain.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = plain.count(b"\n", 0, error.start) + 1
        reason = (
            f"the byte 0x{plain[error.start]:02x} is not UTF-8, expected a text file (or one packed by xz or gzip)"
        )
        raise FormatError(file, f"line {line}", reason) from None


def _contents(path: Place) -> bytes:
    try:
        # A pipe or a device would block, or never end.
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise FormatError(str(path), "", "it is no regular file")
        with Path(path).open("rb") as file:
            return file.read(PLAIN_BYTES_MAX + 1)
    except OSError as error:
        raise FormatError(str(path), "", f"it cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(repr(str(path)), "", f"no file can be called so: {error}") from None


def _unpacked(file: str, data: bytes) -> bytes:
    try:
        if data.startswith(_XZ):
            return _from_xz(data)
        if data.startswith(_GZIP):
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
                return stream.read(PLAIN_BYTES_MAX + 1)
    except (lzma.LZMAError, zlib.error, EOFError, OSError) as error:
        kind = "xz" if data.startswith(_XZ) else "gzip"
        raise FormatError(file, "", f"the {kind} stream is damaged or cut short: {error}") from None
    return data


def _from_xz(data: bytes) -> bytes:
    """All streams of the file one after the other, as `xz -d` has it; stops soon after too many bytes."""
    plain = bytearray()
    while data and len(plain) <= PLAIN_BYTES_MAX:
        stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY_MAX)
        plain += stream.decompress(data, PLAIN_BYTES_MAX + 1 - len(plain))
        if not stream.eof and len(plain) <= PLAIN_BYTES_MAX:
            raise EOFError("it ends in the middle")
        data = stream.unused_data.lstrip(b"\0")  # padding between streams
    return bytes(plain)
