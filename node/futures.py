"""Futures: what a Python client has of a call, before and after it was made.

They are futures of `concurrent.futures`, so everything there takes them (`wait`, `as_completed`), and they can be
awaited under trio and under asyncio. A value is loaded when it is first asked for, by whoever asks; until then it is
bytes in memory, or a place in a file of the node's store that is held open.

In the arguments of another call a future stands for its value.
"""

import concurrent.futures
import os
import pickle
import resource
import sys
import threading
import weakref
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Generic, TypeVar, cast

from pnode.protocol.jobspec import FileRef
from pnode.protocol.values import dataclass

from .callee import DIED, READ, VALUE, Attempt, read_all

T = TypeVar("T")


class CallError(Exception):
    """A call that was made has no value, or what it raised cannot be shown as it is."""


class ProcessDiedError(CallError):
    """The process that made the call died of it, again and again."""


class JobLostError(CallError):
    """The job that the call belongs to was refused, has failed, or cannot be asked about any more."""


class RemoteTraceback(Exception):  # noqa: N818  # it is shown as a cause, as in concurrent.futures, and never raised
    """Where an exception was raised, in the process that made the call."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


class Payload:
    """A pickled value: bytes, or a place in an open file."""

    __slots__ = ("_begin", "_content", "_file", "size")

    def __init__(self, content: bytes, file: "OpenFile | None" = None, begin: int = 0, size: int = 0) -> None:
        self._content = content
        self._file = file
        self._begin = begin
        self.size = size if file is not None else len(content)

    def read(self) -> bytes:
        if self._file is None:
            return self._content
        return self._file.read(self._begin, self.size)


class OpenFile:
    """A file that is held open as long as somebody may want to read from it."""

    def __init__(self, path: str) -> None:
        """Raises OSError."""
        self._file = os.open(path, READ)
        weakref.finalize(self, os.close, self._file)
        _leave_descriptors(self._file)

    def read(self, begin: int, size: int) -> bytes:
        """Raises OSError and EOFError."""
        return read_all(self._file, size, begin)


def _leave_descriptors(latest: int) -> None:
    """Where half of the descriptors that this program may have are taken, let it have twice as many, as far as it may
    say so itself: of 1,024, which are usual, a thousand long values would take all, and its own files need some."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if latest >= now // 2 and now != resource.RLIM_INFINITY:
        more = 2 * now if most == resource.RLIM_INFINITY else min(2 * now, most)
        with suppress(OSError, ValueError):  # this system has a limit of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (more, most))


@dataclass(slots=True)
class Outcome:
    """What has come of a call, and where its bytes are."""

    kind: int
    """See `callee`."""
    payload: Payload
    seconds: float
    """That the call took."""
    file: FileRef
    """The outcomes of its task."""
    at: int
    """The how-manieth in it."""


class Future(concurrent.futures.Future[T], Generic[T]):
    """The outcome of a call. Cancelling one whose call was handed to the node already only means that nobody wants
    it: the call may be made all the same, unless its whole batch is cancelled."""

    def __init__(self, number: int, forget: Callable[["Future[object]"], None]) -> None:
        super().__init__()
        self.number = number
        """In its session."""
        self.outcome: Outcome | None = None
        self._forget = forget
        self._loading = threading.Lock()
        self._begun = False

    def is_told_to(self, forget: Callable[["Future[object]"], None]) -> bool:
        """Whether it is this one who hears that it was cancelled."""
        return self._forget == forget

    @property
    def is_called_back(self) -> bool:
        """Whether somebody will hear of it who need not have it."""
        return bool(self._done_callbacks)  # type: ignore[attr-defined]  # there is no other way to know

    def result(self, timeout: float | None = None) -> T:
        """The value. Raises what the call raised, CallError, CancelledError or TimeoutError."""
        if isinstance(super().result(timeout), Payload):
            self._load()
        return super().result()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What `result` would raise, None if that has a value. Raises CancelledError or TimeoutError."""
        if super().exception(timeout) is None:
            self._load()
        return super().exception()

    def _load(self) -> None:
        """Put the value, or what is wrong with it, where its bytes are: `concurrent.futures` has no other way."""
        with self._loading:
            payload = self._result
            if not isinstance(payload, Payload):
                return
            value, trouble = _loaded(payload)
            if isinstance(trouble, KeyboardInterrupt):  # of whoever waits here, and no news of the value
                raise trouble
            with self._condition:
                if trouble is None:
                    self._result = cast(T, value)
                else:
                    self._exception, self._result = CallError(f"the value cannot be loaded here: {trouble!r}"), None

    def begin(self) -> bool:
        """Whether it is to get an outcome, which it then must get at once: not if it was cancelled, which those who
        wait for several are told, nor if it has begun before. For one thread."""
        if self._begun:
            return False
        self._begun = True
        return self.set_running_or_notify_cancel()

    def cancel(self) -> bool:
        cancelled = super().cancel()
        if cancelled:
            self._forget(cast(Future[object], self))
        return cancelled

    def __await__(self) -> Generator[object, object, T]:
        trio = sys.modules.get("trio")
        if trio is not None and trio.lowlevel.in_trio_run():
            return cast(Generator[object, object, T], _wait_in_trio(self).__await__())
        return cast(Generator[object, object, T], _wait_in_asyncio(self).__await__())

    def __reduce__(self) -> str:
        raise TypeError("a future stands for its value in the arguments of a call, and can go nowhere else")


async def _wait_in_trio(future: Future[T]) -> T:
    import trio

    done, token = trio.Event(), trio.lowlevel.current_trio_token()

    def wake(_: object) -> None:
        try:
            token.run_sync_soon(done.set)
        except trio.RunFinishedError:
            return

    future.add_done_callback(wake)
    await done.wait()
    return future.result()


async def _wait_in_asyncio(future: Future[T]) -> T:
    """As `asyncio.wrap_future`, which up to Python 3.12 never wakes whoever waits for a call that raised
    StopIteration."""
    import asyncio  # late: whoever awaits here has loaded it, and whoever does not need not wait for it

    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def wake(_: object) -> None:
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(done.set)

    future.add_done_callback(wake)
    try:
        await done.wait()
    except asyncio.CancelledError:
        future.cancel()
        raise
    if future.cancelled():
        raise asyncio.CancelledError
    return future.result()


def exception_of(kind: int, payload: bytes) -> BaseException:
    """What a call raised, its traceback as the cause; or that it died."""
    assert kind != VALUE, "a value is no exception"
    if kind == DIED:
        return ProcessDiedError(payload.decode(errors="replace"))
    pair, trouble = _loaded(Payload(payload))
    if trouble is not None:
        return CallError(f"the call raised what cannot be shown here: {trouble!r}")
    match pair:
        case (bytes() | None as packed, str(text)):
            shown = _raised(packed, text)
            object.__setattr__(shown, "__cause__", RemoteTraceback(text))  # some classes let nothing be set
            return shown
        case _:
            return CallError("the call raised what is no exception here")


def _raised(packed: bytes | None, text: str) -> BaseException:
    """An exception, or what its traceback says at its end."""
    last = text.strip().rsplit("\n", 1)[-1]
    if packed is None:
        return CallError(last)
    error, trouble = _loaded(Payload(packed))
    if isinstance(error, BaseException):
        return error
    return CallError(f"{last} (it cannot be shown here as it is: {trouble or error!r})")


def _loaded(payload: Payload) -> tuple[object, BaseException | None]:
    """(the value, what went wrong): that may be anything, since classes have a say in how they are loaded."""
    value: object = None
    with Attempt() as attempt:
        value = pickle.loads(payload.read())  # noqa: S301  # from our own calls
    return value, attempt.take()
