"""What a node costs that has nothing to do, in a cluster of four."""

import time

import psutil

from pnode.node.api import NodeStatus

from .bench import cluster, tell_all

OBSERVED_S = 25.0
"""Load figures are gossiped every second, everything is exchanged every 30 s: nearly one of each period."""

MIB = 2**20


def main() -> None:
    with cluster() as nodes:
        processes = [psutil.Process(node.ask(NodeStatus, "status").pid) for node in nodes]
        began = time.perf_counter()
        before = [cpu_s(process) for process in processes]
        time.sleep(OBSERVED_S)
        used = [cpu_s(process) - was for process, was in zip(processes, before, strict=True)]
        observed_s = time.perf_counter() - began
        tell_all("idle_cpu", [100 * seconds / observed_s for seconds in used], "%")
        tell_all("idle_rss", [process.memory_info().rss / MIB for process in processes], "MiB")
        if psutil.LINUX:
            # What is shared, above all the interpreter's code, counts in parts for everybody who shares it.
            tell_all("idle_pss", [process.memory_full_info().pss / MIB for process in processes], "MiB")


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()
