"""Neighbours: what a node believes of the others, put together from membership, figures and its own profile.

The candidates are this node and those whom it follows (`interest`): everybody, in a cluster of up to 65 members. How
busy the rest of a larger one is, it does not know. They are candidates where nobody else has the cores or the memory
for a task, and where they have a part in the job already: named by the task's hint or the plan, or with a unit in
their hands. Their queues are taken for as long as usual, since they would draw all work if they looked idle.
"""

import math
from collections.abc import Callable, Container, Sequence

from .dag import Dag, Task
from .ids import NodeId, node_text
from .job import Job, program_name
from .membership import Membership
from .record import NodeRecord, Role
from .roster import State
from .trust import Shown, Trust
from .view import Link, PeerView, Profile, View

STALE_S = 30.0
"""A load figure that is overdue for longer than this says nothing about now: most tasks, and most queues, are
shorter."""


class Neighbours:
    """The `neighbourhood.Neighbourhood` of a live node."""

    def __init__(self, me: NodeId, membership: Membership, trust: Trust, profile: Profile) -> None:
        self.me = me
        self.membership = membership
        self.trust = trust
        self.profile = profile
        self.free_in_s: Callable[[float], float] = lambda now: 0.0 * now
        """Seconds until a core is free here; this node need not hear that from anybody."""
        self._percents: tuple[float, float] | None = None
        self._instant: tuple[float, float] | None = None
        """For which moment, and which queue here, what follows is true."""
        self._everybody: tuple[PeerView, ...] = ()
        self._fitting: dict[tuple[int, int], tuple[PeerView, ...]] = {}
        """Those with so many cores and so much memory."""
        self._strangers: tuple[PeerView, ...] = ()
        """Those who compute and are not followed: in a small cluster nobody."""
        self._links: dict[tuple[NodeId, NodeId], Link] = {}
        self._seconds: dict[str, tuple[Dag, dict[tuple[str, NodeId], float]]] = {}

    def changed(self) -> None:
        """Something has become of a member."""
        self._instant = None

    def sampled(self, cpu_percent: float, memory_percent: float) -> None:
        """This node's own figures."""
        self._percents = (cpu_percent, memory_percent)

    def view(self, job: Job, task: Task, now: float) -> View:
        planned = job.plan.get(task.name)
        involved = dict.fromkeys(job.state.places)
        if planned is not None:
            involved[planned.node] = None
        return self.view_of(job.spec.name, job.spec.dag, task, now, involved)

    def view_of(self, name: str, dag: Dag, task: Task | None, now: float, involved: Container[NodeId] = ()) -> View:
        """Beliefs about those who may and can run a task of the application `name`; None means about all candidates
        whatever its tasks need. Who is `involved` is a candidate though it is not followed."""
        self._look_around(now)
        links = self._links

        def link(source: NodeId, target: NodeId) -> Link:
            known = links.get((source, target))
            if known is None:
                known = links[(source, target)] = self.profile.link(source, target, now)
            return known

        seconds = self._seconds_of(name, dag)

        def run_s(of: str, node: NodeId) -> float:
            known = seconds.get((of, node))
            if known is None:
                task = dag.by_name[of]
                known = self.profile.run_s(program_name(name, task), node, self.speed_of(node), task.expected_s)
                seconds[(of, node)] = known
            return known

        peers = self._everybody if task is None else self._fit(task.cores, task.memory_bytes)
        if self._strangers:
            peers = self._with_strangers(peers, dag.tasks if task is None else (task,), involved)
        return View(self.me, peers, link, run_s)

    def peers(self) -> tuple[NodeId, ...]:
        """Everybody who computes and is not known to be gone, this node included."""
        return tuple(node for node, _ in self._candidates())

    def _seconds_of(self, name: str, dag: Dag) -> dict[tuple[str, NodeId], float]:
        """Run times that were asked for at this moment, of the tasks of an application."""
        known_dag, seconds = self._seconds.get(name, (None, {}))
        if known_dag is not dag:  # another version of it, whose tasks may be other ones
            self._seconds[name] = (dag, seconds := {})
        return seconds

    def _look_around(self, now: float) -> None:
        """One event may bring hundreds of decisions, and what is believed of the others is the same for all."""
        instant = (now, self.free_in_s(now))
        if instant != self._instant:
            self._instant = instant
            follows, candidates = self.membership.follows, self._candidates()
            followed = [each for each in candidates if each[0] == self.me or follows(each[0])]
            self._everybody = tuple([self._peer(node, record, now) for node, record in followed])
            self._fitting, self._links, self._seconds, self._strangers = {}, {}, {}, ()
            if len(followed) < len(candidates):
                self._strangers = self._unfollowed(candidates)

    def _fit(self, cores: int, memory_bytes: int) -> tuple[PeerView, ...]:
        key = (cores, memory_bytes)
        if key not in self._fitting:
            able = (peer for peer in self._everybody if peer.cores >= cores and peer.memory_bytes >= memory_bytes)
            self._fitting[key] = tuple(able)
        return self._fitting[key]

    def _with_strangers(
        self, peers: tuple[PeerView, ...], tasks: Sequence[Task], involved: Container[NodeId]
    ) -> tuple[PeerView, ...]:
        """With those whom we do not follow, as far as they are wanted for one of the tasks."""
        cores, memory_bytes = min(task.cores for task in tasks), min(task.memory_bytes for task in tasks)
        able = [peer for peer in self._strangers if peer.cores >= cores and peer.memory_bytes >= memory_bytes]
        if peers:
            hinted = {name: None for task in tasks for name in task.hint}
            able = [peer for peer in able if peer.node in involved or peer.name in hinted]
        return tuple(sorted((*peers, *able), key=_node)) if able else peers

    def _unfollowed(self, candidates: list[tuple[NodeId, NodeRecord]]) -> tuple[PeerView, ...]:
        queues_s = [peer.free_in_s for peer in self._everybody if peer.age_s < math.inf]
        usual_s = math.fsum(queues_s) / max(1, len(queues_s))
        followed = {peer.node: None for peer in self._everybody}
        unknown = [each for each in candidates if each[0] not in followed]
        return tuple([_view(node, record, usual_s, math.inf, None, None) for node, record in unknown])

    def members(self) -> tuple[NodeId, ...]:
        others = (member.node for member in self.membership.members.values() if member.present)
        return (self.me, *others)

    def is_gone(self, node: NodeId) -> bool:
        return node != self.me and self.membership.state_of(node) in (State.DEAD, State.LEFT)

    def is_suspect(self, node: NodeId) -> bool:
        return self.membership.state_of(node) is State.SUSPECT

    def is_known(self, node: NodeId) -> bool:
        return self.membership.state_of(node) is not None

    def name_of(self, node: NodeId) -> str:
        record = self.membership.record_of(node)
        return record.name if record is not None else node_text(node)

    def speed_of(self, node: NodeId) -> float:
        record = self.membership.record_of(node)
        return 1.0 if record is None else record.speed

    def boot_of(self, node: NodeId) -> int:
        record = self.membership.record_of(node)
        return 0 if record is None else record.boot

    def is_certified(self, node: NodeId) -> bool:
        return self.trust.standing(node) is not None

    def credentials_of(self, node: NodeId) -> list[Shown]:
        return self.trust.path(node) if self.is_certified(node) else []

    def hear_of(self, shown: tuple[Shown, ...], now: float) -> None:
        if not all(self.is_certified(node) for node, _ in shown):
            self.trust.learn_many(shown, now)  # whoever passes on what is not good is not to blame

    def may_submit(self, node: NodeId) -> bool:
        standing = self.trust.standing(node)
        return standing is not None and Role.SUBMIT in standing.roles

    def load_known_since(self, node: NodeId) -> float:
        if node == self.me:
            return -math.inf  # our own queue is looked at when it is asked for; bindings end with the acceptance
        load = self.membership.load_of(node)
        return -math.inf if load is None else load.measured_at

    def why_nobody(self, task: Task) -> str:
        """Why no node that is alive can run the task; empty when one can."""
        records = [record for _, record in self._candidates()]
        cores = max((record.cores for record in records), default=0)
        memory = max((record.memory_bytes for record in records), default=0)
        if not records:
            return "no node computes"
        if any(record.cores >= task.cores and record.memory_bytes >= task.memory_bytes for record in records):
            return ""
        if cores < task.cores:
            return f"it needs {task.cores} cores, and no node offers more than {cores}"
        if memory < task.memory_bytes:
            return f"it needs {task.memory_bytes >> 20} MiB of memory, and no node has more than {memory >> 20}"
        return f"no node has both {task.cores} cores and {task.memory_bytes >> 20} MiB of memory"

    def why_not(self, node: NodeId, task: Task) -> str:
        """Why a node is not asked to run a task; empty when it may be."""
        record = self.membership.record_of(node)
        state = State.ALIVE if node == self.me else self.membership.state_of(node)
        if record is None or state is None:
            return "it is not known here"
        if state is not State.ALIVE:
            return f"it is {state.name.lower()}"
        if not record.roles & Role.COMPUTE:
            return "it does not compute"
        if record.cores < task.cores:
            return f"the task needs {task.cores} cores, it has {record.cores}"
        if record.memory_bytes < task.memory_bytes:
            return f"it has {record.memory_bytes >> 20} MiB of memory, the task needs {task.memory_bytes >> 20}"
        return ""

    def _candidates(self) -> list[tuple[NodeId, NodeRecord]]:
        nodes = sorted((*self.membership.alive(), self.me))
        records = ((node, self.membership.record_of(node)) for node in nodes)
        return [(node, record) for node, record in records if record is not None and record.roles & Role.COMPUTE]

    def _peer(self, node: NodeId, record: NodeRecord, now: float) -> PeerView:
        if node == self.me:
            cpu, memory = self._percents or (None, None)
            return _view(node, record, self.free_in_s(now), 0.0, cpu, memory)
        load = self.membership.load_of(node)
        if load is None:
            return _view(node, record, 0.0, math.inf, None, None)
        overdue_s = load.overdue_s(now)
        if overdue_s > STALE_S:
            return _view(node, record, 0.0, overdue_s, None, None)
        free_in_s = max(0.0, load.free_in_s - max(0.0, now - load.measured_at))
        return _view(node, record, free_in_s, overdue_s, load.cpu_percent, load.memory_percent)


def _node(peer: PeerView) -> NodeId:
    return peer.node


def _view(
    node: NodeId, record: NodeRecord, free_in_s: float, age_s: float, cpu: float | None, memory: float | None
) -> PeerView:
    return PeerView(node, record.name, record.cores, record.speed, free_in_s, age_s, cpu, memory, record.memory_bytes)
