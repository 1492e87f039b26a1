"""Pace: the speed of this machine's cores, as measured in its quietest moment.

Whatever else happens on a machine only makes it look slower: beside a busy sibling a core loses up to a third. So a
node measures at each start and keeps the best that it has ever found, as long as the processor and the interpreter
are the same.
"""

import hashlib
import platform
import struct
from collections.abc import Callable
from pathlib import Path

import trio

from pnode.profilers.resources import speed_index

from .journal import Journal

TABLE = "pace"

NEWS = 1.01
"""A figure that is better by less is the same one."""


async def best_speed(journal: Journal, measure: Callable[[], float] = speed_index) -> float:
    """The best speed index that this machine has ever shown, relative to the reference core. Raises JournalError."""
    key = machine_key()
    known = dict(journal.rows(TABLE))
    best = max((struct.unpack(">d", value)[0] for each, value in known.items() if each == key), default=0.0)
    found = await trio.to_thread.run_sync(measure)
    if found <= best * NEWS:
        return float(best)
    others = [(TABLE, each, None) for each in known if each != key]
    await journal.save([*others, (TABLE, key, struct.pack(">d", found))])
    return found


def machine_key() -> bytes:
    """Names the processor and the interpreter."""
    about = f"{_processor()} {platform.machine()} {platform.python_implementation()} {platform.python_version()}"
    return hashlib.blake2b(about.encode(), digest_size=8, person=b"pnode-pace").digest()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith("model name")), platform.processor())
