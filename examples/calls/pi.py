"""Estimate pi on a cluster: python pi.py, beside a node that `pnode start` has started."""

import random

from pnode.node.client import connect

SAMPLES = 200_000
PARTS = 50


def hits(seed: int, samples: int) -> int:
    """How many of so many random points of the unit square lie in the quarter of a circle."""
    draw = random.Random(seed).random
    return sum(draw() ** 2 + draw() ** 2 < 1.0 for _ in range(samples))


def estimate(counts: list[int]) -> float:
    return 4.0 * sum(counts) / (SAMPLES * len(counts))


if __name__ == "__main__":
    with connect() as cluster:
        parts = [cluster.submit(hits, seed, SAMPLES) for seed in range(PARTS)]
        print(f"pi is about {cluster.submit(estimate, parts).result():.4f}")
