"""Who is to blame when a protocol is broken: us or them."""


class ProtocolError(Exception):
    """Something was done that the protocol does not allow. Abstract: raise one of the subclasses."""

    def __init__(self, message: str) -> None:
        if type(self) is ProtocolError:
            raise TypeError("raise LocalProtocolError or RemoteProtocolError")
        super().__init__(message)


class LocalProtocolError(ProtocolError):
    """We asked for something the protocol does not allow: a bug on our side."""


class RemoteProtocolError(ProtocolError):
    """The other side sent what it must not send: drop the message or the peer, never the node."""
