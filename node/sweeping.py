"""Sweeping: what lies in a store's directories when a node starts, and what of it a crash has left over.

    <root>/ab/cdef...            content, called after its digest; mode 0444, or 0400 if it is passing
    <root>/ab/cdef....chunks     the digests of its chunks, if there is more than one: peers ask for them
    <root>/ab/cdef....part       the verified beginning of a download (see `download`)
    <root>/new/                  on its way in; emptied at every start
    <root>/run                   in which run of the machine this was (see `power`)
    <root>/naming                how content is named

If the machine has been off since, content goes that is not marked as being on the disk: it may be anything now. What
another version of pnode has named in another way goes, too: whoever got it from here would have to refuse it.
Whatever else lies there is left alone.
"""

import os
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from pnode.protocol.ids import CHUNK_BYTES, DIGEST_BYTES, chunk_digest, digest_of
from pnode.protocol.values import dataclass

from .durable import sync_directory, write_atomically
from .power import is_settled, note_run, was_off

PARTIAL_S_MAX = 3 * 86400.0
"""A download that nobody has continued over a weekend is of no use to anybody."""

NAMING = f"{CHUNK_BYTES} {digest_of(b'example').hex()}\n".encode()
"""How content is named, by an example, which changes by itself when that does."""

STORE_NAME = re.compile(r"[0-9a-f]{62}(\.chunks|\.part)?")

Found = list[tuple[bytes, int]]
"""(digest, size in bytes)."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What is left."""

    contents: Found
    """The least recently used first."""
    passing: list[bytes]
    """Which of these are not marked as being on the disk."""
    downloads: Found
    """That may go on."""


def sweep(root: Path, new: Path) -> Swept:
    """What is at `root`. Removes files on their way in, what a failure of the machine may have damaged, what is named
    in another way, lists of nothing, and downloads that are old or of what is here."""
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True, mode=0o700)
    sync_directory(root)  # a run that was killed may have made directories in it, and come no further
    lost_power = was_off(root / "run")
    is_foreign = _naming(root) != NAMING
    passing: list[bytes] = []
    contents: list[tuple[float, bytes, int]] = []
    downloads: Found = []
    for directory in root.glob("[0-9a-f][0-9a-f]"):
        with os.scandir(directory) as entries:
            ours = {entry.name: entry.stat() for entry in entries if STORE_NAME.fullmatch(entry.name)}
        for name, status in ours.items():
            stem, _, kind = name.partition(".")
            digest = bytes.fromhex(directory.name + stem)
            fresh = time.time() - status.st_mtime < PARTIAL_S_MAX and f"{stem}.chunks" in ours and stem not in ours
            if is_foreign or (kind == "" and lost_power and not is_settled(status)):
                (directory / name).unlink()
            elif kind == "":
                if not is_settled(status):
                    passing.append(digest)
                contents.append((status.st_mtime, digest, status.st_size))
            elif kind == "part" and fresh:
                downloads.append((digest, status.st_size))
            elif kind == "part" or (stem not in ours and f"{stem}.part" not in ours):
                (directory / name).unlink()
    if lost_power:  # and not before all that it may have damaged is gone
        note_run(root / "run")
    if is_foreign:  # likewise
        write_atomically(root / "naming", NAMING)
    return Swept([(digest, size) for _, digest, size in sorted(contents)], passing, downloads)


def _naming(root: Path) -> bytes:
    with suppress(FileNotFoundError):
        return (root / "naming").read_bytes()
    return b""  # a new store, or one that was made before there was any other way


def chunk_digests(file: BinaryIO) -> bytes:
    """Of all that is in a file from where it stands."""
    return b"".join(chunk_digest(chunk) for chunk in iter(lambda: file.read(CHUNK_BYTES), b""))


def write_list(path: Path, chunks: bytes) -> None:
    """Put the digests of its chunks beside content, if it needs a list. It is not synced: a damaged list is noticed
    and made again."""
    if len(chunks) > DIGEST_BYTES:
        chunks_path(path).write_bytes(chunks)


def part_path(path: Path) -> Path:
    """Beside content: where its download is."""
    return path.with_name(path.name + ".part")


def part_bytes(path: Path) -> int:
    """How much of a download there is beside where its content will lie."""
    with suppress(FileNotFoundError):
        return part_path(path).stat().st_size
    return 0


def chunks_path(path: Path) -> Path:
    """Beside content or a download: where the digests of its chunks are."""
    return path.with_name(path.name + ".chunks")
