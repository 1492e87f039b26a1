"""Resources: what this machine has, and what it is doing now. The only home of psutil.

Unlike the other profilers this one looks at the world; it still gives plain values. A sample takes about 0.2 ms
(psutil's share is listed in membership.md 7.6), so it may be taken inside the event loop, and always from the same
thread: psutil remembers the last processor times per thread.
"""

import math
import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from pnode.protocol.values import dataclass

SAMPLE_PERIOD_S_MIN = 0.1
"""The kernel counts processor time in ticks of 10 ms; a percentage of less than ten of them is noise."""

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """What the machine has for us: limits of the processor set and of the control group included."""

    cores: int
    memory_bytes: int
    disk_bytes: int
    """Free for us on the file system of the data directory."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What the machine is doing."""

    cpu_percent: float
    """Of all processors, since the last sample."""
    memory_percent: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What the control groups above us allow; None where they set no limit."""

    cores: float | None
    memory_bytes: int | None


class Sampler:
    """Takes samples; the first one already covers the time since the Sampler was made."""

    def __init__(self) -> None:
        self._at_s = time.monotonic()
        self._cpu_percent = psutil.cpu_percent(interval=None)  # its first answer is always 0, and starts the clock

    def sample(self) -> Sample:
        """Now. Asked again within SAMPLE_PERIOD_S_MIN it repeats the processor's figure."""
        now = time.monotonic()
        if now - self._at_s >= SAMPLE_PERIOD_S_MIN:
            self._cpu_percent = psutil.cpu_percent(interval=None)
            self._at_s = now
        return Sample(self._cpu_percent, psutil.virtual_memory().percent)


def machine_facts(disk: Path) -> MachineFacts:
    """Raises OSError when the file system of `disk` cannot be asked."""
    limits = cgroup_limits(CGROUPS, OWN_CGROUP)
    memory_bytes = psutil.virtual_memory().total
    return MachineFacts(
        cores=_whole_cores(_visible_cores(), limits.cores),
        memory_bytes=min(memory_bytes, limits.memory_bytes or memory_bytes),
        disk_bytes=psutil.disk_usage(str(disk)).free,
    )


def cgroup_limits(mount: Path, own: Path) -> Limits:
    """The tightest limits on the way from our control group up to the root; version 1 and version 2 alike.

    `own` is /proc/self/cgroup: lines `number:controllers:path`, with no controllers in version 2. Inside a container
    the path may not exist under the mount; then what is visible at the top counts.
    """
    cores: list[float] = []
    memory_bytes: list[int] = []
    for group in _groups(mount, own):
        cores += [*_cores_v2(group), *_cores_v1(group)]
        memory_bytes += [*_numbers(group / "memory.max"), *_numbers(group / "memory.limit_in_bytes")]
    return Limits(min(cores, default=None), min(memory_bytes, default=None))


def _groups(mount: Path, own: Path) -> Iterator[Path]:
    for line in _text(own).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        tops = [mount / name for name in controllers.split(",")] if controllers else [mount, mount / "unified"]
        for top in tops:
            group = top / path.lstrip("/")
            yield group
            yield from (parent for parent in group.parents if parent.is_relative_to(top))


def _cores_v2(group: Path) -> Iterator[float]:
    """`cpu.max` is `QUOTA PERIOD` in microseconds, or `max PERIOD`."""
    match _text(group / "cpu.max").split():
        case [quota, period] if quota.isdigit() and period.isdigit() and int(period):
            yield int(quota) / int(period)


def _cores_v1(group: Path) -> Iterator[float]:
    """A quota of -1 is none."""
    for quota in _numbers(group / "cpu.cfs_quota_us"):
        for period in _numbers(group / "cpu.cfs_period_us"):
            yield quota / period


def _numbers(file: Path) -> Iterator[int]:
    """The positive number in a file, if that is what is there."""
    text = _text(file).strip()
    if text.isdigit() and int(text):
        yield int(text)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""  # other systems have no such file, and containers hide some


def _visible_cores() -> int:
    """Processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _whole_cores(visible: int, limit: float | None) -> int:
    """A quota of 2.5 processors runs two tasks at full speed; there is always room for one."""
    return visible if limit is None else max(1, min(visible, math.floor(limit)))
