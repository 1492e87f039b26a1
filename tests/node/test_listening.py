"""Listening: one port for everything, and the addresses that are told to others."""

import errno
import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import psutil
import pytest
import trio

from pnode.node import listening
from pnode.node.limits import TransportSettings
from pnode.node.listening import CannotListenError, Doors, PortInUseError, interfaces, listen
from pnode.protocol.record import ADDRESSES_MAX, Address

from .network import Node, in_trio

HAS_IPV6 = any(entry.address == "::1" for entries in psutil.net_if_addrs().values() for entry in entries)


@contextmanager
def doors(host: str, port: int = 0) -> Iterator[Doors]:
    opened = listen(host, port)
    try:
        yield opened
    finally:
        opened.close()


class Interface(NamedTuple):
    family: int
    address: str


class State(NamedTuple):
    isup: bool


def machine(monkeypatch: pytest.MonkeyPatch, **interfaces: tuple[str, ...]) -> None:
    """Make this machine look as if it had these interfaces; names that begin with `down` are down."""
    entries = {
        name: [Interface(socket.AF_INET6 if ":" in host else socket.AF_INET, host) for host in hosts]
        for name, hosts in interfaces.items()
    }
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: entries)
    monkeypatch.setattr(
        psutil, "net_if_stats", lambda: {name: State(not name.startswith("down")) for name in entries}
    )


def everywhere(*bound: str) -> Doors:
    return Doors(4440, (), (), bound)


def test_a_name_that_leads_to_the_same_address_twice_is_listened_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [entry, entry])  # a name twice in /etc/hosts

    with doors("twice.example") as opened:
        assert opened.hosts == ("127.0.0.1",)


def test_tcp_and_udp_share_one_port() -> None:
    with doors("127.0.0.1") as opened:
        ports = [sock.getsockname()[1] for sock in opened.stream_sockets]
        ports += [sock.getsockname()[1] for sock in opened.datagram_sockets]

        assert ports == [opened.port, opened.port]
        assert opened.addresses() == (Address("127.0.0.1", opened.port),)


@pytest.mark.skipif(not HAS_IPV6, reason="this machine has no IPv6")
def test_every_interface_means_both_families_on_the_same_port() -> None:
    with doors("") as opened:
        families = [sock.family for sock in opened.stream_sockets]
        ports = {sock.getsockname()[1] for sock in opened.datagram_sockets}

        assert families == [socket.AF_INET, socket.AF_INET6]
        assert ports == {opened.port}


@pytest.mark.skipif(not HAS_IPV6, reason="this machine has no IPv6")
@in_trio
async def test_a_node_on_ipv6_answers_there() -> None:
    node = Node("ann", TransportSettings(host="::1"))
    async with trio.open_nursery() as nursery:
        await nursery.start(node.transport.serve)
        (address,) = node.transport.addresses()
        async with await trio.open_tcp_stream(address.host, address.port) as stream:
            await stream.send_all(b"hello")
            answer = await stream.receive_some()
        nursery.cancel_scope.cancel()

    assert str(address) == f"[::1]:{node.transport.port}"
    assert answer == b""


def test_a_machine_without_ipv6_listens_on_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def only_ipv4(family: int, kind: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported")
        return real(family, kind)

    monkeypatch.setattr(listening, "WILDCARDS", {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"})
    monkeypatch.setattr(socket, "socket", only_ipv4)
    opened = listening._bind(list(listening.WILDCARDS.items()), 0)
    monkeypatch.undo()
    opened.close()

    assert opened.hosts == ("127.0.0.1",)


def test_a_port_in_use_is_named_with_what_to_do() -> None:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            if kind == socket.SOCK_STREAM:
                taken.listen()

            with pytest.raises(PortInUseError) as failed:
                listen("127.0.0.1", port)

        assert str(failed.value) == (
            f"cannot listen at port {port} of 127.0.0.1: another program uses it, perhaps another pnode. "
            "Stop that, or choose another port with --port"
        )


def test_a_free_port_that_is_half_taken_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts: list[int] = []

    def busy(targets: object, port: int) -> Doors:
        attempts.append(port)
        raise PortInUseError("taken")

    monkeypatch.setattr(listening, "_bind", busy)

    with pytest.raises(PortInUseError, match="--port"):
        listen("127.0.0.1", 0)
    assert attempts == [0] * listening.PORT_ATTEMPTS
    with pytest.raises(PortInUseError, match="taken"):
        listen("127.0.0.1", 4440)


def test_a_host_that_is_not_this_one_is_told_so() -> None:
    with pytest.raises(CannotListenError, match="no such name or address"):
        listen("no..such..host", 0)
    with pytest.raises(CannotListenError, match=r"at 192\.0\.2\.200: this machine has no such address"):
        listen("192.0.2.200", 0)


@pytest.mark.parametrize(
    ("number", "words"), [(errno.EACCES, "not permitted"), (errno.ENOBUFS, "cannot listen at port 1 of x: full")]
)
def test_other_reasons_are_told_too(number: int, words: str) -> None:
    assert words in str(listening._explain(OSError(number, "full"), "x", 1))


def test_nothing_is_left_open_when_listening_fails() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError):
            listen("127.0.0.1", port)

    with doors("127.0.0.1", port) as opened:
        assert opened.port == port


def test_loopback_is_told_only_where_there_is_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, lo=("127.0.0.1", "::1"))
    alone = everywhere("0.0.0.0", "::").addresses()
    machine(monkeypatch, lo=("127.0.0.1", "::1"), eth0=("192.168.1.5", "2001:db8::5"))
    connected = everywhere("0.0.0.0", "::").addresses()

    assert [address.host for address in alone] == ["127.0.0.1", "::1"]
    assert [address.host for address in connected] == ["192.168.1.5", "2001:db8::5"]
    assert everywhere("127.0.0.1").addresses() == (Address("127.0.0.1", 4440),)


def test_addresses_that_help_nobody_are_left_out_or_told_last(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(
        monkeypatch,
        docker0=("172.17.0.1",),
        down0=("10.9.9.9",),
        eth0=("fe80::1%eth0", "169.254.3.4", "192.168.1.5"),
        eth1=("192.168.1.5", "10.0.0.5"),
    )

    hosts = [address.host for address in everywhere("0.0.0.0", "::").addresses()]

    assert hosts == ["192.168.1.5", "10.0.0.5", "172.17.0.1"]


def test_no_more_addresses_are_told_than_a_record_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, eth0=tuple(f"10.0.0.{number}" for number in range(1, 30)))

    assert len(everywhere("0.0.0.0").addresses()) == ADDRESSES_MAX


def test_the_addresses_of_this_machine_are_addresses() -> None:
    with doors("") as opened:
        for address in opened.addresses():
            assert not ipaddress.ip_address(address.host).is_link_local
            assert address.port == opened.port


def test_interfaces_are_those_that_lead_to_other_machines() -> None:
    assert all(
        not host.startswith(("127.", "fe80", "169.254.")) and host != "::1"
        for each in interfaces()
        for host in each.addresses
    )
