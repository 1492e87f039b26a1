"""What is expected, by the profile and by what was said."""

import math
from functools import partial

import pytest

from pnode.sim.schedule.forecast import finish_s, inputs_s
from pnode.sim.schedule.policy import Strategy
from pnode.sim.schedule.scenario import Disruption, Fate
from pnode.sim.schedule.units import Attempt, Job
from pnode.sim.schedule.world import World

from . import worlds
from .policies import AllToA

GRAPH = worlds.graph({"x": 4.0, "y": 2.0, "z": 1.0}, {"xz": 100.0, "yz": 0.0})


class Expecting(AllToA):
    """x runs on a and y on b; z waits on b. What is expected is noted from time to time."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.finishes: list[float] = []
        self.inputs: list[float] = []

    def arrived(self, job: Job, item: int) -> None:
        x, y, z = job.items[0]
        self.world.bind(x, 0, 0.0, 0, (0.0, 4.0))
        last = self.world.bind(z, 1, 1.0, 0)
        self.note(last)
        self.world.at(1.0, partial(self.world.bind, y, 0, 1.0, 0, (4.0, 6.0)))
        for at_s in (1.0, 5.0, 9.0, 11.0, 14.0):
            self.world.at(at_s, partial(self.note, last))

    def note(self, last: Attempt) -> None:
        x, y, _ = last.unit.together
        self.finishes += [finish_s(x, self.world.now), finish_s(y, self.world.now)]
        self.inputs.append(inputs_s(self.world, last))


def test_forecasts_follow_what_happens() -> None:
    made: list[Expecting] = []

    def make(world: World) -> Expecting:
        made.append(Expecting(world))
        return made[0]

    world = worlds.scenario(
        worlds.network(*worlds.machines(2)), GRAPH, disruptions=[Disruption(0.0, 0, Fate.SPEED, 0.4)]
    )
    worlds.run(world, Strategy("test", make))

    # x takes from 0 to 10 instead of 4, then y to 15 instead of 6.
    assert made[0].finishes == pytest.approx([4.0, math.inf, 4.0, 6.0, 5.4, 6.0, 9.4, 9.0, 10.0, 12.0, 10.0, 14.2])
    assert made[0].inputs == pytest.approx([math.inf, 6.0, 6.4, 10.4, 12.0, 14.2])
