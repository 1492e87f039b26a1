"""A room: the directories and files of a workplace, whoever works there (see `workplace`).

    in/ out/ here/ stdout stderr inputs

It is made before it is known for whom, and may be removed long after. All is held open from its making on (see
`held`, `printout`), since a task may put anything in the place of a name.

A room in which a unit has changed nothing, as most short commands do, is as good as a new one. Whether it is so is
told by the times of change that the kernel keeps of every file, which nobody can set (inode(7), st_ctime): not by
what is there, since something may have been there for a while, or have another mode now.
"""

import os
import time
from contextlib import suppress

from .held import HeldDirectory, remove_tree
from .outputs import Ears
from .printout import Printout

FILES = ("stdout", "stderr", "inputs")
DIRECTORIES = ("in", "out", "here")

TICK_S = 0.02
"""The kernel's times go on in steps of up to 10 ms: what is done in the same step as the making leaves no trace."""

LIGHT_ENTRIES_MAX = 16
LIGHT_BYTES_MAX = 2**20
"""What removing takes a millisecond for at most."""


class Room:
    """Methods block on the disk, `check`, `is_bare` and `is_light` for some twenty microseconds."""

    def __init__(self, work: HeldDirectory, name: str, ears: Ears) -> None:
        """Make it, in the directory for workplaces. Raises OSError, and then leaves nothing behind."""
        self._work = work
        self.name = name
        try:
            self.root = work.make(name)
            self.inputs, self.outputs, self.here = (self.root.make(below) for below in DIRECTORIES)
            self.logs = tuple(Printout(log, self.root.make_file(log)) for log in ("stdout", "stderr"))
            os.close(self.root.make_file("inputs"))
            self.order = ears.listen(self.outputs.path)
        except OSError:
            remove_tree(name, work.file)
            raise
        self._made_s = time.monotonic()
        self.stamps: tuple[int, ...] = ()
        """When each part of it was changed last, before anybody worked here; empty as long as that cannot be told."""

    def begin(self) -> None:
        """A unit is about to work here. Raises OSError if it is not as it should be."""
        self.check()
        if not self.stamps and time.monotonic() >= self._made_s + TICK_S:
            self.stamps = self._changed_ns()

    @property
    def is_untouched(self) -> bool:
        """Whether for certain nobody who worked here has changed anything. Raises OSError."""
        return bool(self.stamps) and self.stamps == self._changed_ns()

    def _changed_ns(self) -> tuple[int, ...]:
        directories = (self.root, self.inputs, self.outputs, self.here)
        files = (*(each.file for each in directories), *(log.file for log in self.logs))
        listing = os.stat("inputs", dir_fd=self.root.file, follow_symlinks=False)
        return (listing.st_ctime_ns, *(os.fstat(file).st_ctime_ns for file in files))

    def check(self) -> None:
        """Raise DisplacedError if a directory is not what it was made as."""
        for directory in (self.root, self.here, self.outputs):
            directory.check()

    def renew_inputs(self) -> HeldDirectory:
        """An empty directory for the inputs of the next call, and no list of them. Raises OSError."""
        self.inputs.close()
        for name in ("in", "inputs"):
            remove_tree(name, self.root.file)
        self.inputs = self.root.make("in")
        return self.inputs

    @property
    def is_bare(self) -> bool:
        """Whether nothing was written that anybody would keep: no outputs, nothing printed. Raises OSError."""
        with os.scandir(self.outputs.file) as found:
            return next(found, None) is None and not any(log.size_bytes for log in self.logs)

    @property
    def is_light(self) -> bool:
        """Whether there is so little in it that it is no burden to the disk while it waits to be removed."""
        entries = size_bytes = 0
        with suppress(OSError):
            for directory in (self.root, self.inputs, self.outputs, self.here):
                with os.scandir(directory.file) as found:
                    for entry in found:
                        if directory is self.root and entry.name in DIRECTORIES:
                            continue
                        entries += 1
                        if entries > LIGHT_ENTRIES_MAX or entry.is_dir(follow_symlinks=False):
                            return False
                        size_bytes += entry.stat(follow_symlinks=False).st_size
            return size_bytes <= LIGHT_BYTES_MAX
        return False

    def remove(self) -> None:
        """Remove it with all that is in it. Raises OSError if something must stay."""
        try:
            self.root.check()
            for name in FILES:
                os.unlink(name, dir_fd=self.root.file)
            for name in DIRECTORIES:
                os.rmdir(name, dir_fd=self.root.file)
            os.rmdir(self.name, dir_fd=self._work.file)
        except OSError:  # there is more in it, or it is not what it was: which is slower by the factor of five
            remove_tree(self.name, self._work.file)

    def close(self) -> None:
        """Let go of everything; the directories themselves stay unless they are removed."""
        self.order.close()
        for directory in (self.root, self.inputs, self.outputs, self.here):
            directory.close()
        for log in self.logs:
            log.close()
