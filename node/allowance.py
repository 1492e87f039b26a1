"""The allowance: what a unit may use up, and what is said when it has used up more.

The kernel's limits count per process or per file; a unit is many of both. So what it has written is looked at again
and again while it runs, and once more when a call has ended.
"""

import math
import os
import signal
import sys
from contextlib import suppress

import trio

from pnode.protocol.values import dataclass

from .workplace import Workplace

OUTPUTS_LOOK = 5
"""The outputs, of which there may be thousands, are looked at every fifth time only."""


@dataclass(frozen=True, slots=True)
class ExecutorSettings:
    """How units are run, and what they may use up."""

    python: str = sys.executable
    """Runs MODULE tasks: the one that has the user's packages."""
    log_bytes_max: int = 64 * 2**20
    """Of stdout and stderr each."""
    output_bytes_max: int = 10 * 2**30
    """Of all outputs of a unit, and of any file it writes (Linux)."""
    outputs_max: int = 10_000
    """Their names travel in one signed statement, of at most 4 MiB."""
    poll_s: float = 0.2
    grace_s: float = 2.0
    """From SIGTERM to SIGKILL."""
    keep: bool = False
    """Leave workplaces where they are, for finding out what a task did."""


class Allowance:
    """Looks at a unit that runs, and says why it must not go on; empty while it may."""

    def __init__(self, settings: ExecutorSettings, walltime_s: float, place: Workplace, ago_s: float = 0.0) -> None:
        """The time counts from now, or from when it was begun; 0 is no limit."""
        self._settings = settings
        self._walltime_s = walltime_s
        self._until = trio.current_time() - ago_s + (walltime_s or math.inf)
        self._place = place
        self._looks = 0
        self.timed_out = False
        """Whether the unit was told to end since its time was up."""

    def __call__(self) -> str:
        if trio.current_time() >= self._until:
            self.timed_out = True
            return f"ran longer than its walltime of {self._walltime_s:g} s"
        self._looks += 1
        return self._logs() if self._looks % OUTPUTS_LOOK else self.size()

    def size(self) -> str:
        """What is too much of all that it has written so far."""
        return self._logs() or self._outputs()

    def _logs(self) -> str:
        for log in self._place.logs:
            if log.size_bytes > self._settings.log_bytes_max:
                return f"printed more than {_size(self._settings.log_bytes_max)} to {log.name}"
        return ""

    def _outputs(self) -> str:
        self._place.room.order.drain()
        count = size = 0
        # The task has removed the directory, which is for `Room.check` to say; or we have no descriptor left.
        with suppress(OSError), os.scandir(self._place.outputs.file) as entries:
            for entry in entries:
                count += 1
                with suppress(FileNotFoundError):  # the task has removed it meanwhile
                    size += entry.stat(follow_symlinks=False).st_size
        if count > self._settings.outputs_max:
            return f"wrote more than {self._settings.outputs_max} files into its output directory"
        if size > self._settings.output_bytes_max:
            return f"wrote more than {_size(self._settings.output_bytes_max)} into its output directory"
        return ""


def blame(status: int, settings: ExecutorSettings) -> str:
    """What the exit status of a call says."""
    if status == -signal.SIGXFSZ:
        return f"wrote a file of more than {_size(settings.output_bytes_max)}"
    if status < 0:
        return f"killed by signal {-status} ({_signal_name(-status)})"
    return f"exit status {status}" if status else ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"


def _size(size_bytes: int) -> str:
    """A bound, which is a round number, as people say it."""
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size_bytes % factor == 0:
            return f"{size_bytes // factor} {unit}"
    return f"{size_bytes} bytes"
