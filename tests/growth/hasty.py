"""A hasty node: one that lets go of a job that is over after some seconds, and not after an hour.

`hasty.py SECONDS PYTHON ... -m pnode.node.begin --home HOME`: stands before the words that start a node.
"""

import runpy
import sys

from pnode.protocol import retention

BEGIN = "pnode.node.begin"


def main() -> None:
    _, grace_s, *words = sys.argv
    retention.GRACE_S = float(grace_s)
    sys.argv = [BEGIN, *words[words.index(BEGIN) + 1 :]]
    runpy.run_module(BEGIN, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
