"""The program `pnode`, also as `python -m pnode.node`: nothing but the wait for the command line to be loaded.

That takes a tenth of a second, and longer on a busy machine. Who presses Ctrl-C meanwhile is not to see a traceback.
"""

import gc
import os
import sys

INTERRUPTED = 130
"""As in `cli_answer`, which has not been loaded yet."""


def main() -> int:
    """Run the command that the process was started with and give its exit status."""
    if sys.stdout is None:  # closed by whoever started us: nobody wants to read, and no socket shall take its number
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    try:
        gc.disable()  # nothing of what is loaded is garbage, see `begin`
        from .cli import main as run

        gc.enable()
    except KeyboardInterrupt:
        return INTERRUPTED
    return run()


if __name__ == "__main__":
    sys.exit(main())
