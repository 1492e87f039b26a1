"""Hosts that live apart: each in a network namespace of its own, where `tests.chaos.cabling` has joined them."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from ..chaos.cabling import Cabling
from .hosts import COMMAND_S_MAX, PNODE, Host, Ran

PORT = 4747


class Apart(Host):
    """A host in a network namespace of its own."""

    def __init__(self, place: Path, name: str, cables: Cabling, number: int, cores: int, listen: str = "") -> None:
        """`listen` empty: at all addresses that it has."""
        super().__init__(place, name)
        self._cables = cables
        self._number = number
        self._words = (*(("--listen", listen) if listen else ()), "--port", PORT, "--cores", cores)

    def start_words(self, *words: object, mdns: bool = False) -> tuple[object, ...]:
        return ("start", "--name", self.name, *self._words, "--mdns" if mdns else "--no-mdns", *words)

    def pnode(self, *words: object, environment: Mapping[str, str] | None = None) -> Ran:
        """The node lives in its namespace; who asks it, asks by its socket."""
        if words[0] != "start":
            return super().pnode(*words, environment=environment)
        command = [*self._cables.prefix(self._number), str(PNODE), *map(str, words), "--home", str(self.home)]
        done = subprocess.run(
            command, cwd=self.place, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=COMMAND_S_MAX
        )
        return Ran(done.returncode, done.stdout, done.stderr)
