"""Inputs: the files that a person gives to a job, or the application's sample input.

A directory stands for the files in it, but for hidden ones and those in directories below, in the order in which
people count: `input2` before `input10`.
"""

import re
import stat
from collections.abc import Sequence
from pathlib import Path

from pnode.protocol.jobspec import FILES_MAX
from pnode.protocol.routing import is_base_name
from pnode.protocol.textfile import FormatError

from .terminal import count_text

SAMPLE_INPUT = "sample_input"

INPUT_MAKER = "make_input.py"
"""An executable of this name beside a DAG makes its input: `make_input.py DIR`. Only a demo runs it unasked."""

NAME_BYTES_MAX = 255
"""Of a file name, on every common file system and in a FileRef."""


def find_inputs(root: Path, given: Sequence[Path]) -> tuple[tuple[Path, ...], list[str]]:
    """All input files in order, and notices; none is given for the sample input of the application in `root`.

    Raises FormatError, and OSError for a file that cannot be read.
    """
    sample = root / SAMPLE_INPUT
    if given:
        return _input_files(given)
    if not sample.is_dir():
        return (), ["no input is given, and the application has no sample_input"]
    files, notices = _input_files([sample])
    return files, [
        f"no input is given: taking the sample input, {count_text(len(files), 'file')} from {sample}",
        *notices,
    ]


def _input_files(given: Sequence[Path]) -> tuple[tuple[Path, ...], list[str]]:
    files: list[Path] = []
    notices: list[str] = []
    for path in given:
        if not path.exists():
            raise FormatError(str(path), 0, "no such input", "a file or a directory")
        if path.is_dir():
            inside, left_out = _visible_files(path)
            files += inside
            notices += left_out
        else:
            files.append(path.absolute())
        if len(files) > FILES_MAX:
            raise FormatError(str(path), 0, f"more than {FILES_MAX} input files", "fewer, in several jobs")
    for file in files:
        _check_input(file)
    return tuple(files), notices


def _visible_files(directory: Path) -> tuple[list[Path], list[str]]:
    visible = [path for path in directory.absolute().iterdir() if not path.name.startswith(".")]
    files = sorted((path for path in visible if not path.is_dir()), key=lambda path: natural_order(path.name))
    if not files:
        raise FormatError(str(directory), 0, "the input directory has no files", "at least one that is not hidden")
    left_out = len(visible) - len(files)
    return files, [f"{directory}: {left_out} directories in it are left out"] if left_out else []


def natural_order(name: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key that takes `input2` before `input10`, as people do."""
    numbered = enumerate(re.split(r"([0-9]+)", name))
    return (*((0, int(part), "") if at % 2 else (1, 0, part) for at, part in numbered if part), (-1, 0, name))


def _check_input(path: Path) -> None:
    if not stat.S_ISREG(path.stat().st_mode):
        raise FormatError(str(path), 0, "the input is no regular file", "a file or a directory")
    try:
        size = len(path.name.encode())
    except UnicodeEncodeError:
        size = NAME_BYTES_MAX + 1
    if not is_base_name(path.name) or size > NAME_BYTES_MAX:
        expected = f"a UTF-8 name of at most {NAME_BYTES_MAX} bytes without control characters"
        raise FormatError(ascii(str(path)), 0, "the input has a name that cannot travel", expected)
    with path.open("rb"):
        pass  # a file that cannot be opened is an error now, not when the job has begun
