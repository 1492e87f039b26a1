"""Units of calls made by real processes, which are kept from one to the next."""

import gc
import os
import pickle
import signal
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import pytest
import trio

from pnode.node import crew
from pnode.node.allowance import ExecutorSettings
from pnode.node.callee import DIED, HEADER, HUGE_PAGES, RAISED, VALUE
from pnode.node.callmessages import PARCEL
from pnode.node.crew import CALLS_DIED_MAX
from pnode.node.executor import Executor
from pnode.node.futures import exception_of
from pnode.node.parcel import pack_call, pack_function, pack_parcel
from pnode.node.processes import LINUX
from pnode.node.store import Store
from pnode.node.warmworker import Worker
from pnode.protocol.dag import Program, ProgramKind, Task
from pnode.protocol.effects import Run, Unit
from pnode.protocol.events import RunEnded
from pnode.protocol.ids import JobId, digest_of
from pnode.protocol.jobspec import FileRef
from pnode.protocol.statements import CONTENT_BYTES_MAX

from .soundness import is_sound

T = TypeVar("T")
Said = tuple[int, bytes, float]
"""(kind, outcome, seconds)"""

JOB = JobId(b"j" * 16)
SETTINGS = ExecutorSettings(poll_s=0.02, grace_s=0.3)
SECONDS_MAX = 30.0


class Bench:
    """A node's executor that has a crew, and calls for it."""

    def __init__(
        self, root: Path, settings: ExecutorSettings = SETTINGS, more: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """`more` is in the node's environment."""
        self.root = root
        self.home = root / "home"
        self.home.mkdir(mode=0o700)
        self.store = Store(self.home / "store")
        environment = {**os.environ, "PNODE_SECRET": "token", "OWN": "the node's", **more}
        self.executor = Executor(self.home, self.store, settings, environment)

    def unit(self, *calls: tuple[Any, ...], session: str = "session", **task: Any) -> Run:
        """A unit of these calls, each a function and its arguments."""
        functions = {at: pack_function(call[0]) for at, call in enumerate(calls)}
        bodies = [pack_call(at, call[1:], {})[0] for at, call in enumerate(calls)]
        parcel = self.store.add_bytes(pack_parcel(functions, bodies, {}), PARCEL)
        program = Program(ProgramKind.CALLS, ("f", "0", str(len(calls)), PARCEL))
        whole = Task("f.0", (), program, final=True, **task)
        return Run(Unit(JOB, "f.0", 0, 1), whole, ((parcel,),), None, (("PNODE_ITEM_KEY", session),))

    def served(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something while the crew is served; nothing is left of it afterwards."""

        async def main() -> T:
            with trio.fail_after(SECONDS_MAX):
                async with trio.open_nursery() as nursery:
                    await nursery.start(self.executor.serve)
                    found = await work()
                    nursery.cancel_scope.cancel()
            return found

        return trio.run(main)

    def run(self, *runs: Run) -> list[RunEnded]:
        """Units one after the other."""

        async def work() -> list[RunEnded]:
            return [await self.executor.run(run) for run in runs]

        return self.served(work)

    def said(self, ended: RunEnded) -> list[tuple[int, bytes]]:
        """Kinds and bytes of all outcomes."""
        (file,) = ended.outputs
        content = self.store.read(file.digest)
        assert ended.contents in ((), (content,))
        found = []
        while content:
            kind, size, _ = HEADER.unpack_from(content)
            found.append((kind, content[HEADER.size : HEADER.size + size]))
            content = content[HEADER.size + size :]
        return found

    def values(self, ended: RunEnded) -> list[Any]:
        assert ended.failure == ""
        assert {kind for kind, _ in self.said(ended)} == {VALUE}
        return [pickle.loads(payload) for _, payload in self.said(ended)]

    def printed(self, ended: RunEnded) -> tuple[str, str]:
        return self.store.read(ended.stdout.digest).decode(), self.store.read(ended.stderr.digest).decode()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A file in which calls note that they were made."""
    return tmp_path / "notes"


def note(notes: Path, word: str) -> str:
    with notes.open("a") as file:
        file.write(word + "\n")
    return word


def die(notes: Path, times: int = CALLS_DIED_MAX) -> str:
    """Kills its process, so many times."""
    with notes.open("a") as file:
        file.write("die\n")
    if notes.read_text().split().count("die") <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


def chatter() -> None:
    while True:
        print("x" * 100_000)


def is_running(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def eventually(what: Callable[[], bool]) -> None:
    while not what():
        await trio.sleep(0.01)


def test_calls_are_made_and_their_outcomes_are_one_file_in_the_store(bench: Bench) -> None:
    (ended,) = bench.run(bench.unit((pow, 2, 5), (str.upper, "a")))

    assert bench.values(ended) == [32, "A"]
    assert [file.name for file in ended.outputs] == ["f.0"]
    assert ended.exit_status == 0
    assert 0 <= ended.seconds < SECONDS_MAX


@pytest.mark.parametrize("size", [10, CONTENT_BYTES_MAX, 300_000])
def test_outcomes_travel_with_the_result_if_they_are_short(bench: Bench, size: int) -> None:
    (ended,) = bench.run(bench.unit((bytes, size), (pow, 2, 5)))

    assert bench.values(ended) == [bytes(size), 32]
    assert bool(ended.contents) == (size == 10)
    assert is_sound(bench.store, ended.outputs[0].digest) or ended.contents


def test_a_part_of_a_parcel_is_a_unit(bench: Bench) -> None:
    run = bench.unit((pow, 2, 5), (pow, 2, 6), (pow, 2, 7))
    program = Program(ProgramKind.CALLS, ("f", "1", "1", PARCEL))
    task = Task("f.0", (), program, final=True)
    (ended,) = bench.run(Run(run.unit, task, run.calls, None, run.environment))

    assert bench.values(ended) == [64]


def test_a_process_is_kept_for_the_next_unit_of_its_session(bench: Bench) -> None:
    first, second = bench.run(bench.unit((os.getpid,)), bench.unit((os.getpid,)))

    assert bench.values(first) == bench.values(second)


def test_another_session_has_another_process(bench: Bench) -> None:
    first, second, third = bench.run(
        bench.unit((os.getpid,)), bench.unit((os.getpid,), session="other"), bench.unit((os.getpid,))
    )

    assert bench.values(first) != bench.values(second)
    assert bench.values(first) == bench.values(third)


def test_units_at_the_same_time_have_processes_of_their_own(bench: Bench) -> None:
    ended: list[RunEnded] = []

    def slow_pid() -> int:
        time.sleep(0.05)
        return os.getpid()

    async def work() -> None:
        async def one() -> None:
            ended.append(await bench.executor.run(bench.unit((slow_pid,))))

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(one)

    bench.served(work)

    assert len({bench.values(each)[0] for each in ended}) == 3


def test_an_exception_is_an_outcome_and_no_failure_of_the_unit(bench: Bench) -> None:
    (ended,) = bench.run(bench.unit((int, "x"), (pow, 2, 5)))
    (failed, made) = bench.said(ended)

    assert ended.failure == ""
    assert (failed[0], made[0]) == (RAISED, VALUE)
    assert isinstance(exception_of(*failed), ValueError)


def test_what_units_print_is_in_logs_of_their_own(bench: Bench) -> None:
    def talk(word: str) -> None:
        print("out", word)
        print("err", word, file=sys.stderr)

    first, silent, second = bench.run(
        bench.unit((talk, "1"), (talk, "2")), bench.unit((pow, 2, 5)), bench.unit((talk, "3"))
    )

    assert bench.printed(first) == ("out 1\nout 2\n", "err 1\nerr 2\n")
    assert first.stderr_tail == "err 1\nerr 2\n"
    assert bench.printed(silent) == ("", "")
    assert bench.printed(second) == ("out 3\n", "err 3\n")


def test_what_is_printed_between_units_is_of_none(bench: Bench) -> None:
    def talk_later(notes: Path) -> None:
        def talk() -> None:
            time.sleep(0.05)
            print("late")
            notes.write_text("said")

        import threading

        threading.Thread(target=talk).start()

    notes = bench.root / "notes"

    async def work() -> RunEnded:
        await bench.executor.run(bench.unit((talk_later, notes)))
        await eventually(notes.exists)
        return await bench.executor.run(bench.unit((print, "mine")))

    assert bench.printed(bench.served(work))[0] == "mine\n"


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
@pytest.mark.parametrize("own", [None, "glibc.malloc.tcache_count=3"])
def test_calls_get_large_pages_and_their_children_do_not(tmp_path: Path, own: str | None) -> None:
    name = HUGE_PAGES[0]
    bench = Bench(tmp_path, more={} if own is None else {name: own})

    (ended,) = bench.run(bench.unit((lambda: (Path("/proc/self/environ").read_bytes(), os.getenv(name)),)))

    began, now = bench.values(ended)[0]
    assert f"{name}={own or HUGE_PAGES[1]}".encode() in began.split(b"\0")
    assert now == own


def test_a_call_is_told_where_it_is_made(bench: Bench) -> None:
    names = ["PNODE_TASK", "PNODE_ATTEMPT", "PNODE_ITEM_KEY", "OWN", "MINE", "PNODE_SECRET"]
    (ended,) = bench.run(bench.unit((lambda: [os.getenv(name) for name in names],), environment=(("MINE", "m"),)))

    assert bench.values(ended) == [["f.0", "1", "session", "the node's", "m", None]]


# -- death -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [10, 2 * CONTENT_BYTES_MAX], ids=["short", "in a file"])
def test_when_a_process_dies_what_it_had_done_is_not_done_again(bench: Bench, notes: Path, before: int) -> None:
    (ended,) = bench.run(bench.unit((note, notes, "x" * before), (die, notes, 1), (note, notes, "after")))

    assert bench.values(ended) == ["x" * before, "survived", "after"]
    assert notes.read_text().split() == ["x" * before, "die", "die", "after"]


def test_what_a_process_has_said_is_heard_also_when_it_has_ended_meanwhile(
    bench: Bench, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine the node sees first that it is gone."""
    at_once = Worker.carry_out

    async def heard_late(worker: Worker, order: Mapping[str, object]) -> AsyncGenerator[Said, None]:
        async with aclosing(at_once(worker, order)) as saying:
            async for said in saying:
                yield said
                with trio.move_on_after(1.0):
                    await worker.ended.wait()

    def late(notes: Path, word: str) -> str:
        time.sleep(0.2)  # what it says does not come together with what was said before
        return note(notes, word)

    monkeypatch.setattr(Worker, "carry_out", heard_late)
    (ended,) = bench.run(bench.unit((note, notes, "first"), (late, notes, "second"), (die, notes, 1)))

    assert bench.values(ended) == ["first", "second", "survived"]
    assert notes.read_text().split() == ["first", "second", "die", "die"]


def test_a_call_of_which_its_process_dies_again_and_again_has_that_as_its_outcome(bench: Bench, notes: Path) -> None:
    (ended,) = bench.run(bench.unit((note, notes, "before"), (die, notes), (note, notes, "after")))
    before, died, after = bench.said(ended)

    assert (before[0], died[0], after[0]) == (VALUE, DIED, VALUE)
    assert died[1].decode() == f"the process was killed by signal 9 (SIGKILL), {CALLS_DIED_MAX} times in a row"
    assert notes.read_text().split() == ["before", *["die"] * CALLS_DIED_MAX, "after"]
    assert ended.failure == ""


def test_every_call_has_its_own_deaths(bench: Bench, notes: Path) -> None:
    other = notes.with_name("other")
    (ended,) = bench.run(bench.unit((die, notes, 2), (die, other, 2)))

    assert bench.values(ended) == ["survived", "survived"]


@pytest.mark.parametrize("calls", [1, 2])
def test_when_every_call_kills_its_process_all_have_that_outcome(bench: Bench, calls: int) -> None:
    (ended,) = bench.run(bench.unit(*[(os._exit, 7)] * calls))

    assert [kind for kind, _ in bench.said(ended)] == [DIED] * calls
    assert b"ended with status 7" in bench.said(ended)[0][1]


def test_what_a_process_has_said_before_it_died_is_in_the_logs(bench: Bench, notes: Path) -> None:
    def complain() -> None:
        print("out")
        print("it hurts", file=sys.stderr)
        die(notes, 1)

    (ended,) = bench.run(bench.unit((complain,)))
    out, err = bench.printed(ended)

    assert out == "out\nout\n"
    assert err.splitlines()[:2] == ["it hurts", "it hurts"]
    assert "pnode: the process for call 1 of 1 was killed by signal 9 (SIGKILL)" in err
    assert ended.stderr_tail == err


def test_a_process_that_was_killed_while_it_was_idle_is_replaced(bench: Bench) -> None:
    async def work() -> tuple[RunEnded, RunEnded]:
        first = await bench.executor.run(bench.unit((os.getpid,)))
        (pid,) = bench.values(first)
        os.kill(pid, signal.SIGKILL)
        return first, await bench.executor.run(bench.unit((os.getpid,)))

    first, second = bench.served(work)

    assert bench.values(second) != bench.values(first)


def test_a_process_that_cannot_be_started_is_the_machines_fault(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ExecutorSettings(python=str(tmp_path / "no-python"), poll_s=0.02, grace_s=0.3))
    (ended,) = bench.run(bench.unit((pow, 2, 5)))

    assert ended.ours
    assert "cannot make calls: their process could not be started: No such file" in ended.failure
    assert ended.outputs == ()


def test_what_is_not_in_the_store_is_the_machines_fault(bench: Bench) -> None:
    run = bench.unit((pow, 2, 5))
    lost = FileRef("values", 3, digest_of(b"abc"))
    (ended,) = bench.run(Run(run.unit, run.task, ((*run.calls[0], lost),), None, run.environment))

    assert ended.ours
    assert "is not in the store" in ended.failure


def test_who_prints_too_much_is_ended(tmp_path: Path) -> None:
    settings = ExecutorSettings(poll_s=0.02, grace_s=0.3, log_bytes_max=1 << 20)
    bench = Bench(tmp_path, settings)

    (ended,) = bench.run(bench.unit((chatter,), (pow, 2, 5)))
    chatted, made = bench.said(ended)

    assert chatted[0] == DIED
    assert b"printed more than 1 MiB to stdout" in chatted[1]
    assert made[0] == VALUE


# -- time and cancelling -----------------------------------------------------------------------------------------


def test_a_call_that_runs_too_long_has_that_as_its_outcome_and_is_not_made_again(bench: Bench, notes: Path) -> None:
    def linger(notes: Path) -> None:
        note(notes, "linger")
        time.sleep(SECONDS_MAX)

    _, ended = bench.run(bench.unit((pow, 2, 5)), bench.unit((linger, notes), walltime_s=0.5))
    ((kind, payload),) = bench.said(ended)

    assert (kind, payload) == (DIED, b"the process ran longer than its walltime of 0.5 s")
    assert notes.read_text() == "linger\n"
    assert not ended.timed_out
    assert ended.failure == ""


def test_a_call_that_is_quick_enough_is_not_ended(bench: Bench) -> None:
    (ended,) = bench.run(bench.unit((pow, 2, 5), walltime_s=SECONDS_MAX))

    assert bench.values(ended) == [32]


def linger(notes: Path, *, stubborn: bool = False) -> None:
    """Note the numbers of two processes, and stay."""
    import subprocess

    if stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["setsid", "sleep", "30"])
    notes.with_name("new").write_text(f"{os.getpid()} {child.pid}")
    notes.with_name("new").rename(notes)
    time.sleep(SECONDS_MAX)


@pytest.mark.skipif(not LINUX, reason="only there what leaves the process group is found")
@pytest.mark.parametrize("stubborn", [False, True], ids=["gentle", "stubborn"])
def test_cancelling_ends_the_process_and_all_it_has_started(bench: Bench, notes: Path, stubborn: bool) -> None:
    async def work() -> list[bool]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bench.executor.run, bench.unit((lambda: linger(notes, stubborn=stubborn),)))
            await eventually(notes.exists)
            nursery.cancel_scope.cancel()
        return [is_running(int(pid)) for pid in notes.read_text().split()]

    assert bench.served(work) == [False, False]


def test_after_a_unit_was_cancelled_another_process_makes_the_next(bench: Bench, notes: Path) -> None:
    async def work() -> tuple[str, RunEnded]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bench.executor.run, bench.unit((linger, notes)))
            await eventually(notes.exists)
            nursery.cancel_scope.cancel()
        return notes.read_text(), await bench.executor.run(bench.unit((os.getpid,)))

    pids, ended = bench.served(work)

    assert str(bench.values(ended)[0]) not in pids.split()


@pytest.mark.skipif(not LINUX, reason="only there what leaves the process group is found")
def test_when_the_node_ends_so_does_the_crew(bench: Bench) -> None:
    (ended,) = bench.run(bench.unit((os.getpid,)))
    (pid,) = bench.values(ended)

    assert not is_running(pid)
    left = [path for path in (bench.home / "work").iterdir() if any(path.iterdir())]
    assert left == []


def test_a_process_that_is_not_used_ends(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "IDLE_S", 0.1)

    async def work() -> bool:
        ended = await bench.executor.run(bench.unit((os.getpid,)))
        (pid,) = bench.values(ended)
        await eventually(lambda: not is_running(pid))
        again = await bench.executor.run(bench.unit((os.getpid,)))
        return bench.values(again) != [pid]

    assert bench.served(work)


def test_a_process_that_waits_for_the_next_unit_wakes_nobody(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []

    def look(_: Worker) -> str:
        looks.append(trio.current_time())
        return ""

    monkeypatch.setattr(Worker, "_look", look)

    async def work() -> int:
        await bench.executor.run(bench.unit((os.getpid,)))
        await trio.sleep(2 * SETTINGS.poll_s)  # the look that was due
        before = len(looks)
        await trio.sleep(20 * SETTINGS.poll_s)
        return len(looks) - before

    assert bench.served(work) == 0


def test_a_process_that_has_waited_is_looked_at_when_it_works(tmp_path: Path) -> None:
    bench = Bench(tmp_path, replace(SETTINGS, log_bytes_max=1 << 20))

    async def work() -> tuple[int, bytes]:
        await bench.executor.run(bench.unit((os.getpid,)))
        await trio.sleep(2 * SETTINGS.poll_s)
        return bench.said(await bench.executor.run(bench.unit((chatter,))))[0]

    kind, said = bench.served(work)

    assert kind == DIED
    assert b"printed more than 1 MiB" in said


def test_idle_processes_of_others_make_room(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "SPARE_WORKERS_MAX", 0)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)

    async def work() -> list[bool]:
        pids = []
        for number in range(4):
            ended = await bench.executor.run(bench.unit((os.getpid,), session=str(number)))
            pids += bench.values(ended)
        await eventually(lambda: not is_running(pids[1]))
        return [is_running(pid) for pid in pids]

    assert bench.served(work) == [False, False, True, True]


def test_nothing_is_left_open_after_a_process_has_ended(bench: Bench, notes: Path) -> None:
    async def work() -> tuple[int, int]:
        counts = []
        for number in range(2):
            await bench.executor.run(bench.unit((die, notes.with_name(str(number)), 2)))
            gc.collect()
            counts.append(len(list(Path("/proc/self/fd").iterdir())))
        return counts[0], counts[1]

    first, second = bench.served(work)
    assert first == second
