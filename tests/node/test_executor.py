"""Units run as real processes; nothing here is faked but the application."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio

from pnode.node.allowance import ExecutorSettings
from pnode.node.archive import ShippedFile, pack
from pnode.node.executor import Executor
from pnode.node.processes import LINUX, Command
from pnode.node.store import Store
from pnode.protocol.dag import Program, ProgramKind, Task
from pnode.protocol.effects import Run, Unit
from pnode.protocol.events import RunEnded
from pnode.protocol.ids import JobId, digest_of, job_text
from pnode.protocol.jobspec import FileRef

from .soundness import is_sound

JOB = JobId(b"j" * 16)
SETTINGS = ExecutorSettings(poll_s=0.02, grace_s=0.3)


class Bench:
    """A node's executor, and applications and inputs to run."""

    def __init__(self, root: Path, settings: ExecutorSettings = SETTINGS) -> None:
        self.root = root
        self.home = root / "home"
        self.home.mkdir(mode=0o700)
        self.store = Store(self.home / "store")
        self.environment = {**os.environ, "PNODE_SECRET": "token", "OWN": "the node's"}
        self.executor = Executor(self.home, self.store, settings, self.environment)

    def application(self, executable: bool = False, **files: str) -> FileRef:
        """Files by name, `__` for a slash and `_` before the suffix for its dot."""
        shipped = []
        for name, content in files.items():
            path = self.root / "app" / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
            shipped.append(ShippedFile(str(path.relative_to(self.root / "app")), path, executable))
        pack(shipped, self.root / "app.tar")
        return self.store.add_file(self.root / "app.tar")

    def inputs(self, **contents: bytes) -> tuple[FileRef, ...]:
        return tuple(self.store.add_bytes(content, name) for name, content in contents.items())

    def module(self, source: str, *calls: tuple[FileRef, ...], **task: object) -> RunEnded:
        """Run a MODULE task whose module is `source`."""
        return self.run(self.module_run(source, *calls, **task))

    def module_run(self, source: str, *calls: tuple[FileRef, ...], **task: object) -> Run:
        program = Program(ProgramKind.MODULE, ("scripts/work.py",))
        return run_of(program, calls, self.application(scripts__work_py=source), **task)

    def command(self, *words: str, application: FileRef | None = None, **task: object) -> RunEnded:
        return self.run(run_of(Program(ProgramKind.COMMAND, words), (), application, **task))

    def shell(self, script: str, *calls: tuple[FileRef, ...], **task: object) -> RunEnded:
        return self.run(run_of(Program(ProgramKind.COMMAND, ("sh", "-c", script)), calls, None, **task))

    def run(self, run: Run) -> RunEnded:
        (ended,) = self.run_all(run)
        return ended

    def run_all(self, *runs: Run) -> list[RunEnded]:
        """One after another, as a node does."""

        async def main() -> list[RunEnded]:
            with trio.fail_after(30):
                async with trio.open_nursery() as nursery:
                    await nursery.start(self.executor._rooms.serve)
                    ended = [await self.executor.run(run) for run in runs]
                    nursery.cancel_scope.cancel()
            return ended

        ended = trio.run(main)
        assert list((self.home / "work").iterdir()) == []
        return ended

    def contents(self, ended: RunEnded) -> dict[str, bytes]:
        return {file.name: self.store.read(file.digest) for file in ended.outputs}

    def printed(self, ended: RunEnded) -> tuple[str, str]:
        return self.store.read(ended.stdout.digest).decode(), self.store.read(ended.stderr.digest).decode()


def run_of(
    program: Program, calls: tuple[tuple[FileRef, ...], ...], application: FileRef | None, **task: object
) -> Run:
    whole = replace(Task("work", ("next",), program), **task)  # type: ignore[arg-type]  # fields of Task by name
    return Run(Unit(JOB, "work", 3, 2), whole, calls or ((),), application, (("PNODE_NODE", "anna"), ("FACT", "f")))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def is_running(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


WRITE = "open(out + '/' + {name!r}, 'w').write({text!r})\n"


def test_commands_find_nothing_of_those_before_them(bench: Bench) -> None:
    script = """
ls "$PNODE_INPUT_DIR" "$PNODE_WORK_DIR/here" "$PNODE_OUTPUT_DIR" | grep -v :$
cat "$PNODE_INPUT_LIST"; ls "$PNODE_WORK_DIR"
for place in "$PNODE_INPUT_DIR" . "$PNODE_OUTPUT_DIR"; do echo $PNODE_ITEM > $place/left; done
echo left > "$PNODE_INPUT_LIST"; rm "$PNODE_WORK_DIR/stdout"
"""
    program = Program(ProgramKind.COMMAND, ("sh", "-c", script))
    runs = [replace(run_of(program, (), None), unit=Unit(JOB, "work", item, 1)) for item in range(20)]

    ended = bench.run_all(*runs)

    assert [one.failure for one in ended] == [""] * len(runs)
    assert [bench.contents(one) for one in ended] == [{"left": b"%d\n" % item} for item in range(len(runs))]
    assert {
        bench.printed(one)[0].split() == ["here", "in", "inputs", "out", "stderr", "stdout"] for one in ended
    } == {True}


def test_a_module_gets_a_string_for_one_input_and_its_outputs_come_back(bench: Bench) -> None:
    source = """
import os
def task(file, pathin, pathout):
    print("hello")
    assert type(file) is str
    with open(os.path.join(pathin, file)) as read, open(os.path.join(pathout, file + ".up"), "w") as write:
        write.write(read.read().upper())
"""
    ended = bench.module(source, bench.inputs(word=b"word"))

    assert ended.failure == ""
    assert ended.exit_status == 0
    assert bench.contents(ended) == {"word.up": b"WORD"}
    assert bench.printed(ended) == ("hello\n", "")
    assert 0 < ended.seconds < 30


@pytest.mark.parametrize(("count", "expected"), [(2, "['a', 'b']"), (1, "'a'")])
def test_a_module_that_takes_several_inputs_gets_a_list_in_order(bench: Bench, count: int, expected: str) -> None:
    source = "def task(files, pathin, pathout): open(pathout + '/seen', 'w').write(repr(files))"
    files = bench.inputs(a=b"1", b=b"2")[:count]

    ended = bench.module(source, files, inputs_per_call=count)
    assert bench.contents(ended) == {"seen": expected.encode()}


@pytest.mark.parametrize(("count", "expected"), [(1, "''"), (2, "[]")])
def test_a_call_without_inputs_is_a_call(bench: Bench, count: int, expected: str) -> None:
    source = "def task(files, pathin, pathout): open(pathout + '/seen', 'w').write(repr(files))"

    ended = bench.module(source, inputs_per_call=count)
    assert bench.contents(ended) == {"seen": expected.encode()}


def test_every_call_is_a_fresh_process_with_inputs_of_its_own_and_a_common_output_directory(bench: Bench) -> None:
    source = """
import os
seen = []
def task(file, pathin, pathout):
    seen.append(file)
    print(os.listdir(pathin), seen, len(os.listdir(pathout)))
    os.rename(os.path.join(pathin, file), os.path.join(pathout, "done_" + file))
"""
    calls = [(file,) for file in bench.inputs(a=b"1", b=b"2", c=b"3")]
    ended = bench.module(source, *calls)

    assert bench.printed(ended)[0] == "['a'] ['a'] 0\n['b'] ['b'] 1\n['c'] ['c'] 2\n"
    assert bench.contents(ended) == {"done_a": b"1", "done_b": b"2", "done_c": b"3"}


def test_a_task_cannot_harm_the_store_through_its_inputs(bench: Bench) -> None:
    (file,) = bench.inputs(a=b"precious")
    ended = bench.shell('chmod 777 "$PNODE_INPUT"; echo harm > "$PNODE_INPUT"; mv "$PNODE_INPUT" out', (file,))
    bench.shell('echo harm > "$PNODE_INPUT"; touch "$PNODE_OUTPUT_DIR/x"', (file,))

    assert ended.failure
    assert is_sound(bench.store, file.digest)


def test_a_module_finds_its_neighbours_and_their_data(bench: Bench) -> None:
    source = """
import os, sys
import neighbour, rooted
def task(file, pathin, pathout):
    data = open("data.txt").read() + open(os.path.join(os.path.dirname(__file__), "data.txt")).read()
    open("scratch.txt", "w").write("mine")
    open(os.path.join(pathout, "seen"), "w").write(neighbour.word + rooted.word + data)
    assert sys.argv == [__file__] and __name__ == "work"
if __name__ == "__main__":
    raise SystemExit("must not run")
"""
    application = bench.application(
        scripts__work_py=source,
        scripts__neighbour_py="word = 'n'",
        rooted_py="word = 'r'",
        scripts__data_txt="d",
    )
    run = run_of(Program(ProgramKind.MODULE, ("scripts/work.py",)), (), application)
    first, second = bench.run(run), bench.run(run)

    assert bench.contents(first) == bench.contents(second) == {"seen": b"nrdd"}
    (unpacked,) = (bench.home / "apps").iterdir()
    assert sorted(path.name for path in (unpacked / "scripts").iterdir()) == ["data.txt", "neighbour.py", "work.py"]
    assert not unpacked.stat().st_mode & 0o222


@pytest.mark.parametrize("name", ["json", "sys", "my-task", "two.dots"])
def test_a_module_may_be_called_like_one_that_is_loaded_already_or_oddly(bench: Bench, name: str) -> None:
    source = "def task(file, pathin, pathout): open(pathout + '/seen', 'w').write(__name__)"
    (bench.root / "odd.py").write_text(source)
    pack([ShippedFile(f"{name}.py", bench.root / "odd.py", False)], bench.root / "odd.tar")
    application = bench.store.add_file(bench.root / "odd.tar")
    ended = bench.run(run_of(Program(ProgramKind.MODULE, (f"{name}.py",)), (), application))

    assert (ended.failure, bench.contents(ended)) == ("", {"seen": name.encode()})


def test_a_command_is_told_everything_by_its_environment(bench: Bench) -> None:
    files = bench.inputs(a=b"1", b=b"2")
    script = """
env | grep -e ^PNODE_ -e ^TASK -e ^NODE_NAME -e ^FACT -e ^OWN -e ^MINE | sort > "$PNODE_OUTPUT_DIR/env"
cat "$PNODE_INPUT_LIST" > "$PNODE_OUTPUT_DIR/list"
pwd > "$PNODE_OUTPUT_DIR/pwd"
"""
    ended = bench.shell(script, files, environment=(("MINE", "m"), ("FACT", "task's")))
    seen = bench.contents(ended)
    found = dict(line.split("=", 1) for line in seen["env"].decode().splitlines())
    place = Path(found["PNODE_WORK_DIR"])

    assert place.parent == bench.home / "work"
    assert found == {
        "PNODE_TASK": "work", "PNODE_JOB": job_text(JOB), "PNODE_ITEM": "3", "PNODE_ATTEMPT": "2",
        "PNODE_NODE": "anna", "PNODE_APP_DIR": "", "PNODE_INPUTS": "2", "PNODE_INPUT": "",
        "PNODE_INPUT_DIR": str(place / "in"), "PNODE_INPUT_LIST": str(place / "inputs"),
        "PNODE_OUTPUT_DIR": str(place / "out"), "PNODE_WORK_DIR": str(place),
        "TASK": "work", "NODE_NAME": "anna", "FACT": "task's", "MINE": "m", "OWN": "the node's",
    }  # fmt: skip
    assert seen["list"].decode().splitlines() == [str(place / "in" / name) for name in ("a", "b")]
    assert seen["pwd"].decode().strip() == str(place / "here")


def test_a_command_with_one_input_gets_its_path(bench: Bench) -> None:
    ended = bench.shell('tr a-z A-Z < "$PNODE_INPUT" > "$PNODE_OUTPUT_DIR/up"', bench.inputs(word=b"word"))

    assert bench.contents(ended) == {"up": b"WORD"}


@pytest.mark.parametrize(
    ("name", "content", "executable"),
    [
        ("run_sh", 'cp data.txt "$PNODE_OUTPUT_DIR/$1"', False),
        ("run_sh", '#!/bin/sh\ncp data.txt "$PNODE_OUTPUT_DIR/$1"', True),
        ("run", '#!/bin/sh\ncp data.txt "$PNODE_OUTPUT_DIR/$1"', False),
        ("bin__run", '#!/bin/sh\ncp "$PNODE_APP_DIR/data.txt" "$PNODE_OUTPUT_DIR/$1"', True),
    ],
)
def test_a_program_of_the_application_is_run_from_there(
    bench: Bench, name: str, content: str, executable: bool
) -> None:
    application = bench.application(executable, **{name: content}, data_txt="data")
    word = name.replace("__", "/").replace("_", ".")
    ended = bench.command(word, "copied", application=application)

    assert (ended.failure, bench.contents(ended)) == ("", {"copied": b"data"})


def test_a_command_that_is_nowhere_is_a_stated_failure(bench: Bench) -> None:
    nowhere = bench.command("no-such-command")
    outside = bench.command("../../bin/sh", application=bench.application(data_txt="data"))

    assert (nowhere.failure, nowhere.exit_status) == ("the command 'no-such-command' is not on this node's PATH", 127)
    assert outside.failure == (
        "the command '../../bin/sh' is neither a file of the application nor on this node's PATH"
    )
    assert nowhere.outputs == ()
    assert bench.printed(nowhere) == ("", "")


def test_a_command_that_cannot_be_executed_is_a_stated_failure(bench: Bench) -> None:
    plain = bench.root / "plain"
    plain.write_text("no program")
    no_bit = bench.command(str(plain))
    no_format = bench.command("plain.txt", application=bench.application(plain_txt="no program"))
    no_interpreter = bench.command("lost", application=bench.application(lost="#!/no/such/interpreter\n"))

    assert (no_bit.failure, no_bit.exit_status) == (f"the command {plain} is not executable", 126)
    assert no_format.failure.endswith("Exec format error; does it begin with #! and the path of its interpreter?")
    assert no_interpreter.failure.endswith(
        "No such file or directory; does it begin with #! and the path of its interpreter?"
    )
    assert no_interpreter.exit_status == 127


@pytest.mark.parametrize(
    ("source", "failure", "last"),
    [
        ("def task(f, i, o): raise ValueError('bad input')", "ValueError: bad input", "ValueError: bad input"),
        ("def task(f, i, o): raise ValueError('two\\nlines \\ud800')", "ValueError: two lines \\ud800", ""),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'", ""),
        ("def task(:", "SyntaxError: invalid syntax", ""),
        ("x = 1", "has no function task(file, pathin, pathout)", ""),
        ("def task(f, i, o): raise SystemExit(3)", "exit status 3", ""),
        ("import os\ndef task(f, i, o): os._exit(4)", "exit status 4", ""),
        ("import os\ndef task(f, i, o): os.kill(os.getpid(), 9)", "killed by signal 9 (SIGKILL)", ""),
        ("import os\ndef task(f, i, o): os.kill(os.getpid(), 40)", "killed by signal 40 (SIGRTMIN+6)", ""),
    ],
)
def test_a_module_that_fails_says_why(bench: Bench, source: str, failure: str, last: str) -> None:
    ended = bench.module(source)

    assert ended.failure.endswith(failure)
    assert ended.exit_status != 0
    assert ended.outputs == ()
    assert ended.stderr_tail == bench.printed(ended)[1]
    assert ended.stderr_tail.rstrip().endswith(last)
    assert "worker.py" not in ended.stderr_tail


def test_a_module_that_is_not_there_is_a_stated_failure(bench: Bench) -> None:
    program = Program(ProgramKind.MODULE, ("scripts/lost.py",))
    without = bench.run(run_of(program, (), None))
    beside = bench.run(run_of(program, (), bench.application(other_py="")))

    assert without.failure == beside.failure == "the application has no file scripts/lost.py"


@pytest.mark.parametrize(
    ("script", "failure", "status"),
    [
        ("exit 3", "exit status 3", 3),
        ("kill -9 $$", "killed by signal 9 (SIGKILL)", -9),
        ("kill -TERM $$", "killed by signal 15 (SIGTERM)", -15),
    ],
)
def test_a_command_that_fails_says_how(bench: Bench, script: str, failure: str, status: int) -> None:
    ended = bench.shell(f"echo out; echo err >&2; touch $PNODE_OUTPUT_DIR/x; {script}")

    assert (ended.failure, ended.exit_status, ended.outputs) == (failure, status, ())
    assert bench.printed(ended) == ("out\n", "err\n")
    assert ended.stderr_tail == "err\n"


def test_the_call_that_failed_is_named_and_ends_the_unit(bench: Bench) -> None:
    calls = [(file,) for file in bench.inputs(a=b"", b=b"", c=b"")]
    ended = bench.shell('echo "$PNODE_INPUT"; test "$(basename $PNODE_INPUT)" = a', *calls)

    assert ended.failure == "exit status 1 (call 2 of 3)"
    assert len(bench.printed(ended)[0].splitlines()) == 2


@pytest.mark.parametrize(
    ("task", "failure"),
    [
        ({"children": ("left",)}, "wrote no output although left has to be fed"),
        ({"children": ("left", "right")}, "wrote no output although left, right have to be fed"),
        ({"children": (), "final": True}, "wrote no output although its outputs are results of the job"),
        ({"children": ()}, ""),
    ],
)
def test_no_output_is_a_failure_where_somebody_waits_for_it(
    bench: Bench, task: dict[str, object], failure: str
) -> None:
    ended = bench.shell("true", **task)

    assert ended.failure == failure


def test_outputs_are_taken_as_they_are_when_the_process_has_ended(bench: Bench) -> None:
    script = (
        'cd "$PNODE_OUTPUT_DIR"; : > late; : > empty; sleep 0.1; printf full >> late; head -c 300 /dev/zero > bin'
    )
    ended = bench.shell(script)

    assert bench.contents(ended) == {"empty": b"", "late": b"full", "bin": bytes(300)}


@pytest.mark.skipif(not LINUX, reason="only the kernel of Linux tells when files were closed")
def test_outputs_come_in_the_order_in_which_they_were_closed(bench: Bench) -> None:
    names = ["zebra", "ant", "moose", "bee"]
    script = 'cd "$PNODE_OUTPUT_DIR"; exec 3>late; for name in ' + " ".join(names) + "; do : > $name; done"
    ended = bench.shell(script)

    assert [file.name for file in ended.outputs] == [*names, "late"]


@pytest.mark.parametrize("broken", ["inotify_init1", "inotify_add_watch"])
def test_without_the_kernels_help_outputs_come_in_the_order_of_their_times(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    class Library:
        def __getattr__(self, name: str) -> Callable[..., int]:
            return lambda *_: -1 if name == broken else os.open("/dev/null", os.O_RDONLY)

    monkeypatch.setattr("pnode.node.outputs._libc", Library)
    script = 'cd "$PNODE_OUTPUT_DIR"; touch -d @3 a; touch -d @1 c; touch -d @2 b; touch -d @1 bb'
    ended = bench.shell(script)

    assert [file.name for file in ended.outputs] == ["bb", "c", "b", "a"]


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        ("[pathout + '/b', pathout + '/a', pathout + '/c']", "bac"),
        ("('c',)", "cab"),
        ("pathout + '/c'", "cab"),
        ("[pathlib.Path(pathout, 'b'), 'no such file', 'b']", "bac"),
        ("None", "abc"),
        ("['c', 7]", "abc"),
        ("object()", "abc"),
    ],
)
def test_the_list_that_a_task_returns_is_the_order_of_its_outputs(bench: Bench, returned: str, expected: str) -> None:
    source = f"""
import pathlib
def task(file, pathin, pathout):
    for name in "abc":
        pathlib.Path(pathout, name).write_text(name)
    return {returned}
"""
    ended = bench.module(source)

    assert "".join(file.name for file in ended.outputs) == expected


def test_only_regular_files_are_outputs_and_the_rest_is_noted(bench: Bench) -> None:
    script = """
cd "$PNODE_OUTPUT_DIR"
echo out > good; mkdir scratch; echo deep > scratch/deep; ln -s /etc/passwd link; mkfifo pipe; echo x > 'two
lines'; ln good twin; echo closed > shut; chmod 0 shut
"""
    ended = bench.shell(script)

    assert bench.contents(ended) == {"good": b"out\n", "twin": b"out\n", "shut": b"closed\n"}
    assert bench.printed(ended)[1].splitlines() == [
        "pnode: output b'link' is left out: it is a symbolic link",
        "pnode: output b'pipe' is left out: it is not a regular file",
        "pnode: output b'scratch' is left out: it is a directory",
        "pnode: output b'two\\nlines' is left out: it has a line break",
    ]


class Victim:
    """A directory that is not the node's, with files in it: what tasks try to make the node harm."""

    def __init__(self, root: Path) -> None:
        self.path = root / "victim"
        (self.path / "inner").mkdir(parents=True)
        for name in ("thesis", "inner/data"):
            (self.path / name).write_text("precious")
            (self.path / name).chmod(0o640)
        self._before = self.look()

    def look(self) -> list[tuple[str, int, int, int, bytes]]:
        """Everything about what is there but the times."""
        found = [(path, path.lstat()) for path in sorted([self.path, *self.path.rglob("*")])]
        return [
            (str(path), status.st_mode, status.st_ino, status.st_nlink, b"" if path.is_dir() else path.read_bytes())
            for path, status in found
        ]

    @property
    def is_unharmed(self) -> bool:
        return self.look() == self._before


REPLACED = "is another one than was made: change what is in it, not itself"


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        ('rm -rf "$OUT"; ln -s "$VICTIM" "$OUT"', f"the directory out {REPLACED}"),
        ('mv "$OUT" "$ASIDE"; mkdir "$OUT"; cp "$VICTIM/thesis" "$OUT"', f"the directory out {REPLACED}"),
        ('rm -rf "$OUT"', "the directory out is gone: No such file or directory"),
        ('rm -rf "$OUT"; echo x > "$OUT"', f"the directory out {REPLACED}"),
        ('rm -rf "$OUT"; mkfifo "$OUT"', f"the directory out {REPLACED}"),
        ('cd "$VICTIM"; rm -rf "$HERE"; ln -s "$VICTIM" "$HERE"', f"the directory here {REPLACED}"),
        ('cd "$VICTIM"; rm -rf "$PLACE"', "the directory PLACE is gone: No such file or directory"),
        ('cd "$VICTIM"; rm -rf "$PLACE"; ln -s "$VICTIM" "$PLACE"', f"the directory PLACE {REPLACED}"),
        (
            'cd "$VICTIM"; mv "$PLACE" "$ASIDE"; ln -s "$VICTIM" "$PLACE"; mkdir "$ASIDE/more"',
            f"the directory PLACE {REPLACED}",
        ),
        ('cd "$VICTIM"; mv "$PLACE" "$ASIDE"; ln -s "$ASIDE" "$PLACE"', f"the directory PLACE {REPLACED}"),
    ],
)
def test_a_task_that_replaces_a_directory_of_its_workplace_fails_and_nothing_else_is_touched(
    bench: Bench, script: str, failure: str
) -> None:
    victim = Victim(bench.root)
    names = (
        'set -eu; PLACE="${PNODE_WORK_DIR:?}"; OUT="${PNODE_OUTPUT_DIR:?}"; HERE="$PLACE/here"; basename "$PLACE"; '
    )
    environment = (("VICTIM", str(victim.path)), ("ASIDE", str(bench.root / "aside")))
    ended = bench.shell(names + script, environment=environment, children=())
    place = bench.printed(ended)[0].strip()

    assert ended.failure == failure.replace("PLACE", place)
    assert ended.outputs == ()
    assert victim.is_unharmed


def test_a_task_that_replaces_the_directory_of_all_workplaces_harms_units_only(bench: Bench) -> None:
    victim = Victim(bench.root)
    script = """
set -eu; cd "$VICTIM"; work="$(dirname "${PNODE_WORK_DIR:?}")"; mv "$work" "$ASIDE"
mkdir "$VICTIM/$(basename "$PNODE_WORK_DIR")"; ln -s "$VICTIM" "$work"
"""
    environment = (("VICTIM", str(victim.path)), ("ASIDE", str(bench.root / "aside")))
    run = run_of(Program(ProgramKind.COMMAND, ("sh", "-c", script)), (), None, environment=environment, children=())
    first = trio.run(bench.executor.run, run)
    second = trio.run(bench.executor.run, run)

    assert REPLACED in first.failure or "is gone" in first.failure
    assert second.failure == f"cannot make its directory: the directory work {REPLACED}"
    (left,) = [path for path in victim.path.iterdir() if path.name not in ("inner", "thesis")]
    left.rmdir()
    assert victim.is_unharmed


def test_a_hard_link_among_the_outputs_is_copied_and_the_users_file_stays_as_it_is(bench: Bench) -> None:
    victim = Victim(bench.root)
    script = 'ln "$VICTIM/thesis" "$PNODE_OUTPUT_DIR/mine"; ln -s "$VICTIM/thesis" "$PNODE_OUTPUT_DIR/link"'
    ended = bench.shell(script, environment=(("VICTIM", str(victim.path)),))

    assert bench.contents(ended) == {"mine": b"precious"}
    assert victim.is_unharmed
    (victim.path / "thesis").write_text("changed afterwards")
    assert is_sound(bench.store, ended.outputs[0].digest)


def test_a_second_call_writes_nothing_through_what_the_first_has_left(bench: Bench) -> None:
    victim = Victim(bench.root)
    script = """
set -eu; cd "${PNODE_WORK_DIR:?}"
rm -rf in inputs result; ln -s "$VICTIM" in; ln -s "$VICTIM/thesis" inputs; ln -s "$VICTIM/thesis" result
echo done > "$PNODE_OUTPUT_DIR/$PNODE_INPUTS"
"""
    calls = [(file,) for file in bench.inputs(a=b"1", b=b"2")]
    ended = bench.shell(script, *calls, environment=(("VICTIM", str(victim.path)),))

    assert (ended.failure, bench.contents(ended)) == ("", {"1": b"done\n"})
    assert victim.is_unharmed


@pytest.mark.parametrize("log", ["stdout", "stderr"])
@pytest.mark.parametrize("instead", ["true", "mkdir {}", "mkfifo {}", 'ln -s "$VICTIM/thesis" {}', "ln -s {} {}"])
def test_a_task_may_put_anything_in_the_place_of_its_logs(bench: Bench, log: str, instead: str) -> None:
    victim = Victim(bench.root)
    replace_it = f"rm {log}; {instead.replace('{}', log)}"
    script = f'set -eu; cd "${{PNODE_WORK_DIR:?}}"; {replace_it}; echo out; echo err >&2; ln -s x out/note'
    ended = bench.shell(script, environment=(("VICTIM", str(victim.path)),), children=())

    assert ended.failure == ""
    assert bench.printed(ended) == ("out\n", "err\npnode: output b'note' is left out: it is a symbolic link\n")
    assert victim.is_unharmed


def test_a_log_with_another_name_is_copied(bench: Bench) -> None:
    ended = bench.shell(
        'ln "$PNODE_WORK_DIR/stdout" "$KEPT"; echo out',
        environment=(("KEPT", str(bench.root / "kept")),),
        children=(),
    )
    (bench.root / "kept").write_text("changed afterwards")

    assert is_sound(bench.store, ended.stdout.digest)
    assert bench.printed(ended)[0] == "out\n"


@pytest.mark.parametrize("instead", ["pass", "os.mkdir(result)", "os.mkfifo(result)", "os.symlink(victim, result)"])
@pytest.mark.parametrize(
    ("end", "failure"), [("return [o + '/b', o + '/a']", ""), ("raise ValueError('bad')", "ValueError: bad")]
)
def test_a_task_may_put_anything_in_the_place_of_its_result(
    bench: Bench, instead: str, end: str, failure: str
) -> None:
    victim = Victim(bench.root)
    source = f"""
import os
def task(f, i, o):
    result, victim = os.environ["PNODE_WORK_DIR"] + "/result", {str(victim.path / "thesis")!r}
    os.unlink(result)
    {instead}
    for name in "ab":
        open(o + "/" + name, "w").close()
    {end}
"""
    ended = bench.module(source)

    assert ended.failure == failure
    assert [file.name for file in ended.outputs] == ([] if failure else ["b", "a"])
    assert victim.is_unharmed


def test_a_directory_deeper_than_any_recursion_is_removed(bench: Bench) -> None:
    source = """
import os
def task(f, i, o):
    for _ in range(3000):
        os.mkdir("d")
        os.chdir("d")
    open(o + "/x", "w").close()
"""
    ended = bench.module(source)

    assert ended.failure == ""


def test_a_link_in_an_unpacked_application_is_neither_run_nor_changed(bench: Bench) -> None:
    victim = Victim(bench.root)
    application = bench.application(run_me="data")
    bench.command("true", application=application, children=())
    (unpacked,) = (bench.home / "apps").iterdir()
    unpacked.chmod(0o700)
    (unpacked / "run.me").unlink()
    (unpacked / "run.me").symlink_to(victim.path / "thesis")
    linked = bench.command("run.me", application=application, children=())
    (unpacked / "run.me").unlink()
    (unpacked / "run.me").hardlink_to(victim.path / "thesis")
    twin = bench.command("run.me", application=application, children=())
    (unpacked / "run.me").unlink()

    assert linked.failure == "the command 'run.me' is neither a file of the application nor on this node's PATH"
    assert twin.failure == "cannot find its program: 'run.me' is not the file that was unpacked"
    assert victim.is_unharmed


@pytest.mark.parametrize(
    ("words", "failure"),
    [
        (("x" * 4000,), "(the command 'x*|cannot find its program: .*) ..."),
        (("/" + "x" * 4000,), "cannot find its program: .* ..."),
        (("echo", "\ud800"), "cannot start '.*echo': argument 1 has a zero byte or is no text"),
        (("echo", *["x" * 200_000]), "cannot start .*: Argument list too long.*"),
    ],
)
def test_words_that_no_process_can_have_are_a_stated_failure(
    bench: Bench, words: tuple[str, ...], failure: str
) -> None:
    ended = bench.command(*words, children=())

    assert re.fullmatch(failure, ended.failure, re.DOTALL)
    assert len(ended.failure.encode()) <= 4096


@pytest.mark.parametrize("word", ["a\0b", "\0", "\ud800"])
def test_a_command_knows_what_no_process_can_be_given(word: str) -> None:
    fine = Command(("echo", "\udcff\n="), Path(), {"NAME": "v=w\n"}, 1, 2)

    assert fine.problem() == ""
    assert replace(fine, words=("echo", word)).problem() == "argument 1 has a zero byte or is no text"
    assert replace(fine, environment={"NAME": word}).problem().startswith("the variable NAME has a zero byte")
    assert replace(fine, environment={word: "v"}).problem().endswith("has no name that the environment can hold")


@pytest.mark.parametrize(
    ("name", "value"), [("N\0AME", "v"), ("NA=ME", "v"), ("", "v"), ("NAME", "v\0v"), ("NAME", "\ud800")]
)
def test_facts_that_no_environment_can_hold_are_a_stated_failure(bench: Bench, name: str, value: str) -> None:
    run = run_of(Program(ProgramKind.COMMAND, ("true",)), (), None, children=())
    ended = bench.run(replace(run, environment=((name, value),)))

    assert re.search("cannot start '.*true': the variable ", ended.failure)


def test_names_in_any_script_pass_through_unchanged(bench: Bench) -> None:
    name = "Größe 数据 🎈.txt"
    source = "import shutil\ndef task(f, i, o): shutil.copy(f'{i}/{f}', o); print(f); return [f'{o}/{f}']"
    file = bench.store.add_bytes(b"content", name)
    ended = bench.module(source, (file,))

    assert bench.contents(ended) == {name: b"content"}
    assert bench.printed(ended)[0] == f"{name}\n"


def test_a_name_that_is_not_text_is_left_out(bench: Bench) -> None:
    ended = bench.shell('cd "$PNODE_OUTPUT_DIR"; touch "$(printf \'bad\\377\')" good')

    assert [file.name for file in ended.outputs] == ["good"]
    assert "output b'bad\\xff' is left out: it is not UTF-8" in ended.stderr_tail


@pytest.mark.parametrize("name", ["two\nlines", "x" * 256, "\udcff"])
def test_an_input_that_cannot_be_listed_is_refused(bench: Bench, name: str) -> None:
    file = bench.store.add_bytes(b"content", name)
    ended = bench.shell("true", (file,))

    assert ended.failure.startswith(f"the input {name!r} ")


def test_two_inputs_of_one_name_are_refused_unless_they_are_the_same(bench: Bench) -> None:
    one, other = bench.store.add_bytes(b"1", "same"), bench.store.add_bytes(b"2", "same")
    script = 'echo $PNODE_INPUTS > "$PNODE_OUTPUT_DIR/count"'

    assert bench.shell(script, (one, other)).failure == "two different inputs are called 'same'"
    assert bench.contents(bench.shell(script, (one, one))) == {"count": b"2\n"}


def test_an_input_or_an_application_that_is_not_there_is_a_stated_failure(bench: Bench) -> None:
    lost = FileRef("lost", 4, digest_of(b"lost"))
    noise = bench.store.add_bytes(b"noise" * 1000, "application")

    assert bench.shell("true", (lost,)).failure.startswith("the input 'lost' is gone: content ")
    assert "is not in the store" in bench.command("x", application=lost).failure
    assert "cannot unpack the application application: " in bench.command("x", application=noise).failure


def test_a_task_that_runs_too_long_is_ended_with_all_its_children(bench: Bench) -> None:
    script = "trap '' TERM; echo $$; sleep 60 & echo $!; setsid sleep 60 & echo $!; wait"
    began = time.monotonic()
    ended = bench.shell(script, walltime_s=0.3)

    assert ended.failure == "ran longer than its walltime of 0.3 s"
    assert ended.timed_out
    assert ended.exit_status == -signal.SIGKILL
    assert time.monotonic() - began < 5
    pids = [int(line) for line in bench.printed(ended)[0].split()]
    assert len(pids) == 3
    assert not any(map(is_running, pids))


def test_a_walltime_counts_for_all_calls_together(bench: Bench) -> None:
    calls = [(file,) for file in bench.inputs(a=b"", b=b"", c=b"", d=b"")]
    ended = bench.shell("sleep 0.15", *calls, walltime_s=0.4, children=())

    assert ended.failure.startswith("ran longer than its walltime of 0.4 s (call ")
    assert ended.timed_out


def test_a_failure_within_the_walltime_is_no_timeout(bench: Bench) -> None:
    ended = bench.shell("exit 3", walltime_s=60.0)

    assert (ended.failure, ended.timed_out, ended.ours) == ("exit status 3", False, False)


def test_a_task_is_asked_to_end_before_it_is_made_to(bench: Bench) -> None:
    ended = bench.shell("trap 'echo bye; exit 0' TERM; while :; do sleep 0.01; done", walltime_s=0.2)

    assert bench.printed(ended)[0] == "bye\n"
    assert ended.failure.startswith("ran longer")


@pytest.mark.skipif(not LINUX, reason="elsewhere what leaves the process group is out of reach")
def test_what_a_task_leaves_behind_is_ended_when_it_ends(bench: Bench) -> None:
    daemon = "setsid sh -c 'setsid sleep 60 & echo $!; echo $$; sleep 60' &"
    script = f"sleep 60 & echo $!; {daemon} sleep 0.2; touch $PNODE_OUTPUT_DIR/done"
    ended = bench.shell(script)

    pids = [int(line) for line in bench.printed(ended)[0].split()]
    assert ended.failure == ""
    assert len(pids) == 3
    assert not any(map(is_running, pids))


def test_a_process_that_changes_its_outputs_after_the_end_is_too_late(bench: Bench) -> None:
    script = '(sleep 0.3; echo harm > "$PNODE_OUTPUT_DIR/x") & echo good > "$PNODE_OUTPUT_DIR/x"'
    ended = bench.shell(script)
    time.sleep(0.4)

    assert bench.contents(ended) == {"x": b"good\n"}
    assert is_sound(bench.store, ended.outputs[0].digest)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_task_that_prints_without_end_is_ended(tmp_path: Path, stream: str) -> None:
    bench = Bench(tmp_path, replace(SETTINGS, log_bytes_max=2**20))
    ended = bench.shell("yes" + (" >&2" if stream == "stderr" else ""))

    assert ended.failure == f"printed more than 1 MiB to {stream}"
    assert {"stdout": ended.stdout, "stderr": ended.stderr}[stream].size_bytes == 2**20


def test_a_task_that_prints_too_much_and_ends_is_a_failure_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path, replace(SETTINGS, log_bytes_max=1000, poll_s=10))
    ended = bench.shell("seq 1000; touch $PNODE_OUTPUT_DIR/x")

    assert ended.failure == "printed more than 1000 bytes to stdout"
    assert bench.printed(ended)[0].startswith("1\n2\n")


def test_a_task_that_writes_without_end_is_ended(tmp_path: Path) -> None:
    bench = Bench(tmp_path, replace(SETTINGS, output_bytes_max=2**20))
    whole = bench.shell('while :; do head -c 300000 /dev/zero > "$PNODE_OUTPUT_DIR/$((i=i+1))"; done')

    assert whole.failure == "wrote more than 1 MiB into its output directory"
    assert bench.store.used_bytes < 2**20


@pytest.mark.skipif(not LINUX, reason="limits cannot be set from outside elsewhere")
def test_no_file_grows_beyond_the_limit_between_two_looks(tmp_path: Path) -> None:
    bench = Bench(tmp_path, replace(SETTINGS, output_bytes_max=2**20, poll_s=10))
    ended = bench.command("dd", "if=/dev/zero", "of=big", "bs=100k")

    assert ended.failure in ("wrote a file of more than 1 MiB", "exit status 1")  # dd may have SIGXFSZ ignored


def test_thousands_of_outputs_are_fine_and_too_many_are_a_failure(tmp_path: Path) -> None:
    bench = Bench(tmp_path, replace(SETTINGS, outputs_max=1000))
    script = 'cd "$PNODE_OUTPUT_DIR"; seq {} | split -l 1 -a 4'
    fine, too_many = bench.shell(script.format(1000)), bench.shell(script.format(1001))

    assert (fine.failure, len(fine.outputs)) == ("", 1000)
    assert bench.store.read(fine.outputs[999].digest) == b"1000\n"
    assert too_many.failure == "wrote more than 1000 files into its output directory"


def test_outputs_that_find_no_room_are_a_stated_failure(bench: Bench) -> None:
    bench.store._shelf.quota_bytes = 100
    ended = bench.shell("echo printed; head -c 1000 /dev/zero > $PNODE_OUTPUT_DIR/x")

    assert ended.failure.startswith("cannot keep its outputs: the store has no room for 1000 bytes")
    assert ended.ours
    assert bench.printed(ended)[0] == "printed\n"


@pytest.mark.parametrize(
    ("script", "failure", "is_ours"),
    [("exit 3", "exit status 3; the disk of this node is full", True),
     ("true", "wrote no output although next has to be fed; the disk of this node is full", True),
     ("kill -9 $$", "killed by signal 9 (SIGKILL)", False)],
)  # fmt: skip
def test_a_task_that_fails_where_the_disk_is_full_is_not_to_blame(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, script: str, failure: str, is_ours: bool
) -> None:
    monkeypatch.setattr(Store, "is_disk_full", True)

    ended = bench.shell(script)

    assert (ended.failure, ended.ours) == (failure, is_ours)


def test_a_disk_is_full_when_hardly_anything_is_left_on_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not bench.store.is_disk_full
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    assert bench.store.is_disk_full


def test_the_end_of_stderr_is_told_within_bounds(bench: Bench) -> None:
    ended = bench.shell("seq 100000 >&2; printf '\\377€€€' >&2; exit 1")
    wide = bench.shell("for i in $(seq 3000); do printf '€' >&2; done; exit 1")

    assert len(ended.stderr_tail) == 2000
    assert ended.stderr_tail.endswith("\n100000\n\ufffd€€€")
    assert len(wide.stderr_tail.encode()) <= 4000
    assert set(wide.stderr_tail) == {"€"}


def test_what_a_unit_wrote_is_pinned_for_its_job(bench: Bench) -> None:
    ended = bench.shell("echo printed; echo out > $PNODE_OUTPUT_DIR/x")
    bench.store._shelf.quota_bytes = bench.store.used_bytes
    with pytest.raises(Exception, match="no room"):
        bench.store.add_bytes(b"more", "file")
    bench.store.unpin(JOB)
    bench.store.add_bytes(b"more", "file")

    assert not bench.store.has(ended.outputs[0].digest) or not bench.store.has(ended.stdout.digest)


def start_and(
    bench: Bench, script: str, then: Callable[[trio.CancelScope, Run], None]
) -> tuple[RunEnded | None, int]:
    """Run a script and then sleep; do something once it has got so far, and wait for what comes of it."""
    words = ("sh", "-c", f"{script}; echo $$ > pid.new; mv pid.new pid; sleep 60")
    run = run_of(Program(ProgramKind.COMMAND, words), (), None)
    results: list[RunEnded] = []
    pid = 0

    async def main() -> None:
        nonlocal pid
        with trio.fail_after(20), trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:

                async def work() -> None:
                    results.append(await bench.executor.run(run))

                nursery.start_soon(work)
                while not (found := list((bench.home / "work").glob("*/here/pid"))):
                    await trio.sleep(0.01)
                pid = int(found[0].read_text())
                then(scope, run)

    trio.run(main)
    return (results[0] if results else None), pid


def test_a_cancelled_unit_ends_with_what_it_has_printed_and_no_process_is_left(bench: Bench) -> None:
    ended, pid = start_and(bench, "echo so far", lambda _, run: bench.executor.cancel(run.unit))

    assert ended is not None
    assert (ended.failure, ended.exit_status) == ("cancelled", -signal.SIGTERM)
    assert bench.printed(ended)[0] == "so far\n"
    assert not is_running(pid)
    assert list((bench.home / "work").iterdir()) == []
    bench.executor.cancel(ended.unit)  # too late, and no harm


def test_a_node_that_stops_leaves_no_process_behind(bench: Bench) -> None:
    ended, pid = start_and(bench, "trap '' TERM", lambda scope, _: scope.cancel())

    assert ended is None
    assert not is_running(pid)
    assert list((bench.home / "work").iterdir()) == []


@pytest.mark.skipif(not LINUX, reason="elsewhere a process cannot be told by its environment")
def test_a_node_that_was_killed_clears_up_when_it_comes_back(bench: Bench) -> None:
    script = f"""
import trio
from pathlib import Path
from pnode.node.executor import Executor
from pnode.node.store import Store
from tests.node.test_executor import run_of, Program, ProgramKind
home = Path({str(bench.home)!r})
executor = Executor(home, Store(home / "store"))
trio.run(executor.run, run_of(Program(ProgramKind.COMMAND, ("sh", "-c", "echo $$ > pid; sleep 60")), (), None))
"""
    with subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[2]) as node:
        while not (found := [path for path in bench.home.glob("work/*/here/pid") if "\n" in path.read_text()]):
            time.sleep(0.01)
        pid = int(found[0].read_text())
        node.kill()
    assert is_running(pid)
    (bench.home / "work" / "notes").write_text("not a workplace")
    Executor(bench.home, bench.store)

    assert not is_running(pid)
    assert [path.name for path in (bench.home / "work").iterdir()] == ["notes"]


def test_units_run_beside_each_other(bench: Bench) -> None:
    application = bench.application(scripts__work_py="def task(f, i, o): open(o + '/' + f, 'w').write(f)")
    runs = [
        replace(
            run_of(
                Program(ProgramKind.MODULE, ("scripts/work.py",)), (bench.inputs(**{f"f{number}": b""}),), application
            ),
            unit=Unit(JOB, "work", number, 1),
        )
        for number in range(8)
    ]
    ended: list[RunEnded] = []

    async def main() -> None:
        async def work(run: Run) -> None:
            ended.append(await bench.executor.run(run))

        async with trio.open_nursery() as nursery:
            for run in runs:
                nursery.start_soon(work, run)

    trio.run(main)

    assert [end.failure for end in ended] == [""] * 8
    assert sorted(file.name for end in ended for file in end.outputs) == [f"f{number}" for number in range(8)]


def test_a_workplace_can_be_kept_for_a_look(tmp_path: Path) -> None:
    bench = Bench(tmp_path, replace(SETTINGS, keep=True))
    run = run_of(Program(ProgramKind.COMMAND, ("sh", "-c", "touch note; mkdir -m 0 $PNODE_WORK_DIR/shut")), (), None)
    trio.run(partial(bench.executor.run, run))

    (place,) = (bench.home / "work").iterdir()
    assert (place / "here" / "note").exists()
    Executor(bench.home, bench.store)
    assert not place.exists()
