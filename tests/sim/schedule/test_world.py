"""The actions of a policy, and what the world makes of them."""

from collections.abc import Callable, Sequence
from functools import partial

import pytest

from pnode.mappers.contention import Contention
from pnode.sim.schedule.machines import Station
from pnode.sim.schedule.policy import Policy, Strategy
from pnode.sim.schedule.queues import Discipline, Queue, queue_of
from pnode.sim.schedule.result import Result
from pnode.sim.schedule.scenario import Arrival, Disruption, Fate, Gossip, Graph, Handoff, Vertex
from pnode.sim.schedule.units import Attempt, Job, State
from pnode.sim.schedule.world import World

from . import worlds
from .policies import AbandonCopies, AbandonOriginals, AllToA, CopyOverdue, MoveBehind, Turn


def do(policy: Callable[[World], Policy], graph: Graph, *, slow: bool = False, **facts: object) -> Result:
    """On two machines; `slow` makes the first run at a tenth of its speed."""
    disruptions = [Disruption(0.0, 0, Fate.SPEED, 0.1)] if slow else []
    world = worlds.scenario(worlds.network(*worlds.machines(2)), graph, disruptions=disruptions, **facts)  # type: ignore[arg-type]  # facts are right by name
    return worlds.run(world, Strategy("test", policy))


def executions(result: Result) -> list[tuple[int, int, float, float, bool]]:
    return [(one.task, one.machine, one.start_s, one.finish_s, one.kept) for one in result.executions]


def test_the_first_of_original_and_copy_to_end_is_kept_and_ends_the_other() -> None:
    result = do(CopyOverdue, worlds.graph({"x": 4.0, "y": 1.0}, {"xy": 100.0}), slow=True)

    # The copy of y starts once both its inputs are on b, that is at once: x was kept there.
    assert executions(result) == [
        (0, 0, 0.0, 9.0, False),
        (0, 1, 5.0, 9.0, True),
        (1, 0, 10.0, 12.25, False),
        (1, 1, 11.25, 12.25, True),
    ]
    assert result.complete
    assert result.moves == 0


def test_an_original_that_ends_first_ends_its_copy() -> None:
    graph = worlds.graph({"x": 4.0}, {})
    world = worlds.scenario(
        worlds.network(*worlds.machines(2)),
        graph,
        disruptions=[Disruption(0.0, 0, Fate.SPEED, 0.1), Disruption(6.0, 0, Fate.SPEED, 10.0)],
    )

    result = worlds.run(world, Strategy("test", CopyOverdue))

    end_s = 6.0 + 3.4 / 10
    assert executions(result) == [(0, 0, 0.0, end_s, True), (0, 1, 5.0, end_s, False)]


def test_a_copy_can_be_abandoned() -> None:
    result = do(AbandonCopies, worlds.graph({"x": 4.0}, {}), slow=True)

    assert executions(result) == [(0, 0, 0.0, 40.0, True), (0, 1, 5.0, 5.0, False)]


def test_an_original_can_be_abandoned_for_its_copy() -> None:
    result = do(AbandonOriginals, worlds.graph({"x": 4.0, "y": 1.0}, {"xy": 0.0}), slow=True)

    assert executions(result)[:2] == [(0, 0, 0.0, 5.0, False), (0, 1, 5.0, 9.0, True)]
    assert result.complete


@pytest.mark.parametrize("contention", Contention)
def test_inputs_go_to_where_a_task_has_moved(contention: Contention) -> None:
    fork = worlds.graph({"x": 1.0, "y": 1.0, "z": 1.0}, {"xy": 100.0, "xz": 100.0})

    result = do(MoveBehind, fork, contention=contention)

    last = 4.0 if contention is Contention.LINK else 3.0  # both inputs travel at once
    assert executions(result) == [
        (0, 0, 0.0, 1.0, True),
        (1, 1, last - 1.0, last, True),
        (2, 1, last, last + 1.0, True),
    ]
    assert result.moves == 2


@pytest.mark.parametrize("contention", Contention)
@pytest.mark.parametrize("at_s", [1.5, 3.0])
def test_what_moves_gets_its_inputs_anew(contention: Contention, at_s: float) -> None:
    class Later(AllToA):
        """Gives the last task to b, and on to c while its input is on its way, or there."""

        def arrived(self, job: Job, item: int) -> None:
            first, long, last = job.items[item]
            self.world.bind(first, 0, 0.0, 0)
            self.world.bind(long, 1, 1.0, 0)
            self.world.bind(last, 1, 2.0, 0)
            self.world.at(at_s, partial(self.world.move, last, 2, 0.0, 0))

    graph = worlds.graph({"x": 1.0, "w": 9.0, "y": 1.0}, {"xy": 100.0})
    world = worlds.scenario(worlds.network(*worlds.machines(3)), graph, contention=contention)

    result = worlds.run(world, Strategy("test", Later))

    assert worlds.times(result)["y"] == (at_s + 1.0, at_s + 2.0)
    assert worlds.where(result) == "abc"
    assert result.moves == 1
    assert [(one.target, one.finish_s) for one in result.transfers] == [(1, 2.0)] * (at_s > 2) + [(2, at_s + 1.0)]
    assert result.bytes_moved == 200.0


def test_another_key_is_another_place_in_the_queue() -> None:
    result = do(Turn, worlds.graph({"x": 1.0, "y": 1.0, "z": 1.0}, {}))

    assert [task for task, *_ in executions(result)] == [0, 2, 1]


def test_messages_are_counted_between_machines_only() -> None:
    graph = worlds.graph({"x": 1.0, "y": 1.0}, {})
    net = worlds.network(*worlds.machines(2))

    here = worlds.run(worlds.scenario(net, graph), Strategy("test", AllToA))
    there = worlds.run(worlds.scenario(net, Arrival(graph, origin=1)), Strategy("test", AllToA))

    assert here.messages == 0
    assert there.messages == 4  # an assignment and an answer each


def test_hand_offs_take_the_time_of_their_messages() -> None:
    net = worlds.network(*worlds.machines(2), latency_s=0.5)
    world = worlds.scenario(
        net,
        Arrival(worlds.graph({"x": 1.0, "y": 1.0}, {"xy": 0.0}), origin=1),
        handoff=Handoff(message_bytes=25.0, free=False),
    )

    result = worlds.run(world, worlds.at(0, 1))

    assert [(one.bound_s, one.start_s) for one in result.executions] == [(0.75, 0.75), (0.0, 2.25)]


def test_data_leave_only_when_the_child_has_a_machine() -> None:
    class Late(AllToA):
        """Binds the second task long after the first has ended."""

        def arrived(self, job: Job, item: int) -> None:
            first, second = job.items[item]
            self.world.bind(first, 0, 0.0, 0)
            self.world.at(5.0, partial(self.world.bind, second, 1, 0.0, 0))

    result = do(Late, worlds.graph({"x": 1.0, "y": 1.0}, {"xy": 200.0}))

    assert executions(result)[1] == (1, 1, 7.0, 8.0, True)


def test_what_has_started_never_moves() -> None:
    class Rash(AllToA):
        """Moves what has just started."""

        def started(self, attempt: Attempt) -> None:
            self.world.move(attempt.unit, 1, 0.0, 0)

    with pytest.raises(AssertionError, match="never moves"):
        do(Rash, worlds.graph({"x": 1.0}, {}))


def test_nothing_is_given_to_a_machine_that_cannot_run_it() -> None:
    graph = worlds.graph({"x": 1.0}, {}, x=Vertex("x", 1.0, pinned="b"))

    with pytest.raises(AssertionError, match="machine 0 cannot run unit"):
        do(AllToA, graph)


def test_what_is_declined_is_given_to_somebody_else() -> None:
    class Picky(AllToA):
        """The first machine takes nothing."""

        def accepts(self, attempt: Attempt) -> bool:
            return attempt.machine != 0

        def declined(self, attempt: Attempt) -> None:
            assert attempt.state is State.GONE
            self.world.bind(attempt.unit, 1, attempt.key, attempt.by)

    net = worlds.network(*worlds.machines(2), latency_s=0.5)
    world = worlds.scenario(
        net, Arrival(worlds.graph({"x": 1.0}, {}), origin=1), handoff=Handoff(message_bytes=0.0, free=False)
    )

    result = worlds.run(world, Strategy("test", Picky))

    assert [(one.machine, one.bound_s, one.attempt) for one in result.executions] == [(1, 1.0, 2)]
    assert result.messages == 2


def test_a_copy_can_be_declined_and_made_elsewhere() -> None:
    class Picky(CopyOverdue):
        """b takes no copies."""

        def accepts(self, attempt: Attempt) -> bool:
            return attempt.machine != 1

        def declined(self, attempt: Attempt) -> None:
            assert attempt.unit.copy is None
            self.world.copy(attempt.unit, 2, 0.0, 0)

    world = worlds.scenario(
        worlds.network(*worlds.machines(3)),
        worlds.graph({"x": 4.0}, {}),
        disruptions=[Disruption(0.0, 0, Fate.SPEED, 0.1)],
    )

    result = worlds.run(world, Strategy("test", Picky))

    assert executions(result) == [(0, 0, 0.0, 9.0, False), (0, 2, 5.0, 9.0, True)]


def test_a_refusal_that_comes_too_late_changes_nothing() -> None:
    class Impatient(AllToA):
        """a takes nothing, and before that is known b gets it."""

        def accepts(self, attempt: Attempt) -> bool:
            return attempt.machine == 1

        def arrived(self, job: Job, item: int) -> None:
            super().arrived(job, item)
            self.world.at(0.75, partial(self.world.move, job.items[0][0], 1, 0.0, 1))

    net = worlds.network(*worlds.machines(2), latency_s=0.5)
    world = worlds.scenario(
        net, Arrival(worlds.graph({"x": 1.0}, {}), origin=1), handoff=Handoff(message_bytes=0.0, free=False)
    )

    result = worlds.run(world, Strategy("test", Impatient))

    assert executions(result) == [(0, 1, 0.75, 1.75, True)]


def test_a_task_whose_input_cannot_come_is_never_run() -> None:
    net = worlds.network(*worlds.machines(2), links={"ab": 0.0})
    for contention in Contention:
        world = worlds.scenario(net, worlds.graph({"x": 1.0, "y": 1.0}, {"xy": 0.0}), contention=contention)

        result = worlds.run(world, worlds.at(0, 1))

        assert worlds.times(result) == {"x": (0.0, 1.0)}
        assert not result.complete


def test_jobs_share_machines_and_keep_their_own_times() -> None:
    one = worlds.graph({"x": 2.0}, {})
    world = worlds.scenario(worlds.network(*worlds.machines(1)), Arrival(one, at_s=1.0), Arrival(one, at_s=2.0))

    result = worlds.run(world, worlds.at(0))

    assert result.finishes_s == (3.0, 5.0)
    assert result.responses_s == (2.0, 3.0)
    assert result.makespan_s == 4.0
    assert result.utilisation == 1.0


def test_nobody_is_busier_than_all_the_time_when_the_last_to_run_is_lost() -> None:
    net, chain = worlds.network(*worlds.machines(2)), worlds.graph({"x": 1.0, "y": 20.0}, {"xy": 0.0})
    world = worlds.scenario(net, chain, disruptions=[Disruption(10.0, 0, Fate.FAIL)])

    result = worlds.run(world, worlds.at(0, 0))

    assert not result.complete
    assert result.makespan_s == 1.0
    assert result.utilisation == 0.5


def test_what_is_moved_while_its_assignment_travels_is_not_taken() -> None:
    class Hasty(AllToA):
        """Gives the task to a, and to b before a has heard of it."""

        def arrived(self, job: Job, item: int) -> None:
            super().arrived(job, item)
            self.world.at(0.25, partial(self.world.move, job.items[0][0], 1, 0.0, job.arrival.origin))

    net = worlds.network(*worlds.machines(3), latency_s=0.5)
    world = worlds.scenario(
        net, Arrival(worlds.graph({"x": 1.0}, {}), origin=2), handoff=Handoff(message_bytes=0.0, free=False)
    )

    result = worlds.run(world, Strategy("test", Hasty))

    assert executions(result) == [(0, 1, 0.75, 1.75, True)]
    assert result.messages == 4


def test_a_copy_that_is_lost_is_no_loss() -> None:
    world = worlds.scenario(
        worlds.network(*worlds.machines(2)),
        worlds.graph({"x": 4.0}, {}),
        disruptions=[Disruption(0.0, 0, Fate.SPEED, 0.1), Disruption(6.0, 1, Fate.FAIL)],
    )

    result = worlds.run(world, Strategy("test", CopyOverdue))

    assert executions(result) == [(0, 0, 0.0, 40.0, True), (0, 1, 5.0, 6.0, False)]


def test_orders_about_what_is_lost_come_to_nothing() -> None:
    class Unaware(AllToA):
        """Reorders, moves and copies what was on a, which nobody knows to be gone."""

        def arrived(self, job: Job, item: int) -> None:
            super().arrived(job, item)
            x, y, z = job.items[0]
            assert y.held is not None
            self.world.at(2.0, partial(self.world.copy, x, 1, 0.0, 1))
            self.world.at(2.0, partial(self.world.rekey, y.held, -1.0))
            self.world.at(2.0, partial(self.world.move, z, 1, 1.0, 1))

        def died(self, machine: int, lost: Sequence[Attempt]) -> None:
            for attempt in lost:
                self.world.bind(attempt.unit, 1, 2.0, 1)

    world = worlds.scenario(
        worlds.network(*worlds.machines(2)),
        worlds.graph({"x": 4.0, "y": 1.0, "z": 1.0}, {}),
        disruptions=[Disruption(1.0, 0, Fate.FAIL)],
        gossip=Gossip(detection_s=3.0),
    )

    result = worlds.run(world, Strategy("test", Unaware))

    assert executions(result) == [
        (0, 0, 0.0, 1.0, False),
        (0, 1, 2.0, 6.0, True),
        (2, 1, 6.0, 7.0, True),
        (1, 1, 7.0, 8.0, True),
    ]


def test_looks_at_what_is_very_late_grow_rare() -> None:
    looks: list[float] = []

    class Watching(AllToA):
        """Looks again as soon as it may."""

        def started(self, attempt: Attempt) -> None:
            self.world.watch(attempt, self.world.now)

        def overdue(self, attempt: Attempt) -> None:
            looks.append(self.world.now)
            self.world.watch(attempt, self.world.now + 1e-9)

    do(Watching, worlds.graph({"x": 1e-6}, {}), slow=True)

    assert 500 < len(looks) < 2000  # from 1e-9 to 1e-5, a hundredth more each time
    assert looks == sorted(dict.fromkeys(looks))


@pytest.mark.parametrize("discipline", [Discipline.RANK, Discipline.FIFO, Discipline.HOLD])
def test_ready_tasks_can_be_moved_and_reordered(discipline: Discipline) -> None:
    class Ready(AllToA):
        """At 0.5 z goes before y, and w to b."""

        def queue(self, station: Station) -> Queue:
            return queue_of(discipline, station, self.world)

        def arrived(self, job: Job, item: int) -> None:
            super().arrived(job, item)
            _, _, z, w = job.items[0]
            assert z.held is not None
            self.world.at(0.5, partial(self.world.rekey, z.held, 0.5))
            self.world.at(0.5, partial(self.world.move, w, 1, 0.0, 0))

    result = do(Ready, worlds.graph(dict.fromkeys("xyzw", 1.0), {}))

    order = [0, 3, 1, 2] if discipline is Discipline.FIFO else [0, 3, 2, 1]
    assert [task for task, *_ in executions(result)] == order
