"""Scenarios written as our own files, to the last digit: what is read back is the same scenario."""

import json
import math
import re
from collections.abc import Iterator, Mapping

from pnode.mappers.instance import Matrix
from pnode.sim.schedule.scenario import Arrival, Fate, Gossip, Handoff, Machine, Network, Scenario, Spread, Vertex

from .numeral import spelt
from .source import Place, write_text

HEAD = "# Times are in seconds, sizes in bytes, bandwidths in bytes per second.\n"


def write_toml(path: Place, scenario: Scenario) -> None:
    """Write a file that `read_toml` reads. Raises FormatError when it cannot be written."""
    write_text(path, toml_text(scenario))


def toml_text(scenario: Scenario) -> str:
    """The scenario with all graphs told on the spot and all links as matrices."""
    return HEAD + "".join(f"{line}\n" for line in _lines(scenario))


def _lines(scenario: Scenario) -> Iterator[str]:
    names = [machine.name for machine in scenario.network.machines]
    yield f"name = {_quoted(scenario.name)}"
    yield f"contention = {_quoted(scenario.contention.value)}"
    yield from _network(scenario.network)
    factors = scenario.durations.factors or ((),) * len(scenario.arrivals)
    for arrival, own in zip(scenario.arrivals, factors, strict=True):
        yield from _job(arrival, names)
        if own:
            yield from ("", "[job.factors]")
            yield from (f"{_key(name)} = {_number(factor)}" for name, factor in own)
    yield from _durations(scenario)
    for disruption in scenario.disruptions:
        yield from ("", "[[disruption]]", f"at = {_number(disruption.at_s)}")
        yield from (f"node = {_quoted(names[disruption.machine])}", f"fate = {_quoted(disruption.fate.value)}")
        if disruption.fate is Fate.SPEED:
            yield f"factor = {_number(disruption.factor)}"
    yield from _beliefs(scenario.gossip, scenario.handoff)


# Networks


def _network(network: Network) -> Iterator[str]:
    yield from ("", "[network]")
    yield from _links("latency", network.latency_s, 0.0)
    yield from _links("bandwidth", network.bandwidth_bytes_per_s, math.inf)
    if network.seconds_per_byte2 is not None:
        yield from _matrix("quadratic", network.seconds_per_byte2, 0.0)
    for machine in network.machines:
        yield from ("", "[[network.node]]", f"name = {_quoted(machine.name)}")
        yield from (f"{key} = {_number(value)}" for key, value in _unusual(machine).items())


def _unusual(machine: Machine) -> Mapping[str, float]:
    usual = Machine(machine.name)
    told = {
        "speed": (machine.speed, usual.speed),
        "cores": (machine.cores, usual.cores),
        "memory": (machine.memory_bytes, usual.memory_bytes),
        "up": (machine.up_bytes_per_s, usual.up_bytes_per_s),
        "down": (machine.down_bytes_per_s, usual.down_bytes_per_s),
    }
    return {key: value for key, (value, other) in told.items() if value != other}


def _links(key: str, rows: Matrix, own: float) -> Iterator[str]:
    """One number where all links have the same; the diagonal is nobody's link."""
    different = {number for at, row in enumerate(rows) for to, number in enumerate(row) if at != to} or {own}
    if len(different) == 1:
        yield f"{key} = {_number(different.pop())}"
    else:
        yield from _matrix(key, rows, own)


def _matrix(key: str, rows: Matrix, own: float) -> Iterator[str]:
    yield f"{key} = ["
    for at, row in enumerate(rows):
        numbers = ", ".join(_number(own if at == to else number) for to, number in enumerate(row))
        yield f"  [{numbers}],"
    yield "]"


# Jobs


def _job(arrival: Arrival, names: list[str]) -> Iterator[str]:
    yield from ("", "[[job]]", f"name = {_quoted(arrival.graph.name)}")
    yield f"at = {_number(arrival.at_s)}"
    yield f"origin = {_quoted(names[arrival.origin])}"
    if (arrival.items, arrival.period_s) != (1, 0.0):
        yield from (f"items = {arrival.items}", f"period = {_number(arrival.period_s)}")
    if arrival.queue_items_max:
        yield f"queue = {arrival.queue_items_max}"
    tasks = arrival.graph.tasks
    feeds: list[list[str]] = [[] for _ in tasks]
    for edge in arrival.graph.edges:
        feeds[edge.parent].append(f"{_key(tasks[edge.child].name)} = {_number(edge.size_bytes)}")
    yield "[job.tasks]"
    for task, children in zip(tasks, feeds, strict=True):
        yield f"{_key(task.name)} = {_task(task, children)}"


def _task(task: Vertex, feeds: list[str]) -> str:
    told = [f"cost = {_number(task.cost_s)}"]
    if task.costs_s:
        told.append(f"costs = [{', '.join(map(_number, task.costs_s))}]")
    if task.cores != 1:
        told.append(f"cores = {task.cores}")
    if task.memory_bytes:
        told.append(f"memory = {_number(task.memory_bytes)}")
    if task.pinned:
        told.append(f"node = {_quoted(task.pinned)}")
    if feeds:
        told.append(f"feeds = {{ {', '.join(feeds)} }}")
    return f"{{ {', '.join(told)} }}" if len(told) > 1 else _number(task.cost_s)


# The rest


def _durations(scenario: Scenario) -> Iterator[str]:
    durations = scenario.durations
    if (durations.spread, durations.width, durations.node_width) != (Spread.EXACT, 0.0, 0.0):
        yield from ("", "[durations]", f"spread = {_quoted(durations.spread.value)}")
        yield from (f"width = {_number(durations.width)}", f"node_width = {_number(durations.node_width)}")


def _beliefs(gossip: Gossip, handoff: Handoff) -> Iterator[str]:
    if gossip != Gossip():
        yield from ("", "[gossip]", f"period = {_number(gossip.period_s)}")
        yield from (f"delay = {_number(gossip.delay_s)}", f"detection = {_number(gossip.detection_s)}")
    if handoff != Handoff():
        yield from ("", "[handoff]", f"message = {_number(handoff.message_bytes)}")
        yield f"free = {str(handoff.free).lower()}"


def _number(number: float) -> str:
    return "inf" if number == math.inf else spelt(float(number))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _quoted(name)


_BARE = re.compile(r"[A-Za-z0-9_-]+")
