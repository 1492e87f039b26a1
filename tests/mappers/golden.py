"""The golden instance: costs and links that JupiterTP measured and published with its results (jupiter.md 2.6).

Milliseconds and kilobits. The polynomials are raw: a few predict negative times.
"""

import pytest

from pnode.mappers.instance import Edge, Instance, Matrix

from .instances import DATA

NAME = "golden_7node_4task.tgff"
NODES = 7
EDGES = ((0, 1), (0, 2), (1, 3), (2, 3))


def golden() -> Instance:
    """Read from the public data next to the project; the test is skipped where they are not."""
    path = DATA / NAME
    if not path.exists():
        pytest.skip(f"there is no {path}")
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    costs = tuple(tuple(map(float, row[2:])) for row in rows if row and row[0].startswith("t0_"))
    sizes = [float(row[-1]) for row in rows if row and row[0] == "ARC"]
    terms = {
        (_number(row[0]), _number(row[1])): tuple(map(float, row[2:]))
        for row in rows
        if row and row[0].startswith("node")
    }

    def matrix(term: int) -> Matrix:
        return tuple(
            tuple(terms[source, target][term] if source != target else 0.0 for target in range(NODES))
            for source in range(NODES)
        )

    edges = tuple(Edge(*pair, size) for pair, size in zip(EDGES, sizes, strict=True))
    return Instance(costs, edges, latency_s=matrix(2), seconds_per_byte=matrix(1), seconds_per_byte2=matrix(0))


def _number(node: str) -> int:
    """They count from 1."""
    return int(node.removeprefix("node")) - 1
