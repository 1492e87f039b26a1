"""Tasks: what the workloads run on the workers of whoever plays. Nothing but the standard library."""

import os
import subprocess
import time
from pathlib import Path

COUNT_BYTES = 8
"""At the beginning of a value that goes through a chain stands how many tasks have handed it on."""

LINGER_S = 600.0
"""Longer than any turn lasts: who lingers ends when it is killed."""


def nothing(*_given: object) -> None:
    """The task that costs nothing itself."""


def following(number: int) -> int:
    """One more: nearly nothing, but one sees from the result that every task of a chain did run."""
    return number + 1


def total(*numbers: int) -> int:
    return sum(numbers)


def made(size_bytes: int) -> bytes:
    """A value that nobody can compress, handed on by nobody so far."""
    return bytes(COUNT_BYTES) + os.urandom(size_bytes - COUNT_BYTES)


def handed_on(value: bytes) -> bytes:
    """The value as a new one: everything is copied once, as by a task that does compute something."""
    return b"".join(((_count(value) + 1).to_bytes(COUNT_BYTES, "big"), memoryview(value)[COUNT_BYTES:]))


def told(value: bytes) -> tuple[int, int]:
    """What is asked of a value in the end: how often it was handed on, and its size in bytes."""
    return _count(value), len(value)


def program() -> int:
    """Start a program and wait for it; its exit status."""
    return subprocess.run(["/bin/true"], check=True).returncode


def noted(diary: str) -> int:
    """Write down who runs this and when; how often it was written down before."""
    with Path(diary).open("a+") as lines:
        lines.write(f"{os.getpid()} {time.monotonic()}\n")
        lines.seek(0)
        return len(lines.readlines()) - 1


def lingering(diary: str) -> int:
    """Stay for ever the first time, end at once if it is run again; how often it was run before."""
    before = noted(diary)
    if not before:
        time.sleep(LINGER_S)
    return before


def _count(value: bytes) -> int:
    return int.from_bytes(value[:COUNT_BYTES], "big")
