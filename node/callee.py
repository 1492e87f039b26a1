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
an exception, that pickled by itself or None if it cannot be, and its traceback as text; or, of a call whose process
died, a text. A call that takes a value from one that has none has the same outcome.
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

HUGE_PAGES = ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")
"""A variable and its value with which the GNU C library asks for large pages where much memory is wanted. The kernel
clears a page before it hands it out: of 50 MB each copy costs 10 ms with large pages and 40 ms with small ones. The
calls' own children do not get it."""

READ = os.O_RDONLY | os.O_CLOEXEC

HEADER = struct.Struct(">BQd")
COUNTS = struct.Struct(">II")
END = struct.Struct(">Q")

NOT_MADE_S = 0.0
"""What is said of a call that was not made, or of which nobody knows how long it took, since its process died."""

LONG_BYTES = 1 << 20
"""A value that is longer is read from its file as it is loaded, and so is not in memory twice."""

PIECES_MAX = 256
"""Of what is written at once; POSIX grants 16, Linux 1,024."""

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

    def value(self, number: int) -> object:
        """What a call has come to. Raises NoValueError."""
        while len(self._begins) <= number:
            self._begins.append(self._begins[-1] + HEADER.size + self._header(self._begins[-1])[1])
        begin = self._begins[number]
        kind, size, _ = self._header(begin)
        if kind != VALUE:
            raise NoValueError(kind, self._read(size, begin + HEADER.size))
        if self._content is None and size > LONG_BYTES:
            os.lseek(self._file, begin + HEADER.size, os.SEEK_SET)
            with open(self._file, "rb", closefd=False) as file:
                return pickle.load(file)  # noqa: S301  # see above
        return pickle.loads(self._read(size, begin + HEADER.size))  # noqa: S301  # see above

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
        self._values: dict[Any, object] = {}

    def persistent_load(self, pid: Any) -> object:
        """The same object wherever the call has the same future, as with any other argument."""
        if pid not in self._values:
            self._values[pid] = self._value_of(pid)
        return self._values[pid]


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

    def make(self, at: int) -> tuple[int, "Pieces", float]:
        """One call: kind and bytes of its outcome, and how many seconds it took."""
        kind, payload, seconds = self._make(at)
        if at - self._begin in self._own:
            self._own[at - self._begin] = kind, b"".join(payload)
        return kind, payload, seconds

    def _make(self, at: int) -> tuple[int, "Pieces", float]:
        payload, began_s = Pieces(), time.perf_counter()
        with Attempt() as attempt:
            number, args, kwargs = Loader(self._parcel.call(at), self._value_of).load()
            function = self._function(number)
            began_s = time.perf_counter()  # what it takes to load a function is no measure of its calls
            payload = pickled(function(*args, **kwargs))
        seconds = time.perf_counter() - began_s
        error = attempt.take()
        try:
            if error is None:
                return VALUE, payload, seconds
            if isinstance(error, NoValueError):
                return error.kind, Pieces((error.payload,)), NOT_MADE_S
            return RAISED, Pieces((pack_exception(error),)), seconds
        finally:
            del error  # as above

    def close(self) -> None:
        self._parcel.close()
        for outcomes in self._others.values():
            outcomes.close()

    def _value_of(self, call: int) -> object:
        name, number = self._parcel.places[call]
        if name != SAME_UNIT or number < self._done:
            return self._outcomes(name).value(number)
        kind, payload = self._own[number]
        if kind != VALUE:
            raise NoValueError(kind, payload)
        return pickle.loads(payload)  # noqa: S301  # see above

    def _outcomes(self, name: str) -> Outcomes:
        if name not in self._others:
            path = self._result if name == SAME_UNIT else self._paths.get(name, "")
            self._others[name] = Outcomes(path, self._values.get(name))
        return self._others[name]

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


class Pieces(list[bytes | memoryview]):
    """Bytes that follow one upon the other. A pickler writes long values as they are, so they need not be copied."""

    def write(self, piece: bytes | memoryview | pickle.PickleBuffer) -> None:
        self.append(piece.raw() if isinstance(piece, pickle.PickleBuffer) else piece)

    @property
    def size_bytes(self) -> int:
        return sum(map(len, self))


def pickled(value: object) -> Pieces:
    """A pickle; of lambdas, and what else the standard library cannot do, by cloudpickle."""
    pieces = Pieces()
    try:
        pickle.Pickler(pieces, pickle.HIGHEST_PROTOCOL).dump(value)
    except (pickle.PicklingError, AttributeError, TypeError):
        import cloudpickle

        return Pieces((cloudpickle.dumps(value),))
    return pieces


def dump(value: object) -> bytes:
    """The same in one piece."""
    return b"".join(pickled(value))


def pack_exception(error: BaseException) -> bytes:
    """The pair of an exception and its traceback as text, which can be read where the exception cannot be loaded."""
    trace = error.__traceback__
    for _ in range(FRAMES_OURS):
        trace = trace.tb_next if trace is not None and trace.tb_next is not None else trace
    text = "".join(traceback.format_exception(type(error), error, trace))
    packed: bytes | None = None
    with Attempt() as attempt:
        packed = dump(error)
        pickle.loads(packed)  # noqa: S301  # some can be written and not read
    return pickle.dumps((packed if attempt.take() is None else None, text))


class Results:
    """Where the outcomes of a unit go."""

    def __init__(self, node: FileIO, path: str, short_bytes: int) -> None:
        self._node = node
        self._path = path
        self._left = short_bytes
        self._told: list[bytes | memoryview] = []
        self._file: FileIO | None = None

    def add(self, kind: int, payload: Pieces, seconds: float, end: bytes = b"") -> None:
        """An outcome, and behind the last one the end."""
        header = HEADER.pack(kind, payload.size_bytes, seconds)
        self._left -= len(header) + payload.size_bytes
        if self._file is None and self._left >= 0:
            self._told += (header, *payload)
            _write_all(self._node, header, *payload, end)
            return
        if self._file is None:
            self._file = open(self._path, "ab", buffering=0)  # noqa: PTH123, SIM115  # pathlib would double the imports
            _write_all(self._file, b"".join(self._told))
            _write_all(self._node, HEADER.pack(SPILLED, 0, 0.0))
        _write_all(self._file, header, *payload)
        if end:
            self._file.close()
            _write_all(self._node, end)


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
            del outcome  # views of a value, whose length the next call could not change
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
    if os.environ.get(HUGE_PAGES[0]) == HUGE_PAGES[1]:
        del os.environ[HUGE_PAGES[0]]
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


def _write_all(file: FileIO, *pieces: bytes | memoryview) -> None:
    """At once: a process that dies has written a whole outcome or a part that shows. The kernel takes so many pieces,
    and 2 GiB, at most at a time."""
    if len(pieces) > PIECES_MAX:
        pieces = (b"".join(pieces),)
    left = os.writev(file.fileno(), pieces)
    for piece in pieces:
        written = min(left, len(piece))
        left -= written
        rest = memoryview(piece)[written:]
        while rest:
            rest = rest[file.write(rest) :]


if __name__ == "__main__":
    main()
