"""Messages between a Python client and its node, at the socket for calls (see `calls`).

A frame is a length (u32), a kind (u8) and a wire class as `protocol.codec` writes it. A batch of calls is the graph
of one job; both sides name it by a number that the client gives.

    client -> node:  Batch, Abandon
    node -> client:  Welcome, Taken, Came (any number), Ended; or Full, and it hangs up
"""

import struct
import threading
from collections.abc import Iterator
from typing import Annotated

from pnode.protocol.codec import U8, U32, Bytes16, Length, Name, Text, decode, encode
from pnode.protocol.dag import TASKS_MAX, Task
from pnode.protocol.errors import RemoteProtocolError
from pnode.protocol.jobspec import REPLICAS, FileRef
from pnode.protocol.values import dataclass

INLINE_BYTES_MAX = 256 * 1024
"""Of a parcel or of outcomes in a message; what is more is in a file."""

FRAME_BYTES_MAX = 16 * 2**20
"""The largest graph that a job may have takes 2 MB."""

FILES_MAX = 4096
"""Earlier outcomes that one batch uses."""

PREFIX = struct.Struct(">IB")


@dataclass(frozen=True, slots=True)
class Welcome:
    """The node is there and takes batches."""

    node: Name
    cores: U32
    """Of all nodes that compute, together."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Calls to be made: one job."""

    number: U32
    nonce: Bytes16
    """Of the job: the node that is told of it again knows it."""
    name: Name
    session: Name
    tasks: Annotated[tuple[Task, ...], Length(1, TASKS_MAX)]
    parcel: Annotated[bytes, Length(0, INLINE_BYTES_MAX)]
    """See `callee`; empty if it is in a file of its own, called after the nonce."""
    values: Annotated[bytes, Length(0, INLINE_BYTES_MAX)] = b""
    """Outcomes of earlier calls that tasks take as the file VALUES."""
    files: Annotated[tuple[FileRef, ...], Length(0, FILES_MAX)] = ()
    """The same, of those that are in the node's store."""
    replicas: U8 = REPLICAS


PARCEL, VALUES = "parcel", "values"
"""What these files are called in the job's input."""


@dataclass(frozen=True, slots=True)
class Abandon:
    """Nobody wants anything of this batch any more."""

    number: U32


@dataclass(frozen=True, slots=True)
class Taken:
    """The job is in the node's journal: it will end without anybody's help."""

    number: U32
    job: Bytes16


@dataclass(frozen=True, slots=True)
class Came:
    """The outcomes of a task's calls."""

    number: U32
    task: U32
    """Its place in the graph."""
    file: FileRef
    content: Annotated[bytes, Length(0, INLINE_BYTES_MAX)]
    path: Text = ""
    """Where the content is to be read if it is too long for a message: now, as it is not kept for ever."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more comes of this batch."""

    number: U32
    state: Name
    """done, failed or cancelled; refused if there is no job."""
    reason: Text = ""


@dataclass(frozen=True, slots=True)
class Full:
    """The node has no room for one more client."""

    clients: U32
    """So many it has."""


Message = Welcome | Batch | Abandon | Taken | Came | Ended | Full

KINDS: tuple[type[Message], ...] = (Welcome, Batch, Abandon, Taken, Came, Ended, Full)
_NUMBERS = {kind: number for number, kind in enumerate(KINDS)}

_packing = threading.Lock()
"""A program that is a client of several nodes has a thread for each, and `codec` has one packer for all."""


class StrangeMessageError(RemoteProtocolError):
    """The other side does not speak as it should."""


def pack(message: Message) -> bytes:
    """A frame."""
    with _packing:
        body = encode(message)
    return PREFIX.pack(len(body), _NUMBERS[type(message)]) + body


class Unpacker:
    """Puts frames together from what arrives."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, received: bytes) -> Iterator[Message]:
        """All messages that are complete now. Raises RemoteProtocolError."""
        buffer = self._buffer
        buffer += received
        at = 0
        while len(buffer) - at >= PREFIX.size:
            size, kind = PREFIX.unpack_from(buffer, at)
            if size > FRAME_BYTES_MAX or kind >= len(KINDS):
                raise StrangeMessageError(f"a frame of kind {kind} with {size} bytes")
            if len(buffer) - at < PREFIX.size + size:
                break
            at += PREFIX.size
            yield decode(KINDS[kind], bytes(buffer[at : at + size]))
            at += size
        del buffer[:at]
