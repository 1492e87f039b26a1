"""Processes are looked at from outside, as they are."""

import mmap
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from .watch import Peak, jobs_kept, journal_bytes, memory_bytes, used_s

pytestmark = pytest.mark.skipif(not psutil.LINUX, reason="what a process takes is read as Linux tells it")

BUSY = "import time; began = time.process_time()\nwhile time.process_time() < began + 0.1: pass\n"

PARENT = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {BUSY!r}])
print("over", flush=True)
living = subprocess.Popen([sys.executable, "-c", {BUSY!r} + "print(1, flush=True); input()"], stdin=-1, stdout=-1)
living.stdout.read(1)
print("lives", flush=True)
input()
living.communicate(b"1")
"""
"""One child that was waited for, one that lives; each was busy for a tenth of a second."""


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=-1, stdout=-1, text=True) as process:
        yield process
        process.communicate("1")


def test_time_is_that_of_a_process_and_of_all_that_it_has_started(parent: subprocess.Popen[str]) -> None:
    assert parent.stdout is not None
    process = psutil.Process(parent.pid)
    parent.stdout.readline()
    one_s = used_s(process)
    parent.stdout.readline()
    both_s = used_s(process)

    assert one_s >= 0.1
    assert one_s + 0.1 <= both_s


def test_time_is_counted_finer_than_in_hundredths_of_a_second() -> None:
    process = psutil.Process()
    before_s = used_s(process)
    until_s = time.process_time() + 0.002
    while time.process_time() < until_s:
        pass

    assert used_s(process) - before_s >= 0.002


def test_who_is_gone_takes_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        gone = psutil.Process(process.pid)

    assert used_s(gone) == 0.0
    with pytest.raises(psutil.NoSuchProcess):
        memory_bytes(gone)


def test_the_peak_is_remembered_when_it_is_over() -> None:
    process = psutil.Process()
    before_bytes = memory_bytes(process)
    with Peak([process], 0.001) as peak:
        with mmap.mmap(-1, 1 << 25, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
            memory.write(b"1" * len(memory))
            while peak.most_bytes < before_bytes + (1 << 25):
                time.sleep(0.001)
        after_bytes = memory_bytes(process)

    assert peak.most_bytes >= before_bytes + (1 << 25)
    assert after_bytes < peak.most_bytes


def test_a_journal_is_its_file_and_its_log_and_says_how_many_jobs_are_in_it(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "journal.db") as journal:
        journal.execute("PRAGMA journal_mode = WAL")
        journal.execute("CREATE TABLE rows (tab TEXT, value BLOB)")
        journal.executemany("INSERT INTO rows VALUES (?, ?)", [("job", b"1"), ("job", b"2"), ("segment", b"3")])
        journal.commit()
        (tmp_path / "node.log").write_bytes(bytes(10))

        assert jobs_kept(tmp_path) == 2
        sizes = [path.stat().st_size for path in tmp_path.glob("journal*")]
        assert len(sizes) == 3
        assert journal_bytes(tmp_path) == sum(sizes)
    journal.close()
