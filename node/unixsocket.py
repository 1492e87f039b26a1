"""A node's Unix sockets: names in its home at which the machine's user, and nobody else, may talk to it."""

import contextlib
import os
import socket
import stat
from pathlib import Path

import trio

LISTEN_BACKLOG = 64


def listen_at(path: Path) -> trio.SocketListener:
    """Listen at this path, for its owner only. Raises OSError.

    A stale socket of a node that died is replaced: the caller holds the lock of the home (see `home.hold_home`), so
    nobody else listens there.
    """
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.stat().st_mode):
            path.unlink()
    unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        unix.bind(os.fspath(path))
        path.chmod(0o600)  # before listen(): until then nobody can connect
        unix.listen(LISTEN_BACKLOG)
        unix.setblocking(False)
    except OSError:
        unix.close()
        raise
    return trio.SocketListener(trio.socket.from_stdlib_socket(unix))
