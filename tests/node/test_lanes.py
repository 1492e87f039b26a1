"""Lanes with real foremen and real commands, behind an executor as a node has it."""

import errno
import os
import signal
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

from pnode.node import lanes
from pnode.node.allowance import ExecutorSettings
from pnode.node.archive import ShippedFile, pack
from pnode.node.executor import Executor
from pnode.node.lanes import Lane
from pnode.node.processes import LINUX
from pnode.node.room import TICK_S, Room
from pnode.node.store import Store
from pnode.node.unpacked import UnpackError
from pnode.protocol.dag import Program, ProgramKind, Task
from pnode.protocol.effects import Run, Unit
from pnode.protocol.events import RunEnded
from pnode.protocol.ids import JobId
from pnode.protocol.jobspec import FileRef
from pnode.protocol.values import replace

pytestmark = pytest.mark.skipif(not LINUX, reason="lanes are for Linux")

JOB = JobId(b"j" * 16)


class Bench:
    """A node's executor; units are run as the driver has them run."""

    def __init__(self, root: Path, settings: ExecutorSettings) -> None:
        self.store = Store(root / "store")
        self.executor = Executor(root, self.store, settings, {**os.environ, "OWN": "the node's"})
        self.ended: dict[Unit, RunEnded] = {}
        self.scopes: dict[Unit, trio.CancelScope] = {}

    def start(self, nursery: trio.Nursery, *runs: Run) -> None:
        self.executor.attach(self._ended, partial(self._start, nursery))
        for run in runs:
            if not self.executor.announce(run):
                self._start(nursery, run)

    def cancel(self, run: Run) -> None:
        if run.unit in self.scopes:
            self.scopes[run.unit].cancel()
        else:
            self.executor.cancel(run.unit)

    def _ended(self, ended: RunEnded) -> None:
        self.ended[ended.unit] = ended

    def _start(self, nursery: trio.Nursery, run: Run) -> None:
        self.scopes[run.unit] = trio.CancelScope()
        nursery.start_soon(self._carry_out, run)

    async def _carry_out(self, run: Run) -> None:
        with self.scopes[run.unit]:
            self.ended[run.unit] = await self.executor.run(run)
        self.executor.leave(run.unit)

    async def until(self, *runs: Run) -> list[RunEnded]:
        while any(run.unit not in self.ended for run in runs):
            await trio.sleep(0.005)
        return [self.ended[run.unit] for run in runs]

    def application(self, **files: str) -> FileRef:
        place = Path(tempfile.mkdtemp(dir=self.store.root.parent))
        for name, content in files.items():
            (place / name).write_text(content)
        pack([ShippedFile(name, place / name, executable=False) for name in files], place / "app.tar")
        return self.store.add_file(place / "app.tar")

    def printed(self, ended: RunEnded) -> bytes:
        return self.store.read(ended.stdout.digest)


def sh(number: int, script: str, behind: Run | None = None, **task: object) -> Run:
    """A shell script as a unit."""
    program = Program(ProgramKind.COMMAND, ("/bin/sh", "-c", script))
    whole = replace(Task("work", (), program, final=False), **task)  # type: ignore[arg-type]  # fields by name
    return Run(Unit(JOB, "work", number, 1), whole, ((),), None, (), None if behind is None else behind.unit)


def line(*scripts: str, **task: object) -> list[Run]:
    """Each behind the one before."""
    runs = [sh(0, scripts[0], None, **task)]
    for number, script in enumerate(scripts[1:], 1):
        runs.append(sh(number, script, runs[-1], **task))
    return runs


@pytest.fixture
def carry_out(tmp_path: Path) -> Callable[..., Bench]:
    def play(test: Callable[[Bench, trio.Nursery], Awaitable[None]], **settings: object) -> Bench:
        bench = Bench(tmp_path, ExecutorSettings(**settings))  # type: ignore[arg-type]

        async def main() -> None:
            with trio.fail_after(30):
                async with trio.open_nursery() as services, trio.open_nursery() as nursery:
                    await services.start(bench.executor.serve)
                    await test(bench, nursery)
                    services.cancel_scope.cancel()

        trio.run(main)
        assert [path.name for path in (tmp_path / "work").iterdir() if not path.name.startswith("0-")] == []
        return bench

    return play


def all_of(runs: list[Run]) -> Callable[[Bench, trio.Nursery], Awaitable[None]]:
    async def test(bench: Bench, nursery: trio.Nursery) -> None:
        bench.start(nursery, *runs)
        await bench.until(*runs)

    return test


def test_commands_in_a_lane_run_one_after_another_in_their_order(
    carry_out: Callable[..., Bench], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    runs = line(*(f"echo {n} begins >> {log}; echo {n} ends >> {log}" for n in range(12)))

    bench = carry_out(all_of(runs))

    expected = [f"{n} {what}" for n in range(12) for what in ("begins", "ends")]
    assert log.read_text().splitlines() == expected
    assert [bench.ended[run.unit].failure for run in runs] == [""] * 12
    assert all(bench.ended[run.unit].seconds > 0 for run in runs)


def test_each_has_a_room_in_which_nothing_is_left_of_another(carry_out: Callable[..., Bench]) -> None:
    look = "ls -A . $PNODE_INPUT_DIR $PNODE_OUTPUT_DIR | grep -v :$; cat $PNODE_INPUT_LIST; echo $PNODE_ITEM $OWN"
    leave = "touch here_$PNODE_ITEM $PNODE_INPUT_DIR/in; echo 1 > $PNODE_INPUT_LIST; rm -f $PNODE_WORK_DIR/stdout"
    runs = line("true", *(f"{look}; {leave}" for _ in range(8)))

    bench = carry_out(all_of(runs))

    texts = [bench.printed(bench.ended[run.unit]).decode().split() for run in runs[1:]]
    assert texts == [[str(number), "the", "node's"] for number in range(1, 9)]


def test_each_begins_with_links_to_what_lies_at_the_top_of_its_application(carry_out: Callable[..., Bench]) -> None:
    look = "for each in $(ls -A); do echo $each; cat $each; done; stat -c %a ."
    spoil = ("true", "touch left", "rm a; echo forged > a", "rm a; ln -s b a", "chmod 500 .", "rm a", "ln -s x y")
    there = [["700"], ["a", "1", "700"], ["a", "2", "b", "3", "700"]]

    async def test(bench: Bench, nursery: trio.Nursery) -> None:
        applications = [None, bench.application(a="1\n"), bench.application(a="2\n", b="3\n")]
        for what in spoil:
            order = [1, 1, 2, 2, 0, 0, 1, 1]
            scripts = (f"{what} 2> /dev/null || true", look) * (len(order) // 2)
            runs = [
                replace(run, application=applications[which])
                for run, which in zip(line("true", *scripts)[1:], order, strict=True)
            ]
            bench.ended.clear()
            bench.start(nursery, sh(0, "true"), *runs)
            ended = await bench.until(*runs)

            seen = [bench.printed(each).decode().split() for each in ended]
            assert seen == [said for which in order[::2] for said in ([], there[which])]

    carry_out(test)


def test_what_they_write_is_kept(carry_out: Callable[..., Bench]) -> None:
    runs = line(*(f"echo {n} > $PNODE_OUTPUT_DIR/result; echo {n} said >&2" for n in range(6)))

    bench = carry_out(all_of(runs))

    for number, run in enumerate(runs):
        (output,) = bench.ended[run.unit].outputs
        assert bench.store.read(output.digest) == f"{number}\n".encode()
        assert bench.ended[run.unit].stderr_tail == f"{number} said\n"


def test_one_that_fails_says_why_and_the_next_goes_on(carry_out: Callable[..., Bench]) -> None:
    runs = line("true", "exit 3", "kill -9 $$", "true")
    missing = replace(runs[3], unit=Unit(JOB, "work", 9, 1), behind=runs[3].unit)
    program = Program(ProgramKind.COMMAND, ("/no/such/program",))
    missing = replace(missing, task=replace(missing.task, program=program))

    bench = carry_out(all_of([*runs, missing]))

    ends = [bench.ended[run.unit] for run in (*runs, missing)]
    assert [end.exit_status for end in ends] == [0, 3, -9, 0, 127]
    assert [end.failure for end in ends[:4]] == ["", "exit status 3", "killed by signal 9 (SIGKILL)", ""]
    assert "/no/such/program" in ends[4].failure


def test_a_task_that_owes_outputs_and_writes_none_has_failed(carry_out: Callable[..., Bench]) -> None:
    runs = line("true", "true", children=("next",))

    bench = carry_out(all_of(runs))

    assert [bench.ended[run.unit].failure for run in runs] == ["wrote no output although next has to be fed"] * 2


def test_what_is_recalled_has_not_begun(carry_out: Callable[..., Bench], tmp_path: Path) -> None:
    go, began, no = tmp_path / "go", tmp_path / "began", tmp_path / "no"
    runs = line("true", "true", f"touch {began}; until [ -e {go} ]; do sleep 0.01; done", f"touch {no}", "true")

    async def test(bench: Bench, nursery: trio.Nursery) -> None:
        bench.start(nursery, *runs)
        while not began.exists():
            await trio.sleep(0.005)
        bench.executor.recall(runs[3].unit)
        bench.executor.recall(runs[2].unit)  # which has begun
        await bench.until(runs[3])
        assert runs[2].unit not in bench.ended
        go.touch()
        await bench.until(*runs)

    bench = carry_out(test)

    assert [bench.ended[run.unit].begun for run in runs] == [True, True, True, False, True]
    assert not no.exists()


def test_what_is_cancelled_ends_with_all_that_it_has_started(carry_out: Callable[..., Bench], tmp_path: Path) -> None:
    long = f"setsid sleep 1000 & echo $! > {tmp_path}/pid; sleep 1000"
    runs = line("true", long, "true", "true")

    async def test(bench: Bench, nursery: trio.Nursery) -> None:
        bench.start(nursery, *runs)
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            await trio.sleep(0.01)
        bench.cancel(runs[2])
        bench.cancel(runs[1])
        await bench.until(runs[3])

    bench = carry_out(test, grace_s=0.2)

    assert runs[1].unit not in bench.ended or bench.ended[runs[1].unit].exit_status == -signal.SIGTERM
    assert not bench.ended[runs[2].unit].begun
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.parametrize("has_gone", [False, True])
def test_what_has_begun_is_ended_also_while_its_application_is_waited_for(
    carry_out: Callable[..., Bench], tmp_path: Path, has_gone: bool
) -> None:
    long = f"echo $$ > {tmp_path}/pid; sleep 1000"

    def gone(application: FileRef) -> None:
        raise UnpackError(f"{application.name} is gone")

    async def test(bench: Bench, nursery: trio.Nursery) -> None:
        app = bench.application(data="some")
        runs = [replace(run, application=app) for run in line("true", "true", long)]
        unpacked = bench.executor._unpacked
        bench.start(nursery, *runs[:1])
        await bench.until(runs[0])
        bench.start(nursery, *runs[1:])
        assert runs[2].unit not in bench.scopes
        if has_gone:
            unpacked._make_ready = gone  # type: ignore[method-assign]
            unpacked._touched_s.clear()
            await bench.until(runs[2])
            assert bench.ended[runs[2].unit].failure == "app.tar is gone"
        else:
            async with unpacked._turn:
                while runs[2].unit not in bench.scopes:
                    await trio.sleep(0.01)
                await trio.testing.wait_all_tasks_blocked()
                bench.cancel(runs[2])
                with trio.fail_after(10):
                    while bench.executor._lanes.has(runs[2].unit) and not bench.scopes[runs[2].unit].cancelled_caught:
                        await trio.sleep(0.01)

        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "pid").read_text()), 0)

    carry_out(test, grace_s=0.2)


def test_a_walltime_ends_a_command_in_a_lane(carry_out: Callable[..., Bench]) -> None:
    runs = line("true", "sleep 1000", "true", walltime_s=0.3)

    bench = carry_out(all_of(runs), poll_s=0.05, grace_s=0.1)

    ended = bench.ended[runs[1].unit]
    assert ended.timed_out
    assert ended.failure == "ran longer than its walltime of 0.3 s"
    assert not bench.ended[runs[2].unit].failure


def test_who_prints_too_much_in_a_lane_is_ended(carry_out: Callable[..., Bench]) -> None:
    runs = line("true", "yes", "true")

    bench = carry_out(all_of(runs), poll_s=0.05, grace_s=0.1, log_bytes_max=1000)

    assert bench.ended[runs[1].unit].failure.startswith("printed more than")
    assert not bench.ended[runs[2].unit].failure


def test_daemons_that_a_command_leaves_are_ended_before_the_next_begins(
    carry_out: Callable[..., Bench], tmp_path: Path
) -> None:
    runs = line(
        "true", f"setsid sh -c 'echo $$ > {tmp_path}/pid; exec sleep 1000' & until [ -s {tmp_path}/pid ]; do :; done"
    )
    look = sh(7, f"kill -0 $(cat {tmp_path}/pid)", runs[1])

    bench = carry_out(all_of([*runs, look]))

    assert bench.ended[look.unit].exit_status == 1


def test_with_its_foreman_a_command_is_given_back_and_those_behind_it_have_not_begun(
    carry_out: Callable[..., Bench], tmp_path: Path
) -> None:
    runs = line("true", f"echo $PPID $$ > {tmp_path}/pid; sleep 1000", "true", "true")

    async def test(bench: Bench, nursery: trio.Nursery) -> None:
        bench.start(nursery, *runs)
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            await trio.sleep(0.01)
        foreman, _ = map(int, (tmp_path / "pid").read_text().split())
        os.kill(foreman, signal.SIGKILL)
        await bench.until(*runs)

    bench = carry_out(test)

    ends = [bench.ended[run.unit] for run in runs]
    assert [end.begun for end in ends] == [True, True, False, False]
    assert ends[1].ours
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text().split()[1]), 0)


def test_a_room_is_one_command_s_after_another_s_as_long_as_nothing_is_changed(
    carry_out: Callable[..., Bench], tmp_path: Path
) -> None:
    note = f"echo $PNODE_WORK_DIR >> {tmp_path}/rooms"

    async def test(bench: Bench, nursery: trio.Nursery) -> None:
        first = line("true", "true")
        bench.start(nursery, *first)
        await bench.until(*first)
        await trio.sleep(4 * TICK_S)
        runs = [replace(run, unit=replace(run.unit, attempt=2)) for run in line(*[note] * 6)]
        runs = [replace(run, behind=runs[at - 1].unit if at else None) for at, run in enumerate(runs)]
        bench.start(nursery, *runs)
        await bench.until(*runs)

    carry_out(test)

    rooms = (tmp_path / "rooms").read_text().split()
    assert len(set(rooms[3:])) == 1


def test_without_lanes_what_follows_waits_for_its_turn_all_the_same(
    carry_out: Callable[..., Bench], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    runs = line(*(f"echo {n} begins >> {log}; sleep 0.01; echo {n} ends >> {log}" for n in range(5)))

    async def test(bench: Bench, nursery: trio.Nursery) -> None:
        bench.executor._has_lanes = False
        bench.start(nursery, *runs)
        bench.executor.recall(runs[4].unit)
        await bench.until(*runs)

    bench = carry_out(test)

    expected = [f"{n} {what}" for n in range(4) for what in ("begins", "ends")]
    assert log.read_text().splitlines() == expected
    assert [bench.ended[run.unit].begun for run in runs] == [True] * 4 + [False]


def test_what_waits_in_a_lane_whose_foreman_dies_is_given_back(
    carry_out: Callable[..., Bench], tmp_path: Path
) -> None:
    runs = line("true", f"echo $PPID > {tmp_path}/pid; sleep 1000", "true", "true")

    async def test(bench: Bench, nursery: trio.Nursery) -> None:
        application = bench.application(a="1\n")
        runs[2] = replace(runs[2], application=application)  # which is not unpacked yet
        unpacking = bench.executor._unpacked._turn
        await unpacking.acquire()
        bench.start(nursery, *runs)
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            await trio.sleep(0.01)
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        await bench.until(runs[1], runs[3])
        unpacking.release()
        await bench.until(runs[2])

    bench = carry_out(test)

    assert [bench.ended[run.unit].begun for run in runs] == [True, True, False, False]


def test_what_a_foreman_has_said_is_heard_also_when_it_has_ended_meanwhile(
    carry_out: Callable[..., Bench], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine the node sees first that it is gone."""
    diary, at_once = tmp_path / "diary", Lane._listen
    runs = line(
        "true", f"echo one >> {diary}", f"echo two >> {diary}", f"echo three >> {diary}; kill -9 $PPID; sleep 9"
    )

    async def late(lane: Lane) -> None:
        while not diary.exists() or "three" not in diary.read_text():
            await trio.sleep(0.01)
        await trio.sleep(0.5)
        await at_once(lane)

    monkeypatch.setattr(Lane, "_listen", late)
    monkeypatch.setattr(lanes, "ROOMS", len(runs))
    bench = carry_out(all_of(runs))

    assert [(bench.ended[run.unit].begun, bench.ended[run.unit].failure == "") for run in runs] == [
        (True, True), (True, True), (True, True), (True, False),
    ]  # fmt: skip
    assert diary.read_text().split() == ["one", "two", "three"]


def test_what_follows_a_command_that_was_lost_with_its_foreman_is_carried_out(
    carry_out: Callable[..., Bench], tmp_path: Path
) -> None:
    runs = line("true", f"echo $PPID > {tmp_path}/pid; sleep 1000", "echo through")

    async def test(bench: Bench, nursery: trio.Nursery) -> None:
        bench.executor.attach(bench._ended, lambda run: None if run is runs[1] else bench._start(nursery, run))
        for run in runs[:2]:
            assert bench.executor.announce(run) or run is runs[0]
        bench._start(nursery, runs[0])
        lanes = bench.executor._lanes
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            await trio.sleep(0.01)
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        while lanes._lanes:
            await trio.sleep(0.005)
        bench.start(nursery, runs[2])
        bench._start(nursery, runs[1])
        await bench.until(runs[2])

    bench = carry_out(test)

    assert bench.printed(bench.ended[runs[2].unit]) == b"through\n"


def test_where_no_room_can_be_made_commands_are_given_back(
    carry_out: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = line("true", "true", "true")

    async def full() -> Room:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def test(bench: Bench, nursery: trio.Nursery) -> None:
        monkeypatch.setattr(bench.executor._rooms, "take", full)
        bench.start(nursery, *runs)
        await bench.until(*runs)

    bench = carry_out(test)

    assert all(bench.ended[run.unit].ours or not bench.ended[run.unit].begun for run in runs)
