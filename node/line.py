"""The line: a client's connection to its node, and the thread that serves it.

    connected --the node is gone--> looking for it --it is there again--> connected, open batches handed in again
                                          \\--RECONNECT_S_MAX have passed--> lost: all futures hear of it

Calls are put into an inbox by any thread; the one that serves the line owns the session and the socket. It is a
daemon: a program that ends does not wait for what it has handed in, and the cluster does not care that it has ended.
"""

import itertools
import os
import select
import socket
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar, cast

from pnode.protocol.errors import RemoteProtocolError
from pnode.protocol.ids import JobId, job_text

from .bundling import Call
from .callgraph import Made, Wishes
from .callmessages import Batch, Message, Unpacker, pack
from .callsession import Open, Session
from .commands import NoNodeError
from .futures import Future
from .home import calls_socket, last_failure, parcel_file
from .parcel import name_of, pack_call, pack_function

T = TypeVar("T")

CONNECT_S_MAX = 5.0

RECONNECT_S_MAX = 60.0
"""A node that is started again is ready within seconds; after this it was not meant to be."""

RECONNECT_PAUSE_S = 0.1

RECEIVE_BYTES = 1 << 18

FUNCTIONS_MAX = 1024
"""Functions whose pickles are kept; one that is made anew for each call is pickled for each call."""


class _GoneError(Exception):
    """The node has hung up, or there is none."""


class Line:
    """One client's line to its node."""

    def __init__(self, home: Path, session: Session) -> None:
        """Raises NoNodeError."""
        self._home = home
        self._session = session
        self._socket = _connected(home)
        self._unpacker = Unpacker()
        self._unsent = bytearray()
        self._inbox: deque[Open] = deque()
        self._cancelled: deque[int] = deque()
        self._bell, self._ringer = socket.socketpair()
        self._bell.setblocking(False)
        self._rung = False
        self._lock = threading.Lock()
        """Of the functions."""
        self._functions: OrderedDict[Callable[..., object], int] = OrderedDict()
        self._numbers = itertools.count()
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="pnode-client", daemon=True)
        self._thread.start()

    def call(
        self, wishes: Wishes, fn: Callable[..., T], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> Future[T]:
        """As `client.Cluster.submit`."""
        if self._closing:
            raise RuntimeError("no call can be handed in after the shutdown of the cluster")
        function = self._function(fn)
        body, takes = pack_call(function, args, kwargs)
        number = next(self._numbers)
        future: Future[T] = Future(number, self._cancel)
        call = Call(number, (function, wishes), tuple(each.number for each in takes))
        made = Made(call, function, name_of(fn), body, wishes)
        self._inbox.append(Open(made, cast(Future[object], future), takes))
        self._ring()
        return future

    def jobs(self) -> tuple[str, ...]:
        """As `client.Cluster.jobs`."""
        handed = list(self._session.batches.values())
        return tuple(job_text(JobId(batch.job)) for batch in handed if batch.job)

    def close(self, *, wait: bool, cancel: bool) -> None:
        """As `client.Cluster.shutdown`."""
        self._closing = True
        if cancel:
            for future in self._session.futures(list(self._inbox)):
                future.cancel()
        self._ring()
        if wait:
            self._thread.join()

    def _function(self, fn: Callable[..., object]) -> int:
        with self._lock:
            try:
                known = self._functions.get(fn)
            except TypeError:  # nothing that can be looked up
                return self._new_function(fn)
            if known is None:
                known = self._functions[fn] = self._new_function(fn)
                if len(self._functions) > FUNCTIONS_MAX:
                    self._functions.popitem(last=False)
            return known

    def _new_function(self, fn: Callable[..., object]) -> int:
        self._session.functions.append(pack_function(fn))
        return len(self._session.functions) - 1

    def _cancel(self, number: int) -> None:
        self._cancelled.append(number)
        self._ring()

    def _ring(self) -> None:
        if not self._rung:
            self._rung = True
            self._ringer.send(b"!")

    # -- the thread --------------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        reason = "the thread of its client has ended: see above"
        try:
            while not (self._closing and not self._inbox and self._session.is_idle):
                try:
                    self._turn()
                except _GoneError:
                    self._socket.close()
                    if not self._reconnect():
                        reason = f"the node at {self._home} is gone; what it has handed on is made without it"
                        break
                except RemoteProtocolError as error:
                    reason = f"cannot read what the node says ({error}): is it of another version?"
                    break
        finally:
            self._closing = True
            self._take_in()
            self._session.lose(reason)
            self._socket.close()

    def _turn(self) -> None:
        """Wait for something to happen and do what follows from it. Raises _GoneError and RemoteProtocolError."""
        self._wait()
        self._take_in()
        self._hear()
        for batch in self._session.hand_in(time.monotonic()):
            self._say(batch)
        self._flush()

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._bell, select.POLLIN)
        poll.register(self._socket, select.POLLIN | (select.POLLOUT if self._unsent else 0))
        seconds = self._session.look_again_s(time.monotonic())
        poll.poll(None if seconds == float("inf") else 1000 * seconds + 1)

    def _take_in(self) -> None:
        """What other threads want."""
        with suppress(BlockingIOError):  # who has said that the bell is rung may be just about to ring it
            self._bell.recv(16)
        self._rung = False  # from here on they ring again
        while self._inbox:
            self._session.add(self._inbox.popleft())
        while self._cancelled:
            for message in self._session.cancelled(self._cancelled.popleft()):
                self._say(message)

    def _hear(self) -> None:
        """Raises _GoneError and RemoteProtocolError."""
        try:
            received = self._socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            raise _GoneError from None
        if not received:
            raise _GoneError
        for message in self._unpacker.feed(received):
            self._session.handle(message)

    def _say(self, message: Message) -> None:
        if isinstance(message, Batch) and not message.parcel:
            graph = self._session.batches[message.number].graph
            path = parcel_file(self._home, message.nonce)
            path.write_bytes(graph.parcel)
        self._unsent += pack(message)

    def _flush(self) -> None:
        """Raises _GoneError."""
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent[:RECEIVE_BYTES])
            except BlockingIOError:
                return
            except OSError:
                raise _GoneError from None
            del self._unsent[:sent]

    def _reconnect(self) -> bool:
        """Find the node again, and hand in again what it may not know."""
        until_s = time.monotonic() + RECONNECT_S_MAX
        while time.monotonic() < until_s:
            try:
                self._socket = _connected(self._home)
            except NoNodeError:
                time.sleep(RECONNECT_PAUSE_S)
                continue
            self._unpacker, self._unsent = Unpacker(), bytearray()
            for batch in list(self._session.batches.values()):
                self._say(batch.message)
            return True
        return False


def _connected(home: Path) -> socket.socket:
    """Raises NoNodeError."""
    path = calls_socket(home)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(CONNECT_S_MAX)
    try:
        connection.connect(os.fspath(path))
    except OSError as error:
        connection.close()
        reason = last_failure(home)
        last = f"; the last one ended: {reason}" if reason else ""
        raise NoNodeError(
            f"no node takes calls at {path} ({error.strerror}): start one with 'pnode start'{last}"
        ) from None
    connection.setblocking(False)
    return connection
