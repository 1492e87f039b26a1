"""Measuring on the command line: `profile`, which measures now what is measured by the way, and `peers --links`."""

from pathlib import Path

import click

from .cli_answer import Answer, notice
from .cli_jobs import checked_node
from .cli_options import DagPath, home_option, input_option, json_option
from .home import command_text

NETWORK = "network"


@click.command()
@click.argument("what", metavar="DAG|network")
@input_option
@click.option("--on", "nodes", multiple=True, metavar="NODE", help="DAG: only there; may be given several times.")
@click.option(
    "--rounds", type=click.IntRange(1, 100), metavar="N",
    help="DAG: how often; more tell how much the times vary.  [default: 1]",
)  # fmt: skip
@home_option
@json_option
def profile(what: str, inputs: tuple[Path, ...], nodes: tuple[str, ...], rounds: int | None, home: Path) -> Answer:
    """Measure how long tasks take on each node, or the network.

    With a DAG (a file or a directory, as in 'pnode submit') every node that computes runs the whole graph by itself,
    when it has nothing else to do; from then on this node knows what to expect when such a job is submitted here.
    Ctrl-C cancels what has not ended.

    With the word network: round trips first, then how fast a mebibyte comes from each of the others, one after the
    other; of a large cluster from the 63 nearest. What has been measured counts at once for where tasks are placed.
    'pnode peers --links' shows what is known besides.

    \b
    Examples:
      pnode profile dag.txt --input photos/ --rounds 3
      pnode profile network
    """
    if what != NETWORK:
        return _trials(_dag(what), inputs, nodes, rounds or 1, home)
    if inputs or nodes or rounds:
        raise click.UsageError("--input, --on and --rounds are for a DAG: the network is always measured as a whole")
    return _network(home)


def _dag(what: str) -> Path:
    """Raises BadParameter."""
    try:
        return DagPath().convert(what, None, None)
    except click.BadParameter as error:
        error.param_hint = "'DAG|network'"
        raise


def _network(home: Path) -> Answer:
    from .api_links import Probed
    from .commands import NodeClient
    from .linktext import write_probed

    probed = NodeClient(home).profile_network()
    failed = any(each.reason for each in probed)
    return Answer(tuple[Probed, ...], probed, lambda out: write_probed(probed, out), 1 if failed else 0)


def _trials(dag: Path, inputs: tuple[Path, ...], nodes: tuple[str, ...], rounds: int, home: Path) -> Answer:
    from .api_trials import Profiled
    from .commands import NodeGoneError
    from .terminal import count_text
    from .trialtext import write_trials

    last: Profiled | None = None
    for profiled in checked_node(home, dag, inputs).profile(dag, inputs, nodes, rounds):
        if last is None or last.round < profiled.round:
            count = len({each.node for each in profiled.tasks})
            notice(f"round {profiled.round} of {rounds} runs on {count_text(count, 'node')}")
        last = profiled
    if last is None or not last.done:
        raise NodeGoneError(f"the node ended before it had measured everything: see {command_text(home, 'status')}")
    found = last
    status = 1 if any(each.trouble for each in found.tasks) else 0
    return Answer(Profiled, found, lambda out: write_trials(found, out), status)


def links_between(home: Path) -> Answer:
    """What the node believes of all ways."""
    from .api_links import LinkStatus
    from .commands import NodeClient
    from .linktext import write_links

    found = NodeClient(home).links()
    return Answer(tuple[LinkStatus, ...], found, lambda out: write_links(found, out))
