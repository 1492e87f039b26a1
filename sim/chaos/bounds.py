"""Bounds on what a node holds: queues and tables, once per virtual second, and on every message as it is sent."""

from collections.abc import Callable

from pnode.protocol.effects import Send, SendDatagram
from pnode.protocol.session import MESSAGE_BYTES_MAX, Purpose
from pnode.protocol.swim import PACKET_BYTES_MAX
from pnode.sim.host import Host

from .complaints import Complaints

FRAME_BYTES_MAX = MESSAGE_BYTES_MAX[Purpose.CONTROL]

OUTBOX_MAX = 4096
"""Frames that wait for a session to one peer: a dial takes 5 s, in which at most so many are said."""

INBOX_MAX = 20_000
"""Events that wait for a process that is stopped for 40 s."""

ROWS_MAX = 300_000
"""Of a journal in a run with the most jobs."""

PARCELS_MAX = 50_000
"""Segments on their way from one node to all others."""

RUNNING_SPARE = 0
"""Units that run beside one per core."""


class Bounds:
    """The checker of bounds."""

    def __init__(self, complaints: Complaints, hosts: int, submitted: Callable[[], int]) -> None:
        self.complaints = complaints
        self._hosts = hosts
        self._submitted = submitted
        """How many jobs there are at the most: whoever loses a machine that has not answered submits again."""

    def sent(self, host: Host, effect: Send | SendDatagram) -> None:
        """A message is about to leave."""
        size, limit = len(effect.payload), FRAME_BYTES_MAX if isinstance(effect, Send) else PACKET_BYTES_MAX
        if size > limit:
            self.complaints.add(host.number, f"sends {size} bytes where {limit} are allowed")

    def look(self, host: Host) -> None:
        """Compare the sizes of a host's queues and tables."""
        membership, jobs = host.peer.membership, host.peer.jobs
        if membership is None or jobs is None:
            return
        desk = jobs.desk
        ways = desk.delivery._ways.values()
        cores = host.peer.facts.cores
        unsent = [*host.sessions.outbox.values(), *(pipe.waiting for pipe in host.pipes.values())]
        parcels = sum(len(segments) for way in ways for segments in way.parcels.values())
        for what, size, limit in (
            ("frames for one peer that cannot be sent", max(map(len, unsent), default=0), OUTBOX_MAX),
            ("sessions", len(host.pipes), self._hosts),
            ("events in its inbox", host.inbox, INBOX_MAX),
            ("rows in its journal", len(host.disk), ROWS_MAX),
            ("members", len(membership.members), self._hosts - 1),
            ("jobs", len(desk.jobs), self._submitted()),
            ("segments on their way", parcels, PARCELS_MAX),
            ("units running", len(host.running), cores + RUNNING_SPARE),
            ("effects not taken", len(desk.effects), 0),
            ("news not told", len(desk.news), 0),
        ):  # fmt: skip
            if size > limit:
                self.complaints.add(host.number, f"has {size} {what}, at most {limit} are allowed")
