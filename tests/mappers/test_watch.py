from pnode.mappers.watch import copy_again_s, copy_due_s, due_s, is_copy_worth_it, overdue


def test_a_task_is_overdue_after_a_quarter_more_than_was_expected() -> None:
    assert due_s(10.0, 4.0) == 15.0


def test_an_overdue_task_is_believed_to_need_three_tenths_more_and_is_looked_at_after_half() -> None:
    seen = overdue(start_s=10.0, now=20.0)

    assert seen.finish_s == 23.0
    assert seen.again_s == 25.0


def test_a_copy_is_thought_of_after_half_more_than_was_expected() -> None:
    assert copy_due_s(10.0, 4.0) == 16.0


def test_a_copy_is_worth_it_when_it_ends_within_half_of_what_the_task_has_taken() -> None:
    assert is_copy_worth_it(17.9, start_s=10.0, expected_s=3.0, now=15.0) is False
    assert is_copy_worth_it(17.4, start_s=10.0, expected_s=3.0, now=15.0) is True


def test_a_task_that_has_just_begun_is_given_three_tenths_of_what_was_expected() -> None:
    assert is_copy_worth_it(12.9, start_s=10.0, expected_s=10.0, now=10.0) is True
    assert is_copy_worth_it(13.1, start_s=10.0, expected_s=10.0, now=10.0) is False


def test_a_place_for_the_copy_is_looked_for_again_soon_and_then_ever_later() -> None:
    assert copy_again_s(start_s=10.0, expected_s=4.0, now=16.0) == 17.0
    assert copy_again_s(start_s=10.0, expected_s=4.0, now=110.0) == 120.0
