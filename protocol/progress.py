"""Progress: how far the tasks of a job are for one item, as a mapper sees it, worked out where it looks.

A mapping from names of tasks to `view.Progress`, laid over the job's state: making one costs nothing, and a look at
one task the same however large the job is. It shows what this node knows: a node that runs one task hears of its
neighbours in the graph, a replica of everything.

    DONE      it has a result, and nobody has found out that the result is lost
    RUNNING   a node that is not gone has started it; it ends when it has run as long as is expected on that node, or,
              if it is overdue, after a little more
    BOUND     a node that is not gone has been asked to run it; it starts when its last input can be there, but not
              before the queue has passed that its controller believed to be there
"""

from collections.abc import Callable, Iterator, Mapping

from .ids import NodeId
from .job import Job
from .jobstate import LADDER, Attempt, UnitKey
from .ledger import ANY_QUEUE
from .view import Moment, Phase, Progress, View
from .workbench import left_s

_BOUND = ("assigned", "accepted")


class JobProgress(Mapping[str, Progress]):
    """The tasks that have a node, by name, in the order of the DAG file. True at one moment: not to be kept."""

    __slots__ = ("_gone", "_is_gone", "_item", "_job", "_memory", "_now", "_queues", "_view")

    def __init__(
        self, job: Job, item: int, view: View, is_gone: Callable[[NodeId], bool], now: float, moment: Moment
    ) -> None:
        """What was looked at before at the same moment is taken from there."""
        self._job = job
        self._item = item
        self._view = view
        self._is_gone = is_gone
        self._now = now
        self._queues: dict[NodeId, float] | None = None
        self._gone: dict[NodeId, bool] = {}
        self._memory = moment.known

    def get(self, name: str, default: Progress | None = None) -> Progress | None:  # type: ignore[override]
        """As any mapping's, but a mapper asks for hundreds of tasks that have no node: errors would take too long."""
        memory = self._memory
        if name in memory:
            found = memory[name]
        else:
            task = self._job.state.index.get(name)
            attempt = None if task is None else self._attempt(task)
            found = memory[name] = None if task is None or attempt is None else self._progress(task, attempt)
        return default if found is None else found

    def __getitem__(self, name: str) -> Progress:
        task = self._job.state.index[name]
        attempt = self._attempt(task)
        if attempt is None:
            raise KeyError(name)
        return self._progress(task, attempt)

    def __contains__(self, name: object) -> bool:
        task = self._job.state.index.get(name) if isinstance(name, str) else None
        return task is not None and self._attempt(task) is not None

    def __iter__(self) -> Iterator[str]:
        tasks = enumerate(self._job.spec.dag.tasks)
        return (task.name for number, task in tasks if self._attempt(number) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _attempt(self, task: int) -> Attempt | None:
        """What counts of a task. What the ledger does not tell, or not yet, may be known by hearsay."""
        key: UnitKey = (task, self._item)
        job, known = self._job, None
        job.minds_progress = True
        unit, rumour = job.state.units.get(key), job.hearsay.get(key)
        if unit is not None:
            if unit.result is not None and key not in job.lost:
                return unit.result
            current = unit.current
            known = current if current is not None and self._stands(current) else None
        if rumour is None or (known is not None and LADDER[known.phase] >= LADDER[rumour.phase]):
            return known
        return rumour if rumour.phase == "finished" or self._stands(rumour) else known

    def _stands(self, attempt: Attempt) -> bool:
        """Whether a node is at it. Every task is on one of a few nodes, so each node is asked after once."""
        node = attempt.node
        gone = self._gone.get(node)
        if gone is None:
            gone = self._gone[node] = self._is_gone(node)
        return not gone and attempt.is_open

    def _progress(self, task: int, attempt: Attempt) -> Progress:
        now = self._now
        if attempt.phase == "finished":
            ended_s = now if attempt.ended_s is None else min(attempt.ended_s, now)  # clocks of two machines differ
            ran_s = 0.0 if attempt.outcome is None else attempt.outcome.seconds
            return Progress(attempt.node, Phase.DONE, ended_s - ran_s - now, ended_s - now)
        run_s = self._view.run_s(self._job.spec.dag.tasks[task].name, attempt.node)
        if attempt.phase == "started":
            started_s = now if attempt.started_s is None else min(attempt.started_s, now)
            return Progress(attempt.node, Phase.RUNNING, started_s - now, left_s(started_s, run_s, now))
        start_in_s = max(self._inputs_in_s(task, attempt), self._queue_in_s(attempt, run_s))
        return Progress(attempt.node, Phase.BOUND, start_in_s, start_in_s + run_s)

    def _inputs_in_s(self, task: int, attempt: Attempt) -> float:
        """By the sizes that the graph states: what a parent has really written is worth a look only for the task at
        hand."""
        dag, link = self._job.spec.dag, self._view.link
        name = dag.tasks[task].name
        latest_s = 0.0
        for parent in self._job.shape.parents[task]:
            source = self._attempt(parent)
            if source is not None:
                way = link(source.node, attempt.node)
                size = dag.edge_bytes(dag.tasks[parent].name, name)
                latest_s = max(latest_s, self._ready_in_s(parent, source) + way.transfer_s(size))
        return latest_s

    def _ready_in_s(self, task: int, attempt: Attempt) -> float:
        """When a task's outputs exist. One that has not started counts as starting now: its own parents have, or it
        would have no node."""
        if attempt.phase == "finished":
            return 0.0
        run_s = self._view.run_s(self._job.spec.dag.tasks[task].name, attempt.node)
        started_s = self._now if attempt.started_s is None else attempt.started_s
        return left_s(started_s, run_s, self._now)

    def _queue_in_s(self, attempt: Attempt, run_s: float) -> float:
        """When the queue before a task will have passed: as its controller believed when it chose the node, else what
        is believed of the queue now, of which the task itself is a part."""
        if attempt.told_queue_s != ANY_QUEUE and attempt.assigned_s is not None:
            return max(0.0, attempt.assigned_s + attempt.told_queue_s - self._now)
        if self._queues is None:
            self._queues = {peer.node: peer.free_in_s for peer in self._view.peers}
        return max(0.0, self._queues.get(attempt.node, 0.0) - run_s)
