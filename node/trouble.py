"""Trouble: why content cannot be kept or given."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager


class StoreError(Exception):
    """Content cannot be kept or given. Abstract: raise one of the subclasses."""


class MissingContentError(StoreError):
    """The content is not here; fetch it from somebody who has it."""


class StoreFullError(StoreError):
    """Neither quota nor disk has room, even with everything gone that may go."""


@contextmanager
def room_on_disk() -> Iterator[None]:
    """What a full disk says, as a StoreFullError."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StoreFullError("the disk that holds the store is full: make room on it") from None
