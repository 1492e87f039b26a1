"""What trials have shown, as text for people."""

from typing import TextIO

from .api_trials import Profiled
from .terminal import Column, Listing, clean, seconds_text, show_listing, size_text

TRIAL_COLUMNS = (
    Column("task", flexible=True), Column("node", flexible=True), Column("runs", number=True),
    Column("median", number=True), Column("spread", minor=1, number=True), Column("wrote", minor=2, number=True),
    Column("trouble", flexible=True),
)  # fmt: skip


def write_trials(profiled: Profiled, out: TextIO) -> None:
    """A line per task and node."""
    rows = [
        (
            each.task,
            clean(each.node),
            str(each.runs),
            seconds_text(each.seconds),
            seconds_text(each.spread_s) if each.runs > 1 else "-",
            size_text(each.output_bytes) if each.runs else "-",
            clean(each.trouble),
        )
        for each in sorted(profiled.tasks, key=lambda each: each.node)
    ]
    show_listing(Listing(TRIAL_COLUMNS, tuple(rows)), out)
