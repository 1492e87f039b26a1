"""Our own scenario files: everything a run depends on but its mapper and its seed, as a person likes to write it.

    name = "two sites"
    contention = "link"                      # none (default) | link | nic
    ccr = 0.5                                # optional: scale all bandwidths until communication is half the work

    [network]
    nodes = 8                                # node1 to node8, or a table [[network.node]] with a name for each
    speed = "uniform 0.25 1.75"              # drawn for each; or 2.0, or a list with one number for each
    cores = 4                                # else 1
    memory = "64 GB"                         # else without limit
    up = "1 Gbit/s"                          # of a network card, for contention = "nic"; likewise down
    seed = 1                                 # of all that is drawn here
    latency = "1 ms"                         # else 0
    bandwidth = "uniform 50 150 MB/s"        # must be told; inf where bytes cost nothing, 0 where nobody can talk
    symmetric = true                         # whether a link is drawn once for both ways

    [[network.link]]                         # exceptions; later ones outdo earlier ones
    from = "node1"
    to = ["node2", "node3"]                  # from one or some to one or some
    both = true                              # and back
    latency = "40 ms"
    bandwidth = "10 MB/s"

    [[job]]
    graph = "montage.json.xz"                # any file with a graph, relative to this one
    at = "10 s"                              # else 0
    origin = "node1"                         # else the first node
    items = 100                              # a stream; else 1
    period = "2 s"                           # between its items
    queue = 4                                # by how many a task may be ahead of its children; else by any number
    trace = "montage-2.json.xz"              # another run of it: what tasks really take

    [[job]]
    name = "on the spot"
    [job.tasks]
    split = { cost = "2 s", feeds = { left = "50 MB", right = "1 MB" } }
    left = { cost = "5 s", cores = 2, memory = "1 GB", feeds = { join = "2 MB" } }
    right = { costs = [1, 2, 3, 1, 1, 1, 1, 1], node = "node2", feeds = { join = 0 } }
    join = "1 s"                             # `cost` is on a core of speed 1, `costs` is on each node

    [durations]                              # what tasks really take: cost times factors that are drawn
    spread = "uniform"                       # exact (default) | uniform | lognormal, per task
    width = 0.5
    node_width = 0.3                         # per node

    [[disruption]]
    at = "30 s"
    node = "node3"
    fate = "speed"                           # speed | fail | recover
    factor = 0.25                            # from now on so fast

    [gossip]                                 # how old what nodes believe of each other is
    period = "1 s"
    delay = "100 ms"
    detection = "5 s"                        # of a failure

    [handoff]                                # messages take no time unless there is such a table
    message = "1 kB"

Instead of describing a network, `[network] file = "cluster.tgff"` takes that of a file; `straight = true` beside it
makes latency and bandwidth of links with a quadratic term, as contention needs it. A full matrix is a list of lists:
`latency = [[0, "1 ms"], ["2 ms", 0]]`; `quadratic` is one in seconds per byte squared.
Numbers without a unit are seconds, bytes, or bytes per second. `[job.factors]` tells what tasks really take by name.
Keys that nobody knows are refused, with the nearest that somebody does.
"""

import re
import tomllib
from pathlib import Path

from pnode.mappers.contention import Contention
from pnode.sim.schedule.scenario import (
    Arrival,
    Disruption,
    Durations,
    Fate,
    Gossip,
    Handoff,
    Network,
    Scenario,
    ScenarioError,
    Spread,
)

from .ccr import scaled
from .document import Value
from .errors import FormatError
from .numeral import SMALLEST
from .source import Place, read_text
from .toml_jobs import Jobs
from .toml_network import network_of
from .units import SIZE, TIME, quantity

CHARACTERS_MAX = 16 * 1024 * 1024
"""A network of 512 nodes as full matrices has 10 MB; the standard library's parser takes a minute for more."""

KEYS = ("name", "contention", "ccr", "network", "job", "durations", "disruption", "gossip", "handoff")
STUDY_KEYS = ("mappers", "baseline", "seeds", "scenario", "layered", "bundles", "traces")
"""Those of a study, which is easily taken for a scenario: both are TOML."""


def read_toml(path: Place) -> Scenario:
    """The scenario of a file. Raises FormatError, also for the files it names."""
    return parse_toml(str(path), read_text(path), Path(path).parent)


def parse_toml(file: str, text: str, folder: Path) -> Scenario:
    """That of a text; `file` is its name for messages, and files that it names lie relative to the folder."""
    document = parse_document(file, text)
    if "network" not in document.table() and any(key in document.table() for key in STUDY_KEYS):
        raise document.error("it is a study, expected a scenario; 'pnode sim sweep' runs it, --index one run of it")
    document.allow(KEYS)
    network = network_of(document["network"], folder)
    jobs = Jobs(network, folder)
    read = [jobs.read(job) for job in document["job"].list()]
    arrivals = tuple(arrival for arrival, _ in read)
    factors = tuple(factor for _, factor in read)
    name = document.get("name")
    contention = Contention(_word(document, "contention", [kind.value for kind in Contention], "none"))
    if network.seconds_per_byte2 is not None and contention is not Contention.NONE:
        raise document["contention"].error(
            "links with a quadratic term cannot be shared; expected none, or `straight = true` beside the `file`"
        )
    try:
        return Scenario(
            Path(file).stem if name is None else name.name(),
            _scaled(document, network, arrivals),
            arrivals,
            contention,
            _durations(document.get("durations"), factors if any(factors) else ()),
            _disruptions(document.get("disruption"), network),
            _gossip(document.get("gossip")),
            _handoff(document.get("handoff")),
        )
    except ScenarioError as error:
        raise document.error(str(error)) from None


def parse_document(file: str, text: str) -> Value:
    """Any TOML, not yet looked at. Raises FormatError."""
    if len(text) > CHARACTERS_MAX:
        raise FormatError(file, "", f"it has more than {CHARACTERS_MAX} characters, which is as much as is read")
    try:
        return Value(file, tomllib.loads(text.replace("\r\n", "\n")))
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        where = f"line {place[1]}, column {place[2]}" if place else ""
        raise FormatError(file, where, f"no TOML: {_PLACE.sub('', str(error))}") from None
    except RecursionError:
        raise FormatError(file, "", "the TOML is nested too deeply to be read") from None
    except ValueError as error:  # a number of thousands of digits
        raise FormatError(file, "", f"no TOML that is read here: {error}") from None


def _word(table: Value, key: str, words: list[str], default: str | None = None) -> str:
    if default is not None and table.get(key) is None:
        return default
    value = table[key]
    if value.text() not in words:
        raise value.wrong(f"one of {', '.join(words)}")
    return value.text()


def _scaled(document: Value, network: Network, arrivals: tuple[Arrival, ...]) -> Network:
    ccr = document.get("ccr")
    if ccr is None:
        return network
    try:
        return scaled(network, [arrival.graph for arrival in arrivals], ccr.number(SMALLEST))
    except ScenarioError as error:
        raise ccr.error(str(error)) from None


def _durations(value: Value | None, factors: tuple[tuple[tuple[str, float], ...], ...]) -> Durations:
    if value is None:
        return Durations(factors=factors)
    value.allow(("spread", "width", "node_width"))
    spread = Spread(_word(value, "spread", [spread.value for spread in Spread], "exact"))
    width, node_width = value.get("width"), value.get("node_width")
    for half in (width if spread is Spread.UNIFORM else None, node_width):
        if half is not None and half.number() > 1:
            raise half.wrong("a number from 0 to 1, since nothing takes less than no time")
    return Durations(
        spread,
        0.0 if width is None else width.number(),
        0.0 if node_width is None else node_width.number(),
        factors,
    )


def _disruptions(value: Value | None, network: Network) -> tuple[Disruption, ...]:
    found: list[Disruption] = []
    for table in value.list() if value else ():
        table.allow(("at", "node", "fate", "factor"))
        fate = Fate(_word(table, "fate", [fate.value for fate in Fate]))
        factor = table.get("factor")
        if (fate is Fate.SPEED) != (factor is not None):
            raise table.error("expected a `factor` with the fate speed, and only with it")
        try:
            machine = network.number(table["node"].name())
        except ScenarioError as error:
            raise table["node"].error(str(error)) from None
        found.append(
            Disruption(quantity(table["at"], TIME), machine, fate, 1.0 if factor is None else factor.number(SMALLEST))
        )
    return tuple(found)


def _gossip(value: Value | None) -> Gossip:
    if value is None:
        return Gossip()
    keys = ("period", "delay", "detection")
    value.allow(keys)
    told = [value.get(key) for key in keys]
    return Gossip(*(0.0 if one is None else quantity(one, TIME) for one in told))


def _handoff(value: Value | None) -> Handoff:
    if value is None:
        return Handoff()
    value.allow(("message", "free"))
    message, free = value.get("message"), value.get("free")
    return Handoff(0.0 if message is None else quantity(message, SIZE), free is not None and free.truth())


_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)")
