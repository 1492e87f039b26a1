"""Archives: an application's files as one content-addressed piece, and back into a directory on another node.

An archive is an uncompressed tar whose bytes follow from the files alone: sorted by name, without times and owners,
modes 0644 or 0755. So the same application has the same digest wherever it is packed, and is fetched once.

Unpacking trusts nothing, since the archive comes from another node: regular files and nothing else, into a new
directory, under names that stay inside it, within bounds. Only the form that packing writes is read (see `tape`).
Where anything is wrong, no directory is left.
"""

import os
import tarfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from pnode.protocol.values import dataclass

from .held import remove_tree
from .outputs import NAME_BYTES_MAX
from .tape import ArchiveError as ArchiveError  # what goes wrong with archives, for those who know no tapes
from .tape import members

FILES_MAX = 10_000
"""An application with more is a data set; those travel as inputs."""

BYTES_MAX = 512 * 1024 * 1024
"""All files together. Every node that runs a task of the application keeps one copy."""

PATH_BYTES_MAX = 1024
DEPTH_MAX = 64
"""Directories are made and walked by recursion."""

LEFT_BEHIND = ("__pycache__", "sample_input", "results")
"""Directories that are no part of an application, besides hidden ones."""


@dataclass(frozen=True, slots=True)
class ShippedFile:
    """One file of an application."""

    name: str
    """Relative to the application's directory, `/` between its parts."""
    source: Path
    executable: bool


def is_inner_path(name: str) -> bool:
    """Whether a relative path with `/` between its parts stays below the directory it is relative to."""
    parts = name.split("/")
    if any(ord(character) < 32 or character in "\\\x7f" for character in name) or len(parts) > DEPTH_MAX:
        return False
    plain = not any(part in ("", ".", "..") or _size(part) > NAME_BYTES_MAX for part in parts)
    return plain and _size(name) <= PATH_BYTES_MAX


def collect(root: Path, start: Path) -> tuple[list[ShippedFile], list[str]]:
    """The files below `start`, which is the application's directory `root` or one in it, and notices about the rest.

    Hidden files, caches, sample input and earlier results stay behind. A link is shipped as what it points to, if
    that is a file of the application too: else whoever made the link would have files of this host sent away unseen.
    Raises ArchiveError for more than an application may have.
    """
    files: list[ShippedFile] = []
    notices: list[str] = []
    left = BYTES_MAX
    real_root = root.resolve()

    def skip(error: OSError) -> None:
        notices.append(f"{error.filename} cannot be read and is not shipped")

    for directory, inner, names in os.walk(start, onerror=skip):
        inner[:] = sorted(name for name in inner if name not in LEFT_BEHIND and not name.startswith("."))
        here = Path(directory)
        links = [name for name in inner if (here / name).is_symlink()]
        notices += [
            f"{(here / name).relative_to(root)} is a link to a directory and is not shipped" for name in links
        ]
        for name in sorted(name for name in names if not name.startswith(".")):
            path = here / name
            relative = path.relative_to(root).as_posix()
            problem = _problem(path, relative, real_root)
            if problem:
                notices.append(f"{ascii(relative)[1:-1]} {problem} and is not shipped")
                continue
            about = path.stat()
            left -= about.st_size
            if len(files) == FILES_MAX or left < 0:
                raise ArchiveError(
                    f"{start} has more than {FILES_MAX} files or {BYTES_MAX >> 20} MiB: put the DAG file into a "
                    "directory of its own with what its tasks need, and large data among the inputs"
                )
            files.append(ShippedFile(relative, path, bool(about.st_mode & 0o100)))
    return files, notices


def pack(files: Sequence[ShippedFile], target: Path) -> int:
    """Write the archive of these files; returns its size in bytes.

    Raises ArchiveError for a file that cannot be packed, and OSError where a disk fails. A target that could not be
    finished is removed.
    """
    try:
        with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
            for file in sorted(files, key=lambda file: file.name):
                _add(archive, file)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return target.stat().st_size


def unpack(archive: Path, target: Path) -> None:
    """Write the files of an archive into a new directory.

    Raises ArchiveError for anything but an archive that `pack` could have made, and OSError where a disk fails or the
    target exists already.
    """
    target.mkdir(parents=True)
    try:
        with archive.open("rb") as blocks:
            _unpack_members(blocks, target)
    except BaseException:
        remove_tree(target)
        raise


def _problem(path: Path, relative: str, real_root: Path) -> str:
    """Why a file cannot be shipped; empty if it can."""
    if not is_inner_path(relative):
        return "has a name that cannot travel"
    if not path.is_file():
        return "is no regular file"
    if not path.resolve().is_relative_to(real_root):
        return "is a link out of the application"
    return "" if os.access(path, os.R_OK) else "cannot be read"


def _add(archive: tarfile.TarFile, file: ShippedFile) -> None:
    if not is_inner_path(file.name):
        raise ArchiveError(f"{file.source} cannot be shipped as {file.name!r}, expected a plain relative name")
    with file.source.open("rb") as content:
        member = tarfile.TarInfo(file.name)
        member.size = os.fstat(content.fileno()).st_size
        member.mode = 0o755 if file.executable else 0o644
        try:
            archive.addfile(member, content)
        except OSError as error:
            # tarfile says "unexpected end of data" with an OSError of its own that has no number.
            if error.errno is not None:
                raise
            raise ArchiveError(f"{file.source} became shorter while it was packed; try again") from None


def _unpack_members(archive: BinaryIO, target: Path) -> None:
    left = BYTES_MAX
    for number, member in enumerate(members(archive)):
        if number >= FILES_MAX:
            raise ArchiveError(f"the application has more than {FILES_MAX} files")
        if not is_inner_path(member.name):
            raise ArchiveError(f"the application has an entry {member.name!r} that is no regular file inside it")
        left -= member.size_bytes
        if left < 0:
            raise ArchiveError(f"the application has more than {BYTES_MAX} bytes")
        path = target.joinpath(*PurePosixPath(member.name).parts)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # "x": a second entry of the same name, or one that takes a directory for a file, must not pass.
            with path.open("xb") as file:
                member.copy_to(file)
                os.fchmod(file.fileno(), 0o755 if member.executable else 0o644)
        except (FileExistsError, NotADirectoryError):
            raise ArchiveError(f"the application has two entries in one place: {member.name!r}") from None


def _size(name: str) -> int:
    try:
        return len(name.encode())
    except UnicodeEncodeError:  # bytes of a file name that are no text
        return PATH_BYTES_MAX + 1
