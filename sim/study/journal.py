"""A journal: a file that only grows, with one line for every run that is finished.

A sweep that was killed goes on from it. A line stands under a key of all that its run depends on, the code included,
so that a run is never taken for another one: whoever adds mappers, scenarios or seeds to a study has only those run,
and whoever changes a scenario or a mapper has its runs done anew.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import BinaryIO, Protocol

from .table import Value

Row = tuple[Value, ...]

CODE = (
    "protocol/*.py",
    "profilers/*.py",
    "mappers/*.py",
    "sim/schedule/*.py",
    "sim/formats/*.py",
    "sim/study/case.py",
    "sim/study/conditions.py",
    "sim/study/families.py",
    "sim/study/figures.py",
)
"""Sources that a run's figures depend on, relative to the installed package."""


class JournalError(ValueError):
    """A file is no journal, or not ours now; the message says why and what to do."""


class Record(Protocol):
    """Finished runs, by key."""

    def __contains__(self, key: str) -> bool: ...

    def __getitem__(self, key: str) -> Row: ...

    def __setitem__(self, key: str, row: Row) -> None: ...


class Journal:
    """Finished runs, on disk as soon as they are known. Made by `open_journal`."""

    def __init__(self, file: BinaryIO, rows: dict[str, Row]) -> None:
        self._file = file
        self._rows = rows

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def __getitem__(self, key: str) -> Row:
        return self._rows[key]

    def __setitem__(self, key: str, row: Row) -> None:
        """Handed to the kernel before this returns: what kills the process cannot take it back. A machine that loses
        power may lose some last lines, whose runs are then done again."""
        line = json.dumps({"key": key, "figures": row}, allow_nan=False)
        self._file.write(f"{line}\n".encode())
        self._file.flush()
        self._rows[key] = row


@contextmanager
def open_journal(path: Path) -> Iterator[Journal]:
    """For one writer at a time. A last line that was cut short is removed. Raises JournalError, OSError."""
    with _locked(path) as file:
        file.seek(0)
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(file.fileno(), whole)
        yield Journal(file, _rows(path, content[:whole]))


def forget(path: Path) -> None:
    """Empty a journal, or begin one. Raises JournalError while a sweep writes it, OSError."""
    with _locked(path) as file:
        os.truncate(file.fileno(), 0)


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JournalError(f"{path} is being written by another sweep; wait for its end") from None
        yield file


def _rows(path: Path, content: bytes) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for number, line in enumerate(content.splitlines(), 1):
        try:
            entry = json.loads(line)
            rows[str(entry["key"])] = tuple(entry["figures"])
        except (ValueError, TypeError, KeyError) as error:
            found = line[:60].decode(errors="replace")
            raise JournalError(
                f"{path}:{number}: found {found!r}, expected an object with key and figures ({error!r}); remove the "
                "line, and its run is done again"
            ) from None
    return rows


def run_key(case: str, mapper: str, seed: int, engine: str) -> str:
    """The key of a run: of a scenario with that digest."""
    return hashlib.sha256(f"{code_digest()}/{engine}/{case}/{mapper}/{seed}".encode()).hexdigest()[:32]


@cache
def code_digest() -> str:
    """Of the sources that decide what a run comes to."""
    import pnode.sim.schedule  # the namespace `pnode` itself has no file

    root = Path(next(iter(pnode.sim.schedule.__path__))).parents[1]
    digest = hashlib.sha256()
    for pattern in CODE:
        for path in sorted(root.glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()
