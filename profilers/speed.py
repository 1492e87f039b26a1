"""Speed: of one core of this machine, relative to a reference core.

A node has it measured by a process of its own, which runs this file by its path: beside its other threads every
round would be longer, and the node would feel it, too. So nothing but the standard library is imported here.
"""

import hashlib
import math
import time

REFERENCE_ROUND_S = 0.00169
"""One round of the speed index on the reference core, which has speed 1 by definition. A virtual core of an AMD EPYC
at 2.4 GHz under CPython 3.11 takes 1.55 ms, so its speed is 1.09."""

ROUNDS_MIN = 30
"""However long they take: of three, on a machine with six times as much to do as it can, none may run undisturbed."""


def speed_index(budget_s: float = 0.05) -> float:
    """Speed of one core, relative to the reference core: the best of the short rounds that fit into the budget.

    The best, because whatever else happens on the machine only makes rounds longer: two calls differ by a few per
    cent, unless the machine is so busy that no round of a millisecond runs undisturbed.
    """
    block, area = bytes(range(256)) * 1024, bytearray(4 << 20)
    best_s = math.inf
    rounds = 0
    end_s = time.perf_counter() + budget_s
    while rounds < ROUNDS_MIN or time.perf_counter() < end_s:
        start_s = time.perf_counter()
        _round(block, area)
        best_s = min(best_s, time.perf_counter() - start_s)
        rounds += 1
    return REFERENCE_ROUND_S / best_s


def _round(block: bytes, area: bytearray) -> bytes:
    """What tasks are made of, in small: integers, a table, a sort, text, floating-point numbers, memory that is too
    large for a core's own cache, and compiled code.

    Changing this changes what every speed in a cluster means.
    """
    total = 0
    table: dict[int, int] = {}
    for number in range(4000):
        total = (total * 31 + number) & 0xFFFFFF
        table[total % 509] = number
    names = sorted(str(total ^ key) for key in table)
    x, y = 1.0, 0.5
    for _ in range(2000):
        x = x * 0.75 + y / (1.0 + x * x)
        y = math.sqrt(y * y + x) * 0.5
    names.append(f"{x + y}{len(bytes(area))}")
    return hashlib.blake2b("".join(names).encode() + block).digest()


if __name__ == "__main__":
    print(speed_index())  # noqa: T201  # for the node, see pnode.node.pace
