"""Dialling: races between addresses, on a virtual clock, and what the operating system says, in words."""

import errno
import os
import socket
import threading
from contextlib import suppress
from functools import partial

import pytest
import trio
import trio.testing

from pnode.node import dialing
from pnode.node.dialing import (
    LOOKUPS_MAX,
    PARALLEL_MAX,
    WAYS_MAX,
    ConnectionIsRefusedError,
    NoAnswerError,
    UnreachableError,
    Way,
    connect_tcp,
    race,
)
from pnode.protocol.record import Address
from pnode.protocol.refusals import HandshakeError, OtherClusterError, SessionExistsError

from .network import in_no_time, in_trio


def address(number: int) -> Address:
    return Address(f"10.0.0.{number}", 4440)


@in_no_time
async def test_the_first_success_wins_and_the_others_are_cancelled() -> None:
    cancelled: list[Address] = []

    async def attempt(target: Way) -> Way:
        assert isinstance(target, Address)
        try:
            await trio.sleep({1: 9.0, 2: 1.0, 3: 9.0}[int(target.host[-1])])
        except trio.Cancelled:
            cancelled.append(target)
            raise
        return target

    won = await race([address(1), address(2), address(3)], attempt, 0.1)

    assert won == address(2)
    assert {*cancelled} == {address(1), address(3)}
    assert trio.current_time() == pytest.approx(1.1)


@in_no_time
async def test_a_success_that_nobody_waits_for_any_more_is_dropped() -> None:
    arrived, dropped = trio.Event(), list[str]()

    async def attempt(_: Way) -> str:
        await arrived.wait()
        return "connection"

    async def drop(success: str) -> None:
        dropped.append(success)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(race, [address(1)], attempt, 0.1, drop)
        await trio.testing.wait_all_tasks_blocked()
        arrived.set()
        nursery.cancel_scope.cancel()

    assert dropped == ["connection"]


@in_no_time
async def test_an_address_that_fails_at_once_does_not_delay_the_next() -> None:
    async def attempt(target: Way) -> Way:
        if target != address(3):
            raise NoAnswerError("refused the connection")
        return target

    won = await race([address(1), address(2), address(3)], attempt, 10.0)

    assert won == address(3)
    assert trio.current_time() == 0


@in_no_time
async def test_only_so_many_are_tried_at_once_and_in_all() -> None:
    current = most = 0
    tried: list[Address] = []

    async def attempt(target: Way) -> None:
        nonlocal current, most
        assert isinstance(target, Address)
        tried.append(target)
        current += 1
        most = max(most, current)
        await trio.sleep(5)
        current -= 1
        raise NoAnswerError("did not answer")

    with pytest.raises(UnreachableError):
        await race([address(number) for number in [*range(40), *range(40)]], attempt, 0.0)

    assert most == PARALLEL_MAX
    assert {*tried} == {address(number) for number in range(WAYS_MAX)}
    assert len(tried) == WAYS_MAX


@in_no_time
async def test_failures_are_told_in_the_order_of_the_addresses() -> None:
    async def attempt(target: Way) -> None:
        assert isinstance(target, Address)
        await trio.sleep(10 - int(target.host[-1]))
        raise OtherClusterError("is a node of another cluster") if target == address(2) else NoAnswerError("is quiet")

    with pytest.raises(UnreachableError) as failed:
        await race([address(1), address(2), address(3)], attempt, 0.1)

    assert str(failed.value) == (
        "10.0.0.1:4440 is quiet; 10.0.0.2:4440 is a node of another cluster; 10.0.0.3:4440 is quiet"
    )
    assert not failed.value.session_exists


def test_an_address_that_leads_to_a_peer_we_have_makes_a_difference() -> None:
    failures: list[tuple[Address, NoAnswerError | HandshakeError]] = [
        (address(1), NoAnswerError("is quiet")),
        (address(2), SessionExistsError("has a session with us")),
    ]

    assert UnreachableError(failures).session_exists


def test_where_a_machine_says_that_nobody_listens_is_remembered() -> None:
    failures: list[tuple[Address, NoAnswerError | HandshakeError]] = [
        (address(1), NoAnswerError("did not answer")),
        (address(2), ConnectionIsRefusedError("refused the connection")),
    ]

    assert UnreachableError(failures).refused == (address(2),)


@in_trio
async def test_a_port_at_which_nobody_listens_refuses() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]

        with pytest.raises(ConnectionIsRefusedError, match="refused"):
            await connect_tcp(Address("127.0.0.1", port))


@in_trio
async def test_a_connection_is_watched_by_the_kernel() -> None:
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(
            partial(trio.serve_tcp, trio.SocketStream.receive_some, 0, host="127.0.0.1")
        )
        async with await connect_tcp(Address("127.0.0.1", listener.socket.getsockname()[1])) as stream:
            assert stream.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                assert stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 20_000
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ECONNREFUSED, "refused the connection"),
        (errno.ETIMEDOUT, "did not answer"),
        (errno.EHOSTUNREACH, "cannot be reached: No route to host"),
        (errno.ENETUNREACH, "cannot be reached: Network is unreachable"),
    ],
)
def test_what_the_operating_system_says_is_put_into_words(number: int, words: str) -> None:
    bare = OSError(number, os.strerror(number))
    grouped = OSError("all attempts failed")
    grouped.__cause__ = ExceptionGroup("all attempts failed", [bare])

    for error in (bare, grouped):
        said = dialing._explained(error)
        assert str(said) == words
        assert isinstance(said, dialing.ConnectionIsRefusedError) == (number == errno.ECONNREFUSED)


@in_trio
async def test_a_name_that_nobody_knows_is_told_from_a_host_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)  # trio asks it, in a thread

    with pytest.raises(NoAnswerError, match=r"cannot be looked up \(Name or service not known\): is the name right"):
        await connect_tcp(Address("nobody.example", 1))


@in_trio
async def test_names_that_nobody_answers_for_leave_the_threads_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    asked: list[object] = []

    def silent(host: object, _port: object, _family: int, _type: int, _proto: int, flags: int) -> None:
        if not flags & socket.AI_NUMERICHOST:
            asked.append(host)
            answered.wait(10.0)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def connect(number: int) -> None:
        with trio.move_on_after(0.1), suppress(NoAnswerError):
            await connect_tcp(Address(f"silent{number}.example", 1))

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    async with trio.open_nursery() as nursery:
        for number in range(100):
            nursery.start_soon(connect, number)

    try:
        with trio.fail_after(5.0):
            assert await trio.to_thread.run_sync(lambda: "done") == "done"
        assert 0 < len(asked) <= LOOKUPS_MAX
    finally:
        answered.set()
