"""Arrivals: how fast the narrowest link between two nodes is, from when the bytes of a transfer were read.

The duration of a transfer says little about that. TCP sends a few packets, waits for a round trip, sends twice as
many; with 50 ms of delay a transfer of 1 MiB waits most of its time. And a shaper lets its bucket, often 128 kB, pass
as fast as the wire is (membership.md 2.3: 19 times too fast at 64 KiB). What comes in one go after the bucket is
empty, though, comes just as fast as the narrowest link lets it. So reads are taken together in *trains*, between two
of which nothing came for a while; of each train the first BUCKET_BYTES are left out, and all the rest, together,
tells the rate.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from statistics import median

BUCKET_BYTES = 128 * 1024
"""Of a common shaper (membership.md 2.3). Larger ones are mistaken for the link until transfers are larger, too."""

WINDOW_BYTES = 32 * 1024
"""Where no train is longer than a bucket, since the receiver's window has not grown yet (64 KiB at first on Linux),
half of it is left out instead: that is too little only where a shaper stands in such a long way."""

EVIDENCE_BYTES = 128 * 1024
"""So much must be left; less is a dozen reads, and whatever disturbed them."""

PAUSE_S = 0.0005
"""Reads follow each other faster than this on any link where a pause matters, unless somebody waits."""

PAUSE_FACTOR = 4.0
"""A pause takes this many times longer than its bytes would have taken."""

SLOW_SHARE = 0.25
"""What the slowest quarter of all bytes reaches: neither what came out of a bucket nor the few that end a pause."""

LONG_FACTOR = 10.0
"""What lasts so many times longer than the usual step says nothing about the rate, however much it brings."""

READ_BYTES_MAX = 2 * 1024 * 1024
"""What a node reads of content at a time. A full read may have been there for long: then it was us who were busy, and
more of the same is still there."""

Read = tuple[float, int]
"""(when, bytes)"""


def arrival_rate(reads: Sequence[Read]) -> float | None:
    """Bytes per second of the narrowest link; None if too little is left to tell. Of the first read only the time
    counts: nobody knows since when its bytes had been there."""
    steps = [(at - before, size) for (before, _), (at, size) in pairwise(reads)]
    slow = _slow_rate(steps)
    if slow is None:
        return None
    return _rate_after(BUCKET_BYTES, steps, slow) or _rate_after(WINDOW_BYTES, steps, slow)


def _rate_after(left_out_bytes: int, steps: list[tuple[float, int]], slow: float) -> float | None:
    """What comes after so many bytes of each train, all trains together."""
    counted_s, counted_bytes, train_bytes = 0.0, 0, 0
    for step_s, size in steps:
        if step_s > PAUSE_S and size < READ_BYTES_MAX and size * PAUSE_FACTOR < slow * step_s:
            train_bytes = size
            continue
        if train_bytes >= left_out_bytes:
            counted_s += step_s
            counted_bytes += size
        train_bytes += size
    return counted_bytes / counted_s if counted_bytes >= EVIDENCE_BYTES and counted_s > 0.0 else None


def _slow_rate(steps: list[tuple[float, int]]) -> float | None:
    """The rate that a quarter of the bytes did not exceed."""
    timed = [(step_s, size) for step_s, size in steps if step_s > 0.0]
    if not timed:
        return None
    long_s = LONG_FACTOR * median([step_s for step_s, _ in timed])
    rates = sorted([(size / step_s, size) for step_s, size in timed if step_s <= long_s])
    wanted = SLOW_SHARE * sum([size for _, size in rates])
    reached = accumulate([size for _, size in rates])
    return next(rate for (rate, _), so_far in zip(rates, reached, strict=True) if so_far >= wanted)
