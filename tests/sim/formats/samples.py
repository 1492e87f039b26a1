"""Samples for tests of formats: the public data where it is there, small graphs, and the ways files go wrong."""

import math
import string
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import strategies as st

from pnode.mappers.instance import Edge
from pnode.sim.formats.errors import FormatError
from pnode.sim.schedule.scenario import Graph, Machine, Network, Vertex

from ...borders import ROOT

DATA = ROOT.parent / "shared" / "data"

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"there is no public data at {DATA}")


def data(*names: str) -> Path:
    return DATA.joinpath(*names)


def refusal(read: Callable[[], object]) -> FormatError:
    """The error of a reader that must refuse; its text is one line."""
    with pytest.raises(FormatError) as caught:
        read()
    assert "\n" not in str(caught.value)
    return caught.value


def accepts_or_refuses(read: Callable[[], object]) -> None:
    """What must hold for any input whatever: a value, or a FormatError; nothing else ever gets out."""
    refused: FormatError | None = None
    try:
        read()
    except FormatError as error:
        refused = error

    assert refused is None or (refused.reason and "\n" not in refused.reason)


SECONDS = st.floats(0.001, 1e6, allow_nan=False) | st.integers(1, 1000).map(float)
BYTES = st.integers(0, 2**50).map(float)
NAMES = st.text(string.ascii_letters + string.digits + "_.#:/-", min_size=1, max_size=12)


@st.composite
def graphs(
    draw: st.DrawFn,
    names: st.SearchStrategy[str] = NAMES,
    sizes: st.SearchStrategy[float] = BYTES,
    costs: st.SearchStrategy[float] = SECONDS,
    cores: st.SearchStrategy[int] = st.integers(1, 64),
    memory: st.SearchStrategy[float] = BYTES,
) -> Graph:
    """Graphs whose edges go from earlier to later tasks, in the order in which readers give them."""
    tasks = draw(st.lists(names, min_size=1, max_size=6, unique=True))
    vertices = tuple(Vertex(name, draw(costs), cores=draw(cores), memory_bytes=draw(memory)) for name in tasks)
    pairs = [(parent, child) for parent in range(len(tasks)) for child in range(parent + 1, len(tasks))]
    chosen = sorted(draw(st.lists(st.sampled_from(pairs), unique=True, max_size=8))) if pairs else []
    edges = tuple(Edge(parent, child, draw(sizes)) for parent, child in chosen)
    return Graph(draw(names), vertices, edges)


POSITIVE = st.floats(1e-6, 1e12) | st.integers(1, 1000).map(float)


@st.composite
def networks(draw: st.DrawFn, names: st.SearchStrategy[str] = NAMES, *, cards: bool = True) -> Network:
    """Networks whose nodes can all be reached, in the form in which readers give them."""
    nodes = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    limits = POSITIVE | st.just(math.inf) if cards else st.just(math.inf)
    machines = tuple(
        Machine(
            name, draw(POSITIVE), draw(st.integers(1, 9)) if cards else 1, draw(limits), draw(limits), draw(limits)
        )
        for name in nodes
    )
    numbers = range(len(nodes))
    rates = draw(st.sampled_from([POSITIVE, st.just(5.0), POSITIVE | st.just(math.inf)]))
    latency = tuple(tuple(0.0 if one == two else draw(SECONDS) for two in numbers) for one in numbers)
    bandwidth = tuple(tuple(math.inf if one == two else draw(rates) for two in numbers) for one in numbers)
    return Network(machines, latency, bandwidth)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
"""Any value of JSON; of TOML and YAML, too, but for dates and nothing."""


@st.composite
def mutated(draw: st.DrawFn, document: object) -> object:
    """A document with something in it replaced, left out, or doubled."""
    plain = document
    if isinstance(plain, dict) and plain and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(sorted(plain)))
        copy = dict(plain)
        if draw(st.integers(0, 5)):
            copy[key] = draw(mutated(copy[key]))
        else:
            del copy[key]
        return copy
    if isinstance(plain, list) and plain and draw(st.integers(0, 4)):
        at = draw(st.integers(0, len(plain) - 1))
        changed = draw(st.sampled_from(["replace", "drop", "double"]))
        if changed == "drop":
            return plain[:at] + plain[at + 1 :]
        if changed == "double":
            return [*plain, plain[at]]
        return [*plain[:at], draw(mutated(plain[at])), *plain[at + 1 :]]
    return draw(JSON | st.sampled_from([-1, 0, 1e308, 10**400, "", "a", [], {}]))


@st.composite
def damaged(draw: st.DrawFn, text: str) -> str:
    """A text with a stretch of it replaced by something else."""
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 20)))
    pieces = st.sampled_from(
        ["", "\n", " ", "-1", "1e400", "nan", "inf", "0", "x", '"', "[", "{", "]", "}", "\0", "#"]
    )
    return text[:start] + draw(pieces | st.text(max_size=5)) + text[end:]
