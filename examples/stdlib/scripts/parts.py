"""Parts: what the tasks of this application share. It travels with them, being a file in the same directory."""

import json
import os
import tarfile

SHARES = 8
"""So many parse tasks stand in dag.txt."""

LONGEST = 20
"""So many functions are listed at the end, hence no share needs to tell of more than its own twenty longest."""


def key_of(file):
    """What the names of all files of one job begin with: up to the first "_", else up to the first "."."""
    return file.split("_")[0].split(".")[0]


def part_of(file):
    """What comes after the key: `imports.json` for `stdlib_imports.json`."""
    return file.split("_", 1)[1]


def read_json(pathin, file):
    with open(os.path.join(pathin, file), encoding="utf-8") as source:
        return json.load(source)


def write_json(pathout, file, value):
    """Gives the path of what it wrote, for the list that a task returns."""
    path = os.path.join(pathout, file)
    with open(path, "w", encoding="utf-8") as target:
        json.dump(value, target, indent=1)
    return path


def sources(path):
    """(path in the library, bytes) of every module in an archive, in the archive's order."""
    with tarfile.open(path) as archive:
        for member in archive:
            yield member.name, archive.extractfile(member).read()


def module_name(path):
    """`email.mime` for email/mime/__init__.py, `email.mime.base` for email/mime/base.py."""
    name = path.removesuffix(".py").replace("/", ".")
    return name.removesuffix(".__init__")
