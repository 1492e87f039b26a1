"""Overhead: what it costs to keep copies when nothing happens: the demo's job with replicas and without.

Both are measured by turns on the same four nodes, so that what else the machine does falls on both alike.
"""

import json
import statistics
import subprocess
import sys
from pathlib import Path

import psutil

from pnode.node.follow import Followed
from pnode.node.launch import Timing
from pnode.node.plain import from_plain

from ..borders import ROOT
from ..end_to_end.hosts import PNODE
from .machines import Machine, Machines, SuiteError, cluster
from .trial import Report

EXAMPLE = ROOT / "examples" / "stdlib"
NODES = ("alpha", "beta", "gamma", "delta")
REPLICAS = 3
SHARE_MAX = 0.15
"""Of the makespan: what replication may cost at most."""

COMMAND_S_MAX = 120.0


def run(report: Report, place: Path, rounds: int, timing: Timing, *, seed: int = 1) -> None:
    """So many pairs of jobs; the first pair is for the nodes to learn how long the tasks take."""
    given = place / "given"
    given.mkdir()
    subprocess.run([sys.executable, EXAMPLE / "make_input.py", given], check=True, capture_output=True)
    ratios: list[float] = []
    with cluster(place, timing, NODES) as machines:
        for number in range(rounds + 1):
            node = machines[number % len(NODES)]
            order = (REPLICAS, 0) if number % 2 else (0, REPLICAS)
            took, used = {}, {}
            for replicas in order:
                before_s = _used_s(machines)
                took[replicas] = _makespan_s(node, place, given, replicas)
                used[replicas] = _used_s(machines) - before_s
            if number == 0:
                continue
            ratios.append(took[REPLICAS] / took[0])
            facts = {"with_replicas_s": took[REPLICAS], "without_s": took[0], "ratio": ratios[-1],
                     "nodes_cpu_with_replicas_s": used[REPLICAS], "nodes_cpu_without_s": used[0]}  # fmt: skip
            report.round(f"{node.name} is the origin", (), **facts)
    median = statistics.median(ratios)
    complaints = [] if median <= 1.0 + SHARE_MAX else [f"{median - 1.0:.0%} is more than {SHARE_MAX:.0%}"]
    report.round(f"{REPLICAS} replicas against none", complaints, median_ratio=median)


def _used_s(machines: Machines) -> float:
    """What the nodes themselves, not their tasks, have used of cores: hardly moved by what else a machine does."""
    pids = [machine.process.pid for machine in machines if machine.process is not None]
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return float(sum(each.user + each.system for each in times))


def _makespan_s(node: Machine, place: Path, given: Path, replicas: int) -> float:
    words = ("--input", given, "--replicas", replicas, "--follow", "--output", place / "results", "--json")
    command = [str(word) for word in (PNODE, "submit", EXAMPLE / "dag.txt", *words, "--home", node.home)]
    ran = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=COMMAND_S_MAX)
    if ran.returncode != 0:
        raise SuiteError(f"the demo's job at {node.name}: {ran.stderr.strip()}")
    return from_plain(Followed, json.loads(ran.stdout)).job.elapsed_s
