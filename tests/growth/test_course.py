"""Courses: what grows, from where to where."""

from collections import Counter

import pytest

from pnode.protocol.dag import TASKS_MAX

from ..chaos.machines import NAMES
from ..end_to_end.applications import programs
from .course import MOST, PARTS, Course, Setup, courses, tens

ALL = courses(MOST)


def test_sizes_are_tenfold_up_to_the_most_that_is_asked_for() -> None:
    assert [setup.tasks for setup in tens(100, 100_000)] == [100, 1000, 10_000, 100_000]
    assert [setup.tasks for setup in tens(100, 99_999)] == [100, 1000, 10_000]


def test_a_most_leaves_out_what_is_larger_and_a_course_of_which_nothing_is_left() -> None:
    found = courses(1000)

    assert {course.key for course in ALL} - {course.key for course in found} == {"nodes-calls"}
    assert max(setup.tasks for course in found for setup in course.setups) == 1000


def test_more_than_usual_is_played_where_a_job_can_have_more() -> None:
    most = {course.key: max(setup.tasks for setup in course.setups) for course in courses(1_000_000)}

    assert most["calls"] == 1_000_000
    assert most["commands"] == most["single"] <= TASKS_MAX


def test_no_two_courses_are_called_the_same_and_each_is_in_a_part() -> None:
    keys = Counter(course.key for course in ALL)

    assert set(keys.values()) == {1}
    assert {course.part for course in ALL} == set(PARTS)


@pytest.mark.parametrize("course", ALL, ids=lambda course: course.key)
def test_one_thing_grows_and_the_reference_is_among_its_sizes(course: Course) -> None:
    sizes = [course.size(setup) for setup in course.setups]

    assert sizes == sorted(set(sizes))
    assert course.reference in sizes
    assert max(setup.nodes for setup in course.setups) <= len(NAMES)
    for one in course.setups:
        same = Setup(**{name: getattr(one, name) for name in ("tasks", "nodes", "jobs")} | {course.grows: 0})
        first = Setup(**{n: getattr(course.setups[0], n) for n in ("tasks", "nodes", "jobs")} | {course.grows: 0})
        assert same == first


def test_a_graph_has_as_many_tasks_as_it_says_and_one_is_final() -> None:
    text = programs(99)

    assert text.count("[task.") == 100
    assert text.count("final = false") == 99
