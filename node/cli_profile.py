"""The network on the command line: `peers --links`, and `profile`, which measures now what is measured by the way."""

from pathlib import Path

import click

from .cli_answer import Answer
from .cli_options import home_option, json_option

NETWORK = "network"


@click.command()
@click.argument("what", metavar="network", type=click.Choice([NETWORK]))
@home_option
@json_option
def profile(what: str, home: Path) -> Answer:
    """Measure the network between this node and the others now.

    Round trips first, then how fast a mebibyte comes from each of the others, one after the other; of a large cluster
    from the 63 nearest. What has been measured counts at once for where tasks are placed. 'pnode peers --links' shows
    what is known besides.

    \b
    Example:
      pnode profile network
    """
    from .api_links import Probed
    from .client import NodeClient
    from .linktext import write_probed

    assert what == NETWORK, "the only choice"
    probed = NodeClient(home).profile_network()
    failed = any(each.reason for each in probed)
    return Answer(tuple[Probed, ...], probed, lambda out: write_probed(probed, out), 1 if failed else 0)


def links_between(home: Path) -> Answer:
    """What the node believes of all ways."""
    from .api_links import LinkStatus
    from .client import NodeClient
    from .linktext import write_links

    found = NodeClient(home).links()
    return Answer(tuple[LinkStatus, ...], found, lambda out: write_links(found, out))
