"""Calls made by the process that makes them, packed and unpacked as a client does it."""

import base64
import gc
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from io import FileIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from pnode.node import callee
from pnode.node.callee import (
    DIED,
    FUNCTIONS_MAX,
    HEADER,
    LONG_BYTES,
    PIECES_MAX,
    RAISED,
    SAME_UNIT,
    SPILLED,
    THROUGH,
    VALUE,
    carry_out,
    dump,
    pack_exception,
    pickled,
)
from pnode.node.futures import CallError, Future, RemoteTraceback, exception_of
from pnode.node.parcel import pack_call, pack_function, pack_parcel

SECONDS_MAX = 10.0

Said = tuple[int, bytes]
"""Kind and bytes of an outcome."""


def future(number: int) -> Future[Any]:
    return Future(number, lambda _: None)


class Desk:
    """Where units are written down."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.result = place / "result"
        self.values: dict[str, str] = {}
        self.files: dict[str, str] = {}
        self.places: dict[int, tuple[str, int]] = {}
        self._numbers = iter(range(1000))

    def order(
        self, *calls: tuple[Any, ...], first: int = 0, done: int = 0, short: int = 4096, **environment: str
    ) -> dict[str, Any]:
        """A unit with these calls, each a function and its arguments."""
        functions = {10 + at: pack_function(call[0]) for at, call in enumerate(calls)}
        bodies = [pack_call(10 + at, call[1:], {})[0] for at, call in enumerate(calls)]
        parcel = self.place / f"parcel-{next(self._numbers)}"
        parcel.write_bytes(pack_parcel(functions, bodies, self.places))
        return {
            "parcel": str(parcel), "first": first, "count": len(calls) - first, "done": done, "files": self.files,
            "values": self.values, "result": str(self.result), "short": short, "environment": environment,
        }  # fmt: skip

    def earlier(self, name: str, *values: object, short: bool = True, first: int = 0) -> None:
        """Outcomes of the calls `first` and following that others take."""
        payloads = [dump(value) for value in values]
        content = b"".join(HEADER.pack(VALUE, len(payload), 0.0) + payload for payload in payloads)
        if short:
            self.values[name] = base64.b64encode(content).decode()
        else:
            (self.place / name).write_bytes(content)
            self.files[name] = str(self.place / name)
        self.places |= {first + at: (name, at) for at in range(len(values))}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def outcomes_in(content: bytes) -> list[Said]:
    found = []
    while content:
        kind, size, _ = HEADER.unpack_from(content)
        found.append((kind, content[HEADER.size : HEADER.size + size]))
        assert len(content) >= HEADER.size + size
        content = content[HEADER.size + size :]
    return found


def make(
    desk: Desk, *calls: tuple[Any, ...], functions: OrderedDict[bytes, Any] | None = None, **order: Any
) -> list[Said]:
    """Make calls in this process; all that is said."""
    told = desk.place / "told"
    with FileIO(told, "wb") as node:
        carry_out(desk.order(*calls, **order), OrderedDict() if functions is None else functions, node)
    return outcomes_in(told.read_bytes())


def make_spilled(desk: Desk, *calls: tuple[Any, ...]) -> bytes:
    """Make calls in this process whose outcomes are too long for the node; what is in the file."""
    assert [kind for kind, _ in make(desk, *calls, short=10)] == [SPILLED, THROUGH]
    return desk.result.read_bytes()


def values_of(said: Sequence[Said]) -> list[Any]:
    assert [kind for kind, _ in said] == [VALUE] * (len(said) - 1) + [THROUGH]
    return [pickle.loads(payload) for _, payload in said[:-1]]


def error_of(said: Said) -> BaseException:
    assert said[0] == RAISED
    return exception_of(*said)


# -- in this process ---------------------------------------------------------------------------------------------


def test_calls_are_made_in_order_and_their_values_told(desk: Desk) -> None:
    assert values_of(make(desk, (pow, 2, 5), (str.upper, "a"), (lambda: None,))) == [32, "A", None]


def test_a_unit_is_some_of_the_calls_of_a_parcel(desk: Desk) -> None:
    assert values_of(make(desk, (pow, 2, 5), (pow, 2, 6), (pow, 2, 7), first=1)) == [64, 128]


@pytest.mark.parametrize("short", [True, False])
def test_a_call_takes_values_of_others_at_any_depth(desk: Desk, short: bool) -> None:
    desk.earlier("a", 1, [2], short=short)
    desk.earlier("b", "three", short=short, first=5)

    assert values_of(make(desk, (lambda *args: args, future(5), [{"k": future(1)}, future(0)]))) == [
        ("three", [{"k": [2]}, 1])
    ]


LONG = 3 * LONG_BYTES


@pytest.mark.parametrize(
    "value",
    [
        bytes(range(256)) * (LONG // 256),
        bytearray(LONG),
        "ü" * LONG,
        [b"x" * LONG, "between", b"y" * LONG],
        [bytes([at % 256]) * 100_000 for at in range(2 * PIECES_MAX)],
        list(range(LONG // 4)),
    ],
    ids=["bytes", "bytearray", "text", "several", "more pieces than the kernel takes", "no long ones in it"],
)
def test_long_values_come_as_they_went(desk: Desk, value: object) -> None:
    desk.earlier("before", 0, value, "behind", short=False)
    taken = values_of([*outcomes_in(make_spilled(desk, (lambda *args: args, future(1), future(2)))), (THROUGH, b"")])

    assert taken == [(value, "behind")]


@pytest.mark.parametrize("order", ["C", "F"])
def test_long_arrays_come_as_they_went_however_they_lie_in_memory(desk: Desk, order: Literal["C", "F"]) -> None:
    array = np.arange(LONG, dtype=np.float64).reshape(-1, 4).astype(np.float64, order=order)
    desk.earlier("a", array, array[::2, ::2], short=False)

    whole, part = values_of(
        [*outcomes_in(make_spilled(desk, (lambda *args: args, future(0), future(1)))), (THROUGH, b"")]
    )[0]

    assert np.array_equal(whole, array)
    assert np.array_equal(part, array[::2, ::2])


def test_a_long_value_is_written_from_where_it_lies() -> None:
    value = bytes(LONG)

    assert any(piece is value for piece in pickled([1, value]))


def test_what_a_call_takes_several_times_is_one_object(desk: Desk) -> None:
    desk.earlier("a", [1], first=7)

    assert values_of(make(desk, (lambda one, others: one is others[0], future(7), [future(7)]))) == [True]


def test_a_value_that_cannot_be_had_tells_why_also_if_that_is_long(desk: Desk) -> None:
    (desk.place / "a").write_bytes(HEADER.pack(DIED, LONG, 0.0) + b"x" * LONG)
    desk.files["a"], desk.places = str(desk.place / "a"), {0: ("a", 0)}

    (kind, payload), *_ = outcomes_in(make_spilled(desk, (str, future(0))))

    assert (kind, payload) == (DIED, b"x" * LONG)


def test_a_call_takes_the_values_of_others_of_its_unit(desk: Desk) -> None:
    desk.places |= {100: (SAME_UNIT, 0), 101: (SAME_UNIT, 1)}

    first, second, third = (pow, 2, 5), (lambda one: one + 1, future(100)), (max, future(100), future(101))
    assert values_of(make(desk, (str, "of another unit"), first, second, third, first=1)) == [32, 33, 33]


def test_who_goes_on_with_a_unit_takes_values_from_what_was_told(desk: Desk) -> None:
    desk.places |= {100: (SAME_UNIT, 0), 101: (SAME_UNIT, 1)}
    made = make(desk, (pow, 2, 5), (pow, 2, 6), short=0)
    begun = desk.result.read_bytes()

    rest = make(desk, (pow, 0, 5), (pow, 0, 6), (max, future(100), future(101)), first=2, done=2, short=0)

    assert made == rest == [(SPILLED, b""), (THROUGH, b"")]
    assert values_of([*outcomes_in(desk.result.read_bytes()), (THROUGH, b"")]) == [32, 64, 64]
    assert desk.result.read_bytes().startswith(begun)


def test_what_takes_from_a_call_of_its_unit_that_raises_has_failed_too(desk: Desk) -> None:
    desk.places[100] = (SAME_UNIT, 0)

    said = make(desk, (int, "no number"), (lambda _: os.abort(), future(100)))

    assert said[0] == said[1]
    assert isinstance(error_of(said[0]), ValueError)


def test_every_call_has_a_value_of_its_own(desk: Desk) -> None:
    desk.earlier("a", [1])

    def add(values: list[int]) -> list[int]:
        values.append(2)
        return values

    assert values_of(make(desk, (add, future(0)), (add, future(0)))) == [[1, 2], [1, 2]]


def test_a_call_that_takes_from_what_has_failed_is_not_made_and_has_failed_the_same_way(desk: Desk) -> None:
    payload = pack_exception(ValueError("the first"))
    desk.values["a"] = base64.b64encode(HEADER.pack(RAISED, len(payload), 0.0) + payload).decode()
    desk.places[0] = ("a", 0)

    assert make(desk, (lambda _: os.abort(), future(0)))[0] == (RAISED, payload)


def test_what_a_call_raises_is_its_outcome_with_the_traceback_as_text(desk: Desk) -> None:
    def inner() -> None:
        raise ValueError("no such thing")

    def outer() -> None:
        inner()

    failed, after, _ = make(desk, (outer,), (pow, 2, 5))
    error = error_of(failed)

    assert repr(error) == "ValueError('no such thing')"
    assert "in inner" in str(error.__cause__)
    assert callee.__file__ not in str(error.__cause__)
    assert pickle.loads(after[1]) == 32


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, BaseException, StopIteration])
def test_whatever_a_call_raises_is_its_outcome(desk: Desk, kind: type[BaseException]) -> None:
    def leave() -> None:
        raise kind(3)

    failed, after, _ = make(desk, (leave,), (pow, 2, 5))

    assert isinstance(error_of(failed), kind)
    assert pickle.loads(after[1]) == 32


class NeedsTwoError(Exception):
    """Can be written and not read."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__("it needs two")


class RefusesError(Exception):
    """Raises another one of itself while it is packed."""

    def __reduce__(self) -> str:
        raise RefusesError("again")


@pytest.mark.parametrize(
    "error", [NeedsTwoError(1, 2), RefusesError("it needs two")], ids=lambda error: type(error).__name__
)
def test_an_exception_that_cannot_travel_is_told_as_text(error: Exception) -> None:
    shown = exception_of(RAISED, pack_exception(error))

    assert type(shown) is CallError
    assert str(shown).endswith("it needs two")
    assert isinstance(shown.__cause__, RemoteTraceback)


def test_an_exception_with_a_cause_is_told_with_it(desk: Desk) -> None:
    def fail() -> None:
        try:
            int("x")
        except ValueError as error:
            raise KeyError("outer") from error

    text = str(error_of(make(desk, (fail,))[0]).__cause__)

    assert "ValueError: invalid literal" in text
    assert "direct cause" in text


def test_a_value_that_cannot_travel_is_what_the_call_has_failed_with(desk: Desk) -> None:
    failed, after, _ = make(desk, (lambda: sys._getframe(),), (pow, 2, 5))

    assert "pickle" in str(error_of(failed))
    assert pickle.loads(after[1]) == 32


def test_lambdas_are_values(desk: Desk) -> None:
    (plus,) = values_of(make(desk, (lambda n: lambda x: x + n, 5)))

    assert plus(1) == 6


def test_arguments_that_cannot_be_loaded_are_what_the_call_has_failed_with(desk: Desk) -> None:
    class Awkward:
        def __reduce__(self) -> tuple[Any, ...]:
            return int, ("no number",)

    failed, after, _ = make(desk, (id, Awkward()), (pow, 2, 5))

    assert "no number" in str(error_of(failed))
    assert pickle.loads(after[1]) == 32


def test_a_value_that_is_not_there_is_what_the_call_has_failed_with(desk: Desk) -> None:
    desk.places[0] = ("lost", 0)
    failed, after, _ = make(desk, (id, future(0)), (pow, 2, 5))

    assert isinstance(error_of(failed), OSError)
    assert pickle.loads(after[1]) == 32


def counting() -> Callable[[], int]:
    seen: list[int] = []

    def count() -> int:
        seen.append(0)
        return len(seen)

    return count


def test_a_function_is_loaded_once_and_keeps_what_it_keeps(desk: Desk) -> None:
    functions: OrderedDict[bytes, Any] = OrderedDict()
    count = counting()
    first = values_of(make(desk, (count,), (count,), functions=functions))
    second = values_of(make(desk, (count,), functions=functions))

    assert first + second == [1, 2, 3]


def test_a_function_that_is_used_again_and_again_is_kept(desk: Desk) -> None:
    functions: OrderedDict[bytes, Any] = OrderedDict()
    count = counting()
    for number in range(3):
        others = [(eval, str(number))] + [(lambda at=at: at,) for at in range(FUNCTIONS_MAX // 2)]
        make(desk, (count,), *others, functions=functions)
        make(desk, *[(lambda at=at: -at,) for at in range(FUNCTIONS_MAX // 4)], functions=functions)

    assert values_of(make(desk, (count,), functions=functions)) == [4]
    assert len(functions) <= FUNCTIONS_MAX


def test_a_unit_has_its_environment(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", "before")

    assert values_of(make(desk, (os.getenv, "MINE"), MINE="now")) == ["now"]


def test_nothing_of_a_call_is_kept_when_it_is_over(desk: Desk) -> None:
    class Big:
        """What would take memory."""

    kept: list[weakref.ref[Big]] = []

    def fail(_: object = None) -> None:
        big = Big()
        kept.append(weakref.ref(big))
        raise ValueError("no")

    parcel = callee.Parcel(desk.order((fail,))["parcel"])
    functions: OrderedDict[bytes, Any] = OrderedDict({parcel.function(10): fail})
    gc.collect()
    gc.disable()
    try:
        make(desk, (fail,), functions=functions)
    finally:
        gc.enable()
    parcel.close()

    assert [known() for known in kept] == [None]


def test_no_file_is_left_open_after_a_unit(desk: Desk) -> None:
    desk.earlier("a", 1, short=False)
    make(desk, (id, future(0)))
    before = len(list(Path("/proc/self/fd").iterdir()))
    make(desk, (id, future(0)))

    assert len(list(Path("/proc/self/fd").iterdir())) == before


# -- how outcomes go to the node ---------------------------------------------------------------------------------


def test_outcomes_that_are_long_together_are_all_in_the_file(desk: Desk) -> None:
    said = make(desk, *[(bytes, 900)] * 6, short=4096)
    kept = outcomes_in(desk.result.read_bytes())

    assert [kind for kind, _ in said] == [VALUE, VALUE, VALUE, VALUE, SPILLED, THROUGH]
    assert kept[:4] == said[:4]
    assert [pickle.loads(payload) for _, payload in kept] == [bytes(900)] * 6


def test_outcomes_that_are_short_are_in_no_file(desk: Desk) -> None:
    make(desk, (pow, 2, 5))

    assert not desk.result.exists()


def test_who_goes_on_behind_another_adds_to_its_file(desk: Desk) -> None:
    desk.result.write_bytes(HEADER.pack(VALUE, 1, 0.0) + b"x")
    said = make(desk, (pow, 2, 5), (pow, 2, 6), short=0, first=1)

    assert [kind for kind, _ in said] == [SPILLED, THROUGH]
    assert [payload for _, payload in outcomes_in(desk.result.read_bytes())] == [b"x", dump(64)]


# -- as a process of its own -------------------------------------------------------------------------------------


class Process:
    """The process, and the node's end of its socket."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._ours, theirs = socket.socketpair()
        self._ours.settimeout(SECONDS_MAX)
        with (place / "stdout").open("ab") as out, (place / "stderr").open("ab") as err:
            words = [sys.executable, "-P", callee.__file__]
            self.process = subprocess.Popen(words, stdin=theirs.fileno(), stdout=out, stderr=err, cwd=place)
        theirs.close()

    def tell(self, order: dict[str, Any]) -> None:
        self._ours.sendall(json.dumps(order).encode() + b"\n")

    def hear(self) -> list[Said]:
        """All that it says, up to the end of the unit, or its own."""
        heard = b""
        while not heard.endswith(HEADER.pack(THROUGH, 0, 0.0)[:9] + heard[-8:]) or len(heard) < HEADER.size:
            try:
                received = self._ours.recv(1 << 16)
            except ConnectionResetError:
                break
            if not received:
                break
            heard += received
        return outcomes_in(heard)

    def make(self, order: dict[str, Any]) -> list[Said]:
        self.tell(order)
        return self.hear()

    def printed(self, name: str) -> str:
        return (self.place / name).read_text()

    def end(self) -> int:
        """Hang up; how it ends."""
        self._ours.close()
        return self.process.wait(SECONDS_MAX)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path)
    yield process
    process._ours.close()
    process.process.kill()
    process.process.wait()


def test_a_process_makes_calls_unit_after_unit_until_the_node_hangs_up(desk: Desk, process: Process) -> None:
    first = values_of(process.make(desk.order((pow, 2, 5))))
    second = values_of(process.make(desk.order((pow, 2, 6), (os.getpid,))))

    assert first == [32]
    assert second == [64, process.process.pid]
    assert process.end() == 0


def test_a_process_keeps_a_function_between_units(desk: Desk, process: Process) -> None:
    count = counting()
    order = desk.order((count,))
    found = [values_of(process.make(order)) for _ in range(3)]

    assert found == [[1], [2], [3]]


def test_what_is_printed_goes_to_the_logs_and_standard_input_is_empty(desk: Desk, process: Process) -> None:
    def talk() -> str:
        print("out \ud800")
        print("err", file=sys.stderr)
        return sys.stdin.read()

    found = values_of(process.make(desk.order((talk,))))

    assert found == [""]
    assert process.printed("stdout") == "out \\ud800\n"
    assert process.printed("stderr") == "err\n"


def test_a_call_that_closes_the_logs_has_its_value(desk: Desk, process: Process) -> None:
    def close() -> int:
        sys.stdout.close()
        sys.stderr.close()
        return os.getpid()

    assert values_of(process.make(desk.order((close,)))) == [process.process.pid]
    assert values_of(process.make(desk.order((os.getpid,)))) == [process.process.pid]


def test_a_call_that_exits_does_not_end_the_process(desk: Desk, process: Process) -> None:
    left, after, _ = process.make(desk.order((sys.exit, 3), (os.getpid,)))

    assert isinstance(error_of(left), SystemExit)
    assert pickle.loads(after[1]) == process.process.pid


PROGRAM = """
import sys
class Point:
    def __init__(self, x): self.x = x
    def double(self): return Point(2 * self.x)
class PointError(Exception):
    def __init__(self, point): super().__init__(point); self.point = point
class Unit: "called like something of callee"
def fail(point): raise PointError(point)
def main(point): return [Point(point.x + 1), Unit()]
functions = {"main": main, "double": Point.double, "fail": fail}
"""


def test_classes_of_the_callers_program_travel_and_come_back_as_the_same(desk: Desk, process: Process) -> None:
    program: dict[str, Any] = {"__name__": "__main__"}
    exec(PROGRAM, program)
    point_class: Any = program["Point"]
    point = point_class(20)
    functions: Any = program["functions"]
    doubled, both, failed, _ = process.make(
        desk.order((functions["double"], point), (functions["main"], point), (functions["fail"], point))
    )
    error: Any = error_of(failed)

    assert type(pickle.loads(doubled[1])) is point_class
    assert pickle.loads(doubled[1]).x == 40
    assert [type(each).__name__ for each in pickle.loads(both[1])] == ["Point", "Unit"]
    assert type(error) is program["PointError"]
    assert error.point.x == 20


@pytest.mark.parametrize("short", [4096, 0], ids=["short", "in a file"])
@pytest.mark.parametrize(
    ("die", "status"),
    [
        (lambda: os._exit(7), 7),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), -signal.SIGKILL),
        (lambda: os.abort(), -signal.SIGABRT),
    ],
    ids=["exit", "kill", "abort"],
)
def test_a_process_that_dies_has_left_what_it_had_made(
    desk: Desk, process: Process, die: Callable[[], None], status: int, short: int
) -> None:
    said = process.make(desk.order((pow, 2, 5), (pow, 2, 6), (die,), (pow, 2, 7), short=short))
    kept = said if short else outcomes_in(desk.result.read_bytes())

    assert [pickle.loads(payload) for _, payload in kept] == [32, 64]
    assert process.process.wait(SECONDS_MAX) == status


def test_a_process_that_finds_no_parcel_says_so_and_ends(desk: Desk, process: Process) -> None:
    order = desk.order((pow, 2, 5))
    Path(order["parcel"]).unlink()

    assert process.make(order) == []
    assert process.process.wait(SECONDS_MAX) == 1
    assert "FileNotFoundError" in process.printed("stderr")


def test_a_child_that_a_call_forks_and_forgets_says_nothing(desk: Desk, process: Process) -> None:
    def fork() -> bool:
        return os.fork() == 0

    said = process.make(desk.order((fork,), (pow, 2, 5)))

    assert values_of(said) == [False, 32]
    assert values_of(process.make(desk.order((pow, 2, 6)))) == [64]


def test_the_process_imports_little() -> None:
    program = (
        f"import sys, runpy; runpy.run_path({callee.__file__!r}, run_name='callee'); "
        "print(*[name for name in sys.modules if name in ('pnode', 'cloudpickle', 'pathlib', 'typing', 'asyncio')])"
    )
    ran = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)

    assert {"pnode", "cloudpickle", "asyncio", "pathlib"}.isdisjoint(ran.stdout.split())


def show() -> pickle.PickleBuffer:
    """Of what both calls have: each is packed with its own globals."""
    buffer = vars(sys)["shown"] = bytearray(1 << 17)
    return pickle.PickleBuffer(buffer)


def lengthen() -> int:
    buffer = vars(sys).pop("shown")
    buffer.append(1)
    return len(buffer)


def test_a_call_may_change_the_length_of_what_an_earlier_one_has_shown(desk: Desk) -> None:
    make(desk, (show,), (lengthen,))

    shown, length = outcomes_in(desk.result.read_bytes())
    assert pickle.loads(shown[1]) == bytes(1 << 17)
    assert (length[0], pickle.loads(length[1])) == (VALUE, (1 << 17) + 1)
