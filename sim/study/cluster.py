"""A cluster: machines that Dask runs, as an executor of batches."""

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from .sweep import SweepError
from .table import MissingLibraryError


@contextmanager
def cluster(address: str) -> Iterator[tuple[Executor, int]]:
    """An executor on the cluster whose scheduler has that address, and how many cores there are.

    Every worker needs pnode in the version that runs here. Raises MissingLibraryError, SweepError.
    """
    try:
        from distributed import Client
    except ImportError:
        raise MissingLibraryError(
            "a Dask cluster needs distributed, which is not installed: pip install 'pnode[dask]'"
        ) from None
    try:
        client = Client(address)
    except (OSError, ValueError) as error:
        raise SweepError(f"there is no Dask scheduler at {address}: {error}") from error
    with client:
        cores = sum(client.ncores().values())
        if not cores:
            raise SweepError(f"the Dask scheduler at {address} has no worker")
        # Batches have effects (none) and equal ones need not be told apart, but keys by content would cost a hash.
        yield client.get_executor(pure=False), cores
