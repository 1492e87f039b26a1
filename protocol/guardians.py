"""Guardians: which members keep a job beside its origin, as a function of the job's id and of who lives.

Rendezvous hashing (Thaler and Ravishankar, 1998): every member has a score for every job, a digest of the two ids,
and the highest scores win. So all who see the same members name the same guardians without a word; a member that goes
or comes changes the sets that it is in and no other, and the work is spread evenly.

Who is suspected counts as living until it is dead: sets that changed with every lost packet would be copied each
time.
"""

import hashlib
import heapq
from collections.abc import Iterable

from .ids import JobId, NodeId

Standing = tuple[bytes, NodeId]
"""How a member stands for a job: (score, node); compared as it is, so that no two stand alike."""


def standing(job: JobId, node: NodeId) -> Standing:
    """The higher the better."""
    return (hashlib.blake2b(job + node, digest_size=8, person=b"pnode-guardian").digest(), node)


def best(job: JobId, count: int, living: Iterable[NodeId]) -> tuple[Standing, ...]:
    """The guardians among those who live, the first first; fewer where there are not so many."""
    return tuple(heapq.nlargest(count, (standing(job, node) for node in living)))


def enters(job: JobId, count: int, guardians: tuple[Standing, ...], node: NodeId) -> bool:
    """Whether a member that was not there before belongs to the guardians, by their number and the weakest alone."""
    if len(guardians) < count:
        return True
    return count > 0 and standing(job, node) > guardians[-1]
