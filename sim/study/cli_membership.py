"""The word `pnode sim membership`: how fast a cluster notices what happens to its nodes, and what that costs."""

import click

from .options import json_option, print_json, progress_bar, seed_option, workers_option

NODES_MAX = 4096
"""As many as a member table holds."""

STAGES = ("start", "quiet", "join", "crash", "idle", "busy", "stalls", "loss")


def sizes(value: str) -> tuple[int, ...]:
    """Numbers of nodes: 16,64,256."""
    try:
        found = tuple(int(part) for part in value.split(","))
    except ValueError:
        found = ()
    if not found or not all(2 <= nodes <= NODES_MAX for nodes in found):
        raise click.BadParameter(
            f"{value!r} is no list of numbers of nodes, expected for instance 16,64, each from 2 to {NODES_MAX}"
        )
    return found


def stages(value: str) -> tuple[str, ...]:
    """Some of the stages: start,crash."""
    found = tuple(value.split(","))
    unknown = [name for name in found if name not in STAGES]
    if unknown:
        raise click.BadParameter(f"there is no stage {unknown[0]!r}, expected some of {','.join(STAGES)}")
    return found


@click.command()
@seed_option
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    metavar="COUNT",
    help="Clusters of each size, their seeds from --seed on; figures are medians over them.",
)
@click.option(
    "--nodes", type=sizes, default="16,64", show_default=True, metavar="LIST", help="How many nodes, once for each."
)
@click.option(
    "--timing",
    type=click.Choice(("lan", "wan", "fast")),
    default="lan",
    show_default=True,
    help="How often the nodes look after each other.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0.01, 6000.0),
    default=10.0,
    show_default=True,
    metavar="M",
    help="How long stalls and losses go on, in virtual time.",
)
@click.option(
    "--loss",
    type=click.FloatRange(0.0, 1.0),
    default=0.05,
    show_default=True,
    metavar="SHARE",
    help="Of the datagrams, where some are lost.",
)
@click.option(
    "--stalls",
    type=click.FloatRange(0.0, 1.0),
    default=0.1,
    show_default=True,
    metavar="SHARE",
    help="Of the nodes, where some do not run for two of every twenty seconds.",
)
@click.option(
    "--stages",
    "wanted",
    type=stages,
    default=",".join(STAGES),
    show_default=True,
    metavar="LIST",
    help="What the clusters go through, in this order.",
)
@workers_option
@json_option
def membership(
    seed: int,
    seeds: int,
    nodes: tuple[int, ...],
    timing: str,
    minutes: float,
    loss: float,
    stalls: float,
    wanted: tuple[str, ...],
    workers: int | None,
    as_json: bool,
) -> int:
    """Measure how clusters look after their members.

    The nodes run the code of the live ones, on virtual time and without jobs. Each cluster is started at once, is
    joined by a node and loses one; it is looked at while its loads rest and while they change all the time, while
    some nodes stall and while datagrams are lost. What is printed beside the times of a crash is what memberlist
    would take by its formulas.

    \b
    Examples:
      pnode sim membership --nodes 16,64,256 --seeds 10
      pnode sim membership --nodes 1024 --stages start,join,crash
      pnode sim membership --timing fast --stages stalls --stalls 0.25 --minutes 60
    """  # fmt: skip
    from .membership import Conditions, Stage
    from .membership_batch import observe_many
    from .membership_report import table, to_plain

    conditions = [
        Conditions(count, seed + step, timing, minutes, loss, stalls, tuple(map(Stage, wanted)))
        for count in sorted(nodes, reverse=True)  # what takes longest shall not be the last to begin
        for step in range(seeds)
    ]
    with progress_bar("clusters") as show:
        courses = observe_many(conditions, workers, show)
    if as_json:
        print_json(to_plain(courses))
    else:
        click.echo(table(courses), nl=False)
    return 0
