"""The contract: what can be asked of a node by its user.

It lies between the control socket (see `control`) and the node (see `office`), and `commands` offers the same to
commands. What is answered, and how a node refuses, stands in `api`.
"""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Protocol

from .api import (
    Explanation,
    Invitation,
    JobDetail,
    JobStatus,
    LogChunk,
    Mapped,
    NodeStatus,
    PeerStatus,
    Pulled,
    Recorded,
    Submitted,
)
from .api_links import LinkStatus, Probed
from .api_trials import Profiled


class NodeApi(Protocol):
    """What a node offers to its user through the control socket.

    Every method may raise an ApiError, or an OSError where it touches the caller's files; anything else is a bug and
    ends the node. A `job` argument is any unique prefix of a job's short id (see `match_job`). Paths are absolute:
    node and command share a file system, not a working directory. A caller that goes away cancels the call.
    """

    async def status(self) -> NodeStatus:
        """Answers in every state, also before the cluster is joined; all others may raise NotReadyError then."""

    async def peers(self) -> tuple[PeerStatus, ...]:
        """This node first, then the others by name."""

    async def links(self) -> tuple[LinkStatus, ...]:
        """Every direction between this node and the 63 nearest, by name of source and target."""

    def profile_network(self) -> AsyncGenerator[Probed, None]:
        """Measure delays and bandwidths of the ways from the nearest 63 nodes to this one now, the nearest first."""

    def submit(
        self, dag: Path, inputs: tuple[Path, ...], mapper: str, name: str | None, replicas: int | None
    ) -> AsyncGenerator[Submitted, None]:
        """Take in a job. `inputs` are files and directories, none for the application's own sample; a `name` of None
        is the application's; `replicas` other nodes are to keep it, None for the usual number.

        What comes first says that the job is on this node's disk and runs, whoever goes away now; what comes last is
        settled. If that takes a while the first is said again in between.
        """

    async def map(self, dag: Path, inputs: tuple[Path, ...], mapper: str) -> Mapped:
        """Where the tasks would go now, without running them."""

    def profile(
        self, dag: Path, inputs: tuple[Path, ...], nodes: tuple[str, ...], rounds: int
    ) -> AsyncGenerator[Profiled, None]:
        """Run a graph `rounds` times on every node that computes, or on those `nodes` (names or ids), each time
        wholly on the one, and only when it has nothing else to do. Comes again whenever a node has ended a round."""

    async def jobs(self) -> tuple[JobStatus, ...]:
        """All jobs of the cluster that can be found, the latest submission last."""

    async def job(self, job: str) -> JobDetail:
        """One job as it is now."""

    def follow(self, job: str) -> AsyncGenerator[JobDetail, None]:
        """The job as it is now, again whenever it has changed, and last when it has ended.

        Waiting for a change and yielding a snapshot will do: the control socket asks for the next one at most five
        times a second, so changes in between are skipped by themselves.
        """

    def logs(self, job: str, task: str | None) -> AsyncGenerator[LogChunk, None]:
        """What the units of a task (None: of all tasks) have written so far; the chunks of one stream in order."""

    async def explain(self, job: str, task: str) -> tuple[Explanation, ...]:
        """Why the units of a task are where they are: one for each attempt at each of them."""

    async def pull(self, job: str, directory: Path) -> Pulled:
        """Write the final outputs of a job into a directory, which is made if need be. Raises RefusedError unless the
        job is done."""

    async def record(self, job: str, path: Path) -> Recorded:
        """Write all that is known of how a job ran into a file (see `recording`), in the place of an earlier one."""

    async def cancel(self, job: str) -> JobStatus:
        """End a job; one that has ended is left as it is."""

    async def token(self, hours: float) -> Invitation:
        """An invitation for other hosts that expires after so many hours."""

    async def stop(self) -> None:
        """Begin to stop: leave the cluster in order, then end the process. Returns before that."""
