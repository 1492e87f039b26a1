import os
import time
from pathlib import Path

import psutil
import pytest

from pnode.profilers import resources
from pnode.profilers.resources import Limits, Sampler, cgroup_limits, machine_facts


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def own(tmp_path: Path, *lines: str) -> Path:
    write(tmp_path / "own", "\n".join(lines) + "\n")
    return tmp_path / "own"


def test_the_machine_has_what_the_kernel_says(tmp_path: Path) -> None:
    facts = machine_facts(tmp_path)

    assert 1 <= facts.cores <= (os.cpu_count() or 1)
    assert 0 < facts.memory_bytes <= psutil.virtual_memory().total
    assert 0 <= facts.disk_bytes <= psutil.disk_usage(str(tmp_path)).total


def test_a_limit_of_the_control_group_is_the_machine_we_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "cgroup" / "cpu.max", "100000 100000\n")
    write(tmp_path / "cgroup" / "memory.max", "1048576\n")
    monkeypatch.setattr(resources, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(resources, "OWN_CGROUP", own(tmp_path, "0::/"))

    facts = machine_facts(tmp_path)

    assert (facts.cores, facts.memory_bytes) == (1, 1048576)


@pytest.mark.parametrize(("quota", "cores"), [("50000", 1), ("250000", 2), ("400000", 4), ("9900000", 4)])
def test_a_quota_gives_whole_cores_and_at_least_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, cores: int
) -> None:
    write(tmp_path / "cgroup" / "cpu.max", f"{quota} 100000\n")
    monkeypatch.setattr(resources, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(resources, "OWN_CGROUP", own(tmp_path, "0::/"))
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 3, 5, 7}, raising=False)

    assert machine_facts(tmp_path).cores == cores


def test_without_affinity_every_processor_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "OWN_CGROUP", tmp_path / "nothing")
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 12)

    assert machine_facts(tmp_path).cores == 12


def test_the_tightest_limit_on_the_way_up_counts_in_version_two(tmp_path: Path) -> None:
    write(tmp_path / "cg" / "a" / "cpu.max", "150000 100000\n")
    write(tmp_path / "cg" / "a" / "memory.max", "max\n")
    write(tmp_path / "cg" / "a" / "b" / "cpu.max", "max 100000\n")
    write(tmp_path / "cg" / "a" / "b" / "memory.max", "4096\n")
    write(tmp_path / "cg" / "a" / "other" / "memory.max", "1\n")

    assert cgroup_limits(tmp_path / "cg", own(tmp_path, "0::/a/b")) == Limits(1.5, 4096)


def test_version_one_has_its_controllers_apart_and_says_minus_one_for_no_quota(tmp_path: Path) -> None:
    write(tmp_path / "cg" / "cpu" / "x" / "cpu.cfs_quota_us", "-1\n")
    write(tmp_path / "cg" / "cpu" / "x" / "cpu.cfs_period_us", "100000\n")
    write(tmp_path / "cg" / "cpu" / "cpu.cfs_quota_us", "300000\n")
    write(tmp_path / "cg" / "cpu" / "cpu.cfs_period_us", "100000\n")
    write(tmp_path / "cg" / "memory" / "x" / "memory.limit_in_bytes", "8192\n")

    found = cgroup_limits(tmp_path / "cg", own(tmp_path, "4:memory:/x", "1:cpu,cpuacct:/x", "0::/"))

    assert found == Limits(3.0, 8192)


def test_a_group_that_the_container_does_not_show_leaves_what_is_at_the_top(tmp_path: Path) -> None:
    write(tmp_path / "cg" / "memory" / "memory.limit_in_bytes", "8192\n")

    assert cgroup_limits(tmp_path / "cg", own(tmp_path, "4:memory:/docker/abc")) == Limits(None, 8192)


@pytest.mark.parametrize("text", ["", "max", "-5", "many", "ten 10", "10 0", "0", "\u0663"])
def test_a_file_without_a_number_sets_no_limit(tmp_path: Path, text: str) -> None:
    for name in ("cpu.max", "memory.max", "memory.limit_in_bytes", "cpu.cfs_quota_us", "cpu.cfs_period_us"):
        write(tmp_path / "cg" / name, text)

    assert cgroup_limits(tmp_path / "cg", own(tmp_path, "0::/", "no colons at all")) == Limits(None, None)


def test_a_system_without_control_groups_sets_no_limit(tmp_path: Path) -> None:
    assert cgroup_limits(tmp_path / "none", tmp_path / "nothing") == Limits(None, None)


class Clock:
    """Stands in for the processor and its clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.calls = 0

    def monotonic(self) -> float:
        return self.now

    def cpu_percent(self, interval: float | None = None) -> float:
        self.calls += 1
        return 0.0 if self.calls == 1 else float(10 * self.calls)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock.monotonic)
    monkeypatch.setattr(psutil, "cpu_percent", clock.cpu_percent)
    return clock


def test_the_first_sample_is_not_psutils_meaningless_first_answer(clock: Clock) -> None:
    sampler = Sampler()

    clock.now += 1.0

    assert sampler.sample().cpu_percent == 20.0


def test_asked_again_at_once_it_repeats_the_processors_figure(clock: Clock) -> None:
    sampler = Sampler()
    clock.now += 1.0
    first = sampler.sample()

    clock.now += 0.05
    again = sampler.sample()
    clock.now += 0.06
    later = sampler.sample()

    assert (first.cpu_percent, again.cpu_percent, later.cpu_percent) == (20.0, 20.0, 30.0)


def test_a_sample_is_within_its_ranges_and_takes_less_than_a_millisecond() -> None:
    sampler = Sampler()
    costs_s: list[float] = []

    for _ in range(20):
        start_s = time.perf_counter()
        sample = sampler.sample()
        costs_s.append(time.perf_counter() - start_s)

    assert 0.0 <= sample.cpu_percent <= 100.0
    assert 0.0 < sample.memory_percent <= 100.0
    assert min(costs_s) < 0.001


def test_a_data_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        machine_facts(tmp_path / "nowhere")
