"""`pnode start`: the node's process is started, waited for, and introduced to the person who started it.

What this takes to load is loaded while the node's process loads (`_load`): both have a third of a second to do.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from .cli_answer import INTERRUPTED, Answer, notice, notices, print_answer
from .home import has_cluster, inhabitant
from .launch import NodeOptions, interrupted_by_signals, release, start_node, stop_node

if TYPE_CHECKING:
    from subprocess import Popen

    from .api import NodeStatus


def start_here(options: NodeOptions, *, foreground: bool, as_json: bool) -> Answer | int:
    """Start a node unless it runs already. Raises TokenError, HomeError, LaunchError or ApiError."""
    cluster = _cluster_of(options.token) if options.token is not None else None
    if inhabitant(options.home) is not None:
        return _running(options, cluster)
    comes_back = has_cluster(options.home)
    with interrupted_by_signals():
        try:
            process, status = start_node(options, _load, to_terminal=foreground)
        except KeyboardInterrupt:
            notice("stopped before it was ready: no node was started")
            return INTERRUPTED
        if foreground:
            return _stay(
                process, options, lambda: print_answer(_introduced(status, comes_back=comes_back), as_json=as_json)
            )
        answer = _introduced(status, comes_back=comes_back)
        release(process)
        return answer


def _cluster_of(token: str) -> str:
    """The cluster that a token invites to. Raises TokenError: a token that is of no use should not cost a start."""
    from pnode.protocol.crypto import Sodium
    from pnode.protocol.token import parse_token

    parsed = parse_token(Sodium(), token)
    parsed.check(time.time())
    return parsed.cluster.hex()


def _load() -> None:
    from . import cli_started  # noqa: F401


def _running(options: NodeOptions, cluster: str | None) -> Answer:
    from .cli_started import answer, found_running, unapplied

    found = found_running(options, cluster)
    notices(unapplied(options, found.node))
    return answer(found)


def _introduced(status: "NodeStatus", *, comes_back: bool) -> Answer:
    from .cli_started import Started, answer, invitation, namesakes

    notices(namesakes(status))
    return answer(Started(status, False, None if comes_back else invitation(status)))


def _stay(process: "Popen[bytes]", options: NodeOptions, introduce: Callable[[], None]) -> int:
    """Introduce the node, and wait for its end; or for Ctrl-C, which may come as soon as there is something to read,
    and then for its end."""
    from .api import ApiError

    try:
        introduce()
        return process.wait()
    except KeyboardInterrupt:
        notice("stopping")
        try:
            stop_node(options.home)
        except ApiError:
            process.terminate()  # it has closed its socket already
        return process.wait()
