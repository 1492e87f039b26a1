"""Options that several commands share, and how their words become values."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from .home import HOME_VARIABLE, default_home

F = TypeVar("F", bound=Callable[..., Any])

AS_JSON = "pnode.json"
"""Where the context remembers that --json was given."""

PORT_MAX = 65535

SPEED_MIN = 0.01
"""Of what a machine is emulated at: a task of a minute takes an hour and a half."""

INVITATION_HOURS = 24.0
"""Long enough to walk to the other machines, short enough for a line that stays in a terminal's history."""

REPLICAS = 3
REPLICAS_MAX = 16
"""As in `pnode.protocol.jobspec`, which takes longer to load than most commands take for all they do."""

DAG_NAMES = ("dag.txt", "configuration.txt", "dag.toml")
DAG_FILES = (*DAG_NAMES, *[f"DAG/{name}" for name in DAG_NAMES])
"""Where a directory's DAG is looked for: Jupiter has it in a directory of its own, under the first or the second
name (see `application`)."""


def mapper_name(value: str) -> str:
    """The name of a mapper that there is."""
    from pnode.mappers.catalogue import UnknownMapperError, by_name

    try:
        return by_name(value).name
    except UnknownMapperError as error:
        raise click.BadParameter(str(error)) from None


def host_and_port(value: str) -> str:
    """An address as people write it: `host:port`, `[2001:db8::1]:port`."""
    host, _, port = value.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    bracketed = host == f"[{bare}]"
    if not bare or (":" in bare and not bracketed) or not port.isascii() or not port.isdigit():
        raise click.BadParameter(f"{value!r} is no address: give host:port, and an IPv6 host in brackets")
    if len(port) > len(str(PORT_MAX)) or not 1 <= int(port) <= PORT_MAX:
        raise click.BadParameter(f"{value!r} has no port between 1 and {PORT_MAX}")
    return value


def speeds(value: str) -> tuple[float, ...]:
    """Speeds of the nodes of a demo, relative to each other, as shares of the fastest."""
    try:
        found = [float(word) for word in value.split(",")] if value else []
    except ValueError:
        raise click.BadParameter(f"{value!r} is no list of numbers: give them like 1,0.5,2") from None
    if not all(0 < speed < math.inf for speed in found) or (found and min(found) / max(found) < SPEED_MIN):
        raise click.BadParameter(
            f"{value!r}: speeds are above 0, and the slowest at least {SPEED_MIN:g} of the fastest"
        )
    return tuple(speed / max(found) for speed in found)


class AbsolutePath(click.Path):
    """A path from where the user is: nodes have working directories of their own. Links stay links."""

    def convert(
        self, value: "str | os.PathLike[str]", param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        super().convert(value, param, ctx)
        return Path(value).expanduser().absolute()


class DagPath(AbsolutePath):
    """A DAG file, or a directory with one of them."""

    def __init__(self) -> None:
        super().__init__(exists=True)

    def convert(
        self, value: "str | os.PathLike[str]", param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        path = super().convert(value, param, ctx)
        return _dag_in(path) if path.is_dir() else path


def _dag_in(directory: Path) -> Path:
    """The one DAG file of an application. Raises BadParameter if none or several could be meant."""
    found = [file for name in DAG_FILES if (file := directory / name).is_file()]
    if len(found) == 1:
        return found[0]
    if not found:
        raise click.BadParameter(f"{directory} has no DAG: looked for {', '.join(DAG_FILES)}; name the file")
    several = ", ".join(str(file.relative_to(directory)) for file in found)
    raise click.BadParameter(f"{directory} has several DAGs ({several}): name the file that is meant")


def _remember_json(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    ctx.meta[AS_JSON] = value


def wants_json() -> bool:
    """Whether the command that runs was given --json."""
    return bool(click.get_current_context().meta.get(AS_JSON))


def home_option(command: F) -> F:
    return click.option(
        "--home",
        type=AbsolutePath(file_okay=False),
        default=default_home,
        metavar="DIR",
        help=f"The node's directory.  [default: ${HOME_VARIABLE}, else {_tilde(default_home())}]",
    )(command)


def _tilde(path: Path) -> str:
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)


def json_option(command: F) -> F:
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        expose_value=False,
        callback=_remember_json,
        help="Print one JSON value instead of text.",
    )(command)


def dag_argument(command: F) -> F:
    return click.argument(
        "dag",
        metavar="DAG",
        type=DagPath(),
    )(command)


def input_option(command: F) -> F:
    return click.option(
        "--input",
        "inputs",
        multiple=True,
        type=AbsolutePath(exists=True),
        metavar="FILE-OR-DIR",
        help="An input of the first tasks; may be given several times.  [default: the application's sample_input/]",
    )(command)


def mapper_option(command: F) -> F:
    return click.option(
        "--mapper",
        type=mapper_name,
        default="wave-plan",
        show_default=True,
        metavar="NAME",
        help="Who chooses the node for a task: wave-plan (earliest expected finish, after all that is more urgent), "
        "wave-hint (by the origin's plan), wave-greedy (earliest expected finish), wave-random, both of Jupiter's "
        "rules (wave-greedy-classic, wave-random-classic), or a static planner such as heft.",
    )(command)


def replicas_option(command: F) -> F:
    return click.option(
        "--replicas",
        type=click.IntRange(0, REPLICAS_MAX),
        metavar="N",
        help="How many other nodes keep the job, its inputs and its results, so that it goes on whichever of them or "
        f"this one is lost.  [default: {REPLICAS}]",
    )(command)


def emulated_speed_option(command: F) -> F:
    return click.option(
        "--emulate-speed",
        "emulated_speed",
        type=click.FloatRange(SPEED_MIN, 1),
        default=1.0,
        metavar="SHARE",
        help="For experiments: let every task seem to take as long as on a machine of this share of the speed."
        "  [default: 1]",
    )(command)


def speeds_option(command: F) -> F:
    return click.option(
        "--speeds",
        type=speeds,
        default="",
        metavar="A,B,...",
        help="For experiments: emulate nodes of these speeds relative to each other, in turn; the fastest run as "
        "this machine does.",
    )(command)


def follow_option(command: F) -> F:
    return click.option(
        "--follow", is_flag=True, help="Show every task until the job has ended, then fetch the results."
    )(command)


def output_option(command: F) -> F:
    return click.option(
        "--output",
        type=AbsolutePath(file_okay=False),
        metavar="DIR",
        help="Where the results go.  [default: ./pnode-JOB/]",
    )(command)


def results_directory(job: str) -> Path:
    """Where results go when nobody says: next to where the user is, named after the job."""
    return Path.cwd() / f"pnode-{job}"
