"""A seed is a run: the same events in the same order, in any process."""

import json
import os
import subprocess
import sys

from pnode.sim.chaos.plan import Options
from pnode.sim.chaos.run import run

OPTIONS = Options(7, nodes=4, minutes=0.4)

SCRIPT = """
import json, random
junk = [object() for _ in range(random.randrange(100_000))]  # another heap in each process
from pnode.sim.chaos.plan import Options
from pnode.sim.chaos.run import run
verdict = run(Options(7, nodes=4, minutes=0.4))
print(json.dumps([verdict.trace, verdict.events]))
"""


def trace_under(hash_seed: str) -> list[object]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        check=True,
        text=True,
    )
    trace: list[object] = json.loads(done.stdout)
    return trace


def test_two_processes_with_different_hash_seeds_run_the_same_run() -> None:
    assert trace_under("1") == trace_under("2")


def test_a_seed_says_nothing_about_another() -> None:
    verdict = run(OPTIONS)

    assert verdict.trace == run(OPTIONS).trace
    assert verdict.trace != run(Options(8, nodes=4, minutes=0.4)).trace
