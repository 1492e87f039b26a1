"""Probing: measuring the network because a figure is missing, or because somebody asks.

Round trips are measured by the core anyway. How fast content comes is known from the transfers that tasks need; of a
node that has never sent any, one blank (`blank`) is asked for, seldom, the nearest nodes first.
"""

import logging
from collections.abc import AsyncGenerator, Callable
from statistics import median
from typing import NoReturn

import trio

from pnode.profilers.profile import Profile
from pnode.protocol.events import Measure
from pnode.protocol.ids import NodeId, node_text
from pnode.protocol.neighbours import Neighbours

from .api_links import Probed
from .linkreport import nearest
from .streams import OpenStream
from .transfer import Arrival, FetchError, Transfer

log = logging.getLogger(__name__)

START_S = 30.0
"""A node that has just been started has more important things to fetch."""

PERIOD_S = 10.0
"""Between two blanks: 105 kB/s at most (membership.md 2.3: 110), for ten minutes among 64 nodes, then hardly ever."""

AGAIN_S = 600.0
"""After an attempt with the same node, whatever came of it."""

CONFIDENCE_MIN = 0.05
"""A bandwidth in which there is less is as good as unknown: it was measured hours ago, or by a few kilobytes."""

QUICK_S = 0.05
QUICK_BLANKS = 3
"""Where one comes in less than that a pause of either process is a large share of it; three cost no more than one
over a slow network, and their median minds no pause. Where pauses leave no rate to read off, the next one on the same
connection may do better, since TCP's windows have grown."""

DELAYS_S_MAX = 8.0
"""For the round trips to all: 64 take 4.3 s (`newcomers.BURSTS_PER_TURN`)."""

LOOK_S = 0.05

SECONDS_MIN = 1e-4
"""A mebibyte within this is 84 Gbit/s: the clock's figure, not the network's."""


class Probing:
    """Fetches blanks, and shows the profile how they came."""

    def __init__(
        self, transfer: Transfer, profile: Profile, clock: Callable[[], float], open_stream: OpenStream
    ) -> None:
        self._transfer = transfer
        self._profile = profile
        self._clock = clock
        self._open_stream = open_stream
        self._tried: dict[NodeId, float] = {}

    def heed(self, arrival: Arrival) -> None:
        """Content has come: what its reads say of the way."""
        if arrival.source is not None and arrival.rate_bytes_per_s is not None:
            self._profile.observe_rate(arrival.source, arrival.rate_bytes_per_s, self._clock())

    async def serve(
        self, neighbours: Callable[[], Neighbours | None], is_relayed: Callable[[NodeId], bool]
    ) -> NoReturn:
        """Measure one node after the other whose bandwidth is not known, until cancelled. What goes wrong is no more
        than a figure that stays unknown. It is not worth a mebibyte of somebody else's bandwidth, either: where
        content `is_relayed`, a transfer that a task needs, or a person who asks, will measure it."""
        await trio.sleep(START_S)
        while True:
            here = neighbours()
            wanted = None if here is None else self._next(here, is_relayed)
            if wanted is not None:
                found = await self._blank(wanted)
                log.debug("peer=%s probed: %s", node_text(wanted), found)
            await trio.sleep(PERIOD_S)

    async def probe_all(
        self, neighbours: Neighbours, deliver: Callable[[Measure], None]
    ) -> AsyncGenerator[Probed, None]:
        """Measure the nearest nodes now: all round trips first, then bandwidths one by one, which would disturb them
        and each other."""
        began = self._clock()
        nodes = nearest(neighbours, self._profile, began)
        deliver(Measure())
        with trio.move_on_after(DELAYS_S_MAX):
            while not all(self._delay_since(node, began) for node in nodes):
                await trio.sleep(LOOK_S)
        delays = {node: self._delay_since(node, began) for node in nodes}
        for node in nodes:
            found = await self._blank(node)
            rate, reason = (None, found) if isinstance(found, str) else (found, "")
            if delays[node] is None:
                reason = f"no ping was answered{'; ' if reason else ''}{reason}"
            yield Probed(neighbours.name_of(node), node_text(node), delays[node], rate, reason)

    def _delay_since(self, node: NodeId, began: float) -> float | None:
        """The round trip, if it was measured since then."""
        now = self._clock()
        found = self._profile.round_trips.estimate(node, now)
        return found.rtt_s if found is not None and found.age_s < now - began else None

    def _next(self, neighbours: Neighbours, is_relayed: Callable[[NodeId], bool]) -> NodeId | None:
        """The nearest node whose bandwidth is unknown and that has not been tried lately."""
        now = self._clock()
        self._tried = {node: at for node, at in self._tried.items() if now - at < AGAIN_S}
        for node in nearest(neighbours, self._profile, now):
            known = self._profile.received(node, neighbours.me, now)
            unknown = known is None or known[1] < CONFIDENCE_MIN
            wanted = unknown and node not in self._tried
            if wanted and not neighbours.is_suspect(node) and not is_relayed(node):
                return node
        return None

    async def _blank(self, node: NodeId) -> float | str:
        """Have one sent, or a few over a fast network: how many bytes a second came, or why none did."""
        self._tried[node] = self._clock()
        rates: list[float] = []
        try:
            for _ in range(QUICK_BLANKS):
                arrival = await self._transfer.measure(node, self._open_stream)
                rates.append(self._heed_blank(node, arrival))
                if arrival.seconds >= QUICK_S and arrival.rate_bytes_per_s is not None:
                    break
        except FetchError as error:
            return str(error)
        return median(rates)

    def _heed_blank(self, node: NodeId, arrival: Arrival) -> float:
        """Show the profile how a blank came; bytes per second."""
        self._profile.observe_transfer(node, arrival.received_bytes, arrival.seconds, self._clock())
        self.heed(arrival)
        return arrival.rate_bytes_per_s or arrival.received_bytes / max(arrival.seconds, SECONDS_MIN)
