"""Memory: a process that reuses its buffers asks the kernel for no more of it."""

import platform
import resource
import subprocess
import sys

import pytest

PROGRAM = """
import resource
from pnode.node.memory import keep_buffers

keep_buffers()
def pass_on():
    for _ in range(100):
        whole = [bytes(2**20) + b"x" for _ in range(4)]
pass_on()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
pass_on()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left alone")
def test_buffers_of_a_megabyte_are_reused() -> None:
    pages = 100 * 4 * 2 * 2**20 // resource.getpagesize()

    found = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True, text=True, timeout=60)

    assert int(found.stdout) < pages / 100  # without it, half of them
