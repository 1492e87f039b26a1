"""The greeter: makes authenticated connections out of bare ones, those we open and those that others open."""

import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial

import trio

from pnode.protocol.errors import RemoteProtocolError
from pnode.protocol.handshake import Check, Handshake, Passport
from pnode.protocol.ids import NodeId
from pnode.protocol.record import Address
from pnode.protocol.refusals import (
    ClosedEarlyError,
    CredentialRefusedError,
    HandshakeError,
    SessionExistsError,
    VersionError,
)
from pnode.protocol.session import Purpose

from .connection import Clock, Connection, Stream, greet
from .dialing import NoAnswerError, UnreachableError, Way, race
from .door import Door, DoorFullError
from .limits import TransportSettings

logger = logging.getLogger(__name__)

Admit = Callable[[NodeId, bytes], None]
"""(node, credential): raises a RemoteProtocolError, worded for people, unless it may talk to us."""

Decide = Callable[[NodeId, Purpose], None]
"""Asked about a node that was admitted: raises SessionExistsError or BusyError unless we want this connection."""

Connect = Callable[[Way], Awaitable[Stream]]
"""Raises NoAnswerError; the deadline is the caller's."""


KNOCK_S = 2.0
"""A node that answers later cannot be worked with; and who wants to know, waits."""


class BusyError(RemoteProtocolError):
    """We have as many sessions or streams as we can bear. Nobody is to blame."""


def the_first() -> Decide:
    """Takes one connection of several attempts, and no other."""
    reached: list[NodeId] = []

    def decide(node: NodeId, _purpose: Purpose) -> None:
        if reached:
            raise SessionExistsError("was reached by another way first")
        reached.append(node)

    return decide


class Greeter:
    """Shakes hands on behalf of one node."""

    def __init__(
        self, passport: Passport, admit: Admit, connect: Connect, settings: TransportSettings, clock: Clock
    ) -> None:
        self.me = passport.node
        self._passport = passport
        self._admit = admit
        self._connect = connect
        self._settings = settings
        self._clock = clock
        self._door = Door(settings)

    async def reach(self, way: Way, decide: Decide, purpose: Purpose, expected: NodeId | None) -> Connection:
        """Connect by a way and shake hands. Raises NoAnswerError or a HandshakeError."""
        try:
            with trio.fail_after(self._settings.connect_timeout_s):
                stream = await self._connect(way)
        except trio.TooSlowError:
            raise NoAnswerError(f"did not answer within {self._settings.connect_timeout_s:g} s") from None
        check = self._checked(decide)
        handshake = Handshake(
            self._passport, check, os.urandom(32), initiator=True, purpose=purpose, expected=expected
        )
        return await self._shake_hands(stream, handshake)

    async def knock(self, addresses: Sequence[Address], peer: NodeId) -> bool:
        """Whether a peer answers, as itself, at one of these addresses; nothing comes of the connection."""

        answered: list[NodeId] = []

        def decide(node: NodeId, _purpose: Purpose) -> None:
            answered.append(node)
            patience.cancel()
            raise SessionExistsError("only wanted to know whether it can be dialled")

        attempt = partial(self.reach, decide=decide, purpose=Purpose.CONTROL, expected=peer)
        with trio.move_on_after(KNOCK_S) as patience, suppress(UnreachableError):
            await race(addresses, attempt, self._settings.stagger_s)
        return bool(answered)

    async def welcome(self, stream: Stream, host: str, decide: Decide) -> Connection | None:
        """Shake hands with whoever has connected from `host`; None, and the stream closed, if that leads nowhere."""
        try:
            with self._door.stand(host):
                handshake = Handshake(self._passport, self._checked(decide), os.urandom(32), initiator=False)
                return await self._shake_hands(stream, handshake)
        except DoorFullError as error:
            await trio.aclose_forcefully(stream)
            logger.debug("hung up: host=%s reason=%s", host, error)
        except HandshakeError as error:
            # Strangers are no news, or they could fill the log; those whom somebody can help are.
            level = logging.INFO if isinstance(error, CredentialRefusedError | VersionError) else logging.DEBUG
            logger.log(level, "turned away: host=%s reason=%s", host, error)
        return None

    def _checked(self, decide: Decide) -> Check:
        def check(node: NodeId, credential: bytes, purpose: Purpose) -> None:
            self._admit(node, credential)
            decide(node, purpose)

        return check

    async def _shake_hands(self, stream: Stream, handshake: Handshake) -> Connection:
        try:
            established = await greet(stream, handshake, self._clock)
            control = established.purpose is Purpose.CONTROL
            stall_s = self._settings.stall_s if control else self._settings.bulk_stall_s
            return Connection(stream, established, self._clock, stall_s)
        except (OSError, ImportError) as error:  # what seals content is loaded now, and no descriptor is left
            await trio.aclose_forcefully(stream)
            raise ClosedEarlyError(f"shook hands, but this node cannot open the connection: {error}") from None
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
