"""Who decides what, when, and from which knowledge."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

import pytest

from pnode.mappers.contention import Contention
from pnode.protocol.dag import Dag
from pnode.protocol.view import Choice, Phase, Planned, Progress, Question, Score, View
from pnode.sim.schedule.deciding import Deciding, deciding
from pnode.sim.schedule.policy import Strategy
from pnode.sim.schedule.result import Result
from pnode.sim.schedule.scenario import Arrival, Disruption, Fate, Gossip, Graph, Handoff, Machine, Scenario, Vertex
from pnode.sim.schedule.views import node_of
from pnode.sim.schedule.world import World

from . import worlds


@dataclass(slots=True)
class Asked:
    """One decision."""

    at_s: float
    by: str
    question: Question
    view: View
    progress: dict[str, Progress]


@dataclass(slots=True)
class Told:
    """A mapper that puts tasks where it is told, and remembers what it was asked."""

    places: Mapping[str, str]
    """By task: letters of machines, first choice first."""
    believed_s: float = 0.0
    minds_queue: bool = False
    minds_excluded: bool = False
    asked: list[Asked] = field(default_factory=list)
    worlds: list[World] = field(default_factory=list)
    name: str = "told"

    def choose(self, question: Question, view: View, rng: Random) -> Choice:
        me = chr(97 + int.from_bytes(view.me, "big"))
        progress = {task: question.progress[task] for task in question.progress}
        assert len(question.progress) == len(progress)
        self.asked.append(Asked(self.worlds[-1].now, me, question, view, progress))
        wanted = [node_of(ord(letter) - 97) for letter in self.places[question.task]]
        alive = [peer.node for peer in view.peers]
        if self.minds_excluded:
            alive = [node for node in alive if node not in question.excluded]
        return Choice(
            tuple(Score(node, 0.0, 0.0, self.believed_s, 1.0) for node in wanted if node in alive),
            minds_queue=self.minds_queue,
        )

    def strategy(self) -> Strategy:
        def make(world: World) -> Deciding:
            self.worlds.append(world)
            return Deciding(self, None, world)

        return Strategy("told", make)

    def moments(self) -> list[tuple[str, float, str]]:
        """Task, time and machine of each decision."""
        return [(one.question.task, one.at_s, one.by) for one in self.asked]


def run(scenario: Scenario, told: Told) -> Result:
    return worlds.run(scenario, told.strategy())


DIAMOND = worlds.graph({"s": 1.0, "x": 2.0, "y": 3.0, "t": 1.0}, {"sx": 100.0, "sy": 100.0, "xt": 100.0, "yt": 100.0})
PLACES = {"s": "b", "x": "a", "y": "b", "t": "a"}


def three(graph: Graph = DIAMOND, **facts: object) -> Scenario:
    return worlds.scenario(worlds.network(*worlds.machines(3)), Arrival(graph, origin=2), **facts)  # type: ignore[arg-type]  # facts are right by name


def test_the_origin_places_entries_and_holders_of_controlling_parents_the_rest() -> None:
    told = Told(PLACES)

    result = run(three(), told)

    # s starts at once, on b, so its holder places x and y; x starts on a at 2, when both parents of t have started.
    assert told.moments() == [("s", 0.0, "c"), ("y", 0.0, "b"), ("x", 0.0, "b"), ("t", 2.0, "a")]
    assert result.decisions == 4
    assert worlds.where(result) == "baba"
    assert worlds.times(result) == {"s": (0.0, 1.0), "y": (1.0, 4.0), "x": (2.0, 4.0), "t": (5.0, 6.0)}


def test_what_is_decided_at_one_instant_is_decided_in_upward_rank_order() -> None:
    star = worlds.graph({"s": 1.0, "x": 2.0, "y": 4.0, "z": 3.0}, {"sx": 0.0, "sy": 0.0, "sz": 0.0})
    told = Told(dict.fromkeys("sxyz", "a"))

    run(three(star), told)

    assert [task for task, _, _ in told.moments()] == ["s", "y", "z", "x"]


def test_a_queue_goes_by_upward_rank() -> None:
    star = worlds.graph({"s": 1.0, "x": 2.0, "y": 4.0, "z": 3.0}, {"sx": 0.0, "sy": 0.0, "sz": 0.0})

    result = run(three(star), Told(dict.fromkeys("sxyz", "a")))

    assert worlds.times(result) == {"s": (0.0, 1.0), "y": (1.0, 5.0), "z": (5.0, 8.0), "x": (8.0, 10.0)}


def test_the_question_tells_what_is_known() -> None:
    told = Told(PLACES)

    run(three(), told)
    t = told.asked[-1].question

    assert t.dag.tasks[0].children == ("x", "y")
    assert t.dag.edge_bytes("s", "x") == 100.0
    assert [(one.task, one.node, one.ready_in_s, one.size_bytes) for one in t.parents] == [
        ("x", node_of(0), 2.0, 100.0),
        ("y", node_of(1), 2.0, 100.0),
    ]
    assert list(t.ranks) == ["s", "x", "y", "t"]
    assert t.ranks["t"] == 1.0
    assert t.ranks["s"] == pytest.approx(1 + 1 + 3 + 1 + 1)
    assert t.plan == {}
    assert t.excluded == frozenset()
    assert told.asked[0].question.parents == ()


def test_progress_is_what_is_true_while_views_are_fresh() -> None:
    told = Told(PLACES)

    run(three(), told)

    assert told.asked[-1].progress == {
        "s": Progress(node_of(1), Phase.DONE, -2.0, -1.0),
        "x": Progress(node_of(0), Phase.RUNNING, 0.0, 2.0),
        "y": Progress(node_of(1), Phase.RUNNING, -1.0, 2.0),
    }
    assert told.asked[2].progress["y"] == Progress(node_of(1), Phase.BOUND, 0.0, 3.0)


def test_old_progress_still_has_the_parents_and_what_is_ones_own() -> None:
    side = worlds.graph({"s": 1.0, "x": 2.0, "u": 1.0, "v": 5.0, "w": 1.0}, {"sx": 0.0, "uv": 0.0, "xw": 0.0})
    told = Told({"s": "a", "x": "a", "u": "b", "v": "b", "w": "a"})

    run(three(side, gossip=Gossip(period_s=0.0, delay_s=1.5)), told)
    w = next(one for one in told.asked if one.question.task == "w")

    # a decides at 1, when x starts there. It knows x and s, which it has run; u and v were placed by c and b, less
    # than 1.5 s ago.
    assert (w.at_s, w.by) == (1.0, "a")
    assert list(w.progress) == ["s", "x"]


def test_progress_is_as_old_as_the_snapshot() -> None:
    side = worlds.graph({"s": 4.0, "x": 2.0, "u": 2.0, "v": 5.0, "w": 1.0}, {"sx": 0.0, "uv": 0.0, "xw": 0.0})
    told = Told({"s": "a", "x": "a", "u": "b", "v": "b", "w": "a"})

    run(three(side, gossip=Gossip(delay_s=1.5)), told)
    x, w = (next(one for one in told.asked if one.question.task == task) for task in "xw")

    # At 4, what was true at 2.5: u was done, v had begun at 2 and was to end at 7.
    assert (w.at_s, x.at_s) == (4.0, 0.0)
    assert w.progress["u"] == Progress(node_of(1), Phase.DONE, -4.0, -2.0)
    assert w.progress["v"] == Progress(node_of(1), Phase.RUNNING, -2.0, 3.0)


def test_own_bindings_count_until_gossip_shows_them() -> None:
    star = worlds.graph({"s": 3.0, "x": 2.0, "y": 4.0, "z": 3.0}, {"sx": 0.0, "sy": 0.0, "sz": 0.0})
    told = Told({"s": "a", "x": "b", "y": "b", "z": "a"})

    run(three(star, gossip=Gossip(delay_s=2.0)), told)

    mine = [one.question.mine for one in told.asked]
    assert mine == [
        (),  # the origin has given nothing away
        (),  # a has not either
        ((node_of(1), 4.0),),
        ((node_of(0), 0.0), (node_of(1), 4.0)),  # what it gave itself it sees in its own queue
    ]


def test_with_fresh_views_own_bindings_are_in_the_figures() -> None:
    star = worlds.graph({"s": 3.0, "x": 2.0, "y": 4.0}, {"sx": 0.0, "sy": 0.0})
    told = Told({"s": "a", "x": "b", "y": "b"})

    run(three(star), told)

    assert told.asked[-1].question.mine == ((node_of(1), 0.0),)
    assert [peer.free_in_s for peer in told.asked[-1].view.peers] == [3.0, 4.0, 0.0]


def test_messages_delay_decisions_and_starts() -> None:
    told = Told({"s": "b", "x": "a", "y": "b", "t": "c"})
    net = worlds.network(*worlds.machines(3), latency_s=0.25)
    slow = worlds.scenario(net, Arrival(DIAMOND, origin=2), handoff=Handoff(0.0, free=False))

    result = worlds.run(slow, told.strategy())

    # s is on b at 0.25 and starts; x, which b gives to a, comes there at 0.5 and starts at 2.5, with its data.
    assert [(task, at_s) for task, at_s, _ in told.moments()] == [("s", 0.0), ("y", 0.25), ("x", 0.25), ("t", 2.5)]
    assert [one.bound_s for one in sorted(result.executions, key=lambda one: one.task)] == [0.25, 0.5, 0.25, 2.75]
    assert result.messages == 6  # three hand-offs to others, with their answers


def test_a_start_elsewhere_is_heard_after_its_way() -> None:
    join = worlds.graph({"x": 1.0, "w": 2.0, "y": 1.0, "t": 1.0}, {"xt": 0.0, "wy": 0.0, "yt": 0.0})
    told = Told({"x": "a", "w": "b", "y": "b", "t": "a"})
    net = worlds.network(*worlds.machines(2), latency_s=0.25)

    worlds.run(worlds.scenario(net, Arrival(join), handoff=Handoff(0.0, free=False)), told.strategy())

    # y starts on b at 2.25 (w came at 0.25); a, which has x, the controlling parent of t, hears it at 2.5.
    assert told.moments()[-1] == ("t", 2.5, "a")


def test_a_machine_declines_when_its_queue_is_much_longer_than_believed() -> None:
    graph = worlds.graph({"x": 4.0, "y": 2.0}, {})
    told = Told({"x": "a", "y": "ab"}, minds_queue=True, minds_excluded=True)

    result = run(three(graph), told)

    assert worlds.where(result) == "ab"  # 4 s are more than the 2 s that y takes
    assert [sorted(one.question.excluded) for one in told.asked] == [[], [], [node_of(0)]]
    assert [one.attempt for one in result.executions] == [1, 2]


def test_rather_somebody_who_has_declined_than_nobody() -> None:
    graph = worlds.graph({"x": 4.0, "y": 2.0}, {})
    told = Told({"x": "a", "y": "a"}, minds_queue=True, minds_excluded=True)

    result = run(three(graph), told)

    assert worlds.where(result) == "aa"
    assert [sorted(one.question.excluded) for one in told.asked if one.question.task == "y"] == [
        [],
        [node_of(0)],
        [],
        [node_of(0)],
        [],
        [node_of(0)],
        [],
    ]


def test_the_fourth_to_be_asked_must_take_it() -> None:
    graph = worlds.graph({"x": 4.0, "y": 2.0}, {})
    told = Told({"x": "a", "y": "a"}, minds_queue=True)

    result = run(three(graph), told)

    assert worlds.where(result) == "aa"
    assert [one.attempt for one in result.executions] == [1, 4]


@dataclass(slots=True)
class Planning(Told):
    """The same with a plan."""

    def plan(self, dag: Dag, view: View, rng: Random, items: int = 1) -> Mapping[str, Planned]:
        return {
            task.name: Planned(node_of(ord(self.places[task.name][0]) - 97), 10.0 - place, 11.0)
            for place, task in enumerate(dag.tasks)
        }


def test_a_plan_travels_with_the_job_and_orders_the_queues() -> None:
    graph = worlds.graph({"s": 1.0, "x": 2.0, "y": 2.0}, {"sx": 0.0, "sy": 0.0})
    told = Planning(dict.fromkeys("sxy", "a"))

    result = worlds.run(
        worlds.scenario(worlds.network(*worlds.machines(2)), Arrival(graph, at_s=1.0, origin=1)), told.strategy()
    )

    assert [one.question.plan_age_s for one in told.asked] == [0.0, 0.0, 0.0]
    assert told.asked[0].question.plan["x"].start_s == 9.0
    assert worlds.times(result) == {"s": (1.0, 2.0), "y": (2.0, 4.0), "x": (4.0, 6.0)}  # y is planned before x


def test_a_job_goes_on_when_its_origin_is_gone() -> None:
    told = Told({"s": "a", "x": "b", "y": "b", "t": "b"})
    world = three(disruptions=[Disruption(0.5, 2, Fate.FAIL)])

    assert run(world, told).complete


def test_in_place_of_a_dead_holder_the_origin_decides_and_then_the_first_machine() -> None:
    graph = worlds.graph({"x": 1.0, "w": 3.0, "y": 1.0, "t": 1.0}, {"xt": 0.0, "wy": 0.0, "yt": 0.0})
    places = {"x": "a", "w": "b", "y": "b", "t": "b"}
    told, orphaned = Told(places), Told(places)

    run(three(graph, disruptions=[Disruption(2.0, 0, Fate.FAIL)]), told)
    run(three(graph, disruptions=[Disruption(2.0, 0, Fate.FAIL), Disruption(2.0, 2, Fate.FAIL)]), orphaned)

    assert told.moments()[-1] == ("t", 3.0, "c")
    assert orphaned.moments()[-1] == ("t", 3.0, "b")


def test_nobody_decides_for_a_dead_holder_before_it_is_missed() -> None:
    graph = worlds.graph({"x": 1.0, "w": 3.0, "y": 1.0, "t": 1.0}, {"xt": 0.0, "wy": 0.0, "yt": 0.0})
    told = Told({"x": "a", "w": "b", "y": "b", "t": "b"})
    world = three(graph, disruptions=[Disruption(2.0, 0, Fate.FAIL)], gossip=Gossip(detection_s=5.0))

    run(world, told)

    assert told.moments()[-1] == ("t", 7.0, "c")


def test_a_lost_parent_is_run_again_and_its_placed_children_wait_for_it() -> None:
    graph = worlds.graph({"x": 4.0, "t": 1.0}, {"xt": 0.0})
    told = Told({"x": "ab", "t": "b"})

    result = run(three(graph, disruptions=[Disruption(2.0, 0, Fate.FAIL)]), told)

    assert worlds.times(result) == {"x": (2.0, 6.0), "t": (6.0, 7.0)}
    assert [task for task, _, _ in told.moments()] == ["x", "t", "x"]


def test_every_item_of_a_stream_is_a_decision_of_its_own_and_the_oldest_goes_first() -> None:
    graph = worlds.graph({"x": 2.0, "y": 2.0}, {"xy": 0.0})
    told = Told({"x": "a", "y": "a"})
    world = worlds.scenario(worlds.network(*worlds.machines(1)), Arrival(graph, items=3, period_s=1.0))

    result = run(world, told)

    assert result.decisions == 6
    assert [name for name, _ in sorted(worlds.times(result).items(), key=lambda one: one[1])] == [
        "x0",
        "y0",
        "x1",
        "y1",
        "x2",
        "y2",
    ]


def test_a_task_with_a_name_that_no_file_can_have_is_called_by_its_number() -> None:
    odd = Graph("g", (Vertex("a/b", 1.0), Vertex("", 1.0)), ())
    told = Told({"task0": "a", "task1": "b"})

    assert worlds.where(run(three(odd), told)) == "ab"


def test_a_pinned_task_says_so_in_its_hint() -> None:
    pinned = worlds.graph({"x": 1.0}, {}, x=Vertex("x", 1.0, pinned="b", memory_bytes=3.5))
    told = Told({"x": "ab"})

    result = run(three(pinned), told)

    [task] = told.asked[0].question.dag.tasks
    assert (task.hint, task.memory_bytes) == (("b",), 4)
    assert [peer.name for peer in told.asked[0].view.peers] == ["b"]
    assert worlds.where(result) == "b"


@pytest.mark.parametrize("contention", Contention)
def test_data_travel_as_soon_as_a_place_is_known(contention: Contention) -> None:
    told = Told({"s": "a", "x": "b", "y": "c", "t": "b"})

    result = run(three(contention=contention), told)

    assert worlds.times(result)["x"] == (2.0, 4.0)
    assert math.isclose(worlds.times(result)["t"][0], 6.0)


def test_the_name_of_the_strategy_is_that_of_the_mapper() -> None:
    assert deciding(Told({})).name == "told"


@pytest.mark.parametrize("mapper", ["wave-greedy", "wave-plan", "wave-hint"])
@pytest.mark.parametrize("size_bytes", [0.0, 10.0])
def test_nobody_is_sent_where_its_inputs_cannot_come_however_small_they_are(mapper: str, size_bytes: float) -> None:
    net = worlds.network(Machine("a"), Machine("b"), Machine("c", 100.0), links={"bc": 0.0, "cb": 0.0})
    job = worlds.graph({"x": 1.0, "y": 10.0}, {"xy": size_bytes}, x=Vertex("x", 1.0, pinned="b"))

    result = worlds.run(worlds.scenario(net, job), mapper)

    assert result.complete
