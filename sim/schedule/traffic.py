"""Traffic: whether the transfers of a result can have happened; a part of the validator.

Only traced results have any. Every input that came from elsewhere must have been sent, no faster than the network
allows, and all together must have found room on the links, or on the cards, that they share.
"""

import math
from collections.abc import Iterable, Mapping

from pnode.mappers.contention import Contention

from .capacity import Load, overdrawn
from .errors import InfeasibleError
from .result import Execution, Result, Transfer
from .scenario import Network


def check_traffic(result: Result, kept: Mapping[tuple[int, int, int], Execution], slack_s: float) -> None:
    """`kept` are the executions whose results count. Raises InfeasibleError."""
    if not result.transfers:
        return
    sizes = [
        {(edge.parent, edge.child): edge.size_bytes for edge in arrival.graph.edges}
        for arrival in result.scenario.arrivals
    ]
    machines = len(result.scenario.network.machines)
    for one in result.transfers:
        if not (0 <= one.job < len(sizes) and 0 <= one.source < machines and 0 <= one.target < machines):
            raise InfeasibleError(f"{one} names something that the scenario does not have")
        _check_transfer(result, one, sizes[one.job], slack_s)
        parent = kept.get((one.job, one.item, one.parent))
        if parent is None or parent.machine != one.source or one.start_s < parent.finish_s - slack_s:
            raise InfeasibleError(f"{one} starts without the parent's output being there")
    _check_senders(result, kept, slack_s)
    _check_shares(result, slack_s)
    moved = math.fsum(one.size_bytes for one in result.transfers)
    if not moved <= result.bytes_moved * (1.0 + 1e-9):  # also for what is no number
        raise InfeasibleError(f"transfers add up to {moved} bytes, the result says {result.bytes_moved}")


def _check_transfer(result: Result, one: Transfer, sizes: Mapping[tuple[int, int], float], slack_s: float) -> None:
    network = result.scenario.network
    if sizes.get((one.parent, one.child)) != one.size_bytes or one.source == one.target:
        raise InfeasibleError(f"{one} is not what an edge of the graph asks for")
    rate = network.bandwidth_bytes_per_s[one.source][one.target]
    if not rate:
        raise InfeasibleError(f"{one} goes between machines that cannot talk")
    seconds = network.latency_s[one.source][one.target] + one.size_bytes / rate
    if network.seconds_per_byte2 is not None:
        seconds += one.size_bytes**2 * network.seconds_per_byte2[one.source][one.target]
    took_s = one.finish_s - one.start_s
    is_alone = result.scenario.contention is Contention.NONE
    if not took_s >= seconds - slack_s or (is_alone and took_s > seconds + slack_s):
        raise InfeasibleError(f"{one} takes {took_s} s, expected {'' if is_alone else 'at least '}{seconds} s")


def _check_senders(result: Result, kept: Mapping[tuple[int, int, int], Execution], slack_s: float) -> None:
    """Each input from elsewhere came by a transfer, after the execution was bound and before it was ready."""
    found: dict[tuple[int, int, int, int, int], list[Transfer]] = {}
    for one in result.transfers:
        found.setdefault((one.job, one.item, one.parent, one.child, one.target), []).append(one)
    parents: list[list[list[int]]] = [[[] for _ in arrival.graph.tasks] for arrival in result.scenario.arrivals]
    for arrival, rows in zip(result.scenario.arrivals, parents, strict=True):
        for edge in arrival.graph.edges:
            rows[edge.child].append(edge.parent)
    for execution in result.executions:
        for parent in parents[execution.job][execution.task]:
            sender = kept[execution.job, execution.item, parent].machine
            sent = found.get((execution.job, execution.item, parent, execution.task, execution.machine), ())
            if sender != execution.machine and not any(
                execution.bound_s - slack_s <= one.start_s and one.finish_s <= execution.ready_s + slack_s
                for one in sent
            ):
                raise InfeasibleError(f"{execution} has no transfer of the output of task {parent}")


def _check_shares(result: Result, slack_s: float) -> None:
    network = result.scenario.network
    match result.scenario.contention:
        case Contention.NONE:
            return
        case Contention.LINK:
            for source, rates in enumerate(network.bandwidth_bytes_per_s):
                for target, rate in enumerate(rates):
                    here = (one for one in result.transfers if (one.source, one.target) == (source, target))
                    _check_way(network, here, rate, f"the link from machine {source} to {target}", slack_s)
        case Contention.NIC:
            for number, machine in enumerate(network.machines):
                up = (one for one in result.transfers if one.source == number)
                _check_way(network, up, machine.up_bytes_per_s, f"the uplink of {machine.name!r}", slack_s)
                down = (one for one in result.transfers if one.target == number)
                _check_way(network, down, machine.down_bytes_per_s, f"the downlink of {machine.name!r}", slack_s)


def _check_way(network: Network, transfers: Iterable[Transfer], rate: float, name: str, slack_s: float) -> None:
    if rate == math.inf:
        return
    loads = [
        Load(one.start_s + network.latency_s[one.source][one.target], one.finish_s, one.size_bytes)
        for one in transfers
    ]
    found = overdrawn(loads, rate, slack_s)
    if found is not None:
        raise InfeasibleError(f"{name} moves more than {rate:g} bytes per second from {found[0]} s to {found[1]} s")
