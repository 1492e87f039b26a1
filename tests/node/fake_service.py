"""A node's process for tests of starting and stopping: what `pnode.node.service` is to commands, with a fake node.

Its name (`NodeOptions.name`) says how it behaves.
"""

import os
import signal
import sys
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from functools import partial
from pathlib import Path

import trio

from pnode.node.api import NodeStatus, PeerStatus, Submitted
from pnode.node.control import serve_control
from pnode.node.home import HomeError, control_socket, hold_home
from pnode.node.launch import NodeOptions, read_options, report_failure, report_ready

from .fake_node import FakeNode

MEASURED_SPEED = 3.0
"""Of this machine, by every node that has to measure it."""

BUSY_S = 4.0
"""What a node takes that has much in its journal."""


class Member(FakeNode):
    """Says what it was started with."""

    options: NodeOptions
    was_asked: bool = False

    async def status(self) -> NodeStatus:
        status = replace(
            await super().status(),
            name=self.options.name or "node",
            pid=os.getpid(),
            founded=self.options.token is None,
            addresses=tuple(self.options.seeds) or ("192.0.2.5:4747",),
            emulated_speed=self.options.emulated_speed,
            resumed=2 if self.options.name == "resuming" else 0,
        )
        if self.options.name == "failing":
            return replace(status, state="failed", reason="nobody answered at 192.0.2.7:4747")
        if self.options.name == "slow":
            return replace(status, state="joining", reason="asking 192.0.2.7:4747")
        if self.options.name == "busy" and not self.was_asked:
            self.was_asked = True
            return replace(status, state="joining", reason="asking 192.0.2.7:4747")
        return status

    async def peers(self) -> tuple[PeerStatus, ...]:
        this, other = await super().peers()
        this = replace(this, speed=(self.options.machine_speed or MEASURED_SPEED) * self.options.emulated_speed)
        return (this, replace(other, state="alive", load=this.load))

    async def submit(
        self, dag: Path, inputs: tuple[Path, ...], mapper: str, name: str | None, replicas: int | None
    ) -> AsyncGenerator[Submitted, None]:
        async for submitted in super().submit(dag, inputs, mapper, name, replicas):
            yield replace(submitted, notices=tuple([str(path) for path in inputs]))


async def serve(options: NodeOptions) -> None:
    node = Member(options.home)
    node.options = options
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_control, control_socket(options.home), node)
        if options.name == "busy":
            time.sleep(BUSY_S)  # it answers nobody meanwhile
        report_ready(options.home)
        print("ready", flush=True)
        if options.tied:
            nursery.start_soon(partial(stop_with_parent, node))
        nursery.start_soon(stop_on_signal, node)
        await node.stopped.wait()
        nursery.cancel_scope.cancel()


async def stop_with_parent(node: FakeNode) -> None:
    await trio.to_thread.run_sync(sys.stdin.buffer.read, abandon_on_cancel=True)
    node.stopped.set()


async def stop_on_signal(node: FakeNode) -> None:
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            node.stopped.set()


def main() -> int:
    options = read_options(sys.stdin.buffer)
    try:
        with hold_home(options.home):
            match options.name:
                case "refused":
                    report_failure(options.home, "the port 4747 is in use:\nchoose another with --port")
                    return 1
                case "crashing":
                    return 7
                case "killed":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "deaf":
                    signal.signal(signal.SIGTERM, signal.SIG_IGN)
                    time.sleep(60)
            trio.run(serve, options)
    except HomeError as error:
        report_failure(options.home, str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
