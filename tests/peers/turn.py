"""Turn: one contestant plays one workload, in a process that ends, with all that it started, by a deadline."""

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from .family import Family, idle

LAST_S_MAX = 20.0
"""For a process to end by itself that has said its last word."""

COMPLAINT_LINES = 60
"""Of what a process complains of, the last ones are looked at for a reason: a traceback or two."""


@dataclass(frozen=True, slots=True)
class Played:
    """How a turn has ended."""

    figures: dict[str, float] = field(default_factory=dict)
    reason: str = ""
    """Why it did not come to its end; empty if it did."""
    complaints: str = field(default="", compare=False)
    """The last lines of its standard error."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a turn may last, and how long is looked at what is idle."""

    deadline_s: float = 150.0
    """Several times what the slowest needs for any workload on an idle machine."""
    settle_s: float = 3.0
    """What was busy with the first task is idle by then."""
    observed_s: float = 10.0


PATIENCE = Patience()


class Turn:
    """A process that speaks the players' protocol, see players/player.py."""

    def __init__(self, family: Family, command: Sequence[str], search: Path, patience: Patience = PATIENCE) -> None:
        self._family = family
        self._command = command
        self._search = search
        self._patience = patience
        self._figures: dict[str, float] = {}
        self._late = threading.Event()

    def play(self, share: float = 1.0) -> Played:
        """Run the process to its end, with the moment of its start and the share of its work as last words."""
        with (
            tempfile.TemporaryDirectory(prefix="turn-", ignore_cleanup_errors=True) as place,
            Path(place, "complaints").open("w+", errors="replace") as complaints,
        ):
            reason = self._run(place, complaints.fileno(), share)
            complaints.seek(0)
            said = complaints.read()
        lines = "".join(said.splitlines(keepends=True)[-COMPLAINT_LINES:])
        return Played(self._figures, f"{reason}: {last_words(lines)}".removesuffix(": ") if reason else "", lines)

    def _run(self, place: str, complaints: int, share: float) -> str:
        search = [str(self._search), *filter(None, [os.environ.get("PYTHONPATH")])]
        # What pip installs it compiles; what runs from its sources is compiled by whoever comes first, and then kept.
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        programs = [str(Path(self._command[0]).parent), *filter(None, [os.environ.get("PATH")])]  # Parsl starts some
        process = subprocess.Popen(
            [*self._command, str(time.monotonic()), str(share)],
            cwd=place,
            # What is left behind is left in the turn's own directory. Its name is short: sockets lie in there.
            env={
                **inherited,
                "PATH": os.pathsep.join(programs),
                "PYTHONPATH": os.pathsep.join(search),
                "TMPDIR": place,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
        )
        alarm = threading.Timer(self._patience.deadline_s, self._give_up)
        alarm.start()
        try:
            return self._outcome(process)
        finally:
            alarm.cancel()
            self._family.end()
            process.wait()

    def _outcome(self, process: "subprocess.Popen[str]") -> str:
        done = self._listen(process)
        with suppress(subprocess.TimeoutExpired):  # who does not end by itself is ended
            process.wait(LAST_S_MAX)
        if self._late.is_set():
            return f"not done after {self._patience.deadline_s:g} s"
        return "" if done else f"ended with status {process.returncode}"

    def _give_up(self) -> None:
        """The end of the family is the end of its output, for which the turn waits."""
        self._late.set()
        self._family.end(patience_s=1.0)

    def _listen(self, process: "subprocess.Popen[str]") -> bool:
        """Take down figures until the last word; whether there was one."""
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdin as ask, process.stdout as told:
            return self._take_down(process.pid, ask.fileno(), told)

    def _take_down(self, client: int, ask: int, told: Iterable[str]) -> bool:
        for said in _values(told):
            match said:
                case {"figure": str(name), "value": float() | int() as value}:
                    self._figures[name] = float(value)
                case {"idle": {"with_client": bool(with_client)}}:
                    self._look(client, with_client=with_client)
                    with suppress(BrokenPipeError):  # it has ended meanwhile, which its output tells
                        os.write(ask, b"\n")
                case {"done": True}:
                    return True
        return False

    def _look(self, client: int, *, with_client: bool) -> None:
        time.sleep(self._patience.settle_s)
        processes = [each for each in self._family.members() if with_client or each.pid != client]
        found = idle(processes, self._patience.observed_s)
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
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "Error" in line.split(":")[0] or line.startswith("pnode: ")]
    return (errors or lines or [""])[-1]
