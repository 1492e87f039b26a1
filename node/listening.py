"""Listening: one port for TCP and UDP, on IPv4 and where there is one on IPv6, and the addresses that lead to it."""

import errno
import ipaddress
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import psutil

from pnode.protocol.record import ADDRESSES_MAX, Address
from pnode.protocol.values import dataclass

BACKLOG = 128
"""Connections that wait to be accepted; the door is narrower."""

RECEIVE_BUFFER_BYTES = 2 * 1024 * 1024
"""Of the UDP socket, as memberlist asks for; the kernel may grant less."""

PORT_ATTEMPTS = 20
"""A port that TCP has just been given may be taken for UDP; the chance of that is small each time."""

WILDCARDS = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}  # noqa: S104 - every interface is what is asked for

NO_SUCH_FAMILY = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT}

VIRTUAL = ("docker", "br-", "veth", "virbr", "cni", "flannel", "lxc", "lxd", "podman", "vmnet")
"""Interfaces that lead to containers or virtual machines of this host; told last, since they rarely help others."""

VPN = ("tun", "tap", "wg", "ppp", "utun", "tailscale", "zt", "ipsec", "nebula")
"""How interfaces of virtual private networks are called."""


class CannotListenError(Exception):
    """No port to listen at; the text says what to do."""


class PortInUseError(CannotListenError):
    """Another program has the port."""


@dataclass(frozen=True, slots=True)
class Doors:
    """Bound sockets, all on one port."""

    port: int
    stream_sockets: tuple[socket.socket, ...]
    datagram_sockets: tuple[socket.socket, ...]
    hosts: tuple[str, ...]
    """As bound, wildcards included."""

    def close(self) -> None:
        for sock in (*self.stream_sockets, *self.datagram_sockets):
            sock.close()

    @property
    def are_everywhere(self) -> bool:
        """Whether an address that this machine gets later leads here, too."""
        return any(host in WILDCARDS.values() for host in self.hosts)

    def addresses(self) -> tuple[Address, ...]:
        """Where others can reach us as of now, the likeliest first, at most ADDRESSES_MAX."""
        hosts = dict.fromkeys(host for bound in self.hosts for host in _reachable(bound))
        loopback = [host for host in hosts if ipaddress.ip_address(host).is_loopback]
        elsewhere = [host for host in hosts if host not in loopback]
        return tuple(Address(host, self.port) for host in (elsewhere or loopback)[:ADDRESSES_MAX])


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface that is up, with the addresses by which others can reach it."""

    name: str
    addresses: tuple[str, ...]

    @property
    def is_vpn(self) -> bool:
        return self.name.startswith(VPN)

    @property
    def is_virtual(self) -> bool:
        return self.name.startswith(VIRTUAL)


def listen(host: str, port: int) -> Doors:
    """Bind and listen; host and port as in TransportSettings. Raises CannotListenError."""
    for _ in range(PORT_ATTEMPTS):
        try:
            return _bind(_targets(host), port)
        except PortInUseError:
            if port:
                raise
    raise PortInUseError(f"{PORT_ATTEMPTS} free TCP ports were all in use for UDP: choose one with --port")


def _targets(host: str) -> list[tuple[socket.AddressFamily, str]]:
    if not host:
        return list(WILDCARDS.items())
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise CannotListenError(f"cannot listen at {host!r}: no such name or address ({error})") from None
    return list(dict.fromkeys((family, str(sockaddr[0])) for family, _, _, _, sockaddr in found))


def _bind(targets: list[tuple[socket.AddressFamily, str]], port: int) -> Doors:
    """Bind all families to the same port; families that this machine lacks are left out."""
    stream_sockets: list[socket.socket] = []
    datagram_sockets: list[socket.socket] = []
    hosts: list[str] = []
    with ExitStack() as cleanup:
        for family, host in targets:
            try:
                stream = cleanup.enter_context(socket.socket(family, socket.SOCK_STREAM))
                packets = cleanup.enter_context(socket.socket(family, socket.SOCK_DGRAM))
                port = _bind_pair(family, host, port, stream, packets)
            except OSError as error:
                if error.errno not in NO_SUCH_FAMILY:
                    raise _explain(error, host, port) from None
                continue
            stream_sockets.append(stream)
            datagram_sockets.append(packets)
            hosts.append(host)
        if not hosts:
            where = " or ".join(host for _, host in targets)
            raise CannotListenError(f"cannot listen at {where}: this machine has no such address; see --listen")
        cleanup.pop_all()
    return Doors(port, tuple(stream_sockets), tuple(datagram_sockets), tuple(hosts))


def _bind_pair(
    family: socket.AddressFamily, host: str, port: int, stream: socket.socket, packets: socket.socket
) -> int:
    """Bind both to the port, or to any if it is 0, and return it."""
    if family == socket.AF_INET6:
        for sock in (stream, packets):
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # or a restart waits for old connections to expire
    stream.bind((host, port))
    port = int(stream.getsockname()[1])
    packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    for sock in (stream, packets):
        sock.setblocking(False)
    packets.bind((host, port))
    stream.listen(BACKLOG)
    return port


def _explain(error: OSError, host: str, port: int) -> CannotListenError:
    where = f"port {port} of {host}"
    if error.errno == errno.EADDRINUSE:
        return PortInUseError(
            f"cannot listen at {where}: another program uses it, perhaps another pnode. Stop that, or choose another "
            "port with --port"
        )
    if error.errno == errno.EACCES:
        return CannotListenError(f"cannot listen at {where}: not permitted. Choose a port above 1023 with --port")
    return CannotListenError(f"cannot listen at {where}: {error.strerror}")


def _reachable(bound: str) -> Iterator[str]:
    """The addresses behind a bound host: itself, or for a wildcard those of all interfaces that are up."""
    if bound not in WILDCARDS.values():
        yield bound
        return
    family = socket.AF_INET6 if ":" in bound else socket.AF_INET
    states = psutil.net_if_stats()
    interfaces = psutil.net_if_addrs()
    for name in sorted(interfaces, key=lambda name: name.startswith(VIRTUAL)):
        if name in states and states[name].isup:
            for entry in interfaces[name]:
                # A link-local address means nothing without an interface, which others cannot know.
                if entry.family == family and not ipaddress.ip_address(entry.address.partition("%")[0]).is_link_local:
                    yield entry.address


def own_hosts() -> frozenset[str]:
    """All addresses of this machine, from which connections may go out."""
    return frozenset(
        entry.address.partition("%")[0]
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family in (socket.AF_INET, socket.AF_INET6)
    )


def interfaces() -> tuple[Interface, ...]:
    """Those that are up and lead to other machines."""
    states = psutil.net_if_stats()
    found = []
    for name, entries in psutil.net_if_addrs().items():
        if name not in states or not states[name].isup:
            continue
        hosts = (
            entry.address.partition("%")[0] for entry in entries if entry.family in (socket.AF_INET, socket.AF_INET6)
        )
        reachable = tuple(host for host in hosts if _leads_elsewhere(host))
        if reachable:
            found.append(Interface(name, reachable))
    return tuple(found)


def _leads_elsewhere(host: str) -> bool:
    address = ipaddress.ip_address(host)
    return not address.is_loopback and not address.is_link_local
