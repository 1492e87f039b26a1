"""A trace: a digest over everything that happened to every peer, in order, as plaintext.

Two runs of a seed are the same run if their digests are equal; so a digest is what tests compare.
"""

import hashlib
from struct import Struct

from pnode.protocol.events import DatagramReceived, Event, Received
from pnode.sim.host import Host

_HEAD = Struct("<QIB")

TICK, FRAME, OTHER = range(3)


class Trace:
    """Takes in events one by one."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16, person=b"pnode-trace")
        self.events = 0

    def add(self, host: Host, event: Event | None) -> None:
        """Something is about to happen to a host's peer; None is the passing of its deadline."""
        self.events += 1
        now_ns, number = host.engine.now_ns, host.number
        match event:
            case None:
                self._hash.update(_HEAD.pack(now_ns, number, TICK))
            case DatagramReceived() | Received():
                self._hash.update(_HEAD.pack(now_ns, number, FRAME))
                self._hash.update(event.peer)
                self._hash.update(event.payload)
            case _:
                self._hash.update(_HEAD.pack(now_ns, number, OTHER))
                self._hash.update(repr(event).encode())

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()
