"""The commands' side of the control socket: the node's methods (see `contract`) as plain blocking calls.

No trio here: a command is one question and its answer, and should be over before an event loop has been imported.
"""

import contextlib
import json
import os
import socket
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TypeVar

from pnode.protocol.values import dataclass, replace

from .api import (
    AmbiguousJobError,
    ApiError,
    Explanation,
    Invitation,
    JobDetail,
    JobStatus,
    LogChunk,
    Mapped,
    NodeStatus,
    NoSuchJobError,
    NotReadyError,
    PeerStatus,
    Pulled,
    Recorded,
    RefusedError,
    Submitted,
    UnitStatus,
)
from .api_links import LinkStatus, Probed
from .api_trials import Profiled
from .home import command_text, control_socket, last_failure
from .plain import Plain, PlainError, from_plain, to_plain

T = TypeVar("T")

REQUEST_BYTES_MAX = 1024 * 1024
"""The longest request names its input files: about ten thousand paths, as many as a command line can hold anyway."""

CONNECT_S_MAX = 5.0
ANSWER_S_MAX = 30.0
"""For what a node does from memory or by asking its peers once."""

WORK_S_MAX = 3600.0
"""For what moves data: `submit` reads the inputs, `pull` fetches the outputs from other nodes."""

RECEIVE_BYTES = 65_536

KINDS: dict[str, type[ApiError]] = {
    kind.__name__: kind for kind in (AmbiguousJobError, NoSuchJobError, NotReadyError, RefusedError)
}


class NoNodeError(ApiError):
    """Nobody answers at the control socket."""


class NodeGoneError(ApiError):
    """The node went away, or fell silent, in the middle of an answer."""


@dataclass(frozen=True, slots=True)
class JobChange:
    """A job as it is now, with only those units that have changed since the one before.

    A stream of whole snapshots of a thousand units would keep both ends busy.
    """

    job: JobDetail
    """Without its units."""
    units: tuple[UnitStatus, ...]
    at: tuple[int, ...]
    """Where each of them stands in the job's units."""

    @classmethod
    def between(cls, before: JobDetail | None, after: JobDetail) -> "JobChange":
        known = before.units if before is not None else ()
        at = tuple([n for n, unit in enumerate(after.units) if n >= len(known) or unit != known[n]])
        return cls(replace(after, units=()), tuple([after.units[n] for n in at]), at)

    def applied_to(self, before: JobDetail | None) -> JobDetail:
        """The inverse of `between`. Raises PlainError if the units do not follow on."""
        units = list(before.units) if before is not None else []
        for n, unit in zip(self.at, self.units, strict=False):
            if not 0 <= n <= len(units):
                raise PlainError(f"unit {n} follows on {len(units)}")
            units[n : n + 1] = [unit]
        return replace(self.job, units=tuple(units))


class NodeClient:
    """The node that lives in a home. Methods mean what they mean in `NodeApi`, and raise ApiErrors alone."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._path = control_socket(home)

    def status(self) -> NodeStatus:
        return self._call(NodeStatus, "status", {})

    def peers(self) -> tuple[PeerStatus, ...]:
        return self._call(tuple[PeerStatus, ...], "peers", {})

    def links(self) -> tuple[LinkStatus, ...]:
        return self._call(tuple[LinkStatus, ...], "links", {})

    def profile_network(self) -> tuple[Probed, ...]:
        """All of them; it takes a while."""
        return tuple(self._stream(Probed, "profile_network", {}, WORK_S_MAX))

    def submit(
        self,
        dag: Path,
        inputs: tuple[Path, ...],
        mapper: str,
        name: str | None,
        replicas: int | None = None,
        told: Callable[[Submitted], None] = lambda _: None,
    ) -> Submitted:
        """What is known of the job when it is settled; `told` hears of it before."""
        arguments: dict[str, Plain] = {**_application(dag, inputs, mapper), "name": name, "replicas": replicas}
        for submitted in self._stream(Submitted, "submit", arguments, WORK_S_MAX):
            if submitted.settled:
                return submitted
            told(submitted)
        raise NodeGoneError(
            f"the node ended before it had said who keeps the job: see {command_text(self._home, 'status')}"
        )

    def map(self, dag: Path, inputs: tuple[Path, ...], mapper: str) -> Mapped:
        return self._call(Mapped, "map", _application(dag, inputs, mapper), WORK_S_MAX)

    def profile(self, dag: Path, inputs: tuple[Path, ...], nodes: tuple[str, ...], rounds: int) -> Iterator[Profiled]:
        """Waits as long as the nodes take."""
        arguments: dict[str, Plain] = {"dag": str(dag), "inputs": to_plain(tuple[Path, ...], inputs)}
        return self._stream(Profiled, "profile", {**arguments, "nodes": [*nodes], "rounds": rounds}, None)

    def jobs(self) -> tuple[JobStatus, ...]:
        return self._call(tuple[JobStatus, ...], "jobs", {})

    def job(self, job: str) -> JobDetail:
        return self._call(JobDetail, "job", {"job": job})

    def follow(self, job: str) -> Generator[JobDetail, None, None]:
        """Waits as long as the job takes: it ends with the job. Closing it ends the request."""
        snapshot: JobDetail | None = None
        for change in self._stream(JobChange, "follow", {"job": job}, None):
            try:
                snapshot = change.applied_to(snapshot)
            except PlainError as error:
                raise _strange("follow", error) from None
            yield snapshot

    def logs(self, job: str, task: str | None) -> Iterator[LogChunk]:
        return self._stream(LogChunk, "logs", {"job": job, "task": task}, WORK_S_MAX)

    def explain(self, job: str, task: str) -> tuple[Explanation, ...]:
        return self._call(tuple[Explanation, ...], "explain", {"job": job, "task": task})

    def pull(self, job: str, directory: Path) -> Pulled:
        return self._call(Pulled, "pull", {"job": job, "directory": str(directory)}, WORK_S_MAX)

    def record(self, job: str, path: Path) -> Recorded:
        return self._call(Recorded, "record", {"job": job, "path": str(path)}, WORK_S_MAX)

    def cancel(self, job: str) -> JobStatus:
        return self._call(JobStatus, "cancel", {"job": job})

    def token(self, hours: float) -> Invitation:
        return self._call(Invitation, "token", {"hours": hours})

    def stop(self) -> None:
        self._call(type(None), "stop", {})

    def _call(
        self, kind: type[T], method: str, arguments: dict[str, Plain], timeout_s: float | None = ANSWER_S_MAX
    ) -> T:
        for reply in self._replies(method, arguments, timeout_s):
            if "value" in reply:
                return _read(kind, method, reply["value"])
        raise NodeGoneError(
            f"the node ended before it had answered {method!r}: see {command_text(self._home, 'status')}"
        )

    def _stream(
        self, kind: type[T], method: str, arguments: dict[str, Plain], timeout_s: float | None
    ) -> Iterator[T]:
        for reply in self._replies(method, arguments, timeout_s):
            if "end" in reply:
                return
            if "item" in reply:
                yield _read(kind, method, reply["item"])
        raise NodeGoneError(f"the node ended in the middle of {method!r}: see {command_text(self._home, 'status')}")

    def _replies(
        self, method: str, arguments: dict[str, Plain], timeout_s: float | None
    ) -> Iterator[dict[str, Plain]]:
        """Every line that the node answers. Raises what it answers as an error, and NodeGoneError."""
        request = json.dumps({"method": method, "arguments": arguments}).encode() + b"\n"
        if len(request) > REQUEST_BYTES_MAX:
            raise RefusedError("that is too much for one command: name a directory with --input, not all its files")
        with self._connected() as connection, connection.makefile("rb") as lines:
            connection.settimeout(timeout_s)
            try:
                # The node may refuse and close before it has read everything: its answer tells more than our error.
                with contextlib.suppress(BrokenPipeError):
                    connection.sendall(request)
                for line in lines:
                    yield _reply(method, line)
            except TimeoutError:
                raise NodeGoneError(f"the node did not answer {method!r} within {timeout_s:.0f} s") from None
            except OSError:  # reset: to the caller that is an answer without an end
                return

    @contextlib.contextmanager
    def _connected(self) -> Iterator[socket.socket]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(CONNECT_S_MAX)
            try:
                connection.connect(os.fspath(self._path))
            except PermissionError:
                raise NoNodeError(
                    f"the node at {self._path} belongs to another user: choose a --home of yours"
                ) from None
            except OSError:  # absent, left over from a node that died, or no name that a socket can have
                raise NoNodeError(self._nobody()) from None
            yield connection

    def _nobody(self) -> str:
        reason = last_failure(self._home)
        last = f"; the last one ended: {reason}" if reason else ""
        start = command_text(self._home, "start")
        return f"no node is running here (looked at {self._path}): start one with {start}{last}"


def _application(dag: Path, inputs: tuple[Path, ...], mapper: str) -> dict[str, Plain]:
    return {"dag": str(dag), "inputs": to_plain(tuple[Path, ...], inputs), "mapper": mapper}


def _reply(method: str, line: bytes) -> dict[str, Plain]:
    try:
        reply = json.loads(line)
    except ValueError as error:
        raise _strange(method, error) from None
    if not isinstance(reply, dict):
        raise _strange(method, TypeError(f"{type(reply).__name__} where an object belongs"))
    refusal = reply.get("error")
    if isinstance(refusal, dict):
        raise KINDS.get(str(refusal.get("kind")), ApiError)(str(refusal.get("message")))
    return reply


def _read(kind: type[T], method: str, plain: Plain) -> T:
    try:
        return from_plain(kind, plain)
    except PlainError as error:
        raise _strange(method, error) from None


def _strange(method: str, error: Exception) -> ApiError:
    return ApiError(
        f"cannot read the node's answer to {method!r} ({error}): is it of another version? 'pnode stop' it"
    )
