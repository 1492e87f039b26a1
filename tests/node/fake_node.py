"""A node for tests of what stands before it: the contract of `contract.NodeApi` with answers written down here."""

import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import trio

from pnode.node.api import (
    CandidateScore,
    Explanation,
    Invitation,
    JobDetail,
    JobStatus,
    KeeperStatus,
    LoadStatus,
    LogChunk,
    Mapped,
    NodeStatus,
    Passed,
    PeerStatus,
    Placement,
    Pulled,
    PulledFile,
    Recorded,
    RefusedError,
    Submitted,
    UnitStatus,
    match_job,
)
from pnode.node.api_links import LinkStatus, Probed
from pnode.node.api_trials import Profiled, TaskProfile
from pnode.node.control import serve_control
from pnode.node.home import control_socket
from pnode.node.plain import Instant

NOON = Instant(1_763_726_400.0)
"""2025-11-21T12:00:00Z"""

WAITING = UnitStatus("split", 0, 0, "waiting", None, None, None, None, None, "", "", ())
RUNNING = replace(WAITING, attempt=1, state="running", node="beta", queued_at=NOON, started_at=Instant(NOON + 0.5))
DONE = replace(RUNNING, state="done", finished_at=Instant(NOON + 2.5), seconds=2.0)
FAILED = replace(DONE, state="failed", reason="exit status 3", stderr_tail="Traceback\n  boom\nValueError: [no]\n")

JOB = JobDetail(
    "abcdefgh", "ab" * 16, "diamond", "running", "", "alpha", False, 0, 2, NOON, 4.2, "wave-greedy", 1, 3,
    (KeeperStatus("alpha", True, True, 1), KeeperStatus("beta", False, True, 1)), 1,
    (WAITING, replace(WAITING, task="merge")),
)  # fmt: skip

MERGED = replace(DONE, task="merge", node="gamma")
ENDED = replace(JOB, state="done", units_done=2, units=(DONE, MERGED))
STORY = (JOB, replace(JOB, units=(RUNNING, JOB.units[1])), replace(JOB, units=(DONE, JOB.units[1])), ENDED)
EXPLAINED = Explanation(
    "abcdefgh", "merge", 0, 2, "running", "beta", "alpha", NOON, "wave-greedy", "gamma is gone", "",
    (CandidateScore("beta", 3.0, 0.012, 0.0, 2.0), CandidateScore("alpha", 12.5, 0.0, 10.5, 2.0)),
    (Passed("gamma", "it is dead"),),
)  # fmt: skip
ASK_THERE = replace(EXPLAINED, attempt=1, why="", note="the numbers are at delta", scores=(), passed=())
NOBODY_YET = replace(ASK_THERE, attempt=0, state="waiting", node=None, decider=None, note="split has not started")

FAILED_JOB = replace(JOB, state="failed", reason="split failed on beta: exit status 3", units=(FAILED, JOB.units[1]))


LINKS = (
    LinkStatus("alpha", "k3vq7x2m-4f", "beta", "zzzzyyyy-ab", False, 0.020, "reported", None, 12.0, 0.61, None, 0.0),
    LinkStatus("beta", "zzzzyyyy-ab", "alpha", "k3vq7x2m-4f", True, 0.00123, "direct", 0.08, 7.0, 0.83, 1.17e8, 0.8),
)
PROBED = Probed("beta", "zzzzyyyy-ab", 0.00123, 1.17e8, "")


@dataclass
class FakeNode:
    """Answers from its fields and notes what it was asked."""

    home: Path
    listed: tuple[JobDetail, ...] = (replace(JOB, id="abcwxyz2", name="other"), ENDED)
    story: tuple[JobDetail, ...] = STORY
    """What a follower is shown."""
    lasts: bool = False
    """Whether a followed job never ends."""
    founded: bool = True
    chunks: tuple[LogChunk, ...] = (
        LogChunk("split", 0, 1, "beta", "stdout", "one\ntw", ""),
        LogChunk("split", 0, 1, "beta", "stdout", "o\n", ""),
        LogChunk("split", 0, 1, "beta", "stderr", "careful", ""),
        LogChunk("merge", 0, 1, "gamma", "stdout", "merged\n", ""),
    )
    explained: tuple[Explanation, ...] = (EXPLAINED,)
    kept: tuple[int, int, int] = (3, 3, 3)
    """Of a submitted job: (guarded, wanted, replicas)."""
    unsettled: int = 1
    """How often a submitter is told that its job is taken in."""
    settles: bool = True
    probed: tuple[Probed, ...] = (PROBED,)
    asked: list[tuple[object, ...]] = field(default_factory=list)
    stopped: trio.Event = field(default_factory=trio.Event)
    trial_trouble: str = ""
    """Why a trial has failed."""
    left: trio.Event = field(default_factory=trio.Event)
    """Set when a follower's generator was closed."""

    async def status(self) -> NodeStatus:
        return NodeStatus(
            "ready", "", "alpha", "k3vq7x2m-4f", "cd" * 32, "ef" * 16, self.founded,
            ("192.0.2.5:4747", "[2001:db8::5]:4747"), ("compute", "submit"), 1, "0.1.0", 4711, NOON, 61.0, self.home,
        )  # fmt: skip

    async def peers(self) -> tuple[PeerStatus, ...]:
        load = LoadStatus(12.4, 40.0, 1, 2, 3.21, 0.4)
        alpha = PeerStatus(
            "alpha", "k3vq7x2m-4f", "cd" * 32, "alive", True, ("compute", "submit", "admin"), ("192.0.2.5:4747",), 4,
            1.0, 12.0, None, None, load, "pnode/0.1.0",
        )  # fmt: skip
        beta = replace(
            alpha, name="beta", id="zzzzyyyy-ab", state="suspect", this=False, delay_s=0.00123, delay_age_s=7.0,
            load=None,
        )  # fmt: skip
        return (alpha, beta)

    async def links(self) -> tuple[LinkStatus, ...]:
        return LINKS

    async def profile_network(self) -> AsyncGenerator[Probed, None]:
        for probed in self.probed:
            yield probed

    async def profile(
        self, dag: Path, inputs: tuple[Path, ...], nodes: tuple[str, ...], rounds: int
    ) -> AsyncGenerator[Profiled, None]:
        self.asked.append(("profile", dag, inputs, nodes, rounds))
        waiting = TaskProfile("split", "alpha", 0, None, 0.0, 0, "")
        yield Profiled("demo", (waiting,), 1, rounds, False)
        known = replace(
            waiting, runs=rounds, seconds=1.5, spread_s=0.25, output_bytes=2048, trouble=self.trial_trouble
        )
        yield Profiled("demo", (known,), rounds, rounds, self.settles)

    async def submit(
        self, dag: Path, inputs: tuple[Path, ...], mapper: str, name: str | None, replicas: int | None
    ) -> AsyncGenerator[Submitted, None]:
        self.asked.append(("submit", dag, inputs, mapper, name, replicas))
        settled = Submitted(ENDED.id, ENDED.key, ("sample_input/ is the input",), *self.kept, True)
        for _ in range(self.unsettled):
            yield replace(settled, guarded=0, wanted=0, settled=False)
        if self.settles:
            yield settled
        else:
            await trio.sleep_forever()

    async def map(self, dag: Path, inputs: tuple[Path, ...], mapper: str) -> Mapped:
        self.asked.append(("map", dag, inputs, mapper))
        scores = (CandidateScore("beta", 3.0, 1.0, 0.0, 2.0),)
        placements = (
            Placement("split", "beta", "zzzzyyyy-ab", scores),
            Placement("merge", "alpha", "k3vq7x2m-4f", ()),
        )
        return Mapped(mapper, placements, ("nodes.txt is a hint",))

    async def jobs(self) -> tuple[JobStatus, ...]:
        names = JobStatus.__dataclass_fields__
        return tuple([JobStatus(*[getattr(job, name) for name in names]) for job in self.listed])

    async def job(self, job: str) -> JobDetail:
        by_id = {one.id: one for one in self.listed}
        return by_id[match_job(job, by_id)]

    async def follow(self, job: str) -> AsyncGenerator[JobDetail, None]:
        self.asked.append(("follow", job))
        try:
            for snapshot in self.story:
                yield snapshot
            if self.lasts:
                await trio.sleep_forever()
        finally:
            self.left.set()

    async def logs(self, job: str, task: str | None) -> AsyncGenerator[LogChunk, None]:
        self.asked.append(("logs", (await self.job(job)).id, task))
        for chunk in self.chunks:
            if task in (None, chunk.task):
                yield chunk

    async def explain(self, job: str, task: str) -> tuple[Explanation, ...]:
        self.asked.append(("explain", (await self.job(job)).id, task))
        return self.explained

    async def pull(self, job: str, directory: Path) -> Pulled:
        if (await self.job(job)).state != "done":
            raise RefusedError(f"job {job} is not done: 'pnode job {job}' shows how far it is")
        directory.mkdir(parents=True, exist_ok=True)
        result = directory / "merge_result.txt"
        result.write_text("42\n")
        return Pulled(directory, (PulledFile(result, 3),))

    async def record(self, job: str, path: Path) -> Recorded:
        found = await self.job(job)
        path.write_text("{}\n")
        return Recorded(path, found.id, found.state, 3)

    async def cancel(self, job: str) -> JobStatus:
        found = await self.job(job)
        return found if found.state == "done" else replace(found, state="cancelled")

    async def token(self, hours: float) -> Invitation:
        return Invitation("pnode1-secret", "ef" * 16, Instant(NOON + hours * 3600))

    async def stop(self) -> None:
        self.stopped.set()


@contextmanager
def running(node: FakeNode) -> Iterator[FakeNode]:
    """The node behind a real control socket, in a thread of its own, until the block ends or it is told to stop."""
    listening = threading.Event()
    ended: list[trio.CancelScope] = []
    tokens: list[trio.lowlevel.TrioToken] = []

    async def serve() -> None:
        tokens.append(trio.lowlevel.current_trio_token())
        async with trio.open_nursery() as nursery:
            ended.append(nursery.cancel_scope)
            await nursery.start(serve_control, control_socket(node.home), node)
            listening.set()
            await node.stopped.wait()
            nursery.cancel_scope.cancel()

    thread = threading.Thread(target=trio.run, args=(serve,))
    thread.start()
    try:
        assert listening.wait(10)
        yield node
    finally:
        with suppress(trio.RunFinishedError):  # it was told to stop
            tokens[0].run_sync_soon(ended[0].cancel)
        thread.join(10)
