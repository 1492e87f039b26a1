"""Spawning: starting a program as a process from a thread, beside an event loop that goes on.

The standard library does a good deal of it in Python, and lets go of the interpreter and waits for it several times;
the C library's posix_spawn is one call without it. On a machine with six busy processes per core, beside a busy loop,
a start took 4.6 ms by the one and 1.7 ms by the other (medians of six times 150).
"""

import ctypes
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

SETSIGDEF, SETSID = 0x04, 0x80
"""Flags of posix_spawn, in the C libraries of Linux."""

OPAQUE_BYTES = 1024
"""More than any C library of Linux takes for its attributes, actions or signal sets: up to 336."""

LOWEST = 3
"""What has a smaller number could be overwritten by another of the three before it is used itself."""


def spawn(words: Sequence[str], directory: Path, environment: Mapping[str, str], files: tuple[int, int, int]) -> int:
    """Start a program in a session of its own, with these descriptors as stdin, stdout and stderr and no others; its
    process id, which is the caller's to wait for. Blocks until the program is loaded. Raises OSError.
    """
    if "/" not in words[0] or min(files) < LOWEST or not _can_spawn():
        return _popen(words, directory, environment, files)
    library, actions, pid = _library(), _opaque(), ctypes.c_int()
    library.posix_spawn_file_actions_init(actions)
    try:
        for number, file in enumerate(files):
            _check(library.posix_spawn_file_actions_adddup2(actions, file, number))
        _check(library.posix_spawn_file_actions_addclosefrom_np(actions, LOWEST))
        _check(library.posix_spawn_file_actions_addchdir_np(actions, os.fsencode(directory)))
        path = os.fsencode(words[0])
        variables = [os.fsencode(name) + b"=" + os.fsencode(value) for name, value in environment.items()]
        arguments = (_texts(list(map(os.fsencode, words))), _texts(variables))
        _check(library.posix_spawn(ctypes.byref(pid), path, actions, _attributes(), *arguments), words[0])
    finally:
        library.posix_spawn_file_actions_destroy(actions)
    return pid.value


def _popen(words: Sequence[str], directory: Path, environment: Mapping[str, str], files: tuple[int, int, int]) -> int:
    stdin, stdout, stderr = files
    process = subprocess.Popen(  # noqa: S603  # what the submitter has signed
        words, stdin=stdin, stdout=stdout, stderr=stderr, cwd=directory, env=environment, start_new_session=True
    )
    process.returncode = 0  # whoever wanted it waits for it, and not this object
    return process.pid


@functools.cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None)


@functools.cache
def _can_spawn() -> bool:
    """The GNU C library can, since 2.34."""
    return sys.platform == "linux" and hasattr(_library(), "posix_spawn_file_actions_addclosefrom_np")


@functools.cache
def _attributes() -> ctypes.Array[ctypes.c_uint64]:
    """A session of its own, and signals that Python ignores as they were."""
    library, attributes, signals = _library(), _opaque(), _opaque()
    library.posix_spawnattr_init(attributes)
    library.sigemptyset(signals)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        library.sigaddset(signals, int(number))
    _check(library.posix_spawnattr_setsigdefault(attributes, signals))
    _check(library.posix_spawnattr_setflags(attributes, ctypes.c_short(SETSIGDEF | SETSID)))
    return attributes


def _opaque() -> ctypes.Array[ctypes.c_uint64]:
    return (ctypes.c_uint64 * (OPAQUE_BYTES // 8))()


def _texts(texts: list[bytes]) -> ctypes.Array[ctypes.c_char_p]:
    return (ctypes.c_char_p * (len(texts) + 1))(*texts, None)


def _check(error: int, path: str | None = None) -> None:
    if error:
        raise OSError(error, os.strerror(error), path)
