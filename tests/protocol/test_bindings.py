"""Bindings: work that gossip does not show yet."""

from pnode.protocol.bindings import Bindings
from pnode.protocol.ids import NodeId

A, B = NodeId(b"a" * 32), NodeId(b"b" * 32)


def never(node: NodeId) -> float:
    return float("-inf")


def test_what_was_bound_is_added_up_per_node() -> None:
    bindings = Bindings()
    bindings.add(B, "one", 1.0, 2.0)
    bindings.add(A, "two", 1.0, 3.0)
    bindings.add(B, "three", 2.0, 4.0)

    assert bindings.totals(never) == ((A, 3.0), (B, 6.0))


def test_what_the_newest_figures_contain_is_not_counted_twice() -> None:
    bindings = Bindings()
    bindings.add(B, "old", 1.0, 2.0)
    bindings.add(B, "new", 5.0, 4.0)

    assert bindings.totals(lambda node: 3.0) == ((B, 4.0),)
    bindings.end("old")
    assert bindings.totals(never) == ((B, 4.0),)


def test_ended_work_is_forgotten() -> None:
    bindings = Bindings()
    bindings.add(A, "one", 1.0, 2.0)

    bindings.end("one")
    bindings.end("one")

    assert bindings.totals(never) == ()


def test_work_given_to_another_moves() -> None:
    bindings = Bindings()
    bindings.add(A, "one", 1.0, 2.0)
    bindings.add(B, "one", 2.0, 2.0)

    assert bindings.totals(never) == ((B, 2.0),)
