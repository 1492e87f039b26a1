"""Turn: one contestant plays one workload, in a process that ends, with all that it started, by a deadline."""

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from . import family

DEADLINE_S = 150.0
"""Several times what the slowest needs for any workload on an idle machine."""

SETTLE_S = 3.0
"""What was busy with the first task is idle by then."""

IDLE_S = 10.0

LAST_S_MAX = 20.0
"""For a process to end by itself that has said its last word."""

DIARY_LINES = 40
"""Of what a process complains of, the last ones are looked at for a reason."""


@dataclass(frozen=True, slots=True)
class Played:
    """How a turn has ended."""

    figures: dict[str, float] = field(default_factory=dict)
    reason: str = ""
    """Why it did not come to its end; empty if it did."""


class Turn:
    """A process that speaks the players' protocol, see players/player.py."""

    def __init__(self, command: list[str], search: list[Path], deadline_s: float = DEADLINE_S) -> None:
        self._command = command
        self._search = search
        self._deadline_s = deadline_s
        self._figures: dict[str, float] = {}
        self._late = threading.Event()

    def play(self, share: float = 1.0) -> Played:
        """Run the process to its end, with the moment of its start and the share of its work as last words."""
        with (
            tempfile.TemporaryDirectory(prefix="pnode-turn-", ignore_cleanup_errors=True) as place,
            Path(place, "complaints").open("w+", errors="replace") as complaints,
        ):
            try:
                reason = self._run(place, complaints.fileno(), share)
            finally:
                family.end()
            complaints.seek(0)
            said = complaints.read()
        return Played(self._figures, f"{reason}: {last_words(said)}".removesuffix(": ") if reason else "")

    def _run(self, place: str, complaints: int, share: float) -> str:
        search = [*map(str, self._search), *filter(None, [os.environ.get("PYTHONPATH")])]
        process = subprocess.Popen(
            [*self._command, str(time.monotonic()), str(share)],
            cwd=place,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(search)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
        )
        alarm = threading.Timer(self._deadline_s, self._give_up)
        alarm.start()
        try:
            done = self._listen(process)
        finally:
            alarm.cancel()
        if self._late.is_set():
            return f"not done after {self._deadline_s:g} s"
        if not done:
            return f"ended with status {process.wait(LAST_S_MAX)}"
        return ""

    def _give_up(self) -> None:
        """The end of the family is the end of its output, for which the turn waits."""
        self._late.set()
        family.end(patience_s=1.0)

    def _listen(self, process: "subprocess.Popen[str]") -> bool:
        """Take down figures until the last word; whether there was one."""
        assert process.stdin is not None
        assert process.stdout is not None
        for said in _values(process.stdout):
            match said:
                case {"figure": str(name), "value": float() | int() as value}:
                    self._figures[name] = float(value)
                case {"idle": {"with_client": bool(with_client)}}:
                    self._look(process.pid, with_client=with_client)
                    process.stdin.write("\n")
                    process.stdin.flush()
                case {"done": True}:
                    return True
        return False

    def _look(self, client: int, *, with_client: bool) -> None:
        time.sleep(SETTLE_S)
        processes = [each for each in family.members() if with_client or each.pid != client]
        found = family.idle(processes, IDLE_S)
        self._figures |= {"idle_memory": found.memory_mb, "idle_cpu": found.cpu_percent}


def _values(lines: Iterable[str]) -> Iterator[object]:
    """What the lines say that are JSON; libraries print other things, too."""
    for line in lines:
        if line.startswith("{"):
            try:
                yield json.loads(line)
            except ValueError:
                continue


def last_words(text: str) -> str:
    """The line that says what went wrong: the last one that names an error, else the last one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()][-DIARY_LINES:]
    errors = [line for line in lines if "Error" in line.split(":")[0] or line.startswith("pnode: ")]
    return (errors or lines or [""])[-1]
