"""A sweep: batches of runs handed to an executor, as many as its workers can do and no more.

The executor is any of `concurrent.futures`; a Dask cluster offers one, too. What comes back comes in any order;
whoever assembles it goes by the index.
"""

import pickle
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice

from .batch import Engine, Outcome, Run, RunError, do_batch
from .journal import Row

BATCH_S = 0.25
"""How long a batch should take: long against the millisecond that a message costs, short against the patience of who
interrupts a sweep, and no more than this per worker is done again after one was killed."""

BATCH_RUNS_MAX = 256

PENDING_PER_WORKER = 2
"""One that is being done and one that waits, so that no worker waits for us."""


class SweepError(RuntimeError):
    """A sweep cannot go on; the message says at which run and why. What was finished is in its journal."""


def sweep(runs: tuple[Run, ...], engine: Engine, executor: Executor, workers: int) -> Iterator[tuple[int, Row]]:
    """Index and figures of each run, as they become known. Raises RunError, SweepError."""
    waiting = iter(runs)
    pending: dict[Future[Outcome], None] = {}  # a dict, since it keeps its order
    size = 1
    try:
        while True:
            while len(pending) < workers * PENDING_PER_WORKER and (batch := tuple(islice(waiting, size))):
                pending[executor.submit(do_batch, batch, engine)] = None
            if not pending:
                return
            done = wait(pending, return_when=FIRST_COMPLETED).done
            for future in [future for future in pending if future in done]:
                del pending[future]
                outcome = future.result()
                yield from outcome.rows
                if outcome.failure:
                    raise RunError(outcome.failure)
                size = next_size(outcome)
    except BrokenProcessPool as error:
        raise SweepError(
            f"a worker process ended ({error}); a script that runs a study in several processes must do so under "
            "`if __name__ == '__main__':`, since each of them imports it"
        ) from error
    finally:
        for future in pending:
            future.cancel()


def next_size(outcome: Outcome) -> int:
    """How many runs like these take BATCH_S; at most twice as many, since the next ones may be others."""
    done = len(outcome.rows)
    fitting = int(BATCH_S * done / max(outcome.seconds, 1e-6))
    return max(1, min(fitting, 2 * done, BATCH_RUNS_MAX))


def check_portable(what: str, value: object) -> None:
    """Raises SweepError for what cannot be told to another process."""
    try:
        pickle.dumps(value)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise SweepError(
            f"{what} ({value!r}) cannot be sent to another process: {error}; make it a function of a module, or a "
            "dataclass that can be called"
        ) from None
