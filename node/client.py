"""The Python client: calls of functions, made by the cluster.

    from pnode.node.client import connect

    with connect() as cluster:
        total = cluster.submit(sum, [cluster.submit(pow, 2, n) for n in range(10)])
        print(total.result())

A `Cluster` is an executor of `concurrent.futures`; where calls take the futures of others as arguments, at any
depth, they are a graph. Calls become jobs of the node that lives on this machine, so they have what jobs have: they
are placed where they are done first, kept by guardians, and made again where a machine is lost. They go on when this
program ends.

One thread talks to the node (see `line`); what others hand in meanwhile goes together. Everything here may be used
from any thread, and futures can be awaited under trio and asyncio.
"""

import concurrent.futures
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from pnode.protocol.jobspec import REPLICAS, REPLICAS_MAX

from .callgraph import Wishes
from .callsession import Session
from .futures import CallError as CallError  # what people catch comes from here
from .futures import Future as Future
from .futures import JobLostError as JobLostError
from .futures import ProcessDiedError as ProcessDiedError
from .home import default_home
from .line import Line
from .parcel import ParcelError as ParcelError
from .parcel import fit_name

T = TypeVar("T")


def connect(home: Path | str | None = None, *, name: str | None = None, replicas: int = REPLICAS) -> "Cluster":
    """The cluster of the node that lives in `home`, by default that of this machine's user.

    Jobs are called after `name`, by default this program, and are kept by so many `replicas` beside that node. Raises
    NoNodeError if no node is there, ValueError if nobody can keep so many replicas.
    """
    if not 0 <= replicas <= REPLICAS_MAX:
        raise ValueError(f"{replicas} replicas, expected at most {REPLICAS_MAX}")
    place = Path(home).expanduser().absolute() if home is not None else default_home()
    return Cluster(place, name or _program(), replicas)


class Cluster(concurrent.futures.Executor):
    """Makes calls somewhere in a cluster."""

    def __init__(self, home: Path, name: str, replicas: int) -> None:
        self._line = Line(home, Session(fit_name(name), replicas))
        self._hold = _Hold(self._line)
        self._wishes = Wishes()

    def submit(self, fn: Callable[..., T], /, *args: object, **kwargs: object) -> Future[T]:
        """Have `fn(*args, **kwargs)` called; futures among the arguments stand for their values.

        Raises ParcelError if the function or its arguments cannot travel, RuntimeError after `shutdown`.
        """
        return self._line.call(self._wishes, fn, args, kwargs)

    def options(self, *, cores: int = 1, memory_bytes: int = 0, walltime_s: float = 0.0, node: str = "") -> "Cluster":
        """The same cluster for calls that need so many cores and so much memory, are ended after so many seconds, or
        should run on the node of that name if it can take them."""
        other = Cluster.__new__(Cluster)
        other._line, other._hold = self._line, self._hold
        other._wishes = Wishes(cores, memory_bytes, walltime_s, node)
        return other

    @property
    def jobs(self) -> tuple[str, ...]:
        """Ids of the jobs that are under way, as the command line knows them."""
        return self._line.jobs()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls, and return when all are over; with `cancel_futures` those that are not are cancelled.
        Without `wait` return at once: what was handed in goes on without this program."""
        self._line.close(wait=wait, cancel=cancel_futures)

    def __repr__(self) -> str:
        wished = (
            f", {field.name}={wish!r}"
            for field in fields(self._wishes)
            if (wish := getattr(self._wishes, field.name)) != field.default
        )
        return f"<cluster of the node in {self._line.home}{''.join(wished)}>"

    async def __aenter__(self) -> "Cluster":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown(wait=False)
        trio = sys.modules.get("trio")
        if trio is not None and trio.lowlevel.in_trio_run():
            await trio.to_thread.run_sync(self.shutdown, abandon_on_cancel=True)
        else:
            await _wait_in_asyncio(self.shutdown)


class _Hold:
    """What a cluster and those with other options have in common. When the last of them is gone nobody can hand in
    any more, as after a shutdown: a node has room for so many clients."""

    def __init__(self, line: Line) -> None:
        weakref.finalize(self, line.close, wait=False, cancel=False)


async def _wait_in_asyncio(wait: Callable[[], object]) -> None:
    """As `asyncio.to_thread`, but whoever is cancelled here leaves nothing that the loop's end would wait for."""
    import asyncio  # late, as in `futures`

    loop, over = asyncio.get_running_loop(), asyncio.Event()

    def tell_when_over() -> None:
        wait()
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(over.set)

    threading.Thread(target=tell_when_over, name="pnode-shutdown", daemon=True).start()
    await over.wait()


def _program() -> str:
    """What jobs are called after when nobody says."""
    return Path(sys.argv[0]).stem or "python"
