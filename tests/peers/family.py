"""Family: every process that was started from here, whoever started it and however far it went away.

Daemons leave those who start them. The kernel then gives them to the nearest ancestor that asked for it, which this
process does (prctl(2), PR_SET_CHILD_SUBREAPER): so nothing that a turn leaves behind is overlooked or outlives it.
"""

import ctypes
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psutil

PR_SET_CHILD_SUBREAPER = 36
"""From linux/prctl.h."""

STOP_S_MAX = 10.0
"""From SIGTERM to SIGKILL."""

MB = 1e6


@dataclass(frozen=True, slots=True)
class Idle:
    """What processes cost that have nothing to do, all of them together."""

    memory_mb: float
    """Proportional set size: what several of them share, such as an interpreter's code, counts once."""
    cpu_percent: float
    """Of one core."""


class Family:
    """All processes below this one but those that were there before."""

    def __init__(self) -> None:
        self._strangers = set(_below())

    def members(self) -> list[psutil.Process]:
        return [process for process in _below() if process not in self._strangers]

    def end(self, patience_s: float = STOP_S_MAX) -> None:
        """End every one of them; who is adopted meanwhile is ended, too."""
        began_s = time.monotonic()
        while found := self.members():
            waited_s = time.monotonic() - began_s
            assert waited_s < 3 * patience_s, f"after {waited_s:.0f} s there are still {found}"
            for process in found:
                with suppress(psutil.NoSuchProcess):
                    process.terminate() if waited_s < patience_s else process.kill()
            psutil.wait_procs(found, timeout=patience_s / 10)


@contextmanager
def adopting() -> Iterator[Family]:
    """Be given the daemons that descendants start, until the end. Linux only."""
    library = ctypes.CDLL(None, use_errno=True)
    _adopt(library, 1)
    try:
        yield Family()
    finally:
        _adopt(library, 0)


def idle(processes: Iterable[psutil.Process], observed_s: float) -> Idle:
    """Look at processes for a while. Who comes or goes meanwhile is left out."""
    before = {process: used for process in processes if (used := _used_s(process)) is not None}
    began_s = time.monotonic()
    time.sleep(observed_s)
    took_s = time.monotonic() - began_s
    used_s = [after - was for process, was in before.items() if (after := _used_s(process)) is not None]
    return Idle(sum(map(_memory_mb, before)), 100 * sum(used_s) / took_s)


def _adopt(library: ctypes.CDLL, whether: int) -> None:
    if library.prctl(PR_SET_CHILD_SUBREAPER, whether, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot become the parent of daemons that descendants leave behind")


def _below() -> list[psutil.Process]:
    return list(psutil.Process().children(recursive=True))


def _used_s(process: psutil.Process) -> float | None:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return None
    return float(times.user + times.system)


def _memory_mb(process: psutil.Process) -> float:
    """By /proc/PID/smaps_rollup."""
    try:
        return float(process.memory_full_info().pss) / MB
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return 0.0
