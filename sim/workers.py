"""Workers: processes of our own for long computations, which end with this one however it ends."""

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process


@contextmanager
def processes(workers: int) -> Iterator[Executor]:
    """So many of them, until the end of the block.

    Where an error or Ctrl-C leaves the block they end at once: nobody waits any more for what they are doing, and
    that may take minutes.
    """
    others = active_children()
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin_worker)
    try:
        yield pool
    except BaseException:
        for worker in active_children():
            if worker not in others:
                worker.terminate()
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()


def _begin_worker() -> None:
    """Ctrl-C goes to every process of a terminal; the one that began the work hears it and ends the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker waits on a pipe of which it has both ends, so it would not notice that nobody writes any more."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
