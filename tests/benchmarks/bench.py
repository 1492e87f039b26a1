"""Bench: what the figures are measured on, and how they are told: on standard output, as lines `name value unit`."""

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pnode.node.api import JobDetail
from pnode.node.follow import Followed

from ..end_to_end.hosts import Host, Hosts

NAMES = ("alpha", "beta", "gamma", "delta")

SETTLED_S = 3.0
"""After that long every node has heard the first figures of every other: a mapper is not measured on ignorance."""


def tell(name: str, value: float, unit: str) -> None:
    """One figure."""
    print(f"{name} {value:.4g} {unit}", flush=True)


def tell_all(name: str, samples: Sequence[float], unit: str) -> None:
    """Several measurements of one figure: the median under its name, then how far they lie apart."""
    tell(name, statistics.median(samples), unit)
    tell(f"{name}_min", min(samples), unit)
    tell(f"{name}_max", max(samples), unit)


@contextmanager
def hosts() -> Iterator[Hosts]:
    """Hosts that are gone afterwards, with all that they had."""
    with tempfile.TemporaryDirectory(prefix="pnode-") as place:
        found = Hosts(Path(place))
        try:
            yield found
        finally:
            found.end()


@contextmanager
def cluster() -> Iterator[list[Host]]:
    """Four nodes of one core each on this machine that know each other, with a plain node's settings."""
    with hosts() as place:
        nodes = place.cluster(*NAMES)
        time.sleep(SETTLED_S)
        yield nodes


def followed(node: Host, dag: Path, *words: object) -> JobDetail:
    """A job that ends well. Following it disturbs less than asking for it again and again."""
    with tempfile.TemporaryDirectory() as results:
        return node.ask(Followed, "submit", dag, *words, "--follow", "--output", results).job
