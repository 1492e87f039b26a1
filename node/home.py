"""The home of a node: one directory that holds its key, its data, its socket and its log.

This module only knows where things lie, and the lock that says whether a node is alive there. It imports little,
since every command looks here first.
"""

import contextlib
import fcntl
import os
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path

HOME_VARIABLE = "PNODE_HOME"

SOCKET_PATH_BYTES_MAX = 103
"""What fits `sockaddr_un` everywhere: 104 bytes on macOS and the BSDs, 108 on Linux, one of them for the end."""


LOCK_ATTEMPTS = 10
LOCK_PAUSE_S = 0.02
"""Whoever looks whether the lock is held (`inhabitant`) has it for a moment; a node that starts then tries again."""

PID_BYTES_MAX = 20


class HomeError(Exception):
    """The directory cannot be a node's home; the person who chose it can choose another."""


class HomeInUseError(HomeError):
    """Another node lives there."""


def default_home() -> Path:
    """`PNODE_HOME`, else where this platform keeps a program's data."""
    chosen = os.environ.get(HOME_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "pnode"
    data = os.environ.get("XDG_DATA_HOME")
    # XDG base directories, section 2: a relative path in these variables is invalid and ignored.
    base = Path(data) if data and Path(data).is_absolute() else Path.home() / ".local" / "share"
    return base / "pnode"


def command_text(home: Path, words: str) -> str:
    """A command to advise, in quotes, as it reaches the node of this home: it names the home unless it looks there
    anyway."""
    elsewhere = "" if home == default_home() else f" --home {shlex.quote(str(home))}"
    return f"'pnode {words}{elsewhere}'"


def control_socket(home: Path) -> Path:
    return home / "control.sock"


def calls_socket(home: Path) -> Path:
    return home / "calls.sock"


def parcel_file(home: Path, nonce: bytes) -> Path:
    """Where a client leaves calls that are too long for a message."""
    return home / f"parcel-{nonce.hex()}"


def cluster_directory(home: Path) -> Path:
    """What says which cluster the node belongs to (see `identity`)."""
    return home / "cluster"


def has_cluster(home: Path) -> bool:
    """Whether a node has lived here that belonged to one."""
    return (cluster_directory(home) / "authority.pub").exists()


def log_file(home: Path) -> Path:
    return home / "node.log"


def failure_file(home: Path) -> Path:
    """Why the last node here could not start or go on, in one line for people; nothing when it did what it was told
    (see `launch.report_failure`)."""
    return home / "failure"


def last_failure(home: Path) -> str:
    """What is in the failure file; empty when there is nothing to say."""
    try:
        return failure_file(home).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def prepare_home(home: Path) -> None:
    """Make the directory, for its owner only. Raises HomeError if that cannot be or the path is too long."""
    size = len(os.fsencode(control_socket(home)))
    if size > SOCKET_PATH_BYTES_MAX:
        raise HomeError(
            f"the path {home} is too long for a home: its control socket would need {size} bytes and a Unix socket's"
            f" name has at most {SOCKET_PATH_BYTES_MAX}; choose a shorter one with --home"
        )
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise HomeError(
            f"cannot make the home directory {home}: {_reason(error)}; choose another with --home"
        ) from None
    if not os.access(home, os.W_OK | os.X_OK):
        raise HomeError(f"cannot write in the home directory {home}: choose another with --home, or mend its mode")


@contextlib.contextmanager
def hold_home(home: Path) -> Iterator[None]:
    """Hold the lock that says "a node lives here" for as long as the block runs.

    The kernel lets go of it when the process ends, however it ends. Raises HomeInUseError if another process has it,
    HomeError if the lock cannot be made.
    """
    try:
        lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise HomeError(
            f"cannot lock the home directory {home}: {_reason(error)}; choose another with --home"
        ) from None
    try:
        _take(lock, home)
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(lock)


def _take(lock: int, home: Path) -> None:
    for _ in range(LOCK_ATTEMPTS):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOCK_PAUSE_S)
        else:
            return
    raise HomeInUseError(
        f"a node is running in {home} already: {command_text(home, 'stop')} ends it, --home starts another beside it"
    )


def inhabitant(home: Path) -> int | None:
    """The number of the process that holds the home, None if nobody does, 0 if it has not written its number yet."""
    try:
        lock = os.open(home / "lock", os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(os.pread(lock, PID_BYTES_MAX, 0) or 0)
    else:
        return None
    finally:
        os.close(lock)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
