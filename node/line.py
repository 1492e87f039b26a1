"""The line: a client's connection to its node, and the thread that serves it.

    connected --the node is gone--> looking for it --it is there again--> connected, open batches handed in again
                                          \\--RECONNECT_S_MAX have passed--> lost: all futures hear of it

Calls are put into an inbox by any thread; the one that serves the line owns the session and the socket. It is a
daemon: a program that ends waits until its node has what it has handed in, and for nothing else; the cluster does not
care that it has ended.
"""

import atexit
import itertools
import math
import os
import select
import socket
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TypeVar, cast

from pnode.protocol.errors import RemoteProtocolError
from pnode.protocol.ids import JobId, job_text

from .bundling import Burst, Call
from .callgraph import Made, Wishes
from .callmessages import Batch, Ended, Full, Message, Unpacker, Welcome, pack
from .callsession import Open, Session
from .commands import NoNodeError
from .futures import Future
from .home import calls_socket, command_text, last_failure, parcel_file
from .parcel import Function, ParcelError, name_of, pack_call, pack_function

T = TypeVar("T")

CONNECT_S_MAX = 5.0

RECONNECT_S_MAX = 60.0
"""A node that is started again is ready within seconds; after this it was not meant to be."""

RECONNECT_PAUSE_S = 0.1

HAND_OVER_S_MAX = 5.0
"""For which a program that ends waits until its node has what it has handed in; if the node is there that is soon."""

CALL_OFF_S_MAX = 5.0
"""For which a node that is gone is waited for to be told that nobody wants anything any more."""

HANGUPS_MAX = 5
"""In a row, each as soon as the node was told of our batches: it will not get to like them."""

RECEIVE_BYTES = 1 << 18

FUNCTIONS_MAX = 2048
"""Pickles that are kept, each under two keys; a function that is made anew for each call is pickled for each call."""


class _GoneError(Exception):
    """The node has hung up, or there is none."""


class _FullError(Exception):
    """The node has no room for us."""


class Line:
    """One client's line to its node."""

    def __init__(self, home: Path, session: Session) -> None:
        """Raises NoNodeError."""
        self.home = home
        self._process = os.getpid()
        self._session = session
        self._socket = _connected(home)
        self._unpacker = Unpacker()
        self._unsent = bytearray()
        self._inbox: deque[Open] = deque()
        self._burst = Burst()
        self._cancelled: deque[Future[object]] = deque()
        self._bell, self._ringer = socket.socketpair()
        self._bell.setblocking(False)
        self._rung = False
        self._lock = threading.RLock()
        """Of the functions, and of whether calls are taken; which ends wherever a cluster is collected."""
        self._functions: OrderedDict[Callable[..., object] | bytes, Function] = OrderedDict()
        """By themselves if they last, and by what they are as bytes."""
        self._function_numbers = itertools.count()
        self._numbers = itertools.count()
        self._closing = False
        self._calling_off = False
        self._handed_over = threading.Event()
        self._hangups = 0
        self._why_over = "the cluster was shut down"
        self._thread = threading.Thread(target=self._serve, name="pnode-client", daemon=True)
        self._thread.start()
        atexit.register(self._hand_over)

    def call(
        self, wishes: Wishes, fn: Callable[..., T], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> Future[T]:
        """As `client.Cluster.submit`."""
        self._check_open()
        function = self._function(fn)
        body, takes = pack_call(function.number, args, kwargs)
        if not all(each.is_told_to(self._cancel) for each in takes):
            raise ParcelError("a future of another cluster stands for no value in this one: hand in what it comes to")
        number = next(self._numbers)
        future: Future[T] = Future(number, self._cancel)
        call = Call(number, (function.number, wishes), tuple(each.number for each in takes), bool(wishes.walltime_s))
        made = Made(call, function, body, wishes)
        with self._lock:
            self._check_open()
            self._inbox.append(Open(made, cast(Future[object], future), takes))
        self._ring()
        return future

    def jobs(self) -> tuple[str, ...]:
        """As `client.Cluster.jobs`."""
        handed = list(self._session.batches.values())
        return tuple(job_text(JobId(batch.job)) for batch in handed if batch.job)

    def close(self, *, wait: bool, cancel: bool) -> None:
        """As `client.Cluster.shutdown`."""
        with self._lock:
            self._closing = True
        self._calling_off |= cancel
        self._wake()
        if wait:
            self._thread.join()

    def _check_open(self) -> None:
        if os.getpid() != self._process:  # where there is nobody who would send it
            raise RuntimeError("this process was forked from the one that has connected: it has to connect by itself")
        if self._closing:
            raise RuntimeError(f"no call can be handed in any more: {self._why_over}")

    def _function(self, fn: Callable[..., object]) -> Function:
        """What is called. A function is as it was when it was handed in first; what else can be called may have been
        changed since, as the object has been that a method is of."""
        lasting = _lasts(fn)
        with self._lock:
            known = self._functions.get(fn) if lasting else None
        if known is not None:
            return known
        content = pack_function(fn)
        with self._lock:
            known = self._functions.get(content)
            if known is None:
                known = Function(next(self._function_numbers), content, name_of(fn))
            self._functions[content] = known
            if lasting:
                self._functions[fn] = known
            while len(self._functions) > FUNCTIONS_MAX:
                self._functions.popitem(last=False)
        return known

    def _cancel(self, future: Future[object]) -> None:
        self._cancelled.append(future)
        self._ring()

    def _ring(self) -> None:
        if not self._rung:
            try:
                self._rung = True
                self._wake()
            except BaseException:  # Ctrl-C
                self._rung = False
                raise

    def _wake(self) -> None:
        """The same also where somebody was to ring who was interrupted, by Ctrl-C say."""
        with suppress(OSError):  # the thread has ended
            self._ringer.send(b"!")

    def _hand_over(self) -> None:
        """The program ends, and the thread with it: wait until the node has what was handed in."""
        if self._thread.is_alive():  # else this may be a child that was forked
            self._session.in_haste = True
            self._wake()
            self._handed_over.wait(HAND_OVER_S_MAX)

    # -- the thread --------------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        reason = "the thread of its client has ended: see above"
        try:
            while not self._is_through:
                try:
                    self._turn()
                except _GoneError:
                    self._socket.close()
                    reason = self._reconnect()
                    if reason:
                        break
                except _FullError as error:
                    reason = f"the node at {self.home} has {error} clients already: shut some down"
                    break
                except RemoteProtocolError as error:
                    reason = f"cannot read what the node says ({error}): is it of another version?"
                    break
        finally:
            with self._lock:
                if not self._closing:
                    self._closing, self._why_over = True, reason
            self._take_in()
            self._session.lose(reason)
            for each in (self._socket, self._bell, self._ringer):
                each.close()
            self._handed_over.set()
            atexit.unregister(self._hand_over)

    @property
    def _is_through(self) -> bool:
        return self._closing and not self._inbox and self._session.is_idle

    @property
    def _patience_s(self) -> float:
        """For how long a node is waited for that is gone."""
        is_called_off = self._closing and not self._inbox and self._session.is_called_off
        return CALL_OFF_S_MAX if is_called_off else RECONNECT_S_MAX

    def _turn(self) -> None:
        """Wait for something to happen and do what follows from it. Raises as `_hear`."""
        self._wait()
        self._take_in()
        self._hear()
        now = time.monotonic()
        if not (self._session.expects and self._burst.wait_s(now)):  # where nothing is to come, nothing is won
            self._burst.went(now)
            for batch in self._session.hand_in(now):
                self._say(batch)
        self._flush()
        self._look_whether_handed_over()

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._bell, select.POLLIN)
        poll.register(self._socket, select.POLLIN | (select.POLLOUT if self._unsent else 0))
        now = time.monotonic()
        seconds = self._burst.wait_s(now) or self._session.look_again_s(now)
        poll.poll(None if seconds == math.inf else math.ceil(1000 * seconds))

    def _take_in(self) -> None:
        """What other threads want."""
        with suppress(BlockingIOError):  # nobody has rung, or is just about to
            self._bell.recv(16)
        self._rung = False  # from here on they ring again
        if self._inbox:
            self._burst.came(time.monotonic())
        while self._inbox:
            self._session.add(self._inbox.popleft())
        if self._calling_off:
            self._calling_off = False
            for message in self._session.call_off():
                self._say(message)
        while self._cancelled:
            for message in self._session.cancelled(self._cancelled.popleft()):
                self._say(message)

    def _hear(self) -> None:
        """Raises _GoneError, _FullError and RemoteProtocolError."""
        try:
            received = self._socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            raise _GoneError from None
        if not received:
            raise _GoneError
        for message in self._unpacker.feed(received):
            if isinstance(message, Full):
                raise _FullError(message.clients)
            self._hangups = self._hangups + bool(self._session.batches) if isinstance(message, Welcome) else 0
            self._session.handle(message)
        for told in self._session.abandon():
            self._say(told)

    def _look_whether_handed_over(self) -> None:
        if self._session.in_haste and not (self._inbox or self._unsent) and self._session.is_taken:
            self._handed_over.set()

    def _say(self, message: Message) -> None:
        if isinstance(message, Batch) and not message.parcel:
            graph = self._session.batches[message.number].graph
            try:
                parcel_file(self.home, message.nonce).write_bytes(graph.parcel)
            except OSError as error:
                self._session.handle(
                    Ended(message.number, "refused", f"its calls cannot be left for the node: {error}")
                )
                return
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

    def _reconnect(self) -> str:
        """Find the node again, and hand in again what it may not know; why not, if it cannot be."""
        if self._hangups > HANGUPS_MAX:
            return f"the node at {self.home} hangs up whenever it is told of these calls: see its log"
        since_s = time.monotonic()
        while time.monotonic() < since_s + self._patience_s and not self._is_through:
            try:
                self._socket = _connected(self.home)
            except NoNodeError:
                self._look_whether_handed_over()
                time.sleep(RECONNECT_PAUSE_S)
                self._take_in()
                continue
            self._unpacker, self._unsent = Unpacker(), bytearray()
            for message in list(self._session.again()):
                self._say(message)
            return ""
        return f"the node at {self.home} is gone; what it has handed on is made without it"


def _lasts(fn: object) -> bool:
    """Whether it stays what it was when it was pickled, as far as one can tell."""
    if isinstance(fn, BuiltinFunctionType):
        return isinstance(fn.__self__, ModuleType)
    return isinstance(fn, FunctionType | type)


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
            f"no node takes calls at {path} ({error.strerror}): start one with {command_text(home, 'start')}{last}"
        ) from None
    connection.setblocking(False)
    return connection
