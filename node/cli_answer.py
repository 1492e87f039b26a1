"""What a command answers: one value and how people read it. Printed as text or, with --json, as exactly one value."""

import sys
from collections.abc import Callable, Iterable
from typing import Any, TextIO

from pnode.protocol.values import dataclass

FAILED = 1
INTERRUPTED = 130
"""What shells give to a command that Ctrl-C ended: 128 + SIGINT."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A command's result."""

    kind: Any
    """The value's annotation, which says how it is spelled in JSON (see `plain`)."""
    value: object
    write: Callable[[TextIO], None]
    """Writes the value as text."""
    status: int = 0
    """The exit status: 0 done, 1 failed."""


def print_answer(answer: Answer, *, as_json: bool) -> None:
    """To standard output, in one of the two modes."""
    if not as_json:
        answer.write(sys.stdout)
        return
    import json

    from .plain import to_plain

    sys.stdout.write(json.dumps(to_plain(answer.kind, answer.value), indent=2) + "\n")


def notice(text: str) -> None:
    """Something that a person should know and that is not the answer: to standard error."""
    from .terminal import show_sentence

    show_sentence(text, sys.stderr)
    sys.stderr.flush()


def notices(texts: Iterable[str]) -> None:
    for text in texts:
        notice(f"note: {text}")
