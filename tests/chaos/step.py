"""A step: the program of every task of the job (see `work`), and what it must write, by one and the same function.

    step.py ROUNDS SLEEP_S BYTES

It reads its inputs, computes a digest of them ROUNDS times over, sleeps, and writes BYTES that follow from the
digest. Nothing but the standard library: nodes run it as it lies here.
"""

import hashlib
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path


def written(task: str, inputs: Iterable[bytes], rounds: int, size_bytes: int) -> bytes:
    """What the task of that name writes, given the contents of its inputs in any order."""
    digest = hashlib.sha256(task.encode())
    for content in sorted(inputs):
        digest.update(hashlib.sha256(content).digest())
    value = digest.digest()
    for _ in range(rounds):
        value = hashlib.sha256(value).digest()
    return hashlib.shake_256(value).hexdigest(max(1, size_bytes // 2)).encode()


def main() -> None:
    rounds, sleep_s, size_bytes = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    task = os.environ["PNODE_TASK"]
    paths = Path(os.environ["PNODE_INPUT_LIST"]).read_text().splitlines()
    content = written(task, (Path(path).read_bytes() for path in paths), rounds, size_bytes)
    time.sleep(sleep_s)
    (Path(os.environ["PNODE_OUTPUT_DIR"]) / f"{task}.txt").write_bytes(content)


if __name__ == "__main__":
    main()
