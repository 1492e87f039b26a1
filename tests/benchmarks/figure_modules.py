"""How many independent tasks a second, if each is a Python function that does nothing, in a fresh process."""

import sys

from .thousand import measure


def main() -> None:
    measure("module", 'module = "nothing.py"', (sys.executable, "-c", "pass"))


if __name__ == "__main__":
    main()
