"""The shelf: what a store holds, who needs it, and what goes first when room is short. Bookkeeping only, no files.

What nobody has pinned is a cache. When room is needed, downloads go first that nobody continues (an unfinished one is
worth less than anything finished), then unpinned content, the least recently used first.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable

QUOTA_BYTES = 20 * 1024**3
"""Half of a small virtual machine's disk; a setting for everybody else."""

RESERVE_BYTES = 64 * 1024**2
"""Of the disk, left free: the journal of a million tasks' statements grows by less before somebody looks."""


class Shelf:
    """Sizes and pins by digest. Not for several threads at once, except `has`."""

    def __init__(
        self,
        quota_bytes: int,
        contents: Iterable[tuple[bytes, int]] = (),
        downloads: Iterable[tuple[bytes, int]] = (),
    ) -> None:
        """What is there to begin with is (digest, size in bytes), the least recently used first."""
        self.quota_bytes = quota_bytes
        self.used_bytes = 0
        """All content, and of downloads what is here, or all of it while somebody is at it."""
        self._sizes: OrderedDict[bytes, int] = OrderedDict()  # the least recently used first
        self._downloads: dict[bytes, int] = {}
        self._active: set[bytes] = set()
        self._pins: dict[bytes, set[bytes]] = {}
        self._added_again: dict[bytes, set[bytes]] = {}
        """Of what owners have pinned: what came from them a second time."""
        self._pinned: Counter[bytes] = Counter()
        for digest, size in contents:
            self.put(digest, size)
        for digest, size in downloads:
            self.put_download(digest, size, active=False)

    def has(self, digest: bytes) -> bool:
        return digest in self._sizes

    def size_bytes(self, digest: bytes) -> int | None:
        return self._sizes.get(digest)

    def put(self, digest: bytes, size_bytes: int) -> None:
        """Content has come in, as the most recently used."""
        self.take(digest)
        self._sizes[digest] = size_bytes
        self.used_bytes += size_bytes

    def touch(self, digest: bytes) -> bool:
        """Content has been used; False if it is not here."""
        if digest not in self._sizes:
            return False
        self._sizes.move_to_end(digest)
        return True

    def take(self, digest: bytes) -> None:
        """Content has gone; its pins stay for the day it comes back."""
        self.used_bytes -= self._sizes.pop(digest, 0)

    def pin(self, owner: bytes, digests: Iterable[bytes]) -> None:
        """Keep these, here yet or not, until the owner unpins; adds to what it has pinned before."""
        pins = self._pins.setdefault(owner, set())
        fresh = set(digests) - pins
        pins |= fresh
        self._pinned.update(fresh)

    def pin_added(self, owner: bytes, digest: bytes) -> None:
        """Keep what the owner has added. If it comes from it a second time, as the output of another task, that stays
        until it needs nothing at all any more: whoever says that it does not need the first need not know of it."""
        if digest in self._pins.get(owner, ()):
            self._added_again.setdefault(owner, set()).add(digest)
        else:
            self.pin(owner, [digest])

    def unpin(self, owner: bytes, digests: Iterable[bytes] | None = None) -> list[bytes]:
        """The owner does not need these any more, or nothing at all. What nobody has pinned any more is returned."""
        pins = self._pins.get(owner, set())
        if digests is None:
            done = set(pins)
            self._added_again.pop(owner, None)
        else:
            done = pins.intersection(digests) - self._added_again.get(owner, set())
        pins -= done
        if not pins:
            self._pins.pop(owner, None)
        free = []
        for digest in done:
            self._pinned[digest] -= 1
            if not self._pinned[digest]:
                del self._pinned[digest]
                free.append(digest)
        return free

    def is_downloading(self, digest: bytes) -> bool:
        """Whether somebody is at it now."""
        return digest in self._active

    def is_paused(self, digest: bytes) -> bool:
        """Whether there is the beginning of a download that nobody is at."""
        return digest in self._downloads and digest not in self._active

    def active(self) -> list[tuple[bytes, int]]:
        """(digest, full size in bytes) of the downloads that somebody is at."""
        return [(digest, self._downloads[digest]) for digest in self._active]

    def download_bytes(self, digest: bytes) -> int:
        """The room that a download has, at work or paused; 0 if there is none."""
        return self._downloads.get(digest, 0)

    def put_download(self, digest: bytes, size_bytes: int, *, active: bool) -> None:
        """A download has so much room from now on: all that it will need, or what it has used when it is paused."""
        self.used_bytes += size_bytes - self._downloads.get(digest, 0)
        self._downloads[digest] = size_bytes
        (self._active.add if active else self._active.discard)(digest)

    def take_download(self, digest: bytes) -> None:
        self._active.discard(digest)
        self.used_bytes -= self._downloads.pop(digest, 0)

    def victims(
        self, size_bytes: int, free_bytes: int, sparing: bytes | None = None
    ) -> tuple[list[bytes], list[bytes]] | None:
        """Which (downloads, contents) must go so that `size_bytes` more fit, also on the disk, of which `free_bytes`
        are to be had; None if they cannot. The download that is to go on with that room is to be spared."""
        lacking = size_bytes - free_bytes if size_bytes else 0
        excess = max(self.used_bytes + size_bytes - self.quota_bytes, lacking)
        downloads: list[bytes] = []
        contents: list[bytes] = []
        spared = self._active | {sparing}
        idle = ((digest, size) for digest, size in self._downloads.items() if digest not in spared)
        free = ((digest, size) for digest, size in self._sizes.items() if digest not in self._pinned)
        for found, goes in ((idle, downloads), (free, contents)):
            for digest, size in found:
                if excess <= 0:
                    return downloads, contents
                goes.append(digest)
                excess -= size
        return (downloads, contents) if excess <= 0 else None

    def why_full(self, size_bytes: int) -> str:
        """Why nothing can go, for people."""
        if self.used_bytes + size_bytes > self.quota_bytes:
            return (
                f"the store has no room for {size_bytes} bytes: {self.used_bytes} of {self.quota_bytes} are in use,"
                " and what unfinished jobs need must stay; raise the quota or wait for them"
            )
        return f"the disk that holds the store has no room for {size_bytes} bytes and some to spare: make room on it"
