"""Pace: the speed of this machine's cores, as measured in its quietest moment.

Whatever else happens on a machine only makes it look slower: beside a busy sibling a core loses up to a third. So a
node measures after each start and keeps the best that it has ever found, as long as the processor and the interpreter
are the same. At the first start it counts as a reference core for a moment: nobody need wait for a figure that is
about which node is the better one.
"""

import hashlib
import logging
import platform
import struct
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from subprocess import CalledProcessError

import trio

from pnode.profilers import speed
from pnode.protocol.events import SpeedMeasured

from .journal import Journal, JournalError

logger = logging.getLogger(__name__)

TABLE = "pace"

UNKNOWN = 1.0
"""The reference core's."""

SETTLED_S = 2.0
"""After a start: whoever has started nodes has them do something first, and joining takes no longer."""

NEWS = 1.01
"""A figure that is better by less is the same one."""


async def measured() -> float:
    """The speed index as a process of its own finds it now. Raises CalledProcessError if it cannot say."""
    program = [sys.executable, "-I", "-S", speed.__file__]
    return float((await trio.run_process(program, capture_stdout=True)).stdout)


class Pace:
    """What is known of this machine's speed, from all starts. Made before anything is written to the journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._known: dict[bytes, float] = {key: struct.unpack(">d", value)[0] for key, value in journal.rows(TABLE)}

    @property
    def best(self) -> float:
        """The best speed index of all starts so far; UNKNOWN at the first."""
        return self._known.get(machine_key(), UNKNOWN)

    async def improve(self, measure: Callable[[], Awaitable[float]] = measured) -> float | None:
        """Measure, and give the speed index if it is better than all before, or the first. Raises JournalError."""
        key, found = machine_key(), await measure()
        if key in self._known and found <= self._known[key] * NEWS:
            return None
        others = [(TABLE, each, None) for each in self._known if each != key]
        self._known = {key: found}
        await self._journal.save([*others, (TABLE, key, struct.pack(">d", found))])
        return found

    async def tell(
        self,
        deliver: Callable[[SpeedMeasured], None],
        factor: float,
        measure: Callable[[], Awaitable[float]] = measured,
    ) -> None:
        """Measure once, when the start is over, and tell the core `factor` times what was found if that is news.

        What goes wrong is logged and changes nothing; where it was the journal the driver finds out by itself.
        """
        await trio.sleep(SETTLED_S)
        try:
            found = await self.improve(measure)
        except (CalledProcessError, OSError, ValueError, JournalError) as error:
            logger.warning("the speed of this machine could not be measured: %s", error)
            return
        if found is not None:
            deliver(SpeedMeasured(found * factor))


def machine_key() -> bytes:
    """Names the processor and the interpreter."""
    about = f"{_processor()} {platform.machine()} {platform.python_implementation()} {platform.python_version()}"
    return hashlib.blake2b(about.encode(), digest_size=8, person=b"pnode-pace").digest()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = next((line for line in lines if line.startswith("model name")), "")
    return named or platform.processor()  # which starts a program to find out
