"""The callee: the process that carries out Python calls, unit after unit, until the node hangs up.

Run by path with the interpreter of the tasks, and by nobody else; it imports nothing of pnode, since that interpreter
need not have it. This is the one place where pickles are loaded on a node: the calls of a parcel, and the outcomes of
others that they take as arguments.

Standard input is a socket to the node. Each line from there is a unit, a JSON object:

    parcel, first, count    a path, and which of the calls in it
    done                    how many calls of the unit were made before `first`; their outcomes are in `result`
    files, values           name -> path of what others have written; or, if it is short, itself in base 64
    short, result           so many bytes of outcomes go to the node; if there are more, all are in the file `result`
    environment             variables

Back go outcomes, each as soon as it is there, then one of the kind THROUGH; once they are in the file, only one of
the kind SPILLED in their place. So a process that dies in the middle has left behind the outcomes of all calls but
the one that it died of.

A *parcel* says how many functions and calls it has, where each ends, and then has their pickles:

    u32 functions, u32 calls, u64 end of each piece, counted from behind the last of these; functions, calls, tables

A call is a pickle of (number of its function, args, kwargs). What it takes from the outcome of another call is a
persistent id in it, that call's number. Both numbers are the session's, and the tables, a pickled pair, say where to
look: number of a function -> the how-manieth in this parcel; number of a call -> (name of a file, the how-manieth
outcome in it), where no name is the unit itself.

An *outcome* is a header (u8 kind, u64 length, f64 seconds) and so many bytes: a pickled value; or a pickled pair of
an exception, None if it cannot be pickled, and its traceback as text; or, of a call whose process died, a text. A
call that takes a value from one that has none has the same outcome.
"""

import base64
import io
import json
import os
import pickle
import struct
import sys
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable
from io import FileIO
from types import TracebackType
from typing import Any

VALUE, RAISED, DIED = 0, 1, 2
"""Kinds of outcomes."""

SPILLED, THROUGH = 254, 255
"""Kinds of what else goes to the node."""

SAME_UNIT = ""
"""Where the outcome of a call is that is one of the same unit."""

READ = os.O_RDONLY | os.O_CLOEXEC

HEADER = struct.Struct(">BQd")
COUNTS = struct.Struct(">II")
END = struct.Struct(">Q")

NOT_MADE_S = 0.0
"""What is said of a call that was not made, or of which nobody knows how long it took, since its process died."""

FUNCTIONS_MAX = 256
"""Loaded functions that are kept, with what they have in their closures and globals."""

FRAMES_OURS = 1
"""Of a traceback, at its top: how a call was made is of no interest."""


class NoValueError(Exception):
    """The call takes the value of another one that has none."""

    def __init__(self, kind: int, payload: bytes) -> None:
        super().__init__(kind)
        self.kind = kind
        self.payload = payload


class Parcel:
    """A parcel that is open for reading."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, READ)
        self._functions, calls = COUNTS.unpack(os.pread(self._file, COUNTS.size, 0))
        ends = os.pread(self._file, END.size * (self._functions + calls + 1), COUNTS.size)
        self._ends = [0, *(end for (end,) in END.iter_unpack(ends))]
        self._body = COUNTS.size + len(ends)
        self._at, self.places = pickle.loads(self._piece(len(self._ends) - 2))  # noqa: S301  # see above

    def function(self, number: int) -> bytes:
        return self._piece(self._at[number])

    def call(self, at: int) -> bytes:
        return self._piece(self._functions + at)

    def _piece(self, number: int) -> bytes:
        begin, end = self._ends[number], self._ends[number + 1]
        return read_all(self._file, end - begin, self._body + begin)

    def close(self) -> None:
        os.close(self._file)


class Outcomes:
    """A file of outcomes, or what would be in one."""

    def __init__(self, path: str, content: str | None) -> None:
        """`content` is in base 64, and there if the file is short."""
        self._content = None if content is None else base64.b64decode(content)
        self._file = os.open(path, READ) if self._content is None else -1
        self._begins = [0]
        """Of outcomes that were passed so far."""

    def __getitem__(self, number: int) -> tuple[int, bytes]:
        """Kind and bytes."""
        while len(self._begins) <= number:
            self._begins.append(self._begins[-1] + HEADER.size + self._header(self._begins[-1])[1])
        begin = self._begins[number]
        kind, size, _ = self._header(begin)
        return kind, self._read(size, begin + HEADER.size)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)

    def _header(self, begin: int) -> tuple[int, int, float]:
        kind, size, seconds = HEADER.unpack(self._read(HEADER.size, begin))
        return kind, size, seconds

    def _read(self, size: int, begin: int) -> bytes:
        if self._content is not None:
            return self._content[begin : begin + size]
        return read_all(self._file, size, begin)


class Loader(pickle.Unpickler):
    """Loads a call, and what it takes from others."""

    def __init__(self, content: bytes, value_of: Callable[[int], object]) -> None:
        super().__init__(io.BytesIO(content))
        self._value_of = value_of

    def persistent_load(self, pid: Any) -> object:
        return self._value_of(pid)


class Attempt:
    """Something that is tried, by code that is not ours: what it raises, whatever that is, ends here."""

    def __init__(self) -> None:
        self._error: BaseException | None = None

    def take(self) -> BaseException | None:
        """What was raised; it is not kept here, since it holds the frame that has this."""
        error, self._error = self._error, None
        return error

    def __enter__(self) -> "Attempt":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._error = error
        return True


class Unit:
    """The calls of one unit, and the files they need."""

    def __init__(self, order: dict[str, Any], functions: "OrderedDict[bytes, Callable[..., object]]") -> None:
        self._paths: dict[str, str] = order["files"]
        self._values: dict[str, str] = order["values"]
        self._parcel = Parcel(order["parcel"])
        self._functions = functions
        self._others: dict[str, Outcomes] = {}
        self._begin = order["first"] - order["done"]
        self._result, self._done = order["result"], order["done"]
        places = self._parcel.places.values()
        self._own = dict.fromkeys((number for name, number in places if name == SAME_UNIT), (DIED, b""))
        """Of the outcomes of this unit: those that other calls of it take."""

    def make(self, at: int) -> tuple[int, bytes, float]:
        """One call: kind and bytes of its outcome, and how many seconds it took."""
        kind, payload, seconds = self._make(at)
        if at - self._begin in self._own:
            self._own[at - self._begin] = kind, payload
        return kind, payload, seconds

    def _make(self, at: int) -> tuple[int, bytes, float]:
        payload, began_s = b"", time.perf_counter()
        with Attempt() as attempt:
            number, args, kwargs = Loader(self._parcel.call(at), self._value_of).load()
            function = self._function(number)
            began_s = time.perf_counter()  # what it takes to load a function is no measure of its calls
            payload = dump(function(*args, **kwargs))
        seconds = time.perf_counter() - began_s
        error = attempt.take()
        try:
            if error is None:
                return VALUE, payload, seconds
            if isinstance(error, NoValueError):
                return error.kind, error.payload, NOT_MADE_S
            return RAISED, pack_exception(error), seconds
        finally:
            del error  # as above

    def close(self) -> None:
        self._parcel.close()
        for outcomes in self._others.values():
            outcomes.close()

    def _value_of(self, call: int) -> object:
        kind, payload = self._outcome(*self._parcel.places[call])
        if kind != VALUE:
            raise NoValueError(kind, payload)
        return pickle.loads(payload)  # noqa: S301  # see above

    def _outcome(self, name: str, number: int) -> tuple[int, bytes]:
        if name == SAME_UNIT and number >= self._done:
            return self._own[number]
        if name not in self._others:
            path = self._result if name == SAME_UNIT else self._paths.get(name, "")
            self._others[name] = Outcomes(path, self._values.get(name))
        return self._others[name][number]

    def _function(self, number: int) -> Callable[..., object]:
        """Loaded once, so that what it keeps for itself between calls is kept."""
        content = self._parcel.function(number)
        known = self._functions.get(content)
        if known is None:
            known = self._functions[content] = pickle.loads(content)  # noqa: S301  # see above
            if len(self._functions) > FUNCTIONS_MAX:
                self._functions.popitem(last=False)
        self._functions.move_to_end(content)
        return known


def dump(value: object) -> bytes:
    """A pickle; of lambdas, and what else the standard library cannot do, by cloudpickle."""
    try:
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    except (pickle.PicklingError, AttributeError, TypeError):
        import cloudpickle

        return bytes(cloudpickle.dumps(value))


def pack_exception(error: BaseException) -> bytes:
    """The pair of an exception and its traceback as text."""
    trace = error.__traceback__
    for _ in range(FRAMES_OURS):
        trace = trace.tb_next if trace is not None and trace.tb_next is not None else trace
    text = "".join(traceback.format_exception(type(error), error, trace))
    payload = b""
    with Attempt() as attempt:
        payload = dump((error, text))
        pickle.loads(payload)  # noqa: S301  # some can be written and not read
    return payload if attempt.take() is None else pickle.dumps((None, text))


class Results:
    """Where the outcomes of a unit go."""

    def __init__(self, node: FileIO, path: str, short_bytes: int) -> None:
        self._node = node
        self._path = path
        self._left = short_bytes
        self._told: list[bytes] = []
        self._file: FileIO | None = None

    def add(self, kind: int, payload: bytes, seconds: float, end: bytes = b"") -> None:
        """An outcome, and behind the last one the end."""
        header = HEADER.pack(kind, len(payload), seconds)
        self._left -= len(header) + len(payload)
        if self._file is None and self._left >= 0:
            self._told += (header, payload)
            _write_all(self._node, header, payload + end)
            return
        if self._file is None:
            self._file = open(self._path, "ab", buffering=0)  # noqa: PTH123, SIM115  # pathlib would double the imports
            _write_all(self._file, b"", b"".join(self._told))
            _write_all(self._node, HEADER.pack(SPILLED, 0, 0.0), b"")
        _write_all(self._file, header, payload)
        if end:
            self._file.close()
            _write_all(self._node, end, b"")


def carry_out(order: dict[str, Any], functions: "OrderedDict[bytes, Callable[..., object]]", node: FileIO) -> None:
    """All calls of a unit."""
    os.environ.update(order["environment"])
    began = time.perf_counter()
    unit = Unit(order, functions)
    results = Results(node, order["result"], order["short"])
    process = os.getpid()
    last = order["first"] + order["count"] - 1
    for at in range(order["first"], last + 1):
        outcome = unit.make(at)
        if os.getpid() != process:  # the call has forked, and its child came back as well: nobody waits for that
            os._exit(0)
        if at < last:
            results.add(*outcome)
    unit.close()
    for stream in (sys.stdout, sys.stderr):
        with Attempt():  # a call may have closed it
            stream.flush()
    results.add(*outcome, HEADER.pack(THROUGH, 0, time.perf_counter() - began))


def main() -> None:
    orders = os.fdopen(os.dup(0), "rb")
    node = FileIO(os.dup(0), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # a call that reads from standard input finds its end
    os.close(nothing)
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]  # a text file
    functions: OrderedDict[bytes, Callable[..., object]] = OrderedDict()
    for line in orders:
        carry_out(json.loads(line), functions, node)


def read_all(file: int, size: int, begin: int) -> bytes:
    """As many bytes; the kernel gives 2 GiB at most at a time."""
    content = os.pread(file, size, begin)
    if len(content) == size:
        return content
    pieces = [content]
    got = len(content)
    while got < size:
        pieces.append(os.pread(file, size - got, begin + got))
        if not pieces[-1]:
            raise EOFError("a file of calls or outcomes ends too early")
        got += len(pieces[-1])
    return b"".join(pieces)


def _write_all(file: FileIO, header: bytes, payload: bytes) -> None:
    """At once: a process that dies has written a whole outcome or a part that shows."""
    written = os.writev(file.fileno(), (header, payload))
    left = memoryview(payload)[max(0, written - len(header)) :]
    while left:
        left = left[file.write(left) :]


if __name__ == "__main__":
    main()
