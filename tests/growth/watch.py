"""Watch: processes that are looked at while they work: their time, their memory, their journals."""

import contextlib
import ctypes
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import psutil

PERIOD_S = 0.5
"""To look at the memory of a node of 100 MB takes the kernel a millisecond or two."""


def used_s(process: psutil.Process) -> float:
    """Processor time of a process and of all that it has ever started, as far as somebody has waited for it; and of
    those that still live. 0 for one that is gone: whoever waited for it has its time."""
    try:
        times = process.cpu_times()
        own_s = _clock_s(process.pid) + times.children_user + times.children_system
        return float(own_s + sum(used_s(child) for child in process.children()))
    except psutil.NoSuchProcess:
        return 0.0


def memory_bytes(process: psutil.Process) -> int:
    """What a process has written into memory: its proportional set size without files. Of those, its share grows when
    another process ends that runs the same interpreter. Raises NoSuchProcess."""
    try:
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        raise psutil.NoSuchProcess(process.pid) from None
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss_Anon:"))


def journal_bytes(home: Path) -> int:
    """The journal's file and its log."""
    return sum(path.stat().st_size for path in home.glob("journal.db*"))


def jobs_kept(home: Path) -> int:
    """How many jobs stand in the journal: a node lists those of others, too."""
    with contextlib.closing(sqlite3.connect(f"file:{home / 'journal.db'}?mode=ro", uri=True)) as journal:
        (count,) = journal.execute("SELECT COUNT(*) FROM rows WHERE tab = 'job'").fetchone()
    return int(count)


def _clock_s(pid: int) -> float:
    """To the nanosecond, where /proc/PID/stat counts hundredths of a second. Raises NoSuchProcess."""
    clock = ctypes.c_int()
    if _library.clock_getcpuclockid(pid, ctypes.byref(clock)):
        raise psutil.NoSuchProcess(pid)
    with contextlib.suppress(OSError):
        return time.clock_gettime(clock.value)
    raise psutil.NoSuchProcess(pid)


_library = ctypes.CDLL(None, use_errno=True)


class Peak:
    """The memory of some processes together, looked at from time to time, by a thread."""

    def __init__(self, processes: Sequence[psutil.Process], period_s: float = PERIOD_S) -> None:
        self.most_bytes = 0
        self.used_s = 0.0
        """Processor time that was spent on looking."""
        self._processes = processes
        self._period_s = period_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._look()

    def _look_on(self) -> None:
        for _ in self._moments():
            self._look()
        self.used_s = time.thread_time()

    def _moments(self) -> Iterator[None]:
        while not self._over.wait(self._period_s):
            yield

    def _look(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            self.most_bytes = max(self.most_bytes, sum(map(memory_bytes, self._processes)))
