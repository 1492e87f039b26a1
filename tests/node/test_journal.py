import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from pnode.node.journal import (
    FREE_PAGES_MAX,
    INCREMENTAL,
    LOG_BYTES_MAX,
    ROWS_PER_STATEMENT,
    Change,
    Journal,
    JournalError,
    JournalFile,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
def file(path: Path) -> Iterator[JournalFile]:
    file = JournalFile(path)
    yield file
    file.close()


class Recorder(JournalFile):
    """A journal that remembers what shared a commit, and can be held up or fail."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.commits: list[list[Change]] = []
        self.failure: JournalError | None = None

    def write(self, changes: Iterable[Change]) -> None:
        listed = list(changes)
        self.commits.append(listed)
        if self.failure:
            raise self.failure
        super().write(listed)


def test_rows_come_back_in_the_order_in_which_their_keys_first_came(path: Path, file: JournalFile) -> None:
    file.write([("feed", b"z", b"1"), ("feed", b"a", b"2"), ("other", b"z", b"3")])
    file.write([("feed", b"z", b"4"), ("feed", b"m", b"")])

    assert file.rows("feed") == [(b"z", b"4"), (b"a", b"2"), (b"m", b"")]
    assert file.rows("other") == [(b"z", b"3")]
    assert file.rows("unknown") == []


def test_a_row_that_was_taken_out_is_gone_and_comes_last_when_it_returns(file: JournalFile) -> None:
    file.write([("t", b"a", b"1"), ("t", b"b", b"2"), ("t", b"a", None), ("t", b"never", None)])

    assert file.rows("t") == [(b"b", b"2")]
    file.write([("t", b"a", b"3")])
    assert file.rows("t") == [(b"b", b"2"), (b"a", b"3")]


def test_rows_outlive_a_process_that_is_killed(path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from pnode.node.journal import JournalFile
JournalFile(Path({str(path)!r})).write([("t", b"k", b"v")])
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", script], check=False)
    reopened = JournalFile(path)

    assert reopened.rows("t") == [(b"k", b"v")]
    reopened.close()


def test_a_transaction_is_written_whole_or_not_at_all(file: JournalFile) -> None:
    with pytest.raises(JournalError, match="cannot write to the journal"):
        file.write([("t", b"a", b"1"), (None, b"b", b"2")])  # type: ignore[list-item]  # NULL is refused by SQLite

    assert file.rows("t") == []
    file.write([("t", b"a", b"1")])
    assert file.rows("t") == [(b"a", b"1")]


def test_rows_of_one_commit_are_applied_in_their_order_however_many_there_are(file: JournalFile) -> None:
    count = 3 * ROWS_PER_STATEMENT + 1
    keys = [number.to_bytes(4, "big") for number in range(count)]
    file.write([("t", key, b"old") for key in keys])
    file.write(
        [
            *(("t", key, b"new") for key in keys),
            *(("t", key, None) for key in keys[1:]),
            ("other", b"k", b"v"),
            ("other", b"k", None),
            ("t", keys[1], b"again"),
        ]
    )

    assert file.rows("t") == [(keys[0], b"new"), (keys[1], b"again")]
    assert file.rows("other") == []


def test_a_key_that_comes_twice_in_one_commit_has_its_last_value(file: JournalFile) -> None:
    file.write([("t", b"a", b"1"), ("t", b"b", b"2"), ("t", b"a", b"3")])

    assert file.rows("t") == [(b"a", b"3"), (b"b", b"2")]


def test_a_journal_of_a_hundred_thousand_rows_is_small_again_when_they_are_gone(
    path: Path, file: JournalFile
) -> None:
    keys = [b"job" * 5 + bytes(40) + number.to_bytes(4, "big") for number in range(100_000)]
    for at in range(0, len(keys), 10_000):
        file.write([("segment", key, bytes(300)) for key in keys[at : at + 10_000]])
    full_bytes = path.stat().st_size
    for at in range(0, len(keys), 1000):
        file.write([("segment", key, None) for key in keys[at : at + 1000]])
    file._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    assert full_bytes > 300 * len(keys)
    assert path.stat().st_size < 2 * 4096 * FREE_PAGES_MAX < full_bytes
    assert file.rows("segment") == []


def test_rows_that_come_and_go_do_not_make_the_journal_grow(path: Path, file: JournalFile) -> None:
    """As the rows of jobs do: each is kept for a while."""
    sizes = []
    log = path.with_name(f"{path.name}-wal")
    for turn in range(20):
        rows = [(f"{turn}-{number}".encode(), bytes(1000)) for number in range(500)]
        file.write([("t", key, value) for key, value in rows])
        sizes.append(path.stat().st_size + log.stat().st_size)
        file.write([("t", key, None) for key, _ in rows])

    assert max(sizes) < 3 * sizes[5]


def test_a_burst_leaves_no_long_log(path: Path, file: JournalFile) -> None:
    file.write([("t", number.to_bytes(4, "big"), bytes(10_000)) for number in range(4000)])
    for number in range(3):
        file.write([("t", bytes([number]), b"")])

    assert path.with_name(f"{path.name}-wal").stat().st_size <= LOG_BYTES_MAX


def test_a_journal_of_an_earlier_version_learns_to_shrink_and_keeps_its_rows(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE rows (place INTEGER PRIMARY KEY AUTOINCREMENT, tab TEXT NOT NULL, key BLOB NOT NULL,"
            " value BLOB NOT NULL, UNIQUE (tab, key))"
        )
        connection.execute("INSERT INTO rows (tab, key, value) VALUES ('t', x'01', x'02')")
        connection.execute("PRAGMA user_version = 1")
    connection.close()

    reopened = JournalFile(path)

    assert reopened._connection.execute("PRAGMA auto_vacuum").fetchone() == (INCREMENTAL,)
    assert reopened.rows("t") == [(b"\1", b"\2")]
    reopened.close()


def test_a_commit_for_which_there_is_no_room_says_so_and_changes_nothing(path: Path, file: JournalFile) -> None:
    file.write([("t", b"a", b"1")])
    (pages,) = file._connection.execute("PRAGMA page_count").fetchone()
    file._connection.execute(
        f"PRAGMA max_page_count = {pages + 5}"
    )  # what SQLite reports then is what a full disk says

    with pytest.raises(JournalError, match=r"cannot write to .* full; make room on the disk"):
        file.write([("t", b"a", b"2"), ("t", b"b", bytes(100_000))])

    assert file.rows("t") == [(b"a", b"1")]
    file.write([("t", b"c", b"3")])
    assert file.rows("t") == [(b"a", b"1"), (b"c", b"3")]


def test_a_journal_is_for_its_owner_alone_and_is_synced_at_every_commit(path: Path, file: JournalFile) -> None:
    file.write([("t", b"a", b"1")])

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.with_name("journal.sqlite-wal").stat().st_mode) == 0o600
    assert file._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert file._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_file_that_is_no_journal_is_refused(path: Path) -> None:
    path.write_bytes(os.urandom(8192))

    with pytest.raises(JournalError, match="move the file away"):
        JournalFile(path)


def test_a_journal_of_another_version_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()

    with pytest.raises(JournalError, match=r"another version of pnode \(layout 7\)"):
        JournalFile(path)


def test_a_journal_that_cannot_be_made_is_a_stated_error(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot open the journal"):
        JournalFile(tmp_path / "missing" / "journal.sqlite")


def test_rows_that_wait_share_a_commit(path: Path) -> None:
    file = Recorder(path)

    async def main() -> None:
        journal = Journal(file)
        async with trio.open_nursery() as nursery:
            await journal._turn.acquire()  # as if a commit were on its way
            for number in range(50):
                nursery.start_soon(journal.save, [("t", bytes([number]), b"v")])
            await trio.testing.wait_all_tasks_blocked()
            journal._turn.release()
        await journal.save([("t", b"later", b"v")])
        journal._file.close()

    trio.run(main)

    assert [len(commit) for commit in file.commits] == [50, 1]


def test_save_returns_after_the_rows_are_written(path: Path) -> None:
    file = Recorder(path)

    async def main() -> list[tuple[bytes, bytes]]:
        journal = Journal(file)
        await journal.save([("t", b"k", b"v")])
        rows = journal.rows("t")
        await journal.aclose()
        return rows

    assert trio.run(main) == [(b"k", b"v")]


def test_a_failed_commit_is_told_to_everybody_who_waited_for_it_and_to_nobody_else(path: Path) -> None:
    file = Recorder(path)
    outcomes: list[str] = []

    async def save(journal: Journal, key: bytes) -> None:
        try:
            await journal.save([("t", key, b"v")])
        except JournalError as error:
            outcomes.append(str(error))
        else:
            outcomes.append("written")

    async def main() -> None:
        journal = Journal(file)
        file.failure = JournalError("disk full")
        await save(journal, b"1")
        file.failure = None
        await save(journal, b"2")
        await journal.aclose()

    trio.run(main)

    assert outcomes == ["disk full", "written"]


def test_what_a_cancelled_caller_handed_in_is_still_written_whole(path: Path) -> None:
    file = Recorder(path)

    async def main() -> list[tuple[bytes, bytes]]:
        journal = Journal(file)
        await journal._turn.acquire()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(journal.save, [("t", b"cancelled", b"v")])
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        journal._turn.release()
        await journal.save([("t", b"next", b"v")])
        rows = journal.rows("t")
        await journal.aclose()
        return rows

    assert trio.run(main) == [(b"cancelled", b"v"), (b"next", b"v")]
