"""A bare runner: carries out a Jupiter application on this machine alone, one call after the other.

It knows dag.txt and the task interface and nothing else, and shares no code with what it is used to check.
"""

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

CALL = """
import importlib, json, sys
module, files, pathin, pathout, answer = sys.argv[1:]
outputs = importlib.import_module(module).task(json.loads(files), pathin, pathout)
open(answer, "w").write(json.dumps(outputs))
"""


class TaskFailedError(Exception):
    """A task's process ended with another status than 0; carries its stderr."""


def run(
    dag_file: Path, inputs: Sequence[Path], work: Path, arrival: Callable[[list[Path]], list[Path]] = list
) -> list[Path]:
    """Feed the inputs to the entry task and give the results, in the order of their names.

    `arrival` puts the files of one call in the order in which they are to arrive.
    """
    rows = [line.split() for line in dag_file.read_text().splitlines()[1:]]
    waiting: dict[str, list[Path]] = defaultdict(list)
    waiting[rows[0][0]] = list(inputs)
    results: list[Path] = []
    ready = [rows[0]]
    while ready:
        for name, inputs_per_call, flag, *children in ready:
            for files in grouped(waiting.pop(name), int(inputs_per_call)):
                outputs = call(dag_file.parent, name, arrival(files), work)
                for index, output in enumerate(outputs):
                    for child in children if flag == "true" else [children[index]]:
                        (results if child == "home" else waiting[child]).append(output)
        ready = [row for row in rows if row[0] in waiting and not ancestors(row[0], rows) & waiting.keys()]
    return sorted(results)


def ancestors(name: str, rows: list[list[str]]) -> set[str]:
    """Every task whose outputs may still lead to this one."""
    parents = {row[0] for row in rows if name in row[3:]}
    return parents.union(*(ancestors(parent, rows) for parent in sorted(parents)))


def grouped(files: list[Path], inputs_per_call: int) -> list[list[Path]]:
    """The files of each call: those with one key, which is the name up to the first "_", else the first "."."""
    if inputs_per_call == 1:
        return [[file] for file in files]
    groups: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        groups[file.name.split("_")[0].split(".")[0]].append(file)
    assert all(len(group) == inputs_per_call for group in groups.values()), groups
    return list(groups.values())


def call(application: Path, name: str, files: list[Path], work: Path) -> list[Path]:
    """One call of one task in a fresh process, its inputs and outputs in directories of its own."""
    place = work / f"{name}-{files[0].name}"
    pathin, pathout = place / "in", place / "out"
    pathin.mkdir(parents=True)
    pathout.mkdir()
    for file in files:
        (pathin / file.name).symlink_to(file.resolve())
    names = [file.name for file in files]
    listing = place / "inputs.txt"
    listing.write_text("".join(f"{pathin / file}\n" for file in names))
    scripts = application / "scripts"
    module, answer = module_of(application, name), place / "answer.json"
    arguments = json.dumps(names if len(names) > 1 else names[0])
    python = [sys.executable, "-c", CALL, module, arguments, str(pathin), str(pathout), str(answer)]
    shell = scripts / f"{module}.sh"
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(scripts),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PNODE_INPUT_LIST": str(listing),
        "PNODE_OUTPUT_DIR": str(pathout),
    }
    ended = subprocess.run(
        [str(shell)] if shell.exists() else python, env=environment, cwd=place, capture_output=True, text=True
    )
    if ended.returncode:
        raise TaskFailedError(f"{name} ended with status {ended.returncode}: {ended.stderr}")
    returned = json.loads(answer.read_text()) if answer.exists() else None
    return [Path(path) for path in returned] if returned else sorted(pathout.iterdir())


def module_of(application: Path, name: str) -> str:
    """The file of a task without its ending: what config.json says, else its own name."""
    config = application / "config.json"
    if not config.exists():
        return name
    return str(json.loads(config.read_text())["taskname_map"][name][0])
