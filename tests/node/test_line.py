"""A client's line to its node, which is a socket that a test answers by hand."""

import asyncio
import concurrent.futures
import gc
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio

from pnode.node import line
from pnode.node.callee import HEADER, VALUE, Parcel, dump
from pnode.node.callmessages import (
    INLINE_BYTES_MAX,
    Abandon,
    Batch,
    Came,
    Ended,
    Full,
    Message,
    Taken,
    Unpacker,
    Welcome,
    pack,
)
from pnode.node.client import Cluster, connect
from pnode.node.commands import NoNodeError
from pnode.node.futures import Future, JobLostError
from pnode.node.home import calls_socket, parcel_file
from pnode.node.parcel import ParcelError
from pnode.protocol.ids import JobId, digest_of, job_text
from pnode.protocol.jobspec import REPLICAS_MAX, FileRef

SECONDS_MAX = 10.0
"""Nothing here takes a hundredth of that."""


class Node:
    """What listens where a node would."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(os.fspath(calls_socket(home)))
        self._listener.listen()
        self._listener.settimeout(SECONDS_MAX)
        self._client: socket.socket | None = None
        self._unpacker = Unpacker()
        self._heard: list[Message] = []

    def accept(self, cores: int = 1) -> None:
        """Take the next client."""
        self.hang_up()
        self._client, _ = self._listener.accept()
        self._client.settimeout(SECONDS_MAX)
        self._unpacker, self._heard = Unpacker(), []
        self.say(Welcome("alpha", cores))

    def hear(self) -> Message:
        assert self._client is not None
        while not self._heard:
            received = self._client.recv(1 << 16)
            assert received, "the client has hung up"
            self._heard += self._unpacker.feed(received)
        return self._heard.pop(0)

    def hear_batch(self) -> Batch:
        message = self.hear()
        assert isinstance(message, Batch)
        return message

    def say(self, *messages: Message) -> None:
        assert self._client is not None
        self._client.sendall(b"".join(map(pack, messages)))

    def answer(self, batch: Batch, value: object) -> None:
        """As if each task were one call, and all of them came to this."""
        self.say(*(came(batch, at, value) for at in range(len(batch.tasks))))
        self.say(Ended(batch.number, "done"))

    def hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def stop(self) -> None:
        """As a node that ends."""
        self.hang_up()
        self._listener.close()
        calls_socket(self.home).unlink(missing_ok=True)


def came(batch: Batch, task: int, value: object = None) -> Came:
    payload = dump(value)
    content = HEADER.pack(VALUE, len(payload), 0.5) + payload
    return Came(batch.number, task, FileRef("outcomes", len(content), digest_of(content)), content)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path)
    yield node
    node.stop()


@pytest.fixture
def cluster(node: Node) -> Iterator[Cluster]:
    cluster = connect(node.home, name="try")
    node.accept()
    yield cluster
    cluster.shutdown(wait=False, cancel_futures=True)
    node.stop()
    for thread in threading.enumerate():
        if thread.name == "pnode-client":
            thread.join(SECONDS_MAX)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "RECONNECT_S_MAX", 0.2)
    monkeypatch.setattr(line, "CALL_OFF_S_MAX", 0.2)
    monkeypatch.setattr(line, "RECONNECT_PAUSE_S", 0.005)


def test_a_call_goes_to_the_node_and_what_came_of_it_comes_back(node: Node, cluster: Cluster) -> None:
    future = cluster.submit(pow, 2, 5)
    batch = node.hear_batch()
    node.answer(batch, 32)

    assert batch.name == "try: pow"
    assert future.result(SECONDS_MAX) == 32


def test_jobs_are_named_as_the_command_line_does(node: Node, cluster: Cluster) -> None:
    future = cluster.submit(pow, 2, 5)
    batch = node.hear_batch()
    before = cluster.jobs
    marker = cluster.submit(abs, 1)
    node.say(Taken(batch.number, b"j" * 16))
    node.answer(node.hear_batch(), 1)
    marker.result(SECONDS_MAX)

    assert (before, cluster.jobs) == ((), (job_text(JobId(b"j" * 16)),))
    node.answer(batch, 32)
    future.result(SECONDS_MAX)


def test_where_no_node_is_there_is_no_cluster(tmp_path: Path) -> None:
    with pytest.raises(NoNodeError, match="start one with 'pnode start --home"):
        connect(tmp_path)


@pytest.mark.parametrize("replicas", [-1, REPLICAS_MAX + 1])
def test_replicas_that_no_job_can_have_are_refused(tmp_path: Path, replicas: int) -> None:
    with pytest.raises(ValueError, match=f"{replicas} replicas"):
        connect(tmp_path, replicas=replicas)


def test_a_program_may_be_called_anything(node: Node) -> None:
    with connect(node.home, name="a/b\n" * 100) as cluster:
        node.accept()
        future = cluster.submit(pow, 2, 5)
        batch = node.hear_batch()
        node.answer(batch, 32)

        assert batch.name.startswith("a?b?a?b?")
        assert future.result(SECONDS_MAX) == 32


def test_options_are_wishes_and_the_same_cluster(node: Node, cluster: Cluster) -> None:
    cluster.options(cores=2, node="beta").submit(pow, 2, 5)
    (task,) = node.hear_batch().tasks

    assert (task.cores, task.hint) == (2, ("beta",))
    with pytest.raises(ValueError, match="cores"):
        cluster.options(cores=0)


def test_a_cluster_says_whose_it_is_and_what_its_calls_need(cluster: Cluster, tmp_path: Path) -> None:
    assert repr(cluster) == f"<cluster of the node in {tmp_path}>"
    assert repr(cluster.options(cores=2, node="beta")) == f"<cluster of the node in {tmp_path}, cores=2, node='beta'>"


def test_what_cannot_travel_is_said_to_who_hands_it_in(cluster: Cluster) -> None:
    lock = threading.Lock()

    with pytest.raises(ParcelError, match="arguments of the call cannot travel"):
        cluster.submit(id, lock)
    with pytest.raises(ParcelError, match="the function acquire cannot travel"):
        cluster.submit(lock.acquire)


def test_a_future_of_another_cluster_is_refused_since_its_number_is_anothers_here(
    node: Node, cluster: Cluster
) -> None:
    other = connect(node.home)
    own, strange = cluster.submit(pow, 2, 5), other.submit(pow, 2, 6)
    other.shutdown(wait=False, cancel_futures=True)

    for args in ([strange], [[strange, own]], [[own, strange]]):
        with pytest.raises(ParcelError, match="of another cluster"):
            cluster.submit(id, *args)


class Greeter:
    def __init__(self, word: str) -> None:
        self.word = word

    def greet(self) -> str:
        return self.word

    def __call__(self) -> str:
        return self.word


def function_in(node: Node, batch: Batch) -> Any:
    """Of the only call of a batch."""
    (node.home / "parcel").write_bytes(batch.parcel)
    parcel = Parcel(str(node.home / "parcel"))
    number, _, _ = pickle.loads(parcel.call(0))
    content = parcel.function(number)
    parcel.close()
    return pickle.loads(content)


def test_a_method_of_what_is_built_in_is_as_it_is_when_it_is_handed_in(node: Node, cluster: Cluster) -> None:
    values: list[int] = []
    for _ in range(2):
        values.append(1)
        future = cluster.submit(values.copy)
        batch = node.hear_batch()
        copied = function_in(node, batch)()
        node.answer(batch, 0)
        future.result(SECONDS_MAX)

        assert copied == values


@pytest.mark.parametrize("what", ["method", "object"])
def test_what_is_called_is_as_it_is_when_it_is_handed_in(node: Node, cluster: Cluster, what: str) -> None:
    greeter = Greeter("hello")
    called = []
    for word in ("hello", "goodbye"):
        greeter.word = word
        future = cluster.submit(greeter.greet if what == "method" else greeter)
        batch = node.hear_batch()
        called.append(function_in(node, batch)())
        node.answer(batch, 0)
        future.result(SECONDS_MAX)

    assert called == ["hello", "goodbye"]


def test_what_is_the_same_function_is_one_kind_of_calls(cluster: Cluster) -> None:
    greeter = Greeter("hello")
    same = [cluster._line._function(each).number for each in (greeter.greet, greeter.greet, Greeter("hello").greet)]
    other = cluster._line._function(Greeter("goodbye").greet).number

    assert len({*same}) == 1
    assert other not in same


def test_functions_without_end_are_not_kept_without_end(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "FUNCTIONS_MAX", 10)
    numbers = {cluster._line._function(lambda n=n: n).number for n in range(100)}

    assert len(numbers) == 100
    assert len(cluster._line._functions) == 10


def test_calls_too_long_for_a_message_lie_in_a_file(node: Node, cluster: Cluster) -> None:
    content = os.urandom(INLINE_BYTES_MAX)
    cluster.submit(len, content)
    batch = node.hear_batch()

    assert not batch.parcel
    assert content in parcel_file(node.home, batch.nonce).read_bytes()


def test_a_program_may_go_elsewhere_and_finds_its_node_as_before(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(node.home.parent)
    with connect(node.home.name) as cluster:
        node.accept()
        monkeypatch.chdir("/")
        future = cluster.submit(len, os.urandom(INLINE_BYTES_MAX))
        node.answer(node.hear_batch(), INLINE_BYTES_MAX)

        assert future.result(SECONDS_MAX) == INLINE_BYTES_MAX


def test_calls_that_cannot_be_left_for_the_node_are_lost_and_no_others(node: Node, cluster: Cluster) -> None:
    nowhere = node.home.with_name("away")
    node.home.rename(nowhere)
    future = cluster.submit(len, os.urandom(INLINE_BYTES_MAX))
    with pytest.raises(JobLostError, match="cannot be left for the node"):
        future.result(SECONDS_MAX)
    nowhere.rename(node.home)
    other = cluster.submit(pow, 2, 5)
    node.answer(node.hear_batch(), 32)

    assert other.result(SECONDS_MAX) == 32


def test_a_node_that_comes_back_is_told_again_what_it_may_not_know(node: Node, cluster: Cluster) -> None:
    future = cluster.submit(pow, 2, 5)
    other = cluster.submit(abs, 1)
    batches = [node.hear_batch()]
    if len(batches[0].tasks) == 1:
        batches.append(node.hear_batch())
    node.accept()
    again = [node.hear_batch() for _ in batches]
    for batch in again:
        node.answer(batch, 7)

    assert again == batches
    assert [future.result(SECONDS_MAX), other.result(SECONDS_MAX)] == [7, 7]


def test_a_node_that_comes_back_is_told_again_that_nobody_wants_a_job(node: Node, cluster: Cluster) -> None:
    future = cluster.submit(pow, 2, 5)
    batch = node.hear_batch()
    future.cancel()
    first = node.hear()
    node.accept()

    assert first == Abandon(batch.number)
    assert [node.hear(), node.hear()] == [batch, Abandon(batch.number)]


def test_a_file_of_calls_is_left_again_for_a_node_that_comes_back(node: Node, cluster: Cluster) -> None:
    cluster.submit(len, os.urandom(INLINE_BYTES_MAX))
    batch = node.hear_batch()
    parcel_file(node.home, batch.nonce).unlink()
    node.accept()
    node.hear_batch()

    assert parcel_file(node.home, batch.nonce).exists()


def test_when_the_node_does_not_come_back_everything_is_lost(node: Node, cluster: Cluster) -> None:
    future = cluster.submit(pow, 2, 5)
    node.hear_batch()
    node.stop()

    with pytest.raises(JobLostError, match="is gone"):
        future.result(SECONDS_MAX)
    with pytest.raises(RuntimeError, match="is gone"):
        cluster.submit(pow, 2, 5)


def test_a_node_that_hangs_up_on_what_it_is_told_is_given_up(node: Node, cluster: Cluster) -> None:
    future = cluster.submit(pow, 2, 5)
    with suppress(TimeoutError):
        while not future.done():
            node._listener.settimeout(0.3)
            node.accept()

    with pytest.raises(JobLostError, match="hangs up"):
        future.result(SECONDS_MAX)


def test_a_node_of_another_version_is_given_up(node: Node, cluster: Cluster) -> None:
    future = cluster.submit(pow, 2, 5)
    node.hear_batch()
    assert node._client is not None
    node._client.sendall(bytes(100_000))

    with pytest.raises(JobLostError, match="another version"):
        future.result(SECONDS_MAX)


def test_after_the_shutdown_no_calls_are_taken(cluster: Cluster) -> None:
    cluster.shutdown()
    cluster.shutdown()

    with pytest.raises(RuntimeError, match="was shut down"):
        cluster.submit(pow, 2, 5)


def test_a_cluster_that_nobody_has_any_more_is_shut_down_when_its_calls_are_over(node: Node) -> None:
    cluster = connect(node.home)
    node.accept()
    other = cluster.options(cores=2)
    thread = cluster._line._thread
    del cluster
    gc.collect()
    future = other.submit(pow, 2, 5)
    batch = node.hear_batch()
    del other
    gc.collect()
    thread.join(0.05)
    waits = thread.is_alive()
    node.answer(batch, 32)
    thread.join(SECONDS_MAX)

    assert waits
    assert not thread.is_alive()
    assert future.result(0) == 32


def test_the_shutdown_waits_for_what_is_under_way(node: Node, cluster: Cluster) -> None:
    future = cluster.submit(pow, 2, 5)
    batch = node.hear_batch()
    closing = threading.Thread(target=cluster.shutdown)
    closing.start()
    closing.join(0.05)
    waits = closing.is_alive()
    node.answer(batch, 32)
    closing.join(SECONDS_MAX)

    assert waits
    assert not closing.is_alive()
    assert future.result(0) == 32


def test_without_waiting_the_shutdown_is_over_at_once_and_values_come(node: Node, cluster: Cluster) -> None:
    future = cluster.submit(pow, 2, 5)
    cluster.shutdown(wait=False)
    node.answer(node.hear_batch(), 32)

    assert future.result(SECONDS_MAX) == 32


def test_a_shutdown_can_cancel_what_is_not_over(node: Node, cluster: Cluster) -> None:
    done = cluster.submit(pow, 2, 5)
    node.answer(node.hear_batch(), 32)
    done.result(SECONDS_MAX)
    handed = cluster.submit(abs, 1)
    batch = node.hear_batch()
    behind = [cluster.submit(abs, handed) for _ in range(1000)]
    cluster.shutdown(wait=False, cancel_futures=True)

    assert node.hear() == Abandon(batch.number)
    node.say(Ended(batch.number, "cancelled"))
    assert not concurrent.futures.wait([handed, *behind], SECONDS_MAX).not_done
    assert all(future.cancelled() for future in [handed, *behind])
    assert done.result(0) == 32


def test_a_shutdown_can_cancel_what_nobody_has_a_future_of(node: Node, cluster: Cluster) -> None:
    cluster.submit(pow, 2, 5)
    batch = node.hear_batch()
    cluster.shutdown(wait=False, cancel_futures=True)

    assert node.hear() == Abandon(batch.number)


def test_what_was_to_be_made_all_the_same_is_waited_for_before_a_job_is_abandoned(
    node: Node, cluster: Cluster
) -> None:
    kept: list[Future[float]] = []

    def hand_in_together(_: object) -> None:
        """By the thread that hands in, which cannot do so in between."""
        cluster.submit(abs, 1)
        kept.append(cluster.submit(pow, 2, 5))

    cluster.submit(len, "first").add_done_callback(hand_in_together)
    node.answer(node.hear_batch(), 1)
    batch = node.hear_batch()
    kept[0].cancel()
    marker = cluster.submit(len, "marker")
    other = node.hear_batch()
    node.say(came(batch, 0))

    assert [len(batch.tasks), len(other.tasks)] == [2, 1]
    assert node.hear() == Abandon(batch.number)
    marker.cancel()


def test_a_shutdown_is_over_at_once_where_the_node_is_gone_and_nothing_is_to_come(
    node: Node, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "RECONNECT_S_MAX", 10 * SECONDS_MAX)
    future = cluster.submit(pow, 2, 5)
    node.answer(node.hear_batch(), 32)
    future.result(SECONDS_MAX)
    node.stop()
    closing = threading.Thread(target=cluster.shutdown, daemon=True)
    closing.start()
    closing.join(SECONDS_MAX)

    assert not closing.is_alive()


def test_a_shutdown_that_cancels_does_not_wait_long_for_a_node_that_is_gone(
    node: Node, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "RECONNECT_S_MAX", 10 * SECONDS_MAX)
    future = cluster.submit(pow, 2, 5)
    node.hear_batch()
    node.stop()
    closing = threading.Thread(target=cluster.shutdown, kwargs={"cancel_futures": True}, daemon=True)
    closing.start()
    closing.join(SECONDS_MAX)

    assert not closing.is_alive()
    assert future.cancelled()


def test_where_there_is_no_room_for_one_more_client_calls_are_lost_with_the_reason(
    node: Node, cluster: Cluster
) -> None:
    future = cluster.submit(pow, 2, 5)
    node.hear_batch()
    node.say(Full(64))

    with pytest.raises(JobLostError, match="has 64 clients already"):
        future.result(SECONDS_MAX)
    with pytest.raises(RuntimeError, match="has 64 clients already"):
        cluster.submit(pow, 2, 5)


def test_what_is_cancelled_while_the_node_is_away_is_over_at_once(
    node: Node, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "RECONNECT_S_MAX", 10 * SECONDS_MAX)
    future = cluster.submit(pow, 2, 5)
    node.hear_batch()
    node.stop()
    future.cancel()
    done = concurrent.futures.wait([future], SECONDS_MAX).done
    monkeypatch.setattr(line, "RECONNECT_S_MAX", 0.0)
    cluster._line._session.batches.clear()

    assert done == {future}


def test_who_was_to_ring_and_was_interrupted_keeps_nobody_from_shutting_down(node: Node, cluster: Cluster) -> None:
    cluster._line._rung = True
    closing = threading.Thread(target=cluster.shutdown, daemon=True)
    closing.start()
    closing.join(SECONDS_MAX)

    assert not closing.is_alive()


PROGRAM = """
import sys
from pnode.node.client import connect
cluster = connect(sys.argv[1])
for number in range(1000):
    cluster.submit(abs, number)
if sys.argv[2] == "closes":
    cluster.shutdown(wait=False)
"""


@pytest.mark.parametrize("how", ["closes", "just ends"])
def test_a_program_that_ends_has_handed_in_all_that_it_was_to(node: Node, how: str) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM, os.fspath(node.home), how]) as program:
        node.accept()
        calls = 0
        while calls < 1000:
            batch = node.hear_batch()
            calls += sum(int(task.program.arguments[2]) for task in batch.tasks)
            lives = program.poll() is None
            node.say(Taken(batch.number, b"j" * 16))

    assert lives, "it waits until the node has everything"
    assert program.returncode == 0


def test_a_program_that_ends_does_not_wait_for_ever_for_its_node(
    node: Node, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "HAND_OVER_S_MAX", 0.01)
    cluster.submit(pow, 2, 5)
    cluster._line._hand_over()

    assert not cluster._line._handed_over.is_set()


def test_a_program_that_ends_has_nothing_to_say_to_a_node_that_is_gone(node: Node, cluster: Cluster) -> None:
    future = cluster.submit(pow, 2, 5)
    node.answer(node.hear_batch(), 32)
    future.result(SECONDS_MAX)
    node.stop()
    cluster._line._hand_over()

    assert cluster._line._handed_over.is_set()


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_who_leaves_the_cluster_in_a_hurry_has_shut_it_down_and_does_not_wait(node: Node, loop: str) -> None:
    cluster = connect(node.home)
    node.accept()

    async def main() -> None:
        async with cluster:
            cluster.submit(pow, 2, 5)

    async def in_trio() -> None:
        with trio.move_on_after(0.05):
            await main()

    async def in_asyncio() -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(main(), 0.05)

    rescue = threading.Timer(SECONDS_MAX, node.stop)  # or a loop that waits for the call would do so for ever
    rescue.start()
    began_s = time.monotonic()
    if loop == "trio":
        trio.run(in_trio)
    else:
        asyncio.run(in_asyncio())
    seconds, closed = time.monotonic() - began_s, cluster._line._closing
    rescue.cancel()
    node.answer(node.hear_batch(), 32)
    cluster.shutdown()

    assert seconds < SECONDS_MAX / 2
    assert closed


def test_who_leaves_the_cluster_under_asyncio_waits_for_its_calls(node: Node) -> None:
    cluster = connect(node.home)
    node.accept()

    async def main() -> object:
        async with cluster:
            future = cluster.submit(pow, 2, 5)
            threading.Thread(target=lambda: node.answer(node.hear_batch(), 32)).start()
        return future.result(0)

    assert asyncio.run(main()) == 32


def test_nothing_is_left_open_after_the_shutdown(node: Node) -> None:
    gc.collect()  # of earlier tests
    before = len(list(Path("/proc/self/fd").iterdir()))
    with connect(node.home) as cluster:
        node.accept()
        future = cluster.submit(pow, 2, 5)
        node.answer(node.hear_batch(), 32)
        future.result(SECONDS_MAX)
    node.hang_up()
    future.cancel()
    del cluster
    gc.collect()

    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_cancelling_after_the_end_is_no_error(node: Node, cluster: Cluster) -> None:
    future = cluster.submit(pow, 2, 5)
    node.hear_batch()
    node.stop()
    with pytest.raises(JobLostError):
        future.result(SECONDS_MAX)

    assert not future.cancel()


def test_who_rings_while_the_thread_is_awake_does_not_end_it(node: Node, cluster: Cluster) -> None:
    served = cluster._line
    for _ in range(50):  # as if others had said that they will ring, and had not got to it
        served._rung = True
        node.say(Welcome("alpha", 1))
        future = cluster.submit(pow, 2, 5)
        served._ringer.send(b"!")
        node.answer(node.hear_batch(), 32)

        assert future.result(SECONDS_MAX) == 32


def test_many_threads_may_hand_in_at_once(node: Node, cluster: Cluster) -> None:
    def hand_in(_: int) -> object:
        return cluster.submit(abs, 1).result(SECONDS_MAX)

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        handed = [threads.submit(hand_in, number) for number in range(64)]
        while not all(each.done() for each in handed):
            node._client.settimeout(0.2)  # type: ignore[union-attr]  # it is there
            with suppress(TimeoutError):
                node.answer(node.hear_batch(), 1)

    assert [each.result() for each in handed] == [1] * 64


def test_a_forked_process_is_told_to_connect_by_itself(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody there would send what it hands in: threads are not forked."""
    monkeypatch.setattr("pnode.node.line.os.getpid", lambda: 1)

    with pytest.raises(RuntimeError, match="it has to connect by itself"):
        cluster.submit(abs, -1)


def test_whoever_interrupts_the_bell_does_not_silence_it(
    node: Node, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: line.Line) -> None:
        raise KeyboardInterrupt

    first = cluster.submit(abs, 0)
    node.answer(node.hear_batch(), 0)
    first.result(SECONDS_MAX)
    with monkeypatch.context() as context:
        context.setattr(line.Line, "_wake", interrupted)
        with pytest.raises(KeyboardInterrupt):
            cluster.submit(abs, -1)
    cluster.submit(abs, -2)

    assert node.hear_batch().tasks
