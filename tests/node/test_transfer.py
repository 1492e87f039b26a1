import errno
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import pytest
import trio
import trio.testing

from pnode.node.blank import blank
from pnode.node.bulk import BulkStream as RealBulkStream
from pnode.node.connection import RECEIVE_BYTES
from pnode.node.download import Download
from pnode.node.store import Store
from pnode.node.streams import BulkStream, EndOfStreamError, IdleStreams, StreamError
from pnode.node.transfer import Arrival, FetchError, NoRoomError, Transfer, TransferSettings
from pnode.profilers.arrivals import READ_BYTES_MAX
from pnode.protocol.content import FRAMES, LISTING_BYTES_MAX, Listing, Refusal, Want
from pnode.protocol.frames import Frames
from pnode.protocol.ids import CHUNK_BYTES, NodeId, chunk_digest, digest_of, node_text
from pnode.protocol.jobspec import FileRef
from pnode.protocol.session import Purpose

from .network import Node, in_trio, running
from .soundness import is_sound

ANNA, BERT, CARL = (NodeId(letter * 32) for letter in (b"a", b"b", b"c"))

Fault = Callable[[int, bytes], bytes | None]
"""(number, message) -> what arrives in its place; None cuts the stream."""


class MemoryStream:
    """One end of a pair. `fault` is what happens to the messages that this end sends."""

    def __init__(
        self, out: trio.MemorySendChannel[bytes], into: trio.MemoryReceiveChannel[bytes], fault: Fault | None = None
    ) -> None:
        self._out = out
        self._into = into
        self._fault = fault
        self._sent = 0
        self.closed = False
        self.reads: list[tuple[float, int]] = []

    async def send(self, payload: bytes) -> None:
        assert len(payload) <= CHUNK_BYTES
        if self._fault is not None:
            changed = self._fault(self._sent, payload)
            self._sent += 1
            if changed is None:
                await self.aclose()
                raise StreamError("it was cut")
            payload = changed
        try:
            await self._out.send(payload)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise StreamError("it is broken") from None

    async def receive(self) -> bytes:
        try:
            message = await self._into.receive()
        except (trio.EndOfChannel, trio.ClosedResourceError):
            raise EndOfStreamError("it has ended") from None
        self.reads.append((trio.current_time(), len(message)))
        return message

    @property
    def has_more(self) -> bool:
        return self._into.statistics().current_buffer_used > 0

    def take_reads(self) -> list[tuple[float, int]]:
        reads, self.reads = self.reads, []
        return reads

    async def aclose(self) -> None:
        self.closed = True
        await self._out.aclose()
        await self._into.aclose()


def pair(fault: Fault | None = None) -> tuple[MemoryStream, MemoryStream]:
    """(asker's end, giver's end)."""
    to_giver, at_giver = trio.open_memory_channel[bytes](1)
    to_asker, at_asker = trio.open_memory_channel[bytes](1)
    return MemoryStream(to_giver, at_asker), MemoryStream(to_asker, at_giver, fault)


class Network:
    """Peers that can be asked for content, each over memory streams, and a node that asks."""

    def __init__(self, root: Path, nursery: trio.Nursery) -> None:
        self.root = root
        self.nursery = nursery
        self.store = Store(root / "mine")
        self.transfer = Transfer(self.store)
        self.opened: list[NodeId] = []
        self.streams: list[tuple[MemoryStream, MemoryStream]] = []
        self._peers: dict[NodeId, tuple[Callable[[NodeId, BulkStream], Awaitable[None]], Fault | None]] = {}

    def add_peer(self, node: NodeId, *contents: bytes, fault: Fault | None = None) -> Store:
        store = Store(self.root / node.hex())
        for content in contents:
            store.add_bytes(content, "file")
        self._peers[node] = (Transfer(store).serve, fault)
        return store

    def add_speaker(self, node: NodeId, speak: Callable[[NodeId, BulkStream], Awaitable[None]]) -> None:
        """A peer that says what it likes."""
        self._peers[node] = (speak, None)

    async def open_stream(self, peer: NodeId) -> BulkStream:
        self.opened.append(peer)
        if peer not in self._peers:
            raise StreamError("nobody answers there")
        serve, fault = self._peers[peer]
        mine, theirs = pair(fault)
        self.streams.append((mine, theirs))
        self.nursery.start_soon(serve, ANNA, theirs)
        return mine

    async def fetch(self, content: bytes, *sources: NodeId) -> Arrival:
        return await self.transfer.fetch(ref(content), sources, self.open_stream)


def run(root: Path, scenario: Callable[[Network], Awaitable[None]], *, virtual: bool = False) -> None:
    """Run a scenario on a network.

    The virtual clock jumps whenever all tasks wait, also for a thread; so it is for scenarios in which nobody else
    has a deadline while the asker works with its disk.
    """

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await scenario(Network(root, nursery))
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0) if virtual else None)


def ref(content: bytes) -> FileRef:
    return FileRef("file", len(content), digest_of(content))


def large(seed: int = 1) -> bytes:
    """Four chunks, no two alike."""
    return b"".join(bytes([seed + number]) * CHUNK_BYTES for number in range(3)) + b"end"


def chunks_of(content: bytes) -> list[bytes]:
    return [content[at : at + CHUNK_BYTES] for at in range(0, len(content), CHUNK_BYTES)]


def cut_after(messages: int) -> Fault:
    return lambda number, payload: payload if number < messages else None


def spoil(message: int) -> Fault:
    return lambda number, payload: b"?" + payload[1:] if number == message else payload


@pytest.mark.parametrize("content", [b"", b"x", bytes(CHUNK_BYTES), large()], ids=["empty", "one", "chunk", "large"])
def test_content_comes_from_a_peer_that_has_it(tmp_path: Path, content: bytes) -> None:
    async def scenario(network: Network) -> None:
        network.add_peer(BERT, content)
        arrival = await network.fetch(content, BERT)

        assert (arrival.source, arrival.received_bytes) == (BERT, len(content))
        assert arrival.seconds >= 0
        assert network.store.read(digest_of(content)) == content
        assert not list(network.store.root.rglob("*.part"))

    run(tmp_path, scenario)


def test_content_that_is_here_already_is_not_fetched(tmp_path: Path) -> None:
    async def scenario(network: Network) -> None:
        network.store.add_bytes(b"content", "file")

        assert await network.fetch(b"content", BERT) == Arrival(None)
        assert network.opened == []

    run(tmp_path, scenario)


def test_missing_content_is_an_answer_and_the_next_source_is_asked(tmp_path: Path) -> None:
    async def scenario(network: Network) -> None:
        network.add_peer(BERT)
        network.add_peer(CARL, large())
        arrival = await network.fetch(large(), BERT, CARL)

        assert arrival.source == CARL
        assert network.opened == [BERT, CARL]
        assert not network.streams[0][0].closed  # a refusal is no reason to hang up

    run(tmp_path, scenario)


def test_when_nobody_can_give_it_every_source_says_why(tmp_path: Path) -> None:
    async def scenario(network: Network) -> None:
        network.add_peer(BERT)
        with pytest.raises(FetchError) as caught:
            await network.fetch(b"content", BERT, CARL)

        assert str(caught.value).removeprefix("cannot fetch file (7 bytes): ").split("; ") == [
            f"{node_text(BERT)}: it does not have it",
            f"{node_text(CARL)}: nobody answers there",
        ]
        with pytest.raises(FetchError, match="nobody is known to have it"):
            await network.fetch(b"content")

    run(tmp_path, scenario)


def test_a_cut_stream_costs_only_what_had_not_arrived(tmp_path: Path) -> None:
    async def scenario(network: Network) -> None:
        network.add_peer(BERT, large(), fault=cut_after(3))  # the list and two chunks
        network.add_peer(CARL, large())
        arrival = await network.fetch(large(), BERT, CARL)

        assert (arrival.source, arrival.received_bytes) == (CARL, len(large()) - 2 * CHUNK_BYTES)
        assert network.store.read(digest_of(large())) == large()

    run(tmp_path, scenario)


def test_another_attempt_goes_on_where_the_last_has_failed(tmp_path: Path) -> None:
    async def scenario(network: Network) -> None:
        network.add_peer(BERT, large(), fault=cut_after(2))
        with pytest.raises(FetchError, match="has ended"):
            await network.fetch(large(), BERT)
        network.add_peer(BERT, large())
        arrival = await network.fetch(large(), BERT)

        assert arrival.received_bytes == len(large()) - CHUNK_BYTES
        assert is_sound(network.store, digest_of(large()))

    run(tmp_path, scenario)


def test_an_attempt_that_finds_everything_here_asks_nobody(tmp_path: Path) -> None:
    async def scenario(network: Network) -> None:
        network.add_peer(BERT, large())
        with Download(network.store, ref(large())) as download:
            download.take_list(b"".join(map(chunk_digest, chunks_of(large()))))
            for chunk in chunks_of(large()):
                download.take_chunk(chunk)

        assert await network.fetch(large(), BERT) == Arrival(None)
        assert network.opened == []
        assert is_sound(network.store, digest_of(large()))

    run(tmp_path, scenario)


@pytest.mark.parametrize(("message", "reason"), [(0, "not a msgpack|no message|not an array"), (2, "chunk 1 of 4")])
def test_a_source_that_sends_something_else_is_left_for_the_next(tmp_path: Path, message: int, reason: str) -> None:
    async def scenario(network: Network) -> None:
        network.add_peer(BERT, large(), fault=spoil(message))
        with pytest.raises(FetchError, match=reason):
            await network.fetch(large(), BERT)
        network.add_peer(CARL, large())
        arrival = await network.fetch(large(), BERT, CARL)

        assert arrival.source == CARL
        assert is_sound(network.store, digest_of(large()))
        assert network.streams[0][0].closed

    run(tmp_path, scenario)


def test_a_list_of_other_content_is_refused_before_any_chunk(tmp_path: Path) -> None:
    async def scenario(network: Network) -> None:
        other = Transfer(network.add_peer(CARL, large(7)))

        async def misdirect(peer: NodeId, stream: BulkStream) -> None:
            await stream.receive()
            with suppress(StreamError):  # we are hung up on
                await other._answer(peer, stream, Want(digest_of(large(7))))

        network.add_speaker(BERT, misdirect)
        with pytest.raises(FetchError, match="list of chunks that does not belong to the content"):
            await network.fetch(large(), BERT)

        assert not network.store.has(digest_of(large()))

    run(tmp_path, scenario)


def test_a_list_without_an_end_is_cut_short(tmp_path: Path) -> None:
    frames = Frames(FRAMES)

    async def babble(peer: NodeId, stream: BulkStream) -> None:
        await stream.receive()
        with suppress(StreamError):  # we are hung up on
            while True:
                await stream.send(frames.encode(Listing(len(large()), bytes(LISTING_BYTES_MAX), True)))

    async def scenario(network: Network) -> None:
        network.add_speaker(BERT, babble)
        with pytest.raises(FetchError, match="list of chunks that does not belong"):
            await network.fetch(large(), BERT)

    run(tmp_path, scenario)


def test_a_list_may_come_in_full_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("pnode.protocol.content", "pnode.node.transfer"):
        monkeypatch.setattr(f"{module}.LISTING_BYTES_MAX", 64)

    async def scenario(network: Network) -> None:
        network.add_peer(BERT, large())

        assert (await network.fetch(large(), BERT)).received_bytes == len(large())

    run(tmp_path, scenario)


@pytest.mark.parametrize("crumb", [b"", b"x", bytes(LISTING_BYTES_MAX - 1)], ids=len)
def test_a_list_does_not_come_in_crumbs(tmp_path: Path, crumb: bytes) -> None:
    """One byte in 29 s would keep a place among our fetches for days."""
    file = FileRef("file", 17 * 2**30, bytes(32))

    async def drip(peer: NodeId, stream: BulkStream) -> None:
        await stream.receive()
        with suppress(StreamError):  # we are hung up on
            while True:
                await stream.send(Frames(FRAMES).encode(Listing(file.size_bytes, crumb, True)))
                await trio.sleep(29)

    async def scenario(network: Network) -> None:
        network.add_speaker(BERT, drip)
        started = trio.current_time()
        with pytest.raises(FetchError, match="list of chunks that does not belong"):
            await network.transfer.fetch(file, (BERT,), network.open_stream)

        assert trio.current_time() - started < 29

    run(tmp_path, scenario, virtual=True)


@pytest.mark.parametrize(
    ("said", "reason"),
    [([], "it sent nothing for 15 s"), ([Listing(3, bytes(64), True)], "list of chunks that does not belong")],
)
def test_a_source_that_falls_silent_is_given_up(tmp_path: Path, said: list[object], reason: str) -> None:
    frames = Frames(FRAMES)

    async def say(peer: NodeId, stream: BulkStream) -> None:
        await stream.receive()
        for message in said:
            await stream.send(frames.encode(message))
        await trio.sleep_forever()

    async def scenario(network: Network) -> None:
        network.add_speaker(BERT, say)
        with pytest.raises(FetchError, match=reason):
            await network.fetch(b"content", BERT)

    run(tmp_path, scenario, virtual=True)


def test_a_source_that_stops_in_the_middle_is_given_up(tmp_path: Path) -> None:
    frames = Frames(FRAMES)
    content = large()
    chunks = b"".join(map(chunk_digest, chunks_of(content)))

    async def stop(peer: NodeId, stream: BulkStream) -> None:
        await stream.receive()
        await stream.send(frames.encode(Listing(len(content), chunks, False)))
        await stream.send(content[:CHUNK_BYTES])
        await trio.sleep_forever()

    async def scenario(network: Network) -> None:
        network.add_speaker(BERT, stop)
        started = trio.current_time()
        with pytest.raises(FetchError, match="it sent nothing for 30 s"):
            await network.fetch(content, BERT)

        assert trio.current_time() - started == pytest.approx(30)

    run(tmp_path, scenario, virtual=True)


def test_a_source_that_lets_nobody_in_is_given_up(tmp_path: Path) -> None:
    async def scenario(network: Network) -> None:
        async def hang(peer: NodeId) -> BulkStream:
            await trio.sleep_forever()

        with pytest.raises(FetchError, match="no stream within 10 s"):
            await network.transfer.fetch(ref(b"content"), (BERT,), hang)

    run(tmp_path, scenario, virtual=True)


def test_fetches_of_the_same_content_are_joined(tmp_path: Path) -> None:
    arrivals: list[Arrival] = []

    async def scenario(network: Network) -> None:
        network.add_peer(BERT, large())

        async def fetch() -> None:
            arrivals.append(await network.fetch(large(), BERT))

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(fetch)

        assert network.opened == [BERT]
        assert sorted(arrival.received_bytes for arrival in arrivals) == [0, 0, 0, 0, len(large())]

    run(tmp_path, scenario)


def test_who_waited_for_a_fetch_that_failed_tries_sources_of_his_own(tmp_path: Path) -> None:
    outcomes: list[str] = []

    async def scenario(network: Network) -> None:
        network.add_peer(BERT)
        network.add_peer(CARL, large())

        async def fetch(*sources: NodeId) -> None:
            try:
                await network.fetch(large(), *sources)
            except FetchError:
                outcomes.append("failed")
            else:
                outcomes.append("fetched")

        async with trio.open_nursery() as nursery:
            await network.transfer._in.acquire_on_behalf_of("the test")
            for sources in ((BERT,), (BERT,), (CARL,)):
                nursery.start_soon(fetch, *sources)
                await trio.testing.wait_all_tasks_blocked()
            network.transfer._in.release_on_behalf_of("the test")

        assert sorted(outcomes) == ["failed", "failed", "fetched"]
        assert network.opened == [BERT, CARL]

    run(tmp_path, scenario)


def test_a_fetch_that_is_cancelled_is_taken_over_by_who_waits_for_it(tmp_path: Path) -> None:
    async def scenario(network: Network) -> None:
        network.add_speaker(BERT, lambda peer, stream: trio.sleep_forever())
        network.add_peer(CARL, large())
        first = trio.CancelScope()

        async def fetch_and_give_up() -> None:
            with first:
                await network.fetch(large(), BERT)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(fetch_and_give_up)
            while not network.streams:
                await trio.sleep(0.001)
            nursery.start_soon(network.fetch, large(), CARL)
            await trio.testing.wait_all_tasks_blocked()
            first.cancel()

        assert first.cancelled_caught
        assert network.store.has(digest_of(large()))
        assert network.streams[0][0].closed

    run(tmp_path, scenario)


def test_a_stream_is_used_for_one_file_after_the_other(tmp_path: Path) -> None:
    contents = [b"one", large(), b"", b"two"]

    async def scenario(network: Network) -> None:
        network.add_peer(BERT, *contents)
        for content in contents:
            await network.fetch(content, BERT)

        assert network.opened == [BERT]

    run(tmp_path, scenario)


def test_a_kept_stream_that_has_ended_meanwhile_is_replaced(tmp_path: Path) -> None:
    async def scenario(network: Network) -> None:
        network.add_peer(BERT, b"one", b"two")
        await network.fetch(b"one", BERT)
        await network.streams[0][1].aclose()
        arrival = await network.fetch(b"two", BERT)

        assert arrival.source == BERT
        assert network.opened == [BERT, BERT]

    run(tmp_path, scenario)


def test_kept_streams_are_closed_after_a_while(tmp_path: Path) -> None:
    async def scenario(network: Network) -> None:
        streams = [pair()[0] for _ in range(4)]
        idle = IdleStreams(5.0)
        for stream, peer in zip(streams, (BERT, BERT, BERT, CARL), strict=True):
            await idle.put(peer, stream)
        assert [stream.closed for stream in streams] == [False, False, True, False]  # two of one peer are enough
        assert idle.take(BERT) is streams[1]
        await network.nursery.start(idle.serve)
        await trio.sleep(4)
        await idle.put(BERT, streams[1])
        await trio.sleep(4)

        assert [stream.closed for stream in streams] == [True, False, True, True]
        assert idle.take(BERT) is streams[1]
        assert idle.take(CARL) is None

    run(tmp_path, scenario, virtual=True)


def test_only_so_many_fetches_are_at_work_at_a_time(tmp_path: Path) -> None:
    async def scenario(network: Network) -> None:
        network.add_speaker(BERT, lambda peer, stream: trio.sleep_forever())
        for number in range(9):
            network.nursery.start_soon(network.fetch, bytes([number]), BERT)
        while len(network.streams) < 4:
            await trio.sleep(0.001)
        await trio.testing.wait_all_tasks_blocked(0.01)

        assert len(network.streams) == 4

    run(tmp_path, scenario)


def test_who_asks_a_busy_giver_is_told_so(tmp_path: Path) -> None:
    frames = Frames(FRAMES)

    async def scenario(network: Network) -> None:
        network.store.add_bytes(b"content", "file")
        for number in range(TransferSettings().streams_out):
            await network.transfer._out.acquire_on_behalf_of(number)
        mine, theirs = pair()
        network.nursery.start_soon(network.transfer.serve, ANNA, theirs)
        await mine.send(frames.encode(Want(digest_of(b"content"))))

        assert frames.decode(await mine.receive()) == Refusal("it is giving as much as it can already")

    run(tmp_path, scenario, virtual=True)


def test_one_peer_takes_half_of_a_giver_at_most(tmp_path: Path) -> None:
    frames = Frames(FRAMES)

    async def scenario(network: Network) -> None:
        async def ask(peer: NodeId) -> MemoryStream:
            mine, theirs = pair()
            network.nursery.start_soon(network.transfer.serve, peer, theirs)
            await mine.send(frames.encode(Want(blank().digest)))
            await trio.testing.wait_all_tasks_blocked()
            return mine

        half = network.transfer._settings.streams_out // 2
        taken = [await ask(ANNA) for _ in range(half)]  # and nothing of it is read
        refused = await ask(ANNA)
        others = [await ask(BERT) for _ in range(half)]

        assert [type(frames.decode(await stream.receive())) for stream in others] == [Listing] * half
        assert frames.decode(await refused.receive()) == Refusal("it is giving as much as it can already")
        waiting = await ask(ANNA)
        for _ in range(2):
            await taken[0].receive()
        assert type(frames.decode(await waiting.receive())) is Listing
        for stream in (*taken, *others, waiting, refused):
            await stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert not network.transfer._shares

    run(tmp_path, scenario, virtual=True)


@pytest.mark.parametrize(
    "noise", [b"", b"\xff" * 100, Frames(FRAMES).encode(Refusal("?")), Frames(FRAMES).encode(Listing(1, b"", False))]
)
def test_a_peer_that_asks_for_nothing_sensible_loses_its_stream_and_nothing_else(
    tmp_path: Path, noise: bytes
) -> None:
    async def scenario(network: Network) -> None:
        mine, theirs = pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(network.transfer.serve, ANNA, theirs)
            await mine.send(noise)

        assert theirs.closed

    run(tmp_path, scenario)


def test_a_peer_that_falls_silent_loses_its_stream(tmp_path: Path) -> None:
    async def scenario(network: Network) -> None:
        _, theirs = pair()
        await network.transfer.serve(ANNA, theirs)

        assert theirs.closed

    run(tmp_path, scenario, virtual=True)


def test_a_peer_that_takes_nothing_loses_its_stream(tmp_path: Path) -> None:
    frames = Frames(FRAMES)

    async def scenario(network: Network) -> None:
        network.store.add_bytes(large(), "file")
        mine, theirs = pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(network.transfer.serve, ANNA, theirs)
            await mine.send(frames.encode(Want(digest_of(large()))))

        assert theirs.closed
        assert network.transfer._out.borrowed_tokens == 0

    run(tmp_path, scenario, virtual=True)


def test_a_store_without_room_says_so_and_asks_nobody(tmp_path: Path) -> None:
    async def scenario(network: Network) -> None:
        network.add_peer(BERT, large())
        network.transfer = Transfer(Store(tmp_path / "small", quota_bytes=10))
        with pytest.raises(NoRoomError, match=r"cannot take in file .* no room"):
            await network.fetch(large(), BERT)

        assert network.opened == []

    run(tmp_path, scenario)


def test_content_that_nobody_needs_any_more_can_be_fetched_again(tmp_path: Path) -> None:
    async def scenario(network: Network) -> None:
        network.add_peer(BERT, large())
        for _ in range(2):
            assert (await network.fetch(large(), BERT)).received_bytes == len(large())
            network.store.remove(digest_of(large()))

    run(tmp_path, scenario)


NO_DESCRIPTOR = OSError(errno.EMFILE, "Too many open files")


def test_a_giver_that_cannot_open_its_content_says_so_and_the_next_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(network: Network) -> None:
        store = network.add_peer(BERT, b"content")
        network.add_peer(CARL, b"content")
        with monkeypatch.context() as patch:
            patch.setattr(store, "path", raising)
            with pytest.raises(FetchError, match="it cannot read it now"):
                await network.fetch(b"content", BERT)
            arrival = await network.fetch(b"content", BERT, CARL)

        assert arrival.source == CARL
        assert not network.streams[0][0].closed  # a refusal is no reason to hang up

    run(tmp_path, scenario)


def test_an_asker_that_cannot_write_says_so_and_may_try_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(network: Network) -> None:
        network.add_peer(BERT, b"content")
        with monkeypatch.context() as patch:
            patch.setattr("pnode.node.download.os.open", raising)
            with pytest.raises(NoRoomError, match=r"cannot take in file \(7 bytes\): .*Too many open files"):
                await network.fetch(b"content", BERT)
        with monkeypatch.context() as patch:
            patch.setattr(network.store, "path", raising)
            with pytest.raises(NoRoomError, match=r"cannot take in file \(7 bytes\): .*Too many open files"):
                await network.fetch(b"content", BERT)

        assert (await network.fetch(b"content", BERT)).source == BERT

    run(tmp_path, scenario)


def raising(*_: object, **__: object) -> NoReturn:
    raise NO_DESCRIPTOR


def test_a_disk_that_fails_in_the_middle_ends_the_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(network: Network) -> None:
        network.add_peer(BERT, large())
        monkeypatch.setattr("pnode.node.transfer.listings", lambda *_: raising())
        with pytest.raises(FetchError):
            await network.fetch(large(), BERT)

        assert network.streams[0][1].closed

    run(tmp_path, scenario)


def test_every_node_gives_a_blank_and_keeps_none(tmp_path: Path) -> None:
    async def scenario(network: Network) -> None:
        theirs = network.add_peer(BERT)

        arrival = await network.transfer.measure(BERT, network.open_stream)
        again = await network.transfer.measure(BERT, network.open_stream)

        assert (arrival.source, arrival.received_bytes, again.received_bytes) == (BERT, CHUNK_BYTES, CHUNK_BYTES)
        assert theirs.used_bytes == network.store.used_bytes == 0
        assert network.opened == [BERT]

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ([Refusal("it does not have it")], "does not have it"),
        ([Listing(CHUNK_BYTES, chunk_digest(bytes(CHUNK_BYTES)), more=False), b"short"], "5 bytes"),
        ([Listing(CHUNK_BYTES, b"x" * 32, more=False)], "does not belong"),
    ],
)
def test_who_gives_no_blank_is_not_measured(tmp_path: Path, said: list[object], reason: str) -> None:
    async def speak(_: NodeId, stream: BulkStream) -> None:
        await stream.receive()
        for message in said:
            await stream.send(message if isinstance(message, bytes) else Frames(FRAMES).encode(message))

    async def scenario(network: Network) -> None:
        network.add_speaker(BERT, speak)

        with pytest.raises(FetchError, match=reason):
            await network.transfer.measure(BERT, network.open_stream)

    run(tmp_path, scenario)


def test_the_rate_of_a_transfer_is_read_off_its_arrivals(tmp_path: Path) -> None:
    async def speak(_: NodeId, stream: BulkStream) -> None:
        await stream.receive()
        chunks = b"".join(chunk_digest(large()[at : at + CHUNK_BYTES]) for at in range(0, len(large()), CHUNK_BYTES))
        await stream.send(Frames(FRAMES).encode(Listing(len(large()), chunks, False)))
        for at in range(0, len(large()), CHUNK_BYTES):
            await trio.sleep(0.1)
            await stream.send(large()[at : at + CHUNK_BYTES])

    async def scenario(network: Network) -> None:
        network.add_speaker(BERT, speak)

        arrival = await network.fetch(large(), BERT)

        assert arrival.rate_bytes_per_s == pytest.approx(CHUNK_BYTES / 0.1)

    run(tmp_path, scenario, virtual=True)


def test_a_blank_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    async def begin(_: NodeId, stream: BulkStream) -> None:
        await stream.receive()
        await stream.send(Frames(FRAMES).encode(Listing(CHUNK_BYTES, chunk_digest(bytes(CHUNK_BYTES)), False)))
        await trio.sleep_forever()

    async def scenario(network: Network) -> None:
        network.add_speaker(BERT, begin)
        started = trio.current_time()
        with pytest.raises(FetchError, match="a mebibyte did not come within 20 s"):
            await network.transfer.measure(BERT, network.open_stream)

        assert trio.current_time() - started == pytest.approx(20)
        assert network.streams[0][0].closed

    run(tmp_path, scenario, virtual=True)


@pytest.mark.parametrize(
    "said",
    [
        [Listing(7, chunk_digest(b"content"), False), b"content", Listing(7, chunk_digest(b"content"), False)],
        [Refusal("it does not have it"), Refusal("nor that")],
    ],
    ids=["content", "refusal"],
)
def test_a_stream_on_which_more_came_than_was_asked_for_is_not_kept(tmp_path: Path, said: list[object]) -> None:
    """Else it would pass for the next answer, which was there as soon as the question."""
    served = 0

    async def say_too_much(_: NodeId, stream: RealBulkStream) -> None:
        nonlocal served
        served += 1
        await stream.receive()
        payloads = [each if isinstance(each, bytes) else Frames(FRAMES).encode(each) for each in said]
        await stream._connection.send(payloads)  # in one write
        with suppress(StreamError):
            await stream.receive()

    @in_trio
    async def story() -> None:
        anna, bert = Node("anna"), Node("bert", serve_bulk=say_too_much)
        store = Store(tmp_path / "mine")
        transfer = Transfer(store)
        async with running(anna, bert):
            for _ in range(2):
                with suppress(FetchError):
                    await transfer.fetch(
                        ref(b"content"), (bert.id,), lambda peer: anna.transport.open_bulk(peer, (bert.address,))
                    )
                if store.has(digest_of(b"content")):
                    store.remove(digest_of(b"content"))

    story()

    assert served == 2


def test_arrivals_know_how_much_is_read_at_a_time() -> None:
    assert RECEIVE_BYTES[Purpose.BULK] == READ_BYTES_MAX
