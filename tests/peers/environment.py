"""Environment: where everybody who is measured is installed, each apart, and which of them can be had at all."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..borders import ROOT

PYTHON = ROOT / ".venv-peers" / "bin" / "python"

INSTALLED = ROOT / ".venv-pnode" / "bin" / "python"
"""Of pnode as its users have it, not in the editable way in which it is developed."""

INSTALL_S_MAX = 900.0
"""Ray alone is some 70 MB to be fetched."""

VERSION = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))"


class AbsentError(Exception):
    """A peer cannot be had on this machine: nobody's fault, and no reason not to measure the others."""


def provide(requirements: Sequence[str], programs: Mapping[str, str]) -> str:
    """Install what a peer needs into the environment; the version of the first. Raises AbsentError."""
    for program, how in programs.items():
        if not shutil.which(program):
            raise AbsentError(f"there is no {program} on this machine; {how}")
    _install(requirements)
    distribution = requirements[0].partition("[")[0]
    return _run([str(PYTHON), "-c", VERSION, distribution], f"ask for the version of {distribution}").strip()


def look_for(program: str) -> None:
    """Whether what plays for somebody is there. Raises AbsentError."""
    if not Path(program).exists():
        raise AbsentError(f"there is no {program}; make bench")


def _install(requirements: Sequence[str]) -> None:
    _run([str(PYTHON), "-m", "pip", "install", "--quiet", *requirements], f"install {' '.join(requirements)}")


def _run(words: Sequence[str], what: str) -> str:
    try:
        ran = subprocess.run(words, capture_output=True, text=True, timeout=INSTALL_S_MAX, check=False)
    except FileNotFoundError as error:
        raise AbsentError(
            f"cannot {what}: there is no environment of peers, {error.filename}; make bench-peers"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise AbsentError(f"cannot {what} within {INSTALL_S_MAX:g} s") from error
    if ran.returncode:
        raise AbsentError(f"cannot {what}: {complaint(ran.stderr)}")
    return ran.stdout


def complaint(said: str) -> str:
    """What pip gives as its reason: the last line that it calls an error."""
    lines = said.strip().splitlines()
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines or ["it does not say why"])[-1]
