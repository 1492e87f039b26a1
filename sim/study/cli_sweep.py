"""The words of `pnode sim` that do many runs, or draw what came of them."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import (
    FAILED,
    FILE,
    TARGET,
    command_line,
    cores,
    json_option,
    mapper_name,
    print_json,
    progress_bar,
    seed_option,
    workers_option,
)

if TYPE_CHECKING:
    from .definition import Definition
    from .pisa import Found
    from .table import Table

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("study", type=FILE, metavar="STUDY.toml")
@click.option("--out", type=FOLDER, metavar="DIR", help="Where the results go.  [default: ./pnode-NAME/]")
@workers_option
@click.option("--dask", metavar="ADDRESS", help="Run on this Dask cluster instead (needs 'pnode[dask]').")
@click.option("--fresh", is_flag=True, help="Forget what is in the journal already.")
@click.option("--parquet", is_flag=True, help="Write results.parquet, too (needs 'pnode[parquet]').")
@json_option
def sweep(
    study: Path, out: Path | None, workers: int | None, dask: str | None, fresh: bool, parquet: bool, as_json: bool
) -> int:
    """Do all runs of a study, on all cores.

    Tables, plots and a report go to a directory. Every run that is finished stands there in journal.jsonl: a sweep
    that was interrupted, or killed, goes on where it was when it is called again, and one whose study has grown does
    only what is new.

    \b
    Examples:
      pnode sim sweep study.toml
      pnode sim sweep study.toml --out results --workers 4
      pnode sim sweep study.toml --dask tcp://scheduler:8786
    """
    from .definition import read_study
    from .journal import forget
    from .layout import summary_text
    from .plain import summaries_to_plain
    from .summary import summarise

    definition = read_study(study)
    place = out or Path(f"pnode-{definition.name.replace('/', '-')}")
    place.mkdir(parents=True, exist_ok=True)
    if fresh:
        forget(place / JOURNAL)
    table = _swept(definition, place / JOURNAL, workers, dask)
    written = write_results(definition, table, place, command_line(), parquet=parquet)
    summaries, baseline = summarise(table), definition.study.baseline
    if as_json:
        files = [str(path) for path in written]
        told = {"study": definition.name, "baseline": baseline, "runs": len(table), "files": files}
        print_json({**told, "mappers": summaries_to_plain(summaries)})
    else:
        click.echo(summary_text(summaries, baseline), nl=False)
        click.echo(f"{len(table)} runs in {place}: {', '.join(path.name for path in written)}")
    return 0 if all(table.column("complete")) else FAILED


JOURNAL = "journal.jsonl"


def _swept(definition: "Definition", journal: Path, workers: int | None, dask: str | None) -> "Table":
    from .cluster import cluster

    with progress_bar(definition.name) as progress:
        if dask is None:
            return definition.study.run(workers or cores(), progress, journal)
        with cluster(dask) as (executor, size):
            return definition.study.run(size, progress, journal, executor)


def write_results(
    definition: "Definition", table: "Table", place: Path, command: str, *, parquet: bool = False
) -> list[Path]:
    """Everything there is to say of a study's runs, in a directory. Raises MissingLibraryError, OSError."""
    import json

    from .plain import summaries_to_plain
    from .report import report_html
    from .summary import summarise

    summary = json.dumps(summaries_to_plain(summarise(table)), indent=2, allow_nan=False) + "\n"
    texts = {
        "results.csv": table.to_csv(),
        "results.jsonl": table.to_jsonl(),
        "summary.json": summary,
        "report.html": report_html(definition.name, table, definition.study.baseline, command),
    }
    for name, text in texts.items():
        (place / name).write_text(text, encoding="utf-8")
    written = [place / name for name in texts]
    if parquet:
        written.append(place / "results.parquet")
        table.to_parquet(written[-1])
    return written


@click.command()
@click.argument("results", type=FILE, metavar="RESULTS")
@click.option("--out", type=TARGET, required=True, metavar="FILE", help="An .svg, .html or .png (with a converter).")
@click.option("--over", metavar="PARAMETER", help="Draw lines over this parameter instead of the spread.")
@click.option("--figure", default="ratio", show_default=True, metavar="COLUMN", help="What to draw.")
def plot(results: Path, out: Path, over: str | None, figure: str) -> None:
    """Draw the results of a sweep.

    RESULTS is a results.csv or results.jsonl.

    \b
    Examples:
      pnode sim plot pnode-study/results.csv --out spread.svg
      pnode sim plot pnode-study/results.csv --over ccr --figure slr --out slr.html
    """
    from .lines import lines_svg
    from .output import check_drawing, write_drawing
    from .page import page
    from .plot import spread_svg
    from .table import read_table

    check_drawing(out)
    table = read_table(results)
    svg = lines_svg(table, over, figure) if over else spread_svg(table, figure)
    write_drawing(out, lambda: svg, lambda: page(results.stem, [svg]))
    click.echo(str(out))


@click.command()
@click.argument("mappers", type=mapper_name, nargs=-1, required=True, metavar="MAPPER...")
@click.option("--restarts", type=click.IntRange(1), default=10, show_default=True, metavar="N", help="Per pair.")
@click.option(
    "--steps", type=click.IntRange(1), default=1000, show_default=True, metavar="N", help="Per restart, at most."
)
@click.option("--out", type=FOLDER, metavar="DIR", help="Write each instance there, as a scenario.")
@seed_option
@workers_option
@json_option
def pisa(
    mappers: tuple[str, ...],
    restarts: int,
    steps: int,
    out: Path | None,
    seed: int,
    workers: int | None,
    as_json: bool,
) -> None:
    """Search where mappers do worst against each other.

    Simulated annealing over graphs of 3 to 5 tasks on 3 to 5 machines, for each ordered pair. A column is a mapper
    that does badly, a row the one it is compared with; the number is the makespan of the first over the second's.

    \b
    Examples:
      pnode sim pisa heft wave-plan wave-greedy wave-random
      pnode sim pisa heft peft --restarts 3 --out worst
    """
    from .layout import matrix_text
    from .pisa import Annealing, search_all

    if len(dict.fromkeys(mappers)) < max(len(mappers), 2):
        raise click.UsageError("expected at least two mappers, each once")
    with progress_bar("pairs") as progress:
        found = search_all(mappers, seed, Annealing(restarts, steps_max=steps), workers or cores(), progress)
    files = _write_instances(found, out) if out else {}
    if as_json:
        print_json([
            {"target": one.target, "base": one.base, "ratio": one.ratio, "file": files.get((one.target, one.base))}
            for one in found
        ])  # fmt: skip
    else:
        click.echo(matrix_text(mappers, {(one.target, one.base): one.ratio for one in found}), nl=False)


def _write_instances(found: list["Found"], place: Path) -> dict[tuple[str, str], str]:
    """Each as a scenario of its own."""
    from pnode.sim.formats.toml_writing import write_toml

    place.mkdir(parents=True, exist_ok=True)
    files: dict[tuple[str, str], str] = {}
    for one in found:
        path = place / f"{one.target}-against-{one.base}.toml"
        write_toml(path, one.scenario)
        files[one.target, one.base] = str(path)
    return files
