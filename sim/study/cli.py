"""The words of `pnode sim`: parse, call, print. Exit status 0 is done, 1 failed, 2 used wrongly.

What takes time to load is loaded by the word that needs it.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import (
    FAILED,
    FILE,
    TARGET,
    Lab,
    baseline_option,
    check_suffix,
    command_line,
    json_option,
    mapper_name,
    print_json,
    progress_bar,
    seed_option,
    workers_option,
)

if TYPE_CHECKING:
    from pnode.sim.schedule.result import Result


LATER = {
    "sweep": ".cli_sweep:sweep",
    "plot": ".cli_sweep:plot",
    "pisa": ".cli_sweep:pisa",
    "replay": ".cli_replay:replay",
    "chaos": ".cli_chaos:chaos",
    "membership": ".cli_membership:membership",
    "validate": ".cli_files:validate",
    "import": ".cli_files:import_command",
    "export": ".cli_files:export",
}
"""The words after those of this module, each loaded when it is asked for: `pnode --help` loads this module."""


class _Words(Lab):
    """All words of the laboratory."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *LATER]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in LATER:
            return super().get_command(ctx, cmd_name)
        module, _, name = LATER[cmd_name].partition(":")
        command = getattr(import_module(module, __package__), name)
        assert isinstance(command, click.Command), cmd_name
        return command


@click.group(cls=_Words, context_settings={"help_option_names": ["-h", "--help"]})
def sim() -> None:
    """Simulate task graphs, and compare mappers.

    The machines need not exist; the mappers are those of the live nodes. The same scenario, mapper and seed give the
    same result to the last digit, wherever that is tried.

    \b
    One run:        pnode sim run scenario.toml --mapper wave-plan --gantt run.html
    A comparison:   pnode sim compare *.toml --mapper wave-plan --mapper wave-random --seeds 10
    A sweep:        pnode sim sweep study.toml
    """


@sim.command()
@click.argument("scenario", type=FILE, metavar="SCENARIO")
@click.option("--mapper", type=mapper_name, default="heft", show_default=True, metavar="NAME", help="Who maps.")
@seed_option
@click.option(
    "--index", type=click.IntRange(0), metavar="N",
    help="SCENARIO is the file of a study, and this is the number of its run to do again, which has its own mapper "
    "and seed.",
)  # fmt: skip
@click.option("--trace", type=TARGET, metavar="FILE", help="Write what happened; its suffix says how, see above.")
@click.option(
    "--gantt", type=TARGET, metavar="FILE", help="Draw it: .html, .svg, or .png where a converter is found."
)
@json_option
def run(
    scenario: Path, mapper: str, seed: int, index: int | None, trace: Path | None, gantt: Path | None, as_json: bool
) -> int:
    """Run one scenario and print its figures.

    SCENARIO is one of our own TOML files, or any other file with a graph and a network (see 'pnode sim import').

    \b
    The suffix of a trace says what it is:
      .json    for Chrome's tracing and Perfetto
      .jsonl   events as ncsim writes them
      .csv     a line for each time that a task ran
      .txt     Jupiter's table of run times

    \b
    Examples:
      pnode sim run scenario.toml --mapper wave-hint --gantt run.html --trace run.json
      pnode sim run study.toml --index 17
    """
    from pnode.sim.formats.scenarios import read_scenario
    from pnode.sim.schedule.run import simulate

    from .definition import read_study
    from .output import check_drawing, check_trace, write_gantt, write_trace

    if trace:
        check_trace(trace)
    if gantt:
        check_drawing(gantt)
    if index is None:
        result = simulate(read_scenario(scenario), mapper, seed, trace=bool(trace or gantt))
    else:
        _refuse_beside_index("mapper", "seed")
        result = read_study(scenario).study.replay(index)
    if trace:
        write_trace(result, trace)
    if gantt:
        write_gantt(result, gantt)
    _print_result(result, as_json=as_json)
    return 0 if result.complete else FAILED


def _refuse_beside_index(*options: str) -> None:
    """What would be overruled in silence."""
    context = click.get_current_context()
    for option in options:
        if context.get_parameter_source(option) is not click.core.ParameterSource.DEFAULT:
            raise click.UsageError(f"a run of a study has a {option} of its own, expected --index without --{option}")


def _print_result(result: "Result", *, as_json: bool) -> None:
    from .layout import result_text
    from .plain import result_to_plain

    if as_json:
        print_json(result_to_plain(result))
    else:
        click.echo(result_text(result), nl=False)


@sim.command()
@click.argument("scenarios", type=FILE, nargs=-1, required=True, metavar="SCENARIO...")
@click.option(
    "--mapper", "mappers", type=mapper_name, multiple=True, metavar="NAME",
    help="May be given several times.  [default: wave-hint, wave-plan, wave-greedy and wave-random]",
)  # fmt: skip
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="Runs of each pair.")
@baseline_option
@click.option("--csv", type=TARGET, metavar="FILE", help="Write all runs.")
@click.option("--report", type=TARGET, metavar="FILE", help="Write a page with tables and plots (.html).")
@workers_option
@json_option
def compare(
    scenarios: tuple[Path, ...],
    mappers: tuple[str, ...],
    seeds: int,
    baseline: str,
    csv: Path | None,
    report: Path | None,
    workers: int | None,
    as_json: bool,
) -> int:
    """Run scenarios under several mappers.

    Printed is how they compare with the baseline on the same scenarios and seeds.

    \b
    Examples:
      pnode sim compare scenario.toml --mapper wave-plan --mapper wave-random --seeds 20
      pnode sim compare *.toml --report comparison.html
    """
    from pnode.sim.formats.scenarios import read_scenario

    from .layout import summary_text
    from .plain import summaries_to_plain
    from .report import report_html
    from .study import Study
    from .summary import summarise

    if report:
        check_suffix(report, (".html",))
    study = Study([read_scenario(path) for path in scenarios], mappers or COMPARED, range(seeds), baseline)
    with progress_bar("runs") as progress:
        table = study.run(workers, progress)
    summaries = summarise(table)
    if csv:
        csv.write_text(table.to_csv(), encoding="utf-8")
    if report:
        report.write_text(report_html("Comparison", table, baseline, command_line()), encoding="utf-8")
    if as_json:
        print_json({"baseline": baseline, "mappers": summaries_to_plain(summaries), "runs": list(table.records())})
    else:
        click.echo(summary_text(summaries, baseline), nl=False)
    return 0 if all(table.column("complete")) else FAILED


COMPARED = ("wave-hint", "wave-plan", "wave-greedy", "wave-random")
"""What is compared when nobody says: the family, besides the baseline."""


@sim.command()
@json_option
def mappers(as_json: bool) -> None:
    """List the mappers that can be compared.

    \b
    Example:
      pnode sim mappers
    """
    from .layout import columns
    from .roster import roster

    known = roster()
    if as_json:
        print_json([{"mapper": name, "kind": kind, "what": what} for name, kind, what in known])
    else:
        click.echo(columns(("mapper", "kind", "what it does"), known, text_columns=3), nl=False)
