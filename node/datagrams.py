"""Datagrams: the node's UDP sockets, and the box that seals and opens what goes through them."""

import logging
import socket
from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import ip_address

import trio

from pnode.protocol.datagram import DATAGRAM_BYTES_MAX, DatagramBox, DatagramError
from pnode.protocol.events import DatagramReceived
from pnode.protocol.ids import NodeId, node_text
from pnode.protocol.record import Address

logger = logging.getLogger(__name__)

BATCH_MAX = 64
"""Datagrams per wake-up, so that a flood cannot starve the other tasks (membership.md 7.4)."""

READ_BYTES = DATAGRAM_BYTES_MAX + 1
"""One more than allowed: the kernel cuts what is longer, and the box must see that it was."""


class Datagrams:
    """Sends and receives datagrams over bound, non-blocking sockets, at most one per address family.

    The sockets are used directly, without trio's wrappers: that costs a third (membership.md 7.4).
    """

    def __init__(
        self, sockets: Sequence[socket.socket], box: DatagramBox, deliver: Callable[[DatagramReceived], None]
    ) -> None:
        self._sockets = {sock.family: sock for sock in sockets}
        self._box = box
        self._deliver = deliver
        self.sent = 0
        self.sent_bytes = 0
        """Sealed, without the headers of IP and UDP."""

    def send(self, peer: NodeId, address: Address, payload: bytes) -> None:
        """Send one datagram if that can be done at once; like any datagram, it may be lost. Goes to numeric addresses
        only: looking up a name would hold up everybody."""
        family = _family(address.host)
        sock = None if family is None else self._sockets.get(family)
        if sock is None:
            return
        try:
            data = self._box.seal(peer, payload)
            sock.sendto(data, (address.host, address.port))
            self.sent += 1
            self.sent_bytes += len(data)
        except (OSError, DatagramError) as error:
            logger.debug("datagram not sent: peer=%s address=%s reason=%s", node_text(peer), address, error)

    async def run(self) -> None:
        """Receive until cancelled. What is not from a member, or is wrong in any way, is dropped."""
        async with trio.open_nursery() as nursery:
            for sock in self._sockets.values():
                nursery.start_soon(self._receive, sock)

    async def _receive(self, sock: socket.socket) -> None:
        while True:
            await trio.lowlevel.wait_readable(sock)
            for _ in range(BATCH_MAX):
                try:
                    data = sock.recv(READ_BYTES)
                except BlockingIOError:
                    break
                except OSError as error:  # the report of an earlier datagram that did not arrive
                    logger.debug("datagram socket: reason=%s", error)
                    continue
                self._open(data)

    def _open(self, data: bytes) -> None:
        try:
            peer, payload = self._box.open(data)
        except DatagramError as error:
            logger.debug("datagram dropped: reason=%s", error)
            return
        self._deliver(DatagramReceived(peer, payload))


@lru_cache(maxsize=4096)  # as many as there are members
def _family(host: str) -> socket.AddressFamily | None:
    """Of a numeric address; None for a name."""
    try:
        return socket.AF_INET if ip_address(host).version == 4 else socket.AF_INET6
    except ValueError:
        return None
