"""Applications: small task graphs of which it is known what comes out."""

import os
from collections.abc import Mapping
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


TRUE = """
[task.t{number}]
command = ["/bin/true"]
final = false
"""

RESULT = """
[task.result]
command = ["sh", "-c", ': > "$PNODE_OUTPUT_DIR/result"']
"""
"""One task of a graph has to be final."""


def programs(count: int) -> str:
    """A graph of so many programs that do nothing and know nothing of each other, and one that has a result."""
    return "".join(TRUE.format(number=number) for number in range(count)) + RESULT


def write(directory: Path, files: Mapping[str, str]) -> Path:
    """Make an application; gives the path of the first file, which is its DAG."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory / next(iter(files))


DEAL = """
def task(file, pathin, pathout):
    with open(f"{pathin}/{file}") as numbers:
        outputs = [(f"{pathout}/{number}_number.txt", number) for number in numbers.read().split()]
    for path, number in outputs:
        with open(path, "w") as output:
            output.write(number)
    return [path for path, _ in outputs]
"""

SQUARE = """
import os, time

def task(file, pathin, pathout):
    with open({diary!r}, "a") as diary:
        diary.write(os.environ["PNODE_TASK"] + "\\n")
    time.sleep({pause_s})
    with open(f"{{pathin}}/{{file}}") as number, open(f"{{pathout}}/{{file}}", "w") as output:
        output.write(str(int(number.read()) ** 2))
    return output.name
"""

ADD = """
def task(files, pathin, pathout):
    with open(f"{pathout}/sum.txt", "w") as output:
        output.write(str(sum(int(open(f"{pathin}/{file}").read()) for file in files)))
    return output.name
"""


def squares(
    directory: Path, numbers: range, pause_s: float = 0.3, diary: Path = Path(os.devnull)
) -> tuple[Path, Path]:
    """(DAG, input) of a job that adds up squares, a task for each of the numbers; the sum is in sum.txt. Each task
    writes its name into the diary when it begins."""
    names = [f"square{number}" for number in numbers]
    lines = [
        f"{len(names) + 2}",
        f"deal 1 false {' '.join(names)}",
        *(f"{name} 1 true add" for name in names),
        f"add {len(names)} true home",
    ]
    scripts = {f"scripts/{name}.py": SQUARE.format(pause_s=pause_s, diary=str(diary)) for name in names}
    dag = write(
        directory,
        {"dag.txt": "\n".join(lines) + "\n", "scripts/deal.py": DEAL, "scripts/add.py": ADD, **scripts},
    )
    return dag, write(directory, {"numbers.txt": " ".join(map(str, numbers))})
