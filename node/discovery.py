"""Discovery: finding other nodes of the cluster on the local network by mDNS.

A node announces where it listens under a service type that carries a tag of its cluster, and browses for the same.
What it hears is an address to dial, nothing more: neither trust (the handshake proves who answers) nor liveness (an
entry outlives a crash by up to nineteen minutes). Names and records say nothing about host or cluster in clear.

zeroconf runs an event loop of its own in its own threads. Its blocking calls go to worker threads of ours, and what
it hears comes back through the trio token, so a slow network never holds up the node.
"""

import hashlib
import ipaddress
import logging
import os
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn, cast

import trio

from pnode.protocol.events import Discovered
from pnode.protocol.ids import ClusterId, NodeId
from pnode.protocol.record import Address

if TYPE_CHECKING:
    from zeroconf import ServiceListener, Zeroconf

logger = logging.getLogger(__name__)

CLOSE_S = 2.0
"""Saying goodbye takes a quarter of a second; a network that is gone must not hold up the shutdown."""

LOOKUP_MS = 2000
"""How long one announced name is asked for its address."""

HEARD_MAX = 256
"""Announcements that may wait for the node; more are dropped, since they are repeated anyway."""


SELF_TEST_TYPE = "_pnode-doctor._tcp.local."


class DiscoveryError(Exception):
    """mDNS cannot be had here: no multicast route, port 5353 forbidden, or a machine too busy to answer."""


def service_type(cluster: ClusterId) -> str:
    """The DNS-SD type of one cluster: two clusters on one network do not see each other.

    A service name has at most 15 characters (RFC 6335, section 5.1): room for 32 bits behind ours.
    """
    tag = hashlib.blake2b(cluster, digest_size=4, person=b"pnode-mdns").hexdigest()
    return f"_pnode-{tag}._tcp.local."


async def serve_discovery(
    cluster: ClusterId,
    node: NodeId,
    addresses: tuple[Address, ...],
    deliver: Callable[[Discovered], None],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> NoReturn:
    """Announce this node and deliver the addresses of others, until cancelled.

    Where mDNS cannot be had that is logged once, and seeds remain.
    """
    token = trio.lowlevel.current_trio_token()
    send, receive = trio.open_memory_channel[Discovered](HEARD_MAX)

    def heard(found: Discovered) -> None:
        """Called on a thread of zeroconf's."""
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(_put, send, found)

    try:
        announcer = await trio.to_thread.run_sync(_open, cluster, node, addresses, heard, abandon_on_cancel=True)
    except DiscoveryError as error:
        logger.warning("mDNS cannot be used here, only seeds and tokens lead to other nodes: %s", error)
        task_status.started()
        await trio.sleep_forever()
    task_status.started()
    try:
        async for found in receive:
            deliver(found)
        raise AssertionError("the channel is never closed")
    finally:
        with trio.move_on_after(CLOSE_S, shield=True):
            await trio.to_thread.run_sync(announcer.close, abandon_on_cancel=True)


def _put(send: trio.MemorySendChannel[Discovered], found: Discovered) -> None:
    with suppress(trio.WouldBlock, trio.ClosedResourceError, trio.BrokenResourceError):
        send.send_nowait(found)


class _Listener:
    """Turns announcements into addresses, on zeroconf's browser thread."""

    def __init__(self, own_name: str, heard: Callable[[Discovered], None]) -> None:
        self.own_name = own_name
        self.heard = heard

    def add_service(self, zeroconf: "Zeroconf", type_: str, name: str) -> None:
        if name == self.own_name:
            return
        info = zeroconf.get_service_info(type_, name, LOOKUP_MS)
        if info is None or not info.port:
            return
        hosts = info.parsed_scoped_addresses()
        addresses = tuple(Address(host, info.port) for host in hosts if 0 < info.port < 65536)
        if addresses:
            self.heard(Discovered(addresses))

    def update_service(self, zeroconf: "Zeroconf", type_: str, name: str) -> None:
        self.add_service(zeroconf, type_, name)

    def remove_service(self, zeroconf: "Zeroconf", type_: str, name: str) -> None:
        """A goodbye is no news: membership knows better who is alive."""


class _Announcer:
    """An open zeroconf with our announcement and our browser in it."""

    def __init__(self, zeroconf: "Zeroconf") -> None:
        self.zeroconf = zeroconf

    def close(self) -> None:
        """Blocking. A goodbye that did not get out is no loss: nobody takes announcements for signs of life."""
        import zeroconf

        with suppress(zeroconf.Error):
            self.zeroconf.close()


def _open(
    cluster: ClusterId, node: NodeId, addresses: tuple[Address, ...], heard: Callable[[Discovered], None]
) -> _Announcer:
    """Blocking. Raises DiscoveryError."""
    import zeroconf  # imported late: 55 ms and two threads that a node without mDNS should not pay for

    kind = service_type(cluster)
    name = f"{hashlib.blake2b(node, digest_size=8, person=b'pnode-mdns').hexdigest()}.{kind}"
    hosts = [address.host for address in addresses]
    try:
        announcer = _Announcer(zeroconf.Zeroconf(interfaces=_interfaces(hosts), use_asyncio=False))
    except OSError as error:
        raise DiscoveryError(str(error)) from None
    try:
        # It is one in all but name: deriving from theirs would mean importing zeroconf with this module.
        listener = cast("ServiceListener", _Listener(name, heard))
        zeroconf.ServiceBrowser(announcer.zeroconf, kind, listener=listener)
        info = zeroconf.ServiceInfo(
            kind, name, port=addresses[0].port, parsed_addresses=hosts, server=f"{name.partition('.')[0]}.local."
        )
        # The name is a hash of our key, so nobody else has it and probing for conflicts is a second lost.
        announcer.zeroconf.register_service(info, cooperating_responders=True)
    except (OSError, zeroconf.Error) as error:
        announcer.close()
        raise DiscoveryError(f"{type(error).__name__} {error}".strip()) from None
    return announcer


def _interfaces(hosts: Iterable[str]) -> list[str]:
    """Interfaces by address: letting zeroconf choose fails where there is no default route. Raises DiscoveryError."""
    found = [host for host in hosts if ipaddress.ip_address(host.partition("%")[0]).version == 4]
    if not found:
        raise DiscoveryError("this node listens at no IPv4 address, and only those are announced to")
    return found


class _Ear:
    """Waits for one name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heard = threading.Event()

    def add_service(self, _zeroconf: "Zeroconf", _type: str, name: str) -> None:
        if name == self.name:
            self.heard.set()

    update_service = add_service

    def remove_service(self, _zeroconf: "Zeroconf", _type: str, _name: str) -> None:
        """A goodbye is no news."""


def hears_itself(hosts: list[str], wait_s: float) -> bool:
    """Whether something announced at addresses of ours with one socket is heard with another. Blocking, for at most
    `wait_s` and what saying it takes. Raises DiscoveryError."""
    import zeroconf  # late, as above

    name = f"{os.getpid()}.{SELF_TEST_TYPE}"
    ear = _Ear(name)
    try:
        with (
            zeroconf.Zeroconf(interfaces=hosts, use_asyncio=False) as speaker,
            zeroconf.Zeroconf(interfaces=hosts, use_asyncio=False) as listener,
        ):
            zeroconf.ServiceBrowser(listener, SELF_TEST_TYPE, listener=cast("ServiceListener", ear))
            info = zeroconf.ServiceInfo(SELF_TEST_TYPE, name, port=9, parsed_addresses=hosts, server=name)
            speaker.register_service(info, cooperating_responders=True)
            return ear.heard.wait(wait_s)
    except (OSError, zeroconf.Error) as error:
        raise DiscoveryError(f"{type(error).__name__} {error}".strip()) from None
