"""Links as text for people: a matrix of delays, and what is known of the ways to this node."""

from typing import TextIO

from .api_links import DelayBasis, LinkStatus, Probed
from .terminal import Column, Listing, age_text, clean, seconds_text, show_listing, size_text

MARKS: dict[DelayBasis, str] = {"direct": "", "reported": "'", "estimated": "~", "assumed": "?"}
"""Behind a delay."""

LEGEND = """\
round trip and confidence; ' reported by one of the two, ~ estimated from where both stand, ? as between others
"""

WAY_COLUMNS = (
    Column("from", flexible=True),
    Column("delay", number=True),
    Column("known"),
    Column("error", minor=3, number=True),
    Column("age", minor=2, number=True),
    Column("confidence", minor=1, number=True),
    Column("bandwidth", number=True),
    Column("confidence", minor=4, number=True),
)

PROBED_COLUMNS = (
    Column("from", flexible=True),
    Column("delay", number=True),
    Column("bandwidth", number=True),
    Column("reason", flexible=True),
)


def write_links(links: tuple[LinkStatus, ...], out: TextIO) -> None:
    if not links:
        out.write("there is no other node\n")
        return
    show_listing(_matrix(links), out)
    out.write(LEGEND)
    ways = [link for link in links if link.this]
    out.write(f"\nto {clean(ways[0].target)} (this):\n")
    show_listing(Listing(WAY_COLUMNS, tuple([_way_row(link) for link in ways])), out)


def write_probed(probed: tuple[Probed, ...], out: TextIO) -> None:
    if not probed:
        out.write("there is no other node to measure\n")
        return
    rows = [
        (clean(each.name), seconds_text(each.delay_s), rate_text(each.bandwidth_bytes_per_s), clean(each.reason))
        for each in probed
    ]
    show_listing(Listing(PROBED_COLUMNS, tuple(rows)), out)


def rate_text(bytes_per_s: float | None) -> str:
    return "-" if bytes_per_s is None else f"{size_text(round(bytes_per_s))}/s"


def _matrix(links: tuple[LinkStatus, ...]) -> Listing:
    """Sources down, targets across; the last columns go first where the terminal is too narrow."""
    names = {link.source_id: clean(link.source) for link in links}
    cells = {(link.source_id, link.target_id): _cell(link) for link in links}
    columns = [Column(name, minor=at, number=True) for at, name in enumerate(names.values(), 1)]
    rows = [(name, *[cells.get((source, target), "-") for target in names]) for source, name in names.items()]
    return Listing((Column("from \\ to", flexible=True), *columns), tuple(rows))


def _cell(link: LinkStatus) -> str:
    return f"{seconds_text(link.delay_s)}{MARKS[link.delay_known]} {link.delay_confidence:.0%}"


def _way_row(link: LinkStatus) -> tuple[str, ...]:
    return (
        clean(link.source),
        seconds_text(link.delay_s),
        link.delay_known,
        "-" if link.delay_error is None else f"{link.delay_error:.0%}",
        age_text(link.delay_age_s),
        f"{link.delay_confidence:.0%}",
        rate_text(link.bandwidth_bytes_per_s),
        f"{link.bandwidth_confidence:.0%}",
    )
