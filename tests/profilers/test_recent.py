from pnode.profilers.recent import Recent


def test_the_row_written_longest_ago_makes_room() -> None:
    table: Recent[str, int] = Recent(2)

    table.put("a", 1)
    table.put("b", 2)
    table.put("a", 3)
    table.put("c", 4)

    assert list(table.items()) == [("a", 3), ("c", 4)]


def test_writing_a_row_again_pushes_nobody_out() -> None:
    table: Recent[str, int] = Recent(2)

    for value in range(5):
        table.put("a", value)
        table.put("b", value)

    assert (len(table), list(table), list(table.values())) == (2, ["a", "b"], [4, 4])


def test_a_dropped_row_is_gone_and_may_be_dropped_again() -> None:
    table: Recent[str, int] = Recent(2)
    table.put("a", 1)

    table.drop("a")
    table.drop("a")

    assert table.get("a") is None
