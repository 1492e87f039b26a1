"""A warm worker: one process that carries out Python calls, and the conversation with it (see `callee`)."""

import json
import secrets
import signal
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from pathlib import Path

import trio

from .allowance import ExecutorSettings
from .attention import Attention
from .callee import HEADER, HUGE_PAGES, THROUGH
from .held import HeldDirectory, remove_tree
from .printout import Printout
from .processes import MARK, Command, Processes

CALLEE = Path(__file__).with_name("callee.py")

RECEIVE_BYTES = 65_536


class WorkerDiedError(Exception):
    """The process ended, or was ended, before it had answered."""


class Worker:
    """One process and its private directory."""

    def __init__(self, session: str, work: HeldDirectory, settings: ExecutorSettings) -> None:
        """Raises OSError."""
        self.session = session
        self.idle_since_s = 0.0
        self._settings = settings
        self._attention = Attention(settings.poll_s)
        self._name = f"0-{secrets.token_hex(4)}"
        self.root = work.make(self._name)
        self._work = work
        self.logs = tuple(Printout(log, self.root.make_file(log)) for log in ("stdout", "stderr"))
        ours, self._theirs = socket.socketpair()
        ours.setblocking(False)
        self._stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        self._is_heard = False
        """Somebody listens to what the process says."""
        self._scope = trio.CancelScope()
        self.ended = trio.Event()
        """The process, and all it had started."""
        self._how = ""
        self._trouble: OSError | None = None

    async def serve(self, processes: Processes, environment: Mapping[str, str]) -> None:
        """Run the process to its end, whatever that is."""
        words = [self._settings.python, "-P", str(CALLEE)]
        stdout, stderr = self.logs
        marked = {HUGE_PAGES[0]: HUGE_PAGES[1], **environment, MARK: str(self.root.path)}
        command = Command(words, self.root.path, marked, stdout.file, stderr.file, self._theirs.detach())
        settings = self._settings
        try:
            with self._scope:
                ended = await processes.run(
                    command,
                    self._look,
                    self._attention,
                    file_bytes_max=settings.output_bytes_max,
                    grace_s=settings.grace_s,
                )
                self._how = ended.reason or _manner(ended.status)
        except OSError as error:
            self._trouble = error
        finally:
            self.ended.set()
            if self._is_heard:  # what it has said may still be on its way; after that it says no more
                with suppress(OSError):
                    self._stream.socket.shutdown(socket.SHUT_RD)
            else:
                await self._close()

    async def carry_out(self, order: Mapping[str, object]) -> AsyncGenerator[tuple[int, bytes, float], None]:
        """Have it make the calls of a unit: what it says (kind, whole outcome, seconds) as it does, THROUGH last.
        Raises WorkerDiedError, and OSError if the process could not be started."""
        said = bytearray()
        self._is_heard = not self.ended.is_set()
        try:
            await self._stream.send_all(json.dumps(order).encode() + b"\n")
            while received := await self._stream.receive_some(RECEIVE_BYTES):
                said += received
                while (end := _end(said)) is not None:
                    kind, _, seconds = HEADER.unpack_from(said)
                    yield kind, bytes(said[:end]), seconds
                    del said[:end]
                    if kind == THROUGH:
                        return
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            self._is_heard = False
            if self.ended.is_set():
                await self._close()
        await self.ended.wait()
        if self._trouble is not None:
            raise OSError(f"their process could not be started: {self._trouble.strerror}")
        raise WorkerDiedError(self._how or "was ended")

    @property
    def is_gone(self) -> bool:
        return self.ended.is_set() or self._scope.cancel_called

    def begin(self) -> None:
        """It is to work for another unit: what was printed for the last one, by a thread that it left say, is not of
        this one."""
        self._attention.wake()
        for log in self.logs:
            log.clear()

    def rest(self) -> None:
        """There is nothing for it to do now."""
        self.idle_since_s = trio.current_time()
        self._attention.rest()

    def take_over(self, other: "Worker") -> None:
        """It goes on with the unit of one that has ended, in whose logs it goes on as well."""
        for log, begun in zip(self.logs, other.logs, strict=True):
            log.note_end_of(begun)

    def dismiss(self) -> None:
        """End it and all it has started."""
        self._scope.cancel()

    async def end(self) -> None:
        """The same, and return when it has ended."""
        self.dismiss()
        with trio.CancelScope(shield=True):
            await self.ended.wait()

    def remove(self) -> None:
        """Remove its directory; blocks. Raises OSError if something must stay."""
        remove_tree(self._name, self._work.file)

    async def _close(self) -> None:
        with trio.CancelScope(shield=True):
            await self._stream.aclose()

    def _look(self) -> str:
        most = self._settings.log_bytes_max
        too_long = next((log.name for log in self.logs if log.size_bytes > most), "")
        return f"printed more than {most >> 20} MiB to {too_long}" if too_long else ""


def _end(said: bytearray) -> int | None:
    """Where the first outcome ends; None if it is not whole."""
    if len(said) < HEADER.size:
        return None
    end = HEADER.size + int(HEADER.unpack_from(said)[1])
    return end if end <= len(said) else None


def _manner(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was killed by signal {-status} ({signal.Signals(-status).name})"
    except ValueError:  # a real-time signal
        return f"was killed by signal {-status}"
