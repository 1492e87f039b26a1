"""The command line: `pnode COMMAND`. Parse, call, print.

The commands about the node are here, those about jobs in `cli_jobs`. Most of them ask the node that runs in the home
(see `commands`) and print its answer; exit status 0 means done, 1 failed, 2 used wrongly, and of a command that waits
for a job it is the job's. An error that was foreseen is one line; any other is one line as well, and a bug.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import click

from . import cli_jobs, cli_profile
from .cli_answer import Answer, print_answer
from .cli_options import (
    DagPath,
    emulated_speed_option,
    home_option,
    host_and_port,
    input_option,
    json_option,
    mapper_option,
    output_option,
    speeds_option,
    wants_json,
)
from .home import default_home, log_file

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from .launch import Timing

DEBUG_VARIABLE = "PNODE_DEBUG"
FAILED = 1
USED_WRONGLY = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit status. What is raised is a bug, and then the process says so in one line."""
    try:
        status: int = cli.main(args=argv, prog_name="pnode", standalone_mode=False)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "pnode"
        return _complain(f"{error.format_message()} (see '{command} --help')", USED_WRONGLY)
    except click.ClickException as error:
        return _complain(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return cli_jobs.INTERRUPTED
    except _troubles() as error:
        return _complain(str(error), FAILED)
    except _mistakes() as error:
        return _complain(str(error), USED_WRONGLY)
    except Exception:
        if not os.environ.get(DEBUG_VARIABLE):
            sys.excepthook = _confess
        raise
    return status


def _confess(kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    """Stands in for the interpreter's traceback: a person gets a line, not a page."""
    where = f"{DEBUG_VARIABLE}=1 shows where, the node's log is {log_file(default_home())}"
    _complain(f"this is a mistake in pnode itself: {kind.__name__}: {error} ({where})", FAILED)


def _troubles() -> tuple[type[Exception], ...]:
    """What can go wrong with a node and a disk. Called, and its modules imported, only when something has."""
    from .api import ApiError
    from .demo import DemoError
    from .home import HomeError
    from .launch import LaunchError

    return (ApiError, DemoError, HomeError, LaunchError, OSError)


def _mistakes() -> tuple[type[Exception], ...]:
    """What a person gave us is wrong, and nothing was begun."""
    from pnode.protocol.token import TokenError

    from .application import ApplicationError

    return (ApplicationError, TokenError)


def _complain(message: str, status: int) -> int:
    line = " ".join(part.strip() for part in message.splitlines())
    click.echo(f"pnode: {line}", err=True)
    return status


COMMANDS = "pnode.commands"
"""The group of entry points under which packages that this one may not import, the simulator's, bring commands."""


class _InOrder(click.Group):
    """Lists its commands in the order in which one meets them, not by letter; then those from elsewhere."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return [*self.commands, *_elsewhere()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or _from_elsewhere(cmd_name)


def _elsewhere() -> dict[str, "EntryPoint"]:
    """Commands of other packages by name. Looked for only when a word is none of ours, or all are listed."""
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=COMMANDS)}


def _from_elsewhere(name: str) -> click.Command | None:
    point = _elsewhere().get(name)
    if point is None:
        return None
    try:
        command = point.load()
    except (ImportError, AttributeError) as error:
        raise click.ClickException(f"the command {name!r} ({point.value}) cannot be loaded: {error}") from error
    assert isinstance(command, click.Command), point
    return command


@click.group(cls=_InOrder, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pnode", message="pnode %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Run task graphs on any machines that you have: every node is equal, none is the head.

    \b
    On the first machine:   pnode start
    On every other one:     the line that it prints
    On any of them:         pnode submit dag.txt --follow

    'pnode demo dag.txt' shows all of it on this machine alone.
    """
    if ctx.invoked_subcommand is None:  # click's own `no_args_is_help` is an error in some of its versions
        click.echo(ctx.get_help())


@cli.result_callback()
def _deliver(outcome: Answer | int | None) -> int:
    """Print what a command answered; its exit status."""
    if not isinstance(outcome, Answer):
        return outcome or 0
    print_answer(outcome, as_json=wants_json())
    return outcome.status


@cli.command()
@click.option("--token", envvar="PNODE_TOKEN", metavar="TOKEN", help="Join the cluster that made this token.")
@click.option(
    "--seed", "seeds", multiple=True, type=host_and_port, metavar="HOST:PORT",
    help="Where a member listens, to be tried beside the addresses in the token; it lets nobody in by itself.",
)  # fmt: skip
@click.option(
    "--name", metavar="NAME", help="What people call this node.  [default: as at the last start, else the host's]"
)
@click.option(
    "--listen", metavar="HOST",
    help="Listen on this address only, 'all' for all of them.  [default: as at the last start, else all]",
)  # fmt: skip
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    help="TCP and UDP port; 0 for any free one.  [default: as at the last start, else 4747 if free]",
)
@click.option(
    "--cores",
    type=click.IntRange(1, 65535),
    metavar="N",
    help="Cores to offer.  [default: as at the last start, else all]",
)
@click.option(
    "--mdns/--no-mdns", default=None,
    help="Look for nodes on the local network and announce this one, or neither."
    "  [default: as at the last start, else --mdns]",
)  # fmt: skip
@click.option("--foreground", is_flag=True, help="Stay, log to the terminal, stop on Ctrl-C.")
@click.option(
    "--timing", type=click.Choice(["lan", "wan", "fast"]),
    help="How patient to be: machines of one site, of several, or all of them this one."
    "  [default: as at the last start, else lan]",
)  # fmt: skip
@emulated_speed_option
@home_option
@json_option
def start(
    token: str | None,
    seeds: tuple[str, ...],
    name: str | None,
    listen: str | None,
    port: int | None,
    cores: int | None,
    mdns: bool | None,
    foreground: bool,
    timing: "Timing | None",
    emulated_speed: float,
    home: Path,
) -> Answer | int:
    """Start a node on this machine, in the background.

    The first one founds a cluster and prints the line that makes another machine join it. A node that was stopped
    comes back with its identity and its work; one that runs already is left as it is, whatever the options.

    \b
    Examples:
      pnode start
      pnode start --token pnode1-...
      pnode start --token pnode1-... --seed 192.0.2.7:4747
    """
    from .cli_start import start_here
    from .launch import NodeOptions

    options = NodeOptions(home, token, seeds, name, listen, port, cores, mdns, timing, emulated_speed=emulated_speed)
    return start_here(options, foreground=foreground, as_json=wants_json())


@cli.command()
@home_option
def stop(home: Path) -> None:
    """Stop the node on this machine. What it was running is done elsewhere.

    \b
    Example:
      pnode stop
    """
    from .launch import stop_node

    stop_node(home)
    click.echo("stopped")


@cli.command()
@home_option
@json_option
def status(home: Path) -> Answer:
    """Show how the node on this machine is.

    \b
    Example:
      pnode status
    """
    from .answers import write_status
    from .api import NodeStatus
    from .commands import NodeClient

    found = NodeClient(home).status()
    return Answer(NodeStatus, found, lambda out: write_status(found, out))


@cli.command()
@click.option("--links", is_flag=True, help="Show the delays and bandwidths between them instead.")
@home_option
@json_option
def peers(home: Path, links: bool) -> Answer:
    """List the nodes of the cluster and how loaded they are.

    A narrow terminal gets the most important columns, a pipe all of them.

    \b
    delay       round trip from here to the node and back
    free in     time until one of its cores is free
    age         how long ago it told its load: cpu, memory, running, queued, free in
    delay age   how long ago the delay was measured
    speed       of one core, relative to the reference machine (1.00)
    record age  how long ago its record came here: address, roles, cores, speed

    \b
    Example:
      pnode peers
    """
    from .answers import write_peers
    from .api import PeerStatus
    from .commands import NodeClient

    if links:
        return cli_profile.links_between(home)
    found = NodeClient(home).peers()
    return Answer(tuple[PeerStatus, ...], found, lambda out: write_peers(found, out))


@cli.command()
@click.option(
    "--seed", "seeds", multiple=True, type=host_and_port, metavar="HOST:PORT",
    help="See whether somebody can be reached there, too.",
)  # fmt: skip
@home_option
@json_option
def doctor(seeds: tuple[str, ...], home: Path) -> Answer:
    """Look this machine, its node and the network over, and advise.

    It opens a connection to each node's addresses and announces something on the local network; it changes nothing.
    Exit status 1 if there is trouble; notes are for your information.

    \b
    Example:
      pnode doctor
      pnode doctor --seed 192.0.2.5:4747
    """
    from .checkup import Finding
    from .doctor import examine, write_findings

    found = tuple(examine(home, seeds))
    status = FAILED if any(each.verdict == "trouble" for each in found) else 0
    return Answer(tuple[Finding, ...], found, lambda out: write_findings(found, out), status)


@cli.command()
@click.option(
    "--hours", type=click.FloatRange(0, 8760, min_open=True), default=24, show_default=True, metavar="N",
    help="How long it can be used.",
)  # fmt: skip
@home_option
@json_option
def token(hours: float, home: Path) -> Answer:
    """Make a new line that lets other machines join.

    Whoever sees it can join: pass it on with care.

    \b
    Example:
      pnode token --hours 1
    """
    from .answers import write_invitation
    from .api import Invitation
    from .commands import NodeClient

    invitation = NodeClient(home).token(hours)
    return Answer(Invitation, invitation, lambda out: write_invitation(invitation, out))


for command in (
    cli_jobs.submit,
    cli_jobs.jobs,
    cli_jobs.job,
    cli_jobs.explain,
    cli_jobs.logs,
    cli_jobs.pull,
    cli_jobs.cancel,
    cli_jobs.map_command,
    cli_profile.profile,
):
    cli.add_command(command)


@cli.command()
@click.argument("dag", required=False, metavar="[DAG]", type=DagPath())
@click.option(
    "--nodes", type=click.IntRange(1, 64), default=4, show_default=True, metavar="N", help="How many nodes."
)
@input_option
@mapper_option
@output_option
@click.option("--keep", is_flag=True, help="Keep the nodes' directories, with their logs.")
@speeds_option
def demo(
    dag: Path | None,
    nodes: int,
    inputs: tuple[Path, ...],
    mapper: str,
    output: Path | None,
    keep: bool,
    speeds: tuple[float, ...],
) -> int:
    """Run a DAG on a throw-away cluster on this machine.

    Real nodes, each a process with its own key and directory; they are gone when the command ends. DAG is a file or
    a directory, as in 'pnode submit'; it can be left out only by who runs pnode from a clone of its sources, whose
    examples/stdlib is run then.

    \b
    Examples:
      pnode demo dag.txt
      pnode demo examples/stdlib
      pnode demo dag.txt --nodes 6 --input photos/
      pnode demo dag.txt --nodes 6 --speeds 1,0.5,0.25
    """
    from .demo import DemoSettings, run_demo

    return run_demo(DemoSettings(dag, nodes, inputs, mapper, output, keep, speeds), sys.stdout)


if __name__ == "__main__":
    sys.exit(main())
