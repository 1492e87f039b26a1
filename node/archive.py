"""Archives: an application's files as one content-addressed piece, and back into a directory on another node.

An archive is an uncompressed tar whose bytes follow from the files alone: sorted by name, without times and owners,
modes 0644 or 0755. So the same application has the same digest wherever it is packed, and is fetched once.

Unpacking trusts nothing, since the archive comes from another node: regular files and nothing else, into a new
directory, under names that stay inside it, within bounds. Where anything is wrong, no directory is left.
"""

import os
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

FILES_MAX = 10_000
"""An application with more is a data set; those travel as inputs."""

BYTES_MAX = 512 * 1024 * 1024
"""All files together. Every node that runs a task of the application keeps one copy."""

PATH_BYTES_MAX = 1024
LEFT_BEHIND = ("__pycache__", "sample_input", "results")
"""Directories that are no part of an application, besides hidden ones."""

BLOCK_BYTES = 1024 * 1024


class ArchiveError(Exception):
    """Files that cannot be packed, or bytes that are not an archive as `pack` makes them."""


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
    unfit = any(ord(character) < 32 or character in "\\\x7f" for character in name)
    return not unfit and not any(part in ("", ".", "..") for part in parts) and _size(name) <= PATH_BYTES_MAX


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
        with tarfile.open(archive, "r:") as members:
            _unpack_members(members, target)
    except (tarfile.TarError, EOFError, UnicodeError, ValueError, OverflowError) as error:
        shutil.rmtree(target)
        raise ArchiveError(f"the application is not an archive: {error}") from None
    except BaseException:
        shutil.rmtree(target)
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


def _unpack_members(members: tarfile.TarFile, target: Path) -> None:
    left = BYTES_MAX
    for number, member in enumerate(members):
        if number >= FILES_MAX:
            raise ArchiveError(f"the application has more than {FILES_MAX} files")
        if member.type != tarfile.REGTYPE or not is_inner_path(member.name):
            raise ArchiveError(f"the application has an entry {member.name!r} that is no regular file inside it")
        left -= member.size
        if member.size < 0 or left < 0:
            raise ArchiveError(f"the application has more than {BYTES_MAX} bytes")
        content = members.extractfile(member)
        assert content is not None  # only for what is not a regular file
        path = target.joinpath(*PurePosixPath(member.name).parts)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # "x": a second entry of the same name, or one that takes a directory for a file, must not pass.
            with path.open("xb") as file:
                shutil.copyfileobj(content, file, BLOCK_BYTES)  # never more than the size; less is a TarError
                os.fchmod(file.fileno(), 0o755 if member.mode & 0o100 else 0o644)
        except (FileExistsError, NotADirectoryError):
            raise ArchiveError(f"the application has two entries in one place: {member.name!r}") from None


def _size(name: str) -> int:
    try:
        return len(name.encode())
    except UnicodeEncodeError:  # bytes of a file name that are no text
        return PATH_BYTES_MAX + 1
