"""Quiet: a log that nobody can fill by doing the same thing again and again."""

import logging
import time
from collections.abc import Callable

from pnode.protocol.values import dataclass

AT_ONCE = 100
"""Lines of one kind that may follow each other at once,"""

PER_S = 5.0
"""and how many there may be in the long run: half a megabyte an hour of each kind, of which there are some dozens."""


@dataclass(slots=True)
class _Kind:
    """Lines that differ in what they name only."""

    left: float
    """How many may come at once,"""
    at_s: float
    """as of then."""
    omitted: int = 0


class Quiet(logging.Filter):
    """Omits lines of a kind that come too often, and says in the next one how many. Errors never are, nor what
    somebody wants to see who looks for a bug."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._kinds: dict[tuple[str, int], _Kind] = {}
        """By the place in the sources that they come from."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is to be written."""
        if not logging.INFO <= record.levelno < logging.ERROR:
            return True
        now = self._clock()
        kind = self._kinds.setdefault((record.pathname, record.lineno), _Kind(AT_ONCE, now))
        kind.left = min(AT_ONCE, kind.left + PER_S * (now - kind.at_s))
        kind.at_s = now
        if kind.left < 1.0:
            kind.omitted += 1
            return False
        kind.left -= 1.0
        if kind.omitted:
            record.msg, record.args = f"{record.getMessage()} (and {kind.omitted} more like this before)", ()
            kind.omitted = 0
        return True
