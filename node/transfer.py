"""Transfers: content pulled from the peers that have it, and given to those that ask.

A stream carries one file after the other (see `pnode.protocol.content`) and is kept for a few seconds after the last,
since the inputs of one task often come from one node. A source that fails in whatever way costs its stream; the next
one goes on behind the last verified chunk. Disk and hash work on one chunk, about 1 ms, is done in the event loop:
handing it to a thread costs as much as it saves. What may take longer goes to a thread.
"""

import logging
from contextlib import AsyncExitStack
from functools import partial
from typing import BinaryIO, NoReturn, assert_never
from weakref import WeakValueDictionary

import trio

from pnode.profilers.arrivals import arrival_rate
from pnode.protocol.codec import MalformedError
from pnode.protocol.content import FRAMES, LISTING_BYTES_MAX, Listing, Refusal, Want, listings
from pnode.protocol.errors import RemoteProtocolError
from pnode.protocol.frames import Frames
from pnode.protocol.ids import CHUNK_BYTES, DIGEST_BYTES, NodeId, node_text
from pnode.protocol.jobspec import FileRef
from pnode.protocol.values import dataclass, field

from .blank import Discard, blank, open_blank
from .download import Download, WrongContentError
from .store import Store
from .streams import BulkStream, EndOfStreamError, IdleStreams, OpenStream, StreamError, close
from .trouble import MissingContentError, StoreFullError

log = logging.getLogger(__name__)


class FetchError(Exception):
    """None of the sources could give the content, or there is no room for it; the message says for each why."""


class NoRoomError(FetchError):
    """There is no room for the content here, or our disk fails: no source is to blame."""


class _UnreadableError(Exception):
    """Content is here and cannot be read now; our machine is to blame."""


class _RefusedError(Exception):
    """A source says why it does not give the content; its stream is as good as before."""


@dataclass(frozen=True, slots=True)
class TransferSettings:
    """Limits and deadlines of transfers."""

    streams_in: int = 4
    """Fetches at work at a time; more would share the same link and all finish later."""
    streams_out: int = 8
    """Files given at a time; the rest wait for `queue_s` and are refused then, so that they can ask elsewhere. One
    peer has half of them at most, as many as it fetches at a time: it cannot keep the others out."""
    queue_s: float = 8.0
    open_s: float = 10.0
    answer_s: float = 15.0
    """From the question to the first message of the answer; longer than `queue_s`."""
    stall_s: float = 30.0
    """For one message on its way: what is slower than 35 kB/s is not worth waiting for."""
    blank_s: float = 20.0
    """A mebibyte takes longer at less than half a megabit per second; that it does is not worth the wait."""
    idle_s: float = 5.0
    """How long a stream is kept for the next file."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """How content came into the store."""

    source: NodeId | None
    """Who sent the last byte; None if nothing had to be sent, or another fetch brought it."""
    seconds: float = 0.0
    """From the first byte to the last that this source sent."""
    received_bytes: int = 0
    """What this source sent: less than the file if an earlier attempt had left something."""
    rate_bytes_per_s: float | None = None
    """Of the narrowest link on its way, by when its bytes were read; None if they were too few to tell."""


@dataclass(slots=True)
class _UnderWay:
    """A fetch that others wait for."""

    sources: frozenset[NodeId]
    ended: trio.Event = field(default_factory=trio.Event)
    error: FetchError | None = None


class Transfer:
    """Both sides of the exchange of content between this node and its peers."""

    def __init__(self, store: Store, settings: TransferSettings | None = None) -> None:
        self._store = store
        self._settings = settings or TransferSettings()
        self._frames = Frames(FRAMES)
        self._in = trio.CapacityLimiter(self._settings.streams_in)
        self._out = trio.CapacityLimiter(self._settings.streams_out)
        self._shares = WeakValueDictionary[NodeId, trio.CapacityLimiter]()
        """What each peer may take of `_out`, as long as somebody holds it or waits for it."""
        self._under_way: dict[bytes, _UnderWay] = {}
        self._idle = IdleStreams(self._settings.idle_s)

    async def serve_idle(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> NoReturn:
        """Look after the streams that are kept for the next file; close them all when cancelled."""
        await self._idle.serve(task_status=task_status)

    async def fetch(
        self, file: FileRef, sources: tuple[NodeId, ...], open_stream: OpenStream, *, lasting: bool = False
    ) -> Arrival:
        """Get content into the store from the first of the sources that can give it, and if it is to be `lasting` on
        the disk (`Store.settle`).

        Fetches of the same content are joined. Raises FetchError.
        """
        while not self._store.has(file.digest):
            other = self._under_way.get(file.digest)
            if other is None:
                return await self._lead(file, sources, open_stream, lasting=lasting)
            await other.ended.wait()
            if other.error is not None and other.sources.issuperset(sources):
                raise type(other.error)(str(other.error))
        if lasting:
            await self._settle(file)
        return Arrival(None)

    async def _settle(self, file: FileRef) -> None:
        try:
            await trio.to_thread.run_sync(self._store.settle, file.digest)
        except MissingContentError as error:
            raise FetchError(str(error)) from None
        except OSError as error:
            raise NoRoomError(f"cannot put {file.name} ({file.size_bytes} bytes) on the disk: {error}") from None

    async def measure(self, source: NodeId, open_stream: OpenStream) -> Arrival:
        """Have a blank sent, to see how fast it comes. Raises FetchError."""
        try:
            async with self._in:
                with trio.fail_after(self._settings.blank_s):  # not before: it is us who are busy till then
                    return await self._pull_from(source, Discard(), blank(), open_stream)
        except trio.TooSlowError:
            raise FetchError(f"a mebibyte did not come within {self._settings.blank_s:g} s") from None
        except (_RefusedError, StreamError, RemoteProtocolError, OSError) as error:
            raise FetchError(str(error)) from None

    async def _lead(
        self, file: FileRef, sources: tuple[NodeId, ...], open_stream: OpenStream, *, lasting: bool
    ) -> Arrival:
        """Fetch, and tell those who wait for the same content how it ended."""
        this = self._under_way[file.digest] = _UnderWay(frozenset(sources))
        try:
            async with self._in:
                return await self._pull(file, sources, open_stream, lasting=lasting)
        except (StoreFullError, OSError) as error:  # the second: no descriptor is left, or the disk fails
            this.error = NoRoomError(f"cannot take in {file.name} ({file.size_bytes} bytes): {error}")
            raise this.error from None
        except FetchError as error:
            this.error = error
            raise
        finally:
            del self._under_way[file.digest]
            this.ended.set()

    async def _pull(
        self, file: FileRef, sources: tuple[NodeId, ...], open_stream: OpenStream, *, lasting: bool
    ) -> Arrival:
        """Try the sources in turn; each goes on where the one before it has failed."""
        arrival, reasons = Arrival(None), []
        with await trio.to_thread.run_sync(Download, self._store, file) as download:
            for source in sources:
                if download.complete:
                    break
                try:
                    arrival = await self._pull_from(source, download, file, open_stream)
                except (_RefusedError, StreamError, RemoteProtocolError) as error:
                    reasons.append(f"{node_text(source)}: {error}")
            if not download.complete:
                told = "; ".join(reasons) or "nobody is known to have it"
                raise FetchError(f"cannot fetch {file.name} ({file.size_bytes} bytes): {told}")
            await trio.to_thread.run_sync(partial(download.finish, lasting=lasting))
        return arrival

    async def _pull_from(
        self, source: NodeId, download: Download | Discard, file: FileRef, open_stream: OpenStream
    ) -> Arrival:
        """Get what is missing from one source; first by a kept stream, which may have ended without our noticing."""
        kept = self._idle.take(source)
        if kept is not None:
            try:
                return await self._exchange(kept, source, download, file)
            except StreamError as error:
                log.debug("peer=%s kept stream: %s", node_text(source), error)
        try:
            with trio.fail_after(self._settings.open_s):
                stream = await open_stream(source)
        except trio.TooSlowError:
            raise StreamError(f"no stream within {self._settings.open_s:g} s") from None
        return await self._exchange(stream, source, download, file)

    async def _exchange(
        self, stream: BulkStream, source: NodeId, download: Download | Discard, file: FileRef
    ) -> Arrival:
        """Ask for a file and take in the answer; keep the stream for another question unless it failed."""
        try:
            arrival = await self._ask(stream, source, download, file)
        except _RefusedError:
            await self._idle.put(source, stream)
            raise
        except BaseException:
            await close(stream)
            raise
        await self._idle.put(source, stream)
        return arrival

    async def _ask(self, stream: BulkStream, source: NodeId, download: Download | Discard, file: FileRef) -> Arrival:
        had_bytes = min(download.verified * CHUNK_BYTES, file.size_bytes)
        await self._send(stream, self._frames.encode(Want(file.digest, download.verified)))
        answer = await self._receive(stream, self._settings.answer_s)
        started, _ = trio.current_time(), stream.take_reads()
        await self._take_list(stream, self._frames.decode(answer), download, file)
        while not download.complete:
            download.take_chunk(await self._receive(stream, self._settings.stall_s))
        rate = arrival_rate(stream.take_reads())
        return Arrival(source, trio.current_time() - started, file.size_bytes - had_bytes, rate)

    async def _take_list(
        self, stream: BulkStream, answer: Want | Refusal | Listing, download: Download | Discard, file: FileRef
    ) -> None:
        """The list of chunks, which begins with `answer`, checked before anything else."""
        pieces: list[bytes] = []
        missing_bytes = download.chunk_count * DIGEST_BYTES
        while True:
            match answer:
                case Refusal():
                    raise _RefusedError(answer.reason)
                case Want():
                    raise MalformedError("a question where an answer belongs")
                case Listing():
                    pieces.append(answer.digests)
                    missing_bytes -= len(answer.digests)
                case _:
                    assert_never(answer)
            # Byte by byte it could go on for days, or keep everybody else here waiting.
            is_short = answer.more and len(answer.digests) < LISTING_BYTES_MAX
            if missing_bytes < 0 or is_short or answer.size_bytes != file.size_bytes:
                raise WrongContentError("a list of chunks that does not belong to the content")
            if not answer.more:
                download.take_list(b"".join(pieces))
                return
            answer = self._frames.decode(await self._receive(stream, self._settings.stall_s))

    async def serve(self, peer: NodeId, stream: BulkStream) -> None:
        """Answer what a peer asks on a stream, until it ends the stream, falls silent or breaks the protocol."""
        try:
            while True:
                # The asker is the one who ends an idle stream; we wait twice as long.
                question = await self._receive(stream, 2 * self._settings.idle_s)
                match self._frames.decode(question):
                    case Want() as want:
                        await self._answer(peer, stream, want)
                    case other:
                        raise MalformedError(f"a {type(other).__name__} where a question belongs")
        except EndOfStreamError:
            pass
        except (StreamError, RemoteProtocolError) as error:
            log.debug("peer=%s bulk stream: %s", node_text(peer), error)
        finally:
            await close(stream)

    async def _answer(self, peer: NodeId, stream: BulkStream, want: Want) -> None:
        """Give what is wanted when it is the peer's turn, or say why not."""
        share = self._shares.setdefault(peer, trio.CapacityLimiter(max(1, self._settings.streams_out // 2)))
        async with AsyncExitStack() as turn:
            with trio.move_on_after(self._settings.queue_s) as queue:
                await turn.enter_async_context(share)
                await turn.enter_async_context(self._out)
            if queue.cancelled_caught:
                await self._send(stream, self._frames.encode(Refusal("it is giving as much as it can already")))
            else:
                await self._give_or_refuse(stream, want)

    async def _give_or_refuse(self, stream: BulkStream, want: Want) -> None:
        try:
            await self._give(stream, want)
        except MissingContentError:
            await self._send(stream, self._frames.encode(Refusal("it does not have it")))
        except _UnreadableError as error:
            log.warning("cannot give content: %s", error)
            await self._send(stream, self._frames.encode(Refusal("it cannot read it now")))
        except OSError as error:  # in the middle of it: only the end of the stream can say so
            raise StreamError(f"our disk fails: {error}") from None

    async def _give(self, stream: BulkStream, want: Want) -> None:
        """Raises MissingContentError and _UnreadableError before anything was sent, and OSError after that."""
        if want.digest == blank().digest:
            size, content, chunks = open_blank()
        else:
            size = self._store.size_bytes(want.digest)
            content, chunks = await trio.to_thread.run_sync(self._open, want.digest)
        with content:
            for listing in listings(size, chunks):
                await self._send(stream, self._frames.encode(listing))
            content.seek(want.first_chunk * CHUNK_BYTES)
            while chunk := content.read(CHUNK_BYTES):
                await self._send(stream, chunk)

    def _open(self, digest: bytes) -> tuple[BinaryIO, bytes]:
        """Content, and the list of its chunks. Raises MissingContentError and _UnreadableError."""
        try:
            content = self._store.open(digest)
            try:
                return content, self._store.chunk_list(digest)
            except BaseException:
                content.close()
                raise
        except OSError as error:  # no descriptor is left, or the disk fails
            raise _UnreadableError(str(error)) from None

    async def _send(self, stream: BulkStream, payload: bytes) -> None:
        try:
            with trio.fail_after(self._settings.stall_s):
                await stream.send(payload)
        except trio.TooSlowError:
            raise StreamError(f"it took nothing for {self._settings.stall_s:g} s") from None

    async def _receive(self, stream: BulkStream, patience_s: float) -> bytes:
        try:
            with trio.fail_after(patience_s):
                return await stream.receive()
        except trio.TooSlowError:
            raise StreamError(f"it sent nothing for {patience_s:g} s") from None
