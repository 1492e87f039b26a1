#!/usr/bin/env python3
"""Write this job's input: the source tree of this Python's standard library, as one archive.

    make_input.py OUTPUT_DIR [NAME ...]

makes OUTPUT_DIR/stdlib.tar; with names, only those modules and packages are packed (`make_input.py /tmp json email`).
The same installation always gives the same bytes, so that two runs have the same input by content.
"""

import os
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from pathlib import Path

NOT_THE_LIBRARY = {"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"}
"""What is installed beside the library, and its own tests: some distributions leave them out, and some of them are
wrong Python on purpose."""


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0].startswith("-"):
        print(f"usage: {Path(sys.argv[0]).name} OUTPUT_DIR [NAME ...]", file=sys.stderr)
        return 2
    library = Path(sysconfig.get_path("stdlib"))
    sources = [path for path in modules(library) if len(arguments) == 1 or top(path, library) in arguments[1:]]
    if not sources:
        print(f"found no module of the standard library to pack under {library}", file=sys.stderr)
        return 1
    output = Path(arguments[0]) / "stdlib.tar"
    pack(sources, library, output)
    print(f"{output}: {len(sources)} modules, {output.stat().st_size / 1e6:.1f} MB, from {library}")
    return 0


def modules(library: Path) -> Iterator[Path]:
    """Every source file that can be imported, always in the same order."""
    for directory, below, files in os.walk(library):
        below[:] = sorted(name for name in below if name.isidentifier() and name not in NOT_THE_LIBRARY)
        for name in sorted(files):
            if name.endswith(".py") and name.removesuffix(".py").isidentifier():
                yield Path(directory, name)


def top(path: Path, library: Path) -> str:
    """The name a person would import to get at it: `email` for email/mime/base.py."""
    return path.relative_to(library).with_suffix("").parts[0]


def pack(sources: list[Path], library: Path, output: Path) -> None:
    """Names and contents only: no owner, no time, no mode, for these differ between equal libraries."""
    with tarfile.open(output, "w") as archive:
        for path in sources:
            member = tarfile.TarInfo(path.relative_to(library).as_posix())
            member.size = path.stat().st_size
            with path.open("rb") as source:
                archive.addfile(member, source)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
