"""Stretches: an order of tasks cut into pieces in which nobody waits for anybody else of the same piece.

What all tasks of a stretch wait for is known before the first of them is placed, so when it arrives can be reckoned
for all of them at once. The inputs are laid out for that: first inputs of all tasks, then second ones, and so on.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from pnode.protocol.values import dataclass

from .instance import Floats, Instance

Numbers = npt.NDArray[np.intp]

EDGES_MAX = 2048
"""Inputs of a stretch, by 128 nodes 2 MB: more would leave the processor's cache and win nothing."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Tasks by rows, those with most inputs first."""

    tasks: Numbers
    rows: list[int]
    """Of the tasks in their order."""
    parents: Numbers
    """By input: the first of every row that has one, in the order of the rows; then the second, and so on."""
    sizes_bytes: Floats
    """By input, as a column."""
    widths: list[int]
    """How many rows have a first input, how many a second, and so on."""

    def latest(self, arrivals: Floats) -> Floats:
        """Per row the largest of its inputs' rows, or zeros."""
        found = np.zeros((len(self.tasks), arrivals.shape[1]))
        at = 0
        for width in self.widths:
            rows = found[:width]
            np.maximum(rows, arrivals[at : at + width], out=rows)
            at += width
        return found


def stretches(instance: Instance, order: Sequence[int]) -> Iterator[Stretch]:
    """The order cut up, each stretch as long as can be. Parents come before their children in it."""
    edges = instance.edges
    parent = np.fromiter((edge.parent for edge in edges), np.intp, len(edges))
    child = np.fromiter((edge.child for edge in edges), np.intp, len(edges))
    size = np.fromiter((edge.size_bytes for edge in edges), np.float64, len(edges))
    tasks = np.array(order, dtype=np.intp)
    turn = _inverse(tasks)
    # From here on tasks are known by their place in the order.
    inputs = np.bincount(turn[child], minlength=len(tasks))
    latest = np.full(len(tasks), -1)
    np.maximum.at(latest, turn[child], turn[parent])
    cuts = _cuts(latest.tolist(), inputs.tolist())
    piece = np.repeat(np.arange(len(cuts) - 1), np.diff(cuts))
    by_row = np.lexsort((-inputs, piece))
    row = _inverse(by_row)  # counted through all stretches
    by_input = np.argsort(row[turn[child]], kind="stable")
    first = np.cumsum(inputs[by_row]) - inputs[by_row]
    nth = np.arange(len(edges)) - first[row[turn[child[by_input]]]]
    laid = np.lexsort((nth, piece[turn[child[by_input]]]))
    by_input, nth = by_input[laid], nth[laid]
    ends = np.concatenate([[0], np.cumsum(inputs)])
    for begin, end in pairwise(cuts):
        part = slice(ends[begin], ends[end])
        mine = by_input[part]
        widths = np.bincount(nth[part]).tolist()
        rows = (row[begin:end] - begin).tolist()
        yield Stretch(tasks[by_row[begin:end]], rows, parent[mine], size[mine, np.newaxis], widths)


def _cuts(latest: Sequence[int], inputs: Sequence[int]) -> list[int]:
    """Places where a stretch begins, and the end: by the place of each task's last parent, and its inputs."""
    cuts, edges = [0], 0
    for at, (parent, count) in enumerate(zip(latest, inputs, strict=True)):
        edges += count
        if parent >= cuts[-1] or (edges > EDGES_MAX and at > cuts[-1]):
            cuts.append(at)
            edges = count
    return [*cuts, len(latest)]


def _inverse(permutation: Numbers) -> Numbers:
    inverse = np.empty_like(permutation)
    inverse[permutation] = np.arange(len(permutation))
    return inverse
