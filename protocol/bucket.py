"""Buckets of tokens: how much work each peer may cause per second."""


class Bucket:
    """Tokens that refill at a steady rate up to a full bucket."""

    __slots__ = ("_at", "_full", "_level", "_per_s")

    def __init__(self, per_s: float, full: float, now: float) -> None:
        self._per_s = per_s
        self._full = full
        self._level = full
        self._at = now

    def take(self, now: float) -> bool:
        """Use one token; False when there is none."""
        level = self._level + (now - self._at) * self._per_s
        if level > self._full:
            level = self._full
        is_enough = level >= 1
        self._level = level - 1 if is_enough else level
        self._at = now
        return is_enough


class Buckets:
    """One bucket per peer. The table is bounded: when it is full the oldest bucket makes room."""

    __slots__ = ("_buckets", "_full", "_peers_max", "_per_s")

    def __init__(self, per_s: float, full: float, peers_max: int) -> None:
        self._per_s = per_s
        self._full = full
        self._peers_max = peers_max
        self._buckets: dict[bytes, Bucket] = {}

    def take(self, peer: bytes, now: float) -> bool:
        """Use one of the peer's tokens; False when it has none."""
        bucket = self._buckets.get(peer)
        if bucket is None:
            if len(self._buckets) >= self._peers_max:
                del self._buckets[next(iter(self._buckets))]
            bucket = self._buckets[peer] = Bucket(self._per_s, self._full, now)
        return bucket.take(now)
