"""The command line: `pnode COMMAND`. Parse, call, print.

The commands about the node are in `cli_node`, those about jobs in `cli_jobs`. Most of them ask the node that runs in
the home (see `commands`) and print its answer; exit status 0 means done, 1 failed, 2 used wrongly, and of a command
that waits for a job it is the job's. An error that was foreseen is one line, any other is one line as well and a bug.
"""

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import TracebackType

import click

from .cli_answer import FAILED, INTERRUPTED, Answer, print_answer
from .cli_options import wants_json
from .home import default_home, log_file
from .installation import entry_points

DEBUG_VARIABLE = "PNODE_DEBUG"
USED_WRONGLY = 2

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Why something cannot be written."""


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
        return INTERRUPTED
    except OSError as error:
        return _complain(_system_trouble(error), FAILED)
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
    """What can go wrong with a node. Called, and its modules imported, only when something has."""
    from .api import ApiError
    from .demo import DemoError
    from .home import HomeError
    from .launch import LaunchError

    return (ApiError, DemoError, HomeError, LaunchError)


def _system_trouble(error: OSError) -> str:
    """A file by its name; what has none and finds no room is what a command prints."""
    if error.filename is None and error.errno in NO_ROOM:
        return f"cannot write to standard output: {error.strerror}"
    return str(error) if error.filename is None else f"{error.filename}: {error.strerror}"


def _mistakes() -> tuple[type[Exception], ...]:
    """What a person gave us is wrong, and nothing was begun."""
    from pnode.protocol.token import TokenError

    from .application import ApplicationError

    return (ApplicationError, TokenError)


def _complain(message: str, status: int) -> int:
    line = " ".join(part.strip() for part in message.splitlines())
    click.echo(f"pnode: {line}", err=True)
    return status


WORDS = {
    "start": (".cli_node:start", "Start a node on this machine, in the background."),
    "stop": (".cli_node:stop", "Stop the node on this machine."),
    "status": (".cli_node:status", "Show how the node on this machine is."),
    "peers": (".cli_node:peers", "List the nodes of the cluster and how loaded they are."),
    "doctor": (".cli_node:doctor", "Look this machine, its node and the network over, and advise."),
    "token": (".cli_node:token", "Make a new line that lets other machines join."),
    "submit": (".cli_jobs:submit", "Run the tasks of DAG on the cluster."),
    "jobs": (".cli_jobs:jobs", "List the jobs of the cluster, the latest last."),
    "job": (".cli_jobs:job", "Show one job: every task, its node, its state and times."),
    "explain": (".cli_jobs:explain", "Say why a task is where it is, or why it waits."),
    "logs": (".cli_jobs:logs", "Print what the tasks of a job wrote."),
    "pull": (".cli_jobs:pull", "Fetch the results of a job that is done."),
    "cancel": (".cli_jobs:cancel", "End a job: what runs is killed, what waits does not begin."),
    "map": (".cli_jobs:map_command", "Show where the tasks of DAG would go, without running them."),
    "profile": (".cli_profile:profile", "Measure how long tasks take on each node, or the network."),
    "demo": (".cli_node:demo", "Run a DAG on a throw-away cluster on this machine."),
}
"""Our commands in the order in which one meets them: where each is, and how its help begins. A command is loaded when
it is asked for; `pnode --help` needs none of them."""

COMMANDS = "pnode.commands"
"""The group of entry points under which packages that this one may not import, the simulator's, bring commands."""


class _InOrder(click.Group):
    """Our commands, then those from elsewhere, each loaded when it is needed."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return [*WORDS, *entry_points(COMMANDS)]

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in WORDS:
            return _load(WORDS[cmd_name][0], cmd_name)
        where = entry_points(COMMANDS).get(cmd_name)
        return None if where is None else _load(where, cmd_name)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        ours = [(name, text) for name, (_, text) in WORDS.items()]
        others = [
            (name, _load(where, name).get_short_help_str(formatter.width))
            for name, where in entry_points(COMMANDS).items()
        ]
        with formatter.section("Commands"):
            formatter.write_dl([*ours, *others])


def _load(where: str, name: str) -> click.Command:
    """The command at `module:name`, where a module of ours begins with a dot."""
    module, _, attribute = where.partition(":")
    try:
        command = getattr(import_module(module, __package__), attribute)
    except (ImportError, AttributeError) as error:
        raise click.ClickException(f"the command {name!r} ({where}) cannot be loaded: {error}") from error
    assert isinstance(command, click.Command), where
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


if __name__ == "__main__":
    sys.exit(main())
