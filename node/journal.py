"""The journal: rows that must survive the end of the process and of the machine.

A row is a value under a key in a table. The core asks for rows by `effects.Save` and takes them out by
`effects.Erase`; what has to be certain before it goes on waits for a `Sync` or a `Reply`.

| what happens | what is there at the next start |
| --- | --- |
| the process is killed | every commit that had ended, and perhaps the one under way, whole |
| power is cut, the kernel crashes | the same, as far as the disk keeps what it confirms (fsync) |
| a commit fails: no room, I/O error | every commit before it; the node ends, see `JournalError` |
| an old copy is put back | what was in it; all else others bring back, and no number is signed twice (`next_boot`) |
| the file is damaged | nothing: the node does not start. Without the file it begins anew, and others bring the rest |

Hence SQLite's write-ahead log with synchronous=FULL. What that costs (2,000 commits a second on a solid-state disk,
one row each) grouping wins back: all rows that wait while one commit is on its way share the next, and of rows there
go 100,000 a second.

A statement takes many rows, since each lets go of the interpreter and has to get it back: beside a busy event loop
that takes a switch interval each time, and row by row a commit of 100 took 360 ms instead of 8.

The file does not grow without bound. Pages of rows that were taken out are used again, and given back to the file
system when there are many of them; the log is folded into the file every 1,000 pages and is cut back after a burst.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import trio

from pnode.protocol.values import dataclass, field

SCHEMA_VERSION = 1

BUSY_S = 5.0
"""Nobody else has the file open but a person who looks into it with a tool."""

ROWS_PER_STATEMENT = 333
"""999 values in one statement are what any SQLite takes."""

STATEMENTS_CACHED = 16
"""One is compiled for each number of rows; a large one takes a hundred kilobytes."""

LOG_BYTES_MAX = 16 * 2**20
"""What a burst may leave of the write-ahead log; usually it has the 4 MB between two checkpoints."""

FREE_PAGES_MAX = 4096
"""Pages without rows that are kept for the rows to come: 16 MiB."""

FREE_PAGES_PER_COMMIT = 512
"""Given back at a time: some milliseconds."""

INCREMENTAL = 2
"""What SQLite calls auto_vacuum = INCREMENTAL when asked."""

DAMAGES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
DAMAGED = "move the file away to begin anew"
UNUSABLE = (
    "make room on the disk, or see what is wrong with it, and start the node again: it goes on from what was written"
    " before"
)
"""What to do about it."""

Change = tuple[str, bytes, bytes | None]
"""(table, key, value): put the value under the key; None takes the row out."""

_Sql = tuple[str, list[str | bytes]]
"""A statement with the values of its parameters."""


class JournalError(Exception):
    """The journal cannot be opened or written, so nothing that was to be kept is sure. The disk is to blame.

    A node whose journal fails says farewell, so that others take over at once, and ends: it could promise nothing.
    """


class JournalFile:
    """The journal on the disk, blocking; used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open the journal, or begin one (mode 0600). Raises JournalError."""
        self._path = path
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._connection = sqlite3.connect(
                path,
                timeout=BUSY_S,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=STATEMENTS_CACHED,
            )
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise
        except (OSError, sqlite3.Error) as error:
            remedy = DAMAGED if getattr(error, "sqlite_errorcode", 0) in DAMAGES else UNUSABLE
            raise JournalError(f"cannot open the journal {path}: {error}; {remedy}") from None

    def _prepare(self) -> None:
        run = self._connection.execute
        (version,) = run("PRAGMA user_version").fetchone()
        if version not in (0, SCHEMA_VERSION):
            raise JournalError(f"the journal {self._path} was written by another version of pnode (layout {version})")
        self._allow_shrinking()
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        run(f"PRAGMA journal_size_limit = {LOG_BYTES_MAX}")
        # One SQL table for all: `place` keeps the order in which keys first came, also across replacements.
        run(
            "CREATE TABLE IF NOT EXISTS rows (place INTEGER PRIMARY KEY AUTOINCREMENT, tab TEXT NOT NULL,"
            " key BLOB NOT NULL, value BLOB NOT NULL, UNIQUE (tab, key))"
        )
        run(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _allow_shrinking(self) -> None:
        """Have the file keep what it takes to give pages back, which one of an earlier version does not."""
        run = self._connection.execute
        (vacuum,) = run("PRAGMA auto_vacuum").fetchone()
        if vacuum != INCREMENTAL:
            run("PRAGMA auto_vacuum = INCREMENTAL")
            run("VACUUM")

    def write(self, changes: Iterable[Change]) -> None:
        """Apply the changes in order, all or none; they are on the disk when it returns. Raises JournalError."""
        run = self._connection.execute
        statements = list(_statements(changes))
        try:
            if len(statements) == 1:  # it is a transaction by itself
                run(*statements[0])
            elif statements:
                self._write_together(statements)
            if any(statement.startswith("DELETE") for statement, _ in statements):
                self._give_back()
        except sqlite3.Error as error:
            raise JournalError(f"cannot write to the journal {self._path}: {error}; {UNUSABLE}") from None

    def _write_together(self, statements: list[_Sql]) -> None:
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        try:
            for statement in statements:
                run(*statement)
            run("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                run("ROLLBACK")
            raise

    def _give_back(self) -> None:
        """Let the file system have some of the pages that no row needs any more, if there are many."""
        (free,) = self._connection.execute("PRAGMA freelist_count").fetchone()
        if free > FREE_PAGES_MAX:
            # Not by execute, which takes one step, and of a pragma without columns that is one page.
            self._connection.executescript(f"PRAGMA incremental_vacuum({FREE_PAGES_PER_COMMIT})")

    def rows(self, table: str) -> list[tuple[bytes, bytes]]:
        """The (key, value) pairs of a table, in the order in which the keys first came. Raises JournalError."""
        try:
            query = "SELECT key, value FROM rows WHERE tab = ? ORDER BY place"
            return self._connection.execute(query, (table,)).fetchall()
        except sqlite3.Error as error:
            raise JournalError(f"cannot read the journal {self._path}: {error}") from None

    def close(self) -> None:
        """Fold the write-ahead log into the file. What was written is safe without it, too."""
        self._connection.close()


def _statements(changes: Iterable[Change]) -> Iterator[_Sql]:
    """The changes in SQL, in their order: neighbours of one kind share a statement."""
    for erased_from, neighbours in groupby(changes, key=_erased_from):
        listed = list(neighbours)
        for at in range(0, len(listed), ROWS_PER_STATEMENT):
            part = listed[at : at + ROWS_PER_STATEMENT]
            yield _put(part) if erased_from is None else _erase(erased_from, part)


def _erased_from(change: Change) -> str | None:
    """The table that the change takes a row out of; None if it puts one in."""
    return change[0] if change[2] is None else None


def _put(changes: list[Change]) -> _Sql:
    places = ", ".join(["(?, ?, ?)"] * len(changes))
    statement = (
        f"INSERT INTO rows (tab, key, value) VALUES {places}"  # noqa: S608  # question marks
        " ON CONFLICT (tab, key) DO UPDATE SET value = excluded.value"
    )
    return statement, [part for change in changes for part in change if part is not None]


def _erase(table: str, changes: list[Change]) -> _Sql:
    places = ", ".join("?" * len(changes))
    statement = f"DELETE FROM rows WHERE tab = ? AND key IN ({places})"  # noqa: S608  # question marks
    return statement, [table, *(key for _, key, _ in changes)]


@dataclass(slots=True)
class _Batch:
    """What goes into one commit."""

    changes: list[Change] = field(default_factory=list)
    done: bool = False
    error: JournalError | None = None


class Journal:
    """The journal for a trio program: commits in a thread, one at a time, and groups what waits."""

    def __init__(self, file: JournalFile) -> None:
        self._file = file
        self._waiting = _Batch()
        self._turn = trio.Lock()
        self._thread = trio.CapacityLimiter(1)

    async def save(self, changes: Iterable[Change]) -> None:
        """Return when the changes, and all that were handed in before them, are on the disk. Raises JournalError.

        A caller that is cancelled meanwhile cannot tell whether they were written; they are never written in part.
        """
        batch = self._waiting
        batch.changes.extend(changes)
        async with self._turn:
            if not batch.done:  # the first of a batch to get its turn commits for all
                self._waiting = _Batch()
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(self._commit, batch, limiter=self._thread)
        if batch.error is not None:
            raise batch.error

    def _commit(self, batch: _Batch) -> None:
        try:
            self._file.write(batch.changes)
        except JournalError as error:
            batch.error = error
        finally:
            batch.done = True

    def rows(self, table: str) -> list[tuple[bytes, bytes]]:
        """As `JournalFile.rows`; read at the start, before anything is saved."""
        return self._file.rows(table)

    async def aclose(self) -> None:
        """Write what waits, then close."""
        await self.save(())
        self._file.close()
