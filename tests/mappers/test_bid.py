from pnode.mappers.bid import answer_s, asked, free_s, winner


def test_an_idle_node_is_free_now() -> None:
    assert free_s([10.0], []) == 10.0


def test_what_goes_first_counts_each_not_before_its_inputs() -> None:
    # 12-15, then the inputs of the second come at 20: 20-21.
    assert free_s([12.0], [(11.0, 3.0), (20.0, 1.0)]) == 21.0


def test_on_several_cores_the_first_to_be_free_counts() -> None:
    # 10-13 on one core, 11-12 on the other.
    assert free_s([11.0, 10.0], [(0.0, 3.0), (0.0, 1.0)]) == 12.0


def test_a_bid_waits_for_the_core_and_for_the_inputs() -> None:
    assert answer_s(12.0, 15.0, 2.0) == 17.0
    assert answer_s(16.0, 15.0, 2.0) == 18.0


def test_the_three_best_quotes_and_the_present_node_are_asked() -> None:
    quotes_s = {0: 9.0, 1: 5.0, 2: 7.0, 3: 5.0, 4: 8.0}

    assert asked(quotes_s, present=0) == (1, 3, 2, 0)
    assert asked(quotes_s, present=3) == (1, 3, 2)


def test_a_lost_node_is_not_asked() -> None:
    assert asked({1: 5.0, 2: 7.0}, present=0) == (1, 2)


def test_the_present_node_keeps_the_task_unless_it_is_beaten_by_the_margin() -> None:
    assert winner({0: 10.0, 1: 8.1}, present=0, run_s=10.0) == 0
    assert winner({0: 10.0, 1: 8.0}, present=0, run_s=10.0) == 0
    assert winner({0: 10.0, 1: 7.9}, present=0, run_s=10.0) == 1


def test_without_a_margin_any_gain_will_do_but_a_tie_will_not() -> None:
    assert winner({0: 10.0, 1: 9.9}, present=0, run_s=10.0, margin_share=0.0) == 1
    assert winner({0: 10.0, 1: 10.0, 2: 10.0}, present=1, run_s=10.0, margin_share=0.0) == 1


def test_a_lost_node_has_no_claim() -> None:
    assert winner({2: 10.0, 1: 10.0}, present=0, run_s=10.0) == 1
