"""Frames: which message class each number on the wire stands for.

A frame is the msgpack array `[kind, fields]`. Every machine has a table of the kinds it understands; `Peer` joins the
tables and hands each decoded message to the machine it belongs to. Numbers are never reused.
"""

from collections.abc import Mapping
from typing import Any

from .codec import MalformedError, pack, reader, unpack


class UnknownKindError(MalformedError):
    """A frame of a kind that this version does not know: ignored, since a newer version may speak to us."""


class Frames:
    """A joined table of kinds: encodes and decodes messages of those classes and no others."""

    def __init__(self, *tables: Mapping[int, type]) -> None:
        self._classes: dict[int, type] = {}
        for table in tables:
            doubled = [kind for kind in table if kind in self._classes]
            assert not doubled, f"kinds {doubled} stand in two tables"
            self._classes.update(table)
        self._kinds = {wire_class: kind for kind, wire_class in self._classes.items()}
        self._readers = {kind: reader(wire_class) for kind, wire_class in self._classes.items()}

    def encode(self, message: object) -> bytes:
        return pack((self._kinds[type(message)], message))

    def decode(self, data: bytes) -> Any:
        """The message that the bytes spell. Raises MalformedError, or its subclass UnknownKindError."""
        plain = unpack(data)
        if type(plain) is not list or len(plain) < 2 or type(plain[0]) is not int:
            raise MalformedError("a frame is an array of a kind and its fields")
        read = self._readers.get(plain[0])
        if read is None:
            raise UnknownKindError(f"no message has the number {plain[0]}")
        return read(plain[1])
