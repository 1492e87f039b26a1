"""Power: whether the machine has been off since an earlier run, and with it what was not on the disk."""

import os
from contextlib import suppress
from pathlib import Path

from .durable import sync_directory, write_atomically

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Another one after each start of the kernel (random(4)). Where there is none each run of a node counts as one after
a failure of the machine."""


def was_off(memo: Path) -> bool:
    """Whether this is another run of the machine than the one that `memo` tells of, or nobody knows. It tells of this
    one from now on."""
    try:
        current = BOOT_ID.read_bytes()
    except OSError:
        return True
    with suppress(FileNotFoundError):
        if memo.read_bytes() == current:
            return False
    write_atomically(memo, current)
    return True


def settle(path: Path) -> None:
    """Put a file with its name on the disk, and then mark it as being there (mode 0444, see `is_settled`)."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.fchmod(file.fileno(), SETTLED)
        os.fsync(file.fileno())
    sync_directory(path.parent)


SETTLED, PASSING = 0o444, 0o400


def is_settled(status: os.stat_result) -> bool:
    """Whether a file is marked as being on the disk."""
    return status.st_mode & 0o777 != PASSING
