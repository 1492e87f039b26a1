"""A replay: the run of a live job, simulated with what was measured of it, beside what really happened."""

from pnode.mappers.instance import Instance
from pnode.mappers.plan import Plan
from pnode.protocol.values import dataclass
from pnode.sim.formats.recording import Ran, Recording
from pnode.sim.schedule.policy import Strategy
from pnode.sim.schedule.result import Result
from pnode.sim.schedule.run import simulate
from pnode.sim.schedule.static import static

from .table import Table, Value, table_of


@dataclass(frozen=True)
class Replay:
    """A recording and its simulation."""

    recording: Recording
    result: Result

    @property
    def error(self) -> float:
        """Predicted over real makespan, less one: 0.05 is five per cent too long."""
        real_s = self.recording.makespan_s
        return self.result.makespan_s / real_s - 1.0 if real_s else 0.0

    def table(self) -> Table:
        """A row per task, in order of the real starts; instants are seconds since the submission."""
        graph, network = self.recording.scenario.arrivals[0].graph, self.recording.scenario.network
        predicted = {one.task: one for one in self.result.executions if one.kept}
        rows: list[dict[str, Value]] = []
        for task, real in sorted(enumerate(self.recording.ran), key=lambda pair: (pair[1].start_s, pair[0])):
            guess = predicted[task]
            rows.append(
                {
                    "task": graph.tasks[task].name,
                    "node": network.machines[real.machine].name,
                    "start_s": real.start_s,
                    "predicted_start_s": guess.start_s,
                    "finish_s": real.finish_s,
                    "predicted_finish_s": guess.finish_s,
                    "predicted_node": network.machines[guess.machine].name,
                }
            )
        return table_of(rows)


def replay(recording: Recording, mapper: str = "", seed: int = 0) -> Replay:
    """Simulate a recorded run: on the nodes it took, in the order of each node, or as `mapper` would have it.

    Raises UnknownMapperError, ScenarioError.
    """
    return Replay(recording, simulate(recording.scenario, mapper or as_recorded(recording.ran), seed, trace=True))


def as_recorded(ran: tuple[Ran, ...]) -> Strategy:
    """Everybody on the node that it took, in the order of the real starts. When is for the simulation to say."""

    def plan(instance: Instance) -> Plan:
        # A child never stands before its parent, also where two clocks disagree about which began first.
        depth = {task: place for place, task in enumerate(instance.order)}
        starts = [one.start_s for one in ran]
        for task in instance.order:
            starts[task] = max([starts[task], *(starts[parent] for parent, _ in instance.parents[task])])
        order = sorted(range(len(ran)), key=lambda task: (starts[task], depth[task]))
        return Plan(
            tuple(one.machine for one in ran), tuple(starts), tuple(one.finish_s for one in ran), tuple(order)
        )

    return static("as recorded", plan)
