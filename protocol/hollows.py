"""Hollows: places in a feed whose segments are not kept any more, since nothing that they say counts.

A segment all of whose statements are about settled items (`settlement`) is *hollowed*: of it only its place counts,
and what it added to the ledger's fingerprint. Consecutive places are one *run*, which ties in with the segments on
either side by the digests that chain them. So a ledger with runs can be compared with one that has everything, takes
in the same segments, and finds the same forks, but for those inside a run.
"""

from bisect import bisect_right
from collections.abc import Iterator

from .values import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive hollow places of a feed: some 250 bytes for however many segments."""

    first: int
    """Sequence number."""
    count: int
    fingerprint: int
    """What its segments add to the ledger's fingerprint."""
    previous: bytes
    """Digest of the segment before the first."""
    last: bytes
    """Digest of the last."""

    @property
    def end(self) -> int:
        """The place after the last."""
        return self.first + self.count

    def followed_by(self, other: "Run") -> "Run":
        """Both as one."""
        fingerprint = self.fingerprint ^ other.fingerprint
        return Run(self.first, self.count + other.count, fingerprint, self.previous, other.last)


Changes = dict[int, Run | None]
"""Runs of a feed by their first place: as they are now, None for those that have become a part of another."""


class Hollows:
    """The runs of one feed."""

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._runs: list[Run] = []

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def find(self, sequence: int) -> Run | None:
        """The run that a place is in."""
        at = bisect_right(self._firsts, sequence) - 1
        return self._runs[at] if at >= 0 and sequence < self._runs[at].end else None

    def put(self, run: Run, changes: Changes) -> None:
        """Add a run where nothing is, or which replaces those in its place; neighbours become one with it."""
        at = bisect_right(self._firsts, run.first - 1)
        until = bisect_right(self._firsts, run.end)
        if until > at and self._runs[until - 1].first == run.end:
            run = run.followed_by(self._runs[until - 1])
        if at and self._runs[at - 1].end == run.first:
            at -= 1
            run = self._runs[at].followed_by(run)
        changes.update(dict.fromkeys(self._firsts[at:until]))
        changes[run.first] = run
        self._firsts[at:until], self._runs[at:until] = [run.first], [run]

    def within(self, first: int, end: int) -> list[Run] | None:
        """The runs that lie in these places; None if one lies there with a part of it only."""
        at = max(0, bisect_right(self._firsts, first) - 1)
        until = bisect_right(self._firsts, end - 1)
        found = [run for run in self._runs[at:until] if run.end > first]
        return found if all(first <= run.first and run.end <= end for run in found) else None
