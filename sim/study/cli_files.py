"""The words of `pnode sim` about files: whether they can be read, and how they become others."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import FAILED, FILE, TARGET, json_option, mapper_name, print_json, seed_option

if TYPE_CHECKING:
    from .checking import Checked


@click.command()
@click.argument("files", type=FILE, nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--mapper", "mappers", type=mapper_name, multiple=True, metavar="NAME",
    help="Run each scenario under this mapper as well, and check that what comes out can happen.",
)  # fmt: skip
@click.option(
    "--trace", type=FILE, metavar="FILE.jsonl",
    help="Check that what this trace tells, as ncsim writes it, can happen in the only FILE, a scenario.",
)  # fmt: skip
@json_option
def validate(files: tuple[Path, ...], mappers: tuple[str, ...], trace: Path | None, as_json: bool) -> int:
    """Say whether files can be read, and what is in them.

    They may be scenarios, graphs and studies.

    \b
    Examples:
      pnode sim validate scenario.toml montage.json.xz study.toml
      pnode sim validate scenario.toml --mapper wave-plan
      pnode sim validate scenario.yaml --trace trace.jsonl
    """
    from .checking import check, check_trace

    if trace and len(files) > 1:
        raise click.UsageError(f"a trace is of one scenario, found {len(files)} files")
    checked = [check(path, mappers) for path in files]
    if trace and checked[0].good:
        checked.append(check_trace(files[0], trace))
    if as_json:
        print_json([_plain(one) for one in checked])
    else:
        for one in checked:
            click.echo(f"{one.path}: {one.what}" if one.good else one.what, err=not one.good)
    return 0 if all(one.good for one in checked) else FAILED


def _plain(checked: "Checked") -> dict[str, object]:
    return {"file": str(checked.path), "good": checked.good, "what": checked.what}


@click.command("import")
@click.argument("file", type=FILE, metavar="FILE")
@click.option("--out", type=TARGET, metavar="FILE.toml", help="Where to write it.  [default: FILE's name with .toml]")
@click.option("--network", type=FILE, metavar="FILE", help="Take the network of this file; a scenario will do.")
@click.option(
    "--nodes", type=click.IntRange(1, 512), metavar="N",
    help="Draw a network of so many machines, with speeds and bandwidths of U(0.25, 1.75).",
)  # fmt: skip
@click.option(
    "--ccr", type=click.FloatRange(0, min_open=True), metavar="X",
    help="Scale bandwidths until communication is X times computation.  [default: as it is; 1 with --nodes, if "
    "anything is sent]",
)  # fmt: skip
@seed_option
def import_command(
    file: Path, out: Path | None, network: Path | None, nodes: int | None, ccr: float | None, seed: int
) -> None:
    """Make a scenario of a file of another format.

    The graph of a WfFormat, DAX, STG, TGFF, DAGBench or Jupiter file; or a whole scenario, ncsim's or one of our own,
    perhaps to scale it. A graph that comes without a network needs one.

    \b
    Examples:
      pnode sim import cluster.tgff
      pnode sim import montage.json.xz --nodes 8 --ccr 0.5 --out montage.toml
    """
    from pnode.sim.formats.toml_writing import write_toml

    from .importing import Wanted, imported

    if network and nodes:
        raise click.UsageError("expected --network or --nodes, not both")
    target = out or Path(f"{file.name.partition('.')[0]}.toml")
    if target.exists() and target.samefile(file):
        raise click.UsageError(f"{file} would be overwritten, expected --out with another name")
    scenario = imported(file, Wanted(network, nodes, ccr, seed))
    write_toml(target, scenario)
    tasks = sum(len(arrival.graph.tasks) for arrival in scenario.arrivals)
    click.echo(f"{target}: {tasks} tasks on {len(scenario.network.machines)} machines")


@click.command()
@click.argument("scenario", type=FILE, metavar="SCENARIO")
@click.option("--out", type=TARGET, required=True, metavar="FILE", help="Its suffix says the format, see above.")
def export(scenario: Path, out: Path) -> None:
    """Write a scenario for other tools.

    Its graph, and its network where the format has one.

    \b
    .tgff   graph and network, as Jupiter's tools read them
    .json   the graph as WfCommons' WfFormat
    .yaml   the scenario as ncsim reads it
    .toml   the whole scenario, with all that is drawn drawn

    \b
    Example:
      pnode sim export scenario.toml --out scenario.tgff
    """
    from pnode.sim.formats.scenarios import read_scenario

    from .exporting import export_to

    export_to(read_scenario(scenario), out)
    click.echo(str(out))
