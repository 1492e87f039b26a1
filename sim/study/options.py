"""Options that several words of `pnode sim` share, and how what they say becomes values.

Like everything that `pnode sim --help` loads, without numpy: heavy modules are imported where they are used.
"""

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
"""A file to read."""


class Target(click.Path):
    """A file to write, in a directory that there is: known before anything is run for it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not path.parent.is_dir():
            self.fail(f"{path} cannot be written, there is no directory {path.parent}", param, ctx)
        return path


TARGET = Target(dir_okay=False, path_type=Path)

FAILED = 1
USED_WRONGLY = 2


class BadInputError(click.ClickException):
    """A file or a word that a person gave us is wrong."""

    exit_code = USED_WRONGLY


class Lab(click.Group):
    """A group whose commands end with a line and an exit status for whatever was foreseen to go wrong."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise  # help was asked for, or it is told already: nothing need be loaded to look further
        except _mistakes() as error:
            raise BadInputError(str(error)) from error
        except _troubles() as error:
            raise click.ClickException(str(error)) from error


def _mistakes() -> tuple[type[Exception], ...]:
    """What was given is wrong. Called, and its modules imported, only when something is."""
    from pnode.mappers.catalogue import UnknownMapperError
    from pnode.mappers.instance import InstanceError
    from pnode.sim.formats.errors import FormatError
    from pnode.sim.schedule.scenario import ScenarioError

    from .output import SuffixError
    from .plot import PlotError
    from .study import StudyError
    from .table import TableError

    return (
        UnknownMapperError,
        InstanceError,
        FormatError,
        ScenarioError,
        PlotError,
        StudyError,
        SuffixError,
        TableError,
    )


def _troubles() -> tuple[type[Exception], ...]:
    """What can go wrong on the way."""
    from .batch import RunError
    from .journal import JournalError
    from .sweep import SweepError
    from .table import MissingLibraryError

    return (RunError, JournalError, SweepError, MissingLibraryError)


def mapper_name(value: str) -> str:
    """The name of a mapper that there is."""
    from pnode.mappers.catalogue import UnknownMapperError
    from pnode.sim.schedule.strategies import strategy_of

    try:
        return strategy_of(value).name
    except UnknownMapperError as error:
        raise click.BadParameter(str(error)) from None


def json_option(command: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON value instead of text.")(command)


def seed_option(command: F) -> F:
    return click.option(
        "--seed", type=int, default=0, show_default=True, metavar="N", help="All that is drawn follows from it."
    )(command)


def baseline_option(command: F) -> F:
    return click.option(
        "--baseline", type=mapper_name, default="heft", show_default=True, metavar="NAME",
        help="The mapper that the others are compared with.",
    )(command)  # fmt: skip


def workers_option(command: F) -> F:
    return click.option(
        "--workers",
        type=click.IntRange(1, 1024),
        metavar="N",
        help="Processes to use; the outcome is the same.  [default: one per core]",
    )(command)


def print_json(value: object) -> None:
    """Exactly one value."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def note(text: str) -> None:
    """Something to know that is not the answer."""
    click.echo(text, err=True)


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None] | None]:
    """Told how much is done, and of how much, it shows that on a terminal; None where there is none."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)

        def show(done: int, of: int) -> None:
            bar.update(task, completed=done, total=of)

        yield show


def cores() -> int:
    """How many processes can run side by side here."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def command_line() -> str:
    """What was typed, for whoever wants to do it again."""
    return shlex.join(["pnode", *sys.argv[1:]])


def check_suffix(path: Path, known: tuple[str, ...]) -> None:
    """Refuse a file before anything is run for it."""
    if path.suffix not in known:
        raise click.BadParameter(f"{path} ends in {path.suffix!r}, expected {' or '.join(known)}")
