"""How long the demonstration takes: four nodes, the standard library, fourteen tasks, and the nodes' end."""

import re
import tempfile
import time
from pathlib import Path

from ..end_to_end.hosts import pnode
from .bench import tell

ENDED = re.compile(r"job \S+ done: 14/14 tasks done after ([0-9.]+) s")


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        began = time.perf_counter()
        ran = pnode("demo", "--output", Path(place) / "results", cwd=Path(place))
        taken_s = time.perf_counter() - began
    ended = ENDED.search(ran.out)
    assert ended is not None, ran
    tell("demo_command", taken_s, "s")
    tell("demo_job", float(ended[1]), "s")


if __name__ == "__main__":
    main()
