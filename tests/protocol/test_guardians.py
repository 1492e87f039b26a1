"""Guardians: the same for all who see the same members, evenly spread, and disturbed as little as possible."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pnode.protocol.guardians import best, enters, standing
from pnode.protocol.ids import JobId, NodeId

nodes = st.lists(st.binary(min_size=32, max_size=32).map(NodeId), unique=True, max_size=12)
jobs = st.binary(min_size=16, max_size=16).map(JobId)
counts = st.integers(0, 5)


def names(standings: tuple[tuple[bytes, NodeId], ...]) -> list[NodeId]:
    return [node for _, node in standings]


@given(job=jobs, count=counts, living=nodes)
def test_they_do_not_depend_on_the_order_in_which_members_are_known(
    job: JobId, count: int, living: list[NodeId]
) -> None:
    assert best(job, count, living) == best(job, count, living[::-1])
    assert len(best(job, count, living)) == min(count, len(living))


@given(job=jobs, count=counts, living=nodes)
def test_who_goes_changes_no_set_but_those_it_is_in(job: JobId, count: int, living: list[NodeId]) -> None:
    before = names(best(job, count, living))

    for gone in living:
        after = names(best(job, count, [node for node in living if node != gone]))
        assert (after != before) == (gone in before)
        assert [node for node in before if node != gone] == [node for node in after if node in before]


@given(job=jobs, count=counts, living=nodes, new=st.binary(min_size=32, max_size=32).map(NodeId))
def test_whether_somebody_enters_is_known_without_looking_at_the_others(
    job: JobId, count: int, living: list[NodeId], new: NodeId
) -> None:
    others = [node for node in living if node != new]

    assert enters(job, count, best(job, count, others), new) == (new in names(best(job, count, [*others, new])))


def test_jobs_are_spread_evenly() -> None:
    members = [NodeId(bytes([number]) * 32) for number in range(10)]

    kept = Counter(node for number in range(1000) for node in names(best(JobId(b"%016d" % number), 3, members)))

    assert sum(kept.values()) == 3000
    assert all(abs(kept[node] - 300) < 90 for node in members)  # five standard deviations


def test_no_two_members_stand_alike() -> None:
    job = JobId(b"j" * 16)

    assert len({standing(job, NodeId(bytes([number]) * 32)) for number in range(200)}) == 200
