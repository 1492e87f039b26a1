"""What is said of a node that has just been started, or that runs already."""

from typing import TextIO

from pnode.protocol.values import dataclass

from .answers import emulation_text, write_invitation
from .api import Invitation, NodeStatus
from .cli_answer import Answer
from .cli_options import INVITATION_HOURS
from .commands import NodeClient, NoNodeError
from .home import command_text
from .launch import LaunchError, NodeOptions
from .terminal import clean, count_text


@dataclass(frozen=True, slots=True)
class Started:
    """A node that runs."""

    node: NodeStatus
    already: bool
    """Whether it was running before."""
    invitation: Invitation | None
    """What other hosts need to join; offered unasked only by a node that has just founded its cluster."""


def found_running(options: NodeOptions, cluster: str | None) -> Started:
    try:
        status = NodeClient(options.home).status()
    except NoNodeError:
        raise LaunchError(f"a node is just starting or stopping in {options.home}: try again in a moment") from None
    if cluster is not None and cluster != status.cluster:
        raise LaunchError(
            f"the node here belongs to cluster {status.cluster} and the token is of {cluster}:"
            " start another node with a --home of its own"
        )
    return Started(status, True, None)


def unapplied(options: NodeOptions, status: NodeStatus) -> list[str]:
    """What was said to a node that runs already and changes nothing about it."""
    said = {
        "--seed": bool(options.seeds),
        "--name": options.name not in (None, status.name),
        "--listen": options.listen is not None,
        "--port": options.port is not None,
        "--cores": options.cores is not None,
        "--mdns/--no-mdns": options.mdns is not None,
        "--timing": options.timing is not None,
        "--emulate-speed": options.emulated_speed not in (1.0, status.emulated_speed),
    }
    idle = [option for option, is_said in said.items() if is_said]
    if not idle:
        return []
    verb = "is" if len(idle) == 1 else "are"
    return [
        f"{', '.join(idle)} {verb} not applied, since the node runs already:"
        f" {command_text(options.home, 'stop')} first, then start it so"
    ]


def namesakes(status: NodeStatus) -> list[str]:
    """Listings call nodes by their names: that somebody else has this one's is better known before the first job."""
    if not status.peers:
        return []
    others = [peer for peer in NodeClient(status.home).peers() if not peer.this and peer.state == "alive"]
    if status.name not in [peer.name for peer in others]:
        return []
    stop = command_text(status.home, "stop")
    return [f"another node is called {clean(status.name)}, too: {stop} first, then start this one with a --name"]


def invitation(status: NodeStatus) -> Invitation | None:
    if not status.founded or status.state != "ready":
        return None
    return NodeClient(status.home).token(INVITATION_HOURS)


def answer(started: Started) -> Answer:
    return Answer(Started, started, lambda out: write_started(started, out))


def write_started(started: Started, out: TextIO) -> None:
    """What a newcomer needs to see, the line to copy last and by itself."""
    status = started.node
    state = "runs already" if started.already else "is ready"
    if status.state != "ready":
        state += f" ({status.state})"
    whose = ", founded here" if status.founded else ""
    out.write(f"node {clean(status.name)} ({status.id}) {state} in cluster {status.cluster or 'none yet'}{whose}\n")
    if status.emulated_speed != 1.0:
        out.write(f"for an experiment, {emulation_text(status)}\n")
    out.write(f"it listens at {', '.join(status.addresses)} and sees {count_text(status.peers, 'other node')}\n")
    if status.resumed and not started.already:
        jobs = command_text(status.home, "jobs")
        out.write(f"it goes on with {count_text(status.resumed, 'job')} from before: {jobs} lists them\n")
    if started.invitation is not None:
        write_invitation(started.invitation, out)
    elif status.founded:
        out.write(f"{command_text(status.home, 'token')} prints the line that lets others join\n")
