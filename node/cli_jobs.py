"""The commands about jobs: submit, map, jobs, job, explain, logs, pull, cancel."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from .cli_answer import INTERRUPTED, Answer, notice, notices
from .cli_options import (
    AbsolutePath,
    dag_argument,
    follow_option,
    home_option,
    input_option,
    json_option,
    mapper_option,
    output_option,
    replicas_option,
    results_directory,
    wants_json,
)
from .home import command_text

if TYPE_CHECKING:  # a command imports what it needs: `pnode --help` should not wait for the others' modules
    from .api import JobDetail, JobStatus, LogChunk
    from .commands import NodeClient

ENDED_JOBS_SHOWN = 20
"""A session of the Python client makes hundreds of jobs; nobody looks for theirs among all of last week's."""


@click.command()
@dag_argument
@input_option
@mapper_option
@click.option("--name", metavar="NAME", help="What to call the job.  [default: the directory of DAG]")
@replicas_option
@output_option
@follow_option
@home_option
@json_option
def submit(
    dag: Path,
    inputs: tuple[Path, ...],
    mapper: str,
    name: str | None,
    replicas: int | None,
    output: Path | None,
    follow: bool,
    home: Path,
) -> Answer | int:
    """Run the tasks of DAG on the cluster.

    DAG is a file, or a directory that has one called dag.txt, configuration.txt or dag.toml, itself or in its DAG/.
    Without --follow the command ends as soon as the nodes that keep the job have it; with it the exit status is the
    job's. Ctrl-C only ends the watching, 'pnode job JOB --follow' takes it up again.

    \b
    Examples:
      pnode submit dag.txt --follow
      pnode submit application/ --input photos/ --output results --follow
    """
    from .api import Submitted
    from .jobtext import kept_text, write_submitted

    _check_output(output, follow=follow)
    node = checked_node(home, dag, inputs)
    taken_in: list[Submitted] = []

    def told(submitted: Submitted) -> None:
        if taken_in:
            notice(f"job {submitted.id} runs; the other nodes that keep it are still getting it and its inputs")
        taken_in.append(submitted)

    try:
        submitted = node.submit(dag, inputs, mapper, name, replicas, told)
    except KeyboardInterrupt:
        if not taken_in:
            jobs = command_text(home, "jobs")
            notice(f"the node had not answered yet: {jobs} shows whether it has taken the job in")
            return INTERRUPTED
        return _left_alone(home, taken_in[0].id)
    notices(submitted.notices)
    if follow:
        return _followed(home, submitted.id, output, kept_text(submitted))
    return Answer(Submitted, submitted, lambda out: write_submitted(submitted, home, out))


@click.command("map")
@dag_argument
@input_option
@mapper_option
@home_option
@json_option
def map_command(dag: Path, inputs: tuple[Path, ...], mapper: str, home: Path) -> Answer:
    """Show where the tasks of DAG would go, without running them.

    DAG is a file or a directory, as in 'pnode submit'. Prints one line per task: its name, a tab, the node's name.

    \b
    Example:
      pnode map dag.txt --mapper wave-random
    """
    from .answers import write_mapping
    from .api import Mapped

    mapped = checked_node(home, dag, inputs).map(dag, inputs, mapper)
    notices(mapped.notices)
    return Answer(Mapped, mapped, lambda out: write_mapping(mapped, out))


@click.command()
@click.option(
    "--all",
    "is_all",
    is_flag=True,
    help=f"Also those that ended before the latest {ENDED_JOBS_SHOWN}; --json always has them.",
)
@home_option
@json_option
def jobs(is_all: bool, home: Path) -> Answer:
    """List the jobs of the cluster, the latest last.

    \b
    Example:
      pnode jobs
    """
    from .answers import write_jobs
    from .api import JobStatus
    from .commands import NodeClient

    found = NodeClient(home).jobs()
    return Answer(
        tuple[JobStatus, ...], found, lambda out: write_jobs(found, out, None if is_all else ENDED_JOBS_SHOWN)
    )


@click.command()
@click.argument("job", metavar="JOB")
@follow_option
@output_option
@click.option(
    "--record", "recording", type=AbsolutePath(dir_okay=False), metavar="FILE",
    help="Write down how the job runs, for 'pnode sim' and other programs, instead of showing it.",
)  # fmt: skip
@home_option
@json_option
def job(job: str, follow: bool, output: Path | None, recording: Path | None, home: Path) -> Answer | int:
    """Show one job: every task, its node, its state and times.

    JOB is the beginning of an id that 'pnode jobs' lists; as many letters as tell it from the others are enough. With
    --follow the exit status is the job's, and Ctrl-C only ends the watching. What --record writes is one JSON
    document: the graph, what the nodes and the ways between them are like, and where and when every task ran.

    \b
    Examples:
      pnode job k3vq
      pnode job k3vq --follow
      pnode job k3vq --record run.json
    """
    from .answers import write_recorded
    from .api import JobDetail, Recorded
    from .commands import NodeClient
    from .jobtext import write_job

    _check_output(output, follow=follow)
    if recording is not None and follow:
        raise click.UsageError("--record writes what has happened up to now: follow the job first, then record it")
    node = NodeClient(home)
    if recording is not None:
        if not recording.parent.is_dir():
            raise click.BadParameter(f"there is no directory {recording.parent}", param_hint="'--record'")
        recorded = node.record(job, recording)
        return Answer(Recorded, recorded, lambda out: write_recorded(recorded, out))
    found = node.job(job)
    if follow:
        return _followed(home, found.id, output)
    return Answer(JobDetail, found, lambda out: write_job(found, out))


@click.command()
@click.argument("job", metavar="JOB")
@click.argument("task", metavar="[TASK]", required=False)
@home_option
@json_option
def logs(job: str, task: str | None, home: Path) -> Answer:
    """Print what the tasks of a job wrote.

    Standard output and standard error of every task that has ended, or of TASK alone; TASK[ITEM] is one item of a
    stream.

    \b
    Examples:
      pnode logs k3vq
      pnode logs k3vq merge
      pnode logs k3vq 'merge[0]'
    """
    from .answers import write_logs
    from .api import LogChunk
    from .commands import NodeClient

    node = NodeClient(home)
    found = node.job(job)
    chunks = _with_notice_of_silence(node.logs(found.id, task), found, task)
    return Answer(tuple[LogChunk, ...], chunks, lambda out: write_logs(chunks, out, many_items=found.items > 1))


def _with_notice_of_silence(chunks: Iterable["LogChunk"], job: "JobDetail", task: str | None) -> Iterator["LogChunk"]:
    """Nothing at all on the screen would leave open whether anything was done."""
    from .answers import silence_text

    silent = True
    for chunk in chunks:
        silent = False
        yield chunk
    if silent:
        notice(silence_text(job, task))


@click.command()
@click.argument("job", metavar="JOB")
@click.argument("task", metavar="TASK")
@home_option
@json_option
def explain(job: str, task: str, home: Path) -> Answer:
    """Say why a task is where it is, or why it waits.

    Who chose its node, and the candidates as they were seen then, the best first, in seconds from that moment; and
    who was none, and why. TASK[ITEM] is one item of a stream. The numbers are kept by the node that chose: of the
    choices of others it is said where to ask.

    \b
    total      what the mapper went by: of most, when the task would have ended
    inputs in  when the last of its inputs could have been there
    core in    when a core would have been free
    runs for   how long it was expected to run

    \b
    Examples:
      pnode explain k3vq merge
      pnode explain k3vq 'merge[0]'
    """
    from .answers import write_explanations
    from .api import Explanation
    from .commands import NodeClient

    node = NodeClient(home)
    found = node.explain(job, task)
    many_items = any(each.item > 0 for each in found) or "[" in task
    return Answer(tuple[Explanation, ...], found, lambda out: write_explanations(found, out, many_items=many_items))


@click.command()
@click.argument("job", metavar="JOB")
@output_option
@home_option
@json_option
def pull(job: str, output: Path | None, home: Path) -> Answer:
    """Fetch the results of a job that is done.

    \b
    Example:
      pnode pull k3vq --output results
    """
    from .answers import write_pulled
    from .api import Pulled
    from .commands import NodeClient

    node = NodeClient(home)
    pulled = node.pull(job, output or results_directory(node.job(job).id))
    return Answer(Pulled, pulled, lambda out: write_pulled(pulled, out))


@click.command()
@click.argument("job", metavar="JOB")
@home_option
@json_option
def cancel(job: str, home: Path) -> Answer:
    """End a job: what runs is killed, what waits does not begin.

    \b
    Example:
      pnode cancel k3vq
    """
    from .api import JobStatus
    from .commands import NodeClient

    cancelled = NodeClient(home).cancel(job)
    return Answer(JobStatus, cancelled, lambda out: _write_cancelled(cancelled, out))


def _write_cancelled(job: "JobStatus", out: TextIO) -> None:
    outcome = "cancelled" if job.state == "cancelled" else f"had ended before ({job.state})"
    out.write(f"job {job.id} {outcome}: {job.units_done}/{job.units_total} tasks were done\n")


def checked_node(home: Path, dag: Path, inputs: tuple[Path, ...]) -> "NodeClient":
    """The node, once the application is known to be sound: what is wrong with a DAG is told before the node."""
    from .application import load_application
    from .commands import NodeClient

    load_application(dag, inputs)
    return NodeClient(home)


def _check_output(output: Path | None, *, follow: bool) -> None:
    """Raises UsageError: results that nobody waits for are fetched by another command."""
    if output is not None and not follow:
        raise click.UsageError("--output needs --follow; fetch the results later with 'pnode pull JOB --output DIR'")


def _left_alone(home: Path, job: str) -> int:
    """Somebody does not want to watch any longer."""
    again, end = command_text(home, f"job {job} --follow"), command_text(home, f"cancel {job}")
    notice(f"job {job} goes on: {again} shows it again, {end} ends it")
    return INTERRUPTED


def _followed(home: Path, job: str, output: Path | None, kept: str = "") -> Answer | int:
    """Watch a job to its end and fetch its results; the exit status is the job's."""
    from .commands import NodeClient, NodeGoneError
    from .follow import Followed, follow_job, write_followed

    node = NodeClient(home)
    screen = sys.stderr if wants_json() else sys.stdout
    click.echo(f"job {job}, {kept}" if kept else f"job {job}", file=screen)
    try:
        ended = follow_job(node.follow(job), screen)
    except KeyboardInterrupt:
        return _left_alone(home, job)
    except NodeGoneError:
        notice(f"if other nodes keep it, job {job} goes on: 'pnode job {job} --follow' at any of them shows it again")
        raise
    results = node.pull(job, output or results_directory(job)) if ended.state == "done" else None
    followed = Followed(ended, results)
    return Answer(Followed, followed, lambda out: write_followed(followed, out), int(results is None))
