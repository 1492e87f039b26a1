"""Raster images: made by whatever converter there is, and a line that says which ones there are if there is none."""

import os
import stat
from pathlib import Path

import pytest

from pnode.sim.study.raster import CONVERTERS, write_png
from pnode.sim.study.table import MissingLibraryError


def converter(place: Path, name: str, script: str) -> None:
    """A program of that name that does what the script says."""
    place.mkdir(exist_ok=True)
    program = place / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where converters are looked for first, and nowhere else but in /bin."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/nowhere")
    return tmp_path / "bin"


@pytest.mark.parametrize("name", CONVERTERS)
def test_any_converter_gets_the_drawing_and_the_name_of_the_image(place: Path, tmp_path: Path, name: str) -> None:
    """Each of them is told both files somewhere among its words; the fake copies one to the other."""
    find = 'case "$word" in *.svg) svg="$word";; *.png) png="${word#--export-filename=}";; esac'
    converter(place, name, f'for word in "$@"; do {find}; done\n/bin/cp "$svg" "$png"')

    write_png("<svg/>", tmp_path / "image.png")

    assert (tmp_path / "image.png").read_text() == "<svg/>"


def test_a_converter_that_fails_is_named_with_what_it_said(place: Path, tmp_path: Path) -> None:
    converter(place, "resvg", "echo 'no such font' >&2\nexit 3")

    with pytest.raises(MissingLibraryError, match=r"image\.png: resvg failed: no such font"):
        write_png("<svg/>", tmp_path / "image.png")


def test_without_a_converter_the_known_ones_are_named(place: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingLibraryError, match="PNG needs one of the programs rsvg-convert, resvg, inkscape"):
        write_png("<svg/>", tmp_path / "image.png")
