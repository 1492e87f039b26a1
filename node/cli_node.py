"""The commands about the node: start, stop, status, peers, doctor, token; and demo, which has nodes of its own."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .cli_answer import FAILED, Answer, notice
from .cli_options import (
    INVITATION_HOURS,
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

if TYPE_CHECKING:
    from .launch import Timing


@click.command()
@click.option(
    "--token",
    envvar="PNODE_TOKEN",
    metavar="TOKEN",
    help="Join the cluster that made this token.  [default: $PNODE_TOKEN]",
)
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


@click.command()
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


@click.command()
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


@click.command()
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
    from .cli_profile import links_between
    from .commands import NodeClient

    if links:
        return links_between(home)
    found = NodeClient(home).peers()
    return Answer(tuple[PeerStatus, ...], found, lambda out: write_peers(found, out))


@click.command()
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
    Examples:
      pnode doctor
      pnode doctor --seed 192.0.2.5:4747
    """
    from .checkup import Finding
    from .doctor import examine, write_findings

    found = tuple(examine(home, seeds))
    status = FAILED if any(each.verdict == "trouble" for each in found) else 0
    return Answer(tuple[Finding, ...], found, lambda out: write_findings(found, out), status)


@click.command()
@click.option(
    "--hours", type=click.FloatRange(0, 8760, min_open=True), metavar="N",
    help=f"How long it can be used; said at the node that founded the cluster.  [default: {INVITATION_HOURS:g}]",
)  # fmt: skip
@home_option
@json_option
def token(hours: float | None, home: Path) -> Answer:
    """Make a new line that lets other machines join.

    Whoever sees it can join: pass it on with care. New ones are made by the node that founded the cluster; any other
    passes on the one that it was started with, the last of them to run out.

    \b
    Example:
      pnode token --hours 1
    """
    from .answers import write_invitation
    from .api import Invitation
    from .commands import NodeClient

    node = NodeClient(home)
    invitation = node.token(hours or INVITATION_HOURS)
    if hours is not None and not node.status().founded:
        notice("note: --hours is not applied: only the node that founded the cluster makes new lines")
    return Answer(Invitation, invitation, lambda out: write_invitation(invitation, out))


@click.command()
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
