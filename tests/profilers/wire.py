"""A wire for tests: one TCP transfer through a shaper, as its receiver reads it."""

from random import Random

from pnode.profilers.arrivals import READ_BYTES_MAX

PACKET_BYTES = 1448
WINDOW_FIRST = 10
"""Packets (RFC 6928)."""
WINDOW_MAX = 4096


def reads_of(
    size_bytes: int,
    rate: float,
    delay_s: float,
    rng: Random,
    *,
    bucket_bytes: int = 0,
    busy: float = 0.0,
    window_max: int = WINDOW_MAX,
) -> list[tuple[float, int]]:
    """What a receiver reads of so many bytes that come at `rate` bytes per second over `delay_s` of distance.

    The sender doubles its window with every round trip, up to `window_max` packets. The wire is ten times as fast as
    the shaper, whose bucket is full at first. The receiver takes what is there 20 to 60 us after something has come;
    with a chance of `busy` it does something else for 2 ms before.
    """
    packets = -(-size_bytes // PACKET_BYTES)
    arrivals: list[float] = []
    tokens, filled_at, free_at = float(bucket_bytes), 0.0, 0.0
    for number in range(packets):
        if number < WINDOW_FIRST:
            sent_at = 0.0
        else:  # each of the earlier packets that was acknowledged lets two go
            acked = max((number - WINDOW_FIRST) // 2, number - window_max)
            sent_at = arrivals[acked] + delay_s
        start = max(sent_at, free_at)
        tokens = min(float(bucket_bytes), tokens + (start - filled_at) * rate)
        wait_s = max(0.0, PACKET_BYTES - tokens) / rate if bucket_bytes else 0.0
        filled_at = start + wait_s
        tokens = max(0.0, tokens - PACKET_BYTES) if not wait_s else 0.0
        free_at = filled_at + PACKET_BYTES / (10 * rate if bucket_bytes else rate)
        arrivals.append(free_at + delay_s)
    return _read(arrivals, rng, busy)


def _read(arrivals: list[float], rng: Random, busy: float) -> list[tuple[float, int]]:
    reads: list[tuple[float, int]] = []
    at, now = 0, 0.0
    while at < len(arrivals):
        now = max(now, arrivals[at]) + rng.uniform(20e-6, 60e-6)
        if rng.random() < busy:
            now += 0.002
        end = at
        while end < len(arrivals) and arrivals[end] <= now and (end - at) * PACKET_BYTES < READ_BYTES_MAX:
            end += 1
        reads.append((now, (end - at) * PACKET_BYTES))
        at = end
    return reads
