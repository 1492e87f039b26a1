"""A raster image of a drawing, where the machine has a program that makes one. We have none of our own."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from .table import MissingLibraryError

SCALE = 2
"""Pixels per pixel of the drawing: for print, and for displays of today."""

CONVERTERS: dict[str, tuple[str, ...]] = {
    "rsvg-convert": ("--zoom", str(SCALE), "--output", "{png}", "{svg}"),
    "resvg": ("--zoom", str(SCALE), "{svg}", "{png}"),
    "inkscape": ("--export-type=png", f"--export-dpi={96 * SCALE}", "--export-filename={png}", "{svg}"),
}
"""Programs that are looked for, in this order, with how each is called."""

CONVERSION_S_MAX = 120.0
"""A chart of ten thousand bars takes seconds."""


def converter(path: Path) -> str:
    """The program that will make this image. Raises MissingLibraryError where there is none."""
    program = next((name for name in CONVERTERS if shutil.which(name)), None)
    if program is None:
        raise MissingLibraryError(
            f"{path} cannot be made: PNG needs one of the programs {', '.join(CONVERTERS)}; SVG and HTML need none"
        )
    return program


def write_png(svg: str, path: Path) -> None:
    """Convert a drawing. Raises MissingLibraryError where there is no converter or it fails, OSError."""
    program = converter(path)
    with tempfile.TemporaryDirectory() as place:
        source = Path(place, "drawing.svg")
        source.write_text(svg, encoding="utf-8")
        words = [word.format(svg=source, png=path.absolute()) for word in CONVERTERS[program]]
        command = [program, *words]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=CONVERSION_S_MAX, check=False)  # noqa: S603 - a program of CONVERTERS
        except subprocess.TimeoutExpired:
            raise MissingLibraryError(f"{path}: {program} took more than {CONVERSION_S_MAX:g} s") from None
    if done.returncode:
        raise MissingLibraryError(f"{path}: {program} failed: {done.stderr.strip()[-500:]}")
