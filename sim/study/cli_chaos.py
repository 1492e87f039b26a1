"""The word `pnode sim chaos`: clusters of real cores under random faults."""

import dataclasses
from typing import TYPE_CHECKING

import click

from .options import FAILED, json_option, note, print_json, progress_bar, seed_option, workers_option

if TYPE_CHECKING:
    from pnode.sim.chaos.plan import Options


def numbers(value: str) -> tuple[int, ...]:
    """Some of the numbers of a schedule: 3,7,12 or none."""
    try:
        return () if value == "none" else tuple(int(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is no list of numbers, expected for instance 3,7,12 or none") from None


@click.command()
@seed_option
@click.option(
    "--nodes", type=click.IntRange(2, 1000), default=32, show_default=True, metavar="N", help="How many nodes."
)
@click.option(
    "--minutes",
    type=click.FloatRange(0.01, 1000.0),
    default=10.0,
    show_default=True,
    metavar="M",
    help="How long faults go on, in virtual time.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="COUNT",
    help="Run so many seeds, from --seed on.",
)
@click.option("--faults", type=numbers, metavar="LIST", help="Only these faults of the seed's schedule.")
@click.option("--jobs", type=numbers, metavar="LIST", help="Only these of its jobs.")
@click.option(
    "--shorten/--no-shorten", default=True, help="Look for the faults that a failure needs.  [default: yes]"
)
@click.option("--story", is_flag=True, help="Print the whole schedule of a single seed.")
@workers_option
@json_option
def chaos(
    seed: int,
    nodes: int,
    minutes: float,
    seeds: int,
    faults: tuple[int, ...] | None,
    jobs: tuple[int, ...] | None,
    shorten: bool,
    story: bool,
    workers: int | None,
    as_json: bool,
) -> int:
    """Let everything go wrong in a simulated cluster, and check what must hold.

    The nodes run the code of the live ones, on virtual time. A seed draws which faults there are at all, when they
    come, and the jobs; after the last fault everything must come to rest, and every job must have ended as it should.
    A seed that fails is printed with the command that repeats it and with the few faults that it takes.

    \b
    Examples:
      pnode sim chaos --seed 17
      pnode sim chaos --seed 0 --seeds 200 --nodes 16
      pnode sim chaos --seed 17 --nodes 8 --minutes 2 --faults 3,7 --story
    """  # fmt: skip
    from pnode.sim.chaos.batch import run_many
    from pnode.sim.chaos.plan import Options, plan_of

    options = Options(seed, nodes, minutes, faults, jobs)
    if story:
        note("\n".join(plan_of(options).story()))
    failed, records = 0, []
    with progress_bar("seeds") as show:
        for outcome in run_many(options, seeds, workers, show):
            records.append(outcome)
            if outcome.complaints:
                failed += 1
                if not as_json:
                    click.echo(f"seed {outcome.options.seed} failed: {'; '.join(outcome.complaints[:5])}")
                    click.echo(f"  again: {outcome.options.command}")
                    if shorten:
                        _shorten(outcome.options)
    if as_json:
        print_json([dataclasses.asdict(record) for record in sorted(records, key=lambda each: each.options.seed)])
    else:
        events, deaths = sum(each.events for each in records), sum(each.deaths for each in records)
        jobs_safe = sum(each.safe for each in records)
        click.echo(
            f"{failed} of {seeds} seeds failed (events: {events}, jobs: {jobs_safe}, verdicts of death: {deaths})"
        )
        if seeds == 1 and records[0].trace:
            click.echo(f"trace {records[0].trace}")
    return FAILED if failed else 0


def _shorten(options: "Options") -> None:
    """Print the few faults that a failing seed needs."""
    from pnode.sim.chaos.shrink import shorten

    short = shorten(options)
    click.echo(f"  shortened: {short.options.command}")
    for line in short.story()[2:]:
        click.echo(f"    {line}")
