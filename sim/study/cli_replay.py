"""The word `pnode sim replay`: a live job's run beside its simulation."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import FAILED, FILE, TARGET, json_option, mapper_name, print_json, seed_option

if TYPE_CHECKING:
    from .replay import Replay


@click.command()
@click.argument("recording", type=FILE, metavar="FILE")
@click.option(
    "--mapper", type=mapper_name, default=None, metavar="NAME",
    help="Have this mapper choose the nodes anew.  [default: the nodes that ran the tasks]",
)  # fmt: skip
@seed_option
@click.option("--gantt", type=TARGET, metavar="FILE", help="Draw the simulated run: .html, .svg, or .png.")
@json_option
def replay(recording: Path, mapper: str | None, seed: int, gantt: Path | None, as_json: bool) -> int:
    """Simulate the run of a live job, and compare.

    FILE is what 'pnode job JOB --record FILE' wrote. Real starts and ends stand beside predicted ones, all in seconds
    since the submission. Run times and sizes are those of the run; when tasks start, and what waits for what, is for
    the simulation to say.

    \b
    Examples:
      pnode job k3vq --record run.json && pnode sim replay run.json
      pnode sim replay run.json --mapper heft --gantt heft.html
    """
    from pnode.sim.formats.recording import read_recording

    from . import replay as replaying
    from .output import check_drawing, write_gantt

    if gantt:
        check_drawing(gantt)
    replayed = replaying.replay(read_recording(recording), mapper or "", seed)
    if gantt:
        write_gantt(replayed.result, gantt)
    if as_json:
        print_json(
            {
                "job": replayed.recording.job,
                "mapper": mapper or replayed.recording.mapper,
                "makespan_s": replayed.recording.makespan_s,
                "predicted_makespan_s": replayed.result.makespan_s,
                "error": replayed.error,
                "tasks": list(replayed.table().records()),
            }
        )
    else:
        _print(replayed, mapper)
    return 0 if replayed.result.complete else FAILED


def _print(replayed: "Replay", mapper: str | None) -> None:
    from .layout import columns

    # Who chooses anew may choose another node; otherwise both are the same, and one column says so.
    nodes = ("node", "predicted_node") if mapper else ("node",)
    titles = ("task", *("node", "predicted")[: len(nodes)], "start s", "predicted", "end s", "predicted")
    names = ("start_s", "predicted_start_s", "finish_s", "predicted_finish_s")
    rows = [
        (str(row["task"]), *(str(row[name]) for name in nodes), *(f"{row[name]:.3f}" for name in names))
        for row in replayed.table().records()
    ]
    click.echo(columns(titles, rows, text_columns=1 + len(nodes)), nl=False)
    chosen = f"as {mapper} would place it" if mapper else f"where it ran, placed by {replayed.recording.mapper}"
    click.echo(
        f"job {replayed.recording.job}, {chosen}: took {replayed.recording.makespan_s:.3f} s, "
        f"predicted {replayed.result.makespan_s:.3f} s ({replayed.error:+z.1%})"
    )
