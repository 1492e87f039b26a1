"""The journal: rows that must survive the end of the process and of the machine.

A row is a value under a key in a table. The core asks for rows by `effects.Save` and relies on them being on the disk
before anything it says afterwards leaves the node: a node that forgot a statement it had signed would sign another in
its place. Hence SQLite's write-ahead log with synchronous=FULL. What that costs (7,400 commits a second, 79,000 with
NORMAL; reference: performance.md part 2) grouping wins back: all rows that wait while one commit is on its way share
the next.
"""

import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import trio

SCHEMA_VERSION = 1

BUSY_S = 5.0
"""Nobody else has the file open but a person who looks into it with a tool."""

Change = tuple[str, bytes, bytes | None]
"""(table, key, value): put the value under the key; None takes the row out."""


class JournalError(Exception):
    """The journal cannot be opened or written, so nothing that was to be kept is sure. The disk is to blame."""


class JournalFile:
    """The journal on the disk, blocking; used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open the journal, or begin one (mode 0600). Raises JournalError."""
        self._path = path
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise
        except (OSError, sqlite3.Error) as error:
            raise JournalError(f"cannot open the journal {path}: {error}; move the file away to begin anew") from None

    def _prepare(self) -> None:
        run = self._connection.execute
        (version,) = run("PRAGMA user_version").fetchone()
        if version not in (0, SCHEMA_VERSION):
            raise JournalError(f"the journal {self._path} was written by another version of pnode (layout {version})")
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        # One SQL table for all: `place` keeps the order in which keys first came, also across replacements.
        run(
            "CREATE TABLE IF NOT EXISTS rows (place INTEGER PRIMARY KEY AUTOINCREMENT, tab TEXT NOT NULL,"
            " key BLOB NOT NULL, value BLOB NOT NULL, UNIQUE (tab, key))"
        )
        run(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def write(self, changes: Iterable[Change]) -> None:
        """Apply the changes in order, all or none; they are on the disk when it returns. Raises JournalError."""
        run = self._connection.execute
        try:
            run("BEGIN IMMEDIATE")
            try:
                for table, key, value in changes:
                    if value is None:
                        run("DELETE FROM rows WHERE tab = ? AND key = ?", (table, key))
                    else:
                        run(
                            "INSERT INTO rows (tab, key, value) VALUES (?, ?, ?)"
                            " ON CONFLICT (tab, key) DO UPDATE SET value = excluded.value",
                            (table, key, value),
                        )
                run("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    run("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise JournalError(f"cannot write to the journal {self._path}: {error}") from None

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
