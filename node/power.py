"""Power: whether the machine has been off since an earlier run, and with it what was not on the disk."""

import os
from contextlib import suppress
from pathlib import Path

from .durable import sync_directory, write_atomically

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Another one after each start of the kernel (random(4)). Where there is none each run of a node counts as one after
a failure of the machine."""


SETTLED, PASSING = 0o444, 0o400
"""Modes of files that are on the disk with their names, and of those that may not be."""


def was_off(memo: Path) -> bool:
    """Whether this is another run of the machine than the one that `memo` tells of, or nobody knows."""
    with suppress(OSError):
        return memo.read_bytes() != BOOT_ID.read_bytes()
    return True


def note_run(memo: Path) -> None:
    """Have `memo` tell of this run of the machine."""
    with suppress(OSError):
        write_atomically(memo, BOOT_ID.read_bytes())


def settle(path: Path) -> None:
    """Put a file with its name on the disk, and then mark it as being there (mode 0444, see `is_settled`)."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.fchmod(file.fileno(), SETTLED)
        os.fsync(file.fileno())
    sync_directory(path.parent)


def is_settled(status: os.stat_result) -> bool:
    """Whether a file is marked as being on the disk."""
    return status.st_mode & 0o777 != PASSING
