"""Refusals: why a handshake ended without a session, one class for each thing that a person can do about it.

The texts continue a sentence that begins with an address: "10.0.0.3:4440 is a node of another cluster".
"""

from .errors import RemoteProtocolError


class HandshakeError(RemoteProtocolError):
    """No session with whoever is at the other end. Abstract."""


class NotPnodeError(HandshakeError):
    """Something else answers at this address, or asks at ours."""


class OtherClusterError(HandshakeError):
    """A node, but of another cluster."""


class VersionError(HandshakeError):
    """No protocol version is spoken by both."""


class CredentialRefusedError(HandshakeError):
    """We do not accept its credential."""


class RefusedError(HandshakeError):
    """It does not accept ours."""


class WrongPeerError(HandshakeError):
    """A node of our cluster, but not the one that was expected."""


class SelfConnectionError(HandshakeError):
    """We have dialled ourselves."""


class SessionExistsError(HandshakeError):
    """There is, or is about to be, a session between the two already, which both prefer. Nobody is to blame.

    The only one that a `Check` may raise too.
    """


class BadHandshakeError(HandshakeError):
    """A frame that is malformed, out of turn, changed on its way or not signed by the node it names."""


class ClosedEarlyError(HandshakeError):
    """The connection ended before the handshake did."""


class HandshakeTimeoutError(HandshakeError):
    """The handshake was not finished in time."""
