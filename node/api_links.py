"""The node's answers about the network between nodes, as values (see `api`)."""

from typing import Literal

from pnode.protocol.values import dataclass

DelayBasis = Literal["direct", "reported", "estimated", "assumed"]
"""Measured by the node that was asked; reported by one of the two; from where both stand; as between other nodes."""


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """What the node that was asked believes of the way from one node to another."""

    source: str
    source_id: str
    target: str
    target_id: str
    this: bool
    """Whether it ends at the node that was asked."""
    delay_s: float
    """Round trip."""
    delay_known: DelayBasis
    delay_error: float | None
    """The share of it that it may be off by; None when nobody can tell."""
    delay_age_s: float | None
    delay_confidence: float
    """0 (a guess) to 1 (measured, recent)."""
    bandwidth_bytes_per_s: float | None
    """Of this direction, as its receiver measured it; None when it never did."""
    bandwidth_confidence: float


@dataclass(frozen=True, slots=True)
class Probed:
    """The way from a node to the one that was asked, as it was measured just now."""

    name: str
    id: str
    delay_s: float | None
    """Round trip by the last few measurements, the new one included; None when that had no answer."""
    bandwidth_bytes_per_s: float | None
    """By this measurement alone; None when no content came."""
    reason: str
    """Why there is no figure; empty when there are both."""
