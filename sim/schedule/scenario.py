"""A scenario: which graphs arrive when on which machines, and what the world does to them meanwhile.

Everything a run depends on but its mapper and its seed. Readers of foreign files (`pnode.sim.formats`) make one, or a
part of one; nothing here reads or draws anything. Units are seconds and bytes, or any others that agree.
"""

import math
from collections.abc import Sequence
from enum import Enum

from pnode.mappers.contention import Contention
from pnode.mappers.instance import Edge, Instance, InstanceError, Matrix
from pnode.protocol.values import dataclass, field


class ScenarioError(ValueError):
    """A scenario that cannot be run: the message says what in it, what was found and what was expected."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A node of the simulated network."""

    name: str
    speed: float = 1.0
    """Of one core: a task of cost c takes c / speed seconds, unless it has a row of its own."""
    cores: int = 1
    memory_bytes: float = math.inf
    up_bytes_per_s: float = math.inf
    """Of its network card, for `Contention.NIC`; all its outgoing transfers share it."""
    down_bytes_per_s: float = math.inf


@dataclass(frozen=True, slots=True)
class Network:
    """Machines and the directed ways between them."""

    machines: tuple[Machine, ...]
    latency_s: Matrix
    """Source by target; the diagonal is not looked at."""
    bandwidth_bytes_per_s: Matrix
    """Likewise, `inf` where bytes cost nothing. A pair that cannot talk has 0, and then no transfer may need it."""
    seconds_per_byte2: Matrix | None = None
    """The quadratic term of DRUPE's links; only without contention. Its fits may have any sign, term by term, so that
    beside one a bandwidth may be below zero."""

    def __post_init__(self) -> None:
        """Raises ScenarioError for no machine, duplicate names, matrices of another size, numbers out of place."""
        _check_network(self)

    def number(self, name: str) -> int:
        """The machine of that name. Raises ScenarioError."""
        for at, machine in enumerate(self.machines):
            if machine.name == name:
                return at
        known = ", ".join(machine.name for machine in self.machines[:8])
        raise ScenarioError(f"there is no machine {name!r}; known are {known}{', ...' * (len(self.machines) > 8)}")


@dataclass(frozen=True, slots=True)
class Vertex:
    """A task of a graph."""

    name: str
    cost_s: float
    """On a core of speed 1."""
    costs_s: tuple[float, ...] = ()
    """On each machine of the network, when machines are unrelated; empty to go by the speeds."""
    cores: int = 1
    memory_bytes: float = 0.0
    pinned: str = ""
    """Name of the only machine it may run on; empty for any."""


@dataclass(frozen=True, slots=True)
class Graph:
    """A task graph with sizes on its edges, which name tasks by their place in `tasks`."""

    name: str
    tasks: tuple[Vertex, ...]
    edges: tuple[Edge, ...]
    """At most one per pair."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A graph that is submitted."""

    graph: Graph
    at_s: float = 0.0
    origin: int = 0
    """Number of the machine it is submitted on: it plans, and it places the entry tasks."""
    items: int = 1
    """More than one: a stream, whose items flow through the graph as a pipeline."""
    period_s: float = 0.0
    """Between the items of a stream."""
    queue_items_max: int = 0
    """Of a stream: an item starts at a task only if it is less than so many ahead of the oldest item that a child of
    the task has not started; so no task's queue grows beyond that. 0: queues have no bound."""


class Spread(Enum):
    """How real durations scatter about the profiled ones; the words stand in scenario files (scheduling.md 2.4)."""

    EXACT = "exact"
    UNIFORM = "uniform"
    """Per task a factor U(1 - width, 1 + width), the same on every node."""
    LOGNORMAL = "lognormal"
    """Per task a factor exp(N(-width^2 / 2, width)), of mean 1."""


@dataclass(frozen=True, slots=True)
class Durations:
    """What a task really takes: its cost times the factors drawn here."""

    spread: Spread = Spread.EXACT
    width: float = 0.0
    node_width: float = 0.0
    """Per node a factor U(1 - node_width, 1 + node_width): a profile that has become wrong."""
    factors: tuple[tuple[tuple[str, float], ...], ...] = ()
    """Per arrival: (task, factor) from a trace; tasks that are not named go by the rest."""


class Fate(Enum):
    """What happens to a machine."""

    SPEED = "speed"
    """From now on it runs `factor` times as fast as it should, running tasks included."""
    FAIL = "fail"
    """It is gone, with what ran there; what its finished tasks produced can still be had elsewhere."""
    RECOVER = "recover"
    """It is back, empty."""


@dataclass(frozen=True, slots=True)
class Disruption:
    """A machine's fate at an instant."""

    at_s: float
    machine: int
    fate: Fate
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Gossip:
    """How old what nodes believe of each other is. A node always knows its own facts."""

    period_s: float = 0.0
    """A node learns of the others once in so long, at a phase of its own; 0: always what is true."""
    delay_s: float = 0.0
    """On the way: what is learnt is that old already."""
    detection_s: float = 0.0
    """From a machine's failure until the others treat it as dead."""


@dataclass(frozen=True, slots=True)
class Handoff:
    """What it costs to hand a task over, on the same network."""

    message_bytes: float = 0.0
    """Of an assignment, a bid or an answer; it travels at the latency, plus its bytes at the link's bandwidth."""
    free: bool = True
    """Whether messages take no time at all."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One experiment, short of the mapper and the seed."""

    name: str
    network: Network
    arrivals: tuple[Arrival, ...]
    contention: Contention = Contention.NONE
    durations: Durations = field(default_factory=Durations)
    disruptions: tuple[Disruption, ...] = ()
    gossip: Gossip = field(default_factory=Gossip)
    handoff: Handoff = field(default_factory=Handoff)

    def __post_init__(self) -> None:
        """Raises ScenarioError for what `check` finds."""
        if not self.arrivals:
            raise ScenarioError(f"scenario {self.name!r} has no graph, expected at least one")
        for arrival in self.arrivals:
            _check_arrival(arrival, self.network)
        for disruption in self.disruptions:
            if not 0 <= disruption.machine < len(self.network.machines):
                raise ScenarioError(
                    f"a disruption at {disruption.at_s} s names machine {disruption.machine}, there are "
                    f"{len(self.network.machines)}"
                )
            if not 0 <= disruption.at_s < math.inf or not 0 < disruption.factor < math.inf:
                raise ScenarioError(
                    f"a disruption comes at {disruption.at_s} s with factor {disruption.factor}, expected a finite "
                    "time, zero or more, and a finite factor above zero"
                )
        _check_durations(self.durations)
        _check_delays(self.gossip, self.handoff)


KEPT_MAX = 8
"""Problems that are kept: a study runs the same few scenarios under many mappers and seeds."""

_kept: list[tuple[Graph, Network, Instance]] = []


def instance_of(graph: Graph, network: Network) -> Instance:
    """The scheduling problem of one graph on the network; the same object as before if they are. Raises
    ScenarioError."""
    for known_graph, known_network, known in _kept:
        if known_graph is graph and known_network is network:
            return known
    instance = _instance_of(graph, network)
    _kept.append((graph, network, instance))
    del _kept[:-KEPT_MAX]
    return instance


def _instance_of(graph: Graph, network: Network) -> Instance:
    rows = tuple(_row(task, network) for task in graph.tasks)
    for task, row in zip(graph.tasks, rows, strict=True):
        if min(row) == math.inf:
            raise ScenarioError(
                f"graph {graph.name!r}: task {task.name!r} fits no machine, it asks for {_asked(task)}"
            )
    try:
        return Instance(rows, graph.edges, network.latency_s, inverse_bandwidths(network), network.seconds_per_byte2)
    except InstanceError as error:
        raise ScenarioError(f"graph {graph.name!r}: {error}") from None


def inverse_bandwidths(network: Network) -> Matrix:
    """Seconds per byte, source by target; `inf` for a pair that cannot talk."""
    return tuple(tuple(_inverse(value) for value in row) for row in network.bandwidth_bytes_per_s)


def _row(task: Vertex, network: Network) -> tuple[float, ...]:
    row = task.costs_s or tuple(task.cost_s / machine.speed for machine in network.machines)
    fits = [
        (not task.pinned or task.pinned == machine.name)
        and task.cores <= machine.cores
        and task.memory_bytes <= machine.memory_bytes
        for machine in network.machines
    ]
    return tuple(seconds if fit else math.inf for seconds, fit in zip(row, fits, strict=True))


def _asked(task: Vertex) -> str:
    words = [f"{task.cores} cores" if task.cores > 1 else "a core"]
    if task.memory_bytes:
        words.append(f"{task.memory_bytes:g} bytes of memory")
    if task.pinned:
        words.append(f"machine {task.pinned!r} only")
    if task.costs_s:
        words.append("a machine on which its cost is finite")
    return " and ".join(words)


def _inverse(bandwidth: float) -> float:
    return math.inf if bandwidth == 0 else 1.0 / bandwidth


def _check_network(network: Network) -> None:
    names = [machine.name for machine in network.machines]
    if not names:
        raise ScenarioError("the network has no machine, expected at least one")
    if len(dict.fromkeys(names)) < len(names):
        doubled = next(name for at, name in enumerate(names) if name in names[:at])
        raise ScenarioError(f"two machines are called {doubled!r}")
    for machine in network.machines:
        if not 0 < machine.speed < math.inf or machine.cores < 1:
            raise ScenarioError(
                f"machine {machine.name!r} has speed {machine.speed} and {machine.cores} cores, expected a finite "
                "speed above zero and at least one core"
            )
        if not (machine.memory_bytes >= 0 and machine.up_bytes_per_s > 0 and machine.down_bytes_per_s > 0):
            raise ScenarioError(
                f"machine {machine.name!r} has {machine.memory_bytes} bytes of memory and cards of "
                f"{machine.up_bytes_per_s} bytes per second up and {machine.down_bytes_per_s} down, expected zero or "
                "more, and numbers above zero"
            )
    _check_square("latency_s", network.latency_s, len(names))
    if network.seconds_per_byte2 is None:
        _check_square("bandwidth_bytes_per_s", network.bandwidth_bytes_per_s, len(names))
    else:
        _check_square("bandwidth_bytes_per_s", network.bandwidth_bytes_per_s, len(names), -math.inf)
        _check_square("seconds_per_byte2", network.seconds_per_byte2, len(names), -math.inf)


def _check_square(what: str, rows: Sequence[Sequence[float]], size: int, lowest: float = 0.0) -> None:
    if len(rows) != size or any(len(row) != size for row in rows):
        raise ScenarioError(f"{what} is not {size} by {size}, one row and column per machine")
    for source, row in enumerate(rows):
        for target, value in enumerate(row):
            if source != target and not value >= lowest:
                expected = "a number" if lowest < 0 else "zero or more"
                raise ScenarioError(f"{what} from machine {source} to {target} is {value}, expected {expected}")


def _check_arrival(arrival: Arrival, network: Network) -> None:
    if not 0 <= arrival.origin < len(network.machines):
        raise ScenarioError(
            f"graph {arrival.graph.name!r} comes from machine {arrival.origin}, there are {len(network.machines)}"
        )
    if not 0 <= arrival.at_s < math.inf or arrival.items < 1 or not 0 <= arrival.period_s < math.inf:
        raise ScenarioError(
            f"graph {arrival.graph.name!r} comes at {arrival.at_s} s with {arrival.items} items every "
            f"{arrival.period_s} s, expected finite times, zero or more, and at least one item"
        )
    if arrival.queue_items_max < 0:
        raise ScenarioError(
            f"graph {arrival.graph.name!r} has queues of {arrival.queue_items_max} items, expected 0 or more"
        )
    names = dict.fromkeys(task.name for task in arrival.graph.tasks)
    if len(names) < len(arrival.graph.tasks):
        raise ScenarioError(f"graph {arrival.graph.name!r} has two tasks of the same name")
    for task in arrival.graph.tasks:
        if task.cores < 1 or not task.memory_bytes >= 0:
            raise ScenarioError(
                f"task {task.name!r} takes {task.cores} cores and {task.memory_bytes} bytes of memory, expected at "
                "least one core, and zero or more"
            )
        if task.pinned:
            network.number(task.pinned)
        if task.costs_s and len(task.costs_s) != len(network.machines):
            raise ScenarioError(
                f"task {task.name!r} has {len(task.costs_s)} costs, expected one for each of {len(network.machines)}"
            )


def _check_durations(durations: Durations) -> None:
    width, node_width = durations.width, durations.node_width
    is_too_wide = durations.spread is Spread.UNIFORM and width > 1
    if not 0 <= width < math.inf or is_too_wide or not 0 <= node_width <= 1:
        raise ScenarioError(
            f"durations scatter by {width} ({durations.spread.value}) and by {node_width} per node, expected 0 to 1, "
            "since nothing takes less than no time (lognormal: any finite number from 0 on)"
        )
    for number, told in enumerate(durations.factors):
        for task, factor in told:
            if not 0 <= factor < math.inf:
                raise ScenarioError(
                    f"task {task!r} of graph {number} has the factor {factor}, expected a finite one, zero or more"
                )


def _check_delays(gossip: Gossip, handoff: Handoff) -> None:
    for what, value in (
        ("gossip comes every", gossip.period_s),
        ("gossip takes", gossip.delay_s),
        ("a failure is known after", gossip.detection_s),
        ("a message has the bytes", handoff.message_bytes),
    ):
        if not 0 <= value < math.inf:
            raise ScenarioError(f"{what} {value}, expected a finite number, zero or more")
