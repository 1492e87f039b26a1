"""Node ids for the profilers' tests."""

from pnode.protocol.ids import NodeId


def node(number: int) -> NodeId:
    return NodeId(number.to_bytes(32, "big"))


ME, A, B, C = (node(number) for number in range(4))
