"""A node by itself does what it did among the others, and the replay says so if it does not."""

import pytest

from pnode.protocol.effects import Effect, Notify
from pnode.protocol.peer import Peer
from pnode.sim.study.membership import Conditions, Stage
from pnode.sim.study.membership_alone import Record, ReplayError
from pnode.sim.study.membership_course import Course, observe


@pytest.fixture
def course() -> Course:
    """Four nodes that know each other."""
    course = Course(Conditions(4, 1, stages=(Stage.START,)))
    course.observe()
    return course


def test_a_copy_does_what_the_node_did_and_its_time_is_taken(course: Course) -> None:
    record = Record(course.cluster.hosts[1])

    course.cluster.engine.run_for(20.0)
    record.end()

    assert len(record.happened) > 20
    assert 0.0 < record.replay() < 20.0


def test_what_happens_after_the_end_of_a_record_is_not_in_it(course: Course) -> None:
    record = Record(course.cluster.hosts[1])
    course.cluster.engine.run_for(5.0)
    record.end()
    happened = len(record.happened)

    course.cluster.engine.run_for(5.0)

    assert len(record.happened) == happened


def test_what_a_host_does_of_its_own_accord_is_done_again(course: Course) -> None:
    host = course.cluster.hosts[1]
    record, done = Record(host), []

    def act(peer: Peer, now: float) -> list[Effect]:
        done.append(now)
        return []

    host.act(record.acting(act))
    record.end()
    record.replay()

    assert len(done) > 1
    assert set(done) == {host.now}


def test_a_copy_that_does_something_else_is_found_out(course: Course) -> None:
    record = Record(course.cluster.hosts[1])
    course.cluster.engine.run_for(20.0)
    record.end()

    record.done[-1] = [Notify("members", b"nobody")]

    with pytest.raises(ReplayError, match="node 1"):
        record.replay()


def test_every_stage_with_traffic_tells_what_a_node_takes_by_itself() -> None:
    course = observe(Conditions(3, 1, stages=(Stage.QUIET, Stage.IDLE, Stage.BUSY)))

    traffic = [course.quiet, course.idle, course.busy]

    assert [each is not None and len(each.alone_cpu_s) for each in traffic] == [2, 2, 2]
    assert all(seconds > 0.0 for each in traffic if each is not None for seconds in each.alone_cpu_s)
