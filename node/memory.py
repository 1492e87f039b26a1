"""Memory: what the C library does with that of a node once it is free.

By itself the GNU library gives a megabyte back to the kernel as soon as nothing needs it, and the next one comes from
the kernel again, page by page, each of which is cleared first. A node that passes content on needs a few buffers of a
megabyte, again and again, and spent a fifth of its time on that.
"""

import ctypes

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
"""Of `mallopt`, see mallopt(3)."""

POOLED_BYTES = 4 * 2**20
"""What is shorter comes from a pool: chunks of content, and the buffers that they are read into and sealed in."""

KEPT_BYTES = 16 * 2**20
"""So much is kept at the end of the pool for what comes next: a few buffers for each of two transfers."""


def keep_buffers() -> None:
    """Have buffers reused in this process. Does nothing where the C library is another one."""
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):
        library.mallopt(M_MMAP_THRESHOLD, POOLED_BYTES)
        library.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
