from pnode.mappers.cores import Cores


def test_one_core_runs_one_task_at_a_time() -> None:
    cores = Cores(1)

    assert cores.commit(1, cores.quote(1, 2.0, 3.0), 3.0) == 5.0
    assert cores.quote(1, 0.0, 2.0) == 0.0
    assert cores.quote(1, 0.0, 3.0) == 5.0


def test_a_task_goes_to_the_first_core_that_is_free() -> None:
    cores = Cores(2)
    cores.run(1, 4.0)

    assert cores.quote(1, 1.0, 9.0) == 1.0
    cores.commit(1, 1.0, 9.0)
    assert cores.quote(1, 1.0, 9.0) == 4.0


def test_a_gap_on_any_core_is_used() -> None:
    cores = Cores(2)
    cores.commit(1, 5.0, 1.0)
    cores.commit(1, 0.0, 9.0)

    assert cores.quote(1, 1.0, 4.0) == 1.0
    assert cores.quote(1, 1.0, 5.0) == 6.0


def test_a_wide_task_waits_for_enough_cores_and_takes_those_that_are_free_last() -> None:
    cores = Cores(3)
    cores.run(1, 2.0)
    cores.run(1, 4.0)

    assert cores.quote(2, 0.0, 1.0) == 2.0
    assert cores.commit(2, 2.0, 7.0) == 9.0
    assert sorted(calendar.tail_s for calendar in cores.calendars) == [4.0, 9.0, 9.0]


def test_a_task_wider_than_the_node_takes_all_of_it() -> None:
    cores = Cores(2)
    cores.run(1, 4.0)

    assert cores.quote(3, 0.0, 1.0) == 4.0
    cores.run(5, 1.0)
    assert sorted(calendar.tail_s for calendar in cores.calendars) == [1.0, 5.0]


def test_a_block_keeps_every_core_busy_longer() -> None:
    cores = Cores(2, free_from_s=1.0)
    cores.run(1, 4.0)
    cores.block(2.0)
    cores.block(-1.0)

    assert sorted(calendar.tail_s for calendar in cores.calendars) == [3.0, 7.0]


def test_a_node_has_at_least_one_core() -> None:
    assert len(Cores(0)) == 1


def test_it_is_free_when_the_last_core_is() -> None:
    cores = Cores(2, free_from_s=1.0)
    cores.run(1, 4.0)

    assert cores.free_s == 5.0
