"""A conversation: one control session while it lives. Three tasks read, write and watch one connection."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf

import trio

from pnode.protocol.events import Received
from pnode.protocol.ids import NodeId
from pnode.protocol.values import dataclass

from .connection import Connection, ConnectionLostError
from .limits import TransportSettings
from .outbox import Outbox


@dataclass(frozen=True, slots=True)
class Ending:
    """How a conversation ended."""

    reason: str
    """For people."""
    orderly: bool


class Conversation:
    """Carries messages between a peer's outbox and its connection until either side has had enough.

    An orderly end loses nothing: whoever ends says FINAL and goes on reading until the other side, which finishes the
    write at hand, has said FINAL too. What was not written by then stays in the outbox, for the next session. (A
    connection that is closed before everything was read is reset, and what was sent last may go with it.)
    """

    def __init__(
        self,
        connection: Connection,
        outbox: Outbox,
        deliver: Callable[[Received], None],
        room: Callable[[], Awaitable[None]],
        settings: TransportSettings,
        *,
        initiated: bool,
        via: NodeId | None = None,
    ) -> None:
        self.peer = connection.peer
        self.via = via
        """The relay through which it goes."""
        self.initiated = initiated
        """Whether we dialled."""
        self.clock_offset_s = connection.clock_offset_s
        self.opened_at = trio.current_time()
        self._connection = connection
        self._outbox = outbox
        self._deliver = deliver
        self._room = room
        self._settings = settings
        self._scope = trio.CancelScope(shield=True)
        self._ending: Ending | None = None
        self._leaving = False
        self._stopping = False
        self._wake = trio.Event()
        self._active_at = self.opened_at

    def wake(self) -> None:
        """There is something in the outbox."""
        self._wake.set()

    def leave(self, reason: str) -> None:
        """End it in an orderly way, within a bounded time."""
        self._end(reason, orderly=True)
        self._leaving = True
        self._scope.deadline = min(self._scope.deadline, trio.current_time() + self._settings.leave_s)
        self.wake()

    def cut(self, reason: str, *, orderly: bool) -> None:
        """End it at once, with a farewell if that can be said, but without waiting for one."""
        self._end(reason, orderly=orderly)
        self._scope.cancel()

    async def run(self) -> Ending:
        """Talk until it ends. When cancelled, send what waits before an orderly end, within a bounded time."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._talk, nursery.cancel_scope)
            try:
                await trio.sleep(inf)
            finally:
                self._stopping = True
                self.leave("the node stops")
        assert self._ending is not None
        return self._ending

    async def _talk(self, done: trio.CancelScope) -> None:
        """Read, write and watch, shielded from the cancellation that `run` turns into an orderly end."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._watch)
                    async with trio.open_nursery() as both:
                        both.start_soon(self._read)
                        both.start_soon(self._write)
                    nursery.cancel_scope.cancel()
        finally:
            with trio.move_on_after(self._settings.leave_s, shield=True):
                await self._hang_up()
        done.cancel()

    def _end(self, reason: str, *, orderly: bool) -> None:
        if self._ending is None:
            self._ending = Ending(reason, orderly)

    async def _read(self) -> None:
        try:
            while messages := await self._connection.receive():
                self._active_at = trio.current_time()
                for message in messages if not self._stopping else ():
                    self._deliver(Received(self.peer, message))
                await self._room()  # meanwhile the peer's own buffers fill, and it has to wait
            said = self._connection.end_reason
            self.leave(f"the other side ended it: {said}" if said else "the other side ended it")
        except ConnectionLostError as error:
            self.cut(str(error), orderly=False)

    async def _write(self) -> None:
        try:
            while True:
                batch = self._outbox.batch() if self._stopping or not self._leaving else []
                if batch:
                    await self._connection.send(batch)
                    self._written(len(batch))
                elif self._leaving:
                    break
                else:
                    self._wake = trio.Event()
                    await self._wake.wait()
            assert self._ending is not None
            await self._connection.end(self._ending.reason)
        except ConnectionLostError as error:
            self.cut(str(error), orderly=False)

    def _written(self, count: int) -> None:
        if not self._scope.cancel_called:  # else a newer session may have taken over the outbox already
            self._outbox.drop(count)
        self._active_at = trio.current_time()

    async def _watch(self) -> None:
        """End a session that is silent or old."""
        last_day = self.opened_at + self._settings.session_lifetime_s
        while True:
            silent_at = self._active_at + self._settings.session_idle_s
            now = trio.current_time()
            if now >= last_day:
                self.leave("the session is old: a new one will show newer certificates")
            elif now >= silent_at:
                self.leave(f"nobody said anything for {self._settings.session_idle_s:g} s")
            if self._leaving:
                return
            await trio.sleep_until(min(silent_at, last_day))

    async def _hang_up(self) -> None:
        """Close the connection; after a `cut` with a last word, if the connection still carries one."""
        try:
            if self._ending is not None and not self._leaving:
                with suppress(ConnectionLostError):
                    await self._connection.end(self._ending.reason)
        finally:
            await self._connection.aclose()
