"""The service: the process that a node is. It is told what to do, is a node (see `node`), and says how that ended.

`pnode start` runs this module as a process of its own, by way of `begin`, and tells it its options on standard input
(see `launch`). It ends with status 0 when it was stopped, and with 1 when it could not go on; then the reason, for
people, is in its log and in its home.
"""

import logging
import os
import sys

import trio

from pnode.protocol.errors import RemoteProtocolError

from .enrolment import EnrolmentError
from .home import HomeError, hold_home, prepare_home
from .journal import JournalError
from .launch import LaunchError, NodeOptions, read_options, report_failure
from .listening import CannotListenError
from .memory import keep_buffers
from .node import Node
from .quiet import Quiet
from .seeding import StartError

SWITCH_S = 0.001
"""How long a thread that wants the interpreter waits for one that has it. The journal's thread wants it a few times
per commit; with Python's 5 ms a busy core would have a commit of 100 rows take 8 ms, so it takes 3."""

EXPECTED_ERRORS = (
    StartError,
    EnrolmentError,
    HomeError,
    LaunchError,
    CannotListenError,
    JournalError,
    RemoteProtocolError,
)
"""What can go wrong with a start through no fault of the code: one line for people, no traceback."""


def main() -> int:
    """Run a node as `launch` has told on standard input; the process's exit status."""
    options: NodeOptions | None = None
    try:
        options = read_options(sys.stdin.buffer)
        level = os.environ.get("PNODE_LOG", "INFO").upper()
        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s", level=level)
        logging.getLogger().handlers[0].addFilter(Quiet())
        prepare_home(options.home)
        sys.setswitchinterval(SWITCH_S)
        keep_buffers()
        with hold_home(options.home):
            trio.run(serve_node, options)
    except (*EXPECTED_ERRORS, ExceptionGroup) as error:
        reason = _reason(error)
        if reason is None:
            raise
        print(f"pnode: {reason}", file=sys.stderr)  # noqa: T201  # the log, or the terminal of --foreground
        if options is not None:
            report_failure(options.home, reason)
        return 1
    return 0


def _reason(error: Exception) -> str | None:
    """The message of an expected error, also from within a group of nothing else; None for a bug."""
    if not isinstance(error, ExceptionGroup):
        return str(error) if isinstance(error, EXPECTED_ERRORS) else None
    reasons = [_reason(inner) for inner in error.exceptions]
    return None if None in reasons else reasons[0]


async def serve_node(options: NodeOptions) -> None:
    """Be a node until told to stop. Raises EXPECTED_ERRORS, in groups.

    A cluster that was founded by a start that came to nothing is nobody's: with it this home could join no other.
    """
    node = Node(options)
    try:
        await node.serve()
    finally:
        with trio.CancelScope(shield=True):
            await node.journal.aclose()
        if node.enrolment.founded and not node.ready:
            node.identity.forget_cluster()


if __name__ == "__main__":
    sys.exit(main())
