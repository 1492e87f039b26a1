"""Jobs that do not end well: the reason is at the submitter within seconds, and nothing is left running."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from pnode.node.api import JobDetail

from .applications import write
from .hosts import Host, eventually

pytestmark = pytest.mark.processes

SECONDS = 20.0
"""In which a failure is known on a busy machine; on an idle one it takes two."""

BEGIN = """
[task.begin]
command = ["sh", "-c", 'cp "$PNODE_INPUT" "$PNODE_OUTPUT_DIR"']
children = ["fail"]
"""

RAISES = """
import sys

def task(file, pathin, pathout):
    print("looking up", file=sys.stderr)
    raise ValueError("the moon is full")
"""

SHELL = "[task.fail]\ncommand = ['sh', '-c', '''{}''']\n"

FAILURES: dict[str, tuple[Mapping[str, str], str, str]] = {
    "raises": (
        {"dag.toml": BEGIN + '[task.fail]\nmodule = "fail.py"\n', "fail.py": RAISES},
        "ValueError: the moon is full",
        "looking up",
    ),
    "exits": (
        {"dag.toml": BEGIN + SHELL.format("echo out of ink >&2; exit 3")},
        "exit status 3",
        "out of ink",
    ),
    "is killed": (
        {"dag.toml": BEGIN + SHELL.format("echo here it comes >&2; kill -9 $$")},
        "killed by signal 9 (SIGKILL)",
        "here it comes",
    ),
    "writes nothing": (
        {"dag.toml": BEGIN + SHELL.format("echo nothing to say >&2")},
        "wrote no output",
        "nothing to say",
    ),
    "prints without end": (
        {"dag.toml": BEGIN + SHELL.format("echo here we go >&2; while :; do seq 20000; done")},
        "printed more than 64 MiB to stdout",
        "here we go",
    ),
    "takes too long": (
        {"dag.toml": BEGIN + SHELL.format("echo zzz >&2; sleep 60") + "walltime = 1\n"},
        "ran longer than its walltime of 1 s",
        "zzz",
    ),
    "cannot be started": (
        {"dag.toml": BEGIN + "[task.fail]\ncommand = ['no-such-program']\n"},
        "'no-such-program' is neither a file",
        "",
    ),
}  # fmt: skip
"""What the task `fail` does: (the application, the reason, the last line that it prints to stderr)."""

SLEEPERS = """
[task.one]
command = ["sh", "scripts/sleep.sh"]
environment = {{ PIDS = "{pids}" }}

[task.two]
command = ["sh", "scripts/sleep.sh"]
environment = {{ PIDS = "{pids}" }}
"""

SLEEP = """
sleep 600 &
echo $$ $! > "$PIDS/$PNODE_TASK.new"
mv "$PIDS/$PNODE_TASK.new" "$PIDS/$PNODE_TASK"
wait
"""


def sleepers(directory: Path, more: str = "") -> tuple[Path, Path]:
    """(DAG, where its tasks leave the numbers of their processes) of a job that goes on for ten minutes."""
    pids = directory / "pids"
    pids.mkdir()
    application = {"dag.toml": SLEEPERS.format(pids=pids) + more, "scripts/sleep.sh": SLEEP}
    return write(directory, application), pids


def begun(pids: Path) -> list[psutil.Process]:
    """The processes of both tasks, once they run."""

    def found() -> list[int]:
        numbers = [
            int(word)
            for task in ("one", "two")
            if (pids / task).exists()
            for word in (pids / task).read_text().split()
        ]
        return numbers if len(numbers) == 4 else []

    return [psutil.Process(pid) for pid in eventually(found, "task that runs")]


def all_gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


@pytest.mark.parametrize(("files", "reason", "last"), FAILURES.values(), ids=FAILURES)
def test_a_failed_task_is_a_failed_job_with_a_reason(
    cluster: list[Host], tmp_path: Path, files: Mapping[str, str], reason: str, last: str
) -> None:
    dag = write(tmp_path, files)
    began = time.monotonic()

    ran = cluster[1].pnode("submit", dag, "--input", __file__, "--follow", "--output", tmp_path / "results")

    assert ran.status == 1, ran
    assert time.monotonic() - began < SECONDS
    assert "fail failed on " in ran.out
    assert reason in ran.out
    assert last in ran.out
    assert not (tmp_path / "results").exists()


def test_when_one_task_fails_the_others_of_its_job_are_ended(cluster: list[Host], tmp_path: Path) -> None:
    trigger = tmp_path / "trigger"
    fail = SHELL.format(f"until test -e {trigger}; do sleep 0.1; done; exit 1")
    dag, pids = sleepers(tmp_path, fail)
    job = cluster[0].submit(dag, Path(__file__))
    processes = begun(pids)

    trigger.touch()
    ended = cluster[0].finished(job)

    assert ended.state == "failed"
    assert "exit status 1" in ended.reason
    eventually(lambda: all_gone(processes), "end of the other tasks")


def test_any_node_can_cancel_a_job_and_then_nothing_of_it_runs(cluster: list[Host], tmp_path: Path) -> None:
    dag, pids = sleepers(tmp_path)
    origin, canceller = cluster[1], cluster[3]

    with ThreadPoolExecutor() as threads:
        following = threads.submit(origin.pnode, "submit", dag, "--input", __file__, "--follow")
        processes = begun(pids)
        job = canceller.jobs()[-1].id
        canceller.done("cancel", job)
        followed = following.result()

    assert followed.status == 1
    assert "cancelled" in followed.out
    assert {host.finished(job).state for host in cluster} == {"cancelled"}
    eventually(lambda: all_gone(processes), "end of the cancelled tasks")


def test_a_job_that_has_ended_cannot_be_cancelled_nor_a_failed_one_pulled(
    cluster: list[Host], tmp_path: Path
) -> None:
    done, failed = (
        write(tmp_path / "done", {"dag.toml": BEGIN.replace('"fail"', "")}),
        write(tmp_path / "failed", FAILURES["exits"][0]),
    )
    well, badly = (cluster[0].submit(dag, Path(__file__)) for dag in (done, failed))
    states = [cluster[0].finished(job).state for job in (well, badly)]

    cluster[2].done("cancel", well)

    assert states == ["done", "failed"]
    assert cluster[0].ask(JobDetail, "job", well).state == "done"
    assert "failed" in cluster[0].pnode("pull", badly).complaint()
