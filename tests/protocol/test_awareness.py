from pnode.protocol.awareness import Awareness


def test_the_score_stays_between_well_and_as_slow_as_can_be_told() -> None:
    awareness = Awareness(8)
    awareness.add(-1)
    assert awareness.score == 0
    awareness.add(3)
    assert awareness.score == 3
    awareness.add(100)

    assert awareness.score == 7


def test_a_node_that_is_not_well_waits_longer() -> None:
    awareness = Awareness(8)
    assert awareness.scale(1.5) == 1.5
    awareness.add(2)

    assert awareness.scale(1.5) == 4.5
