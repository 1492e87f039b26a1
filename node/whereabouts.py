"""Whereabouts: under which addresses this machine can be reached now, and what follows when they change.

A laptop is carried into another network, a lease ends, an interface comes up. Then connections that were made from an
address that is gone are ended, since nothing comes back to it; the core is told, so that the record of this node says
where it listens now; and the new addresses are announced by mDNS.
"""

import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from typing import NoReturn

import trio

from pnode.protocol.events import Moved
from pnode.protocol.record import Address

from .listening import own_hosts
from .transport import Transport

logger = logging.getLogger(__name__)

LOOK_S = 5.0
"""How often addresses are looked at where the kernel does not tell of changes."""

SETTLE_S = 0.5
"""Addresses go and come one by one: so long after the first change all of them are looked at."""

GROUPS = 0x1 | 0x10 | 0x100
"""What Linux is to tell us of: links, IPv4 addresses, IPv6 addresses (RTMGRP_LINK and two more of rtnetlink(7))."""

NEWS_BYTES = 65536


class Whereabouts:
    """The addresses of one node whose transport serves."""

    def __init__(
        self, transport: Transport, addresses: tuple[Address, ...], deliver: Callable[[Moved], None]
    ) -> None:
        """`addresses` are those that the core knows."""
        self._transport = transport
        self._deliver = deliver
        self._addresses = addresses
        self._changed = trio.Event()

    async def serve(self) -> None:
        """Watch until cancelled; returns at once where the addresses cannot change."""
        if not self._transport.listens_everywhere:
            return
        with ExitStack() as held:
            bell = _bell()
            if bell is not None:
                held.enter_context(bell)
            while True:
                await trio.sleep(SETTLE_S)
                _silence(bell)
                await self._look()
                await _change(bell)

    async def announce(self, announce: Callable[[tuple[Address, ...]], Awaitable[NoReturn]]) -> NoReturn:
        """Run a service for the addresses of now, and begin it anew whenever they have changed."""
        while True:
            changed = self._changed
            async with trio.open_nursery() as nursery:
                nursery.start_soon(announce, self._addresses)
                await changed.wait()
                nursery.cancel_scope.cancel()

    async def _look(self) -> None:
        hosts, found = await trio.to_thread.run_sync(lambda: (own_hosts(), self._transport.addresses()))
        self._transport.sever(hosts)
        if found == self._addresses or all(ipaddress.ip_address(address.host).is_loopback for address in found):
            return  # without any network there is nobody to tell
        logger.info("moved: addresses=%s", " ".join(map(str, found)))
        self._addresses = found
        self._deliver(Moved(found))
        self._changed.set()
        self._changed = trio.Event()


def _bell() -> socket.socket | None:
    """What can be read when something has changed; None where the kernel does not say."""
    with suppress(OSError, AttributeError):  # a sandbox, or another system than Linux
        bell = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
        try:
            bell.bind((0, GROUPS))
        except OSError:
            bell.close()
            raise
        return bell
    return None


async def _change(bell: socket.socket | None) -> None:
    if bell is None:
        await trio.sleep(LOOK_S)
    else:
        await trio.lowlevel.wait_readable(bell)


def _silence(bell: socket.socket | None) -> None:
    with suppress(OSError):  # which says that there is no more, or that there was too much to keep
        while bell is not None and bell.recv(NEWS_BYTES):
            pass
