"""Programs are started as real processes, by either way."""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from pnode.node import spawning
from pnode.node.processes import LINUX

Files = tuple[int, int, int]
Spawn = Callable[[Sequence[str], Path, Mapping[str, str], Files], int]


@pytest.fixture(params=["spawn", "_popen"])
def spawn(request: pytest.FixtureRequest) -> Spawn:
    found: Spawn = getattr(spawning, request.param)
    return found


def ran(spawn: Spawn, script: str, directory: Path, **environment: str) -> tuple[int, str]:
    """(exit status, what was printed)"""
    nothing = os.open(os.devnull, os.O_RDWR)
    printed = os.open(directory / "printed", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        pid = spawn(["/bin/sh", "-c", script], directory, environment, (nothing, printed, printed))
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status), os.pread(printed, 10_000, 0).decode()
    finally:
        os.close(nothing)
        os.close(printed)


def test_a_program_has_its_directory_its_environment_and_its_own_session(spawn: Spawn, tmp_path: Path) -> None:
    script = 'pwd; echo "$ONE"; echo $$; ps -o sid= -p $$ || cut -d" " -f6 /proc/$$/stat; exit 7'

    status, printed = ran(spawn, script, tmp_path, ONE="é 1", PATH=os.environ["PATH"])

    where, one, pid, session = printed.split("\n")[:4]
    assert (status, where, one) == (7, str(tmp_path), "é 1")
    assert pid == session.strip() != str(os.getsid(0))


@pytest.mark.skipif(not LINUX, reason="only Linux shows the descriptors of a process")
def test_a_program_inherits_nothing_but_what_it_is_given(spawn: Spawn, tmp_path: Path) -> None:
    ours = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(ours, True)

    _, printed = ran(spawn, f"ls -l /proc/$$/fd/{ours} 2> /dev/null || echo none", tmp_path, PATH=os.environ["PATH"])

    os.close(ours)
    assert printed == "none\n"


def test_a_program_is_killed_by_the_signals_that_python_ignores(spawn: Spawn, tmp_path: Path) -> None:
    status, _ = ran(spawn, "kill -PIPE $$; echo survived", tmp_path)

    assert status == -signal.SIGPIPE


@pytest.mark.parametrize(
    ("name", "mode", "error"),
    [("absent", None, FileNotFoundError), ("plain", 0o644, PermissionError), ("strange", 0o755, OSError)],
)
def test_what_cannot_be_started_says_why(
    spawn: Spawn, tmp_path: Path, name: str, mode: int | None, error: type[OSError]
) -> None:
    program = tmp_path / name
    if mode is not None:
        program.write_text("neither a script nor a program")
        program.chmod(mode)
    nothing = os.open(os.devnull, os.O_RDWR)

    with pytest.raises(error) as raised:
        spawn([str(program)], tmp_path, {}, (nothing, nothing, nothing))

    os.close(nothing)
    assert raised.value.filename == str(program)


def test_without_its_directory_nothing_is_started(spawn: Spawn, tmp_path: Path) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)

    with pytest.raises(FileNotFoundError):
        spawn(["/bin/true"], tmp_path / "absent", {}, (nothing, nothing, nothing))

    os.close(nothing)


def test_low_descriptors_do_not_overwrite_each_other(tmp_path: Path) -> None:
    """A stdout that is number 0 would be overwritten by stdin before it is used."""
    pid = os.fork()
    if not pid:
        nothing = os.open(os.devnull, os.O_RDWR)
        printed = os.open(tmp_path / "printed", os.O_RDWR | os.O_CREAT)
        os.dup2(printed, 0)
        child = spawning.spawn(["/bin/echo", "heard"], tmp_path, {}, (nothing, 0, nothing))
        os.waitpid(child, 0)
        os._exit(0)
    os.waitpid(pid, 0)

    assert (tmp_path / "printed").read_text() == "heard\n"
