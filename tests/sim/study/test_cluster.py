"""Clusters: what is asked of Dask, against a stand-in for its client; the library itself need not be installed."""

import sys
from concurrent.futures import Executor, ThreadPoolExecutor
from types import ModuleType
from typing import ClassVar

import pytest

from pnode.sim.study.case import Family
from pnode.sim.study.cluster import cluster
from pnode.sim.study.study import Study
from pnode.sim.study.sweep import SweepError
from pnode.sim.study.table import MissingLibraryError

from .fakes import drawn, fake


class FakeClient:
    """What is used of `distributed.Client` (2024.5 and later): an executor, and the cores of each worker."""

    workers: ClassVar[dict[str, int]] = {"tcp://a": 2, "tcp://b": 1}

    def __init__(self, address: str) -> None:
        if address != "tcp://there:8786":
            raise OSError(f"Timed out trying to connect to {address}")
        self.closed = False

    def __enter__(self) -> "FakeClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True

    def ncores(self) -> dict[str, int]:
        return self.workers

    def get_executor(self, *, pure: bool) -> Executor:
        assert not pure
        return ThreadPoolExecutor(3)


@pytest.fixture(autouse=True)
def _distributed(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("distributed")
    module.Client = FakeClient  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "distributed", module)


def test_a_study_runs_on_a_cluster_as_it_does_here() -> None:
    study = Study([Family("family", drawn, 20)], ["slow", "fast"], engine=fake)

    with cluster("tcp://there:8786") as (executor, size):
        table = study.run(size, executor=executor)

    assert size == 3
    assert table == study.run()


def test_an_address_where_nobody_is_is_named() -> None:
    with (
        pytest.raises(SweepError, match="no Dask scheduler at tcp://elsewhere:1: Timed out"),
        cluster("tcp://elsewhere:1"),
    ):
        pass


def test_a_cluster_without_workers_would_never_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeClient, "workers", {})

    with pytest.raises(SweepError, match="has no worker"), cluster("tcp://there:8786"):
        pass


def test_without_the_library_the_way_to_get_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)

    with pytest.raises(MissingLibraryError, match="pnode\\[dask\\]"), cluster("tcp://there:8786"):
        pass
