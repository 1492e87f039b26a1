"""How many independent tasks a second, if each is the command `true`."""

from .thousand import measure


def main() -> None:
    measure("command", 'command = ["true"]', ("true",))


if __name__ == "__main__":
    main()
